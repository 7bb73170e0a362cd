using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Files.Proc;

/// <summary>/proc/N and /proc/N/task/M.</summary>
internal sealed class ProcessDirectory(ProcDirectory parent, string name, ProcSubject subject) : ProcDirectory(parent.Kernel, parent, name)
{
    private static readonly string[] s_special =
        ["task", "fd", "fdinfo", "ns", "net", "attr", "cwd", "root", "exe", "mem", "pagemap"];

    // What the host's kernel was built without has no place here either.
    private static readonly Lazy<HashSet<string>> s_hostNames = new(
        () => [.. Directory.EnumerateFileSystemEntries("/proc/self").Select(p => System.IO.Path.GetFileName(p))]);

    /// <inheritdoc/>
    public override GuestProcess? Process => subject.Process;

    /// <inheritdoc/>
    public override bool IsImmutable => true;

    /// <inheritdoc/>
    public override long CheckSearch(in Asker who) => subject.IsGone && !IsOfThread ? -Errno.ESRCH : base.CheckSearch(who);

    /// <summary>The process of /proc/N; null for the directory of a thread.</summary>
    public GuestProcess? Leader => IsOfThread ? null : subject.Process;

    private bool IsOfThread => Parent is TaskDirectory;

    /// <inheritdoc/>
    public override ProcNode? Find(in Asker who, string name)
    {
        if (subject.IsGone)
            return null;
        switch (name)
        {
            case "task":
                return IsOfThread ? null : new TaskDirectory(this, subject.Process);
            case "fd":
                return new DescriptorDirectory(this, subject);
            case "fdinfo":
                return new DescriptorInfoDirectory(this, subject);
            case "ns":
                return new NamespaceDirectory(this, subject);
            case "attr":
                return s_hostNames.Value.Contains(name) ? new AttributeDirectory(this, name, subject, string.Empty) : null;
            case "net":
                return HostFile.Find(this, $"/proc/{Kernel.HostProcessId}", name);
            case "cwd":
                return new ObjectLink(this, name, subject, WorkingDirectory);
            case "root":
                return new ObjectLink(this, name, subject, static _ => (null, "/"));
            case "exe":
                return new ObjectLink(this, name, subject, Executable);
            case "mem":
                return new MemoryFile(this, name, subject, false);
            case "pagemap":
                return s_hostNames.Value.Contains(name) ? new MemoryFile(this, name, subject, true) : null;
        }

        var entry = Array.Find(ProcessFiles.All, e => e.Name == name);
        return entry != null && (IsOfThread ? entry.OfThreads : entry.OfProcesses) && (s_hostNames.Value.Contains(name) || IsOfThread)
            ? new GeneratedFile(this, entry, subject)
            : null;
    }

    /// <inheritdoc/>
    public override IEnumerable<ProcNode> Entries(Asker who)
    {
        foreach (var name in s_special.Concat(ProcessFiles.All.Select(e => e.Name)))
            if (Find(who, name) is { } node)
                yield return node;
    }

    private static (OpenFile? File, string? Text) WorkingDirectory(GuestProcess process) =>
        process.FileSystem.TryAcquire(out var here) ? (here.File, Syscalls.Directories.NameOf(process.Kernel, here.File)) : (null, null);

    private static (OpenFile? File, string? Text) Executable(GuestProcess process)
    {
        if (process.State == ProcessState.Zombie)
            return (null, null);
        var file = process.Executable;
        if (file?.TryAddReference() != true)
            file = null;
        var path = (file == null ? null : HostFiles.PathOf(file.HostFd)) ?? process.ExecutablePath;
        return (file, PathResolver.GuestPath(process.Kernel, path));
    }
}

/// <summary>/proc/N/task.</summary>
internal sealed class TaskDirectory(ProcDirectory parent, GuestProcess process) : ProcDirectory(parent.Kernel, parent, "task")
{
    /// <inheritdoc/>
    public override ProcNode? Find(in Asker who, string name) =>
        ProcRoot.TryParse(name, out var number) && Kernel.FindThread(number) is { } thread && thread.Process == process
            ? new ProcessDirectory(this, name, new ProcSubject(process, thread))
            : null;

    /// <inheritdoc/>
    public override IEnumerable<ProcNode> Entries(Asker who)
    {
        int[] numbers;
        lock (Kernel.Gate)
            numbers = [.. process.Threads.Select(t => t.Tid)];
        foreach (var number in numbers)
            if (Find(who, ProcRoot.Number(number)) is { } node)
                yield return node;
    }
}

/// <summary>exe, cwd, root: links to an object that has a path.</summary>
/// <param name="parent">The process's directory.</param>
/// <param name="name">Name of the link.</param>
/// <param name="subject">The process.</param>
/// <param name="target">The object, with a reference, and its path; no text: it is gone; no object: the path is followed as text.</param>
internal sealed class ObjectLink(
    ProcDirectory parent, string name, ProcSubject subject, Func<GuestProcess, (OpenFile? File, string? Text)> target)
    : ProcLink(parent.Kernel, parent, name)
{
    /// <inheritdoc/>
    public override bool IsMagic => true;

    /// <inheritdoc/>
    public override long Read(in Asker who, out string? text)
    {
        text = null;
        if (!subject.MayBeInspectedBy(who))
            return -Errno.EACCES;
        var (file, path) = target(subject.Process);
        file?.Release();
        text = path;
        return path == null ? -Errno.ENOENT : 0;
    }

    /// <inheritdoc/>
    public override long Jump(in Asker who, out FileRef file, out ProcNode? node)
    {
        file = default;
        node = null;
        if (!subject.MayBeInspectedBy(who))
            return -Errno.EACCES;
        var (found, path) = target(subject.Process);
        if (found != null)
            file = new FileRef(found);
        return path == null ? -Errno.ENOENT : 0;
    }
}

/// <summary>/proc/N/fd.</summary>
internal sealed class DescriptorDirectory(ProcDirectory parent, ProcSubject subject) : ProcDirectory(parent.Kernel, parent, "fd")
{
    /// <inheritdoc/>
    public override uint Mode => DirectoryType | 0x140;

    /// <inheritdoc/>
    public override ProcNode? Find(in Asker who, string name)
    {
        if (!IsNumber(name, out var number) || !TryGet(subject, number, out var file))
            return null;
        file.Dispose();
        return new DescriptorLink(this, name, subject, number);
    }

    /// <inheritdoc/>
    public override IEnumerable<ProcNode> Entries(Asker who) =>
        Numbers(subject).Select(n => new DescriptorLink(this, ProcRoot.Number(n), subject, n));

    /// <inheritdoc/>
    public override HostStat Status() => base.Status() with { Size = Numbers(subject).Length };

    /// <summary>The descriptors of a process.</summary>
    public static int[] Numbers(ProcSubject subject) => subject.Process.State == ProcessState.Zombie ? [] : subject.Process.Files.Numbers();

    /// <summary>Reads a descriptor's number.</summary>
    public static bool IsNumber(string name, out int number)
    {
        number = 0;
        return name == "0" || ProcRoot.TryParse(name, out number);
    }

    /// <summary>The open file behind a number.</summary>
    public static bool TryGet(ProcSubject subject, int number, out FileRef file)
    {
        file = default;
        return subject.Process.State != ProcessState.Zombie && subject.Process.Files.TryGet(number, out file);
    }
}

/// <summary>/proc/N/fd/M: leads to the open file of the guest.</summary>
internal sealed class DescriptorLink(ProcDirectory parent, string name, ProcSubject subject, int number) : ProcLink(parent.Kernel, parent, name)
{
    /// <inheritdoc/>
    public override bool IsMagic => true;

    /// <inheritdoc/>
    public override uint Mode
    {
        get
        {
            if (!DescriptorDirectory.TryGet(subject, number, out var file))
                return LinkType;
            using (file)
            {
                var access = HostCalls.Call(HostSys.Fcntl, file.HostFd, Syscalls.DescriptorCalls.GetStatus) & OpenFlags.AccessMode;
                return LinkType | 0x40 | (access != OpenFlags.WriteOnly ? 0x100u : 0) | (access != 0 ? 0x80u : 0);
            }
        }
    }

    /// <inheritdoc/>
    public override long Read(in Asker who, out string? text)
    {
        text = null;
        if (!subject.MayBeInspectedBy(who))
            return -Errno.EACCES;
        if (!DescriptorDirectory.TryGet(subject, number, out var file))
            return -Errno.ENOENT;
        using (file)
            text = NameOf(Kernel, file.File);
        return text == null ? -Errno.ENOENT : 0;
    }

    /// <summary>What the link of an open file says.</summary>
    public static string? NameOf(LinuxKernel kernel, OpenFile file) =>
        file.Tag is IProcPlace place ? place.Node.Path : HostFiles.PathOf(file.HostFd) is { } path ? PathResolver.GuestPath(kernel, path) : null;

    /// <inheritdoc/>
    public override long Jump(in Asker who, out FileRef file, out ProcNode? node)
    {
        node = null;
        file = default;
        if (!subject.MayBeInspectedBy(who))
            return -Errno.EACCES;
        return DescriptorDirectory.TryGet(subject, number, out file) ? 0 : -Errno.ENOENT;
    }
}

/// <summary>/proc/N/fdinfo.</summary>
internal sealed class DescriptorInfoDirectory(ProcDirectory parent, ProcSubject subject) : ProcDirectory(parent.Kernel, parent, "fdinfo")
{
    private const int CloseOnExec = 0x80000;

    /// <inheritdoc/>
    public override ProcNode? Find(in Asker who, string name)
    {
        if (!DescriptorDirectory.IsNumber(name, out var number) || !DescriptorDirectory.TryGet(subject, number, out var file))
            return null;
        file.Dispose();
        return new GeneratedFile(this, new GeneratedEntry(name, 0x124, s => Info(s, number)) { IsGuarded = true }, subject);
    }

    /// <inheritdoc/>
    public override IEnumerable<ProcNode> Entries(Asker who)
    {
        foreach (var number in DescriptorDirectory.Numbers(subject))
            if (Find(who, ProcRoot.Number(number)) is { } node)
                yield return node;
    }

    private static Contents Info(ProcSubject subject, int number)
    {
        if (!DescriptorDirectory.TryGet(subject, number, out var file))
            return Contents.Fails(Errno.ENOENT);
        using (file)
        {
            // The host's, with the guest's flag for exec and the guest's numbers of what an epoll instance watches.
            var text = HostCalls.ReadText($"/proc/self/fdinfo/{file.HostFd}") ?? string.Empty;
            var result = new System.Text.StringBuilder();
            foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                if (line.StartsWith("flags:", StringComparison.Ordinal))
                {
                    var flags = Convert.ToInt32(line[6..].Trim(), 8) & ~CloseOnExec;
                    if (subject.Process.Files.GetCloseOnExec(number) == true)
                        flags |= CloseOnExec;
                    result.Append("flags:\t0").Append(Convert.ToString(flags, 8)).Append('\n');
                }
                else if (!line.StartsWith("tfd:", StringComparison.Ordinal))
                {
                    result.Append(line).Append('\n');
                }
                else if (Watched(subject, line) is { } guest)
                {
                    result.Append(guest).Append('\n');
                }
            }

            if (file.File.Tag is PidDescriptor descriptor)
            {
                var pid = descriptor.IsGone ? -1 : descriptor.Process.Pid;
                result.Append("Pid:\t").Append(pid).Append("\nNSpid:\t").Append(pid).Append('\n');
            }

            return result.ToString();
        }
    }

    // "tfd:        5 events: ..."
    private static string? Watched(ProcSubject subject, string line)
    {
        var rest = line[4..].TrimStart();
        var end = rest.IndexOf(' ');
        if (end < 0 || !int.TryParse(rest[..end], out var host))
            return null;
        foreach (var number in DescriptorDirectory.Numbers(subject))
        {
            if (!DescriptorDirectory.TryGet(subject, number, out var file))
                continue;
            using (file)
                if (file.HostFd == host)
                    return $"tfd: {number,8}{rest[end..]}";
        }

        return null;
    }
}

/// <summary>/proc/N/ns: the namespaces, which are the host process's for every guest.</summary>
internal sealed class NamespaceDirectory(ProcDirectory parent, ProcSubject subject) : ProcDirectory(parent.Kernel, parent, "ns")
{
    private const string Own = "/proc/self/ns/";

    private static readonly string[] s_names =
        ["cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts"];

    /// <inheritdoc/>
    public override uint Mode => DirectoryType | 0x149;

    /// <inheritdoc/>
    public override ProcNode? Find(in Asker who, string name) =>
        Array.IndexOf(s_names, name) >= 0 && HostCalls.ReadLinkAt(PathResolver.AtWorkingDirectory, Own + name) != null ? new Namespace(this, name, subject) : null;

    /// <inheritdoc/>
    public override IEnumerable<ProcNode> Entries(Asker who)
    {
        foreach (var name in s_names)
            if (Find(who, name) is { } node)
                yield return node;
    }

    private sealed class Namespace(ProcDirectory parent, string name, ProcSubject subject) : ProcLink(parent.Kernel, parent, name)
    {
        public override bool IsMagic => true;

        public override long Read(in Asker who, out string? text)
        {
            text = subject.MayBeInspectedBy(who) ? HostCalls.ReadLinkAt(PathResolver.AtWorkingDirectory, Own + Name) : null;
            return text == null ? -Errno.EACCES : 0;
        }

        public override long Jump(in Asker who, out FileRef file, out ProcNode? node)
        {
            node = null;
            file = default;
            if (!subject.MayBeInspectedBy(who))
                return -Errno.EACCES;
            var fd = HostCalls.OpenAt(PathResolver.AtWorkingDirectory, Own + Name, OpenFlags.CloseOnExec);
            if (fd >= 0)
                file = new FileRef(new OpenFile(fd));
            return Math.Min(fd, 0);
        }
    }
}

/// <summary>/proc/N/attr: what a security module of the host says of its process; nothing can be set.</summary>
internal sealed class AttributeDirectory(ProcDirectory parent, string name, ProcSubject subject, string within)
    : ProcDirectory(parent.Kernel, parent, name)
{
    private const string Own = "/proc/self/attr/";

    /// <inheritdoc/>
    public override ProcNode? Find(in Asker who, string name)
    {
        var path = Own + within + name;
        if (subject.IsGone || HostFiles.LinkStatus(PathResolver.AtWorkingDirectory, path, out var status) < 0)
            return null;
        if (HostFiles.IsDirectory(status))
            return new AttributeDirectory(this, name, subject, within + name + "/");
        return new GeneratedFile(this, new GeneratedEntry(name, status.Mode & 0x1FF, _ => ProcessFiles.Host(path)), subject);
    }

    /// <inheritdoc/>
    public override IEnumerable<ProcNode> Entries(Asker who)
    {
        foreach (var path in Directory.EnumerateFileSystemEntries(Own + within))
            if (Find(who, System.IO.Path.GetFileName(path)) is { } node)
                yield return node;
    }
}
