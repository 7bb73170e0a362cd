using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Cli.Bare;

/// <summary>
/// A processor and its memory without an operating system, for the cases of one mode. Every case finds its own memory and nothing else; the
/// address space and the block cache stay.
/// </summary>
internal sealed unsafe class BareMachine : IDisposable
{
    private const ulong RealModeRam = 16 << 20;
    private const uint UserAccess = 4;

    // Regions do not count instructions: a case that does not end is stopped by the clock.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly BareMode _mode;
    private readonly AddressSpace _space;
    private readonly BlockCache _cache;
    private readonly Vcpu _vcpu;
    private readonly Translator? _translator;
    private readonly CaseMemory _memory;
    private readonly Timer? _clock;
    private volatile bool _isOver;

    /// <summary>Makes a machine.</summary>
    /// <param name="mode">The mode of its cases.</param>
    /// <param name="translator">Makes host code; null interprets. Disposed of with the machine.</param>
    /// <param name="regions">Translate blocks together, without counting instructions; a case may take ten seconds then.</param>
    public BareMachine(BareMode mode, Translator? translator, bool regions = false)
    {
        _mode = mode;
        _translator = translator;
        _space = new AddressSpace(mode == BareMode.Long64 ? 39 : 32);
        _cache = new BlockCache(_space, translator);
        _vcpu = new Vcpu(_cache);
        _memory = new CaseMemory(_space);
        if (regions)
            _clock = new Timer(_ => Stop());
    }

    /// <summary>Runs a case.</summary>
    /// <exception cref="CaseException">The case asks for a dump of memory that it does not map.</exception>
    public ExecResult Run(ExecCase c)
    {
        if (_mode == BareMode.Real)
            c.Memory.Insert(0, new MemoryRegion(0, RealModeRam, null));
        _memory.Place(c.Memory);
        CheckDumps(c);
        StateTransfer.Load(_vcpu.State, c);
        var result = Execute(c);
        if (_translator?.Statistics.FirstFailure is { } failure)
            throw new InvalidOperationException($"the translator failed: {failure}");
        StateTransfer.Save(_vcpu.State, result.Registers);
        foreach (var dump in c.Dump)
            result.Memory.Add((dump.Address, Read(dump)));
        if (c.ReportsChanges)
            result.Changes = _memory.Changes();
        return result;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _clock?.Dispose();
        _vcpu.Dispose();
        _cache.Dispose();
        _space.Dispose();
        _translator?.Dispose();
    }

    private void CheckDumps(ExecCase c)
    {
        foreach (var dump in c.Dump)
            if (!_space.Allows(dump.Address, dump.Length, PagePermission.Read))
                throw new CaseException($"dump of {dump.Length} bytes at 0x{dump.Address:x}: not all of it is in \"memory\"");
    }

    private byte[] Read(MemoryRegion dump)
    {
        var bytes = new byte[dump.Length];
        _space.Read(dump.Address, bytes);
        return bytes;
    }

    private void Stop()
    {
        _isOver = true;
        _vcpu.RequestExit();
    }

    private ExecResult Execute(ExecCase c)
    {
        if (_clock == null)
            return Execute(c, c.Instructions);
        _isOver = false;
        _clock.Change(Limit, Timeout.InfiniteTimeSpan);
        var result = Execute(c, ulong.MaxValue);
        _clock.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        result.Instructions = null;
        return result;
    }

    private ExecResult Execute(ExecCase c, ulong limit)
    {
        var s = _vcpu.State;
        var start = s->Execution.InstructionCount;
        var result = new ExecResult();

        // An exception that is delivered uses up one instruction of the limit too: a handler that faults at once never executes one.
        var delivered = 0UL;
        while (true)
        {
            var done = s->Execution.InstructionCount - start;
            var cause = done + delivered >= limit ? ExitCause.Budget : _vcpu.Run(limit == ulong.MaxValue ? limit : limit - done - delivered);
            result.Instructions = s->Execution.InstructionCount - start;
            if (cause == ExitCause.Requested && _isOver)
            {
                result.Stop = "timeout";
                return result;
            }

            if (cause == ExitCause.Requested)
                continue;
            if (_mode == BareMode.Real && cause is ExitCause.Exception or ExitCause.SoftwareInterrupt)
            {
                delivered += cause == ExitCause.Exception ? 1UL : 0;
                if (RealModeInterrupts.Deliver(s, cause == ExitCause.Exception ? s->Execution.ExceptionVector : (int)s->Execution.ExitDetail))
                    continue;
                result.Stop = "shutdown";
                return result;
            }

            Describe(result, cause, c.Ring);
            return result;
        }
    }

    private void Describe(ExecResult result, ExitCause cause, int ring)
    {
        var s = _vcpu.State;
        result.Stop = cause switch
        {
            ExitCause.Halt => "hlt",
            ExitCause.Budget => "instructions",
            ExitCause.Exception => "exception",
            ExitCause.SoftwareInterrupt => "interrupt",
            ExitCause.Syscall => "syscall",
            ExitCause.Sysenter => "sysenter",
            _ => throw new InvalidOperationException($"the processor stopped with {cause}"),
        };
        if (cause == ExitCause.SoftwareInterrupt)
            result.Interrupt = (int)s->Execution.ExitDetail;
        if (cause != ExitCause.Exception)
            return;
        var isPageFault = s->Execution.ExceptionVector == ExceptionVector.PageFault;
        var error = isPageFault && ring == 0 ? s->Execution.ExceptionError & ~UserAccess : s->Execution.ExceptionError;
        result.Exception = (s->Execution.ExceptionVector, error, isPageFault ? s->Execution.FaultAddress : null);
    }
}

/// <summary>What became of a case.</summary>
internal sealed class ExecResult
{
    /// <summary>Why execution stopped: hlt, instructions, exception, interrupt, syscall, sysenter, shutdown or timeout.</summary>
    public string Stop { get; set; } = string.Empty;

    /// <summary>The exception, when that is why.</summary>
    public (int Vector, uint Error, ulong? Address)? Exception { get; set; }

    /// <summary>Vector of the software interrupt, when that is why.</summary>
    public int? Interrupt { get; set; }

    /// <summary>Instructions executed to their end; null when they were not counted.</summary>
    public ulong? Instructions { get; set; }

    /// <summary>All registers.</summary>
    public RegisterFile Registers { get; } = new();

    /// <summary>The dumps that the case asked for, in its order.</summary>
    public List<(ulong Address, byte[] Bytes)> Memory { get; } = [];

    /// <summary>What has changed in memory, when the case asked for it.</summary>
    public IEnumerable<(ulong Address, byte[] Bytes)>? Changes { get; set; }
}
