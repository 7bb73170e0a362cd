using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Processes;

/// <summary>
/// How many threads all guests together may have: what the host allows the process, less a reserve for the runtime (a runtime that cannot
/// start a thread it needs ends the process).
/// </summary>
internal static class ThreadLimit
{
    private const long Reserve = 64, Least = 16, Unchecked = 32;

    private static long s_most;

    /// <summary>True when another guest thread may be started.</summary>
    /// <param name="now">Threads that the guests have.</param>
    public static bool Allows(int now)
    {
        // Few programs have many threads; the others need not wait for this.
        if (now < Unchecked && s_most == 0)
            return true;
        if (s_most == 0)
            s_most = Math.Max(Least, HostLimit() - Reserve);
        return now < s_most;
    }

    private static unsafe long HostLimit()
    {
        var limits = stackalloc ulong[2];
        var most = Number("/proc/sys/kernel/threads-max") / 2;
        foreach (var path in (ReadOnlySpan<string>)["/sys/fs/cgroup/pids.max", $"/sys/fs/cgroup{Group("0::")}/pids.max", $"/sys/fs/cgroup/pids{Group("pids:")}/pids.max"])
            most = Math.Min(most, Number(path));
        if (HostCalls.Call(HostSys.Geteuid) != 0 && HostCalls.Call(HostSys.Prlimit64, 0, ResourceLimits.Processes, 0, (nint)limits) == 0)
            most = (long)Math.Min((ulong)most, limits[0]);
        return most;
    }

    private static long Number(string path) => long.TryParse(HostCalls.ReadText(path), out var value) ? value : long.MaxValue;

    // The control group of this process in the hierarchy that a line of /proc/self/cgroup is about.
    private static string Group(string controller)
    {
        foreach (var line in (HostCalls.ReadText("/proc/self/cgroup") ?? string.Empty).Split('\n'))
            if (line.IndexOf(controller, StringComparison.Ordinal) is var at and >= 0)
                return line[(at + controller.Length)..].TrimEnd('/');
        return string.Empty;
    }
}
