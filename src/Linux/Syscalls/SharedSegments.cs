using System.Runtime.InteropServices;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Syscalls;

/// <summary>System V shared memory (shmop(2), shmctl(2)).</summary>
internal static unsafe class SharedSegments
{
    private const int Remove = 0, Set = 1, Stat = 2, Info = 3, StatIndex = 13, UsageInfo = 14, StatAny = 15;

    // The host's shminfo64, with unused words, and shm_info, both of 64-bit words.
    private const int InfoWords = 9, UsageWords = 6;

    /// <summary>shmget(key, size, flags).</summary>
    public static long Get(in SyscallContext c) => Get(c, c.I0, c.A1, c.I2);

    /// <summary>shmget.</summary>
    public static long Get(in SyscallContext c, int key, ulong size, int flags)
    {
        var id = HostCalls.Call(HostSys.Shmget, key, (long)size, flags);
        if (id >= 0)
            c.Process.Kernel.Ipc.Used(IpcKind.Segment, (int)id, IpcRecords.Creator, c.Process.Pid, onlyIfFirst: true);
        return id;
    }

    /// <summary>shmat(id, address, flags).</summary>
    public static long Attach(in SyscallContext c) => Attach(c, c.I0, c.A1, c.I2);

    /// <summary>shmat.</summary>
    public static long Attach(in SyscallContext c, int id, ulong address, int flags)
    {
        var result = c.Process.Memory.Attach(id, address, flags, MemorySyscalls.Rights(c, address));
        if (result is >= 0 or < -4095)
            c.Process.Kernel.Ipc.Used(IpcKind.Segment, id, IpcRecords.LastUser, c.Process.Pid);
        return result;
    }

    /// <summary>shmdt(address).</summary>
    public static long Detach(in SyscallContext c) => Detach(c, c.A0);

    /// <summary>shmdt.</summary>
    public static long Detach(in SyscallContext c, ulong address)
    {
        var result = c.Process.Memory.Detach(address, out var id);
        if (result == 0)
            c.Process.Kernel.Ipc.Used(IpcKind.Segment, id, IpcRecords.LastUser, c.Process.Pid);
        return result;
    }

    /// <summary>shmctl(id, command, argument).</summary>
    public static long Control(in SyscallContext c) => Control(c, c.I0, c.I1, c.A2, IpcLayouts.Of(c));

    /// <summary>shmctl.</summary>
    public static long Control(in SyscallContext c, int id, int command, ulong argument, IpcVersion version)
    {
        if (id < 0 || command < 0)
            return -Errno.EINVAL;
        Span<byte> host = stackalloc byte[IpcLayouts.SegmentSize];
        host.Clear();
        if (command == Set && !IpcLayouts.TryReadSet(c, argument, version, host, false))
            return -Errno.EFAULT;
        long result;
        fixed (byte* p = host)
            result = HostCalls.Call(HostSys.Shmctl, id, command, (nint)p);
        if (result < 0)
            return result;
        var records = c.Process.Kernel.Ipc;
        switch (command)
        {
            case Remove:
                records.Removed(IpcKind.Segment, id);
                return result;
            case Info:
                return TryWriteInfo(c, argument, version, MemoryMarshal.Cast<byte, ulong>(host)[..InfoWords]) ? result : -Errno.EFAULT;
            case UsageInfo:
                return TryWriteUsage(c, argument, MemoryMarshal.Cast<byte, ulong>(host)[..UsageWords]) ? result : -Errno.EFAULT;
            case Stat or StatIndex or StatAny:
                var of = command == Stat ? id : (int)result;
                Translate(host, IpcLayouts.SegmentCreator, IpcRecords.Creator);
                Translate(host, IpcLayouts.SegmentUser, IpcRecords.LastUser);
                return IpcLayouts.TryWriteSegment(c, argument, version, host) ? result : -Errno.EFAULT;

                void Translate(Span<byte> segment, int offset, int role) =>
                    IpcLayouts.Put(segment, offset, (uint)records.UserOf(IpcKind.Segment, of, role, IpcLayouts.Word(segment, offset)));
            default:
                return result;
        }
    }

    // i386 without IPC_64 has no unused words.
    private static bool TryWriteInfo(in SyscallContext c, ulong address, IpcVersion version, ReadOnlySpan<ulong> host)
    {
        const int OldWords = 5;
        if (version == IpcVersion.X64)
            return c.Memory.TryWrite(address, MemoryMarshal.AsBytes(host));
        Span<uint> guest = stackalloc uint[InfoWords];
        for (var i = 0; i < guest.Length; i++)
            guest[i] = (uint)host[i];
        guest[0] = (uint)Math.Min(host[0], int.MaxValue);
        return c.Memory.TryWrite(address, MemoryMarshal.AsBytes(version == IpcVersion.Old ? guest[..OldWords] : guest));
    }

    private static bool TryWriteUsage(in SyscallContext c, ulong address, ReadOnlySpan<ulong> host)
    {
        if (!c.Is32)
            return c.Memory.TryWrite(address, MemoryMarshal.AsBytes(host));
        Span<uint> guest = stackalloc uint[UsageWords];
        for (var i = 0; i < guest.Length; i++)
            guest[i] = (uint)host[i];
        return c.Memory.TryWrite(address, MemoryMarshal.AsBytes(guest));
    }
}
