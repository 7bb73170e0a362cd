using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Processes;

/// <summary>Resource limits of a process (RLIMIT_*), 64-bit; they start as the host's.</summary>
public sealed class ResourceLimits
{
    /// <summary>Number of resources.</summary>
    public const int Count = 16;

    /// <summary>RLIM_INFINITY.</summary>
    public const ulong Infinity = ulong.MaxValue;

    /// <summary>RLIMIT_CPU, in seconds.</summary>
    public const int Cpu = 0;

    /// <summary>RLIMIT_FSIZE.</summary>
    public const int FileSize = 1;

    /// <summary>RLIMIT_DATA.</summary>
    public const int Data = 2;

    /// <summary>RLIMIT_STACK.</summary>
    public const int Stack = 3;

    /// <summary>RLIMIT_NPROC.</summary>
    public const int Processes = 6;

    /// <summary>RLIMIT_NOFILE.</summary>
    public const int Files = 7;

    /// <summary>RLIMIT_MEMLOCK.</summary>
    public const int LockedMemory = 8;

    /// <summary>RLIMIT_AS.</summary>
    public const int AddressSpace = 9;

    /// <summary>RLIMIT_SIGPENDING.</summary>
    public const int PendingSignals = 11;

    /// <summary>RLIMIT_NICE: 20 less the lowest nice value.</summary>
    public const int Nice = 13;

    /// <summary>RLIMIT_RTPRIO.</summary>
    public const int RealTimePriority = 14;

    private readonly (ulong Soft, ulong Hard)[] _values = new (ulong, ulong)[Count];

    /// <summary>The limit of a resource.</summary>
    public (ulong Soft, ulong Hard) this[int resource]
    {
        get => _values[resource];
        set => _values[resource] = value;
    }

    /// <summary>The host's limits.</summary>
    public static unsafe ResourceLimits FromHost()
    {
        var limits = new ResourceLimits();
        var pair = stackalloc ulong[2];
        for (var i = 0; i < Count; i++)
            limits[i] = HostCalls.Call(HostSys.Prlimit64, 0, i, 0, (nint)pair) == 0 ? (pair[0], pair[1]) : (Infinity, Infinity);
        return limits;
    }

    /// <summary>A copy for a new process.</summary>
    public ResourceLimits Copy()
    {
        var copy = new ResourceLimits();
        _values.CopyTo(copy._values, 0);
        return copy;
    }
}
