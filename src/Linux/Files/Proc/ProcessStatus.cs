using System.Diagnostics;
using System.Globalization;
using System.Text;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Signals;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Files.Proc;

/// <summary>stat, statm, status, limits, sched and oom_score (proc_pid_stat(5) and its like).</summary>
internal static class ProcessStatus
{
    private const ulong PageKiB = AddressSpace.PageSize / 1024;
    private const long TicksPerSecond = 100, NanosecondsPerTick = 1_000_000_000 / TicksPerSecond;

    // Name, unit; by the number of the resource.
    private static readonly (string Name, string Unit)[] s_limits =
    [
        ("Max cpu time", "seconds"), ("Max file size", "bytes"), ("Max data size", "bytes"), ("Max stack size", "bytes"),
        ("Max core file size", "bytes"), ("Max resident set", "bytes"), ("Max processes", "processes"), ("Max open files", "files"),
        ("Max locked memory", "bytes"), ("Max address space", "bytes"), ("Max file locks", "locks"), ("Max pending signals", "signals"),
        ("Max msgqueue size", "bytes"), ("Max nice priority", ""), ("Max realtime priority", ""), ("Max realtime timeout", "us"),
    ];

    /// <summary>/proc/N/stat.</summary>
    public static string Stat(ProcSubject subject)
    {
        const int Fields = 52;
        var process = subject.Process;
        var fields = new string[Fields];
        Array.Fill(fields, "0");
        fields[0] = Number(subject.Number);
        fields[1] = $"({subject.Name})";
        fields[2] = State(process)[..1];
        fields[3] = Number(process.ParentPid);
        fields[4] = Number(process.GroupId);
        fields[5] = Number(process.SessionId);
        fields[7] = Number(process.Kernel.ForegroundGroup);
        CpuUsage own, children;
        lock (process.Kernel.Gate)
            (own, children) = (subject.Thread?.CpuUsage() ?? process.CpuUsage(), process.WaitedChildren);
        fields[13] = Number(own.User / NanosecondsPerTick);
        fields[14] = Number(own.System / NanosecondsPerTick);
        fields[15] = Number(children.User / NanosecondsPerTick);
        fields[16] = Number(children.System / NanosecondsPerTick);
        var nice = subject.Speaker?.Nice ?? 0;
        fields[17] = Number(20 + nice);
        fields[18] = Number(nice);
        fields[19] = Number(Threads(process));
        fields[21] = Number(process.Kernel.StartTime * TicksPerSecond / Stopwatch.Frequency);
        fields[22] = Number((long)process.Memory.TotalLength);
        fields[23] = Number((long)(process.Memory.ResidentLength / AddressSpace.PageSize));
        fields[24] = ulong.MaxValue.ToString(CultureInfo.InvariantCulture);
        fields[37] = "17";
        return string.Join(' ', fields) + "\n";
    }

    /// <summary>/proc/N/statm.</summary>
    public static string Statm(GuestProcess process)
    {
        var pages = process.Memory.TotalLength / AddressSpace.PageSize;
        return Text($"{pages} {process.Memory.ResidentLength / AddressSpace.PageSize} 0 0 0 {pages} 0\n");
    }

    /// <summary>/proc/N/status.</summary>
    public static string Status(ProcSubject subject)
    {
        var process = subject.Process;
        var user = process.Credentials;
        var text = new StringBuilder();
        text.Append(Text($"""
            Name:	{subject.Name}
            Umask:	{Convert.ToString(process.FileSystem.Umask, 8).PadLeft(4, '0')}
            State:	{State(process)}
            Tgid:	{process.Pid}
            Ngid:	0
            Pid:	{subject.Number}
            PPid:	{process.ParentPid}
            TracerPid:	{subject.Speaker?.Tracer?.Pid ?? 0}
            Uid:	{user.User}	{user.EffectiveUser}	{user.SavedUser}	{user.EffectiveUser}
            Gid:	{user.Group}	{user.EffectiveGroup}	{user.SavedGroup}	{user.EffectiveGroup}
            FDSize:	64
            Groups:	{string.Join(' ', user.Groups)} 
            NStgid:	{process.Pid}
            NSpid:	{subject.Number}
            NSpgid:	{process.GroupId}
            NSsid:	{process.SessionId}
            Kthread:	0

            """));
        if (process.State != ProcessState.Zombie)
            AppendMemory(text, process);
        AppendSignals(text, subject);
        const ulong AllCapabilities = 0x1FFFFFFFFFF;
        var effective = user.EffectiveUser == 0 ? AllCapabilities : 0;
        text.Append(Text($"""
            CapInh:	0000000000000000
            CapPrm:	{effective:x16}
            CapEff:	{effective:x16}
            CapBnd:	{AllCapabilities:x16}
            CapAmb:	0000000000000000
            NoNewPrivs:	{(subject.Speaker?.NoNewPrivileges == true ? 1 : 0)}
            Seccomp:	0
            Seccomp_filters:	0

            """));

        // What the host's scheduler says of its process holds for the guests.
        var host = HostCalls.ReadText("/proc/self/status");
        foreach (var name in new[]
        {
            "Speculation_Store_Bypass:", "SpeculationIndirectBranch:", "Cpus_allowed:", "Cpus_allowed_list:", "Mems_allowed:", "Mems_allowed_list:",
        })
            if (HostCalls.LineOf(host, name) is { } value)
                text.Append(Text($"{name}\t{value}\n"));
        return text.Append("voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n").ToString();
    }

    /// <summary>/proc/N/limits.</summary>
    public static string Limits(GuestProcess process)
    {
        var text = new StringBuilder("Limit                     Soft Limit           Hard Limit           Units     \n");
        for (var i = 0; i < s_limits.Length; i++)
        {
            var (soft, hard) = process.Limits[i];
            text.Append(Text($"{s_limits[i].Name,-25} {Bound(soft),-20} {Bound(hard),-20} "));
            text.Append(s_limits[i].Unit.Length == 0 ? "\n" : Text($"{s_limits[i].Unit,-10}\n"));
        }

        return text.ToString();
    }

    /// <summary>/proc/N/sched: the head and what is known.</summary>
    public static string Scheduling(ProcSubject subject)
    {
        var time = subject.Thread?.CpuTime() ?? subject.Process.CpuTime();
        var nice = subject.Speaker?.Nice ?? 0;
        var text = new StringBuilder(Text($"{subject.Name} ({subject.Number}, #threads: {Threads(subject.Process)})\n"));
        text.Append('-', 67).Append('\n');
        foreach (var (name, value) in new[]
        {
            ("se.sum_exec_runtime", Text($"{time / 1_000_000}.{time % 1_000_000:d6}")), ("nr_switches", "0"), ("nr_voluntary_switches", "0"),
            ("nr_involuntary_switches", "0"), ("policy", "0"), ("prio", Number(120 + nice)),
        })
            text.Append(Text($"{name,-45}:{value,21}\n"));
        return text.ToString();
    }

    /// <summary>/proc/N/oom_score: the kernel's measure (proc_pid_oom_score(5)): 666 for a small process with the usual adjustment.</summary>
    public static string OomScore(GuestProcess process)
    {
        const int Scale = 1000;
        var adjust = process.Settings.OomScoreAdjust;
        if (adjust == ProcessSettings.MinOomScoreAdjust)
            return "0\n";
        var total = HostCalls.LineOf(HostCalls.ReadText("/proc/meminfo"), "MemTotal:")?.Split(' ')[0];
        var used = ulong.TryParse(total, out var kib) && kib > 0 ? (long)(process.Memory.ResidentLength / 1024 * Scale / kib) : 0;
        return Text($"{Math.Max(0, (Scale + used + adjust) * 2 / 3)}\n");
    }

    private static void AppendMemory(StringBuilder text, GuestProcess process)
    {
        ulong data = 0, stack = 0, code = 0, libraries = 0;
        foreach (var area in process.Memory.Areas())
        {
            var kib = area.Length / 1024;
            if (area.Name == "[stack]")
                stack += kib;
            else if ((area.Protection & PagePermission.Write) != 0 && !area.IsShared)
                data += kib;
            else if ((area.Protection & PagePermission.Execute) != 0 && area.Name == process.ExecutablePath)
                code += kib;
            else if ((area.Protection & PagePermission.Execute) != 0)
                libraries += kib;
        }

        var size = process.Memory.TotalLength / 1024;
        var resident = process.Memory.ResidentLength / 1024;
        foreach (var (name, kib) in new[]
        {
            ("VmPeak", size), ("VmSize", size), ("VmLck", process.Memory.LockedLength / 1024), ("VmPin", 0UL), ("VmHWM", resident), ("VmRSS", resident),
            ("RssAnon", resident), ("RssFile", 0UL), ("RssShmem", 0UL), ("VmData", data), ("VmStk", stack), ("VmExe", code),
            ("VmLib", libraries), ("VmPTE", resident / 512), ("VmSwap", 0UL), ("HugetlbPages", 0UL),
        })
            text.Append(Text($"{name}:\t{kib,8} kB\n"));
        text.Append("CoreDumping:\t0\nTHP_enabled:\t1\n");
    }

    private static void AppendSignals(StringBuilder text, ProcSubject subject)
    {
        var process = subject.Process;
        ulong own = 0, shared, blocked = 0, ignored = 0, caught = 0;
        lock (process.Kernel.Gate)
        {
            if (subject.Speaker is { } thread)
                (own, blocked) = (thread.Pending.Set, thread.Blocked);
            shared = process.Pending.Set;
            for (var signal = 1; signal <= Signal.Count; signal++)
            {
                var action = process.Actions[signal];
                if (action.Handler == SignalAction.Ignore)
                    ignored |= Signal.Bit(signal);
                else if (action.IsHandler)
                    caught |= Signal.Bit(signal);
            }
        }

        const int PendingSignals = 11;
        var queued = System.Numerics.BitOperations.PopCount(own) + System.Numerics.BitOperations.PopCount(shared);
        text.Append(Text($"""
            Threads:	{Threads(process)}
            SigQ:	{queued}/{process.Limits[PendingSignals].Soft}
            SigPnd:	{own:x16}
            ShdPnd:	{shared:x16}
            SigBlk:	{blocked:x16}
            SigIgn:	{ignored:x16}
            SigCgt:	{caught:x16}

            """));
    }

    private static int Threads(GuestProcess process)
    {
        lock (process.Kernel.Gate)
            return Math.Max(1, process.Threads.Count);
    }

    private static string State(GuestProcess process) => process.State switch
    {
        ProcessState.Zombie => "Z (zombie)",
        ProcessState.Stopped => "T (stopped)",
        _ => "R (running)",
    };

    private static string Bound(ulong limit) => limit == ResourceLimits.Infinity ? "unlimited" : limit.ToString(CultureInfo.InvariantCulture);

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
