namespace DynaTrans.Devices;

/// <summary>The timer (11.5.4): one-shot, periodic and TSC-deadline.</summary>
public sealed partial class LocalApic
{
    /// <summary>The frequency of the timer's clock before division, in Hz.</summary>
    public const long TimerFrequency = 1_000_000_000;

    // Interrupts of a periodic timer come no closer together than this, in nanoseconds: software that set a period shorter than its own work sees as
    // many as it can take anyway, for those that wait merge into one.
    private const long LeastPeriod = 20_000;

    private const uint ModeBits = 3 << 17;
    private const uint OneShot = 0 << 17;
    private const uint Periodic = 1 << 17;
    private const uint TscDeadline = 2 << 17;

    private readonly DeviceTimer _timer;
    private readonly Func<ulong, long>? _timeOfTimeStamp;
    private uint _initialCount;
    private uint _divideConfiguration;
    private ulong _deadline;

    // When the count gets, or got, to zero (in nanoseconds of the clock), from an initial count other than 0.
    private long _zero;

    // Bits 0, 1 and 3: division by 2, 4, ... 128, and by 1 where all are set. A clock tick is a nanosecond.
    private long Tick => 1L << ((int)((_divideConfiguration & 3 | _divideConfiguration >> 1 & 4) + 1) & 7);

    private uint CurrentCount
    {
        get
        {
            if (_initialCount == 0 || (_lvt[LvtTimer] & ModeBits) == TscDeadline)
                return 0;
            var left = NextZero(_clock.Now) - _clock.Now;
            return left <= 0 ? 0 : (uint)((left + Tick - 1) / Tick);
        }
    }

    /// <summary>
    /// IA32_TSC_DEADLINE: the value of the time-stamp counter at which the timer interrupts once; 0 where it is not armed. Writes have no effect in
    /// other modes of the timer, or where there is no such mode.
    /// </summary>
    public ulong Deadline
    {
        get => _deadline;
        set
        {
            if ((_lvt[LvtTimer] & ModeBits) != TscDeadline)
                return;
            _deadline = value;
            ArmTimer();
        }
    }

    private void WriteLvtTimer(uint value)
    {
        if (!HasTscDeadline)
            value &= ~TscDeadline;

        // What is due comes under the old entry, though the machine has not got to it yet.
        if (_timer.IsArmed && _timer.Deadline <= _clock.Now)
        {
            _timer.Disarm();
            TimerIsDue(_timer.Deadline);
        }

        var changed = (_lvt[LvtTimer] ^ value) & TscDeadline;
        _lvt[LvtTimer] = value;
        if (changed != 0)
        {
            // To and from TSC-deadline mode disarms the timer.
            _initialCount = 0;
            _deadline = 0;
        }

        ArmTimer();
    }

    private void WriteInitialCount(uint value)
    {
        if ((_lvt[LvtTimer] & ModeBits) == TscDeadline)
            return;
        _initialCount = value;
        _zero = _clock.Now + value * Tick;
        ArmTimer();
    }

    // The count stays what it is and goes on at the new speed.
    private void WriteDivideConfiguration(uint value)
    {
        var count = CurrentCount;
        _divideConfiguration = value;
        if (count == 0)
            return;
        _zero = _clock.Now + count * Tick;
        ArmTimer();
    }

    // The first time after `time` at which the count is zero; in the past where it stays zero.
    private long NextZero(long time)
    {
        if ((_lvt[LvtTimer] & ModeBits) != Periodic || _zero > time)
            return _zero;
        var period = _initialCount * Tick;
        return _zero + ((time - _zero) / period + 1) * period;
    }

    // The host need not be woken for an interrupt that is masked: the count is worked out when it is asked for.
    private void ArmTimer()
    {
        _timer.Disarm();
        if ((_lvt[LvtTimer] & LvtMasked) != 0)
            return;
        switch (_lvt[LvtTimer] & ModeBits)
        {
            case OneShot when _initialCount != 0 && _zero > _clock.Now:
            case Periodic when _initialCount != 0:
                _timer.Arm(NextZero(_clock.Now));
                break;
            case TscDeadline when _deadline != 0:
                _timer.Arm(_timeOfTimeStamp!(_deadline));
                break;
        }
    }

    private void TimerIsDue(long time)
    {
        switch (_lvt[LvtTimer] & ModeBits)
        {
            case Periodic when _initialCount != 0:
                _zero = NextZero(Math.Max(time, _clock.Now));
                _timer.Arm(Math.Max(_zero, _clock.Now + LeastPeriod));
                break;
            case TscDeadline:
                _deadline = 0;
                break;
        }

        RaiseLocal(LvtTimer);
    }

    private void ResetTimer()
    {
        _timer.Disarm();
        _initialCount = 0;
        _divideConfiguration = 0;
        _deadline = 0;
        _zero = 0;
    }

    private void SaveTimer(StateWriter w)
    {
        w.WriteUInt32(_initialCount);
        w.WriteUInt32(_divideConfiguration);
        w.WriteUInt64(_deadline);
        w.WriteInt64(_zero);
        _timer.Save(w);
    }

    private void LoadTimer(StateReader r)
    {
        _initialCount = r.ReadUInt32();
        _divideConfiguration = r.ReadUInt32() & 0b1011;
        _deadline = r.ReadUInt64();
        _zero = Math.Clamp(r.ReadInt64(), 0, long.MaxValue / 2);
        if (!HasTscDeadline)
            _lvt[LvtTimer] &= ~TscDeadline;
        _timer.Load(r);
    }
}
