namespace DynaTrans.Devices;

/// <summary>
/// A device on an 8-bit bus: wider accesses reach it as byte accesses at successive ports, lowest first, as the bus controller of a PC makes them.
/// </summary>
public abstract class BytePortDevice : IPortDevice
{
    /// <summary>Reads a port.</summary>
    protected abstract byte ReadByte(ushort port);

    /// <summary>Writes a port.</summary>
    protected abstract void WriteByte(ushort port, byte value);

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        if (size == 1)
            return ReadByte(port);
        var value = 0u;
        for (var i = 0; i < size; i++)
            value |= (uint)ReadByte((ushort)(port + i)) << (8 * i);
        return value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, int size, uint value)
    {
        for (var i = 0; i < size; i++)
            WriteByte((ushort)(port + i), (byte)(value >> (8 * i)));
    }
}
