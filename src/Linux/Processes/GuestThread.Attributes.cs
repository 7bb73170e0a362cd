using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Processes;

/// <summary>What prctl and the scheduling calls set of one thread.</summary>
public sealed unsafe partial class GuestThread
{
    private const ulong UsualTimerSlack = 50_000;

    // Whoever waits for this thread waits no longer than that for its timers.
    private const ulong MostHostSlack = 100_000_000;

    private volatile bool _isStarted;
    private ulong _timerSlack = UsualTimerSlack;

    // What the host thread begins with: .NET gives every thread the usual policy.
    private SchedulingState _scheduling;

    /// <summary>The nice value, -20 to 19: that of the host thread. A thread that has not begun has its maker's, whom it asks for it.</summary>
    internal int Nice
    {
        get
        {
            const int ByProcess = 0;
            var result = HostCalls.Call(HostSys.Getpriority, ByProcess, HostThread);
            return result > 0 ? 20 - (int)result : 0;
        }
    }

    /// <summary>Timer slack in nanoseconds, as the guest set it. The host thread has the same, up to a tenth of a second.</summary>
    internal ulong TimerSlack
    {
        get => _timerSlack;
        set
        {
            _timerSlack = value;
            if (HostThread == Interruption.CurrentThread)
                ApplyTimerSlack();
        }
    }

    /// <summary>What <see cref="TimerSlack"/> becomes when 0 is set: that of the thread which made this one.</summary>
    internal ulong DefaultTimerSlack { get; init; } = UsualTimerSlack;

    /// <summary>Signal that the process gets when the thread that made it ends (PR_SET_PDEATHSIG), or 0. Not inherited.</summary>
    internal int DeathSignal { get; set; }

    /// <summary>PR_SET_NO_NEW_PRIVS; for good, and inherited. Programs get no privileges here anyway.</summary>
    internal bool NoNewPrivileges { get; set; }

    /// <summary>PR_SET_KEEPCAPS, until the next execve.</summary>
    internal bool KeepsCapabilities { get; set; }

    /// <summary>
    /// Number of the host thread; of one that has been started and has not come so far, after a short wait. 0 when it has ended, or was
    /// never started.
    /// </summary>
    internal int AwaitHostThread()
    {
        SpinWait wait = default;
        while (_isStarted && !_hasEnded && HostThread == 0)
            wait.SpinOnce(sleep1Threshold: 1000);
        return HostThread;
    }

    // Of the thread that makes this one. The nice value comes by itself.
    private void InheritScheduling()
    {
        if (HostCalls.Call(HostSys.SchedGetscheduler) is > SchedulingState.Other and < SchedulingState.ResetOnFork)
            _scheduling = SchedulingState.Of(0);
    }

    private void ApplyScheduling()
    {
        var priority = (int)_scheduling.Priority;
        if (_scheduling.Policy != SchedulingState.Other)
            HostCalls.Call(HostSys.SchedSetscheduler, 0, _scheduling.Policy, (nint)(&priority));
    }

    private void ApplyTimerSlack()
    {
        const int SetTimerSlack = 29;
        HostCalls.Call(HostSys.Prctl, SetTimerSlack, (long)Math.Min(_timerSlack, MostHostSlack));
    }
}
