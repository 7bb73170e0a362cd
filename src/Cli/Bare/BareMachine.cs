using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Interrupts;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Cli.Bare;

/// <summary>
/// A processor and its memory without an operating system, for the cases of one mode. Every case finds its own memory and nothing else; the
/// address space and the block cache stay.
/// </summary>
internal sealed unsafe class BareMachine : IDisposable, ITraps
{
    private const ulong RealModeRam = 16 << 20;
    private const uint UserAccess = 4;

    // Regions do not count instructions: a case that does not end is stopped by the clock.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly BareMode _mode;
    private readonly Machine _machine;
    private readonly Vcpu _vcpu;
    private readonly Translator? _translator;
    private readonly CaseMemory _memory;
    private readonly bool _regions;
    private bool _isShutDown;

    /// <summary>Makes a machine.</summary>
    /// <param name="mode">The mode of its cases.</param>
    /// <param name="translator">Makes host code; null interprets. Disposed of with the machine.</param>
    /// <param name="regions">Translate blocks together, without counting instructions; a case may take ten seconds then.</param>
    public BareMachine(BareMode mode, Translator? translator, bool regions = false)
    {
        _mode = mode;
        _translator = translator;
        _regions = regions;
        var guestMode = StateTransfer.Mode(mode, ring: 0);
        _machine = Machine.Create(guestMode, translator);
        _vcpu = _machine.AddVcpu(guestMode);
        _memory = new CaseMemory(_machine.Memory);
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
    public void Dispose() => _machine.Dispose();

    // Real mode delivers interrupts and exceptions through its table. An exception uses up one instruction of the limit: a handler that
    // faults at once never executes one.
    bool ITraps.Deliver(Vcpu vcpu, ExitCause cause)
    {
        if (cause == ExitCause.Requested)
            return !_machine.IsOver;
        if (_mode != BareMode.Real || cause is not (ExitCause.Exception or ExitCause.SoftwareInterrupt))
            return false;
        var s = vcpu.State;
        if (cause == ExitCause.Exception)
            vcpu.Charge(1);
        _isShutDown = !RealModeInterrupts.Deliver(s, cause == ExitCause.Exception ? s->Execution.ExceptionVector : (byte)s->Execution.ExitDetail);
        return !_isShutDown;
    }

    private void CheckDumps(ExecCase c)
    {
        foreach (var dump in c.Dump)
            if (!_machine.Memory.Allows(dump.Address, dump.Length, PagePermission.Read))
                throw new CaseException($"dump of {dump.Length} bytes at 0x{dump.Address:x}: not all of it is in \"memory\"");
    }

    private byte[] Read(MemoryRegion dump)
    {
        var bytes = new byte[dump.Length];
        _machine.Memory.Read(dump.Address, bytes);
        return bytes;
    }

    private ExecResult Execute(ExecCase c)
    {
        var s = _vcpu.State;
        var start = s->Execution.InstructionCount;
        var result = new ExecResult();
        _isShutDown = false;
        if (_regions)
            _machine.StopAfter(Limit);
        var cause = _vcpu.Run(this, _regions ? ulong.MaxValue : c.Instructions);
        if (_regions)
            _machine.StopAfter(null);
        else
            result.Instructions = s->Execution.InstructionCount - start;
        if (cause == ExitCause.Requested)
            result.Stop = "timeout";
        else if (_isShutDown)
            result.Stop = "shutdown";
        else
            Describe(result, cause, c.Ring);
        return result;
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
            result.Interrupt = (byte)s->Execution.ExitDetail;
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
