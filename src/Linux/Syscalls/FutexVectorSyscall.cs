using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Syscalls;

/// <summary>futex_waitv(2): waiting for one of several futexes. They are the host's own, as those of <see cref="FutexSyscalls"/>.</summary>
internal static unsafe class FutexVectorSyscall
{
    private const uint Size32 = 2, Private = 128;
    private const int MostWaiters = 128, Monotonic = 1, Realtime = 0;

    public static void Register(SyscallTable table) => table.Add("futex_waitv", &Wait, "puxpd", i386: 449, x64: 449);

    private static long Wait(in SyscallContext c)
    {
        var count = (uint)c.A1;
        if ((uint)c.A2 != 0 || count is 0 or > MostWaiters || c.A0 == 0)
            return -Errno.EINVAL;
        TimeSpec until = default;
        if (c.A3 != 0)
        {
            if (c.I4 is not (Monotonic or Realtime))
                return -Errno.EINVAL;
            if (!TimeLayouts.TryReadTimeSpec64(c, c.A3, out until))
                return -Errno.EFAULT;
            if (!until.IsValid)
                return -Errno.EINVAL;
        }

        var waiters = stackalloc Waiter[MostWaiters];
        for (var i = 0; i < count; i++)
        {
            if (!c.Memory.TryRead(c.A0 + (ulong)(i * sizeof(Waiter)), out waiters[i]))
                return -Errno.EFAULT;
            if ((waiters[i].Flags & ~(Size32 | Private)) != 0 || (waiters[i].Flags & Size32) == 0 || waiters[i].Reserved != 0)
                return -Errno.EINVAL;
        }

        for (var i = 0; i < count; i++)
        {
            if ((waiters[i].Address & 3) != 0)
                return -Errno.EINVAL;
            if (!c.Memory.TryGetReadable(waiters[i].Address, sizeof(uint), out var word))
                return -Errno.EFAULT;
            waiters[i].Address = (ulong)word;
        }

        return c.Blocking(HostSys.FutexWaitv, (nint)waiters, count, 0, c.A3 == 0 ? 0 : (nint)(&until), c.I4);
    }

    // struct futex_waitv, the same for both interfaces.
    private record struct Waiter(ulong Value, ulong Address, uint Flags, uint Reserved);
}
