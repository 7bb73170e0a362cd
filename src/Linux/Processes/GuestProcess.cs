using DynaTrans.Linux.Files;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Processes;

/// <summary>Where a process is in its life.</summary>
public enum ProcessState
{
    /// <summary>Has threads.</summary>
    Running,

    /// <summary>Stopped by a job control signal.</summary>
    Stopped,

    /// <summary>Has ended; its parent has not waited for it.</summary>
    Zombie,
}

/// <summary>A guest process: a thread group with its memory, descriptors, signal actions and place in the process tree.</summary>
public sealed partial class GuestProcess
{
    private ProcessTimers? _timers;
    private CpuLimit? _cpuLimit;

    internal GuestProcess(LinuxKernel kernel, int pid, ProcessMemory memory, FdTable files, FileSystemContext fileSystem)
    {
        Kernel = kernel;
        Pid = pid;
        Memory = memory;
        Files = files;
        FileSystem = fileSystem;
    }

    /// <summary>The kernel.</summary>
    public LinuxKernel Kernel { get; }

    /// <summary>Number of the process (of its thread group).</summary>
    public int Pid { get; }

    /// <summary>The parent, or null for the first process and for orphans.</summary>
    public GuestProcess? Parent { get; internal set; }

    /// <summary>What getppid gives.</summary>
    public int ParentPid => Parent?.Pid ?? OrphanParentPid;

    /// <summary>Process group.</summary>
    public int GroupId { get; internal set; }

    /// <summary>Session.</summary>
    public int SessionId { get; internal set; }

    /// <summary>Memory; replaced by execve.</summary>
    public ProcessMemory Memory { get; internal set; }

    /// <summary>Descriptor table. Replaced by unshare and execve.</summary>
    public FdTable Files { get; internal set; }

    /// <summary>Working directory and file mode mask.</summary>
    public FileSystemContext FileSystem { get; internal set; }

    /// <summary>Users, groups and capabilities as the process sees them; the host's unless set.</summary>
    public Credentials Credentials
    {
        get => field ??= Credentials.FromHost();
        internal set
        {
            var isOther = field is { } old && (old.EffectiveUser != value.EffectiveUser || old.EffectiveGroup != value.EffectiveGroup);
            field = value;
            if (isOther)
                GuardFromFormer();
        }
    }

    /// <summary>Resource limits; the host's unless set.</summary>
    public ResourceLimits Limits { get => field ??= ResourceLimits.FromHost(); internal set; }

    /// <summary>Signal actions; shared with CLONE_SIGHAND.</summary>
    public SignalActions Actions { get; internal set; } = new();

    /// <summary>True when the program is an i386 program.</summary>
    public bool Is32 { get; internal set; }

    /// <summary>Running, stopped or ended.</summary>
    public ProcessState State { get; internal set; }

    /// <summary>Path of the program on the host, symbolic links resolved (/proc/self/exe), one char per byte.</summary>
    public string ExecutablePath { get; internal set; } = string.Empty;

    /// <summary>Its arguments (/proc/self/cmdline), one char per byte.</summary>
    public IReadOnlyList<string> Arguments { get; internal set; } = [];

    /// <summary>Its environment at the start (/proc/self/environ).</summary>
    public IReadOnlyList<string> Environment { get; internal set; } = [];

    /// <summary>The name that prctl sets, up to 15 bytes (/proc/self/comm). That of the first thread.</summary>
    public string Name { get; internal set; } = string.Empty;

    /// <summary>The auxiliary vector as it was written (/proc/self/auxv).</summary>
    public byte[] AuxiliaryVector { get; internal set; } = [];

    /// <summary>The personality(2) word.</summary>
    public uint Personality { get; internal set; }

    /// <summary>The threads. Under the kernel's gate.</summary>
    public List<GuestThread> Threads { get; } = [];

    /// <summary>The children, zombies included. Under the kernel's gate.</summary>
    public List<GuestProcess> Children { get; } = [];

    /// <summary>The pidfds that mean this process. Under the kernel's gate.</summary>
    internal List<PidDescriptor> PidDescriptors { get; } = [];

    /// <summary>CPU time of all threads, ended ones included, in nanoseconds.</summary>
    public long CpuTime()
    {
        lock (Kernel.Gate)
        {
            var time = EndedThreads.Total;
            foreach (var thread in Threads)
                time += thread.CpuTime();
            return time;
        }
    }

    /// <summary>CPU time of all threads, ended ones included, by where it was spent.</summary>
    public CpuUsage CpuUsage()
    {
        lock (Kernel.Gate)
        {
            var usage = EndedThreads;
            foreach (var thread in Threads)
                usage += thread.CpuUsage();
            return usage;
        }
    }

    /// <summary>Timers that send signals.</summary>
    internal ProcessTimers Timers => _timers ??= new ProcessTimers(this);

    /// <summary>Begins or goes on to watch RLIMIT_CPU, when there is one.</summary>
    internal void WatchCpuLimit()
    {
        var (soft, hard) = Limits[ResourceLimits.Cpu];
        lock (Kernel.Gate)
        {
            if (_cpuLimit != null)
                _cpuLimit.Changed();
            else if ((soft != ResourceLimits.Infinity || hard != ResourceLimits.Infinity) && !IsExiting)
                _cpuLimit = new CpuLimit(this);
        }
    }

    /// <summary>Orphans among its descendants become its children (PR_SET_CHILD_SUBREAPER).</summary>
    internal bool IsSubreaper { get; set; }

    /// <summary>PR_SET_DUMPABLE.</summary>
    internal bool IsDumpable { get; set; } = true;

    // Who was of the same user a moment ago may not look into what the process gets as another (the kernel's commit_creds).
    private void GuardFromFormer()
    {
        lock (Kernel.Gate)
        {
            IsDumpable = false;
            foreach (var thread in Threads)
                thread.DeathSignal = 0;
        }
    }

    /// <summary>It has executed a program since it was made.</summary>
    internal bool HasExecuted { get; private set; }

    internal int OrphanParentPid { get; set; } = 1;
}
