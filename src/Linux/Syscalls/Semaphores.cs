using System.Runtime.InteropServices;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Syscalls;

/// <summary>System V semaphores (semop(2), semctl(2)).</summary>
internal static unsafe class Semaphores
{
    private const int Remove = 0, Set = 1, Stat = 2, Info = 3, GetPid = 11, GetAll = 13, SetValue = 16, SetAll = 17, StatIndex = 18, UsageInfo = 19,
        StatAny = 20;

    /// <summary>semget(key, count, flags).</summary>
    public static long Get(in SyscallContext c) => Get(c.I0, c.I1, c.I2);

    /// <summary>semget.</summary>
    public static long Get(int key, int count, int flags) => HostCalls.Call(HostSys.Semget, key, count, flags);

    /// <summary>semop(id, operations, count).</summary>
    public static long Operate(in SyscallContext c) => Operate(c, c.I0, c.A1, (uint)c.A2, null);

    /// <summary>semtimedop(id, operations, count, timeout).</summary>
    public static long TimedOperate(in SyscallContext c) => TimedOperate(c, c.I0, c.A1, (uint)c.A2, c.A3, true);

    /// <summary>semtimedop_time64, i386 only.</summary>
    public static long TimedOperate64(in SyscallContext c) => TimedOperate(c, c.I0, c.A1, (uint)c.A2, c.A3, true);

    /// <summary>semtimedop.</summary>
    public static long TimedOperate(in SyscallContext c, int id, ulong operations, uint count, ulong timeout, bool wide)
    {
        if (timeout == 0)
            return Operate(c, id, operations, count, null);
        var read = wide ? TimeLayouts.TryReadTimeSpec64(c, timeout, out var time) : TimeLayouts.TryReadTimeSpec(c, timeout, out time);
        return read ? Operate(c, id, operations, count, &time) : -Errno.EFAULT;
    }

    /// <summary>semop, with a time or null.</summary>
    public static long Operate(in SyscallContext c, int id, ulong operations, uint count, TimeSpec* time)
    {
        const short Undo = 0x1000;
        const uint Few = 32;
        if (count > Few && count > MostOperations())
            return -Errno.E2BIG;
        if (count == 0)
            return -Errno.EINVAL;
        var list = new Operation[count];
        if (!c.Memory.TryRead(operations, MemoryMarshal.AsBytes(list.AsSpan())))
            return -Errno.EFAULT;
        var (records, pid) = (c.Process.Kernel.Ipc, c.Process.Pid);
        foreach (var operation in list)
            if ((operation.Flags & Undo) != 0 && !records.MayAdjust(pid, id, operation.Number, operation.Change))
                return -Errno.ERANGE;

        // An operation that does not wait is noted first: whoever it lets go on notes itself after it.
        long result;
        var waits = Array.Exists(list, static operation => operation.Change <= 0);
        var users = waits ? [] : Array.ConvertAll(list, operation => records.Used(IpcKind.Semaphores, id, operation.Number, pid));
        fixed (Operation* p = list)
            result = SyscallContext.NeverAgain(c.Blocking(HostSys.Semtimedop, id, (nint)p, count, (nint)time));
        if (result < 0)
        {
            for (var i = users.Length - 1; i >= 0; i--)
                records.Restore(IpcKind.Semaphores, id, list[i].Number, users[i]);
            return result;
        }

        foreach (var operation in list)
        {
            if (waits)
                records.Used(IpcKind.Semaphores, id, operation.Number, pid);
            if ((operation.Flags & Undo) != 0 && operation.Change != 0)
                records.Adjust(pid, id, operation.Number, operation.Change);
        }

        return result;
    }

    /// <summary>semctl(id, number, command, argument).</summary>
    public static long Control(in SyscallContext c)
    {
        if (!c.Is32 || (c.I2 & IpcLayouts.Ipc64) == 0)
            return Control(c, c.I0, c.I1, c.I2, c.A3, IpcLayouts.Of(c));

        // The kernel finds these commands in spite of the bit, and takes them for something between two of them.
        switch (c.I2 & ~IpcLayouts.Ipc64)
        {
            case Stat or StatIndex or StatAny:
                var error = Control(c, c.I0, c.I1, Stat, c.A3, IpcVersion.I386);
                return error < 0 ? error : c.I0;
            case Info or UsageInfo:
                return Control(c, c.I0, c.I1, Info, c.A3, IpcVersion.I386);
            default:
                return -Errno.EINVAL;
        }
    }

    /// <summary>semctl.</summary>
    public static long Control(in SyscallContext c, int id, int number, int command, ulong argument, IpcVersion version)
    {
        const int InfoSize = 40;
        if (id < 0)
            return -Errno.EINVAL;
        if (command is GetAll or SetAll)
            return Values(c, id, number, command, argument);
        Span<byte> host = stackalloc byte[IpcLayouts.SetSize];
        host.Clear();
        if (command == Set && !IpcLayouts.TryReadSet(c, argument, version, host, false))
            return -Errno.EFAULT;
        long result;
        fixed (byte* p = host)
            result = HostCalls.Call(HostSys.Semctl, id, number, command, command == SetValue ? (int)argument : (nint)p);
        if (result < 0)
            return result;
        var records = c.Process.Kernel.Ipc;
        switch (command)
        {
            case Remove:
                records.Removed(IpcKind.Semaphores, id);
                return result;
            case GetPid:
                return records.UserOf(IpcKind.Semaphores, id, number, (int)result);
            case SetValue:
                records.Set(id, number);
                records.Used(IpcKind.Semaphores, id, number, c.Process.Pid);
                return result;
            case Info or UsageInfo:
                return c.Memory.TryWrite(argument, host[..InfoSize]) ? result : -Errno.EFAULT;
            case Stat or StatIndex or StatAny:
                return IpcLayouts.TryWriteSet(c, argument, version, host) ? result : -Errno.EFAULT;
            default:
                return result;
        }
    }

    // GETALL and SETALL: the array is as long as the set. Where the host would refuse anyway, it has the word: its errors are in its order.
    private static long Values(in SyscallContext c, int id, int number, int command, ulong address)
    {
        const nint Nowhere = 1;
        var count = CountOf(id);
        var values = count < 0 ? [] : new ushort[count];
        if (count < 0 || (command == SetAll && !c.Memory.TryRead(address, MemoryMarshal.AsBytes(values.AsSpan()))))
            return HostCalls.Call(HostSys.Semctl, id, number, command, Nowhere);
        long result;
        fixed (ushort* p = values)
            result = HostCalls.Call(HostSys.Semctl, id, number, command, (nint)p);
        if (result < 0)
            return result;
        if (command == GetAll)
            return c.Memory.TryWrite(address, MemoryMarshal.AsBytes(values.AsSpan())) ? result : -Errno.EFAULT;
        var records = c.Process.Kernel.Ipc;
        records.Set(id, null);
        for (var i = 0; i < count; i++)
            records.Used(IpcKind.Semaphores, id, i, c.Process.Pid);
        return result;
    }

    // The number of semaphores in a set, also of one that may only be written to; negative when there is none.
    private static int CountOf(int id)
    {
        const int IndexMask = 0x7FFF;
        var host = stackalloc byte[IpcLayouts.SetSize];
        var result = HostCalls.Call(HostSys.Semctl, id, 0, Stat, (nint)host);
        if (result == -Errno.EACCES && HostCalls.Call(HostSys.Semctl, id & IndexMask, 0, StatAny, (nint)host) == id)
            result = 0;
        return result < 0 ? -1 : IpcLayouts.Word(new ReadOnlySpan<byte>(host, IpcLayouts.SetSize), IpcLayouts.SetCount);
    }

    // semopm: the sixth word of seminfo.
    private static uint MostOperations()
    {
        const uint Usual = 500;
        var info = stackalloc uint[10];
        return HostCalls.Call(HostSys.Semctl, 0, 0, Info, (nint)info) < 0 ? Usual : info[5];
    }

    // sembuf.
    [StructLayout(LayoutKind.Sequential)]
    private struct Operation
    {
        public ushort Number;
        public short Change;
        public short Flags;
    }
}
