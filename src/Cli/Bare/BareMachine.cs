using System.Runtime;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Cli.Bare;

/// <summary>
/// A processor and its memory without an operating system, for the cases of one mode. Memory is emptied between cases; the address space
/// and the block cache stay.
/// </summary>
internal sealed unsafe class BareMachine : IDisposable
{
    private const ulong RealModeRam = 16 << 20;
    private const ulong PageMask = ~(ulong)(AddressSpace.PageSize - 1);
    private const uint UserAccess = 4;
    private const int Attempts = 3;
    private const PagePermission All = PagePermission.Read | PagePermission.Write | PagePermission.Execute;

    private readonly BareMode _mode;
    private readonly AddressSpace _space;
    private readonly BlockCache _cache;
    private readonly Vcpu _vcpu;
    private readonly Translator? _translator;
    private readonly List<(ulong Address, ulong Length)> _mapped = [];

    /// <summary>Makes a machine.</summary>
    /// <param name="mode">The mode of its cases.</param>
    /// <param name="translator">Makes host code; null interprets. Disposed of with the machine.</param>
    public BareMachine(BareMode mode, Translator? translator)
    {
        _mode = mode;
        _translator = translator;
        _space = new AddressSpace(mode == BareMode.Long64 ? 39 : 32);
        _cache = new BlockCache(_space, translator);
        _vcpu = new Vcpu(_cache);
    }

    /// <summary>Runs a case.</summary>
    /// <exception cref="CaseException">The case asks for a dump of memory that it does not map.</exception>
    public ExecResult Run(ExecCase c)
    {
        for (var attempt = 1; ; attempt++)
        {
            var compiled = MethodsCompiled();
            var result = RunOnce(c);
            if (attempt == Attempts || MethodsCompiled() == compiled)
                return result;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _vcpu.Dispose();
        _cache.Dispose();
        _space.Dispose();
        _translator?.Dispose();
    }

    // Methods of DynaTrans itself that this thread had to compile so far. RyuJIT computes in floating point, and while guest code runs that
    // leaves its inexact flags in the guest's MXCSR: a case during which it was busy is run again.
    private long MethodsCompiled() => JitInfo.GetCompiledMethodCount(currentThread: true) - (_translator?.Statistics.Regions ?? 0);

    private ExecResult RunOnce(ExecCase c)
    {
        try
        {
            MapMemory(c);
            StateTransfer.Load(_vcpu.State, c);
            var result = Execute(c);
            StateTransfer.Save(_vcpu.State, result.Registers);
            foreach (var dump in c.Dump)
                result.Memory.Add((dump.Address, Read(dump)));
            return result;
        }
        finally
        {
            foreach (var (address, length) in _mapped)
                _space.Unmap(address, length);
            _mapped.Clear();
        }
    }

    private void MapMemory(ExecCase c)
    {
        if (_mode == BareMode.Real)
            Map(0, RealModeRam);
        foreach (var region in c.Memory)
            if (region.Length != 0)
                MapPages(region);
        foreach (var region in c.Memory)
            if (region.Bytes != null)
                _space.Write(region.Address, region.Bytes);
        foreach (var dump in c.Dump)
            if (!_space.Allows(dump.Address, dump.Length, PagePermission.Read))
                throw new CaseException($"dump of {dump.Length} bytes at 0x{dump.Address:x}: not all of it is in \"memory\"");
    }

    // Whole pages, those that another region of the case has brought already left alone.
    private void MapPages(MemoryRegion region)
    {
        var last = (region.Address + (region.Length - 1)) & PageMask;
        ulong run = 0;
        for (var page = region.Address & PageMask; ; page += AddressSpace.PageSize)
        {
            if (_space.Query(page) == PagePermission.None)
                run += AddressSpace.PageSize;
            else if (run != 0)
            {
                Map(page - run, run);
                run = 0;
            }

            if (page != last)
                continue;
            if (run != 0)
                Map(page + AddressSpace.PageSize - run, run);
            return;
        }
    }

    private void Map(ulong address, ulong length)
    {
        _space.Map(address, length, All);
        _mapped.Add((address, length));
    }

    private byte[] Read(MemoryRegion dump)
    {
        var bytes = new byte[dump.Length];
        _space.Read(dump.Address, bytes);
        return bytes;
    }

    private ExecResult Execute(ExecCase c)
    {
        var s = _vcpu.State;
        var start = s->InstructionCount;
        var result = new ExecResult();

        // An exception that is delivered uses up one instruction of the limit too: a handler that faults at once never executes one.
        var delivered = 0UL;
        while (true)
        {
            var done = s->InstructionCount - start;
            var cause = done + delivered >= c.Instructions ? ExitCause.Budget : _vcpu.Run(c.Instructions - done - delivered);
            result.Instructions = s->InstructionCount - start;
            if (cause == ExitCause.Requested)
                continue;
            if (_mode == BareMode.Real && cause is ExitCause.Exception or ExitCause.SoftwareInterrupt)
            {
                delivered += cause == ExitCause.Exception ? 1UL : 0;
                if (RealModeInterrupts.Deliver(s, cause == ExitCause.Exception ? s->ExceptionVector : (int)s->ExitDetail))
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
            result.Interrupt = (int)s->ExitDetail;
        if (cause != ExitCause.Exception)
            return;
        var isPageFault = s->ExceptionVector == ExceptionVector.PageFault;
        var error = isPageFault && ring == 0 ? s->ExceptionError & ~UserAccess : s->ExceptionError;
        result.Exception = (s->ExceptionVector, error, isPageFault ? s->FaultAddress : null);
    }
}

/// <summary>What became of a case.</summary>
internal sealed class ExecResult
{
    /// <summary>Why execution stopped: hlt, instructions, exception, interrupt, syscall, sysenter or shutdown.</summary>
    public string Stop { get; set; } = string.Empty;

    /// <summary>The exception, when that is why.</summary>
    public (int Vector, uint Error, ulong? Address)? Exception { get; set; }

    /// <summary>Vector of the software interrupt, when that is why.</summary>
    public int? Interrupt { get; set; }

    /// <summary>Instructions executed to their end.</summary>
    public ulong Instructions { get; set; }

    /// <summary>All registers.</summary>
    public RegisterFile Registers { get; } = new();

    /// <summary>The dumps that the case asked for, in its order.</summary>
    public List<(ulong Address, byte[] Bytes)> Memory { get; } = [];
}
