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
/// address space take turns, a block each. Not compared: blocks that call what cannot be repeated (<see cref="HelperEffects.NotRepeatable"/>), and single instructions that
/// overwrite translated code.
/// </summary>
internal sealed unsafe class LockStep : IDisposable
{
    // A value that another thread or process changed between the two runs looks like a difference, once.
    private const int Attempts = 3;

    private readonly Vcpu _vcpu;
    private readonly CpuState* _before = AllocateState();
    private readonly CpuState* _interpreted = AllocateState();
    private readonly List<(ulong Address, byte Old)> _log = [];
    private readonly Dictionary<ulong, byte> _original = [];
    private readonly Dictionary<ulong, byte> _written = [];
    private readonly List<LockStepItem> _items = [];

    public LockStep(Vcpu vcpu)
    {
        _vcpu = vcpu;
        vcpu.UndoLog = _log;
    }

    /// <summary>Executes one block by both executors and returns the cause.</summary>
    /// <param name="block">The block at RIP.</param>
    /// <param name="translated">Runs the block by its translated code.</param>
    public ExitCause Run(Block* block, Func<nint, ExitCause> translated)
    {
        var statistics = _vcpu.Cache.Statistics;
        lock (_vcpu.Cache.VerifyGate)
        {
            if (!IsRepeatable(block))
            {
                _log.Clear();
                statistics.BlocksNotCompared++;
                return Interpret(block);
            }

            for (var attempt = 1; ; attempt++)
            {
                var cause = Compare(block, translated);
                statistics.BlocksCompared++;
                if (_items.Count == 0)
                    return cause;
                if (attempt == Attempts)
                {
                    var difference = new LockStepException(block, _vcpu.Cache.Memory, _items);
                    _vcpu.DifferenceFound?.Invoke(difference);
                    throw difference;
                }

                RollBack();
                Restore(_before);
            }
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
        *_before = *s;
        _items.Clear();
        _original.Clear();
        _written.Clear();
        _log.Clear();
        var expected = Interpret(block);
        *_interpreted = *s;
        var memory = _vcpu.Cache.Memory;
        foreach (var (address, old) in _log)
        {
            _original.TryAdd(address, old);
            _written[address] = *Host(memory, address);
        }

        RollBack();
        Restore(_before);

        // What the block itself has asked for (iret and popf that set TF, say) must not keep translated code from its turn.
        var requests = Interlocked.Exchange(ref s->Execution.ExitRequest, 0);
        var actual = translated((nint)block);
        Interlocked.Or(ref s->Execution.ExitRequest, requests);

        // Asked to leave meanwhile, it has done nothing: the block's turn comes again.
        if (actual == ExitCause.Continue && s->Execution.InstructionCount == _before->Execution.InstructionCount && s->Execution.ExitRequest != requests)
            return actual;
        StateComparison.Compare(_interpreted, expected, s, actual, _items);
        CompareMemory(memory);
        return actual;
    }

    private ExitCause Interpret(Block* block)
    {
        HostMxcsr.Enter(_vcpu.State);
        var cause = Interpreter.Run(_vcpu, block, alone: true);
        HostMxcsr.Leave(_vcpu.State);
        return cause;
    }

    private void CompareMemory(AddressSpace memory)
    {
        foreach (var (address, old) in _log)
            _original.TryAdd(address, old);
        foreach (var (address, original) in _original)
        {
            var expected = _written.GetValueOrDefault(address, original);
            var actual = *Host(memory, address);
            if (expected != actual)
                _items.Add(new LockStepItem($"memory at 0x{address:x}", $"{expected:x2}", $"{actual:x2}"));
        }
    }

    private void RollBack()
    {
        for (var i = _log.Count - 1; i >= 0; i--)
            *Host(_vcpu.Cache.Memory, _log[i].Address) = _log[i].Old;
        _log.Clear();
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

    private static byte* Host(AddressSpace memory, ulong address) =>
        memory.HostAt(address);

    private static CpuState* AllocateState() => (CpuState*)NativeMemory.AllocZeroed(CpuState.SizeInBytes);
}
