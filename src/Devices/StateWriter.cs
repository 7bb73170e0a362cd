using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace DynaTrans.Devices;

/// <summary>Writes state records: little-endian values, arrays and strings with their length before them. <see cref="StateReader"/> is its counterpart.</summary>
public sealed class StateWriter
{
    private readonly ArrayBufferWriter<byte> _buffer = new();

    /// <summary>What has been written.</summary>
    public ReadOnlyMemory<byte> Written => _buffer.WrittenMemory;

    /// <summary>Writes 1 byte, 0 or 1.</summary>
    public void WriteBoolean(bool value) => WriteByte(value ? (byte)1 : (byte)0);

    /// <summary>Writes 1 byte.</summary>
    public void WriteByte(byte value)
    {
        _buffer.GetSpan(1)[0] = value;
        _buffer.Advance(1);
    }

    /// <summary>Writes 2 bytes.</summary>
    public void WriteUInt16(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_buffer.GetSpan(2), value);
        _buffer.Advance(2);
    }

    /// <summary>Writes 4 bytes.</summary>
    public void WriteUInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer.GetSpan(4), value);
        _buffer.Advance(4);
    }

    /// <summary>Writes 4 bytes.</summary>
    public void WriteInt32(int value) => WriteUInt32((uint)value);

    /// <summary>Writes 8 bytes.</summary>
    public void WriteUInt64(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_buffer.GetSpan(8), value);
        _buffer.Advance(8);
    }

    /// <summary>Writes 8 bytes.</summary>
    public void WriteInt64(long value) => WriteUInt64((ulong)value);

    /// <summary>Writes the length (4 bytes) and the bytes.</summary>
    public void WriteBytes(ReadOnlySpan<byte> value)
    {
        WriteInt32(value.Length);
        _buffer.Write(value);
    }

    /// <summary>Writes the length in bytes (4 bytes) and the text in UTF-8.</summary>
    public void WriteString(string value) => WriteBytes(Encoding.UTF8.GetBytes(value));

    /// <summary>Writes a device's record: name, version, length, content.</summary>
    public void WriteDevice(IStatefulDevice device)
    {
        var content = new StateWriter();
        device.Save(content);
        WriteString(device.Name);
        WriteInt32(device.Version);
        WriteBytes(content.Written.Span);
    }

    /// <summary>Writes the number of devices and their records, in their order, which is also the order of loading.</summary>
    public void WriteDevices(IReadOnlyCollection<IStatefulDevice> devices)
    {
        WriteInt32(devices.Count);
        foreach (var device in devices)
            WriteDevice(device);
    }
}
