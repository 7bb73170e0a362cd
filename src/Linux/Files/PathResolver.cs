using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Files;

/// <summary>Where a guest path is on the host: give both to a *at call of the host, then dispose.</summary>
public readonly struct ResolvedPath(int directory, string path, FileRef held) : IDisposable
{
    /// <summary>Host descriptor of the directory that a relative path starts at.</summary>
    public int Directory => directory;

    /// <summary>Path for the host, one char per byte (<see cref="HostCalls.Path"/>).</summary>
    public string Path => path;

    /// <inheritdoc/>
    public void Dispose() => held.Dispose();
}

/// <summary>Guest paths to host paths: working directory, directory descriptors, the root prefix, and /proc and /dev names of the guest's own.</summary>
public static unsafe class PathResolver
{
    /// <summary>AT_FDCWD.</summary>
    public const int AtWorkingDirectory = -100;

    private const ulong ResolveInRoot = 16;

    /// <summary>
    /// Resolves a path for a host *at call. An absolute path that exists below <see cref="LinuxKernel.Root"/> is taken there.
    /// </summary>
    /// <param name="process">The process.</param>
    /// <param name="directory">Guest descriptor of a directory, or <see cref="AtWorkingDirectory"/>.</param>
    /// <param name="path">The path, one char per byte.</param>
    /// <param name="resolved">Where it is on the host.</param>
    /// <param name="follow">True when the call follows a symbolic link at the path's end.</param>
    /// <returns>0 or -EBADF.</returns>
    public static int Resolve(GuestProcess process, int directory, string path, out ResolvedPath resolved, bool follow = true)
    {
        if (path.StartsWith('/'))
        {
            var own = ProcPaths.Rewrite(process, path, follow);
            resolved = new ResolvedPath(AtWorkingDirectory, own ?? Prefix(process.Kernel, path, follow), default);
            return 0;
        }

        if (directory == AtWorkingDirectory)
        {
            var here = process.FileSystem.Acquire();
            resolved = new ResolvedPath(here.HostFd, path, here);
            return 0;
        }

        if (!process.Files.TryGet(directory, out var file))
        {
            resolved = default;
            return -Errno.EBADF;
        }

        resolved = new ResolvedPath(file.HostFd, path, file);
        return 0;
    }

    /// <summary>An absolute path below the root prefix when it exists there, else unchanged.</summary>
    /// <param name="kernel">Knows the root prefix.</param>
    /// <param name="path">Absolute path.</param>
    /// <param name="follow">True when a symbolic link at the path's end will be followed.</param>
    public static string Prefix(LinuxKernel kernel, string path, bool follow = true)
    {
        if (kernel.Root is not { } root)
            return path;
        var inside = root + path;
        if (HostFiles.LinkStatus(AtWorkingDirectory, inside, out var status) == 0 && !(follow && HostFiles.IsLink(status)))
            return inside;

        // A link in the root prefix that begins with a slash means the prefix again, not the host's root.
        if (InRoot(root, path, follow) is { } target)
            return target;
        fixed (byte* p = HostCalls.Path(inside))
            return HostCalls.Call(HostSys.Faccessat, AtWorkingDirectory, (nint)p, 0) == 0 ? inside : path;
    }

    /// <summary>A host path as the guest would write it.</summary>
    public static string GuestPath(LinuxKernel kernel, string hostPath)
    {
        if (kernel.Root is not { } root || !hostPath.StartsWith(root, StringComparison.Ordinal))
            return hostPath;
        var rest = hostPath[root.Length..];
        return rest.Length == 0 ? "/" : rest[0] == '/' ? rest : hostPath;
    }

    private static string? InRoot(string root, string path, bool follow)
    {
        var directory = HostCalls.OpenAt(AtWorkingDirectory, root, OpenFlags.PathOnly | OpenFlags.CloseOnExec);
        if (directory < 0)
            return null;
        var how = stackalloc ulong[3] { OpenFlags.PathOnly | OpenFlags.CloseOnExec | (follow ? 0u : OpenFlags.NoFollow), 0, ResolveInRoot };
        long fd;
        fixed (byte* p = HostCalls.Path(path))
            fd = HostCalls.Call(HostSys.Openat2, directory, (nint)p, (nint)how, 24);
        HostCalls.Close(directory);
        if (fd < 0)
            return null;
        var target = HostFiles.PathOf((int)fd);
        HostCalls.Close((int)fd);
        return target;
    }
}
