using DynaTrans.Linux.Host;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Processes;

/// <summary>Timers of a process that send signals: the three of setitimer, and those of timer_create.</summary>
/// <remarks>
/// CLOCK_REALTIME, CLOCK_MONOTONIC and the like run by the host's monotonic clock. Timers of CPU time are looked at on each expiry
/// of the remaining CPU time as wall time, and go on waiting when less CPU time was used.
/// </remarks>
internal sealed class ProcessTimers(GuestProcess process)
{
    private const int MaxTimers = 1024;

    private readonly Dictionary<int, GuestTimer> _timers = [];
    private readonly GuestTimer?[] _intervalTimers = new GuestTimer?[3];
    private int _nextId;

    /// <summary>The timer of setitimer: 0 real, 1 virtual, 2 profiling.</summary>
    public GuestTimer Interval(int which)
    {
        lock (_timers)
        {
            var signal = which switch { 0 => Signal.Alrm, 1 => Signal.Vtalrm, _ => Signal.Prof };
            return _intervalTimers[which] ??= new GuestTimer(
                process, null, new SignalInfo { Number = signal, Code = SignalInfo.FromKernel, Kind = SignalInfoKind.Sender }, which != 0);
        }
    }

    /// <summary>timer_create. Negative: -EAGAIN.</summary>
    public int Create(Func<int, GuestTimer> make)
    {
        lock (_timers)
        {
            if (_timers.Count >= MaxTimers)
                return -Errno.EAGAIN;
            var id = _nextId++;
            _timers.Add(id, make(id));
            return id;
        }
    }

    /// <summary>A timer of timer_create, or null.</summary>
    public GuestTimer? Find(int id)
    {
        lock (_timers)
            return _timers.GetValueOrDefault(id);
    }

    /// <summary>timer_delete. False: no such timer.</summary>
    public bool Delete(int id)
    {
        lock (_timers)
        {
            if (!_timers.Remove(id, out var timer))
                return false;
            timer.Stop();
            return true;
        }
    }

    /// <summary>Stops and forgets the timers of timer_create (execve) and, at the end of the process, those of setitimer too.</summary>
    public void Clear()
    {
        lock (_timers)
        {
            foreach (var timer in _timers.Values)
                timer.Stop();
            _timers.Clear();
            if (!process.IsExiting)
                return;
            foreach (var timer in _intervalTimers)
                timer?.Stop();
        }
    }
}

/// <summary>A timer that sends a signal when it expires, once or repeatedly.</summary>
internal sealed class GuestTimer
{
    private readonly GuestProcess _process;
    private readonly GuestThread? _thread;
    private readonly SignalInfo? _info;
    private readonly Timer _timer;
    private readonly bool _isCpu;
    private long _due;
    private long _interval;

    /// <summary>Makes a stopped timer.</summary>
    /// <param name="process">Who gets the signal.</param>
    /// <param name="thread">The only thread that gets it, or null.</param>
    /// <param name="info">The signal, or null when expiry sends none.</param>
    /// <param name="isCpu">True when it counts CPU time of the process.</param>
    /// <param name="clock">The guest's clock, for absolute times.</param>
    public GuestTimer(GuestProcess process, GuestThread? thread, SignalInfo? info, bool isCpu, int clock = 0)
    {
        Clock = clock;
        _process = process;
        _thread = thread;
        _info = info;
        _isCpu = isCpu;
        _timer = new Timer(_ => Expire());
    }

    /// <summary>The guest's clock that it runs by.</summary>
    public int Clock { get; }

    /// <summary>Expirations that the last signal stands for, less one.</summary>
    public int Overrun { get; private set; }

    /// <summary>What is left until expiry (0: stopped) and the interval, in nanoseconds.</summary>
    public (long Left, long Interval) Get()
    {
        lock (_timer)
            return (_due == 0 ? 0 : Math.Max(_due - Now(), 1), _interval);
    }

    /// <summary>Starts, or with 0 stops.</summary>
    /// <param name="left">Nanoseconds until the first expiry.</param>
    /// <param name="interval">Nanoseconds between later ones, or 0.</param>
    public void Set(long left, long interval)
    {
        lock (_timer)
        {
            _due = left == 0 ? 0 : Now() + left;
            _interval = interval;
            Arm();
        }
    }

    /// <summary>Stops for good.</summary>
    public void Stop()
    {
        lock (_timer)
            _due = 0;
        _timer.Dispose();
    }

    private long Now() => _isCpu ? _process.CpuTime() : HostClock.Monotonic();

    private void Arm()
    {
        if (_due == 0)
        {
            _timer.Change(Timeout.Infinite, Timeout.Infinite);
            return;
        }

        var milliseconds = Math.Clamp((_due - Now() + 999_999) / 1_000_000, 0, int.MaxValue);
        _timer.Change(milliseconds, Timeout.Infinite);
    }

    private void Expire()
    {
        lock (_timer)
        {
            if (_due == 0)
                return;
            var late = Now() - _due;
            if (late < 0)
            {
                Arm();
                return;
            }

            var missed = _interval == 0 ? 0 : late / _interval;
            Overrun = (int)Math.Min(missed, int.MaxValue);
            _due = _interval == 0 ? 0 : _due + ((missed + 1) * _interval);
            Arm();
        }

        if (_info is not { } info)
            return;
        if (info.Kind == SignalInfoKind.Timer)
            info = info with { User = (uint)Overrun };
        if (_thread != null)
            _process.Send(_thread, info);
        else
            _process.Send(info);
    }
}
