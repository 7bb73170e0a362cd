using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// Nice values and input/output priorities. Both are the host's, of the host thread behind a guest thread; which threads are meant, and who
/// may change them, goes by the guests' own numbers and users.
/// </summary>
internal static unsafe class PrioritySyscalls
{
    private const int OfProcess = 0, OfGroup = 1, OfUser = 2;

    public static void Register(SyscallTable table)
    {
        table.Add("nice", &Nice, "d", i386: 34);
        table.Add("getpriority", &GetPriority, "dd", i386: 96, x64: 140);
        table.Add("setpriority", &SetPriority, "ddd", i386: 97, x64: 141);
        table.Add("ioprio_get", &GetInput, "dd", i386: 290, x64: 252);
        table.Add("ioprio_set", &SetInput, "ddd", i386: 289, x64: 251);
    }

    private static long Nice(in SyscallContext c) => SetNice(c, c.Thread, c.Thread.Nice + Math.Clamp(c.I0, -40, 40), -Errno.EPERM);

    private static long GetPriority(in SyscallContext c)
    {
        if (c.I0 is < OfProcess or > OfUser)
            return -Errno.EINVAL;
        var threads = Choose(c, c.I0, c.I1);
        return threads.Count == 0 ? -Errno.ESRCH : threads.Max(thread => 20 - thread.Nice);
    }

    private static long SetPriority(in SyscallContext c)
    {
        if (c.I0 is < OfProcess or > OfUser)
            return -Errno.EINVAL;
        long result = -Errno.ESRCH;
        foreach (var thread in Choose(c, c.I0, c.I1))
        {
            var one = c.Process.OwnsOrIsRoot(thread.Process) ? SetNice(c, thread, c.I2, -Errno.EACCES) : -Errno.EPERM;
            result = one < 0 || result == -Errno.ESRCH ? one : result;
        }

        return result;
    }

    private static long SetNice(in SyscallContext c, GuestThread thread, int wanted, int refusal)
    {
        wanted = Math.Clamp(wanted, -20, 19);
        if (c.Process.Credentials.EffectiveUser != 0 && !SchedulingState.AllowsNice(thread.Nice, wanted, thread.Process.Limits))
            return refusal;
        if (thread.HostThread is not (> 0 and var host))
            return -Errno.ESRCH;
        return HostCalls.Call(HostSys.Setpriority, OfProcess, host, wanted) < 0 ? refusal : 0;
    }

    private static long GetInput(in SyscallContext c)
    {
        if (c.I0 is < OfProcess + 1 or > OfUser + 1)
            return -Errno.EINVAL;
        var threads = Choose(c, c.I0 - 1, c.I1);
        if (threads.Count == 0)
            return -Errno.ESRCH;
        return threads.Min(thread => HostCalls.Call(HostSys.IoprioGet, OfProcess + 1, thread.HostThread));
    }

    private static long SetInput(in SyscallContext c)
    {
        if (c.I0 is < OfProcess + 1 or > OfUser + 1)
            return -Errno.EINVAL;
        long result = -Errno.ESRCH;
        foreach (var thread in Choose(c, c.I0 - 1, c.I1))
        {
            result = c.Process.OwnsOrIsRoot(thread.Process)
                ? HostCalls.Call(HostSys.IoprioSet, OfProcess + 1, thread.HostThread, c.I2)
                : -Errno.EPERM;
            if (result < 0)
                break;
        }

        return result;
    }

    // The threads that run and are meant; 0 is the caller's own thread, group or user.
    private static List<GuestThread> Choose(in SyscallContext c, int kind, int number)
    {
        var self = c.Thread;
        var kernel = c.Process.Kernel;
        if (kind == OfProcess)
        {
            var one = number == 0 ? self : kernel.FindThread(number);
            return one?.AwaitHostThread() > 0 ? [one] : [];
        }

        lock (kernel.Gate)
        {
            var group = number == 0 ? c.Process.GroupId : number;
            var user = number == 0 ? c.Process.Credentials.User : (uint)number;
            return [.. kernel.Processes
                .Where(process => kind == OfGroup ? process.GroupId == group : process.Credentials.User == user)
                .SelectMany(process => process.Threads).Where(thread => thread.HostThread > 0)];
        }
    }
}
