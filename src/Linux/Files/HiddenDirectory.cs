using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Files;

/// <summary>
/// Directories of the host that no guest may reach, by whatever path: what lies in them is code that the host process executes. They are told
/// by what was opened. Nothing in them can have a second name elsewhere, for a guest cannot reach it to make one.
/// </summary>
public static class HiddenDirectory
{
    private static State[] s_hidden = [];

    /// <summary>Hides a directory from all guests of the host process, from now on.</summary>
    /// <param name="path">The directory, which exists.</param>
    /// <exception cref="IOException">It cannot be opened, or the working directory, where guests begin, is in it.</exception>
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

        var hidden = new State((int)fd, status.Device, status.User, [.. above]);
        if (HostFiles.PathOf((int)fd) is { } real && (Environment.CurrentDirectory == real || Environment.CurrentDirectory.StartsWith(real + "/", StringComparison.Ordinal)))
            throw new IOException($"{path}: the working directory is in it");
        s_hidden = [.. s_hidden, hidden];
    }

    /// <summary>True when there is such a directory.</summary>
    public static bool IsInUse => s_hidden.Length > 0;

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
        var hidden = s_hidden;
        if (hidden.Length == 0 || HostFiles.Status(hostFd, out var status) < 0)
            return false;
        foreach (var state in hidden)
        {
            // All that is in it has one owner: for files of others one call suffices. Its path may have changed since.
            if (status.Device == state.Device && status.User == state.User && HostFiles.PathOf(state.Fd) is { } directory
                && HostFiles.PathOf(hostFd) is { } path && (path == directory || path.StartsWith(directory + "/", StringComparison.Ordinal)))
                return true;
        }

        return false;
    }

    /// <summary>
    /// True when a directory lies above the hidden one: moving it would let a guest put another one in its place, for runs to come.
    /// </summary>
    public static bool IsAbove(int hostFd)
    {
        if (!IsInUse || HostFiles.Status(hostFd, out var status) < 0)
            return false;
        var place = (status.Device, status.Inode);
        return Array.Exists(s_hidden, state => Array.IndexOf(state.Above, place) >= 0);
    }

    private sealed record State(int Fd, ulong Device, uint User, (ulong, ulong)[] Above);
}
