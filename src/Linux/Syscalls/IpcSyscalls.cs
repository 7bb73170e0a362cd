namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// System V IPC (sysvipc(7)): the objects are the host's own, in its namespace, so that guests and programs of the host share them. This
/// enters the calls and takes the i386 <c>ipc</c> apart.
/// </summary>
internal static unsafe class IpcSyscalls
{
    public static void Register(SyscallTable t)
    {
        t.Add("ipc", &Ipc, "ddddpd", i386: 117);
        t.Add("msgget", &MessageQueues.Get, "xx", i386: 399, x64: 68);
        t.Add("msgsnd", &MessageQueues.Send, "dpux", i386: 400, x64: 69);
        t.Add("msgrcv", &MessageQueues.Receive, "dpulx", i386: 401, x64: 70);
        t.Add("msgctl", &MessageQueues.Control, "ddp", i386: 402, x64: 71);
        t.Add("semget", &Semaphores.Get, "xdx", i386: 393, x64: 64);
        t.Add("semop", &Semaphores.Operate, "dpu", x64: 65);
        t.Add("semtimedop", &Semaphores.TimedOperate, "dpup", x64: 220);
        t.Add("semtimedop_time64", &Semaphores.TimedOperate64, "dpup", i386: 420);
        t.Add("semctl", &Semaphores.Control, "dddp", i386: 394, x64: 66);
        t.Add("shmget", &SharedSegments.Get, "xux", i386: 395, x64: 29);
        t.Add("shmat", &SharedSegments.Attach, "dpx", i386: 397, x64: 30);
        t.Add("shmctl", &SharedSegments.Control, "ddp", i386: 396, x64: 31);
        t.Add("shmdt", &SharedSegments.Detach, "p", i386: 398, x64: 67);
    }

    // ipc(2): the version is in the upper half of the call's number.
    private static long Ipc(in SyscallContext c)
    {
        const int SemOp = 1, SemGet = 2, SemCtl = 3, SemTimedOp = 4, MsgSnd = 11, MsgRcv = 12, MsgGet = 13, MsgCtl = 14, ShmAt = 21, ShmDt = 22,
            ShmGet = 23, ShmCtl = 24;
        int command;
        IpcVersion version;
        switch (c.I0 & 0xFFFF)
        {
            case SemOp:
                return Semaphores.Operate(c, c.I1, c.A4, (uint)c.A2, null);
            case SemTimedOp:
                return Semaphores.TimedOperate(c, c.I1, c.A4, (uint)c.A2, c.A5, false);
            case SemGet:
                return Semaphores.Get(c.I1, c.I2, c.I3);
            case SemCtl:
                if (c.A4 == 0)
                    return -Errno.EINVAL;
                if (!c.Memory.TryRead(c.A4, out uint argument))
                    return -Errno.EFAULT;
                command = c.I3;
                version = IpcLayouts.Split(ref command);
                return Semaphores.Control(c, c.I1, c.I2, command, argument, version);
            case MsgSnd:
                return MessageQueues.Send(c, c.I1, c.A4, c.I2, c.I3);
            case MsgRcv:
                return ReceiveMessage(c);
            case MsgGet:
                return MessageQueues.Get(c.I1, c.I2);
            case MsgCtl:
                command = c.I2;
                version = IpcLayouts.Split(ref command);
                return MessageQueues.Control(c, c.I1, command, c.A4, version);
            case ShmAt:
                if ((uint)c.I0 >> 16 == 1)
                    return -Errno.EINVAL;
                var attached = SharedSegments.Attach(c, c.I1, c.A4, c.I2);
                return attached is < 0 and > -4096 ? attached : c.Memory.TryWrite(c.A3, (uint)attached) ? 0 : -Errno.EFAULT;
            case ShmDt:
                return SharedSegments.Detach(c, c.A4);
            case ShmGet:
                return SharedSegments.Get(c, c.I1, (uint)c.A2, c.I3);
            case ShmCtl:
                command = c.I2;
                version = IpcLayouts.Split(ref command);
                return SharedSegments.Control(c, c.I1, command, c.A4, version);
            default:
                return -Errno.ENOSYS;
        }
    }

    // Version 0 has the address of the message and its type in memory.
    private static long ReceiveMessage(in SyscallContext c)
    {
        if (c.I1 < 0 || c.I2 < 0)
            return -Errno.EINVAL;
        if ((uint)c.I0 >> 16 != 0)
            return MessageQueues.Receive(c, c.I1, c.A4, c.I2, c.I5, c.I3);
        if (c.A4 == 0)
            return -Errno.EINVAL;
        return c.Memory.TryRead(c.A4, out uint message) && c.Memory.TryRead(c.A4 + 4, out int type)
            ? MessageQueues.Receive(c, c.I1, message, c.I2, type, c.I3)
            : -Errno.EFAULT;
    }
}
