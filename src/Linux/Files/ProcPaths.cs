using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Files;

/// <summary>
/// Names below /proc and /dev that mean something else for a guest than for the host process that runs it: /proc/self, /proc/N of guest
/// processes, /dev/fd, /dev/stdin. What the host shows of its own process and suits a guest is passed through.
/// </summary>
public static class ProcPaths
{
    /// <summary>Splits /proc/self/..., /proc/thread-self/... and /proc/N/... of a guest process.</summary>
    /// <param name="self">The process that asks.</param>
    /// <param name="path">Absolute path.</param>
    /// <param name="process">The process that the path is about.</param>
    /// <param name="rest">What follows, without a slash at either end; may be empty.</param>
    /// <returns>False when the path is about no guest process.</returns>
    public static bool TrySplit(GuestProcess self, string path, out GuestProcess process, out string rest)
    {
        process = self;
        rest = string.Empty;
        if (!path.StartsWith("/proc/", StringComparison.Ordinal))
            return false;
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length < 2)
            return false;
        if (parts[1] is not ("self" or "thread-self"))
        {
            if (!int.TryParse(parts[1], out var pid) || (self.Kernel.FindProcess(pid) ?? self.Kernel.FindThread(pid)?.Process) is not { } found)
                return false;
            process = found;
        }

        // A thread's directory holds what the process's does.
        var from = 2;
        if (parts.Length > 3 && parts[2] == "task" && int.TryParse(parts[3], out var tid) && self.Kernel.FindThread(tid)?.Process == process)
            from = 4;
        rest = string.Join('/', parts[from..]);
        return true;
    }

    /// <summary>The host path for such a name, or null when the path is none.</summary>
    public static string? Rewrite(GuestProcess self, string path, bool follow)
    {
        if (path.StartsWith("/dev/", StringComparison.Ordinal))
        {
            path = path switch
            {
                "/dev/stdin" => "/proc/self/fd/0",
                "/dev/stdout" => "/proc/self/fd/1",
                "/dev/stderr" => "/proc/self/fd/2",
                _ when path.StartsWith("/dev/fd/", StringComparison.Ordinal) => "/proc/self" + path[4..],
                "/dev/fd" => "/proc/self/fd",
                _ => path,
            };
        }

        if (!TrySplit(self, path, out var process, out var rest))
            return null;
        if (rest.Length == 0)
            return follow || path.TrimEnd('/') is not ("/proc/self" or "/proc/thread-self") ? "/proc/self" : path;
        var slash = rest.IndexOf('/');
        var head = slash < 0 ? rest : rest[..slash];
        var tail = slash < 0 ? string.Empty : rest[slash..];
        switch (head)
        {
            case "exe" when follow:
                return process.ExecutablePath + tail;
            case "cwd" when follow || tail.Length > 0:
                using (var here = process.FileSystem.Acquire())
                    return $"/proc/self/fd/{here.HostFd}{tail}";
            case "root" when follow || tail.Length > 0:
                return tail.Length == 0 ? "/" : PathResolver.Prefix(process.Kernel, tail, follow);
            case "fd" or "fdinfo" when tail.Length > 0:
                slash = tail.IndexOf('/', 1);
                var number = slash < 0 ? tail[1..] : tail[1..slash];
                if (!int.TryParse(number, out var fd) || !process.Files.TryGet(fd, out var file))
                    return "/proc/self/fd/none";
                using (file)
                    return $"/proc/self/{head}/{file.HostFd}{(slash < 0 ? string.Empty : tail[slash..])}";

            // Memory of the host process is nobody's business.
            case "mem" or "pagemap" or "map_files" or "smaps" or "smaps_rollup" or "clear_refs" or "numa_maps" or "syscall" or "stack":
                return "/proc/self/none";
            default:
                return "/proc/self/" + rest;
        }
    }

    /// <summary>What readlink gives for names whose target on the host is not the guest's; null for others.</summary>
    public static string? ReadLink(GuestThread thread, string path)
    {
        var self = thread.Process;
        if (path is "/proc/self")
            return self.Pid.ToString();
        if (path is "/proc/thread-self")
            return $"{self.Pid}/task/{thread.Tid}";
        if (path.StartsWith("/dev/fd/", StringComparison.Ordinal))
            path = "/proc/self" + path[4..];
        if (!TrySplit(self, path, out var process, out var rest))
            return null;
        switch (rest)
        {
            case "exe":
                return PathResolver.GuestPath(self.Kernel, process.ExecutablePath);
            case "cwd":
                return Syscalls.Directories.WorkingDirectory(process);
            case "root":
                return "/";
        }

        if (!rest.StartsWith("fd/", StringComparison.Ordinal) || !int.TryParse(rest.AsSpan(3), out var fd) || !process.Files.TryGet(fd, out var file))
            return null;
        using (file)
            return HostFiles.PathOf(file.HostFd) is { } target ? PathResolver.GuestPath(self.Kernel, target) : null;
    }
}
