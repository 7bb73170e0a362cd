using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// POSIX message queues (mq_overview(7)): the host's own, in its namespace. A queue's descriptor is one of the guest's like any other.
/// </summary>
internal static unsafe class PosixQueues
{
    // mq_attr has four C longs and as many reserved ones: flags, most messages, most bytes of one, messages now.
    private const int Attributes = 4, Longs = 8, MessageSize = 2;

    // An address that the host refuses.
    private const nint Nowhere = 1;

    public static void Register(SyscallTable t)
    {
        t.Add("mq_open", &Open, "sxop", i386: 277, x64: 240);
        t.Add("mq_unlink", &Unlink, "s", i386: 278, x64: 241);
        t.Add("mq_timedsend", &Send, "fpuup", i386: 279, x64: 242);
        t.Add("mq_timedsend_time64", &Send64, "fpuup", i386: 418);
        t.Add("mq_timedreceive", &Receive, "fpupp", i386: 280, x64: 243);
        t.Add("mq_timedreceive_time64", &Receive64, "fpupp", i386: 419);
        t.Add("mq_getsetattr", &GetSetAttributes, "fpp", i386: 282, x64: 245);
    }

    // The call takes the name without its slash, and the descriptor is closed at execve.
    private static long Open(in SyscallContext c)
    {
        var attributes = stackalloc long[Longs];
        if (c.A3 != 0 && !TryReadAttributes(c, c.A3, attributes))
            return -Errno.EFAULT;
        var error = c.TryReadPath(c.A0, out var name);
        if (error < 0)
            return error;
        var mode = c.I2 & ~c.Process.FileSystem.Umask;
        fixed (byte* p = HostCalls.Path(name))
            return c.Install(HostCalls.Call(HostSys.MqOpen, (nint)p, c.I1, mode, c.A3 == 0 ? 0 : (nint)attributes), true, "/" + name);
    }

    private static long Unlink(in SyscallContext c)
    {
        var error = c.TryReadPath(c.A0, out var name);
        if (error < 0)
            return error;
        fixed (byte* p = HostCalls.Path(name))
            return HostCalls.Call(HostSys.MqUnlink, (nint)p);
    }

    private static long Send(in SyscallContext c) => Send(c, !c.Is32);

    private static long Send64(in SyscallContext c) => Send(c, true);

    private static long Send(in SyscallContext c, bool wide)
    {
        const uint EndOfPriorities = 32768;
        if (!TryReadTime(c, wide, out var time))
            return -Errno.EFAULT;
        using var file = c.File(c.I0);
        if (file.IsNone())
            return IsTime(c, time) && (uint)c.A3 < EndOfPriorities ? -Errno.EBADF : -Errno.EINVAL;

        // What is too long or cannot be read is the host's to refuse, at its place among the errors.
        var length = c.A2;
        var message = length <= MostBytes(file.HostFd) ? new byte[length] : [];
        var isThere = (ulong)message.Length == length && c.Memory.TryRead(c.A1, message);
        fixed (byte* p = message)
            return c.Blocking(HostSys.MqTimedsend, file.HostFd, isThere ? (nint)p : Nowhere, (long)length, (uint)c.A3, c.A4 == 0 ? 0 : (nint)(&time));
    }

    private static long Receive(in SyscallContext c) => Receive(c, !c.Is32);

    private static long Receive64(in SyscallContext c) => Receive(c, true);

    private static long Receive(in SyscallContext c, bool wide)
    {
        if (!TryReadTime(c, wide, out var time))
            return -Errno.EFAULT;
        using var file = c.File(c.I0);
        if (file.IsNone())
            return IsTime(c, time) ? -Errno.EBADF : -Errno.EINVAL;

        // A buffer shorter than the queue's messages is refused; of a longer one the host uses no more than such a message.
        var message = new byte[MostBytes(file.HostFd)];
        uint priority;
        long result;
        fixed (byte* p = message)
            result = c.Blocking(
                HostSys.MqTimedreceive, file.HostFd, (nint)p, (long)Math.Min(c.A2, (ulong)message.Length), (nint)(&priority),
                c.A4 == 0 ? 0 : (nint)(&time));
        if (result < 0)
            return result;
        return (c.A3 == 0 || c.Memory.TryWrite(c.A3, priority)) && c.Memory.TryWrite(c.A1, message.AsSpan(0, (int)result)) ? result : -Errno.EFAULT;
    }

    private static long GetSetAttributes(in SyscallContext c)
    {
        const long NonBlocking = 0x800;
        var attributes = stackalloc long[Longs * 2];
        if (c.A1 != 0 && !TryReadAttributes(c, c.A1, attributes))
            return -Errno.EFAULT;
        if (c.A1 != 0 && (attributes[0] & ~NonBlocking) != 0)
            return -Errno.EINVAL;
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        var old = attributes + Longs;
        var result = HostCalls.Call(HostSys.MqGetsetattr, file.HostFd, c.A1 == 0 ? 0 : (nint)attributes, (nint)old);
        return result < 0 || c.A2 == 0 || TryWriteAttributes(c, c.A2, old) ? result : -Errno.EFAULT;
    }

    // The most bytes of a message; 0 for what is no queue.
    private static ulong MostBytes(int hostFd)
    {
        var attributes = stackalloc long[Longs];
        return HostCalls.Call(HostSys.MqGetsetattr, hostFd, 0, (nint)attributes) < 0 ? 0 : (ulong)attributes[MessageSize];
    }

    private static bool IsTime(in SyscallContext c, TimeSpec time) => c.A4 == 0 || time.IsValid;

    private static bool TryReadTime(in SyscallContext c, bool wide, out TimeSpec time)
    {
        time = default;
        return c.A4 == 0 || (wide ? TimeLayouts.TryReadTimeSpec64(c, c.A4, out time) : TimeLayouts.TryReadTimeSpec(c, c.A4, out time));
    }

    private static bool TryReadAttributes(in SyscallContext c, ulong address, long* attributes)
    {
        if (!c.Is32)
            return c.Memory.TryRead(address, new Span<byte>(attributes, Longs * sizeof(long)));
        var guest = stackalloc int[Longs];
        if (!c.Memory.TryRead(address, new Span<byte>(guest, Longs * sizeof(int))))
            return false;
        for (var i = 0; i < Attributes; i++)
            attributes[i] = guest[i];
        return true;
    }

    private static bool TryWriteAttributes(in SyscallContext c, ulong address, long* attributes)
    {
        if (!c.Is32)
            return c.Memory.TryWrite(address, new ReadOnlySpan<byte>(attributes, Longs * sizeof(long)));
        var guest = stackalloc int[Longs];
        for (var i = 0; i < Longs; i++)
            guest[i] = (int)attributes[i];
        return c.Memory.TryWrite(address, new ReadOnlySpan<byte>(guest, Longs * sizeof(int)));
    }
}
