using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Processes;

/// <summary>Timers of a process that send signals: the three of setitimer, and those of timer_create. Guarded by the kernel's gate.</summary>
internal sealed class ProcessTimers(GuestProcess process)
{
    private readonly Dictionary<int, GuestTimer> _timers = [];
    private readonly GuestTimer?[] _intervalTimers = new GuestTimer?[3];
    private int _nextId;

    /// <summary>The timer of setitimer: 0 real, 1 virtual, 2 profiling.</summary>
    public GuestTimer Interval(int which)
    {
        lock (process.Kernel.Gate)
        {
            var (signal, clock) = which switch
            {
                0 => (Signal.Alrm, TimerClock.Wall),
                1 => (Signal.Vtalrm, TimerClock.User(process)),
                _ => (Signal.Prof, TimerClock.Cpu(process)),
            };
            return _intervalTimers[which] ??= new GuestTimer(process, clock, isPosix: false)
            {
                Info = new SignalInfo { Number = signal, Code = SignalInfo.FromKernel, Kind = SignalInfoKind.Sender },
            };
        }
    }

    /// <summary>timer_create. Negative: -EAGAIN.</summary>
    public int Create(Func<int, GuestTimer> make)
    {
        lock (process.Kernel.Gate)
        {
            var account = process.Kernel.QueuedSignals(process.Credentials.User);
            if ((ulong)account.Count >= process.Limits[ResourceLimits.PendingSignals].Soft)
                return -Errno.EAGAIN;
            account.Add(1);
            var id = _nextId++;
            var timer = make(id);
            timer.Account = account;
            _timers.Add(id, timer);
            return id;
        }
    }

    /// <summary>A timer of timer_create, or null.</summary>
    public GuestTimer? Find(int id)
    {
        lock (process.Kernel.Gate)
            return _timers.GetValueOrDefault(id);
    }

    /// <summary>timer_delete. False: no such timer.</summary>
    public bool Delete(int id)
    {
        lock (process.Kernel.Gate)
        {
            if (!_timers.Remove(id, out var timer))
                return false;
            timer.Delete();
            return true;
        }
    }

    /// <summary>A SIGALRM was taken: the real timer, which has waited for that, goes on.</summary>
    public void AlarmTaken() => _intervalTimers[0]?.Resume();

    /// <summary>The process ignores a signal from now on, or no longer.</summary>
    public void SignalIgnored(int signal, bool ignored)
    {
        foreach (var timer in _timers.Values)
            if (timer.Info?.Number == signal)
                timer.SignalIgnored(ignored);
    }

    /// <summary>Stops and forgets the timers of timer_create (execve) and, at the end of the process, those of setitimer too.</summary>
    public void Clear()
    {
        lock (process.Kernel.Gate)
        {
            foreach (var timer in _timers.Values)
                timer.Delete();
            _timers.Clear();
            if (!process.IsExiting)
                return;
            foreach (var timer in _intervalTimers)
                timer?.Delete();
        }
    }
}
