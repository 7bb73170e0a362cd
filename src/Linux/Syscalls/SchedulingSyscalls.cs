using System.Buffers.Binary;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// Scheduling policies, parameters and processors (sched(7)). They are the host's, of the host thread behind a guest thread, and go to the
/// threads that it makes as the host passes them on. Which thread is meant, and who may change it, goes by the guests' own numbers, users and limits;
/// the host has the last word. Errors are in the order of kernel/sched/syscalls.c.
/// </summary>
internal static unsafe class SchedulingSyscalls
{
    private const int FirstSize = 48, KnownSize = 56, Page = 4096;
    private const ulong KeepPolicy = 8, KeepParameters = 0x10, Clamps = 0x60;

    public static void Register(SyscallTable table)
    {
        table.Add("sched_yield", &Yield, "", i386: 158, x64: 24);
        table.Add("sched_getaffinity", &GetAffinity, "dup", i386: 242, x64: 204);
        table.Add("sched_setaffinity", &SetAffinity, "dup", i386: 241, x64: 203);
        table.Add("sched_getscheduler", &GetScheduler, "d", i386: 157, x64: 145);
        table.Add("sched_setscheduler", &SetScheduler, "ddp", i386: 156, x64: 144);
        table.Add("sched_getparam", &GetParameters, "dp", i386: 155, x64: 143);
        table.Add("sched_setparam", &SetParameters, "dp", i386: 154, x64: 142);
        table.Add("sched_getattr", &GetAttributes, "dpux", i386: 352, x64: 315);
        table.Add("sched_setattr", &SetAttributes, "dpx", i386: 351, x64: 314);
        table.Add("sched_get_priority_max", &PriorityMax, "d", i386: 159, x64: 146);
        table.Add("sched_get_priority_min", &PriorityMin, "d", i386: 160, x64: 147);
        table.Add("sched_rr_get_interval", &RoundRobin, "dp", i386: 161, x64: 148);
        table.Add("sched_rr_get_interval_time64", &RoundRobin64, "dp", i386: 423);
        table.Add("getcpu", &GetCpu, "ppp", i386: 318, x64: 309);
    }

    private static long Yield(in SyscallContext c) => HostCalls.Call(HostSys.SchedYield);

    private static GuestThread? Find(in SyscallContext c, int tid) => tid == 0 ? c.Thread : c.Process.Kernel.FindThread(tid);

    // The host's number of a thread: 0 is the caller, which needs no look-up; -ESRCH when it has ended.
    private static int HostThread(in SyscallContext c, GuestThread thread) =>
        thread == c.Thread ? 0 : thread.AwaitHostThread() is var host and > 0 ? host : -Errno.ESRCH;

    private static long GetAffinity(in SyscallContext c)
    {
        const int Most = 1024;
        Span<byte> mask = stackalloc byte[Most];
        var size = (int)Math.Min((uint)c.A1, Most);

        // The host's own caller takes whole 64-bit words only.
        var whole = (size + 7) & ~7;
        fixed (byte* p = mask)
        {
            if ((size & (c.LongSize - 1)) != 0 || HostCalls.Call(HostSys.SchedGetaffinity, 0, whole, (nint)p) < 0)
                return -Errno.EINVAL;
            if (Find(c, c.I0) is not { } thread || HostThread(c, thread) is not (>= 0 and var host))
                return -Errno.ESRCH;
            var result = HostCalls.Call(HostSys.SchedGetaffinity, host, whole, (nint)p);
            if (result < 0)
                return result;
            size = (int)Math.Min(result, size);
            if (mask[size..(int)result].IndexOfAnyExcept((byte)0) >= 0)
                return -Errno.EINVAL;
        }

        return c.Memory.TryWrite(c.A2, mask[..size]) ? size : -Errno.EFAULT;
    }

    private static long SetAffinity(in SyscallContext c)
    {
        const int Most = 1024;
        Span<byte> mask = stackalloc byte[(int)Math.Min((uint)c.A1, Most)];
        if (!c.Memory.TryRead(c.A2, mask))
            return -Errno.EFAULT;
        if (Find(c, c.I0) is not { } thread || HostThread(c, thread) is not (>= 0 and var host))
            return -Errno.ESRCH;
        if (!c.Process.OwnsOrIsRoot(thread.Process))
            return -Errno.EPERM;
        fixed (byte* p = mask)
            return HostCalls.Call(HostSys.SchedSetaffinity, host, mask.Length, (nint)p);
    }

    private static long GetScheduler(in SyscallContext c)
    {
        if (c.I0 < 0)
            return -Errno.EINVAL;
        if (Find(c, c.I0) is not { } thread || HostThread(c, thread) is not (>= 0 and var host))
            return -Errno.ESRCH;
        return HostCalls.Call(HostSys.SchedGetscheduler, host);
    }

    private static long GetParameters(in SyscallContext c)
    {
        if (c.A1 == 0 || c.I0 < 0)
            return -Errno.EINVAL;
        if (Find(c, c.I0) is not { } thread || HostThread(c, thread) is not (>= 0 and var host))
            return -Errno.ESRCH;
        int priority;
        var error = HostCalls.Call(HostSys.SchedGetparam, host, (nint)(&priority));
        return error < 0 ? error : c.Memory.TryWrite(c.A1, priority) ? 0 : -Errno.EFAULT;
    }

    private static long SetScheduler(in SyscallContext c) => c.I1 < 0 ? -Errno.EINVAL : Set(c, c.I1, c.A2);

    private static long SetParameters(in SyscallContext c) => Set(c, null, c.A1);

    // Policy null: as it is.
    private static long Set(in SyscallContext c, int? wanted, ulong address)
    {
        if (address == 0 || c.I0 < 0)
            return -Errno.EINVAL;
        if (!c.Memory.TryRead(address, out int priority))
            return -Errno.EFAULT;
        if (Find(c, c.I0) is not { } thread || HostThread(c, thread) is not (>= 0 and var host))
            return -Errno.ESRCH;
        var now = SchedulingState.Of(host);
        var policy = wanted ?? now.Policy | (now.IsResetOnFork ? SchedulingState.ResetOnFork : 0);
        var next = now with
        {
            Policy = policy & ~SchedulingState.ResetOnFork,
            Priority = (uint)priority,
            IsResetOnFork = (policy & SchedulingState.ResetOnFork) != 0,
        };
        var error = Check(c, thread, now, next);
        return error < 0 ? error : HostCalls.Call(HostSys.SchedSetscheduler, host, policy, (nint)(&priority));
    }

    // struct sched_attr: size, policy, flags (64 bits), nice, priority, three 64-bit times, two clamps (since the second version).
    private static long GetAttributes(in SyscallContext c)
    {
        var size = (uint)c.A2;
        if (c.A1 == 0 || c.I0 < 0 || size is < FirstSize or > Page || (uint)c.A3 != 0)
            return -Errno.EINVAL;
        if (Find(c, c.I0) is not { } thread || HostThread(c, thread) is not (>= 0 and var host))
            return -Errno.ESRCH;
        Span<byte> bytes = stackalloc byte[KnownSize];
        size = Math.Min(size, KnownSize);
        fixed (byte* p = bytes)
        {
            var error = HostCalls.Call(HostSys.SchedGetattr, host, (nint)p, size);
            if (error < 0)
                return error;
        }

        return c.Memory.TryWrite(c.A1, bytes[..(int)size]) ? 0 : -Errno.EFAULT;
    }

    private static long SetAttributes(in SyscallContext c)
    {
        if (c.A1 == 0 || c.I0 < 0 || (uint)c.A2 != 0)
            return -Errno.EINVAL;
        Span<byte> bytes = stackalloc byte[KnownSize];
        var error = ReadAttributes(c, bytes);
        if (error < 0)
            return error;
        var policy = BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]);
        var flags = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
        if (policy < 0)
            return -Errno.EINVAL;
        if (Find(c, c.I0) is not { } thread || HostThread(c, thread) is not (>= 0 and var host))
            return -Errno.ESRCH;
        var now = SchedulingState.Of(host);
        var keeps = (flags & KeepParameters) != 0;
        var next = new SchedulingState
        {
            Policy = (flags & KeepPolicy) != 0 ? now.Policy : policy,
            Nice = keeps ? now.Nice : BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]),
            Priority = keeps ? now.Priority : BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]),
            IsResetOnFork = (flags & KeepPolicy) != 0 ? now.IsResetOnFork : (flags & 1) != 0,
        };
        error = Check(c, thread, now, next);
        if (error < 0)
            return error;
        fixed (byte* p = bytes)
            return HostCalls.Call(HostSys.SchedSetattr, host, (nint)p, 0);
    }

    // As the kernel's sched_copy_attr: a wrong size is answered with the right one.
    private static long ReadAttributes(in SyscallContext c, Span<byte> bytes)
    {
        bytes.Clear();
        if (!c.Memory.TryRead(c.A1, out uint size))
            return -Errno.EFAULT;
        if (size == 0)
            size = FirstSize;
        if (size is >= FirstSize and <= Page)
        {
            Span<byte> all = stackalloc byte[(int)size];
            if (!c.Memory.TryRead(c.A1, all))
                return -Errno.EFAULT;
            if (size <= KnownSize || all[KnownSize..].IndexOfAnyExcept((byte)0) < 0)
            {
                all[..(int)Math.Min(size, KnownSize)].CopyTo(bytes);
                var flags = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
                if ((flags & Clamps) != 0 && size < KnownSize)
                    return -Errno.EINVAL;
                BinaryPrimitives.WriteInt32LittleEndian(bytes, KnownSize);
                var nice = BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]);
                BinaryPrimitives.WriteInt32LittleEndian(bytes[16..], Math.Clamp(nice, -20, 19));
                return 0;
            }
        }

        c.Memory.TryWrite(c.A1, KnownSize);
        return -Errno.E2BIG;
    }

    private static long Check(in SyscallContext c, GuestThread thread, SchedulingState now, SchedulingState next)
    {
        if (!next.IsValid)
            return -Errno.EINVAL;

        // With a deadline the host thread could make no other, and the .NET runtime has to.
        if (next.Policy == SchedulingState.Deadline)
            return -Errno.EPERM;
        return c.Process.Credentials.EffectiveUser == 0
            || (c.Process.OwnsOrIsRoot(thread.Process) && now.MayBecome(next, thread.Process.Limits)) ? 0 : -Errno.EPERM;
    }

    private static long PriorityMax(in SyscallContext c) => HostCalls.Call(HostSys.SchedGetPriorityMax, c.I0);

    private static long PriorityMin(in SyscallContext c) => HostCalls.Call(HostSys.SchedGetPriorityMin, c.I0);

    private static long RoundRobin(in SyscallContext c)
    {
        var error = GetInterval(c, out var time);
        return error < 0 ? error : TimeLayouts.TryWriteTimeSpec(c, c.A1, time) ? 0 : -Errno.EFAULT;
    }

    private static long RoundRobin64(in SyscallContext c)
    {
        var error = GetInterval(c, out var time);
        return error < 0 ? error : TimeLayouts.TryWriteTimeSpec64(c, c.A1, time) ? 0 : -Errno.EFAULT;
    }

    private static long GetInterval(in SyscallContext c, out TimeSpec time)
    {
        time = default;
        if (c.I0 < 0)
            return -Errno.EINVAL;
        if (Find(c, c.I0) is not { } thread || HostThread(c, thread) is not (>= 0 and var host))
            return -Errno.ESRCH;
        fixed (TimeSpec* p = &time)
            return HostCalls.Call(HostSys.SchedRrGetInterval, host, (nint)p);
    }

    private static long GetCpu(in SyscallContext c)
    {
        uint cpu, node;
        HostCalls.Fast(HostSys.Getcpu, (nint)(&cpu), (nint)(&node), 0);
        return (c.A0 == 0 || c.Memory.TryWrite(c.A0, cpu)) && (c.A1 == 0 || c.Memory.TryWrite(c.A1, node)) ? 0 : -Errno.EFAULT;
    }
}
