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

/// <summary>Guest paths to host paths: working directory, directory descriptors and the root prefix.</summary>
public static class PathResolver
{
    /// <summary>AT_FDCWD.</summary>
    public const int AtWorkingDirectory = -100;

    /// <summary>
    /// Resolves a path for a host *at call. An absolute path that exists below <see cref="LinuxKernel.Root"/> is taken there.
    /// </summary>
    /// <param name="process">The process.</param>
    /// <param name="directory">Guest descriptor of a directory, or <see cref="AtWorkingDirectory"/>.</param>
    /// <param name="path">The path, one char per byte.</param>
    /// <param name="resolved">Where it is on the host.</param>
    /// <returns>0 or -EBADF.</returns>
    public static int Resolve(GuestProcess process, int directory, string path, out ResolvedPath resolved)
    {
        if (path.StartsWith('/'))
        {
            resolved = new ResolvedPath(AtWorkingDirectory, Prefix(process.Kernel, path), default);
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
    public static unsafe string Prefix(LinuxKernel kernel, string path)
    {
        if (kernel.Root is not { } root)
            return path;
        var inside = root + path;
        fixed (byte* p = HostCalls.Path(inside))
            return HostCalls.Call(HostSys.Faccessat, AtWorkingDirectory, (nint)p, 0) == 0 ? inside : path;
    }
}
