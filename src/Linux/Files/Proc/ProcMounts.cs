using System.Globalization;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Files.Proc;

/// <summary>Which place of the guest's /proc a descriptor in a procfs of the host stands for.</summary>
internal static unsafe class ProcMounts
{
    private const ulong RootInode = 1;

    private static readonly Lazy<int> s_proc = new(
        () => HostCalls.OpenAt(PathResolver.AtWorkingDirectory, "/proc", OpenFlags.PathOnly | OpenFlags.Directory | OpenFlags.CloseOnExec));

    private static readonly Lazy<ulong> s_device = new(() => HostFiles.Status(s_proc.Value, out var status) == 0 ? status.Device : 0);

    /// <summary>Device number of the host's /proc.</summary>
    public static ulong Device => s_device.Value;

    /// <summary>A descriptor of the host's /proc, to ask for the file system's status.</summary>
    public static int HostFd => s_proc.Value;

    /// <summary>The guest's place that a descriptor in a procfs stands for; null when there is none.</summary>
    public static ProcNode? Identify(in Asker who, int hostFd)
    {
        var root = new ProcRoot(who.Process.Kernel);
        if (HostFiles.Status(hostFd, out var status) < 0)
            return null;
        if (status.Inode == RootInode && HostFiles.IsDirectory(status))
            return root;
        return PathIn(hostFd) is { } path ? Find(who, root, path) : null;
    }

    /// <summary>
    /// Judges a descriptor that comes from outside (inherited, or over a socket).
    /// </summary>
    /// <param name="who">Who gets it.</param>
    /// <param name="hostFd">The descriptor; closed when it is not kept and <paramref name="owned"/>.</param>
    /// <param name="owned">True when it may be closed.</param>
    /// <returns>The open file that the guest gets; null: it gets none.</returns>
    public static OpenFile? Admit(in Asker who, int hostFd, bool owned)
    {
        if (!HostFiles.IsProc(hostFd))
            return new OpenFile(hostFd) { OwnsHostFd = owned };
        OpenFile? file = null;
        var path = PathIn(hostFd);
        var head = path?.Split('/', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
        if (HostFiles.Status(hostFd, out var status) == 0 && head != null && ProcRoot.IsShown(head) && !HostFiles.IsDirectory(status))
        {
            // Who opened it was free to: it is kept as it is, with its rights and position.
            var node = Find(who, new ProcRoot(who.Process.Kernel), path!);
            return new OpenFile(hostFd) { OwnsHostFd = owned, Tag = node == null ? null : new ProcPlace(node) };
        }

        var flags = HostCalls.Call(HostSys.Fcntl, hostFd, Syscalls.DescriptorCalls.GetStatus);
        if (flags >= 0)
            Identify(who, hostFd)?.Open(who, (int)flags & ~(OpenFlags.Directory | OpenFlags.NoFollow), out file);
        if (owned)
            HostCalls.Close(hostFd);
        return file;
    }

    private static ProcNode? Find(in Asker who, ProcRoot root, string path)
    {
        ProcNode? node = root;
        foreach (var name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            node = (node as ProcDirectory)?.Find(who, name);
            if (node == null)
                return null;
        }

        return node;
    }

    // The path from the procfs's own root: by the mount that the descriptor came through, wherever that is.
    private static string? PathIn(int hostFd)
    {
        var id = HostCalls.LineOf(HostCalls.ReadText($"/proc/self/fdinfo/{hostFd}"), "mnt_id:");
        if (id == null || HostFiles.PathOf(hostFd) is not { } path || path.EndsWith(" (deleted)", StringComparison.Ordinal))
            return null;
        foreach (var line in (HostCalls.ReadText("/proc/self/mountinfo") ?? string.Empty).Split('\n'))
        {
            var fields = line.Split(' ');
            if (fields.Length < 6 || fields[0] != id)
                continue;
            var root = Unescape(fields[3]);
            var point = Unescape(fields[4]);
            if (!path.StartsWith(point, StringComparison.Ordinal))
                return null;
            return root + (point == "/" ? "/" : string.Empty) + path[point.Length..];
        }

        return null;
    }

    // Spaces and the like are written as a backslash and three octal digits.
    private static string Unescape(string text)
    {
        for (var at = text.IndexOf('\\'); at >= 0 && at + 4 <= text.Length; at = text.IndexOf('\\', at + 1))
            text = string.Create(CultureInfo.InvariantCulture, $"{text[..at]}{(char)Convert.ToInt32(text.Substring(at + 1, 3), 8)}{text[(at + 4)..]}");
        return text;
    }
}
