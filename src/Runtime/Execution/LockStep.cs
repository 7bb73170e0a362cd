using System.Runtime.InteropServices;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.Interpretation;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Execution;

/// <summary>
/// Runs each block of a vCPU twice, by the interpreter and, from the same state, by translated code, and compares what came out. A block is
/// rolled back by the log of its stores, so all stores take the slow path (<see cref="AddressSpace.WatchWrites"/>). Threads that share an
/// address space take turns, a block each. Not compared: blocks that call what cannot be repeated (<see cref="HelperEffects.NotRepeatable"/>), those
/// that reach a device in memory, and single instructions that overwrite translated code.
/// </summary>
internal sealed unsafe class LockStep : IDisposable
{
    // A value that another thread or process changed between the two runs looks like a difference, once.
    private const int Attempts = 3;

    // Differences that are shown of one block.
    private const int MostItems = 64;

    private readonly Vcpu _vcpu;
    private readonly CpuState* _before = AllocateState();
    private readonly CpuState* _interpreted = AllocateState();

    // What the interpreter has overwritten, and what was there when it had done so; what translated code has overwritten.
    private readonly List<(ulong Address, byte Old)> _interpretedLog = [];
    private readonly List<byte> _interpretedBytes = [];
    private readonly List<(ulong Address, byte Old)> _translatedLog = [];
    private readonly List<LockStepItem> _items = [];

    // Of another thread, and kept from the block: a repetition that ends early in one of its runs would look like a difference.
    private int _heldRequest;
    private int _isComparing;

    public LockStep(Vcpu vcpu)
    {
        _vcpu = vcpu;
        vcpu.UndoLog = _interpretedLog;
    }

    /// <summary>Executes one block by both executors and returns the cause.</summary>
    /// <param name="block">The block at RIP.</param>
    /// <param name="translated">Runs the block by its translated code.</param>
    public ExitCause Run(Block* block, Func<nint, ExitCause> translated)
    {
        lock (_vcpu.Cache.VerifyGate)
        {
            if (!IsRepeatable(block))
            {
                StartLog(_interpretedLog);
                _vcpu.Cache.Statistics.BlocksNotCompared++;
                return Interpret(block);
            }

            Interlocked.Exchange(ref _isComparing, 1);
            try
            {
                return CompareUntilEqual(block, translated);
            }
            finally
            {
                Interlocked.Exchange(ref _isComparing, 0);
                PassOnRequest();
            }
        }
    }

    /// <summary>The host wants <see cref="Vcpu.Run(ulong)"/> to return; not before the block has been compared. From any thread.</summary>
    public void RequestExit()
    {
        Interlocked.Exchange(ref _heldRequest, 1);
        if (Volatile.Read(ref _isComparing) == 0)
            PassOnRequest();
    }

    private void PassOnRequest()
    {
        if (Interlocked.Exchange(ref _heldRequest, 0) != 0)
            _vcpu.Request(ExitRequests.Host);
    }

    private ExitCause CompareUntilEqual(Block* block, Func<nint, ExitCause> translated)
    {
        for (var attempt = 1; ; attempt++)
        {
            var cause = Compare(block, translated);
            if (_items.Count == 0)
                return cause;
            if (attempt == Attempts)
            {
                var difference = new LockStepException(block, _vcpu.Cache.Memory, _items);
                _vcpu.DifferenceFound?.Invoke(difference);
                throw difference;
            }

            RollBack(_translatedLog);
            Restore(_before);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_before);
        NativeMemory.Free(_interpreted);
    }

    // Leaves the results of the translated code in place, and the differences in _items.
    private ExitCause Compare(Block* block, Func<nint, ExitCause> translated)
    {
        var s = _vcpu.State;
        var statistics = _vcpu.Cache.Statistics;
        *_before = *s;
        _items.Clear();
        StartLog(_interpretedLog);
        _vcpu.HasReachedBus = false;
        var requests = TakeRequests(s);
        var expected = Interpret(block);
        if (_vcpu.HasReachedBus)
        {
            // A device must not see it twice.
            Interlocked.Or(ref s->Execution.ExitRequest, requests);
            statistics.BlocksNotCompared++;
            return expected;
        }

        *_interpreted = *s;
        var memory = _vcpu.Cache.Memory;
        _interpretedBytes.Clear();
        foreach (var (address, _) in _interpretedLog)
            _interpretedBytes.Add(*memory.HostAt(address));
        RollBack(_interpretedLog);
        Restore(_before);
        StartLog(_translatedLog);

        // What the block itself has asked for (iret and popf that set TF, say) must not keep translated code from its turn.
        requests |= TakeRequests(s);
        var actual = translated((nint)block);
        statistics.BlocksCompared++;
        var isAskedToLeave = Interlocked.Or(ref s->Execution.ExitRequest, requests) != 0;

        // Asked to leave meanwhile, it has done nothing: the block's turn comes again.
        if (actual == ExitCause.Continue && s->Execution.InstructionCount == _before->Execution.InstructionCount && isAskedToLeave)
            return actual;
        StateComparison.Compare(_interpreted, expected, s, actual, _items);
        CompareMemory(memory);
        return actual;
    }

    // A change of permissions stays known to whoever waits until this vCPU has seen it; both executors see it.
    private static int TakeRequests(CpuState* s) =>
        Interlocked.And(ref s->Execution.ExitRequest, (int)ExitRequests.Permissions) & ~(int)ExitRequests.Permissions;

    private ExitCause Interpret(Block* block)
    {
        HostMxcsr.Enter(_vcpu.State);
        var cause = Interpreter.Run(_vcpu, block, alone: true);
        HostMxcsr.Leave(_vcpu.State);
        return cause;
    }

    private void CompareMemory(AddressSpace memory)
    {
        for (var i = 0; i < _interpretedLog.Count; i++)
            CompareByte(memory, _interpretedLog[i].Address, _interpretedBytes[i]);
        if (HaveSameAddresses())
            return;
        var compared = new HashSet<ulong>();
        foreach (var (address, _) in _interpretedLog)
            compared.Add(address);

        // What translated code alone has written to should be as it was before.
        foreach (var (address, old) in _translatedLog)
            if (compared.Add(address))
                CompareByte(memory, address, old);
    }

    private void CompareByte(AddressSpace memory, ulong address, byte expected)
    {
        var actual = *memory.HostAt(address);
        if (expected == actual || _items.Count >= MostItems)
            return;
        var name = $"memory at 0x{address:x}";
        if (!_items.Exists(item => item.Name == name))
            _items.Add(new LockStepItem(name, $"{expected:x2}", $"{actual:x2}"));
    }

    // As a rule both executors store to the same places in the same order.
    private bool HaveSameAddresses()
    {
        if (_interpretedLog.Count != _translatedLog.Count)
            return false;
        for (var i = 0; i < _interpretedLog.Count; i++)
            if (_interpretedLog[i].Address != _translatedLog[i].Address)
                return false;
        return true;
    }

    private void StartLog(List<(ulong Address, byte Old)> log)
    {
        log.Clear();
        _vcpu.UndoLog = log;
    }

    private void RollBack(List<(ulong Address, byte Old)> log)
    {
        for (var i = log.Count - 1; i >= 0; i--)
            *_vcpu.Cache.Memory.HostAt(log[i].Address) = log[i].Old;
    }

    // Everything but the exit-request word, which other threads write to.
    private void Restore(CpuState* from)
    {
        var s = _vcpu.State;
        var offset = (int)((byte*)&s->Execution.ExitRequest - (byte*)s);
        Buffer.MemoryCopy(from, s, offset, offset);
        offset += sizeof(int);
        Buffer.MemoryCopy((byte*)from + offset, (byte*)s + offset, CpuState.SizeInBytes - offset, CpuState.SizeInBytes - offset);
    }

    private static bool IsRepeatable(Block* block)
    {
        var ops = Block.Ops(block);
        for (var i = 0; i < block->OpCount; i++)
            if (ops[i].Op == IrOpcode.Call && (HelperTable.Effects((HelperId)ops[i].Sub) & HelperEffects.NotRepeatable) != 0)
                return false;
        return true;
    }

    private static CpuState* AllocateState() => (CpuState*)NativeMemory.AllocZeroed(CpuState.SizeInBytes);
}
