using DynaTrans.Linux.Files;
using DynaTrans.Linux.Files.Proc;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Descriptors that are events: eventfd, timerfd, inotify; and memfd.</summary>
internal static unsafe class EventFiles
{
    private const int CloseOnExec = OpenFlags.CloseOnExec;

    /// <summary>eventfd(count).</summary>
    public static long Eventfd(in SyscallContext c) => c.Install(HostCalls.Call(HostSys.Eventfd2, (uint)c.A0, CloseOnExec), false);

    /// <summary>eventfd2(count, flags).</summary>
    public static long Eventfd2(in SyscallContext c) =>
        c.Install(HostCalls.Call(HostSys.Eventfd2, (uint)c.A0, c.I1 | CloseOnExec), (c.I1 & CloseOnExec) != 0);

    /// <summary>signalfd(fd, set, size).</summary>
    public static long Signalfd(in SyscallContext c) => Signalfd(c, 0);

    /// <summary>signalfd4(fd, set, size, flags).</summary>
    public static long Signalfd4(in SyscallContext c) => Signalfd(c, c.I3);

    /// <summary>timerfd_create(clock, flags).</summary>
    public static long TimerfdCreate(in SyscallContext c) =>
        c.Install(HostCalls.Call(HostSys.TimerfdCreate, c.I0, c.I1 | CloseOnExec), (c.I1 & CloseOnExec) != 0);

    /// <summary>timerfd_settime(fd, flags, new, old).</summary>
    public static long TimerfdSetTime(in SyscallContext c) => TimerfdSetTime(c, !c.Is32);

    /// <summary>timerfd_settime64, i386 only.</summary>
    public static long TimerfdSetTime64(in SyscallContext c) => TimerfdSetTime(c, true);

    /// <summary>timerfd_gettime(fd, value).</summary>
    public static long TimerfdGetTime(in SyscallContext c) => TimerfdGetTime(c, !c.Is32);

    /// <summary>timerfd_gettime64, i386 only.</summary>
    public static long TimerfdGetTime64(in SyscallContext c) => TimerfdGetTime(c, true);

    /// <summary>inotify_init().</summary>
    public static long InotifyInit(in SyscallContext c) => c.Install(HostCalls.Call(HostSys.InotifyInit1, CloseOnExec), false);

    /// <summary>inotify_init1(flags).</summary>
    public static long InotifyInit1(in SyscallContext c) =>
        c.Install(HostCalls.Call(HostSys.InotifyInit1, c.I0 | CloseOnExec), (c.I0 & CloseOnExec) != 0);

    /// <summary>inotify_add_watch(fd, path, mask).</summary>
    public static long InotifyAddWatch(in SyscallContext c)
    {
        const uint DoNotFollow = 0x0200_0000, OnlyDirectories = 0x0100_0000;
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        var error = c.Find(PathResolver.AtWorkingDirectory, c.A1, out var target, ((uint)c.A2 & DoNotFollow) == 0);
        if (error < 0)
            return error;
        using var held = target;

        if (target.Node != null)
            return ProcStorage.Watch(file.HostFd, (uint)c.A2 & ~(DoNotFollow | (target.Node is ProcDirectory ? OnlyDirectories : 0)));

        // The host's call takes a path only; /proc finds the object, the link itself when it is one.
        fixed (byte* p = HostCalls.Path(HostFiles.Reopening(target.HostFd)))
            return HostCalls.Call(HostSys.InotifyAddWatch, file.HostFd, (nint)p, (uint)c.A2 & ~DoNotFollow);
    }

    /// <summary>inotify_rm_watch(fd, watch).</summary>
    public static long InotifyRemoveWatch(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        return file.IsNone() ? -Errno.EBADF : HostCalls.Call(HostSys.InotifyRmWatch, file.HostFd, c.I1);
    }

    /// <summary>memfd_create(name, flags).</summary>
    public static long MemfdCreate(in SyscallContext c)
    {
        const int MemfdCloseOnExec = 1, MaxName = 250;
        long error = c.Memory.TryReadString(c.A0, out var name, MaxName);
        if (error < 0)
            return error == -Errno.ENAMETOOLONG ? -Errno.EINVAL : error;
        fixed (byte* p = HostCalls.Path(name))
            return c.Install(HostCalls.Call(HostSys.MemfdCreate, (nint)p, c.I1 | MemfdCloseOnExec), (c.I1 & MemfdCloseOnExec) != 0);
    }

    private static long Signalfd(in SyscallContext c, int flags)
    {
        if ((flags & ~(CloseOnExec | OpenFlags.NonBlocking)) != 0 || c.A2 != sizeof(ulong))
            return -Errno.EINVAL;
        if (!c.Memory.TryRead(c.A1, out ulong set))
            return -Errno.EFAULT;
        set &= ~Signal.Unblockable;
        if (c.I0 != -1)
        {
            using var file = c.File(c.I0);
            if (file.IsNone())
                return -Errno.EBADF;
            if (file.File.Tag is not SignalDescriptor existing)
                return -Errno.EINVAL;
            existing.Change(c.Process, set);
            return c.I0;
        }

        var fd = HostCalls.Call(HostSys.Eventfd2, 0, CloseOnExec | (flags & OpenFlags.NonBlocking));
        if (fd < 0)
            return fd;
        var descriptor = new SignalDescriptor(c.Process.Kernel, (int)fd);
        descriptor.Change(c.Process, set);
        return c.Install(fd, (flags & CloseOnExec) != 0, null, descriptor);
    }

    private static long TimerfdSetTime(in SyscallContext c, bool wide)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        var times = stackalloc TimeSpec[4];
        for (var i = 0; i < 2; i++)
        {
            var at = c.A2 + (ulong)(i * (wide ? 16 : 8));
            if (!(wide ? TimeLayouts.TryReadTimeSpec64(c, at, out times[i]) : TimeLayouts.TryReadTimeSpec(c, at, out times[i])))
                return -Errno.EFAULT;
        }

        var error = HostCalls.Call(HostSys.TimerfdSettime, file.HostFd, c.I1, (nint)times, (nint)(times + 2));
        return error < 0 || c.A3 == 0 ? error : WritePair(c, c.A3, times + 2, wide);
    }

    private static long TimerfdGetTime(in SyscallContext c, bool wide)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        var times = stackalloc TimeSpec[2];
        var error = HostCalls.Call(HostSys.TimerfdGettime, file.HostFd, (nint)times);
        return error < 0 ? error : WritePair(c, c.A1, times, wide);
    }

    private static long WritePair(in SyscallContext c, ulong address, TimeSpec* times, bool wide)
    {
        for (var i = 0; i < 2; i++)
        {
            var at = address + (ulong)(i * (wide ? 16 : 8));
            if (!(wide ? TimeLayouts.TryWriteTimeSpec64(c, at, times[i]) : TimeLayouts.TryWriteTimeSpec(c, at, times[i])))
                return -Errno.EFAULT;
        }

        return 0;
    }
}
