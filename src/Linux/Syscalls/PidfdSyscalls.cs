using DynaTrans.Linux.Files;
using DynaTrans.Linux.Files.Proc;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Descriptors of processes: pidfd_open(2) and the calls that take one. Errors as in Linux 6.1.</summary>
internal static unsafe class PidfdSyscalls
{
    public static void Register(SyscallTable table)
    {
        table.Add("pidfd_open", &Open, "dx", i386: 434, x64: 434);
        table.Add("pidfd_send_signal", &SendSignal, "fnpx", i386: 424, x64: 424);
        table.Add("pidfd_getfd", &GetFd, "fdx", i386: 438, x64: 438);
        table.Add("process_madvise", &Advise, "fpudx", i386: 440, x64: 440);
    }

    /// <summary>Enters a new descriptor of a process into the caller's table.</summary>
    /// <returns>Its number, or a negative error number.</returns>
    public static long Install(in SyscallContext c, GuestProcess process, bool nonBlocking)
    {
        var error = PidDescriptor.Open(process, nonBlocking, out var file);
        return error < 0 ? error : c.Files.Add(file!, closeOnExec: true);
    }

    /// <summary>The process of a descriptor.</summary>
    /// <returns>0 or -EBADF.</returns>
    public static long Find(in SyscallContext c, int fd, out PidDescriptor? descriptor, out bool nonBlocking)
    {
        descriptor = null;
        nonBlocking = false;
        using var file = c.File(fd);
        if (file.IsNone() || file.File.Tag is not PidDescriptor found)
            return -Errno.EBADF;
        descriptor = found;
        nonBlocking = (Host.HostCalls.Call(Host.HostSys.Fcntl, file.HostFd, DescriptorCalls.GetStatus) & OpenFlags.NonBlocking) != 0;
        return 0;
    }

    private static long Open(in SyscallContext c)
    {
        if ((c.I1 & ~OpenFlags.NonBlocking) != 0 || c.I0 <= 0)
            return -Errno.EINVAL;
        var kernel = c.Process.Kernel;
        if (kernel.FindProcess(c.I0) is not { } process)
            return kernel.FindThread(c.I0) == null ? -Errno.ESRCH : -Errno.EINVAL;
        return Install(c, process, c.I1 != 0);
    }

    private static long SendSignal(in SyscallContext c)
    {
        if ((uint)c.A3 != 0)
            return -Errno.EINVAL;
        GuestProcess target;
        using (var file = c.File(c.I0))
        {
            if (file.IsNone())
                return -Errno.EBADF;
            switch (file.File.Tag)
            {
                case PidDescriptor descriptor:
                    target = descriptor.Process;
                    break;
                case IProcPlace { Node: ProcessDirectory { Leader: { } leader } }:
                    target = leader;
                    break;
                default:
                    return -Errno.EBADF;
            }
        }

        var info = SignalInfo.Sent(c.I1, SignalInfo.FromUser, c.Process.Pid, c.Process.Credentials.User);
        if (c.A2 != 0)
        {
            var error = SignalSyscalls.ReadInfo(c, c.I1, c.A2, out info);
            if (error < 0)
                return error;
            if (!c.Memory.TryRead(c.A2, out int number) || number != c.I1)
                return -Errno.EINVAL;
            if (SignalSyscalls.Impersonates(info) && (target != c.Process || c.Thread.Tid != c.Process.Pid))
                return -Errno.EPERM;
        }

        lock (target.Kernel.Gate)
            return target.Kernel.FindProcess(target.Pid) == target ? SignalSyscalls.Send(c, target, null, info) : -Errno.ESRCH;
    }

    private static long GetFd(in SyscallContext c)
    {
        if ((uint)c.A2 != 0)
            return -Errno.EINVAL;
        var error = Find(c, c.I0, out var descriptor, out _);
        if (error < 0)
            return error;
        var target = descriptor!.Process;
        if (descriptor.IsGone)
            return -Errno.ESRCH;
        if (!ProcSubject.MayInspect(c.Process, target))
            return -Errno.EPERM;
        if (target.HasEnded)
            return -Errno.ESRCH;
        if (!target.Files.TryGet(c.I1, out var file))
            return -Errno.EBADF;
        using (file)
        {
            file.File.AddReference();
            return c.Files.Add(file.File, closeOnExec: true);
        }
    }

    // Of another process only what does not change its contents.
    private static long Advise(in SyscallContext c)
    {
        const int WillNeed = 3, Cold = 20, PageOut = 21, Collapse = 25;
        if ((uint)c.A4 != 0)
            return -Errno.EINVAL;
        var error = Vectors.ReadPairs(c.Memory, c.Is32, c.A1, c.A2, out var ranges);
        if (error < 0)
            return error;
        error = Find(c, c.I0, out var descriptor, out _);
        if (error < 0)
            return error;
        if (descriptor!.IsGone)
            return -Errno.ESRCH;
        if (c.I3 is not (WillNeed or Cold or PageOut or Collapse))
            return -Errno.EINVAL;
        var target = descriptor.Process;
        if (target.HasEnded)
            return -Errno.ESRCH;
        if (!ProcSubject.MayInspect(c.Process, target) || (target != c.Process && c.Process.Credentials.EffectiveUser != 0))
            return -Errno.EPERM;
        var memory = target.Memory;
        if (!memory.TryAddUser())
            return -Errno.ESRCH;
        try
        {
            return Advise(memory, ranges, c.I3);
        }
        finally
        {
            memory.RemoveUser();
        }
    }

    // Bytes up to the first range with an error; the error when it is the first.
    private static long Advise(ProcessMemory memory, (ulong Start, ulong Length)[] ranges, int advice)
    {
        long total = 0;
        foreach (var (start, length) in ranges)
        {
            var error = MemoryAdvice.Advise(memory, start, length, advice);
            if (error < 0)
                return total > 0 ? total : error;
            total += (long)Math.Min(length, (ulong)(long.MaxValue - total));
        }

        return total;
    }
}
