using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace DynaTrans.Linux.Files;

/// <summary>The host's <c>struct stat</c> (x86-64 kernel layout, 144 bytes), which is also what an x86-64 guest sees.</summary>
[StructLayout(LayoutKind.Sequential, Size = 144)]
public struct HostStat
{
    /// <summary>Device of the file system, in the kernel's new encoding.</summary>
    public ulong Device;

    /// <summary>Inode number.</summary>
    public ulong Inode;

    /// <summary>Hard links.</summary>
    public ulong Links;

    /// <summary>Type and permission bits.</summary>
    public uint Mode;

    /// <summary>Owner.</summary>
    public uint User;

    /// <summary>Group.</summary>
    public uint Group;

    /// <summary>Padding.</summary>
    public uint Padding;

    /// <summary>Device of a device file.</summary>
    public ulong SpecialDevice;

    /// <summary>Size in bytes.</summary>
    public long Size;

    /// <summary>Preferred block size.</summary>
    public long BlockSize;

    /// <summary>512-byte blocks in use.</summary>
    public long Blocks;

    /// <summary>Last access: seconds.</summary>
    public long AccessSeconds;

    /// <summary>Last access: nanoseconds.</summary>
    public long AccessNanoseconds;

    /// <summary>Last change of contents: seconds.</summary>
    public long ModifySeconds;

    /// <summary>Last change of contents: nanoseconds.</summary>
    public long ModifyNanoseconds;

    /// <summary>Last change of status: seconds.</summary>
    public long ChangeSeconds;

    /// <summary>Last change of status: nanoseconds.</summary>
    public long ChangeNanoseconds;
}

/// <summary>
/// The i386 layouts of file status, written from the host's (Linux <c>arch/x86/include/uapi/asm/stat.h</c>, <c>asm/statfs.h</c>).
/// </summary>
public static class StatLayouts
{
    /// <summary>Bytes of i386 <c>struct __old_kernel_stat</c> (system calls 18, 28, 84).</summary>
    public const int OldestSize = 32;

    /// <summary>Bytes of i386 <c>struct stat</c> (system calls 106 to 108).</summary>
    public const int OldSize = 64;

    /// <summary>Bytes of i386 <c>struct stat64</c> (system calls 195 to 197, 300).</summary>
    public const int LargeSize = 96;

    /// <summary>Bytes of i386 <c>struct statfs</c>.</summary>
    public const int FileSystemSize = 64;

    /// <summary>Bytes of i386 <c>struct statfs64</c>.</summary>
    public const int LargeFileSystemSize = 84;

    /// <summary>Bytes of the host's (and x86-64's) <c>struct statfs</c>.</summary>
    public const int HostFileSystemSize = 120;

    /// <summary>Writes <c>struct stat64</c>.</summary>
    public static void WriteLarge(in HostStat s, Span<byte> to)
    {
        to[..LargeSize].Clear();
        Put64(to, 0, s.Device);
        Put32(to, 12, s.Inode);
        Put32(to, 16, s.Mode);
        Put32(to, 20, s.Links);
        Put32(to, 24, s.User);
        Put32(to, 28, s.Group);
        Put64(to, 32, s.SpecialDevice);
        Put64(to, 44, (ulong)s.Size);
        Put32(to, 52, (ulong)s.BlockSize);
        Put64(to, 56, (ulong)s.Blocks);
        Put32(to, 64, (ulong)s.AccessSeconds);
        Put32(to, 68, (ulong)s.AccessNanoseconds);
        Put32(to, 72, (ulong)s.ModifySeconds);
        Put32(to, 76, (ulong)s.ModifyNanoseconds);
        Put32(to, 80, (ulong)s.ChangeSeconds);
        Put32(to, 84, (ulong)s.ChangeNanoseconds);
        Put64(to, 88, s.Inode);
    }

    /// <summary>Writes <c>struct stat</c>.</summary>
    /// <returns>False (EOVERFLOW) when the inode, link count or size does not fit.</returns>
    public static bool TryWriteOld(in HostStat s, Span<byte> to)
    {
        if (s.Inode > uint.MaxValue || s.Links > ushort.MaxValue || s.Size > int.MaxValue)
            return false;
        to[..OldSize].Clear();
        Put32(to, 0, s.Device);
        Put32(to, 4, s.Inode);
        Put16(to, 8, s.Mode);
        Put16(to, 10, s.Links);
        Put16(to, 12, ShortId(s.User));
        Put16(to, 14, ShortId(s.Group));
        Put32(to, 16, s.SpecialDevice);
        Put32(to, 20, (ulong)s.Size);
        Put32(to, 24, (ulong)s.BlockSize);
        Put32(to, 28, (ulong)s.Blocks);
        Put32(to, 32, (ulong)s.AccessSeconds);
        Put32(to, 36, (ulong)s.AccessNanoseconds);
        Put32(to, 40, (ulong)s.ModifySeconds);
        Put32(to, 44, (ulong)s.ModifyNanoseconds);
        Put32(to, 48, (ulong)s.ChangeSeconds);
        Put32(to, 52, (ulong)s.ChangeNanoseconds);
        return true;
    }

    /// <summary>Writes <c>struct __old_kernel_stat</c>.</summary>
    /// <returns>False (EOVERFLOW) when the inode, link count or size does not fit.</returns>
    public static bool TryWriteOldest(in HostStat s, Span<byte> to)
    {
        if (s.Inode > ushort.MaxValue || s.Links > ushort.MaxValue || s.Size > int.MaxValue)
            return false;
        to[..OldestSize].Clear();
        Put16(to, 0, s.Device);
        Put16(to, 2, s.Inode);
        Put16(to, 4, s.Mode);
        Put16(to, 6, s.Links);
        Put16(to, 8, ShortId(s.User));
        Put16(to, 10, ShortId(s.Group));
        Put16(to, 12, s.SpecialDevice);
        Put32(to, 16, (ulong)s.Size);
        Put32(to, 20, (ulong)s.AccessSeconds);
        Put32(to, 24, (ulong)s.ModifySeconds);
        Put32(to, 28, (ulong)s.ChangeSeconds);
        return true;
    }

    /// <summary>Writes i386 <c>struct statfs</c> from the host's.</summary>
    /// <returns>False (EOVERFLOW) when a count does not fit.</returns>
    public static bool TryWriteFileSystem(ReadOnlySpan<byte> host, Span<byte> to)
    {
        to[..FileSystemSize].Clear();
        for (var field = 0; field < 7; field++)
        {
            var value = BinaryPrimitives.ReadUInt64LittleEndian(host[(field * 8)..]);

            // Counts of files may be -1, "unknown".
            if (value > uint.MaxValue && !(field >= 5 && value == ulong.MaxValue))
                return false;
            Put32(to, field * 4, value);
        }

        host.Slice(56, 8).CopyTo(to[28..]);
        for (var field = 0; field < 3; field++)
            Put32(to, 36 + (field * 4), BinaryPrimitives.ReadUInt64LittleEndian(host[(64 + (field * 8))..]));
        return true;
    }

    /// <summary>Writes i386 <c>struct statfs64</c> from the host's.</summary>
    public static void WriteLargeFileSystem(ReadOnlySpan<byte> host, Span<byte> to)
    {
        to[..LargeFileSystemSize].Clear();
        Put32(to, 0, BinaryPrimitives.ReadUInt64LittleEndian(host));
        Put32(to, 4, BinaryPrimitives.ReadUInt64LittleEndian(host[8..]));
        host.Slice(16, 40).CopyTo(to[8..]);
        host.Slice(56, 8).CopyTo(to[48..]);
        for (var field = 0; field < 3; field++)
            Put32(to, 56 + (field * 4), BinaryPrimitives.ReadUInt64LittleEndian(host[(64 + (field * 8))..]));
    }

    /// <summary>Writes <c>struct statx</c>, the fields of <see cref="HostStat"/> (STATX_BASIC_STATS).</summary>
    public static void WriteExtended(in HostStat s, Span<byte> to)
    {
        const uint BasicStats = 0x7FF;
        Put32(to, 0, BasicStats);
        Put32(to, 4, (ulong)s.BlockSize);
        Put32(to, 16, s.Links);
        Put32(to, 20, s.User);
        Put32(to, 24, s.Group);
        Put16(to, 28, s.Mode);
        Put64(to, 32, s.Inode);
        Put64(to, 40, (ulong)s.Size);
        Put64(to, 48, (ulong)s.Blocks);
        Put64(to, 64, (ulong)s.AccessSeconds);
        Put64(to, 96, (ulong)s.ChangeSeconds);
        Put64(to, 112, (ulong)s.ModifySeconds);
        Put32(to, 136, (s.Device >> 8) & 0xFFF);
        Put32(to, 140, (s.Device & 0xFF) | ((s.Device >> 12) & 0xFFF00));
    }

    /// <summary>The device of a <c>struct statx</c>, as <see cref="HostStat.Device"/> has it.</summary>
    public static ulong ExtendedDevice(ReadOnlySpan<byte> statx)
    {
        ulong major = BinaryPrimitives.ReadUInt32LittleEndian(statx[136..]);
        ulong minor = BinaryPrimitives.ReadUInt32LittleEndian(statx[140..]);
        return ((major & 0xFFF) << 8) | (minor & 0xFF) | ((minor & 0xFFFFFF00) << 12);
    }

    /// <summary>A user or group number in 16 bits: 65534 stands for what does not fit.</summary>
    public static ushort ShortId(uint id) => id > ushort.MaxValue ? (ushort)65534 : (ushort)id;

    private static void Put16(Span<byte> to, int at, ulong value) => BinaryPrimitives.WriteUInt16LittleEndian(to[at..], (ushort)value);

    private static void Put32(Span<byte> to, int at, ulong value) => BinaryPrimitives.WriteUInt32LittleEndian(to[at..], (uint)value);

    private static void Put64(Span<byte> to, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(to[at..], value);
}
