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

    // When the count gets to zero, in nanoseconds of the clock: the one-shot timer's only time, the periodic one's next as of the last look.
    private long _zero;
    private bool _isCounting;

    // Bits 0, 1 and 3: division by 2, 4, ... 128, and by 1 where all are set. A clock tick is a nanosecond.
    private long Tick => 1L << ((int)((_divideConfiguration & 3 | _divideConfiguration >> 1 & 4) + 1) & 7);

    private uint CurrentCount
    {
        get
        {
            if (!_isCounting)
                return 0;
            var now = _clock.Now;
            var left = NextZero(now) - now;
            return left <= 0 ? 0 : (uint)((left + Tick - 1) / Tick);
        }
    }

    /// <summary>
    /// IA32_TSC_DEADLINE: the value of the time-stamp counter at which the timer interrupts once; 0 where it is not armed. Writes have no effect in
    /// other modes of the timer, or where there is no such mode.
    /// </summary>
    public ulong Deadline
    {
        get
        {
            CatchUp();
            return _deadline;
        }

        set
        {
            if ((_lvt[LvtTimer] & ModeBits) != TscDeadline)
                return;
            CatchUp();
            _deadline = value;
            ArmTimer();
        }
    }

    private void WriteLvtTimer(uint value)
    {
        if (!HasTscDeadline)
            value &= ~TscDeadline;

        CatchUp();
        var changed = (_lvt[LvtTimer] ^ value) & TscDeadline;
        _lvt[LvtTimer] = value;
        if (changed != 0)
        {
            // To and from TSC-deadline mode disarms the timer. Between the other modes the count goes on, but one that has stopped does not start.
            _initialCount = 0;
            _isCounting = false;
            _deadline = 0;
        }

        ArmTimer();
    }

    private void WriteInitialCount(uint value)
    {
        if ((_lvt[LvtTimer] & ModeBits) == TscDeadline)
            return;
        CatchUp();
        _initialCount = value;
        _isCounting = value != 0;
        _zero = _clock.Now + value * Tick;
        ArmTimer();
    }

    // The count stays what it is and goes on at the new speed.
    private void WriteDivideConfiguration(uint value)
    {
        CatchUp();
        var count = CurrentCount;
        _divideConfiguration = value;
        if (!_isCounting)
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

    // Brings the timer to the present: what has become due is over, with its interrupt if it is not masked, before a register changes.
    private void CatchUp()
    {
        var now = _clock.Now;
        switch (_lvt[LvtTimer] & ModeBits)
        {
            case OneShot when _isCounting && _zero <= now:
                _isCounting = false;
                break;
            case Periodic when _isCounting && _zero <= now:
                _zero = NextZero(now);
                break;
            case TscDeadline when _deadline != 0 && _timeOfTimeStamp!(_deadline) <= now:
                _deadline = 0;
                break;
            default:
                return;
        }

        RaiseLocal(LvtTimer);
    }

    private void TimerIsDue(long time)
    {
        CatchUp();
        if ((_lvt[LvtTimer] & ModeBits) == Periodic && _isCounting)
            _timer.Arm(Math.Max(_zero, _clock.Now + LeastPeriod));
    }

    // The host need not be woken for an interrupt that is masked: the count is worked out when it is asked for.
    private void ArmTimer()
    {
        _timer.Disarm();
        if ((_lvt[LvtTimer] & LvtMasked) != 0)
            return;
        switch (_lvt[LvtTimer] & ModeBits)
        {
            case OneShot or Periodic when _isCounting:
                _timer.Arm(_zero);
                break;
            case TscDeadline when _deadline != 0:
                _timer.Arm(_timeOfTimeStamp!(_deadline));
                break;
        }
    }

    private void ResetTimer()
    {
        _timer.Disarm();
        _initialCount = 0;
        _divideConfiguration = 0;
        _deadline = 0;
        _zero = 0;
        _isCounting = false;
    }

    private void SaveTimer(StateWriter w)
    {
        w.WriteUInt32(_initialCount);
        w.WriteUInt32(_divideConfiguration);
        w.WriteUInt64(_deadline);
        w.WriteInt64(_zero);
        w.WriteBoolean(_isCounting);
        _timer.Save(w);
    }

    private void LoadTimer(StateReader r)
    {
        _initialCount = r.ReadUInt32();
        _divideConfiguration = r.ReadUInt32() & 0b1011;
        _deadline = r.ReadUInt64();
        _zero = Math.Clamp(r.ReadInt64(), 0, long.MaxValue / 2);
        _isCounting = r.ReadBoolean() && _initialCount != 0;
        if (!HasTscDeadline)
            _lvt[LvtTimer] &= ~TscDeadline;
        _timer.Load(r);
    }
}
