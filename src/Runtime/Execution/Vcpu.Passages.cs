using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.Interpretation;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;
using Iced.Intel;

namespace DynaTrans.Runtime.Execution;

/// <content>
/// Passages between translated code and the interpreter. Where the dispatcher has nothing to decide, a vCPU goes from the one to the other under
/// the guest's MXCSR: to change that costs more than all the rest. So <see cref="ExecutorPreparation"/> prepares this loop as it does the executors.
/// </content>
public sealed unsafe partial class Vcpu
{
    // Executes from a block on, by its code unless that is null.
    private ExitCause RunExecutors(Block* block, EntryCell* cell)
    {
        HostMxcsr.Enter(State);
        var cause = PassBetweenExecutors(block, cell, out var isTranslated);
        HostMxcsr.Leave(State);
        return isTranslated ? FinishTranslated() : FinishInterpreted(cause);
    }

    // Until there is something to do that neither an executor nor this loop can.
    internal ExitCause PassBetweenExecutors(Block* block, EntryCell* cell, out bool isTranslated)
    {
        var s = State;
        var times = Times;
        while (true)
        {
            ExitCause cause;
            if (cell != null)
            {
                isTranslated = true;
                FillEntryCache(block->Start, cell);
                Lookaside?.Refresh();
                s->Execution.ExitCauseValue = (int)ExitCause.Continue;
                times?.Enter(VcpuActivity.Translated);
                EntryCell.Enter(s, cell);
                cause = (ExitCause)s->Execution.ExitCauseValue;
            }
            else
            {
                isTranslated = false;
                times?.Enter(VcpuActivity.Interpreting);
                var before = s->Execution.InstructionCount;
                cause = Interpreter.Run(this, block, alone: false);
                if (times != null)
                    times.Interpreted += s->Execution.InstructionCount - before;
            }

            times?.Enter(VcpuActivity.Dispatching);
            if (cause != ExitCause.Continue)
                return cause;
            if (isTranslated && s->Execution.FaultSite != 0)
                FaultSite.Repair(s);
            if (!NeedsDispatcher() && TryPass(FindCached(s->Slots[Slot.Rip]), out cell) is var next && next != null)
                block = next;
            else
                return cause;
            if (isTranslated)
                times?.CountLeave((int)cause);
        }
    }

    // What the dispatcher looks at before each block.
    private bool NeedsDispatcher() =>
        !_usesRegions || _isFinishing || _alignedNow || State->Execution.ExitRequest != 0
        || State->Execution.InstructionCount >= State->Execution.InstructionLimit
        || ((uint)State->Slots[Slot.Eflags] & (Eflags.AC | Eflags.TF)) != 0 || HasBreakpoints;

    // The block and its code, if it has any; null when the dispatcher has to see to the block first.
    private Block* TryPass(Block* block, out EntryCell* cell)
    {
        cell = null;
        if (block == null)
            return null;
        var code = (EntryCell*)Volatile.Read(ref block->Code);
        if (code != null)
        {
            cell = code;
            return Volatile.Read(ref code->Local) != 0 && (Mmu == null || IsCurrent(block, code)) ? block : null;
        }

        return block->Heat < _heatThreshold && block->HasOps ? block : null;
    }

    // True when the pages of the code have been compared since they may have become others.
    private bool IsCurrent(Block* block, EntryCell* cell) => cell->Generation == PresentCodeGeneration && cell->Source == block;
}
