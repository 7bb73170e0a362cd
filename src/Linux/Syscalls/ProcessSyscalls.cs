using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Process numbers, groups and sessions, personality.</summary>
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
        table.Add("personality", &Personality, "x", i386: 136, x64: 135);
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

    private static long Personality(in SyscallContext c)
    {
        const uint Query = uint.MaxValue;
        var old = c.Process.Personality;
        if ((uint)c.A0 != Query)
            c.Process.Personality = (uint)c.A0;
        return old;
    }
}
