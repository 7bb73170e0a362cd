using System.Globalization;
using System.Text;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Syscalls;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Files;

/// <summary>Files below /proc whose contents DynaTrans makes, from the state of the guest process at the time of the open.</summary>
internal static unsafe class GeneratedFiles
{
    private const byte DirectoryType = 4;
    private const byte LinkType = 10;
    private const int MemfdCloseOnExec = 1;

    /// <summary>Opens a generated file or directory.</summary>
    /// <returns>False when the path is none; else <paramref name="result"/> is what open returns.</returns>
    public static bool TryOpen(in SyscallContext c, int directory, string path, int flags, out long result)
    {
        result = 0;
        if (!path.StartsWith("/proc", StringComparison.Ordinal) && !path.StartsWith("/dev/fd", StringComparison.Ordinal))
            return false;
        path = path.TrimEnd('/');
        if (path == "/proc" && (flags & OpenFlags.PathOnly) == 0)
        {
            var kernel = c.Process.Kernel;
            result = c.Install(
                HostCalls.OpenAt(PathResolver.AtWorkingDirectory, path, OpenFlags.Directory | OpenFlags.CloseOnExec),
                (flags & OpenFlags.CloseOnExec) != 0,
                path,
                new DirectoryPosition(() => AllProcesses(kernel)));
            return true;
        }

        if (path == "/dev/fd")
            path = "/proc/self/fd";
        if (!ProcPaths.TrySplit(c.Process, path, out var process, out var rest) || (flags & OpenFlags.PathOnly) != 0)
            return false;
        var closeOnExec = (flags & OpenFlags.CloseOnExec) != 0;
        if (Entries(process, rest) is { } entries)
        {
            var fd = HostCalls.OpenAt(
                PathResolver.AtWorkingDirectory, "/proc/self/" + rest.Split('/')[0], OpenFlags.Directory | OpenFlags.CloseOnExec);
            result = c.Install(fd, closeOnExec, path, new DirectoryPosition(entries));
            return true;
        }

        if (Contents(c.Thread, process, rest) is not { } contents)
            return false;
        result = (flags & OpenFlags.AccessMode) != 0 && rest != "comm" ? -Errno.EACCES : c.Install(Store(rest, contents), closeOnExec, path);
        return true;
    }

    private static Func<IEnumerable<DirectoryEntry>>? Entries(GuestProcess process, string rest) =>
        rest is "fd" or "task" ? () => List(process, rest == "fd") : null;

    private static IEnumerable<DirectoryEntry> List(GuestProcess process, bool descriptors)
    {
        List<(string Name, byte Type)> names;
        if (descriptors)
        {
            names = process.Files.Numbers().Select(fd => (fd.ToString(CultureInfo.InvariantCulture), LinkType)).ToList();
        }
        else
        {
            lock (process.Kernel.Gate)
                names = process.Threads.Select(t => (t.Tid.ToString(CultureInfo.InvariantCulture), DirectoryType)).ToList();
        }

        names.InsertRange(0, [(".", DirectoryType), ("..", DirectoryType)]);
        return names.Select((e, i) => new DirectoryEntry((ulong)i + 1, 0, e.Type, Encoding.Latin1.GetBytes(e.Name)));
    }

    // The host's /proc, and the guest processes that the host does not know.
    private static IEnumerable<DirectoryEntry> AllProcesses(LinuxKernel kernel)
    {
        var entries = new List<DirectoryEntry>();
        var buffer = new byte[32768];
        var fd = HostCalls.OpenAt(PathResolver.AtWorkingDirectory, "/proc", OpenFlags.Directory | OpenFlags.CloseOnExec);
        if (fd >= 0)
        {
            fixed (byte* p = buffer)
                for (long n; (n = HostCalls.Call(HostSys.Getdents64, fd, (nint)p, buffer.Length)) > 0;)
                    entries.AddRange(DirectoryLayouts.Parse(buffer.AsMemory(0, (int)n)));
            HostCalls.Close(fd);
        }

        lock (kernel.Gate)
            foreach (var pid in kernel.Processes.Select(p => p.Pid).Where(pid => pid != kernel.HostProcessId).Order())
                entries.Add(new DirectoryEntry((ulong)pid, 0, DirectoryType, Encoding.Latin1.GetBytes(pid.ToString(CultureInfo.InvariantCulture))));
        return entries;
    }

    private static byte[]? Contents(GuestThread thread, GuestProcess process, string rest) => rest switch
    {
        "cmdline" => ZeroTerminated(process.Arguments),
        "environ" => ZeroTerminated(process.Environment),
        "comm" => Encoding.Latin1.GetBytes(process.Name + "\n"),
        "auxv" => process.AuxiliaryVector,
        "maps" => Encoding.Latin1.GetBytes(Maps(process)),
        "stat" => Encoding.Latin1.GetBytes(Stat(process)),
        "statm" => Encoding.Latin1.GetBytes(Statm(process)),
        "status" => Encoding.Latin1.GetBytes(Status(process)),
        _ => null,
    };

    private static byte[] ZeroTerminated(IEnumerable<string> strings) => Encoding.Latin1.GetBytes(string.Concat(strings.Select(s => s + "\0")));

    // An anonymous file of the host, opened a second time for reading only.
    private static long Store(string name, byte[] contents)
    {
        int fd;
        fixed (byte* p = HostCalls.Path(name))
            fd = (int)HostCalls.Call(HostSys.MemfdCreate, (nint)p, MemfdCloseOnExec);
        if (fd < 0)
            return fd;
        fixed (byte* p = contents)
        {
            for (var done = 0L; done < contents.Length;)
            {
                var n = HostCalls.Call(HostSys.Pwrite64, fd, (nint)(p + done), contents.Length - done, done);
                if (n <= 0)
                    break;
                done += n;
            }
        }

        var reader = HostCalls.OpenAt(PathResolver.AtWorkingDirectory, $"/proc/self/fd/{fd}", OpenFlags.CloseOnExec);
        HostCalls.Close(fd);
        return reader;
    }

    private static string Maps(GuestProcess process)
    {
        var text = new StringBuilder();
        foreach (var area in process.Memory.Areas())
        {
            ulong device = 0, inode = 0;
            var name = area.Name;
            if (area.File is { } file && HostFiles.Status(file.HostFd, out var status) == 0)
            {
                device = status.Device;
                inode = status.Inode;
            }

            var major = (device >> 8) & 0xfff;
            var minor = (device & 0xff) | ((device >> 12) & 0xfff00);
            var line = string.Create(
                CultureInfo.InvariantCulture,
                $"{area.Start:x8}-{area.End:x8} {Flag(area.Protection, PagePermission.Read, 'r')}{Flag(area.Protection, PagePermission.Write, 'w')}"
                + $"{Flag(area.Protection, PagePermission.Execute, 'x')}{(area.IsShared ? 's' : 'p')} {area.Offset:x8} {major:x2}:{minor:x2} {inode} ");
            text.Append(name.Length == 0 ? line : line.PadRight(73) + name).Append('\n');
        }

        return text.ToString();
    }

    private static char Flag(PagePermission all, PagePermission bit, char letter) => (all & bit) != 0 ? letter : '-';

    private static char StateLetter(GuestProcess process) => process.State switch
    {
        ProcessState.Zombie => 'Z',
        ProcessState.Stopped => 'T',
        _ => 'R',
    };

    private static string Stat(GuestProcess process)
    {
        const int Fields = 52;
        var fields = new string[Fields];
        Array.Fill(fields, "0");
        fields[0] = process.Pid.ToString(CultureInfo.InvariantCulture);
        fields[1] = $"({process.Name})";
        fields[2] = StateLetter(process).ToString();
        fields[3] = process.ParentPid.ToString(CultureInfo.InvariantCulture);
        fields[4] = process.GroupId.ToString(CultureInfo.InvariantCulture);
        fields[5] = process.SessionId.ToString(CultureInfo.InvariantCulture);
        fields[7] = process.Kernel.ForegroundGroup.ToString(CultureInfo.InvariantCulture);
        fields[17] = "20";
        lock (process.Kernel.Gate)
            fields[19] = Math.Max(1, process.Threads.Count).ToString(CultureInfo.InvariantCulture);
        fields[21] = (process.Kernel.StartTime * 100 / System.Diagnostics.Stopwatch.Frequency).ToString(CultureInfo.InvariantCulture);
        var pages = process.Memory.Space.MappedPages;
        fields[22] = (pages * AddressSpace.PageSize).ToString(CultureInfo.InvariantCulture);
        fields[23] = pages.ToString(CultureInfo.InvariantCulture);
        fields[24] = ulong.MaxValue.ToString(CultureInfo.InvariantCulture);
        fields[37] = "17";
        return string.Join(' ', fields) + "\n";
    }

    private static string Statm(GuestProcess process)
    {
        var pages = process.Memory.Space.MappedPages;
        return string.Create(CultureInfo.InvariantCulture, $"{pages} {pages} 0 0 0 {pages} 0\n");
    }

    private static string Status(GuestProcess process)
    {
        var kib = process.Memory.Space.MappedPages * (AddressSpace.PageSize / 1024);
        var state = process.State switch
        {
            ProcessState.Zombie => "Z (zombie)",
            ProcessState.Stopped => "T (stopped)",
            _ => "R (running)",
        };
        var user = process.Credentials;
        int threads;
        lock (process.Kernel.Gate)
            threads = Math.Max(1, process.Threads.Count);
        return string.Create(CultureInfo.InvariantCulture, $"""
            Name:	{process.Name}
            Umask:	{Convert.ToString(process.FileSystem.Umask, 8).PadLeft(4, '0')}
            State:	{state}
            Tgid:	{process.Pid}
            Ngid:	0
            Pid:	{process.Pid}
            PPid:	{process.ParentPid}
            TracerPid:	0
            Uid:	{user.User}	{user.EffectiveUser}	{user.SavedUser}	{user.EffectiveUser}
            Gid:	{user.Group}	{user.EffectiveGroup}	{user.SavedGroup}	{user.EffectiveGroup}
            FDSize:	64
            Groups:	{string.Join(' ', user.Groups)}
            VmPeak:	{kib,8} kB
            VmSize:	{kib,8} kB
            VmHWM:	{kib,8} kB
            VmRSS:	{kib,8} kB
            Threads:	{threads}

            """);
    }
}
