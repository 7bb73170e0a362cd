using System.Text;
using DynaTrans.Linux.Files;
using DynaTrans.Linux.Files.Proc;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Working directory, directory entries, links and names.</summary>
internal static unsafe class Directories
{
    private const int Here = PathResolver.AtWorkingDirectory;
    private const int RemoveDirectory = 0x200;
    private const int SymlinkFollow = 0x400;
    private const int MaxEntries = 1 << 20;
    private const int RenameExchange = 2;

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
        return NameOf(process.Kernel, here.File);
    }

    /// <summary>Path of an open directory as the guest sees it, or null when it was removed.</summary>
    public static string? NameOf(Processes.LinuxKernel kernel, OpenFile directory)
    {
        if (directory.Tag is IProcPlace place)
            return place.Node.Path;
        if (HostFiles.Status(directory.HostFd, out var status) < 0 || status.Links == 0)
            return null;
        return HostFiles.PathOf(directory.HostFd) is { } path ? PathResolver.GuestPath(kernel, path) : null;
    }

    /// <summary>chdir(path).</summary>
    public static long Chdir(in SyscallContext c)
    {
        long error = c.TryReadPath(c.A0, out var text);
        if (error < 0)
            return error;
        const int Flags = OpenFlags.PathOnly | OpenFlags.Directory;
        error = PathResolver.Open(c.Asker(), Here, text, Flags, 0, 0, null, out var directory);
        return error < 0 ? error : Enter(c, directory!);
    }

    /// <summary>fchdir(fd).</summary>
    public static long Fchdir(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        if (file.File.Tag is IProcPlace place)
        {
            if (place.Node is not ProcDirectory)
                return -Errno.ENOTDIR;
        }
        else if (HostFiles.Status(file.HostFd, out var status) < 0 || !HostFiles.IsDirectory(status))
        {
            return -Errno.ENOTDIR;
        }

        // The guest may close its descriptor.
        file.File.AddReference();
        return Enter(c, file.File);
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

    // Takes over the reference.
    private static long Enter(in SyscallContext c, OpenFile directory)
    {
        const int EmptyPath = 0x1000, EffectiveIds = 0x200;
        long error = 0;
        if (HostDescriptors.IsReserved(directory.HostFd))
        {
            directory.Release();
            return -Errno.ENFILE;
        }

        if (directory.Tag is IProcPlace place)
            error = place.Node.Allows(c.Asker(), ProcNode.ExecuteRight) ? 0 : -Errno.EACCES;
        else
            fixed (byte* empty = HostCalls.Path(string.Empty))
                error = HostCalls.Call(HostSys.Faccessat2, directory.HostFd, (nint)empty, ProcNode.ExecuteRight, EmptyPath | EffectiveIds);
        if (error == -Errno.EACCES)
        {
            directory.Release();
            return error;
        }

        c.Process.FileSystem.SetDirectory(directory);
        return 0;
    }

    private static long Mkdir(in SyscallContext c, int directory, ulong address, int mode)
    {
        var error = c.FindParent(directory, address, out var parent);
        if (error < 0)
            return error;
        using var held = parent;
        if (parent.Node != null)
            return CannotMake(c, parent);
        fixed (byte* name = HostCalls.Path(parent.Name))
            return HostCalls.Call(HostSys.Mkdirat, parent.HostFd, (nint)name, mode & ~c.Process.FileSystem.Umask);
    }

    private static long Mknod(in SyscallContext c, int directory, ulong address, int mode, int device)
    {
        var error = c.FindParent(directory, address, out var parent);
        if (error < 0)
            return error;
        using var held = parent;
        if (parent.Node != null)
            return CannotMake(c, parent);
        fixed (byte* name = HostCalls.Path(parent.Name))
            return HostCalls.Call(HostSys.Mknodat, parent.HostFd, (nint)name, mode & ~c.Process.FileSystem.Umask, (uint)device);
    }

    private static long Unlink(in SyscallContext c, int directory, ulong address, int flags)
    {
        var error = c.FindParent(directory, address, out var parent);
        if (error < 0)
            return error;
        using var held = parent;
        if (parent.Node != null)
            return CannotRemove(c, parent, (flags & RemoveDirectory) != 0);
        fixed (byte* name = HostCalls.Path(parent.Name))
            return HostCalls.Call(HostSys.Unlinkat, parent.HostFd, (nint)name, flags);
    }

    private static long Rename(in SyscallContext c, int oldDirectory, ulong oldAddress, int newDirectory, ulong newAddress, int flags)
    {
        var error = c.FindParent(oldDirectory, oldAddress, out var from);
        if (error < 0)
            return error;
        using var heldFrom = from;
        error = c.FindParent(newDirectory, newAddress, out var to);
        if (error < 0)
            return error;
        using var heldTo = to;
        if (from.Node == null != (to.Node == null))
            return -Errno.EXDEV;
        if (from.Node != null)
            return CannotRemove(c, from, false);
        if (HiddenDirectory.IsInUse && (IsAboveHidden(from) || ((flags & RenameExchange) != 0 && IsAboveHidden(to))))
            return -Errno.EBUSY;
        fixed (byte* a = HostCalls.Path(from.Name), b = HostCalls.Path(to.Name))
            return HostCalls.Call(HostSys.Renameat2, from.HostFd, (nint)a, to.HostFd, (nint)b, flags);
    }

    private static bool IsAboveHidden(in PathTarget place)
    {
        var fd = HostCalls.OpenAt(place.HostFd, place.Name, OpenFlags.PathOnly | OpenFlags.NoFollow | OpenFlags.CloseOnExec);
        if (fd < 0)
            return false;
        var isAbove = HiddenDirectory.IsAbove((int)fd) || HiddenDirectory.Contains((int)fd);
        HostCalls.Close((int)fd);
        return isAbove;
    }

    private static long Link(in SyscallContext c, int oldDirectory, ulong oldAddress, int newDirectory, ulong newAddress, int flags)
    {
        const int EmptyPath = 0x1000;
        if ((flags & ~(SymlinkFollow | EmptyPath)) != 0)
            return -Errno.EINVAL;
        long error = c.TryReadPath(oldAddress, out var old);
        if (error < 0)
            return error;

        // Where nothing is followed the name itself is linked; else the object, which the host finds again by its descriptor.
        var byDescriptor = (flags & SymlinkFollow) != 0 || (old.Length == 0 && (flags & EmptyPath) != 0);
        error = byDescriptor
            ? c.Find(oldDirectory, oldAddress, out var from, true, (flags & EmptyPath) != 0)
            : c.FindParent(oldDirectory, oldAddress, out from);
        if (error < 0)
            return error;
        using var heldFrom = from;
        error = c.FindParent(newDirectory, newAddress, out var to);
        if (error < 0)
            return error;
        using var heldTo = to;
        if (to.Node != null)
            return Exists(c, to) ? -Errno.EEXIST : -Errno.ENOENT;
        if (from.Node is { } node)
            return byDescriptor || Exists(c, from) ? -Errno.EXDEV : -Errno.ENOENT;
        var source = byDescriptor ? HostFiles.Reopening(from.HostFd) : from.Name;
        fixed (byte* a = HostCalls.Path(source), b = HostCalls.Path(to.Name))
            return HostCalls.Call(
                HostSys.Linkat, byDescriptor ? Here : from.HostFd, (nint)a, to.HostFd, (nint)b, byDescriptor ? SymlinkFollow : 0);
    }

    private static long Symlink(in SyscallContext c, ulong target, int directory, ulong address)
    {
        long error = c.TryReadPath(target, out var text);
        if (error < 0)
            return error;
        error = c.FindParent(directory, address, out var parent);
        if (error < 0)
            return error;
        using var held = parent;
        if (parent.Node != null)
            return CannotMake(c, parent);
        fixed (byte* a = HostCalls.Path(text), b = HostCalls.Path(parent.Name))
            return HostCalls.Call(HostSys.Symlinkat, (nint)a, parent.HostFd, (nint)b);
    }

    private static bool Exists(in SyscallContext c, in PathTarget parent) =>
        parent.Name is "." or ".." or "/" || (parent.Node as ProcDirectory)?.Find(c.Asker(), parent.Name.TrimEnd('/')) != null;

    // What the kernel says of names in a procfs.
    private static long CannotMake(in SyscallContext c, in PathTarget parent) =>
        parent.Node is not ProcDirectory ? -Errno.ENOTDIR : Exists(c, parent) ? -Errno.EEXIST : -Errno.ENOENT;

    private static long CannotRemove(in SyscallContext c, in PathTarget parent, bool isDirectory)
    {
        if (parent.Node is not ProcDirectory directory)
            return -Errno.ENOTDIR;
        if (!Exists(c, parent))
            return -Errno.ENOENT;
        if (!directory.IsImmutable && !directory.Allows(c.Asker(), ProcNode.WriteRight))
            return -Errno.EACCES;
        return isDirectory && directory.Find(c.Asker(), parent.Name.TrimEnd('/')) is not ProcDirectory ? -Errno.ENOTDIR : -Errno.EPERM;
    }

    private static long Readlink(in SyscallContext c, int directory, ulong address, ulong buffer, int size)
    {
        if (size <= 0)
            return -Errno.EINVAL;
        long error = c.TryReadPath(address, out var path);
        if (error < 0)
            return error;
        error = c.Find(directory, address, out var target, false, directory != Here);
        if (error < 0)
            return error;
        using var held = target;
        string? text;
        if (target.Node != null)
        {
            if (target.Node is not ProcLink link)
                return path.Length == 0 ? -Errno.ENOENT : -Errno.EINVAL;
            error = link.Read(c.Asker(), out text);
            if (error < 0)
                return error;
        }
        else
        {
            var host = new byte[4096];
            fixed (byte* name = HostCalls.Path(string.Empty), p = host)
                error = HostCalls.Call(HostSys.Readlinkat, target.HostFd, (nint)name, (nint)p, host.Length);

            // By a descriptor the host says ENOENT where by a path it says EINVAL: no link.
            if (error < 0)
                return error == -Errno.ENOENT && path.Length > 0 ? -Errno.EINVAL : error;
            text = Encoding.Latin1.GetString(host, 0, (int)error);
        }

        var bytes = new byte[text!.Length].AsSpan();
        HostCalls.ToBytes(text, bytes);
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
        if (file.File.Tag is IProcPlace { Node: ProcDirectory } and not DirectoryPosition)
            return -Errno.EBADF;
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
