namespace DynaTrans.Linux.Processes;

/// <summary>CPU time in nanoseconds, of which the host says how much was spent in its kernel.</summary>
/// <param name="User">In user mode: guest code and what DynaTrans does for it.</param>
/// <param name="System">In the host's kernel.</param>
public readonly record struct CpuUsage(long User, long System)
{
    /// <summary>Both.</summary>
    public long Total => User + System;

    /// <summary>The sum.</summary>
    public static CpuUsage operator +(CpuUsage a, CpuUsage b) => new(a.User + b.User, a.System + b.System);

    /// <summary>
    /// Divides an exact time as two figures that the host samples are to each other, with neither part less than it was when last told
    /// (the kernel's cputime_adjust).
    /// </summary>
    public static CpuUsage Divide(long total, CpuUsage sampled, CpuUsage before)
    {
        var system = sampled.Total == 0 ? 0 : (long)((double)total * sampled.System / sampled.Total);
        system = Math.Max(system, before.System);
        var user = Math.Max(total - system, before.User);
        return new CpuUsage(user, Math.Max(total - user, before.System));
    }
}
