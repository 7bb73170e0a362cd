using System.Globalization;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Files.Proc;

/// <summary>
/// /proc as a guest sees it: the guest processes, and what tells of the machine and not of a process, by the two lists below. Processes
/// of the host do not exist here; that one of them runs the guests, and its threads, shows nowhere.
/// </summary>
internal sealed class ProcRoot(LinuxKernel kernel) : ProcDirectory(kernel, null, "proc")
{
    private static readonly string[] s_files =
    [
        "buddyinfo", "bootconfig", "cgroups", "cmdline", "config.gz", "consoles", "cpuinfo", "crypto", "devices", "diskstats", "dma",
        "execdomains", "fb", "filesystems", "interrupts", "iomem", "ioports", "kallsyms", "key-users", "keys", "loadavg", "locks", "mdstat",
        "meminfo", "misc", "modules", "mtrr", "pagetypeinfo", "partitions", "schedstat", "slabinfo", "softirqs", "stat", "swaps",
        "timer_list", "uptime", "version", "version_signature", "vmallocinfo", "vmstat", "zoneinfo",
    ];

    private static readonly string[] s_directories =
        ["acpi", "asound", "bus", "driver", "dynamic_debug", "fs", "irq", "pressure", "scsi", "sys", "sysvipc", "tty"];

    /// <summary>True for a name of the lists.</summary>
    public static bool IsShown(string name) => Array.IndexOf(s_files, name) >= 0 || Array.IndexOf(s_directories, name) >= 0;

    /// <inheritdoc/>
    public override ProcNode? Find(in Asker who, string name)
    {
        switch (name)
        {
            case "self":
                return new TextLink(Kernel, this, name, w => Number(w.Process.Pid));
            case "thread-self":
                return new TextLink(Kernel, this, name, w => $"{Number(w.Process.Pid)}/task/{Number(w.Tid)}");
            case "cpuinfo":
                return new GeneratedFile(this, new GeneratedEntry(name, 0x124, _ => CpuInfo.Text()), new ProcSubject(who.Process, null));
            case "mounts" or "net":
                return new TextLink(Kernel, this, name, _ => "self/" + name);
        }

        if (TryParse(name, out var number))
        {
            if (Kernel.FindProcess(number) is { } process)
                return new ProcessDirectory(this, name, new ProcSubject(process, null));
            return Kernel.FindThread(number) is { } thread ? new ProcessDirectory(this, name, new ProcSubject(thread.Process, thread)) : null;
        }

        return IsShown(name) ? HostFile.Find(this, "/proc", name) : null;
    }

    /// <inheritdoc/>
    public override IEnumerable<ProcNode> Entries(Asker who)
    {
        foreach (var name in s_directories.Concat(s_files).Concat(["mounts", "net", "self", "thread-self"]))
            if (Find(who, name) is { } node)
                yield return node;
        int[] numbers;
        lock (Kernel.Gate)
            numbers = [.. Kernel.Processes.Select(p => p.Pid).Order()];
        foreach (var number in numbers)
            if (Find(who, Number(number)) is { } node)
                yield return node;
    }

    /// <summary>A number as it is written in /proc.</summary>
    public static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>Reads a name that is a number, written as the kernel writes it.</summary>
    public static bool TryParse(string name, out int number)
    {
        number = 0;
        return name.Length is > 0 and < 11 && name[0] is >= '1' and <= '9'
            && int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }
}

/// <summary>A file of the host's /proc that is shown as it is, for reading only.</summary>
internal sealed class HostFile(ProcDirectory parent, string name, string path, HostStat status) : ProcNode(parent.Kernel, parent, name)
{
    private const uint AllWrite = 0x92;

    /// <inheritdoc/>
    public override uint Mode => status.Mode & ~AllWrite;

    /// <summary>What a name in a shown directory is.</summary>
    /// <param name="parent">The directory.</param>
    /// <param name="directory">Its host path; no part of it is a link.</param>
    /// <param name="name">A name without a slash.</param>
    public static ProcNode? Find(ProcDirectory parent, string directory, string name)
    {
        const int Flags = OpenFlags.PathOnly | OpenFlags.NoFollow | OpenFlags.CloseOnExec;
        var path = $"{directory}/{name}";
        var fd = HostFiles.Open(PathResolver.AtWorkingDirectory, path, Flags, 0, HostFiles.NoSymlinks);
        if (fd < 0)
            return null;
        var error = HostFiles.Status((int)fd, out var status);
        var text = error == 0 && HostFiles.IsLink(status) ? HostCalls.ReadLinkAt((int)fd, string.Empty) : null;
        HostCalls.Close((int)fd);
        if (error < 0)
            return null;
        return text != null ? new TextLink(parent.Kernel, parent, name, _ => text)
            : HostFiles.IsDirectory(status) ? new HostDirectory(parent, name, path, status)
            : new HostFile(parent, name, path, status);
    }

    /// <inheritdoc/>
    public override HostStat Status() => status with { Mode = Mode };

    /// <inheritdoc/>
    protected override long OpenAllowed(in Asker who, int flags, out OpenFile? file)
    {
        file = null;
        if ((flags & (OpenFlags.AccessMode | OpenFlags.Truncate)) != 0)
            return -Errno.EACCES;
        var fd = HostCalls.OpenAt(PathResolver.AtWorkingDirectory, path, OpenFlags.CloseOnExec | OpenFlags.NoFollow | (flags & OpenFlags.NonBlocking));
        if (fd < 0)
            return fd;
        file = new OpenFile(fd) { Tag = new ProcPlace(this), Path = Path };
        return 0;
    }
}

/// <summary>A directory of the host's /proc that is shown as it is.</summary>
internal sealed class HostDirectory(ProcDirectory parent, string name, string path, HostStat status) : ProcDirectory(parent.Kernel, parent, name)
{
    /// <inheritdoc/>
    public override uint Mode => status.Mode & ~0x92u;

    /// <inheritdoc/>
    public override ProcNode? Find(in Asker who, string name) => HostFile.Find(this, path, name);

    /// <inheritdoc/>
    public override HostStat Status() => status with { Mode = Mode };

    /// <inheritdoc/>
    public override unsafe IEnumerable<ProcNode> Entries(Asker who)
    {
        var nodes = new List<ProcNode>();
        var fd = HostCalls.OpenAt(PathResolver.AtWorkingDirectory, path, OpenFlags.Directory | OpenFlags.CloseOnExec);
        if (fd < 0)
            return nodes;
        var buffer = new byte[32768];
        fixed (byte* p = buffer)
            for (long n; (n = HostCalls.Call(HostSys.Getdents64, fd, (nint)p, buffer.Length)) > 0;)
                foreach (var entry in DirectoryLayouts.Parse(buffer.AsMemory(0, (int)n)))
                {
                    var found = System.Text.Encoding.Latin1.GetString(entry.Name);
                    if (found is not ("." or "..") && Find(who, found) is { } node)
                        nodes.Add(node);
                }

        HostCalls.Close(fd);
        return nodes;
    }
}
