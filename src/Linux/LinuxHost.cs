using System.Diagnostics;
using System.Globalization;
using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Loading;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Signals;
using DynaTrans.Linux.Syscalls;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Linux;

/// <summary>What to run, and how.</summary>
public sealed record LinuxOptions
{
    /// <summary>Path of the program on the host (looked up below <see cref="Root"/> first when it is absolute).</summary>
    public required string Program { get; init; }

    /// <summary>Arguments, without the program's name.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>The program's own name as it sees it (argv[0]); null: <see cref="Program"/>.</summary>
    public string? Argument0 { get; init; }

    /// <summary>Environment as NAME=VALUE; null: the host process's.</summary>
    public IReadOnlyList<string>? Environment { get; init; }

    /// <summary>Directory where the interpreter, libraries and absolute paths are looked up first, or null.</summary>
    public string? Root { get; init; }

    /// <summary>Makes the translator of each address space, of a program or of a copy of it by fork; null: everything is interpreted.</summary>
    public Func<GuestProgram, ITranslator?>? TranslatorFactory { get; init; }

    /// <summary>Where system calls are logged, or null.</summary>
    public TextWriter? Strace { get; init; }

    /// <summary>Where DynaTrans reports (a program that cannot be loaded, death by a signal). Standard error when null.</summary>
    public TextWriter? Error { get; init; }

    /// <summary>Called with each vCPU when it is made (one a thread, a new one at execve): verification, inspection.</summary>
    public Action<Vcpu>? VcpuCreated { get; init; }

    /// <summary>Called with each vCPU before it is disposed: statistics.</summary>
    public Action<Vcpu>? VcpuEnding { get; init; }

    /// <summary>Called with the memory of each program before it is given back (at its end and at execve): statistics.</summary>
    public Action<ProcessMemory>? MemoryEnding { get; init; }

    /// <summary>When not null, the resident memory of the guests is measured.</summary>
    public GuestMemoryMeter? MemoryMeter { get; init; }

    /// <summary>
    /// Most bytes of memory that all guests of the run may have together, or null: no more than the host can give. Private mappings that are, or
    /// were, writable and shared anonymous ones count with all their pages, touched or not, in each process that has them, as with
    /// vm.overcommit_memory=2; beyond it mmap, brk, mprotect and fork give ENOMEM. What files hold (memfd, tmpfs) does not count.
    /// </summary>
    public long? MemoryLimit { get; init; }

    /// <summary>
    /// How x86-64 programs are laid out; null: compactly, but natively where the program's run-time library counts on it (sanitizers).
    /// </summary>
    public AddressLayout? Layout { get; init; }

    /// <summary>Wall time after which all guests are killed and <see cref="LinuxHost.TimeoutStatus"/> is returned, or null.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>
    /// When a guest thread has executed exactly so many instructions since its program began, all guests are killed and
    /// <see cref="LinuxHost.TimeoutStatus"/> is returned; null: never.
    /// </summary>
    public ulong? InstructionLimit { get; init; }

    /// <summary>Counts the system calls that are not implemented.</summary>
    public UnknownCalls UnknownCalls { get; init; } = new();

    /// <summary>True to hand the host's signals (Ctrl-C and the like) to the guest.</summary>
    public bool ForwardSignals { get; init; } = true;
}

/// <summary>Runs Linux programs: the entry of the process VM.</summary>
public static class LinuxHost
{
    /// <summary>Exit status when the time was up, as of timeout(1).</summary>
    public const int TimeoutStatus = 124;

    // A guest that is told to end does so in milliseconds, unless the host's kernel does not let go of one of its threads.
    private static readonly TimeSpan s_killPatience = TimeSpan.FromSeconds(5), s_killAgain = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan s_longestWait = TimeSpan.FromHours(1);

    /// <summary>Exit status when the program cannot be found.</summary>
    public const int NotFoundStatus = 127;

    /// <summary>Exit status when the program cannot be loaded.</summary>
    public const int NotLoadableStatus = 126;

    /// <summary>
    /// Runs a program and what it starts, to the end of all of it.
    /// </summary>
    /// <returns>The exit status of the program: 128 + N after signal N.</returns>
    public static int Run(LinuxOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        try
        {
            RuntimePorts.Close();
            Interruption.Install();
        }
        catch (PlatformNotSupportedException e)
        {
            Error(options).WriteLine($"dynatrans: {e.Message}");
            return NotLoadableStatus;
        }

        HostDescriptors.Prepare();
        var kernel = new LinuxKernel(options.TranslatorFactory, options.MemoryLimit)
        {
            Root = options.Root is { Length: > 0 } root ? HostCalls.FromText(Path.GetFullPath(root).TrimEnd('/')) : null,
            Layout = options.Layout,
            InstructionLimit = options.InstructionLimit ?? ulong.MaxValue,
            Strace = options.Strace == null ? null : new StraceLog(options.Strace),
            OnInternalError = (thread, e) => InternalErrors.Report(thread.Tid, e, options.Error),
            VcpuCreated = options.VcpuCreated,
            VcpuEnding = options.VcpuEnding,
            MemoryEnding = options.MemoryEnding,
            Meter = options.MemoryMeter,
            UnknownCalls = options.UnknownCalls,
        };
        var arguments = new List<string> { HostCalls.FromText(options.Argument0 ?? options.Program) };
        foreach (var argument in options.Arguments)
            arguments.Add(HostCalls.FromText(argument));
        GuestThread first;
        try
        {
            first = GuestProcess.CreateFirst(kernel, HostCalls.FromText(options.Program), arguments, Environment(options));
        }
        catch (LoadException e)
        {
            Error(options).WriteLine($"dynatrans: {options.Program}: {e.Message}");
            return e.Error == Errno.ENOENT ? NotFoundStatus : NotLoadableStatus;
        }

        var process = first.Process;
        HostSignals.Guard();
        using (options.ForwardSignals ? new HostSignals(kernel) : null)
        {
            first.Start();
            if (!WaitForAll(kernel, process, options.Timeout))
            {
                Error(options).WriteLine(string.Create(
                    CultureInfo.InvariantCulture, $"dynatrans: {options.Program}: killed after {options.Timeout!.Value.TotalSeconds:0.###} s (--timeout)"));
                return TimeoutStatus;
            }

            if (kernel.InstructionsUp is { } place)
            {
                Error(options).WriteLine(
                    $"dynatrans: {options.Program}: stopped after {options.InstructionLimit} instructions, thread {place.Thread} at 0x{place.Rip:x}");
                return TimeoutStatus;
            }
        }

        return Report(process, options);
    }

    // What the program leaves running may still write: the run ends with the last process. But when somebody ended the program by a signal
    // to the host process, what is left goes with it.
    // False: the time was up, and all were killed.
    private static bool WaitForAll(LinuxKernel kernel, GuestProcess first, TimeSpan? timeout)
    {
        var start = Stopwatch.GetTimestamp();
        var timeIsUp = false;
        lock (kernel.Gate)
        {
            while (kernel.Processes.Count > 0)
            {
                var left = timeout - Stopwatch.GetElapsedTime(start);
                timeIsUp |= left <= TimeSpan.Zero;
                if (timeIsUp || kernel.InstructionsUp != null || (kernel.WasToldToEnd && first.HasEnded && (first.ExitStatus & 0x7F) != 0))
                    KillAll(kernel);
                if (timeIsUp && left < -s_killPatience)
                    break;
                var wait = timeIsUp ? s_killAgain : left ?? System.Threading.Timeout.InfiniteTimeSpan;
                Monitor.Wait(kernel.Gate, wait < s_longestWait ? wait : s_longestWait);
            }
        }

        return !timeIsUp;
    }

    // A process may fork while the others are killed: they are told again.
    private static void KillAll(LinuxKernel kernel)
    {
        foreach (var process in kernel.Processes.ToArray())
            process.Send(SignalInfo.Sent(Signal.Kill, SignalInfo.FromKernel, 0, 0));
    }

    private static int Report(GuestProcess process, LinuxOptions options)
    {
        var signal = process.ExitStatus & 0x7F;
        if (signal == 0)
            return process.ExitStatus >> 8 & 0xFF;
        var fault = process.DeathFault is { } address ? $", accessing 0x{address:x}" : string.Empty;
        Error(options).WriteLine(
            $"dynatrans: {options.Program}: killed by {Signal.Name(signal)} at guest address 0x{process.DeathAddress:x}{fault}{process.DeathSite}");
        return 128 + signal;
    }

    // The console takes milliseconds to start, and most runs report nothing.
    private static TextWriter Error(LinuxOptions options) => options.Error ?? Console.Error;

    private static List<string> Environment(LinuxOptions options)
    {
        if (options.Environment != null)
            return [.. options.Environment.Select(HostCalls.FromText)];
        var variables = new List<string>();
        foreach (System.Collections.DictionaryEntry variable in System.Environment.GetEnvironmentVariables())
            if (RuntimePorts.Original($"{variable.Key}={variable.Value}") is { } original)
                variables.Add(HostCalls.FromText(original));
        return variables;
    }
}
