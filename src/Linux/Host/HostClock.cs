using DynaTrans.Linux.Syscalls;

namespace DynaTrans.Linux.Host;

/// <summary>The host's clocks in nanoseconds.</summary>
internal static unsafe class HostClock
{
    private const int ClockRealtime = 0, ClockMonotonic = 1;

    /// <summary>CLOCK_MONOTONIC.</summary>
    public static long Monotonic() => Read(ClockMonotonic);

    /// <summary>CLOCK_REALTIME.</summary>
    public static long Realtime() => Read(ClockRealtime);

    private static long Read(int clock)
    {
        TimeSpec time;
        HostCalls.Fast(HostSys.ClockGettime, clock, (nint)(&time));
        return time.ToNanoseconds();
    }
}
