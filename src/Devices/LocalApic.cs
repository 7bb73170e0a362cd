using DynaTrans.Runtime.Execution;

namespace DynaTrans.Devices;

/// <summary>
/// The local APIC of the one processor (SDM Vol. 3, chapter 11, "Advanced Programmable Interrupt Controller", as of Pentium 4 and later; without
/// x2APIC) in front of the 8259 pair. This file has the registers.
/// </summary>
/// <remarks>
/// With one processor an interprocessor interrupt is one to itself or goes nowhere. Registers are 4 bytes at multiples of 16. Accesses that the manual
/// leaves undefined: other reads give the bytes of the register that they lie in and zeros, other writes are ignored.
/// </remarks>
public sealed partial class LocalApic : IInterruptController, IMemoryDevice, IStatefulDevice
{
    /// <summary>Bytes of the register page.</summary>
    public const int PageSize = 0x1000;

    /// <summary>IA32_APIC_BASE after reset: at FEE00000h, enabled, the bootstrap processor.</summary>
    public const ulong BaseAtReset = 0xFEE0_0000 | BaseEnabled | BaseBootstrap;

    // IA32_APIC_BASE (11.4.4).
    private const ulong BaseBootstrap = 1 << 8;
    private const ulong BaseEnabled = 1 << 11;
    private const ulong BasePage = 0x7F_FFFF_F000;

    // Version 14h is that of APICs with the Pentium 4's protocol; six LVT entries.
    private const uint VersionRegister = 0x14 | (LvtEntries - 1) << 16;

    // The spurious-interrupt vector register.
    private const uint SoftwareEnabled = 1 << 8;
    private const uint SpuriousBits = 0x3FF;

    // Error status.
    private const uint SentIllegalVector = 1 << 5;
    private const uint ReceivedIllegalVector = 1 << 6;
    private const uint IllegalRegister = 1 << 7;

    // Local vector table: the entries in the order of their registers, and bits of an entry.
    private const int LvtEntries = 6;
    private const int LvtTimer = 0;
    private const int LvtThermal = 1;
    private const int LvtPerformance = 2;
    private const int LvtLint0 = 3;
    private const int LvtLint1 = 4;
    private const int LvtError = 5;
    private const uint LvtRemoteIrr = 1 << 14;
    private const uint LvtLevel = 1 << 15;
    private const uint LvtMasked = 1 << 16;

    // Interrupt command.
    private const uint CommandLow = 0x000C_CFFF;
    private const uint CommandLevel = 1 << 15;
    private const uint CommandAssert = 1 << 14;
    private const uint CommandLogical = 1 << 11;

    private const byte Broadcast = 0xFF;

    private static readonly uint[] LvtWritable = [0x7_00FF, 0x1_07FF, 0x1_07FF, 0x1_A7FF, 0x1_A7FF, 0x1_00FF];

    private readonly VirtualClock _clock;
    private readonly Func<byte> _acknowledgePic;

    private readonly uint[] _lvt = new uint[LvtEntries];
    private ulong _base = BaseAtReset;
    private uint _id;
    private byte _taskPriority;
    private uint _logicalDestination;
    private uint _destinationFormat;
    private uint _spurious;
    private uint _errorStatus;
    private uint _commandLow;
    private uint _commandHigh;

    // What has gone wrong since the last write to the error status register, which shows it.
    private uint _errors;

    /// <summary>Makes the APIC as after reset.</summary>
    /// <param name="clock">The machine's clock; the timer counts nanoseconds of it (a bus clock of 1 GHz).</param>
    /// <param name="acknowledgePic">The interrupt acknowledge cycle of the 8259 pair whose INTR is connected to <see cref="Lint0"/>.</param>
    /// <param name="timeOfTimeStamp">When, in nanoseconds of the clock, the time-stamp counter has a value; values that are never reached give
    /// <see cref="long.MaxValue"/>. Null: the timer has no TSC-deadline mode.</param>
    public LocalApic(VirtualClock clock, Func<byte> acknowledgePic, Func<ulong, long>? timeOfTimeStamp = null)
    {
        _clock = clock;
        _acknowledgePic = acknowledgePic;
        _timeOfTimeStamp = timeOfTimeStamp;
        _timer = clock.AddTimer(TimerIsDue);
        Lint0 = new InterruptLine(level => LocalLineChanged(LvtLint0, level));
        Lint1 = new InterruptLine(level => LocalLineChanged(LvtLint1, level));
        ResetRegisters();
    }

    /// <summary>Called when an interrupt has come to wait for the processor, from within the access or line change that brought it.</summary>
    public Action? Requested { get; set; }

    /// <summary>Called when INIT has been sent to the processor; the callee resets it as INIT does, and this APIC by <see cref="Init"/>.</summary>
    public Action? InitRequested { get; set; }

    /// <summary>Called with the vector at the end of a level-triggered interrupt: the message that I/O APICs listen to.</summary>
    public Action<byte>? LevelInterruptEnded { get; set; }

    /// <summary>Called when messages may be accepted that were not before.</summary>
    public Action? AcceptanceChanged { get; set; }

    /// <summary>Called when the register page has moved, appeared or gone: its address, null where it is disabled.</summary>
    public Action<ulong?>? PageMoved { get; set; }

    /// <summary>The first local interrupt pin: INTR of the 8259 pair.</summary>
    public InterruptLine Lint0 { get; }

    /// <summary>The second local interrupt pin: NMI.</summary>
    public InterruptLine Lint1 { get; }

    /// <summary>Whether the timer has TSC-deadline mode, as <c>cpuid</c> has to say.</summary>
    public bool HasTscDeadline => _timeOfTimeStamp is not null;

    /// <summary>The address of the register page; null while the APIC is disabled by IA32_APIC_BASE.</summary>
    public ulong? Page => IsEnabled ? _base & BasePage : null;

    /// <inheritdoc/>
    public string Name => "local-apic";

    /// <inheritdoc/>
    public int Version => 1;

    /// <summary>IA32_APIC_BASE as <c>rdmsr</c> gives it.</summary>
    public ulong Base => _base;

    private bool IsEnabled => (_base & BaseEnabled) != 0;

    private bool IsSoftwareEnabled => (_spurious & SoftwareEnabled) != 0;

    /// <summary>Sets IA32_APIC_BASE (<c>wrmsr</c>). Disabling resets the registers, as it does when the APIC is enabled again.</summary>
    /// <returns>False for reserved bits, x2APIC's among them: nothing is changed, the instruction is to give #GP.</returns>
    public bool TrySetBase(ulong value)
    {
        if ((value & ~(BasePage | BaseEnabled | BaseBootstrap)) != 0)
            return false;
        var page = Page;
        _base = value;
        if (page is not null && !IsEnabled)
            ResetRegisters();
        if (Page != page)
            PageMoved?.Invoke(Page);
        Update();
        if (IsInterruptRequested)
            Requested?.Invoke();
        AcceptanceChanged?.Invoke();
        return true;
    }

    /// <summary>Power-up and RESET#.</summary>
    public void Reset()
    {
        var page = Page;
        _base = BaseAtReset;
        _id = 0;
        ResetRegisters();
        if (Page != page)
            PageMoved?.Invoke(Page);
    }

    /// <summary>INIT (11.4.7.3): as reset, but the identifier and IA32_APIC_BASE stay.</summary>
    public void Init() => ResetRegisters();

    /// <summary>
    /// Does what firmware does before it starts an operating system (virtual wire mode, MultiProcessor Specification 1.4, 3.6.2.2): enables the APIC,
    /// lets INTR through LINT0 and NMI through LINT1.
    /// </summary>
    public void EnterVirtualWireMode()
    {
        _spurious |= SoftwareEnabled;
        WriteLvt(LvtLint0, (uint)DeliveryMode.ExtInt << 8);
        WriteLvt(LvtLint1, (uint)DeliveryMode.Nmi << 8);
    }

    /// <inheritdoc/>
    public ulong Read(ulong offset, int size)
    {
        var within = (int)offset & 15;
        var register = within < 4 ? ReadRegister((int)offset & 0xFF0) >> (8 * within) : 0;
        return size >= 4 ? register : register & ((1u << (8 * size)) - 1);
    }

    /// <inheritdoc/>
    public void Write(ulong offset, int size, ulong value)
    {
        if (size == 4 && (offset & 15) == 0)
            WriteRegister((int)offset & 0xFF0, (uint)value);
    }

    private uint ReadRegister(int register)
    {
        switch (register)
        {
            case 0x020:
                return _id;
            case 0x030:
                return VersionRegister;
            case 0x080:
                return _taskPriority;
            case 0x090:
                return ArbitrationPriority;
            case 0x0A0:
                return ProcessorPriority;
            case 0x0B0:
                return 0;
            case 0x0D0:
                return _logicalDestination;
            case 0x0E0:
                return _destinationFormat;
            case 0x0F0:
                return _spurious;
            case >= 0x100 and <= 0x170:
                return _inService[(register >> 4) & 7];
            case >= 0x180 and <= 0x1F0:
                return _triggerMode[(register >> 4) & 7];
            case >= 0x200 and <= 0x270:
                return _requests[(register >> 4) & 7];
            case 0x280:
                return _errorStatus;
            case 0x300:
                return _commandLow;
            case 0x310:
                return _commandHigh;
            case >= 0x320 and <= 0x370:
                return _lvt[(register >> 4) - 0x32];
            case 0x380:
                return _initialCount;
            case 0x390:
                return CurrentCount;
            case 0x3E0:
                return _divideConfiguration;
            default:
                AddError(IllegalRegister);
                return 0;
        }
    }

    private void WriteRegister(int register, uint value)
    {
        switch (register)
        {
            case 0x020:
                _id = value & 0xFF00_0000;
                AcceptanceChanged?.Invoke();
                break;
            case 0x080:
                _taskPriority = (byte)value;
                Update();
                break;
            case 0x0B0:
                EndOfInterrupt();
                break;
            case 0x0D0:
                _logicalDestination = value & 0xFF00_0000;
                AcceptanceChanged?.Invoke();
                break;
            case 0x0E0:
                _destinationFormat = value | 0x0FFF_FFFF;
                AcceptanceChanged?.Invoke();
                break;
            case 0x0F0:
                WriteSpurious(value & SpuriousBits);
                break;
            case 0x280:
                _errorStatus = _errors;
                _errors = 0;
                break;
            case 0x300:
                _commandLow = value & CommandLow;
                SendCommand();
                break;
            case 0x310:
                _commandHigh = value & 0xFF00_0000;
                break;
            case >= 0x320 and <= 0x370:
                WriteLvt((register >> 4) - 0x32, value);
                break;
            case 0x380:
                WriteInitialCount(value);
                break;
            case 0x3E0:
                WriteDivideConfiguration(value & 0b1011);
                break;
            case 0x030 or 0x090 or 0x0A0 or (>= 0x100 and <= 0x270) or 0x390:
                // Read-only.
                break;
            default:
                AddError(IllegalRegister);
                break;
        }
    }

    // While the APIC is disabled by software all local interrupts are masked, and stay so afterwards (11.4.7.2).
    private void WriteSpurious(uint value)
    {
        _spurious = value;
        if (IsSoftwareEnabled)
        {
            AcceptanceChanged?.Invoke();
            return;
        }

        for (var i = 0; i < LvtEntries; i++)
            WriteLvt(i, _lvt[i] | LvtMasked);
    }

    private void WriteLvt(int entry, uint value)
    {
        value &= LvtWritable[entry];
        if (!IsSoftwareEnabled)
            value |= LvtMasked;
        if (entry == LvtTimer)
        {
            WriteLvtTimer(value);
            return;
        }

        // Remote IRR is of level-triggered interrupts.
        if ((value & LvtLevel) != 0)
            value |= _lvt[entry] & LvtRemoteIrr;
        _lvt[entry] = value;
        if (entry == LvtLint0)
            LookAtLint0();
    }

    private void ResetRegisters()
    {
        Array.Clear(_inService);
        Array.Clear(_triggerMode);
        Array.Clear(_requests);
        Array.Fill(_lvt, LvtMasked);
        _taskPriority = 0;
        _logicalDestination = 0;
        _destinationFormat = uint.MaxValue;
        _spurious = 0xFF;
        _errorStatus = 0;
        _errors = 0;
        _commandLow = 0;
        _commandHigh = 0;
        _isNmiRequested = false;
        _isExtIntRequested = false;
        ResetTimer();
        Update();
    }

    /// <inheritdoc/>
    public void Save(StateWriter w)
    {
        w.WriteUInt64(_base);
        w.WriteUInt32(_id);
        w.WriteByte(_taskPriority);
        w.WriteUInt32(_logicalDestination);
        w.WriteUInt32(_destinationFormat);
        w.WriteUInt32(_spurious);
        w.WriteUInt32(_errorStatus);
        w.WriteUInt32(_errors);
        w.WriteUInt32(_commandLow);
        w.WriteUInt32(_commandHigh);
        foreach (var entry in _lvt)
            w.WriteUInt32(entry);
        SaveInterrupts(w);
        SaveTimer(w);
    }

    /// <inheritdoc/>
    public void Load(StateReader r, int version)
    {
        var page = Page;
        _base = r.ReadUInt64() & (BasePage | BaseEnabled | BaseBootstrap);
        _id = r.ReadUInt32() & 0xFF00_0000;
        _taskPriority = r.ReadByte();
        _logicalDestination = r.ReadUInt32() & 0xFF00_0000;
        _destinationFormat = r.ReadUInt32() | 0x0FFF_FFFF;
        _spurious = r.ReadUInt32() & SpuriousBits;
        _errorStatus = r.ReadUInt32();
        _errors = r.ReadUInt32();
        _commandLow = r.ReadUInt32() & CommandLow;
        _commandHigh = r.ReadUInt32() & 0xFF00_0000;
        for (var i = 0; i < LvtEntries; i++)
            _lvt[i] = r.ReadUInt32() & (LvtWritable[i] | LvtRemoteIrr) | (IsSoftwareEnabled ? 0 : LvtMasked);
        LoadInterrupts(r);
        LoadTimer(r);
        if (Page != page)
            PageMoved?.Invoke(Page);
        Update();
    }
}
