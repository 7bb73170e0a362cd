using System.Runtime.InteropServices;
using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Syscalls;

/// <summary>poll, select and epoll. select is made of the host's poll, so that descriptor numbers may differ.</summary>
internal static unsafe class Polling
{
    private const short PollIn = 1, PollPriority = 2, PollOut = 4, PollError = 8, PollHangUp = 16, PollInvalid = 32;
    private const short PollReadNormal = 64, PollReadBand = 128, PollWriteNormal = 256, PollWriteBand = 512;
    private const int EpollEventSize = 12;

    /// <summary>poll(fds, count, timeout in milliseconds).</summary>
    public static long Poll(in SyscallContext c)
    {
        if (c.I2 < 0)
            return PollAgain(c, Poll(c, null), long.MaxValue);
        var deadline = c.Deadline(TimeSpec.FromNanoseconds(c.I2 * 1_000_000L));
        var timeout = TimeSpec.FromNanoseconds(c.I2 == 0 ? 0 : Math.Max(deadline - HostClock.Monotonic(), 0));
        return PollAgain(c, Poll(c, &timeout), deadline);
    }

    /// <summary>ppoll(fds, count, timeout, mask, mask size).</summary>
    public static long Ppoll(in SyscallContext c) => Ppoll(c, !c.Is32);

    /// <summary>ppoll_time64, i386 only.</summary>
    public static long Ppoll64(in SyscallContext c) => Ppoll(c, true);

    /// <summary>select(count, read, write, except, timeval): _newselect of i386.</summary>
    public static long Select(in SyscallContext c)
    {
        if (c.A4 == 0)
            return Select(c, null);
        if (!TimeLayouts.TryReadTimeVal(c, c.A4, out var timeout))
            return -Errno.EFAULT;
        if (timeout.Seconds < 0 || timeout.Nanoseconds < 0)
            return -Errno.EINVAL;
        var result = Select(c, &timeout);
        return Remaining(c, result, TimeLayouts.TryWriteTimeVal(c, c.A4, timeout));
    }

    /// <summary>The oldest select of i386: one pointer to five arguments.</summary>
    public static long OldSelect(in SyscallContext c)
    {
        Span<uint> a = stackalloc uint[5];
        return c.Memory.TryRead(c.A0, MemoryMarshal.AsBytes(a))
            ? Select(new SyscallContext(c.Thread, c.Abi, a[0], a[1], a[2], a[3], a[4], 0))
            : -Errno.EFAULT;
    }

    /// <summary>pselect6(count, read, write, except, timespec, {mask, size}).</summary>
    public static long Pselect(in SyscallContext c) => Pselect(c, !c.Is32);

    /// <summary>pselect6_time64, i386 only.</summary>
    public static long Pselect64(in SyscallContext c) => Pselect(c, true);

    /// <summary>epoll_create(size).</summary>
    public static long EpollCreate(in SyscallContext c) =>
        c.I0 <= 0 ? -Errno.EINVAL : c.Install(HostCalls.Call(HostSys.EpollCreate1, OpenFlags.CloseOnExec), false);

    /// <summary>epoll_create1(flags).</summary>
    public static long EpollCreate1(in SyscallContext c) =>
        c.Install(HostCalls.Call(HostSys.EpollCreate1, c.I0 | OpenFlags.CloseOnExec), (c.I0 & OpenFlags.CloseOnExec) != 0);

    /// <summary>epoll_ctl(epoll, operation, fd, event): the event has the same layout for all.</summary>
    public static long EpollControl(in SyscallContext c)
    {
        const int Delete = 2;
        using var epoll = c.File(c.I0);
        using var file = c.File(c.I2);
        if (epoll.IsNone() || file.IsNone())
            return -Errno.EBADF;
        if (epoll.File.Tag is PidDescriptor)
            return -Errno.EINVAL;
        if (c.I1 != Delete)
            Watch(c, file);
        Span<byte> bytes = stackalloc byte[EpollEventSize];
        if (c.I1 != Delete && !c.Memory.TryRead(c.A3, bytes))
            return -Errno.EFAULT;
        fixed (byte* p = bytes)
            return HostCalls.Call(HostSys.EpollCtl, epoll.HostFd, c.I1, file.HostFd, (nint)p);
    }

    /// <summary>epoll_wait(epoll, events, count, timeout in milliseconds).</summary>
    public static long EpollWait(in SyscallContext c) => EpollWait(c, HostSys.EpollWait, c.I3);

    /// <summary>epoll_pwait: epoll_wait with a signal mask.</summary>
    public static long EpollPwait(in SyscallContext c)
    {
        var error = EnterMask(c, c.A4, c.A5, out var masked);
        return error < 0 ? error : LeaveMask(c, masked, EpollWait(c, HostSys.EpollWait, c.I3));
    }

    /// <summary>epoll_pwait2: epoll_pwait with a 64-bit timespec.</summary>
    public static long EpollPwait2(in SyscallContext c)
    {
        TimeSpec timeout = default;
        if (c.A3 != 0)
        {
            if (!TimeLayouts.TryReadTimeSpec64(c, c.A3, out timeout))
                return -Errno.EFAULT;
            if (!timeout.IsValid)
                return -Errno.EINVAL;
        }

        var error = EnterMask(c, c.A4, c.A5, out var masked);
        return error < 0 ? error : LeaveMask(c, masked, EpollWait(c, HostSys.EpollPwait2, c.A3 == 0 ? 0 : (nint)(&timeout)));
    }

    /// <summary>Sets the mask that a call brings along.</summary>
    internal static long EnterMask(in SyscallContext c, ulong address, ulong size, out bool masked)
    {
        masked = false;
        if (address == 0)
            return 0;
        if (size != 8)
            return -Errno.EINVAL;
        if (!c.Memory.TryRead(address, out ulong mask))
            return -Errno.EFAULT;
        c.Thread.SetTemporaryMask(mask);
        masked = true;
        return 0;
    }

    /// <summary>Ends such a mask, unless a signal handler runs first.</summary>
    internal static long LeaveMask(in SyscallContext c, bool masked, long result)
    {
        if (masked && result is not (-Errno.ERESTARTNOHAND or -Errno.EINTR))
            c.Thread.RestoreMask();
        return result;
    }

    // The time left was written where the timeout came from. When that cannot be written, the call cannot be made again.
    private static long Remaining(in SyscallContext c, long result, bool written) =>
        !written && result == -Errno.ERESTARTNOHAND ? -Errno.EINTR : result;

    // poll alone has no timeout of the caller's to bring up to date.
    private static long PollAgain(in SyscallContext c, long result, long deadline)
    {
        if (result != -Errno.ERESTARTNOHAND)
            return result;
        return c.GoesOn(-Errno.ERESTARTSYS, deadline);
    }

    private static long Ppoll(in SyscallContext c, bool wide)
    {
        TimeSpec timeout = default;
        if (c.A2 != 0)
        {
            if (!(wide ? TimeLayouts.TryReadTimeSpec64(c, c.A2, out timeout) : TimeLayouts.TryReadTimeSpec(c, c.A2, out timeout)))
                return -Errno.EFAULT;
            if (!timeout.IsValid)
                return -Errno.EINVAL;
        }

        var error = EnterMask(c, c.A3, c.A4, out var masked);
        if (error < 0)
            return error;
        var result = Poll(c, c.A2 == 0 ? null : &timeout);
        if (c.A2 != 0)
            result = Remaining(
                c, result, wide ? TimeLayouts.TryWriteTimeSpec64(c, c.A2, timeout) : TimeLayouts.TryWriteTimeSpec(c, c.A2, timeout));
        return LeaveMask(c, masked, result);
    }

    private static long Poll(in SyscallContext c, TimeSpec* timeout)
    {
        if (c.A1 > (ulong)c.Files.Limit)
            return -Errno.EINVAL;
        var fds = new PollFd[(int)c.A1];
        if (!c.Memory.TryRead(c.A0, MemoryMarshal.AsBytes(fds.AsSpan())) && fds.Length != 0)
            return -Errno.EFAULT;
        var host = new PollFd[fds.Length];
        var held = new FileRef[fds.Length];
        var invalid = 0;
        for (var i = 0; i < fds.Length; i++)
        {
            fds[i].Found = 0;
            host[i] = fds[i];
            if (fds[i].Fd < 0)
                continue;
            held[i] = c.File(fds[i].Fd);
            if (held[i].IsNone())
            {
                fds[i].Found = PollInvalid;
                host[i].Fd = -1;
                invalid++;
                continue;
            }

            Watch(c, held[i]);
            host[i].Fd = held[i].HostFd;
        }

        var now = default(TimeSpec);
        var result = WaitFor(c, host, invalid > 0 ? &now : timeout);
        foreach (var file in held)
            file.Dispose();
        if (result < 0)
            return result;
        for (var i = 0; i < fds.Length; i++)
        {
            fds[i].Found |= host[i].Found;
            if (!c.Memory.TryWrite(c.A0 + ((ulong)i * 8) + 6, fds[i].Found))
                return -Errno.EFAULT;
        }

        return result + invalid;
    }

    private static long WaitFor(in SyscallContext c, PollFd[] host, TimeSpec* timeout)
    {
        fixed (PollFd* p = host)
            return SyscallContext.NoHand(c.Blocking(HostSys.Ppoll, (nint)p, host.Length, (nint)timeout, 0, 8));
    }

    private static long Pselect(in SyscallContext c, bool wide)
    {
        TimeSpec timeout = default;
        if (c.A4 != 0)
        {
            if (!(wide ? TimeLayouts.TryReadTimeSpec64(c, c.A4, out timeout) : TimeLayouts.TryReadTimeSpec(c, c.A4, out timeout)))
                return -Errno.EFAULT;
            if (!timeout.IsValid)
                return -Errno.EINVAL;
        }

        ulong mask = 0, size = 0;
        if (c.A5 != 0 && (!c.TryReadLong(c.A5, out mask) || !c.TryReadLong(c.A5 + (uint)c.LongSize, out size)))
            return -Errno.EFAULT;
        var error = EnterMask(c, mask, size, out var masked);
        if (error < 0)
            return error;
        var result = Select(c, c.A4 == 0 ? null : &timeout);
        if (c.A4 != 0)
            result = Remaining(
                c, result, wide ? TimeLayouts.TryWriteTimeSpec64(c, c.A4, timeout) : TimeLayouts.TryWriteTimeSpec(c, c.A4, timeout));
        return LeaveMask(c, masked, result);
    }

    private static long Select(in SyscallContext c, TimeSpec* timeout)
    {
        if (c.I0 < 0)
            return -Errno.EINVAL;

        // The sets are arrays of longs, of which whole ones are read and written; bit order is that of bytes.
        var count = Math.Min(c.I0, Math.Max(c.Files.Limit, 1024));
        var bytes = (count + (8 * c.LongSize) - 1) / (8 * c.LongSize) * c.LongSize;
        var sets = new byte[3][];
        Span<ulong> addresses = [c.A1, c.A2, c.A3];
        for (var s = 0; s < 3; s++)
        {
            sets[s] = new byte[bytes];
            if (addresses[s] != 0 && !c.Memory.TryRead(addresses[s], sets[s]))
                return -Errno.EFAULT;
        }

        var fds = new List<PollFd>();
        var numbers = new List<int>();
        var held = new List<FileRef>();
        long result = 0;
        for (var fd = 0; fd < count && result == 0; fd++)
        {
            var events = (short)((IsSet(sets[0], fd) ? PollIn | PollReadNormal | PollReadBand : 0)
                | (IsSet(sets[1], fd) ? PollOut | PollWriteNormal | PollWriteBand : 0) | (IsSet(sets[2], fd) ? PollPriority : 0));
            if (events == 0)
                continue;
            var file = c.File(fd);
            if (file.IsNone())
            {
                result = -Errno.EBADF;
                break;
            }

            Watch(c, file);
            held.Add(file);
            numbers.Add(fd);
            fds.Add(new PollFd { Fd = file.HostFd, Wanted = events });
        }

        var host = fds.ToArray();
        if (result == 0)
            result = WaitFor(c, host, timeout);
        foreach (var file in held)
            file.Dispose();
        if (result < 0)
            return result;

        const int Readable = PollIn | PollReadNormal | PollReadBand | PollHangUp | PollError;
        const int Writable = PollOut | PollWriteNormal | PollWriteBand | PollError;
        var ready = 0;
        for (var i = 0; i < host.Length; i++)
        {
            ready += Keep(sets[0], numbers[i], (host[i].Found & Readable) != 0);
            ready += Keep(sets[1], numbers[i], (host[i].Found & Writable) != 0);
            ready += Keep(sets[2], numbers[i], (host[i].Found & PollPriority) != 0);
        }

        for (var s = 0; s < 3; s++)
            if (addresses[s] != 0 && !c.Memory.TryWrite(addresses[s], sets[s]))
                return -Errno.EFAULT;
        return ready;
    }

    // Whether a signalfd is readable depends on who asks.
    private static void Watch(in SyscallContext c, in FileRef file)
    {
        if (file.File.Tag is SignalDescriptor signals)
            signals.Watch(c.Process);
    }

    private static bool IsSet(byte[] set, int fd) => (set[fd >> 3] & (1 << (fd & 7))) != 0;

    // Clears the bit of a descriptor that is not ready; returns how many bits stay.
    private static int Keep(byte[] set, int fd, bool ready)
    {
        if (!IsSet(set, fd))
            return 0;
        if (ready)
            return 1;
        set[fd >> 3] &= (byte)~(1 << (fd & 7));
        return 0;
    }

    private static long EpollWait(in SyscallContext c, int number, long timeout)
    {
        const int MaxEvents = int.MaxValue / EpollEventSize;
        using var epoll = c.File(c.I0);
        if (epoll.IsNone())
            return -Errno.EBADF;
        if (c.I2 is <= 0 or > MaxEvents || epoll.File.Tag is PidDescriptor)
            return -Errno.EINVAL;
        if (!c.Memory.TryGetPrefix(c.A1, (ulong)c.I2 * EpollEventSize, true, out var p, out var usable) || usable < EpollEventSize)
            return -Errno.EFAULT;
        var result = SyscallContext.NeverAgain(
            c.Blocking(number, epoll.HostFd, (nint)p, (long)Math.Min((ulong)c.I2, usable / EpollEventSize), timeout, 0, 8));
        if (result > 0)
            c.Memory.Space.PrepareWrite(c.A1, (ulong)result * EpollEventSize);
        return result;
    }

    private struct PollFd
    {
        public int Fd;
        public short Wanted;
        public short Found;
    }
}
