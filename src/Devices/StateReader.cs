using System.Buffers.Binary;
using System.Text;

namespace DynaTrans.Devices;

/// <summary>
/// Reads what <see cref="StateWriter"/> wrote. Records may come from anywhere: each read is checked against what is left.
/// </summary>
/// <param name="record">The bytes.</param>
public sealed class StateReader(ReadOnlyMemory<byte> record)
{
    private const int MaximalName = 256;

    private int _at;

    /// <summary>How many bytes have not been read.</summary>
    public int Left => record.Length - _at;

    /// <summary>Reads 1 byte, 0 or 1.</summary>
    /// <exception cref="StateException">The record has ended, or it is another value.</exception>
    public bool ReadBoolean() => ReadByte() switch
    {
        0 => false,
        1 => true,
        var value => throw new StateException($"a state record has {value} where only 0 and 1 can be"),
    };

    /// <summary>Reads 1 byte.</summary>
    /// <exception cref="StateException">The record has ended.</exception>
    public byte ReadByte() => Take(1)[0];

    /// <summary>Reads 2 bytes.</summary>
    /// <exception cref="StateException">The record has ended.</exception>
    public ushort ReadUInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    /// <summary>Reads 4 bytes.</summary>
    /// <exception cref="StateException">The record has ended.</exception>
    public uint ReadUInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    /// <summary>Reads 4 bytes.</summary>
    /// <exception cref="StateException">The record has ended.</exception>
    public int ReadInt32() => (int)ReadUInt32();

    /// <summary>Reads 4 bytes that must lie in a range, bounds included.</summary>
    /// <exception cref="StateException">The record has ended, or the value lies elsewhere.</exception>
    public int ReadInt32(int least, int most)
    {
        var value = ReadInt32();
        return value >= least && value <= most
            ? value
            : throw new StateException($"a state record has {value} where only {least} to {most} can be");
    }

    /// <summary>Reads 8 bytes.</summary>
    /// <exception cref="StateException">The record has ended.</exception>
    public ulong ReadUInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    /// <summary>Reads 8 bytes.</summary>
    /// <exception cref="StateException">The record has ended.</exception>
    public long ReadInt64() => (long)ReadUInt64();

    /// <summary>Reads bytes with their length before them.</summary>
    /// <param name="most">The greatest length that can be.</param>
    /// <exception cref="StateException">The record has ended, or there are more.</exception>
    public byte[] ReadBytes(int most) => Take(ReadInt32(0, most)).ToArray();

    /// <summary>Reads bytes with their length before them into a buffer of just this length.</summary>
    /// <exception cref="StateException">The record has ended, or the length is another.</exception>
    public void ReadBytes(Span<byte> to) => Take(ReadInt32(to.Length, to.Length)).CopyTo(to);

    /// <summary>Reads text with its length in bytes before it.</summary>
    /// <param name="most">The greatest length that can be.</param>
    /// <exception cref="StateException">The record has ended, or the text is longer.</exception>
    public string ReadString(int most) => Encoding.UTF8.GetString(Take(ReadInt32(0, most)));

    /// <summary>Reads the records that <see cref="StateWriter.WriteDevices"/> wrote into the same devices of another machine.</summary>
    /// <param name="devices">All devices that have state; each must have its record, and each record its device.</param>
    /// <exception cref="StateException">
    /// The records are corrupt, too new or of a machine with other devices; the devices are then in no particular state.
    /// </exception>
    public void ReadDevices(IReadOnlyCollection<IStatefulDevice> devices)
    {
        var missing = devices.ToDictionary(device => device.Name);
        for (var left = ReadInt32(); left > 0; left--)
        {
            var name = ReadString(MaximalName);
            if (!missing.Remove(name, out var device))
                throw new StateException($"the state has a record of '{name}', which this machine does not have");
            var version = ReadInt32();
            if (version < 1 || version > device.Version)
                throw new StateException($"the state of '{name}' has version {version}; known are 1 to {device.Version}");
            var content = new StateReader(TakeMemory(ReadInt32(0, Left)));
            device.Load(content, version);
            if (content.Left != 0)
                throw new StateException($"the state of '{name}' is {content.Left} bytes too long");
        }
        if (missing.Count > 0)
            throw new StateException($"the state has no record of '{missing.Keys.First()}'");
    }

    private ReadOnlySpan<byte> Take(int count) => TakeMemory(count).Span;

    private ReadOnlyMemory<byte> TakeMemory(int count)
    {
        if (count > Left)
            throw new StateException("a state record ends too early");
        var memory = record.Slice(_at, count);
        _at += count;
        return memory;
    }
}
