using System.Diagnostics;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;
using unsafe Handler = delegate*<DynaTrans.Runtime.State.CpuState*, DynaTrans.Runtime.Translation.ThreadedOp*, DynaTrans.Runtime.Translation.ThreadedBlock*, nint*, int>;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>
/// The interpreter. Blocks of the cache are executed by <see cref="Handlers"/>, which go from op to op and from block to block among themselves;
/// here is what they leave: ops that they do not know or cannot finish (<see cref="WideOps"/>), links that are not made yet, and the reasons to leave.
/// </summary>
internal static unsafe class Interpreter
{
    /// <summary>
    /// Executes from <paramref name="block"/> on until something else has to act. Sets RIP and returns why:
    /// <see cref="ExitCause.Continue"/> when the next block is not in the cache, is hot, or has translated code.
    /// </summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <param name="block">A valid block for the present RIP and mode.</param>
    /// <param name="alone">Execute this block only (it may be outside the cache).</param>
    public static ExitCause Run(Vcpu vcpu, Block* block, bool alone)
    {
        var s = vcpu.State;
        if (alone)
            return RunAlone(s, block);
        var threshold = vcpu.HeatThreshold;
        s->Execution.HeatThreshold = threshold;
        var table = vcpu.Encoder.Table;
        var at = block->Threaded;
        IrOp* ir;

    enter:
        if (s->Execution.ExitRequest != 0)
            return Leave(s, at->Start, ExitCause.Requested);
        if (++at->Heat >= threshold)
            return Leave(s, at->Start, ExitCause.Continue);
        if (s->Execution.InstructionCount + at->InstructionCount > s->Execution.InstructionLimit)
            return Leave(s, at->Start, ExitCause.Budget);
        s->Execution.InstructionCount += at->InstructionCount;
        var op = ThreadedBlock.Ops(at);

    execute:
        var reason = (Stop)((Handler)table.Handlers[op->Code])(s, op, at, table.Handlers);
        at = (ThreadedBlock*)s->Execution.StoppedBlock;
        op = (ThreadedOp*)s->Execution.StoppedOp;
        block = at->Block;
        switch (reason)
        {
            case Stop.Taken: goto taken;
            case Stop.NotTaken: goto notTaken;
            case Stop.Indirect: goto indirect;
        }

        var (first, count) = ThreadedEncoder.IrOpsOf(table, at, op);
        ir = Block.Ops(block) + first;
        if (reason == Stop.Fault)
            return Fault(s, block, ir);
        switch (WideOps.Execute(s, block, &ir, ir + count))
        {
            case Outcome.Done:
                op++;
                goto execute;
            case Outcome.Taken:
                if (block->EndsWithCall != 0)
                    ReturnStack.Push(s, at, block->Next);
                goto taken;
            case Outcome.NotTaken: goto notTaken;
            case Outcome.Indirect:
                s->Execution.StoppedTarget = s->Slots[ir->A];
                goto indirect;
            case Outcome.Exit: return Exit(s, block, ir);
            case Outcome.Fault: return Fault(s, block, ir);
            default: return HitsCode(s, block, ir);
        }

    taken:
        var link = at->TakenLink;
        if (link->Valid == 0)
        {
            var found = vcpu.FindCached(block->Taken);
            if (found == null)
                return Leave(s, block->Taken, ExitCause.Continue);
            link = found->Threaded;
            if (vcpu.CanLink(block, found))
                at->TakenLink = link;
        }

        Debug.Assert(link->Start == block->Taken && link->Block->Context == block->Context, "a link leads to the block's target");
        at = link;
        goto enter;

    notTaken:
        link = at->NextLink;
        if (link->Valid == 0)
        {
            var found = vcpu.FindCached(block->Next);
            if (found == null)
                return Leave(s, block->Next, ExitCause.Continue);
            link = found->Threaded;
            if (vcpu.CanLink(block, found))
                at->NextLink = link;
        }

        Debug.Assert(link->Start == block->Next && link->Block->Context == block->Context, "a link leads to the block behind");
        at = link;
        goto enter;

    indirect:
        var target = s->Execution.StoppedTarget;
        var kind = (JumpKind)Block.Ops(block)[block->OpCount - 1].Sub;
        if (kind == JumpKind.Call)
            ReturnStack.Push(s, at, block->Next);
        if (kind is JumpKind.Jump or JumpKind.Call && !IndirectTargets.Contains(block->Targets, target))
            vcpu.Cache.NoteTarget(block, target);
        var next = vcpu.FindCached(target);
        if (next == null)
            return Leave(s, target, ExitCause.Continue);
        at = next->Threaded;
        if (kind != JumpKind.Far)
            Remember(vcpu, block, next, kind);
        goto enter;
    }

    // Where handlers look for the target of an indirect jump next time.
    private static void Remember(Vcpu vcpu, Block* block, Block* next, JumpKind kind)
    {
        if (kind == JumpKind.Return && vcpu.Mmu == null)
        {
            var caller = ReturnStack.PopCaller(vcpu.State, next->Start);
            if (caller != null && caller->Valid != 0 && caller->Context == next->Context && caller->Block->Next == next->Start)
                caller->NextLink = next->Threaded;
        }
        else if (vcpu.CanLink(block, next))
            block->Threaded->TakenLink = next->Threaded;
    }

    private static ExitCause RunAlone(CpuState* s, Block* block)
    {
        s->Execution.InstructionCount += block->InstructionCount;
        var op = Block.Ops(block);
        return WideOps.Execute(s, block, &op, op + block->OpCount) switch
        {
            Outcome.Taken => Leave(s, block->Taken, ExitCause.Continue),
            Outcome.NotTaken => Leave(s, block->Next, ExitCause.Continue),
            Outcome.Indirect => Leave(s, s->Slots[op->A], ExitCause.Continue),
            Outcome.Exit => Exit(s, block, op),
            Outcome.Fault => Fault(s, block, op),
            _ => HitsCode(s, block, op),
        };
    }

    private static ExitCause Exit(CpuState* s, Block* block, IrOp* op)
    {
        s->Execution.ExitDetail = (ulong)op->Imm;
        return Leave(s, block->Next, (ExitCause)op->Sub);
    }

    private static ExitCause Fault(CpuState* s, Block* block, IrOp* op)
    {
        if (s->Execution.ExceptionVector == ExecutionState.RestartAlone)
        {
            s->Execution.ExceptionVector = -1;
            return HitsCode(s, block, op);
        }

        // After a trap the instruction has been executed.
        var completed = (op->Attr & IrAttr.Trap) != 0 ? op->Insn + 1 : op->Insn;
        s->Execution.InstructionCount -= (ulong)(block->InstructionCount - completed);
        var cause = ExitCause.Exception;
        if (s->Execution.ExceptionVector == ExecutionState.LeaveAfter)
        {
            s->Execution.ExceptionVector = -1;
            cause = ExitCause.Continue;
        }

        return Leave(s, Block.AddressOf(block, completed), cause);
    }

    private static ExitCause HitsCode(CpuState* s, Block* block, IrOp* op)
    {
        s->Execution.InstructionCount -= (ulong)(block->InstructionCount - op->Insn);
        return Leave(s, Block.AddressOf(block, op->Insn), ExitCause.SingleStep);
    }

    private static ExitCause Leave(CpuState* s, ulong rip, ExitCause cause)
    {
        s->Slots[Slot.Rip] = rip;
        return cause;
    }
}
