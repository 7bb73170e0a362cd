namespace DynaTrans.Devices.Pci;

/// <summary>
/// The power-management function of the 82371AB PIIX4 (datasheet 290562), function 1:0.3: the ACPI block of ports with events, control, PM timer and
/// general events. There are no SMIs: what firmware would do in them is done here, and no SMBus controller.
/// </summary>
public sealed class Piix4PowerManagement : PciFunction, IPortDevice
{
    /// <summary>Where firmware usually puts the block.</summary>
    public const ushort UsualBase = 0x600;

    /// <summary>How many ports the block has.</summary>
    public const int BlockSize = 64;

    /// <summary>The frequency of the PM timer, in Hz.</summary>
    public const long TimerFrequency = 3_579_545;

    private const long Second = 1_000_000_000;

    // Configuration space: where the block is, whether it is there, and whether writes to the SMI command port are told to firmware.
    private const int BaseRegister = 0x40;
    private const int DeviceActivityB = 0x58;
    private const int Miscellaneous = 0x80;

    // Offsets in the block.
    private const int Timer = 0x08;
    private const int ProcessorLevels = 0x14;

    // Events (status and enable) and control.
    private const ushort TimerEvent = 1 << 0;
    private const ushort GlobalEvent = 1 << 5;
    private const ushort PowerButtonEvent = 1 << 8;
    private const ushort RtcEvent = 1 << 10;
    private const ushort StatusBits = TimerEvent | 1 << 4 | GlobalEvent | PowerButtonEvent | RtcEvent | 1 << 15;
    private const ushort EnableBits = TimerEvent | GlobalEvent | PowerButtonEvent | RtcEvent;
    private const ushort AcpiEnabled = 1 << 0;
    private const ushort ControlBits = AcpiEnabled | 1 << 1 | 7 << 10;
    private const byte SleepTypeOfHighByte = 7 << 2;
    private const byte SleepOfHighByte = 1 << 5;

    // Ticks in 2^64 of a nanosecond, rounded up.
    private static readonly ulong TicksPerNanosecond = (ulong)(((UInt128)TimerFrequency << 64) / Second) + 1;

    private readonly VirtualClock _clock;
    private readonly PortBus _ports;
    private readonly InterruptLine _sci;
    private readonly Action _powerOff;
    private readonly DeviceTimer _overflow;
    private readonly uint _timerMask;
    private readonly long _halfRange;

    // Registers without effect, from 10h.
    private readonly byte[] _others = new byte[BlockSize];
    private ushort? _mappedAt;
    private ushort _status;
    private ushort _enable;
    private ushort _control;
    private ushort _generalStatus;
    private ushort _generalEnable;

    // The tick at which the highest bit of the timer changes next, as far as it has been looked at.
    private long _nextChange;

    /// <summary>Makes the function and puts it at its place on the bus.</summary>
    /// <param name="bus">The bus.</param>
    /// <param name="clock">The machine's clock.</param>
    /// <param name="ports">Where the block of ports appears.</param>
    /// <param name="sci">The system control interrupt, ISA interrupt 9.</param>
    /// <param name="powerOff">Called when software enters S5 (soft off).</param>
    /// <param name="hasWideTimer">Whether the PM timer has 32 bits; that of the PIIX4 has 24.</param>
    public Piix4PowerManagement(PciBus bus, VirtualClock clock, PortBus ports, InterruptLine sci, Action powerOff, bool hasWideTimer = false)
        : base("piix4-pm", new PciIdentity(0x8086, 0x7113, 0x06_8000, Revision: 3))
    {
        _clock = clock;
        _ports = ports;
        _sci = sci;
        _powerOff = powerOff;
        _timerMask = hasWideTimer ? uint.MaxValue : 0xFF_FFFF;
        _halfRange = ((long)_timerMask + 1) / 2;
        _nextChange = _halfRange;
        _overflow = clock.AddTimer(_ => Update());
        HasWideTimer = hasWideTimer;
        Define(CommandRegister, 2, 0, writable: CommandPorts);
        Define(StatusRegister, 2, 0x0280, clearedByOnes: 0x0800);

        // The interrupt is not one of the bus's, though the register names a pin.
        Define(0x3C, 1, 9, writable: 0xFF);
        Define(0x3D, 1, 1);
        Define(BaseRegister, 4, 1, writable: 0xFFC0);
        Define(0x44, 4, 0, writable: 0xFFFF_FFFF);
        Define(0x48, 4, 0, writable: 0x001F_FFFF);
        Define(0x4C, 4, 0, writable: 0xFFFF_FFFF);
        Define(0x50, 4, 0, writable: 0xFFFF_FFFF);
        Define(0x54, 4, 0, writable: 0xFFFF_FFFF);

        // APMC_EN is set: firmware takes that for SMIs that have been set up already, and does not try to do so.
        Define(DeviceActivityB, 4, 0x0200_0000, writable: 0x03FF_FFFF);
        Define(Miscellaneous, 1, 0, writable: 0x01);
        bus.Attach(Piix3IsaBridge.Slot, 3, this);
    }

    /// <summary>Whether the PM timer has 32 bits, not 24.</summary>
    public bool HasWideTimer { get; }

    /// <summary>Where the block is; null while it is not decoded.</summary>
    public ushort? Block => _mappedAt;

    // The frequency is far below that of the clock: the product with a fraction of 64 bits is exact enough for centuries.
    private long Ticks => (long)Math.BigMul((ulong)_clock.Now, TicksPerNanosecond, out _);

    private bool IsAcpiEnabled => (_control & AcpiEnabled) != 0;

    /// <summary>Does what firmware does: puts the block at an address, a multiple of 64, and enables it.</summary>
    public void EnableBlock(ushort address = UsualBase)
    {
        WriteConfiguration(BaseRegister, 4, address);
        WriteConfiguration(Miscellaneous, 1, 1);
    }

    /// <summary>What software asks firmware for at the SMI command port: whether events give the system control interrupt.</summary>
    public void SetAcpiEnabled(bool isEnabled)
    {
        _control = (ushort)(isEnabled ? _control | AcpiEnabled : _control & ~AcpiEnabled);
        Update();
    }

    /// <summary>Presses the power button: an event where an operating system handles those, else power-off, as firmware does it.</summary>
    public void PressPowerButton()
    {
        if (!IsAcpiEnabled)
        {
            _powerOff();
            return;
        }

        _status |= PowerButtonEvent;
        Update();
    }

    /// <summary>Makes one of the general events 0 to 15.</summary>
    public void RaiseGeneralEvent(int number)
    {
        _generalStatus |= (ushort)(1 << number);
        Update();
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        _status = 0;
        _enable = 0;
        _control = 0;
        _generalStatus = 0;
        _generalEnable = 0;
        Array.Clear(_others);
        base.Reset();
        Update();
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        var offset = port % BlockSize;
        if (offset == Timer && size == 4)
            return (uint)Ticks & _timerMask;
        var value = 0u;
        for (var i = 0; i < size; i++)
            value |= (uint)ReadByte((offset + i) % BlockSize) << (8 * i);
        return value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, int size, uint value)
    {
        for (var i = 0; i < size; i++)
            WriteByte((port + i) % BlockSize, (byte)(value >> (8 * i)));
    }

    /// <inheritdoc/>
    protected override void ConfigurationWritten(int offset, int size)
    {
        var address = (ushort)(Register(BaseRegister, 2) & ~1u);
        ushort? wanted = (Register(Miscellaneous, 1) & 1) != 0 && address != 0 ? address : null;
        if (wanted == _mappedAt)
            return;
        if (_mappedAt is { } old)
            _ports.Unmap(old, BlockSize, this);
        _mappedAt = wanted;
        if (wanted is { } now)
            _ports.Map(now, BlockSize, this);
    }

    /// <inheritdoc/>
    protected override void SaveDevice(StateWriter w)
    {
        w.WriteUInt16(_status);
        w.WriteUInt16(_enable);
        w.WriteUInt16(_control);
        w.WriteUInt16(_generalStatus);
        w.WriteUInt16(_generalEnable);
        w.WriteBytes(_others);
        w.WriteInt64(_nextChange);
        w.WriteBoolean(_sci.Level);
        _overflow.Save(w);
    }

    /// <inheritdoc/>
    protected override void LoadDevice(StateReader r, int version)
    {
        _status = (ushort)(r.ReadUInt16() & StatusBits);
        _enable = (ushort)(r.ReadUInt16() & EnableBits);
        _control = (ushort)(r.ReadUInt16() & ControlBits);
        _generalStatus = r.ReadUInt16();
        _generalEnable = r.ReadUInt16();
        r.ReadBytes(_others);
        _nextChange = Math.Clamp(r.ReadInt64(), 0, Ticks + _halfRange);
        _sci.Restore(r.ReadBoolean());
        _overflow.Load(r);
    }

    private byte ReadByte(int offset)
    {
        LookAtTimer();
        return offset switch
        {
            0x00 => (byte)_status,
            0x01 => (byte)(_status >> 8),
            0x02 => (byte)_enable,
            0x03 => (byte)(_enable >> 8),
            0x04 => (byte)_control,
            0x05 => (byte)(_control >> 8),
            >= Timer and < Timer + 4 => (byte)(((uint)Ticks & _timerMask) >> (8 * (offset - Timer))),
            0x0C => (byte)_generalStatus,
            0x0D => (byte)(_generalStatus >> 8),
            0x0E => (byte)_generalEnable,
            0x0F => (byte)(_generalEnable >> 8),
            >= 0x10 => _others[offset],
            _ => 0,
        };
    }

    private void WriteByte(int offset, byte value)
    {
        LookAtTimer();
        switch (offset)
        {
            case 0x00 or 0x01:
                _status = (ushort)(_status & ~Shifted(value, offset));
                break;
            case 0x02 or 0x03:
                _enable = (ushort)(Merged(_enable, value, offset) & EnableBits);
                break;
            case 0x04:
                _control = (ushort)(Merged(_control, value, offset) & ControlBits);
                break;
            case 0x05:
                _control = (ushort)(Merged(_control, value, offset) & ControlBits);

                // Sleep type 0 is "soft off"; the others are states that the machine does not offer.
                if ((value & SleepOfHighByte) != 0 && (value & SleepTypeOfHighByte) == 0)
                    _powerOff();
                break;
            case 0x0C or 0x0D:
                _generalStatus = (ushort)(_generalStatus & ~Shifted(value, offset));
                break;
            case 0x0E or 0x0F:
                _generalEnable = Merged(_generalEnable, value, offset);
                break;
            case >= 0x10 and not (ProcessorLevels or ProcessorLevels + 1):
                // (Reads of the processor levels would enter power states; they give 0.)
                _others[offset] = value;
                break;
        }

        Update();
    }

    private static int Shifted(byte value, int offset) => value << (8 * (offset & 1));

    private static ushort Merged(ushort old, byte value, int offset) => (ushort)(old & ~(0xFF << (8 * (offset & 1))) | Shifted(value, offset));

    // The timer's event comes when its highest bit changes. It is looked for when somebody asks; only for an interrupt is there a deadline.
    private void LookAtTimer()
    {
        var ticks = Ticks;
        if (ticks < _nextChange)
            return;
        _status |= TimerEvent;
        _nextChange = (ticks / _halfRange + 1) * _halfRange;
    }

    private void Update()
    {
        LookAtTimer();
        _sci.Set(IsAcpiEnabled && ((_status & _enable & EnableBits) != 0 || (_generalStatus & _generalEnable) != 0));
        if (IsAcpiEnabled && (_enable & ~_status & TimerEvent) != 0)
            _overflow.Arm((long)((Int128)_nextChange * Second / TimerFrequency) + 1);
        else
            _overflow.Disarm();
    }
}
