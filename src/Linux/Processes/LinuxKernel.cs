using DynaTrans.Frontend.Decoding;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Loading;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Signals;
using DynaTrans.Linux.Syscalls;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Linux.Processes;

/// <summary>
/// The kernel of one run of the process VM: all guest processes, as objects in this host process. The tree of processes, and all signal
/// state, is guarded by <see cref="Gate"/>.
/// </summary>
public sealed class LinuxKernel
{
    private readonly Dictionary<int, GuestProcess> _processes = [];
    private readonly Dictionary<int, GuestThread> _threads = [];
    private readonly Dictionary<uint, QueuedSignals> _queuedSignals = [];
    private int _nextId;
    private Files.RootDirectories? _roots;
    private int _windowBits = ProcessMemory.UsualWindowBits;

    /// <summary>Makes a kernel without processes.</summary>
    /// <param name="translatorFactory">Makes the translator of one address space; null interprets everything.</param>
    /// <param name="memoryLimit">See <see cref="LinuxOptions.MemoryLimit"/>.</param>
    public LinuxKernel(Func<GuestProgram, ITranslator?>? translatorFactory, long? memoryLimit = null)
    {
        TranslatorFactory = translatorFactory ?? (static _ => null);
        HostProcessId = (int)HostCalls.Call(HostSys.Getpid);
        ForegroundGroup = (int)HostCalls.Call(HostSys.Getpgrp);
        HostSession = (int)HostCalls.Call(HostSys.Getsid);
        // The first process has the host's own number; others get numbers that no host process can have.
        _nextId = MaxHostProcessId();
        Commit = new CommitLimit(memoryLimit);
    }

    /// <summary>Guards the process tree and the signal state of all processes. Taken before an address space's lock, never after it.</summary>
    public object Gate { get; } = new();

    /// <summary>Directory in which absolute paths are looked up first (no slash at its end, one char per byte), or null.</summary>
    public string? Root { get; init; }

    /// <summary>See <see cref="LinuxOptions.Layout"/>.</summary>
    public Loading.AddressLayout? Layout { get; init; }

    /// <summary>Where absolute paths begin.</summary>
    internal Files.RootDirectories Roots => _roots ?? Interlocked.CompareExchange(ref _roots, new Files.RootDirectories(Root), null) ?? _roots!;

    /// <summary>Open files of /proc that are on their way over sockets.</summary>
    internal Files.Proc.PassedFiles PassedFiles { get; } = new();

    /// <summary>Where system calls are logged, or null.</summary>
    public StraceLog? Strace { get; init; }

    /// <summary>Called when serving a guest failed in a way that no guest should be able to cause; the guest process is killed.</summary>
    public Action<GuestThread, Exception>? OnInternalError { get; init; }

    /// <summary>See <see cref="LinuxOptions.VcpuCreated"/>.</summary>
    public Action<Vcpu>? VcpuCreated { get; init; }

    /// <summary>See <see cref="LinuxOptions.VcpuEnding"/>.</summary>
    public Action<Vcpu>? VcpuEnding { get; init; }

    /// <summary>See <see cref="LinuxOptions.MemoryEnding"/>.</summary>
    public Action<ProcessMemory>? MemoryEnding { get; init; }

    /// <summary>See <see cref="LinuxOptions.MemoryMeter"/>.</summary>
    public GuestMemoryMeter? Meter { get; init; }

    /// <summary>Number of the host process, which the first guest process shares.</summary>
    public int HostProcessId { get; }

    /// <summary>Session of the host process, which guests start in.</summary>
    public int HostSession { get; }

    /// <summary>Process group that signals from the host's terminal go to (guest number).</summary>
    public int ForegroundGroup { get; set; }

    /// <summary>The host process got a signal that asks it to end (and the guest got it). Under <see cref="Gate"/>.</summary>
    internal bool WasToldToEnd { get; set; }

    /// <summary>Makes the translator of an address space.</summary>
    public Func<GuestProgram, ITranslator?> TranslatorFactory { get; }

    /// <summary>Sends the signals about files that have an owner.</summary>
    internal Files.OwnerSignals OwnerSignals => field ??= new Files.OwnerSignals(this);

    /// <summary>The timers of all guests that run.</summary>
    internal TimerQueue Timers { get; } = new();

    /// <summary>The signalfd descriptors of all guests. Under <see cref="Gate"/>.</summary>
    internal List<Files.SignalDescriptor> SignalDescriptors { get; } = [];

    /// <summary>The bound on the memory of all guests together.</summary>
    public CommitLimit Commit { get; }

    /// <summary>The files and shared memory that guests have mapped.</summary>
    public MemoryObjects Objects { get; } = new();

    /// <summary>What the host does not know of the System V IPC objects that guests use.</summary>
    internal IpcRecords Ipc => field ?? Interlocked.CompareExchange(ref field, new IpcRecords(HostProcessId), null) ?? field;

    /// <summary>Host time at which the kernel started, in nanoseconds of CLOCK_MONOTONIC.</summary>
    public long StartTime { get; } = System.Diagnostics.Stopwatch.GetTimestamp();

    /// <summary>System calls that guests made and that are not implemented.</summary>
    public UnknownCalls UnknownCalls { get; init; } = new();

    /// <summary>The processes that exist, zombies included. Under <see cref="Gate"/>.</summary>
    public IReadOnlyCollection<GuestProcess> Processes => _processes.Values;

    /// <summary>Threads of all guests.</summary>
    internal int ThreadCount => _threads.Count;

    /// <summary>A process by number, or null. Zombies are found too.</summary>
    public GuestProcess? FindProcess(int pid)
    {
        lock (Gate)
            return _processes.GetValueOrDefault(pid);
    }

    /// <summary>A thread by number, or null.</summary>
    public GuestThread? FindThread(int tid)
    {
        lock (Gate)
            return _threads.GetValueOrDefault(tid);
    }

    /// <summary>The process that a number names: its own number, or that of one of its threads.</summary>
    internal GuestProcess? FindAnyProcess(int id) => FindProcess(id) ?? FindThread(id)?.Process;

    /// <summary>A number for a new process or thread.</summary>
    public int AllocateId()
    {
        lock (Gate)
            return ++_nextId;
    }

    /// <summary>How many signals and timers a user has. Under <see cref="Gate"/>.</summary>
    internal QueuedSignals QueuedSignals(uint user)
    {
        if (!_queuedSignals.TryGetValue(user, out var queued))
            _queuedSignals.Add(user, queued = new QueuedSignals());
        return queued;
    }

    /// <summary>Instructions that a vCPU may execute; then <see cref="InstructionsUp"/> is set, and the run ends.</summary>
    public ulong InstructionLimit { get; init; } = ulong.MaxValue;

    /// <summary>The thread that had executed <see cref="InstructionLimit"/> instructions first, and where. Under <see cref="Gate"/>.</summary>
    internal (int Thread, ulong Rip)? InstructionsUp { get; private set; }

    /// <summary>A thread has executed all that it may.</summary>
    internal void EndByInstructions(GuestThread thread)
    {
        lock (Gate)
        {
            InstructionsUp ??= (thread.Tid, thread.LinearInstructionPointer);
            Monitor.PulseAll(Gate);
        }

        thread.Process.BeginExit(Signal.Kill);
    }

    /// <summary>log2 of the window of a new x86-64 program.</summary>
    internal int WindowBits => Volatile.Read(ref _windowBits);

    /// <summary>
    /// The host has refused a window (ulimit -v, strict overcommit, an emulator below with a window of its own): the next ones are a quarter of
    /// the largest that it grants, so that there is room for those of children too. False when that is too small for a program.
    /// </summary>
    internal bool TryShrinkWindow()
    {
        var bits = WindowBits;
        while (!AddressSpace.CanReserve(bits))
            if (--bits < ProcessMemory.LeastWindowBits)
                return false;
        Volatile.Write(ref _windowBits, Math.Max(bits - 2, ProcessMemory.LeastWindowBits));
        return true;
    }

    /// <summary>A guest may have made a file shorter: pages behind its end are no memory any more, in whatever process it is mapped.</summary>
    internal void FileMayBeShorter(int hostFd)
    {
        if (Files.FileIdentity.Of(hostFd) is not { } file)
            return;
        var memories = new List<ProcessMemory>();
        lock (Gate)
        {
            foreach (var process in _processes.Values)
                if (process.Memory.TryAddUser())
                    memories.Add(process.Memory);
        }

        foreach (var memory in memories)
        {
            memory.CutOff(file);
            memory.RemoveUser();
        }
    }

    /// <summary>Makes a vCPU; until <see cref="Dispose(Vcpu, ProcessMemory)"/> it is one of the memory's users.</summary>
    internal Vcpu CreateVcpu(ProcessMemory memory)
    {
        var vcpu = memory.Machine.AddVcpu(GuestMode.Linux64);
        memory.AddUser();
        vcpu.ChecksAlignment = true;
        ThreadDescriptors.Attach(vcpu, memory);
        VcpuCreated?.Invoke(vcpu);
        return vcpu;
    }

    /// <summary>Gives back a vCPU that does not run any more. The memory stays at least as long: another thread may be giving it back now.</summary>
    internal void Dispose(Vcpu vcpu, ProcessMemory memory)
    {
        VcpuEnding?.Invoke(vcpu);
        ThreadDescriptors.Detach(vcpu);
        vcpu.Dispose();
        memory.RemoveUser();
    }

    internal void Add(GuestProcess process)
    {
        lock (Gate)
            _processes.Add(process.Pid, process);
    }

    internal void Remove(GuestProcess process)
    {
        lock (Gate)
        {
            _processes.Remove(process.Pid);
            Monitor.PulseAll(Gate);
        }
    }

    internal void Add(GuestThread thread)
    {
        lock (Gate)
            _threads.Add(thread.Tid, thread);
    }

    internal void Remove(GuestThread thread)
    {
        lock (Gate)
        {
            _threads.Remove(thread.Tid);
            Monitor.PulseAll(Gate);
        }
    }

    /// <summary>Gives a thread another number (execve by a thread that is not the first). Under <see cref="Gate"/>.</summary>
    internal void Renumber(GuestThread thread, int tid)
    {
        _threads.Remove(thread.Tid);
        thread.Tid = tid;
        _threads[tid] = thread;
    }

    private static int MaxHostProcessId() =>
        int.TryParse(HostCalls.ReadText("/proc/sys/kernel/pid_max"), out var max) ? max : 1 << 22;
}
