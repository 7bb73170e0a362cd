using DynaTrans.Linux.Host;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Processes;

/// <summary>
/// A timer that sends a signal when it expires, once or repeatedly. As in the kernel one that repeats does not run while its signal waits to
/// be taken: what expires meanwhile is counted (overruns) when the signal is taken. Guarded by the kernel's gate.
/// </summary>
/// <param name="process">Who gets the signal.</param>
/// <param name="clock">What it runs by.</param>
/// <param name="isPosix">True for timer_create: overruns are counted, and a signal of an earlier setting is dropped.</param>
internal sealed class GuestTimer(GuestProcess process, TimerClock clock, bool isPosix)
{
    private long _due;
    private long _interval;
    private bool _isSet;
    private bool _isArmed;
    private bool _isIgnored;
    private bool _isWaiting;
    private bool _isDeleted;
    private int _setting;
    private long _overrun;
    private long _lastOverrun;

    /// <summary>The signal, or null when expiry sends none.</summary>
    public SignalInfo? Info { get; init; }

    /// <summary>The only thread that gets it, or null.</summary>
    public GuestThread? Thread { get; init; }

    /// <summary>The guest's number of its clock, for absolute times.</summary>
    public int ClockId { get; init; }

    /// <summary>On whose account it exists, or null.</summary>
    public QueuedSignals? Account { get; set; }

    /// <summary>Expirations that the last signal stands for, less one; at most INT_MAX.</summary>
    public int Overrun => (int)Math.Min(_lastOverrun, int.MaxValue);

    /// <summary>The time of its clock.</summary>
    public long Now() => clock.Now();

    /// <summary>What is left until expiry (0: stopped) and the interval, in nanoseconds.</summary>
    public (long Left, long Interval) Get()
    {
        lock (process.Kernel.Gate)
        {
            if (!_isSet)
                return (0, _interval);
            var now = clock.Now();
            if (_interval != 0 && !_isArmed && (isPosix || Info == null))
                _overrun += Forward(now);
            else if (!_isArmed && Info != null)
                return (0, _interval);
            var left = _due - now;
            return (left > 0 ? left : Info == null ? 0 : 1, _interval);
        }
    }

    /// <summary>Starts, or stops.</summary>
    /// <param name="due">When it expires first, in nanoseconds of its clock; null stops.</param>
    /// <param name="interval">Nanoseconds between later expiries, or 0.</param>
    public void Set(long? due, long interval)
    {
        lock (process.Kernel.Gate)
        {
            _setting++;
            _overrun = 0;
            _lastOverrun = 0;
            _isWaiting = false;
            _isIgnored = false;
            _isSet = due != null;
            _due = due ?? 0;
            _interval = due != null || clock.KeepsIntervalWhenStopped(isPosix) ? interval : 0;
            Arm();
        }
    }

    /// <summary>Stops for good.</summary>
    public void Delete()
    {
        _setting++;
        _isDeleted = true;
        _isArmed = false;
        Account?.Add(-1);
        Account = null;
        process.Kernel.Timers.Remove(this);
    }

    /// <summary>The time that was asked for has come, unless it runs by CPU time.</summary>
    public void Wake()
    {
        lock (process.Kernel.Gate)
        {
            if (!_isArmed || _isDeleted || Info is not { } info)
                return;
            if (clock.Now() < _due)
            {
                Arm();
                return;
            }

            _isArmed = false;
            if (isPosix)
            {
                _isWaiting = _interval != 0;
                info = info with { Timer = this, TimerSetting = _setting };
            }
            else if (clock.IsCpu)
            {
                _isSet = _interval != 0;
                _due += _interval;
                Arm();
            }

            _isIgnored = _isWaiting && process.Ignores(info.Number, Thread);
            Send(info);
        }
    }

    /// <summary>Its signal is being taken. False: the timer has been set anew or deleted since, the signal does not count.</summary>
    public bool Deliver(ref SignalInfo info)
    {
        if (info.TimerSetting != _setting)
            return false;
        if (_interval == 0)
        {
            _isSet = false;
            return true;
        }

        if (!_isWaiting)
            return true;
        _lastOverrun = _overrun + Forward(clock.Now()) - 1;
        _overrun = 0;
        _isWaiting = false;
        Arm();
        info = info with { User = (uint)Overrun };
        return true;
    }

    /// <summary>
    /// The process ignores the signal from now on, which is forgotten if it waits; or no longer, and what was ignored comes.
    /// </summary>
    public void SignalIgnored(bool ignored)
    {
        if (ignored)
        {
            _isIgnored |= _isWaiting;
            return;
        }

        if (!_isIgnored || Info is not { } info)
            return;
        _isIgnored = false;
        Send(info with { Timer = this, TimerSetting = _setting });
    }

    /// <summary>What it waited for was taken: a timer that repeats goes on.</summary>
    public void Resume()
    {
        if (_isArmed || _isDeleted || _interval == 0 || !_isSet)
            return;
        Forward(clock.Now());
        Arm();
    }

    // Moves the expiry behind a time. Gives by how many intervals.
    private long Forward(long now)
    {
        if (now < _due)
            return 0;
        var count = ((now - _due) / _interval) + 1;
        _due += count * _interval;
        return count;
    }

    private void Send(in SignalInfo info)
    {
        if (Thread != null)
            process.Send(Thread, info);
        else
            process.Send(info);
    }

    private void Arm()
    {
        _isArmed = _isSet && Info != null;
        if (_isArmed)
            process.Kernel.Timers.Schedule(this, clock.WakeTime(_due));
        else
            process.Kernel.Timers.Remove(this);
    }
}

/// <summary>What a timer runs by: the host's monotonic clock, or CPU time.</summary>
internal abstract class TimerClock
{
    /// <summary>The clock of the wall: CLOCK_REALTIME, CLOCK_MONOTONIC and the like all run alike.</summary>
    public static TimerClock Wall { get; } = new WallClock();

    /// <summary>True for CPU time.</summary>
    public virtual bool IsCpu => true;

    /// <summary>CPU time of a process.</summary>
    public static TimerClock Cpu(GuestProcess process) => new CpuTimeClock(process.CpuTime, () => process.Threads.Count);

    /// <summary>CPU time of a process outside system calls.</summary>
    public static TimerClock User(GuestProcess process) => new CpuTimeClock(() => process.CpuUsage().User, () => process.Threads.Count);

    /// <summary>CPU time of a thread outside system calls.</summary>
    public static TimerClock User(GuestThread thread) => new CpuTimeClock(() => Locked(thread), () => 1);

    /// <summary>CPU time of a thread.</summary>
    public static TimerClock Cpu(GuestThread thread) => new CpuTimeClock(thread.CpuTime, () => 1);

    /// <summary>Nanoseconds.</summary>
    public abstract long Now();

    /// <summary>When, in nanoseconds of CLOCK_MONOTONIC, to look whether a time has come.</summary>
    public abstract long WakeTime(long due);

    private static long Locked(GuestThread thread)
    {
        lock (thread.Process.Kernel.Gate)
            return thread.CpuUsage().User;
    }

    /// <summary>setitimer keeps the interval of a CPU timer that it stops.</summary>
    public bool KeepsIntervalWhenStopped(bool isPosix) => IsCpu && !isPosix;

    private sealed class WallClock : TimerClock
    {
        public override bool IsCpu => false;

        public override long Now() => HostClock.Monotonic();

        public override long WakeTime(long due) => due;
    }

    // The time cannot have come before all threads have run all the time that is left. The kernel looks at each tick.
    private sealed class CpuTimeClock(Func<long> read, Func<int> threads) : TimerClock
    {
        private const long Tick = 1_000_000;

        public override long Now() => read();

        public override long WakeTime(long due) =>
            HostClock.Monotonic() + Math.Max((due - read()) / Math.Max(threads(), 1), Tick);
    }
}
