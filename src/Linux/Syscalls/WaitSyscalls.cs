using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Waiting for children.</summary>
internal static unsafe class WaitSyscalls
{
    private const int NoHang = 1, Stopped = 2, Exited = 4, Continued = 8, NoWait = 0x01000000;
    private const int KnownFlags = NoHang | Stopped | Exited | Continued | NoWait | unchecked((int)0xE0000000);

    public static void Register(SyscallTable table)
    {
        table.Add("waitpid", &Waitpid, "dpx", i386: 7);
        table.Add("wait4", &Wait4, "dpxp", i386: 114, x64: 61);
        table.Add("waitid", &Waitid, "ddpxp", i386: 284, x64: 247);
    }

    private static long Waitpid(in SyscallContext c) => Wait(c, c.I0, c.A1, c.I2, 0);

    private static long Wait4(in SyscallContext c) => Wait(c, c.I0, c.A1, c.I2, c.A3);

    private static long Wait(in SyscallContext c, int pid, ulong statusAddress, int flags, ulong usage)
    {
        if ((flags & ~KnownFlags) != 0 || (flags & (Exited | NoWait)) != 0)
            return -Errno.EINVAL;
        if (pid == int.MinValue)
            return -Errno.ESRCH;
        var result = Find(c, Chooser(c.Process, pid), flags | Exited, out var found);
        if (result <= 0)
            return result;
        if (statusAddress != 0 && !c.Memory.TryWrite(statusAddress, found.Status))
            return -Errno.EFAULT;
        if (usage != 0 && !UsageLayout.TryWrite(c, usage, found.Time, 0))
            return -Errno.EFAULT;
        return result;
    }

    private static long Waitid(in SyscallContext c)
    {
        const int All = 0, Process = 1, Group = 2, Descriptor = 3;
        var flags = c.I3;
        var isNonBlocking = false;
        if ((c.I3 & ~KnownFlags) != 0 || (c.I3 & (Exited | Stopped | Continued)) == 0)
            return -Errno.EINVAL;
        Func<GuestProcess, int, bool> chooser;
        switch (c.I0)
        {
            case All:
                chooser = static (_, _) => true;
                break;
            case Process when c.I1 > 0:
                chooser = Chooser(c.Process, c.I1);
                break;
            case Group when c.I1 >= 0:
                chooser = Chooser(c.Process, -c.I1);
                break;
            case Descriptor when c.I1 >= 0:
                var error = PidfdSyscalls.Find(c, c.I1, out var descriptor, out isNonBlocking);
                if (error < 0)
                    return error;
                var target = descriptor!.Process;
                chooser = (child, number) => child == target && number == target.Pid;
                flags |= isNonBlocking ? NoHang : 0;
                break;
            default:
                return -Errno.EINVAL;
        }

        var result = Find(c, chooser, flags, out var found);
        if (result < 0)
            return result;
        if (result == 0 && isNonBlocking && (c.I3 & NoHang) == 0)
            return -Errno.EAGAIN;
        if (c.A4 != 0 && !UsageLayout.TryWrite(c, c.A4, found.Time, 0))
            return -Errno.EFAULT;
        if (c.A2 == 0)
            return 0;
        Span<byte> bytes = stackalloc byte[SignalInfo.Size];
        if (result == 0)
            bytes.Clear();
        else
            found.ToInfo((int)result).Write(bytes, c.Is32);
        return c.Memory.TryWrite(c.A2, bytes) ? 0 : -Errno.EFAULT;
    }

    // By process and number: that of the process, or of a thread that is traced.
    private static Func<GuestProcess, int, bool> Chooser(GuestProcess parent, int pid) => pid switch
    {
        -1 => static (_, _) => true,
        0 => (child, _) => child.GroupId == parent.GroupId,
        < 0 => (child, _) => child.GroupId == -pid,
        _ => (_, number) => number == pid,
    };

    // The number of a child with something to tell, 0 with NoHang and nothing to tell, or a negative error number.
    private static long Find(in SyscallContext c, Func<GuestProcess, int, bool> chooser, int flags, out Report report)
    {
        report = default;
        var thread = c.Thread;
        while (true)
        {
            var seen = thread.EventCount;
            lock (c.Process.Kernel.Gate)
            {
                var any = false;
                foreach (var child in c.Process.Children)
                {
                    if (!chooser(child, child.Pid))
                        continue;
                    any = true;
                    if (TryReport(child, flags, out report))
                        return child.Pid;
                }

                foreach (var tracee in c.Process.Tracees)
                {
                    if (!chooser(tracee.Process, tracee.Tid))
                        continue;
                    any = true;
                    if (!tracee.IsTraceStopNews || (flags & (Exited | Stopped)) == 0)
                        continue;
                    report = new Report((tracee.TraceStop << 8) | 0x7F, default, tracee.Process.Credentials.User, IsTraced: true);
                    tracee.IsTraceStopNews = (flags & NoWait) != 0;
                    return tracee.Tid;
                }

                if (!any)
                    return -Errno.ECHILD;
            }

            if ((flags & NoHang) != 0)
                return 0;
            if (thread.IsInterrupted)
                return -Errno.ERESTARTSYS;
            thread.WaitEvent(seen);
        }
    }

    private static bool TryReport(GuestProcess child, int flags, out Report report)
    {
        report = default;
        if (child.State == ProcessState.Zombie)
        {
            if ((flags & Exited) == 0)
                return false;
            report = new Report(child.ExitStatus, child.EndedThreads + child.WaitedChildren, child.Credentials.User);
            if ((flags & NoWait) == 0)
                child.Reap();
            return true;
        }

        if (child.WaitEvent is not { } status || (flags & (status == 0xFFFF ? Continued : Stopped)) == 0)
            return false;
        report = new Report(status, default, child.Credentials.User);
        if ((flags & NoWait) == 0)
            child.WaitEvent = null;
        return true;
    }

    // A wait status with the CPU time of an ended child.
    private readonly record struct Report(int Status, CpuUsage Time, uint User, bool IsTraced = false)
    {
        public SignalInfo ToInfo(int pid)
        {
            var (code, status) = Status switch
            {
                0xFFFF => (GuestProcess.ChildContinued, Signal.Cont),
                var s when (s & 0xFF) == 0x7F => (IsTraced ? GuestProcess.ChildTrapped : GuestProcess.ChildStopped, s >> 8),
                var s when (s & 0x7F) == 0 => (GuestProcess.ChildExited, s >> 8 & 0xFF),
                var s => ((s & 0x80) != 0 ? GuestProcess.ChildDumped : GuestProcess.ChildKilled, s & 0x7F),
            };
            return new SignalInfo
            {
                Number = Signal.Chld, Code = code, Kind = SignalInfoKind.Child, Pid = pid, User = User, Status = status,
            };
        }
    }
}
