using System.Numerics;

namespace DynaTrans.Devices.Storage;

/// <summary>
/// A disk drive by ATA/ATAPI-6 (T13 1410D) with TRIM of ATA8-ACS2: task file, status, errors and state. Sectors have 512 bytes. Left out: queued commands,
/// SMART, security, power management beyond its commands, host protected area.
/// </summary>
public sealed partial class AtaDrive
{
    /// <summary>Bytes of a sector.</summary>
    public const int SectorSize = 512;

    private const byte Busy = 1 << 7, Ready = 1 << 6 | 1 << 4, Requesting = 1 << 3, Failed = 1 << 0;
    private const byte Uncorrectable = 1 << 6, AddressNotFound = 1 << 4, Aborted = 1 << 2;
    private const byte DiagnosticPassed = 1;
    private const int ErrorRegister = 1, CountRegister = 2, DeviceRegister = 6;

    // The device register: address by LBA, head.
    private const byte LbaBit = 1 << 6, HeadBits = 0xF;

    private readonly BlockQueue _queue;
    private readonly string _serial;
    private readonly long _sectors;

    // Registers 1 to 5 (features, count, address), as written last and before that; 6 is the device register.
    private readonly byte[] _registers = new byte[7];
    private readonly byte[] _previous = new byte[6];
    private IdeChannel? _channel;
    private byte _error;
    private bool _hasWriteCache = true;
    private int _multiple;
    private int _heads;
    private int _sectorsOfTrack;
    private byte _mode;

    /// <summary>Makes a drive.</summary>
    /// <param name="queue">Its medium; bytes behind the last whole sector are not used.</param>
    /// <param name="serial">The serial number, up to 20 characters of ASCII.</param>
    public AtaDrive(BlockQueue queue, string serial)
    {
        _queue = queue;
        _serial = serial;
        _sectors = Math.Min(queue.Medium.Length / SectorSize, (1L << 48) - 1);
        SetUsualGeometry();
        Reset();
    }

    /// <summary>The status register.</summary>
    internal byte Status { get; private set; }

    /// <summary>Whether the drive's interrupt is asserted.</summary>
    internal bool IsInterrupting { get; private set; }

    private int Cylinders => (int)Math.Min(_sectors / (_heads * _sectorsOfTrack), 16383);

    /// <summary>Tells the drive its channel.</summary>
    internal void Connect(IdeChannel channel) => _channel = channel;

    /// <summary>Reset by hardware or software, or EXECUTE DEVICE DIAGNOSTIC: the signature of a disk (clause 9.12). A request on its way is waited for.</summary>
    internal void Reset()
    {
        _queue.Cancel();
        _transfer = Transfer.None;
        _position = _blockEnd = _chunkEnd = 0;
        Array.Clear(_registers);
        Array.Clear(_previous);
        _registers[CountRegister] = 1;
        _registers[3] = 1;
        _error = DiagnosticPassed;
        Status = Ready;
        ClearInterrupt();
    }

    /// <summary>SRST is asserted: busy until it is released.</summary>
    internal void HoldReset() => Status = Busy;

    /// <summary>Asserts the interrupt.</summary>
    internal void Interrupt()
    {
        IsInterrupting = true;
        _channel?.InterruptChanged(this);
    }

    /// <summary>Releases the interrupt: status was read, or a command begins.</summary>
    internal void ClearInterrupt()
    {
        IsInterrupting = false;
        _channel?.InterruptChanged(this);
    }

    /// <summary>Reads a register of the command block but data and status.</summary>
    /// <param name="register">1 to 6.</param>
    /// <param name="isPrevious">What was written before the last value (HOB).</param>
    internal byte ReadRegister(int register, bool isPrevious) => register switch
    {
        ErrorRegister => _error,
        DeviceRegister => (byte)(_registers[DeviceRegister] | 0xA0),
        _ => isPrevious ? _previous[register] : _registers[register],
    };

    /// <summary>Writes a register of the command block but data and command. A drive that is busy takes nothing.</summary>
    internal void WriteRegister(int register, byte value)
    {
        if ((Status & (Busy | Requesting)) != 0 && register != DeviceRegister)
            return;
        if (register < DeviceRegister)
            _previous[register] = _registers[register];
        _registers[register] = value;
    }

    /// <summary>Waits for requests that are on their way.</summary>
    internal void Settle() => _queue.Settle();

    /// <summary>Writes the state.</summary>
    internal void Save(StateWriter w)
    {
        Settle();
        w.WriteBytes(_registers);
        w.WriteBytes(_previous);
        w.WriteByte(Status);
        w.WriteByte(_error);
        w.WriteBoolean(IsInterrupting);
        w.WriteBoolean(_hasWriteCache);
        w.WriteByte((byte)_multiple);
        w.WriteByte((byte)_heads);
        w.WriteByte((byte)_sectorsOfTrack);
        w.WriteByte(_mode);
        w.WriteByte((byte)_transfer);
        w.WriteInt64(_sector);
        w.WriteInt32(_sectorsLeft);
        w.WriteInt32(_blockSectors);
        w.WriteInt32(_position);
        w.WriteInt32(_blockEnd);
        w.WriteBytes(_buffer.AsSpan(0, _chunkEnd));
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="StateException">The record holds what cannot be.</exception>
    internal void Load(StateReader r)
    {
        _queue.Cancel();
        r.ReadBytes(_registers);
        r.ReadBytes(_previous);
        Status = r.ReadByte();
        _error = r.ReadByte();
        IsInterrupting = r.ReadBoolean();
        _hasWriteCache = r.ReadBoolean();
        _multiple = r.ReadByte();
        _heads = r.ReadByte();
        _sectorsOfTrack = r.ReadByte();
        _mode = r.ReadByte();
        _transfer = (Transfer)r.ReadByte();
        _sector = r.ReadInt64();
        _sectorsLeft = r.ReadInt32(0, 0x1_0000);
        _blockSectors = r.ReadInt32(0, MostMultiple);
        _position = r.ReadInt32(0, _buffer.Length);
        _blockEnd = r.ReadInt32(0, _buffer.Length);
        var chunk = r.ReadBytes(_buffer.Length);
        chunk.CopyTo(_buffer, 0);
        _chunkEnd = chunk.Length;
        var isIdle = _transfer == Transfer.None;
        var isInBuffer = _position <= _blockEnd && _blockEnd <= _chunkEnd && _chunkEnd % SectorSize == 0;
        var isOnMedium = isIdle || _transfer == Transfer.DmaRanges || (_transfer == Transfer.PioIn && _sector == -1)
            || (_sector >= 0 && _sector <= _sectors - _sectorsLeft);
        if (_heads is 0 or > 16 || _sectorsOfTrack == 0 || _multiple > MostMultiple || !BitOperations.IsPow2(Math.Max(1, _multiple))
            || _transfer > Transfer.DmaRanges || !isInBuffer || !isOnMedium || (_transfer != Transfer.None && (Status & Busy) != 0)
            || (!isIdle && (_blockSectors == 0 || _chunkEnd == 0 || _chunkEnd / SectorSize > _sectorsLeft || _position == _chunkEnd)))
            throw new StateException("the state of a disk drive holds what cannot be");
    }

    private void SetUsualGeometry() => (_heads, _sectorsOfTrack) = (16, 63);

    private void Complete()
    {
        _transfer = Transfer.None;
        Status = Ready;
        Interrupt();
    }

    private void Fail(byte error)
    {
        _transfer = Transfer.None;
        _error = error;
        Status = Ready | Failed;
        Interrupt();
    }

    // The address registers say which sector it was.
    private void FailAt(long sector, byte error)
    {
        (_registers[3], _registers[4], _registers[5]) = ((byte)sector, (byte)(sector >> 8), (byte)(sector >> 16));
        (_previous[3], _previous[4], _previous[5]) = ((byte)(sector >> 24), (byte)(sector >> 32), (byte)(sector >> 40));
        Fail(error);
    }
}
