using System.Runtime.CompilerServices;
using DynaTrans.Linux.Files.Proc;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Syscalls;

/// <summary>kcmp(2): whether two guest processes share something. What is not shared is in an order that says nothing but stays.</summary>
internal static unsafe class KcmpSyscall
{
    private const int File = 0, Memory = 1, Files = 2, FileSystem = 3, SignalActions = 4, InputContext = 5, Semaphores = 6, EpollTarget = 7;

    private static readonly ConditionalWeakTable<object, StrongBox<long>> s_places = new();
    private static long s_last;

    public static void Register(SyscallTable table) => table.Add("kcmp", &Compare, "dddxx", i386: 349, x64: 312);

    private static long Compare(in SyscallContext c)
    {
        var kernel = c.Process.Kernel;
        if (kernel.FindAnyProcess(c.I0) is not { } first || kernel.FindAnyProcess(c.I1) is not { } second)
            return -Errno.ESRCH;
        if (!ProcSubject.MayInspect(c.Process, first) || !ProcSubject.MayInspect(c.Process, second))
            return -Errno.EPERM;
        switch (c.I2)
        {
            case File:
                return CompareFiles(first, (uint)c.A3, second, (uint)c.A4);
            case Memory:
                return Order(first.HasEnded ? null : first.Memory, second.HasEnded ? null : second.Memory);
            case Files:
                return Order(first.HasEnded ? null : first.Files, second.HasEnded ? null : second.Files);
            case FileSystem:
                return Order(first.HasEnded ? null : first.FileSystem, second.HasEnded ? null : second.FileSystem);
            case SignalActions:
                return Order(first.Actions, second.Actions);

            // No guest has any of these: all are the same nothing.
            case InputContext or Semaphores:
                return 0;
            case EpollTarget:
                return -Errno.EOPNOTSUPP;
            default:
                return -Errno.EINVAL;
        }
    }

    private static long CompareFiles(GuestProcess first, uint firstFd, GuestProcess second, uint secondFd)
    {
        if (firstFd > int.MaxValue || secondFd > int.MaxValue
            || first.HasEnded || !first.Files.TryGet((int)firstFd, out var a))
            return -Errno.EBADF;
        using (a)
        {
            if (second.HasEnded || !second.Files.TryGet((int)secondFd, out var b))
                return -Errno.EBADF;
            using (b)
                return Order(a.File, b.File);
        }
    }

    // 0: the same, 1: the first comes before, 2: after.
    private static long Order(object? first, object? second)
    {
        if (first == second)
            return 0;
        return Place(first) < Place(second) ? 1 : 2;
    }

    private static long Place(object? one) =>
        one == null ? 0 : s_places.GetValue(one, static _ => new StrongBox<long>(Interlocked.Increment(ref s_last))).Value;
}
