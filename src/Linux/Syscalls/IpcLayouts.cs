using System.Runtime.InteropServices;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Which structures a System V IPC control call has (ipc(2), the kernel's ipc/compat.c).</summary>
internal enum IpcVersion
{
    /// <summary>x86-64: those of the host.</summary>
    X64,

    /// <summary>i386 with IPC_64.</summary>
    I386,

    /// <summary>i386 without it: user numbers of 16 bits.</summary>
    Old,
}

/// <summary>
/// The structures of System V IPC in their three layouts. The host's begin with an <c>ipc64_perm</c> of 48 bytes (key 0, uid 4, gid 8, cuid 12,
/// cgid 16, mode 20, seq 24).
/// </summary>
internal static class IpcLayouts
{
    /// <summary>The version bit of a command.</summary>
    public const int Ipc64 = 0x100;

    /// <summary>Sizes of the host's msqid64_ds, semid64_ds and shmid64_ds.</summary>
    public const int QueueSize = 120, SetSize = 104, SegmentSize = 112;

    /// <summary>Offsets in the host's structures.</summary>
    public const int QueueSender = 96, QueueReceiver = 100, SetCount = 80, SegmentLength = 48, SegmentCreator = 80, SegmentUser = 84;

    private const int Times = 48, QueueBytes = 72, QueueCount = 80, QueueLimit = 88, SegmentTimes = 56, SegmentAttached = 88;

    // Lengths of the permissions for i386, and where msg_qbytes is.
    private const int Permissions32 = 36, OldPermissions = 16, QueueLimit32 = 68, OldQueueLimit = 48;

    /// <summary>The version of a call that has no version bit.</summary>
    public static IpcVersion Of(in SyscallContext c) => c.Is32 ? IpcVersion.I386 : IpcVersion.X64;

    /// <summary>Reads the command and version of a call of the i386 <c>ipc</c>.</summary>
    public static IpcVersion Split(ref int command)
    {
        var version = (command & Ipc64) != 0 ? IpcVersion.I386 : IpcVersion.Old;
        command &= ~Ipc64;
        return version;
    }

    /// <summary>Writes a msqid_ds. False: EFAULT.</summary>
    public static bool TryWriteQueue(in SyscallContext c, ulong address, IpcVersion version, ReadOnlySpan<byte> host)
    {
        Span<byte> guest = stackalloc byte[88];
        guest.Clear();
        switch (version)
        {
            case IpcVersion.X64:
                return c.Memory.TryWrite(address, host[..QueueSize]);
            case IpcVersion.I386:
                PutPermissions(guest, host);
                host.Slice(Times, 24).CopyTo(guest[36..]);
                host.Slice(QueueBytes, 4).CopyTo(guest[60..]);
                host.Slice(QueueCount, 4).CopyTo(guest[64..]);
                host.Slice(QueueLimit, 4).CopyTo(guest[QueueLimit32..]);
                host.Slice(QueueSender, 8).CopyTo(guest[72..]);
                return c.Memory.TryWrite(address, guest);
            default:
                PutOldPermissions(guest, host);
                PutOldTimes(guest[24..], host[Times..], 3);
                host.Slice(QueueBytes, 2).CopyTo(guest[44..]);
                host.Slice(QueueCount, 2).CopyTo(guest[46..]);
                host.Slice(QueueLimit, 2).CopyTo(guest[OldQueueLimit..]);
                host.Slice(QueueSender, 2).CopyTo(guest[50..]);
                host.Slice(QueueReceiver, 2).CopyTo(guest[52..]);
                return c.Memory.TryWrite(address, guest[..56]);
        }
    }

    /// <summary>Writes a semid_ds. False: EFAULT.</summary>
    public static bool TryWriteSet(in SyscallContext c, ulong address, IpcVersion version, ReadOnlySpan<byte> host)
    {
        Span<byte> guest = stackalloc byte[64];
        guest.Clear();
        switch (version)
        {
            case IpcVersion.X64:
                return c.Memory.TryWrite(address, host[..SetSize]);
            case IpcVersion.I386:
                PutPermissions(guest, host);
                host.Slice(Times, 8).CopyTo(guest[36..]);
                host.Slice(Times + 16, 8).CopyTo(guest[44..]);
                host.Slice(SetCount, 4).CopyTo(guest[52..]);
                return c.Memory.TryWrite(address, guest);
            default:
                PutOldPermissions(guest, host);
                host.Slice(Times, 4).CopyTo(guest[16..]);
                host.Slice(Times + 16, 4).CopyTo(guest[20..]);
                host.Slice(SetCount, 2).CopyTo(guest[40..]);
                return c.Memory.TryWrite(address, guest[..44]);
        }
    }

    /// <summary>Writes a shmid_ds. False: EFAULT.</summary>
    public static bool TryWriteSegment(in SyscallContext c, ulong address, IpcVersion version, ReadOnlySpan<byte> host)
    {
        Span<byte> guest = stackalloc byte[84];
        guest.Clear();
        switch (version)
        {
            case IpcVersion.X64:
                return c.Memory.TryWrite(address, host[..SegmentSize]);
            case IpcVersion.I386:
                PutPermissions(guest, host);
                host.Slice(SegmentLength, 4).CopyTo(guest[36..]);
                host.Slice(SegmentTimes, 24).CopyTo(guest[40..]);
                host.Slice(SegmentCreator, 8).CopyTo(guest[64..]);
                host.Slice(SegmentAttached, 4).CopyTo(guest[72..]);
                return c.Memory.TryWrite(address, guest);
            default:
                PutOldPermissions(guest, host);
                host.Slice(SegmentLength, 4).CopyTo(guest[16..]);
                PutOldTimes(guest[20..], host[SegmentTimes..], 3);
                host.Slice(SegmentCreator, 2).CopyTo(guest[32..]);
                host.Slice(SegmentUser, 2).CopyTo(guest[34..]);
                host.Slice(SegmentAttached, 2).CopyTo(guest[36..]);
                return c.Memory.TryWrite(address, guest[..48]);
        }
    }

    /// <summary>Reads what IPC_SET takes of a structure into the host's. False: EFAULT.</summary>
    /// <param name="c">The call.</param>
    /// <param name="address">The structure.</param>
    /// <param name="version">Its layout.</param>
    /// <param name="host">The host's structure: its length for x86-64.</param>
    /// <param name="isQueue">msg_qbytes is taken, too.</param>
    public static bool TryReadSet(in SyscallContext c, ulong address, IpcVersion version, Span<byte> host, bool isQueue)
    {
        host.Clear();
        if (version == IpcVersion.X64)
            return c.Memory.TryRead(address, host);
        Span<byte> guest = stackalloc byte[Permissions32];
        if (version == IpcVersion.I386)
        {
            if (!c.Memory.TryRead(address, guest))
                return false;
            guest[4..12].CopyTo(host[4..]);
            guest[20..22].CopyTo(host[20..]);
            if (!isQueue)
                return true;
            var ok = c.Memory.TryRead(address + QueueLimit32, out uint limit);
            Put(host, QueueLimit, limit);
            return ok;
        }

        if (!c.Memory.TryRead(address, guest[..OldPermissions]))
            return false;
        Put(host, 4, Widen(guest, 4));
        Put(host, 8, Widen(guest, 6));
        guest[12..14].CopyTo(host[20..]);
        if (!isQueue)
            return true;
        var read = c.Memory.TryRead(address + OldQueueLimit, out ushort oldLimit);
        Put(host, QueueLimit, oldLimit);
        return read;
    }

    /// <summary>A 32-bit word of a structure.</summary>
    public static int Word(ReadOnlySpan<byte> host, int offset) => MemoryMarshal.Read<int>(host[offset..]);

    /// <summary>Changes a 32-bit word of a structure.</summary>
    public static void Put(Span<byte> host, int offset, uint value) => MemoryMarshal.Write(host[offset..], value);

    private static void PutPermissions(Span<byte> guest, ReadOnlySpan<byte> host) => host[..28].CopyTo(guest);

    private static void PutOldPermissions(Span<byte> guest, ReadOnlySpan<byte> host)
    {
        const ushort Overflow = 65534;
        host[..4].CopyTo(guest);
        for (var i = 0; i < 4; i++)
        {
            var number = (uint)Word(host, 4 + (i * 4));
            MemoryMarshal.Write(guest[(4 + (i * 2))..], number > ushort.MaxValue ? Overflow : (ushort)number);
        }

        host.Slice(20, 2).CopyTo(guest[12..]);
        host.Slice(24, 2).CopyTo(guest[14..]);
    }

    private static void PutOldTimes(Span<byte> guest, ReadOnlySpan<byte> host, int count)
    {
        for (var i = 0; i < count; i++)
            host.Slice(i * 8, 4).CopyTo(guest[(i * 4)..]);
    }

    // 65535 means "unchanged".
    private static uint Widen(ReadOnlySpan<byte> guest, int offset)
    {
        var number = MemoryMarshal.Read<ushort>(guest[offset..]);
        return number == ushort.MaxValue ? uint.MaxValue : number;
    }
}
