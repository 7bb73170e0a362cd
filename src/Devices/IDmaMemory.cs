namespace DynaTrans.Devices;

/// <summary>
/// Guest-physical memory as a bus master sees it. Addresses come from the guest and may be anything; a write drops translations of the code that it
/// overwrites. Called on the machine's thread.
/// </summary>
public interface IDmaMemory
{
    /// <summary>Reads memory; false, with an undefined part read, where the range is not memory whole.</summary>
    bool TryRead(ulong physical, Span<byte> to);

    /// <summary>Writes memory; false, with an undefined part written, where the range is not writable memory whole.</summary>
    bool TryWrite(ulong physical, ReadOnlySpan<byte> from);
}
