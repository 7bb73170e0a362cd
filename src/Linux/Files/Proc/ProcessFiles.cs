using System.Globalization;
using System.Text;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Files.Proc;

/// <summary>The files of a process's directory, in the kernel's order, and those of them that are short.</summary>
internal static class ProcessFiles
{
    private const uint All444 = 0x124, Owner400 = 0x100, Owner644 = 0x1A4, All666 = 0x1B6, Owner200 = 0x80;

    /// <summary>All of them.</summary>
    internal static readonly GeneratedEntry[] All =
    [
        new("environ", Owner400, s => ZeroTerminated(s.Process.Environment)) { IsGuarded = true },
        new("auxv", Owner400, s => s.Process.AuxiliaryVector) { IsGuarded = true },
        new("status", All444, s => ProcessStatus.Status(s)),
        new("personality", Owner400, s => Text($"{s.Process.Personality:x8}\n")) { IsGuarded = true },
        new("limits", All444, s => ProcessStatus.Limits(s.Process)),
        new("sched", Owner644, s => ProcessStatus.Scheduling(s)),
        new("autogroup", Owner644, _ => Host("/proc/self/autogroup")) { OfThreads = false, Set = Refuse },
        new("timens_offsets", Owner644, _ => Host("/proc/self/timens_offsets")) { OfThreads = false, Set = Refuse },
        new("comm", Owner644, s => s.Name + "\n") { Set = SetName },
        new("syscall", Owner400, _ => "running\n") { IsGuarded = true },
        new("cmdline", All444, s => ZeroTerminated(s.Process.Arguments)),
        new("stat", All444, s => ProcessStatus.Stat(s)),
        new("statm", All444, s => ProcessStatus.Statm(s.Process)),
        new("maps", All444, s => MemoryMaps.Maps(s.Process)) { IsGuarded = true },
        new("children", All444, s => Children(s)) { OfProcesses = false },
        new("mounts", All444, _ => Host("/proc/self/mounts")),
        new("mountinfo", All444, _ => Host("/proc/self/mountinfo")),
        new("mountstats", Owner400, _ => Host("/proc/self/mountstats")) { OfThreads = false },
        new("clear_refs", Owner200, _ => Contents.Fails(Errno.EINVAL)) { Set = ClearReferences },
        new("smaps", All444, s => MemoryMaps.Detailed(s.Process)) { IsGuarded = true },
        new("smaps_rollup", All444, s => MemoryMaps.Sum(s.Process)) { IsGuarded = true },
        new("wchan", All444, _ => "0"),
        new("stack", Owner400, _ => string.Empty) { IsGuarded = true },
        new("schedstat", All444, s => Text($"{s.Speaker?.CpuTime() ?? 0} 0 1\n")),
        new("cpuset", All444, _ => Host("/proc/self/cpuset")),
        new("cgroup", All444, _ => Host("/proc/self/cgroup")),
        new("oom_score", All444, s => ProcessStatus.OomScore(s.Process)),
        new("oom_adj", Owner644, s => Text($"{OldOomAdjust(s.Process.Settings.OomScoreAdjust)}\n")) { Set = SetOldOomAdjust },
        new("oom_score_adj", Owner644, s => Text($"{s.Process.Settings.OomScoreAdjust}\n")) { Set = SetOomAdjust },
        new("loginuid", Owner644, _ => Host("/proc/self/loginuid")) { Set = Refuse },
        new("sessionid", All444, _ => Host("/proc/self/sessionid")),
        new("coredump_filter", Owner644, s => Text($"{s.Process.Settings.CoredumpFilter:x8}\n")) { OfThreads = false, Set = SetCoredumpFilter },
        new("io", Owner400, _ => "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n") { IsGuarded = true },
        new("uid_map", Owner644, _ => Host("/proc/self/uid_map")) { Set = Refuse },
        new("gid_map", Owner644, _ => Host("/proc/self/gid_map")) { Set = Refuse },
        new("projid_map", Owner644, _ => Host("/proc/self/projid_map")) { Set = Refuse },
        new("setgroups", Owner644, _ => Host("/proc/self/setgroups")) { Set = Refuse },
        new("timers", All444, _ => string.Empty) { OfThreads = false },
        new("timerslack_ns", All666, s => Text($"{s.Speaker?.TimerSlack ?? 0}\n")) { OfThreads = false, IsGuarded = true, Set = SetTimerSlack },
        new("arch_status", All444, _ => "AVX512_elapsed_ms:\t-1\n"),
    ];

    /// <summary>The text of a file of the host's, which says the same of every process.</summary>
    public static Contents Host(string path) => HostCalls.ReadText(path) is { } text ? text : Contents.Fails(Errno.EINVAL);

    private static Contents Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static byte[] ZeroTerminated(IEnumerable<string> strings) => Encoding.Latin1.GetBytes(string.Concat(strings.Select(s => s + "\0")));

    private static string Children(ProcSubject subject)
    {
        // The kernel of the guests does not keep which thread made a child: the first one has them all.
        if (subject.Thread?.Tid != subject.Process.Pid)
            return string.Empty;
        lock (subject.Process.Kernel.Gate)
            return string.Concat(subject.Process.Children.Select(c => ProcRoot.Number(c.Pid) + " "));
    }

    private static int Refuse(in Asker who, ProcSubject subject, string text) => Errno.EPERM;

    // Only threads of the process itself may; what is too long is cut (proc_pid_comm(5)).
    private static int SetName(in Asker who, ProcSubject subject, string text)
    {
        const int MaxName = 15;
        if (who.Process != subject.Process)
            return Errno.EINVAL;
        var end = text.IndexOf('\0');
        var name = end >= 0 ? text[..end] : text;
        name = name.Length > MaxName ? name[..MaxName] : name;
        if (subject.Speaker is not { } thread)
            return Errno.ESRCH;
        thread.Name = name;
        if (thread.Tid == subject.Process.Pid)
            subject.Process.Name = name;
        return 0;
    }

    // Nothing is kept of which pages were referenced or changed; 5 asks to forget the peak of resident memory, which is the present one.
    private static int ClearReferences(in Asker who, ProcSubject subject, string text) =>
        TryParse(text, out var what) && what is >= 1 and <= 5 ? 0 : Errno.EINVAL;

    private static int SetOomAdjust(in Asker who, ProcSubject subject, string text)
    {
        if (!TryParse(text, out var value))
            return Errno.EINVAL;
        return value is < ProcessSettings.MinOomScoreAdjust or > ProcessSettings.MaxOomScoreAdjust ? Errno.EINVAL : Adjust(who, subject, (int)value);
    }

    private static int OldOomAdjust(int value) => value == ProcessSettings.MaxOomScoreAdjust ? 15 : value * 17 / 1000;

    private static int SetOldOomAdjust(in Asker who, ProcSubject subject, string text)
    {
        if (!TryParse(text, out var value) || value is < -17 or > 15)
            return Errno.EINVAL;
        return Adjust(who, subject, value == 15 ? ProcessSettings.MaxOomScoreAdjust : (int)value * 1000 / 17);
    }

    private static int Adjust(in Asker who, ProcSubject subject, int value)
    {
        var settings = subject.Process.Settings;
        var isRoot = who.Process.Credentials.EffectiveUser == 0;
        if (value < settings.OomScoreAdjustFloor && !isRoot)
            return Errno.EACCES;
        settings.OomScoreAdjust = value;
        if (isRoot)
            settings.OomScoreAdjustFloor = value;
        return 0;
    }

    private static int SetCoredumpFilter(in Asker who, ProcSubject subject, string text)
    {
        if (!TryParse(text, out var value))
            return Errno.EINVAL;
        subject.Process.Settings.CoredumpFilter = (uint)value & ProcessSettings.CoredumpFilterMask;
        return 0;
    }

    private static int SetTimerSlack(in Asker who, ProcSubject subject, string text)
    {
        if (!subject.MayBeInspectedBy(who))
            return Errno.EPERM;
        if (!TryParse(text, out var value) || value < 0)
            return Errno.EINVAL;
        if (subject.Speaker is not { } thread)
            return Errno.ESRCH;
        thread.TimerSlack = value == 0 ? thread.DefaultTimerSlack : (ulong)value;
        return 0;
    }

    // As the kernel's kstrtol with base 0: a sign, 0x or 0, digits, one newline at most.
    private static bool TryParse(string text, out long value)
    {
        value = 0;
        var end = text.IndexOf('\0');
        var digits = (end >= 0 ? text[..end] : text).Trim();
        var negative = digits.StartsWith('-');
        digits = digits.TrimStart('-', '+');
        var numberBase = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? 16 : digits is ['0', _, ..] ? 8 : 10;
        digits = numberBase == 16 ? digits[2..] : digits;
        if (digits.Length is 0 or > 20 || digits.Any(c => !Uri.IsHexDigit(c) || Convert.ToInt32(c.ToString(), 16) >= numberBase))
            return false;
        foreach (var c in digits)
        {
            if (value > long.MaxValue / numberBase - 1)
                return false;
            value = (value * numberBase) + Convert.ToInt32(c.ToString(), 16);
        }

        value = negative ? -value : value;
        return true;
    }
}
