using System.Text;
using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Working directory, directory entries, links and names.</summary>
internal static unsafe class Directories
{
    private const int Here = PathResolver.AtWorkingDirectory;
    private const int RemoveDirectory = 0x200;
    private const int SymlinkFollow = 0x400;
    private const int MaxEntries = 1 << 20;

    /// <summary>getcwd(buffer, size): the length with the terminating zero.</summary>
    public static long Getcwd(in SyscallContext c)
    {
        var path = WorkingDirectory(c.Process);
        if (path == null)
            return -Errno.ENOENT;
        var bytes = HostCalls.Path(path);
        if ((ulong)bytes.Length > c.A1)
            return -Errno.ERANGE;
        return c.Memory.TryWrite(c.A0, bytes) ? bytes.Length : -Errno.EFAULT;
    }

    /// <summary>Path of the working directory as the guest sees it, or null when it was removed.</summary>
    public static string? WorkingDirectory(Processes.GuestProcess process)
    {
        using var here = process.FileSystem.Acquire();
        if (HostFiles.Status(here.HostFd, out var status) < 0 || status.Links == 0)
            return null;
        return HostFiles.PathOf(here.HostFd) is { } path ? PathResolver.GuestPath(process.Kernel, path) : null;
    }

    /// <summary>chdir(path).</summary>
    public static long Chdir(in SyscallContext c)
    {
        var error = c.Path(Here, c.A0, out var path);
        if (error < 0)
            return error;
        using var held = path;
        return Enter(c, HostCalls.OpenAt(path.Directory, path.Path, OpenFlags.PathOnly | OpenFlags.Directory | OpenFlags.CloseOnExec));
    }

    /// <summary>fchdir(fd).</summary>
    public static long Fchdir(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        if (HostFiles.Status(file.HostFd, out var status) < 0 || !HostFiles.IsDirectory(status))
            return -Errno.ENOTDIR;

        // A descriptor of its own: the guest may close this one.
        return Enter(c, (int)HostCalls.Call(HostSys.Fcntl, file.HostFd, 1030));
    }

    /// <summary>mkdir(path, mode).</summary>
    public static long Mkdir(in SyscallContext c) => Mkdir(c, Here, c.A0, c.I1);

    /// <summary>mkdirat(directory, path, mode).</summary>
    public static long MkdirAt(in SyscallContext c) => Mkdir(c, c.I0, c.A1, c.I2);

    /// <summary>mknod(path, mode, device).</summary>
    public static long Mknod(in SyscallContext c) => Mknod(c, Here, c.A0, c.I1, c.I2);

    /// <summary>mknodat(directory, path, mode, device).</summary>
    public static long MknodAt(in SyscallContext c) => Mknod(c, c.I0, c.A1, c.I2, c.I3);

    /// <summary>rmdir(path).</summary>
    public static long Rmdir(in SyscallContext c) => Unlink(c, Here, c.A0, RemoveDirectory);

    /// <summary>unlink(path).</summary>
    public static long Unlink(in SyscallContext c) => Unlink(c, Here, c.A0, 0);

    /// <summary>unlinkat(directory, path, flags).</summary>
    public static long UnlinkAt(in SyscallContext c) => Unlink(c, c.I0, c.A1, c.I2);

    /// <summary>rename(old, new).</summary>
    public static long Rename(in SyscallContext c) => Rename(c, Here, c.A0, Here, c.A1, 0);

    /// <summary>renameat(old directory, old, new directory, new).</summary>
    public static long RenameAt(in SyscallContext c) => Rename(c, c.I0, c.A1, c.I2, c.A3, 0);

    /// <summary>renameat2: renameat with flags.</summary>
    public static long RenameAt2(in SyscallContext c) => Rename(c, c.I0, c.A1, c.I2, c.A3, c.I4);

    /// <summary>link(old, new).</summary>
    public static long Link(in SyscallContext c) => Link(c, Here, c.A0, Here, c.A1, 0);

    /// <summary>linkat(old directory, old, new directory, new, flags).</summary>
    public static long LinkAt(in SyscallContext c) => Link(c, c.I0, c.A1, c.I2, c.A3, c.I4);

    /// <summary>symlink(target, path).</summary>
    public static long Symlink(in SyscallContext c) => Symlink(c, c.A0, Here, c.A1);

    /// <summary>symlinkat(target, directory, path).</summary>
    public static long SymlinkAt(in SyscallContext c) => Symlink(c, c.A0, c.I1, c.A2);

    /// <summary>readlink(path, buffer, size).</summary>
    public static long Readlink(in SyscallContext c) => Readlink(c, Here, c.A0, c.A1, c.I2);

    /// <summary>readlinkat(directory, path, buffer, size).</summary>
    public static long ReadlinkAt(in SyscallContext c) => Readlink(c, c.I0, c.A1, c.A2, c.I3);

    /// <summary>umask(mask).</summary>
    public static long Umask(in SyscallContext c)
    {
        var old = c.Process.FileSystem.Umask;
        c.Process.FileSystem.Umask = c.I0 & 0x1ff;
        return old;
    }

    /// <summary>getdents64(fd, buffer, size).</summary>
    public static long Getdents64(in SyscallContext c) => Entries(c, DirectoryLayout.Large);

    /// <summary>getdents(fd, buffer, size).</summary>
    public static long Getdents(in SyscallContext c) => Entries(c, c.Is32 ? DirectoryLayout.Long32 : DirectoryLayout.Long64);

    /// <summary>chroot, mount and the like need rights over the host that a guest does not get.</summary>
    public static long NotPermitted(in SyscallContext c) => -Errno.EPERM;

    private static long Enter(in SyscallContext c, int hostFd)
    {
        const int Execute = 1, EmptyPath = 0x1000, EffectiveIds = 0x200;
        if (hostFd < 0)
            return hostFd;
        fixed (byte* empty = HostCalls.Path(string.Empty))
        {
            var error = HostCalls.Call(HostSys.Faccessat2, hostFd, (nint)empty, Execute, EmptyPath | EffectiveIds);
            if (error == -Errno.EACCES)
            {
                HostCalls.Close(hostFd);
                return error;
            }
        }

        c.Process.FileSystem.SetDirectory(new OpenFile(hostFd));
        return 0;
    }

    private static long Mkdir(in SyscallContext c, int directory, ulong address, int mode)
    {
        var error = c.Path(directory, address, out var path, false);
        if (error < 0)
            return error;
        using var held = path;
        fixed (byte* name = HostCalls.Path(path.Path))
            return HostCalls.Call(HostSys.Mkdirat, path.Directory, (nint)name, mode & ~c.Process.FileSystem.Umask);
    }

    private static long Mknod(in SyscallContext c, int directory, ulong address, int mode, int device)
    {
        var error = c.Path(directory, address, out var path, false);
        if (error < 0)
            return error;
        using var held = path;
        fixed (byte* name = HostCalls.Path(path.Path))
            return HostCalls.Call(HostSys.Mknodat, path.Directory, (nint)name, mode & ~c.Process.FileSystem.Umask, (uint)device);
    }

    private static long Unlink(in SyscallContext c, int directory, ulong address, int flags)
    {
        var error = c.Path(directory, address, out var path, false);
        if (error < 0)
            return error;
        using var held = path;
        fixed (byte* name = HostCalls.Path(path.Path))
            return HostCalls.Call(HostSys.Unlinkat, path.Directory, (nint)name, flags);
    }

    private static long Rename(in SyscallContext c, int oldDirectory, ulong oldAddress, int newDirectory, ulong newAddress, int flags)
    {
        var error = Two(c, oldDirectory, oldAddress, newDirectory, newAddress, false, out var from, out var to);
        if (error < 0)
            return error;
        using var heldFrom = from;
        using var heldTo = to;
        fixed (byte* a = HostCalls.Path(from.Path), b = HostCalls.Path(to.Path))
            return HostCalls.Call(HostSys.Renameat2, from.Directory, (nint)a, to.Directory, (nint)b, flags);
    }

    private static long Link(in SyscallContext c, int oldDirectory, ulong oldAddress, int newDirectory, ulong newAddress, int flags)
    {
        var error = Two(c, oldDirectory, oldAddress, newDirectory, newAddress, (flags & SymlinkFollow) != 0, out var from, out var to);
        if (error < 0)
            return error;
        using var heldFrom = from;
        using var heldTo = to;
        fixed (byte* a = HostCalls.Path(from.Path), b = HostCalls.Path(to.Path))
            return HostCalls.Call(HostSys.Linkat, from.Directory, (nint)a, to.Directory, (nint)b, flags);
    }

    private static long Two(
        in SyscallContext c, int oldDirectory, ulong oldAddress, int newDirectory, ulong newAddress, bool follow, out ResolvedPath from, out ResolvedPath to)
    {
        to = default;
        var error = c.Path(oldDirectory, oldAddress, out from, follow);
        if (error < 0)
            return error;
        error = c.Path(newDirectory, newAddress, out to, false);
        if (error < 0)
            from.Dispose();
        return error;
    }

    private static long Symlink(in SyscallContext c, ulong target, int directory, ulong address)
    {
        long error = c.TryReadPath(target, out var text);
        if (error < 0)
            return error;
        error = c.Path(directory, address, out var path, false);
        if (error < 0)
            return error;
        using var held = path;
        fixed (byte* a = HostCalls.Path(text), b = HostCalls.Path(path.Path))
            return HostCalls.Call(HostSys.Symlinkat, (nint)a, path.Directory, (nint)b);
    }

    private static long Readlink(in SyscallContext c, int directory, ulong address, ulong buffer, int size)
    {
        if (size <= 0)
            return -Errno.EINVAL;
        long error = c.TryReadPath(address, out var text);
        if (error < 0)
            return error;
        if (ProcPaths.ReadLink(c.Thread, text) is not { } target)
        {
            error = PathResolver.Resolve(c.Process, directory, text, out var path, false);
            if (error < 0)
                return error;
            using var held = path;
            var host = new byte[4096];
            fixed (byte* name = HostCalls.Path(path.Path), p = host)
                error = HostCalls.Call(HostSys.Readlinkat, path.Directory, (nint)name, (nint)p, host.Length);
            if (error < 0)
                return error;
            target = Encoding.Latin1.GetString(host, 0, (int)error);
        }

        var bytes = new byte[target.Length].AsSpan();
        HostCalls.ToBytes(target, bytes);
        bytes = bytes[..Math.Min(bytes.Length, size)];
        return c.Memory.TryWrite(buffer, bytes) ? bytes.Length : -Errno.EFAULT;
    }

    private static long Entries(in SyscallContext c, DirectoryLayout layout)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        var size = Math.Min((uint)c.A2, MaxEntries);
        if (!c.Memory.TryGetPrefix(c.A1, size, true, out var p, out var length))
            return -Errno.EFAULT;
        if (file.File.Tag == null && c.Is32)
            file.File.Tag = new DirectoryPosition();
        var done = file.File.Tag is DirectoryPosition position
            ? position.Read(file.HostFd, layout, new Span<byte>(p, (int)length))
            : layout == DirectoryLayout.Large
                ? HostCalls.Call(HostSys.Getdents64, file.HostFd, (nint)p, (long)length)
                : HostCalls.Call(HostSys.Getdents, file.HostFd, (nint)p, (long)length);
        if (done > 0)
            c.Memory.Space.PrepareWrite(c.A1, (ulong)done);
        return done;
    }
}
