namespace DynaTrans.Runtime.Memory;

/// <summary>A part of a guest range that is contiguous in the host.</summary>
/// <param name="Address">First guest address.</param>
/// <param name="Host">Its host address.</param>
/// <param name="Length">Bytes.</param>
public readonly record struct HostPiece(ulong Address, nint Host, ulong Length);
