using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Files;

/// <summary>Where absolute paths begin: descriptors of the host's root and of the root prefix, opened once.</summary>
internal sealed class RootDirectories
{
    private const int Flags = OpenFlags.PathOnly | OpenFlags.Directory | OpenFlags.CloseOnExec;

    private static readonly Lazy<int> s_host = new(HostFiles.OpenRoot);
    private static readonly Lazy<string[]> s_mountNames = new(ReadMountNames);

    /// <summary>Opens them.</summary>
    /// <param name="prefix">See <see cref="Processes.LinuxKernel.Root"/>.</param>
    public RootDirectories(string? prefix)
    {
        var fd = prefix == null ? -1 : HostCalls.OpenAt(PathResolver.AtWorkingDirectory, prefix, Flags);
        Prefix = fd < 0 ? null : fd;
    }

    /// <summary>The host's root directory.</summary>
    public int Host => s_host.Value;

    /// <summary>The root prefix, or null.</summary>
    public int? Prefix { get; }

    /// <summary>True when a path has a name that a procfs is mounted on somewhere.</summary>
    public static bool MayCrossIntoProc(string path)
    {
        foreach (var name in path.Split('/'))
            if (Array.IndexOf(s_mountNames.Value, name) >= 0)
                return true;
        return false;
    }

    // A line: id, parent, device, root, mount point, options, optional fields, "-", type ... (proc_pid_mountinfo(5)).
    private static string[] ReadMountNames()
    {
        var names = new HashSet<string> { "proc" };
        foreach (var line in (HostCalls.ReadText("/proc/self/mountinfo") ?? string.Empty).Split('\n'))
        {
            var fields = line.Split(' ');
            var dash = Array.IndexOf(fields, "-");
            if (dash > 5 && fields[dash + 1] is "proc" or "binfmt_misc")
                names.Add(fields[4][(fields[4].LastIndexOf('/') + 1)..]);
        }

        return [.. names];
    }
}
