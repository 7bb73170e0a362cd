namespace DynaTrans.Devices.Tests;

/// <summary>Memory from address 0 for bus masters.</summary>
internal sealed class TestMemory(int size) : IDmaMemory
{
    public byte[] Bytes { get; } = new byte[size];

    public bool TryRead(ulong physical, Span<byte> to)
    {
        if (physical > (ulong)Bytes.Length || (ulong)to.Length > (ulong)Bytes.Length - physical)
            return false;
        Bytes.AsSpan((int)physical, to.Length).CopyTo(to);
        return true;
    }

    public bool TryWrite(ulong physical, ReadOnlySpan<byte> from)
    {
        if (physical > (ulong)Bytes.Length || (ulong)from.Length > (ulong)Bytes.Length - physical)
            return false;
        from.CopyTo(Bytes.AsSpan((int)physical));
        return true;
    }
}
