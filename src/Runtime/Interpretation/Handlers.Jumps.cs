using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;
using unsafe Handler = delegate*<DynaTrans.Runtime.State.CpuState*, DynaTrans.Runtime.Translation.ThreadedOp*, DynaTrans.Runtime.Translation.ThreadedBlock*, nint*, int>;

namespace DynaTrans.Runtime.Interpretation;

/// <content>Handlers at the end of a block.</content>
internal static unsafe partial class Handlers
{
    /// <summary>jmp.</summary>
    public static int Jump(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
    {
        var link = block->TakenLink;
        if (!HandlerParts.TryEnter(s, link))
            return HandlerParts.Stop(s, op, block, Stop.Taken);
        op = ThreadedBlock.Ops(link);
        return ((Handler)table[op->Code])(s, op, link, table);
    }

    /// <summary>call.</summary>
    public static int Call<TOperand, TForm, TMemory>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where TOperand : struct
        where TForm : struct
        where TMemory : struct
    {
        var sp = HandlerParts.Pointer<TForm>(HandlerParts.Slots(s)[Slot.Rsp] - (ulong)HandlerParts.WordSize<TForm>());
        if (!HandlerParts.Probe<TMemory, TForm>(s, sp, HandlerParts.WordSize<TForm>(), PagePermission.FastWrite, out var p))
            return HandlerParts.Stop(s, op, block, Stop.Wide);
        var address = HandlerParts.Value<TOperand>(s, op, block);
        HandlerParts.WriteWord<TForm>(p, address);
        HandlerParts.Slots(s)[Slot.Rsp] = sp;
        ReturnStack.Push(s, block, HandlerParts.Pointer<TForm>(address));
        var link = block->TakenLink;
        if (!HandlerParts.TryEnter(s, link))
            return HandlerParts.Stop(s, op, block, Stop.Taken);
        op = ThreadedBlock.Ops(link);
        return ((Handler)table[op->Code])(s, op, link, table);
    }

    /// <summary>cmp and jcc.</summary>
    public static int CompareAndJump<TRelation, TSense, T, TOperand>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where TRelation : struct
        where TSense : struct
        where T : unmanaged
        where TOperand : struct
    {
        ulong a = HandlerParts.Slots(s)[op->A], b = HandlerParts.Last<TOperand>(s, op);
        IntegerOps.Record<T>(HandlerParts.Slots(s), FlagsKind.Sub, a - b, b);
        if (HandlerParts.Holds<TRelation, TSense, T>(a, b))
        {
            var link = block->TakenLink;
            if (!HandlerParts.TryEnter(s, link))
                return HandlerParts.Stop(s, op, block, Stop.Taken);
            op = ThreadedBlock.Ops(link);
            return ((Handler)table[op->Code])(s, op, link, table);
        }

        var next = block->NextLink;
        if (!HandlerParts.TryEnter(s, next))
            return HandlerParts.Stop(s, op, block, Stop.NotTaken);
        op = ThreadedBlock.Ops(next);
        return ((Handler)table[op->Code])(s, op, next, table);
    }

    /// <summary>test and jcc.</summary>
    public static int TestAndJump<TRelation, TSense, T, TOperand>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where TRelation : struct
        where TSense : struct
        where T : unmanaged
        where TOperand : struct
    {
        ulong a = HandlerParts.Slots(s)[op->A], b = HandlerParts.Last<TOperand>(s, op);
        IntegerOps.Record<T>(HandlerParts.Slots(s), FlagsKind.Logic, a & b, 0);
        if (HandlerParts.Holds<TRelation, TSense, T>(a, b))
        {
            var link = block->TakenLink;
            if (!HandlerParts.TryEnter(s, link))
                return HandlerParts.Stop(s, op, block, Stop.Taken);
            op = ThreadedBlock.Ops(link);
            return ((Handler)table[op->Code])(s, op, link, table);
        }

        var next = block->NextLink;
        if (!HandlerParts.TryEnter(s, next))
            return HandlerParts.Stop(s, op, block, Stop.NotTaken);
        op = ThreadedBlock.Ops(next);
        return ((Handler)table[op->Code])(s, op, next, table);
    }

    /// <summary>jcc: by the condition Imm.</summary>
    public static int JumpCondition(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
    {
        if (InterpreterFlags.Holds(HandlerParts.Slots(s), (Condition)op->Imm))
        {
            var link = block->TakenLink;
            if (!HandlerParts.TryEnter(s, link))
                return HandlerParts.Stop(s, op, block, Stop.Taken);
            op = ThreadedBlock.Ops(link);
            return ((Handler)table[op->Code])(s, op, link, table);
        }

        var next = block->NextLink;
        if (!HandlerParts.TryEnter(s, next))
            return HandlerParts.Stop(s, op, block, Stop.NotTaken);
        op = ThreadedBlock.Ops(next);
        return ((Handler)table[op->Code])(s, op, next, table);
    }

    /// <summary>To the target when slot[A] is not 0.</summary>
    public static int JumpIf(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
    {
        if (HandlerParts.Slots(s)[op->A] != 0)
        {
            var link = block->TakenLink;
            if (!HandlerParts.TryEnter(s, link))
                return HandlerParts.Stop(s, op, block, Stop.Taken);
            op = ThreadedBlock.Ops(link);
            return ((Handler)table[op->Code])(s, op, link, table);
        }

        var next = block->NextLink;
        if (!HandlerParts.TryEnter(s, next))
            return HandlerParts.Stop(s, op, block, Stop.NotTaken);
        op = ThreadedBlock.Ops(next);
        return ((Handler)table[op->Code])(s, op, next, table);
    }

    /// <summary>jmp to slot[A]: where it went last, mostly.</summary>
    public static int JumpIndirect(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
    {
        var target = HandlerParts.Slots(s)[op->A];
        var link = block->TakenLink;
        if (link->Start != target || !HandlerParts.TryEnter(s, link))
            return HandlerParts.StopAtJump(s, op, block, target);
        op = ThreadedBlock.Ops(link);
        return ((Handler)table[op->Code])(s, op, link, table);
    }

    /// <summary>call to slot[A]: where it went last, mostly. The return address is the start of the block + Imm.</summary>
    public static int CallIndirect(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
    {
        var target = HandlerParts.Slots(s)[op->A];
        var link = block->TakenLink;
        if (link->Start != target || !HandlerParts.TryEnter(s, link))
            return HandlerParts.StopAtJump(s, op, block, target);
        ReturnStack.Push(s, block, block->Start + (ulong)op->Imm);
        op = ThreadedBlock.Ops(link);
        return ((Handler)table[op->Code])(s, op, link, table);
    }

    /// <summary>ret: Imm is what the stack pointer is moved by.</summary>
    public static int Return<TForm, TMemory>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where TForm : struct
        where TMemory : struct
    {
        var sp = HandlerParts.Slots(s)[Slot.Rsp];
        if (!HandlerParts.Probe<TMemory, TForm>(s, sp, HandlerParts.WordSize<TForm>(), PagePermission.FastRead, out var p))
            return HandlerParts.Stop(s, op, block, Stop.Wide);
        var target = HandlerParts.ReadWord<TForm>(p);
        if (typeof(TForm) == typeof(Flat64) && !PageFaults.IsCanonical(target))
            return HandlerParts.Stop(s, op, block, Stop.Wide);
        HandlerParts.Slots(s)[Slot.Rsp] = HandlerParts.Pointer<TForm>(sp + (ulong)op->Imm);
        var link = typeof(TMemory) == typeof(PagedMemory) ? block->TakenLink : ReturnStack.Find(s, target);
        if (link->Start != target || !HandlerParts.TryEnter(s, link))
            return HandlerParts.StopAtJump(s, op, block, target);
        if (typeof(TMemory) == typeof(WindowMemory))
            ReturnStack.Pop(s);
        op = ThreadedBlock.Ops(link);
        return ((Handler)table[op->Code])(s, op, link, table);
    }
}
