using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Processes;

/// <summary>How a thread is scheduled: policy, priorities, and what its children get (sched(7)).</summary>
internal readonly unsafe record struct SchedulingState
{
    /// <summary>SCHED_OTHER.</summary>
    public const int Other = 0;

    /// <summary>SCHED_FIFO and SCHED_RR.</summary>
    public const int FirstIn = 1, RoundRobin = 2;

    /// <summary>SCHED_BATCH, SCHED_IDLE and SCHED_DEADLINE.</summary>
    public const int Batch = 3, Idle = 5, Deadline = 6;

    /// <summary>SCHED_RESET_ON_FORK, a flag beside the policy.</summary>
    public const int ResetOnFork = 0x40000000;

    /// <summary>SCHED_*, without flags.</summary>
    public int Policy { get; init; }

    /// <summary>Nice value, -20 to 19.</summary>
    public int Nice { get; init; }

    /// <summary>Real-time priority, 1 to 99; 0 for the other policies.</summary>
    public uint Priority { get; init; }

    /// <summary>Threads that it makes have the usual policy.</summary>
    public bool IsResetOnFork { get; init; }

    /// <summary>True when policy and priority belong together.</summary>
    public bool IsValid => Priority < 100 && Policy switch
    {
        FirstIn or RoundRobin => Priority != 0,
        Other or Batch or Idle or Deadline => Priority == 0,
        _ => false,
    };

    /// <summary>That of a host thread; 0 is the caller.</summary>
    public static SchedulingState Of(int hostThread)
    {
        const int ByProcess = 0;
        int priority = 0;
        var policy = (int)Math.Max(HostCalls.Call(HostSys.SchedGetscheduler, hostThread), 0);
        HostCalls.Call(HostSys.SchedGetparam, hostThread, (nint)(&priority));
        return new SchedulingState
        {
            Policy = policy & ~ResetOnFork,
            Nice = 20 - (int)HostCalls.Call(HostSys.Getpriority, ByProcess, hostThread),
            Priority = (uint)priority,
            IsResetOnFork = (policy & ResetOnFork) != 0,
        };
    }

    /// <summary>True when limits allow a nice value to a thread that has another (RLIMIT_NICE).</summary>
    public static bool AllowsNice(int now, int wanted, ResourceLimits limits) =>
        wanted >= now || (ulong)(20 - wanted) <= limits[ResourceLimits.Nice].Soft;

    /// <summary>True when a thread of these limits may be scheduled in another way without the right to do anything (CAP_SYS_NICE).</summary>
    public bool MayBecome(in SchedulingState next, ResourceLimits limits)
    {
        if (next.Policy is Other or Batch && !AllowsNice(Nice, next.Nice, limits))
            return false;
        if (next.Policy is FirstIn or RoundRobin)
        {
            var most = limits[ResourceLimits.RealTimePriority].Soft;
            if ((next.Policy != Policy && most == 0) || (next.Priority > Priority && next.Priority > most))
                return false;
        }

        // Leaving SCHED_IDLE is gaining priority.
        if (Policy == Idle && next.Policy != Idle && (ulong)(20 - Nice) > limits[ResourceLimits.Nice].Soft)
            return false;
        return next.Policy != Deadline && (!IsResetOnFork || next.IsResetOnFork);
    }
}
