using System.Text;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Process numbers, groups and sessions, prctl, personality, scheduling classes.</summary>
internal static unsafe class ProcessSyscalls
{
    public static void Register(SyscallTable table)
    {
        table.Add("getpid", &GetPid, "", i386: 20, x64: 39);
        table.Add("getppid", &GetParentPid, "", i386: 64, x64: 110);
        table.Add("gettid", &GetTid, "", i386: 224, x64: 186);
        table.Add("getpgrp", &GetGroup, "", i386: 65, x64: 111);
        table.Add("getpgid", &GetGroupOf, "d", i386: 132, x64: 121);
        table.Add("setpgid", &SetGroup, "dd", i386: 57, x64: 109);
        table.Add("getsid", &GetSession, "d", i386: 147, x64: 124);
        table.Add("setsid", &SetSession, "", i386: 66, x64: 112);
        table.Add("prctl", &Prctl, "dxxxx", i386: 172, x64: 157);
        table.Add("personality", &Personality, "x", i386: 136, x64: 135);
        table.Add("sched_yield", &Yield, "", i386: 158, x64: 24);
        table.Add("sched_getaffinity", &GetAffinity, "dup", i386: 242, x64: 204);
        table.Add("sched_setaffinity", &SetAffinity, "dup", i386: 241, x64: 203);
        table.Add("sched_getscheduler", &GetScheduler, "d", i386: 157, x64: 145);
        table.Add("sched_setscheduler", &SetScheduler, "ddp", i386: 156, x64: 144);
        table.Add("sched_getparam", &GetParameters, "dp", i386: 155, x64: 143);
        table.Add("sched_setparam", &SetParameters, "dp", i386: 154, x64: 142);
        table.Add("sched_get_priority_max", &PriorityMax, "d", i386: 159, x64: 146);
        table.Add("sched_get_priority_min", &PriorityMin, "d", i386: 160, x64: 147);
        table.Add("sched_rr_get_interval", &RoundRobin, "dp", i386: 161, x64: 148);
        table.Add("getcpu", &GetCpu, "ppp", i386: 318, x64: 309);
    }

    private static long GetPid(in SyscallContext c) => c.Process.Pid;

    private static long GetParentPid(in SyscallContext c) => c.Process.ParentPid;

    private static long GetTid(in SyscallContext c) => c.Thread.Tid;

    private static long GetGroup(in SyscallContext c) => c.Process.GroupId;

    private static GuestProcess? Find(in SyscallContext c, int pid) => pid == 0 ? c.Process : c.Process.Kernel.FindAnyProcess(pid);

    private static long GetGroupOf(in SyscallContext c) => Find(c, c.I0)?.GroupId ?? -Errno.ESRCH;

    private static long GetSession(in SyscallContext c) => Find(c, c.I0)?.SessionId ?? -Errno.ESRCH;

    private static long SetGroup(in SyscallContext c)
    {
        if (c.I1 < 0)
            return -Errno.EINVAL;
        lock (c.Process.Kernel.Gate)
        {
            if (Find(c, c.I0) is not { } target)
                return -Errno.ESRCH;
            if (c.I0 != 0 && c.I0 != target.Pid)
                return -Errno.EINVAL;
            if (target != c.Process)
            {
                if (target.Parent != c.Process)
                    return -Errno.ESRCH;
                if (target.SessionId == c.Process.SessionId && target.HasExecuted)
                    return -Errno.EACCES;
            }

            if (target.SessionId == target.Pid || target.SessionId != c.Process.SessionId)
                return -Errno.EPERM;
            var group = c.I1 == 0 ? target.Pid : c.I1;
            if (group != target.Pid && !c.Process.Kernel.Processes.Any(p => p.GroupId == group && p.SessionId == target.SessionId))
                return -Errno.EPERM;
            target.GroupId = group;
            return 0;
        }
    }

    private static long SetSession(in SyscallContext c)
    {
        lock (c.Process.Kernel.Gate)
        {
            var pid = c.Process.Pid;
            if (c.Process.Kernel.Processes.Any(p => p.GroupId == pid))
                return -Errno.EPERM;
            c.Process.SessionId = c.Process.GroupId = pid;
            return pid;
        }
    }

    private static long Prctl(in SyscallContext c)
    {
        const int SetDeathSignal = 1, GetDeathSignal = 2, GetDumpable = 3, SetDumpable = 4, GetKeepCaps = 7, SetKeepCaps = 8,
            SetName = 15, GetName = 16, GetSeccomp = 21, CapBoundRead = 23, GetTimerSlack = 30, SetTimerSlack = 29,
            SetSubreaper = 36, GetSubreaper = 37, SetNoNewPrivileges = 38, GetNoNewPrivileges = 39, GetTidAddress = 40,
            SetVma = 0x53564D41, SetPtracer = 0x59616D61;
        switch (c.I0)
        {
            case SetName:
            {
                var error = c.Memory.TryReadString(c.A1, out var name, 16);
                if (error == -Errno.ENAMETOOLONG)
                {
                    Span<byte> bytes = stackalloc byte[15];
                    if (!c.Memory.TryRead(c.A1, bytes))
                        return -Errno.EFAULT;
                    name = Encoding.Latin1.GetString(bytes);
                }
                else if (error < 0)
                {
                    return error;
                }

                c.Thread.Name = name;
                if (c.Thread.Tid == c.Process.Pid)
                    c.Process.Name = name;
                return 0;
            }

            case GetName:
            {
                Span<byte> bytes = stackalloc byte[16];
                bytes.Clear();
                HostCalls.ToBytes(c.Thread.Name ?? c.Process.Name, bytes);
                return c.Memory.TryWrite(c.A1, bytes) ? 0 : -Errno.EFAULT;
            }

            case SetDeathSignal:
                if (c.A1 != 0 && (c.A1 > Signals.Signal.Count || !Signals.Signal.IsValid(c.I1)))
                    return -Errno.EINVAL;
                c.Process.DeathSignal = c.I1;
                return 0;
            case GetDeathSignal:
                return c.Memory.TryWrite(c.A1, c.Process.DeathSignal) ? 0 : -Errno.EFAULT;
            case SetSubreaper:
                c.Process.IsSubreaper = c.A1 != 0;
                return 0;
            case GetSubreaper:
                return c.Memory.TryWrite(c.A1, c.Process.IsSubreaper ? 1 : 0) ? 0 : -Errno.EFAULT;
            case SetDumpable:
                if (c.A1 > 1)
                    return -Errno.EINVAL;
                c.Process.IsDumpable = c.A1 == 1;
                return 0;
            case GetDumpable:
                return c.Process.IsDumpable ? 1 : 0;
            case SetNoNewPrivileges:
                if (c.A1 != 1 || (c.A2 | c.A3 | c.A4) != 0)
                    return -Errno.EINVAL;
                c.Process.NoNewPrivileges = true;
                return 0;
            case GetNoNewPrivileges:
                return (c.A1 | c.A2 | c.A3 | c.A4) != 0 ? -Errno.EINVAL : c.Process.NoNewPrivileges ? 1 : 0;
            case CapBoundRead:
                return c.A1 <= 40 ? 1 : -Errno.EINVAL;
            case GetTimerSlack:
                return (long)c.Thread.TimerSlack;
            case SetTimerSlack:
                c.Thread.TimerSlack = c.Long(c.A1) <= 0 ? c.Thread.DefaultTimerSlack : c.A1;
                return 0;
            case SetKeepCaps or SetPtracer:
            case GetKeepCaps or GetSeccomp:
                return 0;
            case GetTidAddress:
                return c.TryWriteLong(c.A1, c.Thread.ClearChildTid) ? 0 : -Errno.EFAULT;
            case SetVma:
            default:
                return -Errno.EINVAL;
        }
    }

    private static long Personality(in SyscallContext c)
    {
        const uint Query = uint.MaxValue;
        var old = c.Process.Personality;
        if ((uint)c.A0 != Query)
            c.Process.Personality = (uint)c.A0;
        return old;
    }

    private static long Yield(in SyscallContext c) => HostCalls.Call(HostSys.SchedYield);

    // The host thread of a guest thread, or -ESRCH.
    private static int HostThread(in SyscallContext c, int tid)
    {
        if (tid == 0)
            return 0;
        return c.Process.Kernel.FindThread(tid)?.HostThread is { } host and > 0 ? host : -Errno.ESRCH;
    }

    private static long GetAffinity(in SyscallContext c)
    {
        var host = HostThread(c, c.I0);
        if (host < 0)
            return host;
        if ((c.A1 & (uint)(c.LongSize - 1)) != 0)
            return -Errno.EINVAL;
        Span<byte> mask = stackalloc byte[1024];
        long size;
        fixed (byte* p = mask)
            size = HostCalls.Call(HostSys.SchedGetaffinity, host, mask.Length, (nint)p);
        if (size < 0)
            return size;

        // The kernel needs room for all its processors, and writes no more than that.
        var used = (int)Math.Min((ulong)size, c.A1);
        if (mask[used..(int)size].IndexOfAnyExcept((byte)0) >= 0)
            return -Errno.EINVAL;
        return c.Memory.TryWrite(c.A2, mask[..used]) ? used : -Errno.EFAULT;
    }

    private static long SetAffinity(in SyscallContext c)
    {
        var host = HostThread(c, c.I0);
        if (host < 0)
            return host;
        if (c.I0 != 0 && !c.Process.OwnsOrIsRoot(c.Process.Kernel.FindThread(c.I0)?.Process))
            return -Errno.EPERM;
        return c.Memory.TryGetReadable(c.A2, Math.Min(c.A1, 1024), out var mask)
            ? HostCalls.Call(HostSys.SchedSetaffinity, host, (long)Math.Min(c.A1, 1024), (nint)mask)
            : -Errno.EFAULT;
    }

    private const int ResetOnFork = 0x40000000;

    private static bool Exists(in SyscallContext c, int tid) =>
        tid == 0 || c.Process.Kernel.FindThread(tid) != null || c.Process.Kernel.FindProcess(tid) != null;

    // The class of the host thread behind a guest thread.
    private static long GetScheduler(in SyscallContext c)
    {
        if (c.I0 < 0)
            return -Errno.EINVAL;
        var host = HostThread(c, c.I0);
        return host < 0 ? host : HostCalls.Call(HostSys.SchedGetscheduler, host);
    }

    // SCHED_OTHER 0, SCHED_BATCH 3 and SCHED_IDLE 5. Real-time classes are not given: such a guest could keep the host's other threads out.
    private static long SetScheduler(in SyscallContext c)
    {
        if (c.I0 < 0 || c.I1 < 0)
            return -Errno.EINVAL;
        if (!c.Memory.TryRead(c.A2, out int priority))
            return -Errno.EFAULT;
        var host = HostThread(c, c.I0);
        if (host < 0)
            return host;
        switch (c.I1 & ~ResetOnFork)
        {
            case 0 or 3 or 5 when priority != 0:
                return -Errno.EINVAL;
            case 0 or 3 or 5:
                if (c.I0 != 0 && !c.Process.OwnsOrIsRoot(c.Process.Kernel.FindAnyProcess(c.I0)))
                    return -Errno.EPERM;
                return HostCalls.Call(HostSys.SchedSetscheduler, host, c.I1, (nint)(&priority));
            case 1 or 2 or 6:
                return -Errno.EPERM;
            default:
                return -Errno.EINVAL;
        }
    }

    private static long GetParameters(in SyscallContext c) =>
        c.I0 < 0 ? -Errno.EINVAL : !Exists(c, c.I0) ? -Errno.ESRCH : c.Memory.TryWrite(c.A1, 0) ? 0 : -Errno.EFAULT;

    private static long SetParameters(in SyscallContext c)
    {
        if (!c.Memory.TryRead(c.A1, out int priority))
            return -Errno.EFAULT;
        return c.I0 < 0 || priority != 0 ? -Errno.EINVAL : Exists(c, c.I0) ? 0 : -Errno.ESRCH;
    }

    private static long PriorityMax(in SyscallContext c) => c.I0 switch
    {
        1 or 2 => 99,
        0 or 3 or 5 or 6 => 0,
        _ => -Errno.EINVAL,
    };

    private static long PriorityMin(in SyscallContext c) => c.I0 switch
    {
        1 or 2 => 1,
        0 or 3 or 5 or 6 => 0,
        _ => -Errno.EINVAL,
    };

    private static long RoundRobin(in SyscallContext c) =>
        TimeLayouts.TryWriteTimeSpec(c, c.A1, new TimeSpec { Nanoseconds = 4_000_000 }) ? 0 : -Errno.EFAULT;

    private static long GetCpu(in SyscallContext c)
    {
        uint cpu, node;
        HostCalls.Fast(HostSys.Getcpu, (nint)(&cpu), (nint)(&node), 0);
        return (c.A0 == 0 || c.Memory.TryWrite(c.A0, cpu)) && (c.A1 == 0 || c.Memory.TryWrite(c.A1, node)) ? 0 : -Errno.EFAULT;
    }
}
