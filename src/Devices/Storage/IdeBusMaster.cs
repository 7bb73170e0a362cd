using System.Buffers.Binary;

namespace DynaTrans.Devices.Storage;

/// <summary>
/// The bus master of one IDE channel (Programming Interface for Bus Master IDE Controller 1.0; PIIX datasheet 290550, 2.7): command, status and the pointer to the
/// table of physical region descriptors (PRD), eight ports.
/// </summary>
/// <param name="memory">The guest's memory.</param>
/// <param name="isEnabled">Whether the function may be a bus master (PCI command register).</param>
public sealed class IdeBusMaster(IDmaMemory memory, Func<bool> isEnabled)
{
    /// <summary>Ports of one channel.</summary>
    public const int PortCount = 8;

    private const byte Start = 1 << 0, ToMemory = 1 << 3;
    private const byte Active = 1 << 0, Error = 1 << 1, Interrupt = 1 << 2, DriveCapable = 3 << 5;
    private const int CommandPort = 0, StatusPort = 2, TablePort = 4, EntrySize = 8;
    private const uint EndOfTable = 0x8000_0000;
    private const int LargestRegion = 0x1_0000;

    private byte _command;
    private byte _status;
    private uint _table;

    // The region at hand, and where its successor is described.
    private uint _next;
    private uint _address;
    private int _left;
    private bool _isLast;

    /// <summary>True from the start until the table has ended, an error or a stop.</summary>
    public bool IsActive => (_status & Active) != 0;

    /// <summary>Reads a register.</summary>
    /// <param name="offset">0 to 7.</param>
    /// <param name="size">1, 2 or 4 bytes.</param>
    public uint Read(int offset, int size)
    {
        var value = 0u;
        for (var i = 0; i < size; i++)
            value |= (uint)ReadByte((offset + i) % PortCount) << (8 * i);
        return value;
    }

    /// <summary>Writes a register.</summary>
    /// <param name="offset">0 to 7.</param>
    /// <param name="size">1, 2 or 4 bytes.</param>
    /// <param name="value">The value.</param>
    /// <returns>True when the bus master was started by it.</returns>
    public bool Write(int offset, int size, uint value)
    {
        var isStarted = false;
        for (var i = 0; i < size; i++)
            isStarted |= WriteByte((offset + i) % PortCount, (byte)(value >> (8 * i)));
        return isStarted;
    }

    /// <summary>All registers are 0.</summary>
    public void Reset()
    {
        _command = 0;
        _status = 0;
        _table = 0;
        (_next, _address, _left, _isLast) = (0, 0, 0, false);
    }

    /// <summary>The drive has asserted its interrupt.</summary>
    public void DriveInterrupted() => _status |= Interrupt;

    /// <summary>Moves bytes between a drive's buffer and the regions.</summary>
    /// <param name="data">The buffer.</param>
    /// <param name="toMemory">The direction that the drive's command has.</param>
    /// <returns>How many were moved: fewer when the bus master is not, or no longer, active.</returns>
    public int Transfer(Span<byte> data, bool toMemory)
    {
        var moved = 0;
        while (IsActive && moved < data.Length)
        {
            if (((_command & ToMemory) != 0) != toMemory || !isEnabled() || (_left == 0 && !Fetch()))
            {
                Fail();
                break;
            }

            var part = data.Slice(moved, Math.Min(_left, data.Length - moved));
            if (!(toMemory ? memory.TryWrite(_address, part) : memory.TryRead(_address, part)))
            {
                Fail();
                break;
            }

            moved += part.Length;
            _address += (uint)part.Length;
            _left -= part.Length;
            if (_left == 0 && _isLast)
                _status = (byte)(_status & ~Active);
        }

        return moved;
    }

    /// <summary>Writes the state.</summary>
    public void Save(StateWriter w)
    {
        w.WriteByte(_command);
        w.WriteByte(_status);
        w.WriteUInt32(_table);
        w.WriteUInt32(_next);
        w.WriteUInt32(_address);
        w.WriteInt32(_left);
        w.WriteBoolean(_isLast);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    public void Load(StateReader r)
    {
        _command = (byte)(r.ReadByte() & (Start | ToMemory));
        _status = (byte)(r.ReadByte() & (Active | Error | Interrupt | DriveCapable));
        _table = r.ReadUInt32() & ~3u;
        _next = r.ReadUInt32();
        _address = r.ReadUInt32();
        _left = r.ReadInt32(0, LargestRegion);
        _isLast = r.ReadBoolean();
    }

    private byte ReadByte(int offset) => offset switch
    {
        CommandPort => _command,
        StatusPort => _status,
        >= TablePort => (byte)(_table >> (8 * (offset - TablePort))),
        _ => 0,
    };

    private bool WriteByte(int offset, byte value)
    {
        switch (offset)
        {
            case CommandPort:
                var isStarted = (value & Start) != 0 && (_command & Start) == 0;
                _command = (byte)(value & (Start | ToMemory));
                if (isStarted)
                {
                    _status |= Active;
                    (_next, _left, _isLast) = (_table, 0, false);
                }
                else if ((value & Start) == 0)
                    _status = (byte)(_status & ~Active);
                return isStarted;
            case StatusPort:
                _status = (byte)(_status & (Active | Error | Interrupt) & ~(value & (Error | Interrupt)) | value & DriveCapable);
                return false;
            case >= TablePort:
                var shift = 8 * (offset - TablePort);
                _table = (_table & ~(0xFFu << shift) | (uint)value << shift) & ~3u;
                return false;
            default:
                return false;
        }
    }

    // A count of 0 is 64 KiB, so that each entry is progress; a table does not go on beyond its 64 KiB, so that it ends.
    private bool Fetch()
    {
        Span<byte> entry = stackalloc byte[EntrySize];
        if (_isLast || !memory.TryRead(_next, entry))
            return false;
        var control = BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]);
        _address = BinaryPrimitives.ReadUInt32LittleEndian(entry) & ~1u;
        _left = (int)(control & 0xFFFE);
        if (_left == 0)
            _left = LargestRegion;
        _isLast = (control & EndOfTable) != 0;
        _next = _next & 0xFFFF_0000 | (_next + EntrySize) & 0xFFFF;
        return true;
    }

    private void Fail() => _status = (byte)(_status & ~Active | Error);
}
