using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Files;

/// <summary>
/// A directory of the host that no guest may reach, by whatever path: what lies in it is code that the host process executes. It is told by
/// what was opened. Nothing in it can have a second name elsewhere, for a guest cannot reach it to make one.
/// </summary>
public static class HiddenDirectory
{
    private const int OwnFileMode = 0x180, OwnDirectoryMode = 0x1C0, PermissionMask = 0xFFF;

    private static State? s_state;

    /// <summary>Hides a directory from all guests of the host process, from now on.</summary>
    /// <param name="path">The directory, which exists.</param>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static void Hide(string path)
    {
        const int Flags = OpenFlags.PathOnly | OpenFlags.Directory | OpenFlags.CloseOnExec;
        var fd = HostCalls.OpenAt(PathResolver.AtWorkingDirectory, HostCalls.FromText(path), Flags);
        if (fd < 0 || HostFiles.Status((int)fd, out var status) < 0)
            throw new IOException($"{path}: cannot be opened");
        var above = new List<(ulong, ulong)>();
        var at = (int)fd;
        while (true)
        {
            var parent = (int)HostCalls.OpenAt(at, "..", Flags);
            if (at != (int)fd)
                HostCalls.Close(at);
            if (parent < 0 || HostFiles.Status(parent, out var place) < 0 || (above.Count > 0 && above[^1] == (place.Device, place.Inode)))
            {
                if (parent >= 0)
                    HostCalls.Close(parent);
                break;
            }

            above.Add((place.Device, place.Inode));
            at = parent;
        }

        s_state = new State((int)fd, status.Device, status.User, [.. above]);
    }

    /// <summary>True when there is such a directory.</summary>
    public static bool IsInUse => s_state != null;

    /// <summary>
    /// True when a path leads to the directory or to what is in it, or would be in it if it were made: asked before a call that changes what it opens. Where the
    /// path is made to lead elsewhere in between, what was opened is still judged afterwards.
    /// </summary>
    /// <param name="from">Where a relative path begins.</param>
    /// <param name="path">The path.</param>
    /// <param name="noFollow">O_NOFOLLOW or 0.</param>
    /// <param name="resolve">RESOLVE_* of openat2(2).</param>
    internal static bool IsReachedBy(int from, string path, int noFollow, ulong resolve)
    {
        const int Flags = OpenFlags.PathOnly | OpenFlags.CloseOnExec;
        var fd = HostFiles.Open(from, path, Flags | noFollow, 0, resolve | HostFiles.NoMagicLinks);
        if (fd == -Errno.ENOENT)
        {
            var slash = path.LastIndexOf('/');
            fd = HostFiles.Open(from, slash < 0 ? "." : path[..(slash + 1)], Flags | OpenFlags.Directory, 0, resolve | HostFiles.NoMagicLinks);
        }

        if (fd < 0)
            return false;
        var isInside = Contains((int)fd);
        HostCalls.Close((int)fd);
        return isInside;
    }

    /// <summary>True when an open file is the directory, or lies in it.</summary>
    public static bool Contains(int hostFd)
    {
        // Only files that nobody but their owner may read can be in it: for any other one call suffices.
        if (s_state is not { } state || HostFiles.Status(hostFd, out var status) < 0 || status.Device != state.Device || status.User != state.User
            || (status.Mode & PermissionMask) is not (OwnFileMode or OwnDirectoryMode))
            return false;

        // Its path may have changed since.
        return HostFiles.PathOf(state.Fd) is { } directory && HostFiles.PathOf(hostFd) is { } path
            && (path == directory || path.StartsWith(directory + "/", StringComparison.Ordinal));
    }

    /// <summary>
    /// True when a directory lies above the hidden one: moving it would let a guest put another one in its place, for runs to come.
    /// </summary>
    public static bool IsAbove(int hostFd) =>
        s_state is { } state && HostFiles.Status(hostFd, out var status) >= 0 && Array.IndexOf(state.Above, (status.Device, status.Inode)) >= 0;

    private sealed record State(int Fd, ulong Device, uint User, (ulong, ulong)[] Above);
}
