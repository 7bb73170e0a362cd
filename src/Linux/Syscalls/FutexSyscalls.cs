using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// Futexes are the host's own, on the guest's memory in the host: private ones are told apart by their host address, shared ones by the
/// file behind them, just as the kernel does.
/// </summary>
internal static unsafe class FutexSyscalls
{
    private const int Wait = 0, Wake = 1, Requeue = 3, CompareRequeue = 4, WakeOp = 5, WaitBitset = 9, WakeBitset = 10;
    private const int Private = 128, ClockRealtime = 256;

    public static void Register(SyscallTable table)
    {
        table.Add("futex", &Futex, "pxdppx", i386: 240, x64: 202);
        table.Add("futex_time64", &Futex64, "pxdppx", i386: 422);
        table.Add("set_robust_list", &SetRobustList, "pu", i386: 311, x64: 273);
        table.Add("get_robust_list", &GetRobustList, "dpp", i386: 312, x64: 274);
    }

    private static long Futex(in SyscallContext c)
    {
        TimeSpec time = default;
        if (HasTimeout(c) && !TimeLayouts.TryReadTimeSpec(c, c.A3, out time))
            return -Errno.EFAULT;
        return Do(c, time);
    }

    private static long Futex64(in SyscallContext c)
    {
        TimeSpec time = default;
        if (HasTimeout(c) && !TimeLayouts.TryReadTimeSpec64(c, c.A3, out time))
            return -Errno.EFAULT;
        return Do(c, time);
    }

    private static bool HasTimeout(in SyscallContext c) => c.A3 != 0 && (c.I1 & 127) is Wait or WaitBitset;

    private static long Do(in SyscallContext c, TimeSpec time)
    {
        const int MatchAny = -1;
        var op = c.I1 & 127;
        var flags = c.I1 & (Private | ClockRealtime);
        if (op is not (Wait or Wake or Requeue or CompareRequeue or WakeOp or WaitBitset or WakeBitset))
            return -Errno.ENOSYS;
        if ((c.A0 & 3) != 0)
            return -Errno.EINVAL;
        if (!c.Memory.TryGetReadable(c.A0, 4, out var word))
            return -Errno.EFAULT;
        byte* second = null;
        if (op is Requeue or CompareRequeue or WakeOp)
        {
            if ((c.A4 & 3) != 0)
                return -Errno.EINVAL;
            if (!c.Memory.TryGetReadable(c.A4, 4, out second) || (op == WakeOp && !c.Memory.TryGetWritable(c.A4, 4, out second)))
                return -Errno.EFAULT;
        }

        switch (op)
        {
            case Wait when c.A3 == 0:
                return c.Blocking(HostSys.Futex, (nint)word, Wait | flags, c.I2, 0);
            case Wait:
                if (!time.IsValid)
                    return -Errno.EINVAL;
                return TimedWait(c, word, flags, time);
            case WaitBitset:
                if (c.A3 != 0 && !time.IsValid)
                    return -Errno.EINVAL;
                var result = c.Blocking(HostSys.Futex, (nint)word, op | flags, c.I2, c.A3 == 0 ? 0 : (nint)(&time), 0, c.I5);

                // With a time the kernel restarts through restart_syscall: no handler lets it go on.
                return c.A3 == 0 ? result : SyscallContext.NoHand(result);
            case Wake:
                return HostCalls.Call(HostSys.Futex, (nint)word, op | flags, c.I2);
            case WakeBitset:
                return HostCalls.Call(HostSys.Futex, (nint)word, op | flags, c.I2, 0, 0, c.I5);
            default:
                return HostCalls.Call(HostSys.Futex, (nint)word, op | flags, c.I2, (int)c.A3, (nint)second, c.I5);
        }

        // A relative timeout becomes an absolute one, so that a restart does not begin it again.
        static long TimedWait(in SyscallContext c, byte* word, int flags, TimeSpec time)
        {
            var deadline = c.Deadline(time);
            var until = TimeSpec.FromNanoseconds(deadline);
            var result = c.Blocking(HostSys.Futex, (nint)word, WaitBitset | (flags & Private), c.I2, (nint)(&until), 0, MatchAny);
            return c.GoesOn(result, deadline);
        }
    }

    private static long SetRobustList(in SyscallContext c)
    {
        if (c.A1 != (c.Is32 ? 12u : 24u))
            return -Errno.EINVAL;
        c.Thread.RobustList = c.A0;
        return 0;
    }

    private static long GetRobustList(in SyscallContext c)
    {
        var thread = c.I0 == 0 ? c.Thread : c.Process.Kernel.FindThread(c.I0);
        if (thread == null)
            return -Errno.ESRCH;
        if (!c.Process.OwnsOrIsRoot(thread.Process))
            return -Errno.EPERM;
        return c.TryWriteLong(c.A2, c.Is32 ? 12u : 24u) && c.TryWriteLong(c.A1, thread.RobustList) ? 0 : -Errno.EFAULT;
    }
}
