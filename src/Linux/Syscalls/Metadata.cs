using DynaTrans.Linux.Files;
using DynaTrans.Linux.Files.Proc;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Status, permissions, owners, times, extended attributes and file systems.</summary>
internal static unsafe class Metadata
{
    private const int Here = PathResolver.AtWorkingDirectory;
    private const int SymlinkNoFollow = 0x100;
    private const int EmptyPath = 0x1000;
    private const int StatxSize = 256;
    private const long UtimeNow = 0x3fffffff;

    /// <summary>stat(path, buffer): the newer of the two old forms.</summary>
    public static long Stat(in SyscallContext c) => StatPath(c, Here, c.A0, c.A1, 0, c.Is32 ? Layout.Old : Layout.Host);

    /// <summary>lstat(path, buffer).</summary>
    public static long Lstat(in SyscallContext c) => StatPath(c, Here, c.A0, c.A1, SymlinkNoFollow, c.Is32 ? Layout.Old : Layout.Host);

    /// <summary>fstat(fd, buffer).</summary>
    public static long Fstat(in SyscallContext c) => StatOpen(c, c.Is32 ? Layout.Old : Layout.Host);

    /// <summary>oldstat(path, buffer), i386 only.</summary>
    public static long OldStat(in SyscallContext c) => StatPath(c, Here, c.A0, c.A1, 0, Layout.Oldest);

    /// <summary>oldlstat(path, buffer), i386 only.</summary>
    public static long OldLstat(in SyscallContext c) => StatPath(c, Here, c.A0, c.A1, SymlinkNoFollow, Layout.Oldest);

    /// <summary>oldfstat(fd, buffer), i386 only.</summary>
    public static long OldFstat(in SyscallContext c) => StatOpen(c, Layout.Oldest);

    /// <summary>stat64(path, buffer), i386 only.</summary>
    public static long StatLarge(in SyscallContext c) => StatPath(c, Here, c.A0, c.A1, 0, Layout.Large);

    /// <summary>lstat64(path, buffer), i386 only.</summary>
    public static long LstatLarge(in SyscallContext c) => StatPath(c, Here, c.A0, c.A1, SymlinkNoFollow, Layout.Large);

    /// <summary>fstat64(fd, buffer), i386 only.</summary>
    public static long FstatLarge(in SyscallContext c) => StatOpen(c, Layout.Large);

    /// <summary>newfstatat and fstatat64 (directory, path, buffer, flags).</summary>
    public static long FstatAt(in SyscallContext c) => StatPath(c, c.I0, c.A1, c.A2, c.I3, c.Is32 ? Layout.Large : Layout.Host);

    /// <summary>statx(directory, path, flags, mask, buffer): one layout for all.</summary>
    public static long Statx(in SyscallContext c)
    {
        const int SyncMask = 0x6000, NoAutomount = 0x800;
        const uint ReservedMask = 0x80000000;
        Span<byte> buffer = stackalloc byte[StatxSize];
        buffer.Clear();
        if (((uint)c.A3 & ReservedMask) != 0 || (c.I2 & SyncMask) == SyncMask || (c.I2 & ~(SyncMask | NoAutomount | SymlinkNoFollow | EmptyPath)) != 0)
            return -Errno.EINVAL;
        long error = c.TryReadPath(c.A1, out var path);
        if (error < 0)
            return error;
        for (var walk = false; ; walk = true)
        {
            error = ForStatus(c, c.I0, path, c.I2, walk, out var target);
            if (error < 0)
                return error;
            using var held = target;
            if (target.Node is { } node)
            {
                StatLayouts.WriteExtended(node.Status(), buffer);
                break;
            }

            fixed (byte* p = buffer, name = HostCalls.Path(string.Empty))
                error = HostCalls.Call(HostSys.Statx, target.HostFd, (nint)name, EmptyPath | (c.I2 & SyncMask), (uint)c.A3, (nint)p);
            if (error < 0)
                return error;
            if (walk || path.Length == 0 || !HostFiles.IsProc(target.HostFd, StatLayouts.ExtendedDevice(buffer)))
                break;
        }

        return c.Memory.TryWrite(c.A4, buffer) ? 0 : -Errno.EFAULT;
    }

    /// <summary>access(path, mode).</summary>
    public static long Access(in SyscallContext c) => Access(c, Here, c.A0, c.I1, 0);

    /// <summary>faccessat(directory, path, mode).</summary>
    public static long AccessAt(in SyscallContext c) => Access(c, c.I0, c.A1, c.I2, 0);

    /// <summary>faccessat2(directory, path, mode, flags).</summary>
    public static long AccessAt2(in SyscallContext c) => Access(c, c.I0, c.A1, c.I2, c.I3);

    /// <summary>chmod(path, mode).</summary>
    public static long Chmod(in SyscallContext c) => Chmod(c, Here, c.A0, c.I1);

    /// <summary>fchmodat(directory, path, mode).</summary>
    public static long ChmodAt(in SyscallContext c) => Chmod(c, c.I0, c.A1, c.I2);

    /// <summary>fchmod(fd, mode).</summary>
    public static long Fchmod(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        return file.IsNone() ? -Errno.EBADF : file.File.Tag is IProcPlace ? -Errno.EPERM : HostCalls.Call(HostSys.Fchmod, file.HostFd, c.I1);
    }

    /// <summary>chown(path, user, group), 32-bit numbers.</summary>
    public static long Chown(in SyscallContext c) => Chown(c, Here, c.A0, c.I1, c.I2, 0);

    /// <summary>lchown(path, user, group).</summary>
    public static long Lchown(in SyscallContext c) => Chown(c, Here, c.A0, c.I1, c.I2, SymlinkNoFollow);

    /// <summary>fchown(fd, user, group).</summary>
    public static long Fchown(in SyscallContext c) => Fchown(c, c.I1, c.I2);

    /// <summary>fchownat(directory, path, user, group, flags).</summary>
    public static long ChownAt(in SyscallContext c) => Chown(c, c.I0, c.A1, c.I2, c.I3, c.I4);

    /// <summary>chown with 16-bit numbers, i386 only.</summary>
    public static long Chown16(in SyscallContext c) => Chown(c, Here, c.A0, Widen(c.A1), Widen(c.A2), 0);

    /// <summary>lchown with 16-bit numbers, i386 only.</summary>
    public static long Lchown16(in SyscallContext c) => Chown(c, Here, c.A0, Widen(c.A1), Widen(c.A2), SymlinkNoFollow);

    /// <summary>fchown with 16-bit numbers, i386 only.</summary>
    public static long Fchown16(in SyscallContext c) => Fchown(c, Widen(c.A1), Widen(c.A2));

    /// <summary>utime(path, two times in seconds).</summary>
    public static long Utime(in SyscallContext c)
    {
        if (c.A1 == 0)
            return SetTimes(c, Here, c.A0, null, 0);
        if (!c.TryReadLong(c.A1, out var access) || !c.TryReadLong(c.A1 + (uint)c.LongSize, out var modify))
            return -Errno.EFAULT;
        var times = stackalloc TimeSpec[2];
        times[0].Seconds = c.Long(access);
        times[1].Seconds = c.Long(modify);
        return SetTimes(c, Here, c.A0, times, 0);
    }

    /// <summary>utimes(path, two timevals).</summary>
    public static long Utimes(in SyscallContext c) => TimesInMicroseconds(c, Here, c.A0, c.A1);

    /// <summary>futimesat(directory, path, two timevals).</summary>
    public static long FutimesAt(in SyscallContext c) => TimesInMicroseconds(c, c.I0, c.A1, c.A2);

    /// <summary>utimensat(directory, path, two timespecs, flags).</summary>
    public static long UtimensAt(in SyscallContext c) => TimesInNanoseconds(c, !c.Is32);

    /// <summary>utimensat_time64, i386 only.</summary>
    public static long UtimensAt64(in SyscallContext c) => TimesInNanoseconds(c, true);

    /// <summary>statfs(path, buffer).</summary>
    public static long Statfs(in SyscallContext c) => StatfsPath(c, c.A1, c.Is32 ? Layout.Old : Layout.Host);

    /// <summary>fstatfs(fd, buffer).</summary>
    public static long Fstatfs(in SyscallContext c) => StatfsOpen(c, c.A1, c.Is32 ? Layout.Old : Layout.Host);

    /// <summary>statfs64(path, size, buffer), i386 only.</summary>
    public static long StatfsLarge(in SyscallContext c) =>
        c.A1 is StatLayouts.LargeFileSystemSize or StatLayouts.LargeFileSystemSize + 4 ? StatfsPath(c, c.A2, Layout.Large) : -Errno.EINVAL;

    /// <summary>fstatfs64(fd, size, buffer), i386 only.</summary>
    public static long FstatfsLarge(in SyscallContext c) =>
        c.A1 is StatLayouts.LargeFileSystemSize or StatLayouts.LargeFileSystemSize + 4 ? StatfsOpen(c, c.A2, Layout.Large) : -Errno.EINVAL;

    /// <summary>A path for a call with AT_* flags: an empty path with AT_EMPTY_PATH names the descriptor itself.</summary>
    internal static long At(in SyscallContext c, int directory, ulong address, int flags, out PathTarget target) =>
        c.Find(directory, address, out target, (flags & SymlinkNoFollow) == 0, (flags & EmptyPath) != 0);

    private static long StatPath(in SyscallContext c, int directory, ulong address, ulong buffer, int flags, Layout layout)
    {
        const int NoAutomount = 0x800, SyncMask = 0x6000;
        if ((flags & ~(SymlinkNoFollow | EmptyPath | NoAutomount | SyncMask)) != 0)
            return -Errno.EINVAL;
        long error = c.TryReadPath(address, out var path);
        if (error < 0)
            return error;
        if (path.Length > 0 && !path.Contains('/') && TryStatName(c, directory, path, flags, out var quick))
            return quick.Error < 0 ? quick.Error : WriteStatus(c, quick.Status, buffer, layout);
        for (var walk = false; ; walk = true)
        {
            error = ForStatus(c, directory, path, flags, walk, out var target);
            if (error < 0)
                return error;
            using var held = target;
            if (target.Node is { } node)
                return WriteStatus(c, node.Status(), buffer, layout);
            error = HostFiles.Status(target.HostFd, out var status);
            if (error < 0)
                return error;
            if (walk || path.Length == 0 || !HostFiles.IsProc(target.HostFd, status.Device))
                return WriteStatus(c, status, buffer, layout);
        }
    }

    // The status that is wanted anyway tells whether the object is an ordinary one; else it is looked up again, by a walk.
    private static long ForStatus(in SyscallContext c, int directory, string path, int flags, bool walk, out PathTarget target)
    {
        var follow = (flags & SymlinkNoFollow) == 0;
        if (path.Length == 0)
            return c.FindEmpty(directory, (flags & EmptyPath) != 0, out target);
        return walk
            ? PathResolver.Walk(c.Asker(), directory, path, follow, out target)
            : PathResolver.Find(c.Asker(), directory, path, follow, out target, judge: false);
    }

    // A name in an open directory of the host leads nowhere else unless it is a link: one host call instead of four. A procfs may be mounted
    // on it.
    private static bool TryStatName(in SyscallContext c, int directory, string name, int flags, out (HostStat Status, long Error) result)
    {
        result = default;
        var file = directory == Here ? c.Process.FileSystem.Acquire() : c.File(directory);
        if (file.IsNone())
            return false;
        using (file)
        {
            if (file.File.Tag is IProcPlace || name == "..")
                return false;
            result.Error = HostFiles.LinkStatus(file.HostFd, name, out result.Status);
            if (result.Error < 0)
                return true;
            return !(HostFiles.IsLink(result.Status) && (flags & SymlinkNoFollow) == 0) && result.Status.Inode != 1
                && result.Status.Device != ProcMounts.Device;
        }
    }

    private static long StatOpen(in SyscallContext c, Layout layout)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        if (file.File.Tag is IProcPlace place)
            return WriteStatus(c, place.Node.Status(), c.A1, layout);
        var error = HostFiles.Status(file.HostFd, out var status);
        return error < 0 ? error : WriteStatus(c, status, c.A1, layout);
    }

    private static long WriteStatus(in SyscallContext c, in HostStat status, ulong buffer, Layout layout)
    {
        if (layout == Layout.Host)
            return c.Memory.TryWrite(buffer, status) ? 0 : -Errno.EFAULT;
        Span<byte> bytes = stackalloc byte[StatLayouts.LargeSize];
        var size = StatLayouts.LargeSize;
        var fits = true;
        switch (layout)
        {
            case Layout.Large:
                StatLayouts.WriteLarge(status, bytes);
                break;
            case Layout.Old:
                size = StatLayouts.OldSize;
                fits = StatLayouts.TryWriteOld(status, bytes);
                break;
            default:
                size = StatLayouts.OldestSize;
                fits = StatLayouts.TryWriteOldest(status, bytes);
                break;
        }

        if (!fits)
            return -Errno.EOVERFLOW;
        return c.Memory.TryWrite(buffer, bytes[..size]) ? 0 : -Errno.EFAULT;
    }

    private static long Access(in SyscallContext c, int directory, ulong address, int mode, int flags)
    {
        const int EffectiveIds = 0x200;
        if ((mode & ~7) != 0 || (flags & ~(SymlinkNoFollow | EmptyPath | EffectiveIds)) != 0)
            return -Errno.EINVAL;
        var error = At(c, directory, address, flags, out var target);
        if (error < 0)
            return error;
        using var held = target;
        if (target.Node is { } node)
            return mode == 0 || node.Allows(c.Asker(), mode) ? 0 : -Errno.EACCES;
        fixed (byte* name = HostCalls.Path(HostFiles.Reopening(target.HostFd)))
            return (flags & EffectiveIds) == 0
                ? HostCalls.Call(HostSys.Faccessat, Here, (nint)name, mode)
                : HostCalls.Call(HostSys.Faccessat2, Here, (nint)name, mode, EffectiveIds);
    }

    private static long Chmod(in SyscallContext c, int directory, ulong address, int mode)
    {
        var error = c.Find(directory, address, out var target);
        if (error < 0)
            return error;
        using var held = target;
        if (target.Node != null)
            return -Errno.EPERM;
        fixed (byte* name = HostCalls.Path(HostFiles.Reopening(target.HostFd)))
            return HostCalls.Call(HostSys.Fchmodat, Here, (nint)name, mode);
    }

    private static long Chown(in SyscallContext c, int directory, ulong address, int user, int group, int flags)
    {
        if ((flags & ~(SymlinkNoFollow | EmptyPath)) != 0)
            return -Errno.EINVAL;
        var error = At(c, directory, address, flags, out var target);
        if (error < 0)
            return error;
        using var held = target;
        if (target.Node != null)
            return -Errno.EPERM;
        fixed (byte* name = HostCalls.Path(string.Empty))
            return HostCalls.Call(HostSys.Fchownat, target.HostFd, (nint)name, user, group, EmptyPath);
    }

    private static long Fchown(in SyscallContext c, int user, int group)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        return file.File.Tag is IProcPlace ? -Errno.EPERM : HostCalls.Call(HostSys.Fchown, file.HostFd, user, group);
    }

    // 16 bits of ones mean "leave it", as 32 do.
    private static int Widen(ulong id) => (ushort)id == ushort.MaxValue ? -1 : (ushort)id;

    private static long TimesInMicroseconds(in SyscallContext c, int directory, ulong address, ulong at)
    {
        if (at == 0)
            return SetTimes(c, directory, address, null, 0);
        var times = stackalloc TimeSpec[2];
        for (var i = 0; i < 2; i++)
        {
            if (!TimeLayouts.TryReadTimeVal(c, at + (ulong)(i * 2 * c.LongSize), out times[i]))
                return -Errno.EFAULT;
            if (times[i].Nanoseconds < 0)
                return -Errno.EINVAL;
        }

        return SetTimes(c, directory, address, times, 0);
    }

    private static long TimesInNanoseconds(in SyscallContext c, bool wide)
    {
        if (c.A2 == 0)
            return SetTimes(c, c.I0, c.A1, null, c.I3);
        var times = stackalloc TimeSpec[2];
        for (var i = 0; i < 2; i++)
        {
            var at = c.A2 + (ulong)(i * (wide ? 16 : 8));
            var ok = wide ? TimeLayouts.TryReadTimeSpec64(c, at, out times[i]) : TimeLayouts.TryReadTimeSpec(c, at, out times[i]);
            if (!ok)
                return -Errno.EFAULT;

            // With UTIME_NOW and UTIME_OMIT the seconds do not matter.
            if (times[i].Nanoseconds is >= UtimeNow - 1 and <= UtimeNow)
                times[i].Seconds = 0;
        }

        return SetTimes(c, c.I0, c.A1, times, c.I3);
    }

    private static long SetTimes(in SyscallContext c, int directory, ulong address, TimeSpec* times, int flags)
    {
        // A null path means the descriptor itself.
        if (address == 0 && directory != Here)
        {
            using var file = c.File(directory);
            if (file.IsNone())
                return -Errno.EBADF;
            return file.File.Tag is IProcPlace ? -Errno.EPERM : HostCalls.Call(HostSys.Utimensat, file.HostFd, 0, (nint)times, flags);
        }

        if ((flags & ~(SymlinkNoFollow | EmptyPath)) != 0)
            return -Errno.EINVAL;
        var error = At(c, directory, address, flags, out var target);
        if (error < 0)
            return error;
        using var held = target;
        if (target.Node != null)
            return -Errno.EPERM;
        fixed (byte* name = HostCalls.Path(HostFiles.Reopening(target.HostFd)))
            return HostCalls.Call(HostSys.Utimensat, Here, (nint)name, (nint)times, 0);
    }

    private static long StatfsPath(in SyscallContext c, ulong buffer, Layout layout)
    {
        var error = c.Find(Here, c.A0, out var target);
        if (error < 0)
            return error;
        using var held = target;
        return WriteFileSystem(c, target.Node != null ? ProcMounts.HostFd : target.HostFd, buffer, layout);
    }

    private static long StatfsOpen(in SyscallContext c, ulong buffer, Layout layout)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        return WriteFileSystem(c, file.File.Tag is IProcPlace ? ProcMounts.HostFd : file.HostFd, buffer, layout);
    }

    private static long WriteFileSystem(in SyscallContext c, int hostFd, ulong buffer, Layout layout)
    {
        Span<byte> host = stackalloc byte[StatLayouts.HostFileSystemSize];
        Span<byte> guest = stackalloc byte[StatLayouts.HostFileSystemSize];
        fixed (byte* p = host)
        {
            var error = HostCalls.Call(HostSys.Fstatfs, hostFd, (nint)p);
            if (error < 0)
                return error;
        }

        switch (layout)
        {
            case Layout.Host:
                host.CopyTo(guest);
                break;
            case Layout.Large:
                StatLayouts.WriteLargeFileSystem(host, guest);
                guest = guest[..StatLayouts.LargeFileSystemSize];
                break;
            default:
                if (!StatLayouts.TryWriteFileSystem(host, guest))
                    return -Errno.EOVERFLOW;
                guest = guest[..StatLayouts.FileSystemSize];
                break;
        }

        return c.Memory.TryWrite(buffer, guest) ? 0 : -Errno.EFAULT;
    }

    private enum Layout
    {
        Host,
        Large,
        Old,
        Oldest,
    }
}
