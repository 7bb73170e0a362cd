using System.Runtime.InteropServices;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Syscalls;

/// <summary>System V message queues (msgop(2), msgctl(2)).</summary>
internal static unsafe class MessageQueues
{
    private const int Remove = 0, Set = 1, Stat = 2, Info = 3, StatIndex = 11, UsageInfo = 12, StatAny = 13;

    // What is never more than the host's limits allow, so that these need not be asked for.
    private const int SmallMessage = 8192;

    /// <summary>msgget(key, flags).</summary>
    public static long Get(in SyscallContext c) => Get(c.I0, c.I1);

    /// <summary>msgget.</summary>
    public static long Get(int key, int flags) => HostCalls.Call(HostSys.Msgget, key, flags);

    /// <summary>msgsnd(id, message, size, flags).</summary>
    public static long Send(in SyscallContext c) => Send(c, c.I0, c.A1, c.Long(c.A2), c.I3);

    /// <summary>msgsnd.</summary>
    public static long Send(in SyscallContext c, int id, ulong message, long size, int flags)
    {
        if (!TryReadType(c, message, out var type))
            return -Errno.EFAULT;
        if (size < 0 || id < 0 || size > Most())
            return -Errno.EINVAL;
        if (type < 1)
            return -Errno.EINVAL;
        var buffer = new byte[sizeof(long) + (int)size];
        MemoryMarshal.Write(buffer, type);
        if (!c.Memory.TryRead(message + (uint)c.LongSize, buffer.AsSpan(sizeof(long))))
            return -Errno.EFAULT;
        long result;
        fixed (byte* p = buffer)
            result = SyscallContext.NoHand(c.Blocking(HostSys.Msgsnd, id, (nint)p, size, flags));
        if (result == 0)
            c.Process.Kernel.Ipc.Used(IpcKind.Queue, id, IpcRecords.Sender, c.Process.Pid);
        return result;

        long Most() => size <= SmallMessage ? size : MostSize();
    }

    /// <summary>msgrcv(id, message, size, type, flags).</summary>
    public static long Receive(in SyscallContext c) => Receive(c, c.I0, c.A1, c.Long(c.A2), c.Long(c.A3), c.I4);

    /// <summary>msgrcv.</summary>
    public static long Receive(in SyscallContext c, int id, ulong message, long size, long type, int flags)
    {
        // No message is longer than this, unless the limit was lowered after it was sent.
        const int Largest = 1 << 20;
        if (id < 0 || size < 0)
            return -Errno.EINVAL;
        if (size > SmallMessage)
            size = Math.Min(size, Math.Max(Largest, MostSize()));
        var buffer = new byte[sizeof(long) + (int)size];
        long result;
        fixed (byte* p = buffer)
            result = SyscallContext.NoHand(c.Blocking(HostSys.Msgrcv, id, (nint)p, size, type, flags));
        if (result < 0)
            return result;
        var records = c.Process.Kernel.Ipc;
        records.Used(IpcKind.Queue, id, IpcRecords.Receiver, c.Process.Pid);
        records.Used(IpcKind.Queue, id, IpcRecords.ReceivingThread, c.Thread.Tid);
        records.Used(IpcKind.Queue, id, IpcRecords.HostThread, Interruption.CurrentThread);
        return c.TryWriteLong(message, MemoryMarshal.Read<ulong>(buffer))
            && c.Memory.TryWrite(message + (uint)c.LongSize, buffer.AsSpan(sizeof(long), (int)result))
            ? result
            : -Errno.EFAULT;
    }

    /// <summary>msgctl(id, command, argument).</summary>
    public static long Control(in SyscallContext c)
    {
        if (!c.Is32 || (c.I1 & IpcLayouts.Ipc64) == 0)
            return Control(c, c.I0, c.I1, c.A2, IpcLayouts.Of(c));

        // As for semctl.
        switch (c.I1 & ~IpcLayouts.Ipc64)
        {
            case Stat or StatIndex or StatAny:
                var error = Control(c, c.I0, Stat, c.A2, IpcVersion.I386);
                return error < 0 ? error : c.I0;
            case Info or UsageInfo:
                return Control(c, c.I0, Info, c.A2, IpcVersion.I386);
            default:
                return -Errno.EINVAL;
        }
    }

    /// <summary>msgctl.</summary>
    public static long Control(in SyscallContext c, int id, int command, ulong argument, IpcVersion version)
    {
        const int InfoSize = 32;
        if (id < 0 || command < 0)
            return -Errno.EINVAL;
        Span<byte> host = stackalloc byte[IpcLayouts.QueueSize];
        host.Clear();
        if (command == Set && !IpcLayouts.TryReadSet(c, argument, version, host, true))
            return -Errno.EFAULT;
        long result;
        fixed (byte* p = host)
            result = HostCalls.Call(HostSys.Msgctl, id, command, (nint)p);
        if (result < 0)
            return result;
        var records = c.Process.Kernel.Ipc;
        switch (command)
        {
            case Remove:
                records.Removed(IpcKind.Queue, id);
                return result;
            case Info or UsageInfo:
                return c.Memory.TryWrite(argument, host[..InfoSize]) ? result : -Errno.EFAULT;
            case Stat or StatIndex or StatAny:
                var of = command == Stat ? id : (int)result;
                Translate(host, IpcLayouts.QueueSender, IpcRecords.Sender);
                Translate(host, IpcLayouts.QueueReceiver, IpcRecords.Receiver);
                return IpcLayouts.TryWriteQueue(c, argument, version, host) ? result : -Errno.EFAULT;

                void Translate(Span<byte> queue, int offset, int role) =>
                    IpcLayouts.Put(queue, offset, (uint)records.UserOf(IpcKind.Queue, of, role, IpcLayouts.Word(queue, offset)));
            default:
                return result;
        }
    }

    // msgmax: the third word of msginfo.
    private static int MostSize()
    {
        var info = stackalloc int[8];
        return HostCalls.Call(HostSys.Msgctl, 0, Info, (nint)info) < 0 ? SmallMessage : info[2];
    }

    private static bool TryReadType(in SyscallContext c, ulong address, out long type)
    {
        var ok = c.TryReadLong(address, out var word);
        type = c.Long(word);
        return ok;
    }
}
