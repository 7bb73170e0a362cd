namespace DynaTrans.Devices;

/// <summary>
/// The real-time clock and CMOS memory of a PC (ports 70h and 71h), after Motorola's data sheet "MC146818A Real-Time Clock plus RAM" with a crystal of
/// 32,768 Hz. Of the divider settings only "reset" (11x) differs from normal operation; daylight saving (DSE) is a bit without effect, as in later
/// chipsets. The PC's century byte (32h) is carried into.
/// </summary>
public sealed class Mc146818 : BytePortDevice, IStatefulDevice
{
    /// <summary>The first register that is memory.</summary>
    public const int FirstMemory = 0x0E;

    /// <summary>How many registers there are.</summary>
    public const int Size = 0x80;

    private const int Seconds = 0, Minutes = 2, Hours = 4, Weekday = 6, Day = 7, Month = 8, Year = 9, Century = 0x32;
    private const int RegisterA = 0x0A, RegisterB = 0x0B, RegisterC = 0x0C, RegisterD = 0x0D;

    private const byte UpdateInProgress = 0x80;
    private const byte Set = 0x80, PeriodicEnable = 0x40, AlarmEnable = 0x20, UpdateEnable = 0x10, IsBinary = 0x04, Is24Hours = 0x02;
    private const byte Interrupt = 0x80, Periodic = 0x40, Alarm = 0x20, Updated = 0x10;
    private const byte ValidRamAndTime = 0x80;

    private const long Second = 1_000_000_000;
    private const long Crystal = 32_768;

    // UIP is set 244 us before an update begins, which takes 1984 us.
    private const long UipTime = 244_000 + 1_984_000;

    private readonly byte[] _registers = new byte[Size];
    private readonly VirtualClock _clock;
    private readonly InterruptLine _interrupt;
    private readonly Action<bool> _maskNmi;
    private readonly DeviceTimer _timer;

    private byte _index;
    private bool _isNmiMasked;

    // The divider chain: updates end at whole seconds from here. Some of them have been done.
    private long _origin;
    private long _updates;

    // Pulses of the crystal up to which the periodic flag is settled.
    private long _periodicSeen;

    /// <summary>Makes a clock that has a battery: it goes, with 24 hours and BCD, interrupts off.</summary>
    /// <param name="clock">The machine's time.</param>
    /// <param name="start">What it shows at the present of <paramref name="clock"/>: see <see cref="RtcBase"/>.</param>
    /// <param name="interrupt">Its interrupt request: IRQ 8.</param>
    /// <param name="maskNmi">Called with bit 7 of port 70h when it changes: true holds non-maskable interrupts back.</param>
    public Mc146818(VirtualClock clock, DateTime start, InterruptLine interrupt, Action<bool> maskNmi)
    {
        _clock = clock;
        _interrupt = interrupt;
        _maskNmi = maskNmi;
        _timer = clock.AddTimer(_ => Settle());
        _registers[RegisterA] = 0x26;
        _registers[RegisterB] = Is24Hours;
        _registers[RegisterD] = ValidRamAndTime;
        _origin = clock.Now - start.Ticks % TimeSpan.TicksPerSecond * 100;
        SetTime(start);
    }

    /// <inheritdoc/>
    public string Name => "mc146818";

    /// <inheritdoc/>
    public int Version => 1;

    private bool IsDividerReset => (_registers[RegisterA] & 0x60) == 0x60;

    // Periodic interrupts come every so many pulses of the crystal; 0: none.
    private long PeriodicPulses => (_registers[RegisterA] & 15) switch
    {
        0 => 0,
        var rate and <= 2 => 1L << (rate + 6),
        var rate => 1L << (rate - 1),
    };

    /// <summary>A byte of the memory, as the machine's set-up program would have left it.</summary>
    /// <param name="register">0Eh to 7Fh.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is a register of the clock, or there is no such.</exception>
    public byte this[int register]
    {
        get => _registers[Check(register)];
        set => _registers[Check(register)] = value;
    }

    /// <summary>Puts it at its ports.</summary>
    public void Map(PortBus ports) => ports.Map(0x70, 2, this);

    /// <summary>The RESET pin: interrupts off; time and memory stay.</summary>
    public void Reset()
    {
        Settle();
        _registers[RegisterB] &= unchecked((byte)~(PeriodicEnable | AlarmEnable | UpdateEnable | 0x08));
        _registers[RegisterC] = 0;
        SelectRegister(0);
        Settle();
    }

    /// <inheritdoc/>
    public void Save(StateWriter w)
    {
        w.WriteBytes(_registers);
        w.WriteByte(_index);
        w.WriteBoolean(_isNmiMasked);
        w.WriteInt64(_origin);
        w.WriteInt64(_updates);
        w.WriteInt64(_periodicSeen);
        w.WriteBoolean(_interrupt.Level);
    }

    /// <inheritdoc/>
    public void Load(StateReader r, int version)
    {
        r.ReadBytes(_registers);
        _index = (byte)(r.ReadByte() & 0x7F);
        _isNmiMasked = r.ReadBoolean();
        _origin = r.ReadInt64();
        _updates = r.ReadInt64();
        _periodicSeen = r.ReadInt64();
        _interrupt.Restore(r.ReadBoolean());

        // The divider began in the past, and has not done more than there was time for.
        if (_origin > _clock.Now || _origin < -2 * Second || _updates < 0 || _updates > (_clock.Now - _origin) / Second
            || _periodicSeen < 0 || _periodicSeen > Pulses(_clock.Now))
            throw new StateException("the real-time clock's divider cannot be where its record says");
        _registers[RegisterA] &= unchecked((byte)~UpdateInProgress);
        _registers[RegisterD] = ValidRamAndTime;
        Arm();
    }

    /// <inheritdoc/>
    protected override byte ReadByte(ushort port) => port == 0x71 ? ReadRegister() : (byte)0xFF;

    /// <inheritdoc/>
    protected override void WriteByte(ushort port, byte value)
    {
        if (port == 0x71)
            WriteRegister(value);
        else
            SelectRegister(value);
    }

    private static int Check(int register)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(register, FirstMemory);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(register, Size);
        return register;
    }

    private void SelectRegister(byte value)
    {
        _index = (byte)(value & 0x7F);
        var isNmiMasked = (value & 0x80) != 0;
        if (isNmiMasked == _isNmiMasked)
            return;
        _isNmiMasked = isNmiMasked;
        _maskNmi(isNmiMasked);
    }

    private byte ReadRegister()
    {
        switch (_index)
        {
            case <= Year or Century:
                Settle();
                return _registers[_index];
            case RegisterA:
                return (byte)(_registers[RegisterA] | (IsUpdating() ? UpdateInProgress : 0));
            case RegisterC:
                Settle();
                var flags = _registers[RegisterC];
                _registers[RegisterC] = 0;
                _interrupt.Set(false);
                Arm();
                return flags;
            default:
                return _registers[_index];
        }
    }

    private void WriteRegister(byte value)
    {
        switch (_index)
        {
            case RegisterA:
                Settle();
                var wasReset = IsDividerReset;
                _registers[RegisterA] = (byte)(value & ~UpdateInProgress);

                // "When the divider reset is removed the first update cycle begins one-half second later."
                if (wasReset && !IsDividerReset)
                {
                    _origin = _clock.Now - Second / 2;
                    _updates = 0;
                }
                if (!IsDividerReset)
                    _periodicSeen = Pulses(_clock.Now);
                break;
            case RegisterB:
                Settle();

                // Setting SET clears UIE.
                _registers[RegisterB] = (value & Set) != 0 ? (byte)(value & ~UpdateEnable) : value;
                break;
            case RegisterC or RegisterD:
                return;
            case <= Year or Century:
                Settle();
                _registers[_index] = value;
                break;
            default:
                _registers[_index] = value;
                return;
        }
        Settle();
    }

    private bool IsUpdating()
    {
        Settle();
        return !IsDividerReset && (_registers[RegisterB] & Set) == 0 && _origin + (_updates + 1) * Second - _clock.Now <= UipTime;
    }

    // Does what is due by now: updates, flags, the interrupt, the next deadline.
    private void Settle()
    {
        if (!IsDividerReset)
        {
            var now = _clock.Now;
            Update((now - _origin) / Second - _updates);
            var pulses = Pulses(now);
            if (PeriodicPulses is var period and > 0 && pulses / period > _periodicSeen / period)
                _registers[RegisterC] |= Periodic;
            _periodicSeen = pulses;
        }
        var isRequested = (_registers[RegisterC] & _registers[RegisterB] & (Periodic | Alarm | Updated)) != 0;
        _registers[RegisterC] = (byte)(_registers[RegisterC] & ~Interrupt | (isRequested ? Interrupt : 0));
        _interrupt.Set(isRequested);
        Arm();
    }

    private void Update(long count)
    {
        if (count <= 0)
            return;
        _updates += count;
        if ((_registers[RegisterB] & Set) != 0)
            return;
        if (SecondsToAlarm() <= count)
            _registers[RegisterC] |= Alarm;
        _registers[RegisterC] |= Updated;
        AddSeconds(count);
    }

    // The timer is for interrupts only: what nobody is told of is worked out when it is read. A flag that is set already brings no other interrupt.
    private void Arm()
    {
        var next = long.MaxValue;
        var missing = _registers[RegisterB] & ~_registers[RegisterC];
        if (!IsDividerReset)
        {
            if ((missing & Periodic) != 0 && PeriodicPulses is var period and > 0)
                next = TimeOf((_periodicSeen / period + 1) * period);
            if ((_registers[RegisterB] & Set) == 0)
            {
                if ((missing & Updated) != 0)
                    next = Math.Min(next, _origin + (_updates + 1) * Second);
                if ((missing & Alarm) != 0 && SecondsToAlarm() is var seconds and < long.MaxValue)
                    next = Math.Min(next, _origin + (_updates + seconds) * Second);
            }
        }
        if (next == long.MaxValue)
            _timer.Disarm();
        else
            _timer.Arm(next);
    }

    // Pulses of the crystal since the divider began, and the first time at which there were so many.
    private long Pulses(long now) => (now - _origin) / Second * Crystal + (now - _origin) % Second * Crystal / Second;

    private long TimeOf(long pulses) => _origin + pulses / Crystal * Second + (pulses % Crystal * Second + (Crystal - 1)) / Crystal;

    private void SetTime(DateTime time)
    {
        _registers[Seconds] = Encode(time.Second);
        _registers[Minutes] = Encode(time.Minute);
        _registers[Hours] = EncodeHour(time.Hour);
        _registers[Weekday] = Encode((int)time.DayOfWeek + 1);
        SetDate(time.Day, time.Month, time.Year);
    }

    private void SetDate(int day, int month, int year)
    {
        _registers[Day] = Encode(day);
        _registers[Month] = Encode(month);
        _registers[Year] = Encode(year % 100);
        _registers[Century] = Encode(year / 100 % 100);
    }

    // A counter is written only when the one below it carries: what a guest put into the others stays as it is.
    private void AddSeconds(long count)
    {
        var seconds = Decode(_registers[Seconds]) % 60 + count;
        _registers[Seconds] = Encode((int)(seconds % 60));
        if (seconds < 60)
            return;
        var minutes = Decode(_registers[Minutes]) % 60 + seconds / 60;
        _registers[Minutes] = Encode((int)(minutes % 60));
        if (minutes < 60)
            return;
        var hours = DecodeHour(_registers[Hours]) + minutes / 60;
        _registers[Hours] = EncodeHour((int)(hours % 24));
        if (hours < 24)
            return;
        var days = hours / 24;
        _registers[Weekday] = Encode((int)((Decode(_registers[Weekday]) + 6 + days) % 7) + 1);

        // The calendar repeats after 400 years; there a DateTime has every date that the registers can.
        var year = Decode(_registers[Century]) % 100 * 100 + Decode(_registers[Year]) % 100;
        var month = Math.Clamp(Decode(_registers[Month]), 1, 12);
        var day = Math.Clamp(Decode(_registers[Day]), 1, DateTime.DaysInMonth(2000 + year % 400, month));
        var date = new DateTime(2000 + year % 400, month, day).AddDays(days);
        SetDate(date.Day, date.Month, year - year % 400 + date.Year - 2000);
    }

    // How many seconds it takes until the time is the alarm's: 1 to a day, or long.MaxValue where it never is.
    private long SecondsToAlarm()
    {
        var hour = DecodeHour(_registers[Hours]);
        var minute = Decode(_registers[Minutes]) % 60;
        var second = Decode(_registers[Seconds]) % 60;
        var now = (hour * 60 + minute) * 60 + second;
        if (AlarmFrom(now + 1) is var today and >= 0)
            return today - now;
        return AlarmFrom(0) is var tomorrow and >= 0 ? tomorrow - now + 24 * 3600 : long.MaxValue;
    }

    // The first second of the day, from one on, that the alarm registers name; -1 where there is none.
    private int AlarmFrom(int first)
    {
        // With a second and a minute that exist the search below ends in the first or second place it tries.
        if (!IsPossible(_registers[Seconds + 1]) || !IsPossible(_registers[Minutes + 1]))
            return -1;
        for (var hour = first / 3600; hour < 24; hour++)
        {
            if (!Matches(_registers[Hours + 1], hour, isHour: true))
                continue;
            for (var minute = Math.Max(0, first / 60 - hour * 60); minute < 60; minute++)
            {
                if (!Matches(_registers[Minutes + 1], minute))
                    continue;
                for (var second = Math.Max(0, first - (hour * 60 + minute) * 60); second < 60; second++)
                {
                    if (Matches(_registers[Seconds + 1], second))
                        return (hour * 60 + minute) * 60 + second;
                }
            }
        }
        return -1;
    }

    private bool IsPossible(byte alarm)
    {
        for (var value = 0; value < 60; value++)
        {
            if (Matches(alarm, value))
                return true;
        }
        return false;
    }

    // C0 to FF match anything.
    private bool Matches(byte alarm, int value, bool isHour = false) =>
        alarm >= 0xC0 || alarm == (isHour ? EncodeHour(value) : Encode(value));

    private byte Encode(int value) => (byte)((_registers[RegisterB] & IsBinary) != 0 ? value : value / 10 << 4 | value % 10);

    private int Decode(int value) => (_registers[RegisterB] & IsBinary) != 0 ? value : (value >> 4) * 10 + (value & 15);

    private byte EncodeHour(int hour)
    {
        if ((_registers[RegisterB] & Is24Hours) != 0)
            return Encode(hour);
        var value = Encode(hour % 12 == 0 ? 12 : hour % 12);
        return (byte)(hour >= 12 ? value | 0x80 : value);
    }

    private int DecodeHour(byte value)
    {
        if ((_registers[RegisterB] & Is24Hours) != 0)
            return Decode(value) % 24;
        return Decode(value & 0x7F) % 12 + ((value & 0x80) != 0 ? 12 : 0);
    }
}
