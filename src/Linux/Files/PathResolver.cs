using DynaTrans.Linux.Files.Proc;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Files;

/// <summary>
/// Guest paths to objects: every call that takes a path comes through here. The host looks a path up without following the magic links of
/// /proc, and what it found is judged by the file system it lies in, so it does not matter how the path was spelt. What lies in a procfs,
/// or was reached through a magic link, is looked up again part by part (<see cref="PathWalk"/>), with the guest's own /proc in place of
/// the host's.
/// </summary>
public static class PathResolver
{
    /// <summary>AT_FDCWD.</summary>
    public const int AtWorkingDirectory = -100;

    /// <summary>What open(2) ignores: unknown bits, and O_ASYNC, which only F_SETFL turns on.</summary>
    private const int KnownFlags = 0x7FDFC3;

    private const int PathOnlyFlags = OpenFlags.Directory | OpenFlags.NoFollow | OpenFlags.PathOnly | OpenFlags.CloseOnExec;
    private const int NoControllingTerminal = 0x100;

    /// <summary>Finds the object that a path names.</summary>
    /// <param name="who">Who asks.</param>
    /// <param name="directory">Guest descriptor of a directory, or <see cref="AtWorkingDirectory"/>.</param>
    /// <param name="path">The path, one char per byte.</param>
    /// <param name="follow">True when a symbolic link at the path's end is followed.</param>
    /// <param name="target">The object.</param>
    /// <param name="judge">
    /// False: the object may lie in a procfs of the host. The caller asks <see cref="HostFiles.IsProc(int, ulong)"/> himself, and looks it
    /// up again by <see cref="Walk"/>.
    /// </param>
    /// <returns>0 or a negative error number.</returns>
    public static long Find(in Asker who, int directory, string path, bool follow, out PathTarget target, bool judge = true)
    {
        target = default;
        if (path.Length == 0)
            return -Errno.ENOENT;
        var error = Start(who, directory, path, out var start);
        if (error < 0)
            return error;
        using var held = start;
        var flags = OpenFlags.PathOnly | OpenFlags.CloseOnExec | (follow ? 0 : OpenFlags.NoFollow);
        if (!MustWalk(start, path))
        {
            var fd = HostLookup(who, start, path, flags, 0, 0, null, judge: judge);
            if (fd is { } found)
            {
                if (found >= 0)
                    target = PathTarget.Owned((int)found);
                return Math.Min(found, 0);
            }
        }

        return new PathWalk(who, follow, 0).Find(start, path, out target);
    }

    /// <summary>As <see cref="Find"/>, part by part from the beginning.</summary>
    internal static long Walk(in Asker who, int directory, string path, bool follow, out PathTarget target)
    {
        target = default;
        var error = Start(who, directory, path, out var start);
        if (error < 0)
            return error;
        using var held = start;
        return new PathWalk(who, follow, 0).Find(start, path, out target);
    }

    /// <summary>Finds the directory in which a path's last name is, for calls that make, remove or rename it (they never follow it).</summary>
    /// <returns>0 or a negative error number.</returns>
    public static long FindParent(in Asker who, int directory, string path, out PathTarget parent)
    {
        parent = default;
        if (path.Length == 0)
            return -Errno.ENOENT;
        var error = Start(who, directory, path, out var start);
        if (error < 0)
            return error;
        var end = path.AsSpan().TrimEnd('/').Length;
        var slash = end == 0 ? -1 : path.LastIndexOf('/', end - 1);
        var name = end == 0 ? "/" : path[(slash + 1)..];
        if (slash < 0 && end > 0)
        {
            // A name in a directory that is open already.
            parent = PathTarget.Of(start, name);
            return 0;
        }

        using var held = start;
        var above = end == 0 ? "/" : path[..(slash + 1)];
        if (!MustWalk(start, path))
        {
            const int Flags = OpenFlags.PathOnly | OpenFlags.Directory | OpenFlags.CloseOnExec;
            var found = path[0] == '/' && who.Process.Kernel.Roots.Prefix is { } root && ExistsIn(root, path)
                ? Judge(HostFiles.Open(root, above, Flags, 0, HostFiles.InRoot | HostFiles.NoMagicLinks))
                : HostLookup(who, start, above, Flags, 0, 0, null, useRoot: false);
            if (found is { } fd)
            {
                if (fd >= 0)
                    parent = PathTarget.Owned((int)fd, name);
                return Math.Min(fd, 0);
            }
        }

        var walk = new PathWalk(who, true, 0);
        error = walk.Find(start, above, out var place);
        if (error < 0)
            return error;
        parent = place.Node != null ? PathTarget.In(place.Node, name) : PathTarget.Owned(Take(place), name);
        return 0;
    }

    /// <summary>open(2).</summary>
    /// <param name="who">Who asks.</param>
    /// <param name="directory">Guest descriptor of a directory, or <see cref="AtWorkingDirectory"/>.</param>
    /// <param name="path">The path, one char per byte.</param>
    /// <param name="flags">O_*; unknown bits are ignored.</param>
    /// <param name="mode">Rights of a new file, with the mask applied.</param>
    /// <param name="resolve">RESOLVE_* of openat2(2).</param>
    /// <param name="caller">Makes the host call so that signals can interrupt it; null: it is not interrupted.</param>
    /// <param name="file">The file, with one reference.</param>
    /// <returns>0 or a negative error number.</returns>
    internal static long Open(
        in Asker who, int directory, string path, int flags, int mode, ulong resolve, OpenCall? caller, out OpenFile? file)
    {
        file = null;
        flags &= KnownFlags;
        if ((flags & OpenFlags.PathOnly) != 0)
            flags &= PathOnlyFlags;
        else
            flags |= NoControllingTerminal;
        mode = (flags & (OpenFlags.Create | OpenFlags.TemporaryFile)) == 0 ? 0 : mode & 0xFFF;
        flags |= OpenFlags.CloseOnExec;
        if (path.Length == 0)
            return -Errno.ENOENT;
        var confined = (resolve & (HostFiles.Beneath | HostFiles.InRoot)) != 0;
        var error = Start(who, directory, confined ? "." : path, out var start);
        if (error < 0)
            return error;
        using var held = start;
        if (!MustWalk(start, confined ? "." : path))
        {
            if ((flags & (OpenFlags.Create | OpenFlags.Truncate | OpenFlags.TemporaryFile)) != 0 && HiddenDirectory.IsInUse
                && HiddenDirectory.IsReachedBy(start.File?.HostFd ?? AtWorkingDirectory, path, flags & OpenFlags.NoFollow, resolve))
                return -Errno.EACCES;
            var found = HostLookup(who, start, path, flags, mode, resolve, caller, !confined);
            if (found is { } fd)
            {
                if (fd >= 0)
                    file = new OpenFile((int)fd);
                return Math.Min(fd, 0);
            }
        }

        // Between the look at the name and the call that makes the file somebody else may make or remove it.
        const int Attempts = 100;
        for (var i = 0; i < Attempts; i++)
        {
            error = new PathWalk(who, FollowsLast(flags), resolve).Open(start, path, flags, mode, caller, out file);
            if (error != -Errno.EAGAIN || file != null)
                return error;
        }

        return error;
    }

    /// <summary>A host path as the guest would write it.</summary>
    public static string GuestPath(Processes.LinuxKernel kernel, string hostPath)
    {
        if (kernel.Root is not { } root || !hostPath.StartsWith(root, StringComparison.Ordinal))
            return hostPath;
        var rest = hostPath[root.Length..];
        return rest.Length == 0 ? "/" : rest[0] == '/' ? rest : hostPath;
    }

    /// <summary>True when a path exists below the root prefix (a symbolic link at its end counts as existing).</summary>
    internal static bool ExistsIn(int root, string path)
    {
        if (IsProcPath(path))
            return false;
        var fd = HostFiles.Open(
            root, path, OpenFlags.PathOnly | OpenFlags.NoFollow | OpenFlags.CloseOnExec, 0, HostFiles.InRoot | HostFiles.NoMagicLinks);
        if (fd < 0)
            return false;
        HostCalls.Close((int)fd);
        return true;
    }

    /// <summary>True for an absolute path whose first name is "proc": it is never looked up below the root prefix.</summary>
    internal static bool IsProcPath(string path)
    {
        var rest = path.AsSpan();
        while (rest.Length > 0 && (rest[0] == '/' || rest.StartsWith("./")))
            rest = rest[1..];
        return path.StartsWith('/') && rest.StartsWith("proc") && (rest.Length == 4 || rest[4] == '/');
    }

    private static bool FollowsLast(int flags) =>
        (flags & OpenFlags.NoFollow) == 0 && (flags & (OpenFlags.Create | OpenFlags.Exclusive)) != (OpenFlags.Create | OpenFlags.Exclusive);

    private static long Start(in Asker who, int directory, string path, out FileRef start)
    {
        start = default;
        if (path[0] == '/')
            return 0;
        if (directory == AtWorkingDirectory)
            start = who.Process.FileSystem.Acquire();
        else if (!who.Process.Files.TryGet(directory, out start))
            return -Errno.EBADF;
        return 0;
    }

    // Only a shortcut, for paths of which it is clear that the host cannot answer.
    private static bool MustWalk(in FileRef start, string path) =>
        start.File?.Tag is IProcPlace || (path[0] == '/' && path.StartsWith("/proc", StringComparison.Ordinal) && (path.Length == 5 || path[5] == '/'));

    // A descriptor, or an error that is certain; null: the walk must find out.
    private static long? HostLookup(
        in Asker who, in FileRef start, string path, int flags, int mode, ulong resolve, OpenCall? caller, bool useRoot = true,
        bool judge = true)
    {
        var from = start.File?.HostFd ?? AtWorkingDirectory;
        if (path[0] == '/' && useRoot && who.Process.Kernel.Roots.Prefix is { } root && !IsProcPath(path))
        {
            // What exists below the prefix is meant; a new file is made on the host.
            var inside = resolve | HostFiles.InRoot | HostFiles.NoMagicLinks;
            var fd = (flags & (OpenFlags.Create | OpenFlags.Exclusive)) == (OpenFlags.Create | OpenFlags.Exclusive)
                ? ExistsIn(root, path) ? -Errno.EEXIST : -Errno.ENOENT
                : Call(caller, root, path, flags & ~(OpenFlags.Create | OpenFlags.Exclusive), (flags & OpenFlags.TemporaryFile) == 0 ? 0 : mode, inside);
            if (fd >= 0 || fd == -Errno.ERESTARTSYS)
                return judge ? Judge(fd) : fd;
            if (ExistsIn(root, path))
                return fd is -Errno.ENOENT or -Errno.ELOOP or -Errno.ENOTDIR or -Errno.EAGAIN ? null : fd;
        }

        var result = Call(caller, from, path, flags, mode, resolve | HostFiles.NoMagicLinks);
        return result >= 0 ? judge ? Judge(result) : result : IsCertain(result, from, path, resolve) ? result : null;
    }

    private static long Call(OpenCall? caller, int directory, string path, int flags, int mode, ulong resolve) =>
        caller == null ? HostFiles.Open(directory, path, flags, mode, resolve) : caller.Open(directory, path, flags, mode, resolve);

    private static long? Judge(long fd)
    {
        if (fd < 0)
            return fd;
        if (HiddenDirectory.Contains((int)fd))
        {
            HostCalls.Close((int)fd);
            return -Errno.EACCES;
        }

        if (!HostFiles.IsProc((int)fd))
            return fd;
        HostCalls.Close((int)fd);
        return null;
    }

    // An error of the host may have been met in its /proc, which is not the guest's. It was not when the look-up stayed in one mount, or
    // met no symbolic link and no name that a procfs is mounted on.
    private static bool IsCertain(long error, int from, string path, ulong resolve)
    {
        const int Flags = OpenFlags.PathOnly | OpenFlags.CloseOnExec;
        switch (-error)
        {
            case Errno.ELOOP or Errno.EAGAIN or Errno.ENOSYS:
                return false;
            case Errno.EMFILE or Errno.ENFILE or Errno.ENOMEM or Errno.ERESTARTSYS or Errno.EINVAL or Errno.ENAMETOOLONG or Errno.EXDEV:
                return true;
        }

        var probe = HostFiles.Open(from, path, Flags, 0, resolve | HostFiles.NoCrossing | HostFiles.NoMagicLinks);
        if (probe is -Errno.EXDEV or -Errno.ELOOP)
        {
            if (RootDirectories.MayCrossIntoProc(path))
                return false;
            probe = HostFiles.Open(from, path, Flags, 0, resolve | HostFiles.NoSymlinks);
        }

        if (probe >= 0)
            HostCalls.Close((int)probe);
        return probe is not (-Errno.ELOOP or -Errno.EXDEV);
    }

    // A descriptor of its own, of a target whose own may be somebody else's.
    private static int Take(PathTarget target)
    {
        using (target)
            return HostCalls.Duplicate(target.HostFd);
    }
}

/// <summary>How an open is made that may wait (a FIFO does) and that a signal may interrupt.</summary>
internal abstract class OpenCall
{
    /// <summary>openat2(2), as <see cref="HostFiles.Open"/>; -ERESTARTSYS when interrupted.</summary>
    public abstract long Open(int directory, string path, int flags, int mode, ulong resolve);
}
