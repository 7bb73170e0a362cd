using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;
using unsafe Handler = delegate*<DynaTrans.Runtime.State.CpuState*, DynaTrans.Runtime.Translation.ThreadedOp*, DynaTrans.Runtime.Translation.ThreadedBlock*, nint*, int>;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>
/// The interpreter's handlers: each executes an op and jumps to the handler of the next one, until one returns why (<see cref="Stop"/>). The jumps are
/// calls in the C#; the build turns those before a return into tail calls (eng/tail-calls), so that no handler has a frame on the stack. A
/// handler either does all of its op or, when it stops, nothing. It makes no ordinary call where it is to be fast, and the class has no
/// static state, which each handler would have to look after.
/// </summary>
internal static unsafe partial class Handlers
{
    /// <summary>IR ops without a handler.</summary>
    public static int Wide(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
    {
        return HandlerParts.Stop(s, op, block, Stop.Wide);
    }

    /// <summary>dst = op(a, b).</summary>
    public static int Integer<TOp, T, TOperand>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where TOp : struct
        where T : unmanaged
        where TOperand : struct
    {
        HandlerParts.Execute<TOp, T>(HandlerParts.Slots(s), op->Dst, HandlerParts.Slots(s)[op->A], HandlerParts.Last<TOperand>(s, op));
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>dst = a.</summary>
    public static int Move<T>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where T : unmanaged
    {
        IntegerOps.Set<T>(HandlerParts.Slots(s), op->Dst, HandlerParts.Slots(s)[op->A]);
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>dst = Imm, sign-extended.</summary>
    public static int MoveConstant(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
    {
        HandlerParts.Slots(s)[op->Dst] = (ulong)op->Imm;
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>dst = Imm, zero-extended.</summary>
    public static int MoveUnsigned(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
    {
        HandlerParts.Slots(s)[op->Dst] = (uint)op->Imm;
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>dst = start of the block + Imm.</summary>
    public static int MoveFromStart(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
    {
        HandlerParts.Slots(s)[op->Dst] = block->Start + (ulong)op->Imm;
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>dst = a, sign-extended.</summary>
    public static int SignExtend<T, TTo>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where T : unmanaged
        where TTo : unmanaged
    {
        IntegerOps.Set<TTo>(HandlerParts.Slots(s), op->Dst, (ulong)IntegerOps.Signed<T>(HandlerParts.Slots(s)[op->A]));
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>dst = a with its low part replaced by b.</summary>
    public static int Insert<T>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where T : unmanaged
    {
        HandlerParts.Slots(s)[op->Dst] = (HandlerParts.Slots(s)[op->A] & ~IntegerOps.Cut<T>(ulong.MaxValue)) | IntegerOps.Cut<T>(HandlerParts.Slots(s)[op->B]);
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>dst = bits 15:8 of a.</summary>
    public static int ExtractHigh(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
    {
        HandlerParts.Slots(s)[op->Dst] = (byte)(HandlerParts.Slots(s)[op->A] >> 8);
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>dst = an address.</summary>
    public static int Lea<T, TAddress>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where T : unmanaged
        where TAddress : struct
    {
        IntegerOps.Set<T>(HandlerParts.Slots(s), op->Dst, HandlerParts.Sum<TAddress>(s, op));
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>dst = 1 when a relation holds, else 0.</summary>
    public static int Compare<TRelation, TSense, T, TOperand>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where TRelation : struct
        where TSense : struct
        where T : unmanaged
        where TOperand : struct
    {
        var holds = HandlerParts.Holds<TRelation, TSense, T>(HandlerParts.Slots(s)[op->A], HandlerParts.Last<TOperand>(s, op));
        HandlerParts.Slots(s)[op->Dst] = holds ? 1UL : 0;
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>dst = 1 when the condition Imm holds, else 0.</summary>
    public static int Condition(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
    {
        HandlerParts.Slots(s)[op->Dst] = InterpreterFlags.Holds(HandlerParts.Slots(s), (Condition)op->Imm) ? 1UL : 0;
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>dst = a != 0 ? b : c.</summary>
    public static int Select<T>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where T : unmanaged
    {
        IntegerOps.Set<T>(HandlerParts.Slots(s), op->Dst, HandlerParts.Slots(s)[op->A] != 0 ? HandlerParts.Slots(s)[op->B] : HandlerParts.Slots(s)[op->C]);
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>A branch target must be canonical.</summary>
    public static int CheckCanonical(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
    {
        if (!PageFaults.IsCanonical(HandlerParts.Slots(s)[op->A]))
            return HandlerParts.Stop(s, op, block, Stop.Wide);
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>The IR op number Imm of the block, one of integers that cannot fault.</summary>
    public static int Rare(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
    {
        RareOps.Execute(HandlerParts.Slots(s), Block.Ops(block->Block) + op->Imm);
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>The IR op number Imm of the block, one of vectors.</summary>
    public static int Vector(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
    {
        VectorOps.Execute(s, Block.Ops(block->Block) + op->Imm);
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>dst = helper Disp of (a, b, c).</summary>
    public static int Helper(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
    {
        var r = HandlerParts.Slots(s);
        r[op->Dst] = HelperTable.Pointer(op->Disp)(s, r[op->A], r[op->B], r[op->C]);
        if (s->Execution.ExceptionVector >= 0)
            return HandlerParts.Stop(s, op, block, Stop.Fault);
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>dst = memory.</summary>
    public static int Load<T, TForm, TAddress, TMemory>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where T : unmanaged
        where TForm : struct
        where TAddress : struct
        where TMemory : struct
    {
        if (!HandlerParts.Probe<TMemory, TForm>(s, HandlerParts.Sum<TAddress>(s, op), sizeof(T), PagePermission.FastRead, out var p))
            return HandlerParts.Stop(s, op, block, Stop.Wide);
        HandlerParts.Slots(s)[op->Dst] = MemoryOps.Read<T>(p);
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>dst = memory, sign-extended.</summary>
    public static int LoadSigned<T, TTo, TForm, TAddress, TMemory>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where T : unmanaged
        where TTo : unmanaged
        where TForm : struct
        where TAddress : struct
        where TMemory : struct
    {
        if (!HandlerParts.Probe<TMemory, TForm>(s, HandlerParts.Sum<TAddress>(s, op), sizeof(T), PagePermission.FastRead, out var p))
            return HandlerParts.Stop(s, op, block, Stop.Wide);
        IntegerOps.Set<TTo>(HandlerParts.Slots(s), op->Dst, (ulong)IntegerOps.Signed<T>(MemoryOps.Read<T>(p)));
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>memory = slot Dst.</summary>
    public static int Store<T, TForm, TAddress, TMemory>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where T : unmanaged
        where TForm : struct
        where TAddress : struct
        where TMemory : struct
    {
        if (!HandlerParts.Probe<TMemory, TForm>(s, HandlerParts.Sum<TAddress>(s, op), sizeof(T), PagePermission.FastWrite, out var p))
            return HandlerParts.Stop(s, op, block, Stop.Wide);
        MemoryOps.Write<T>(p, HandlerParts.Slots(s)[op->Dst]);
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>memory at slot[A] + Disp = Constant.</summary>
    public static int StoreConstant<T, TForm, TMemory>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where T : unmanaged
        where TForm : struct
        where TMemory : struct
    {
        if (!HandlerParts.Probe<TMemory, TForm>(s, HandlerParts.Slots(s)[op->A] + (ulong)op->Disp, sizeof(T), PagePermission.FastWrite, out var p))
            return HandlerParts.Stop(s, op, block, Stop.Wide);
        MemoryOps.Write<T>(p, (ulong)op->Constant);
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>memory = Dst, as a signed byte.</summary>
    public static int StoreByte<T, TForm, TAddress, TMemory>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where T : unmanaged
        where TForm : struct
        where TAddress : struct
        where TMemory : struct
    {
        if (!HandlerParts.Probe<TMemory, TForm>(s, HandlerParts.Sum<TAddress>(s, op), sizeof(T), PagePermission.FastWrite, out var p))
            return HandlerParts.Stop(s, op, block, Stop.Wide);
        MemoryOps.Write<T>(p, (ulong)(sbyte)op->Dst);
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>vector dst = memory.</summary>
    public static int LoadVector<T, TAlignment, TForm, TAddress, TMemory>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where T : unmanaged
        where TAlignment : struct
        where TForm : struct
        where TAddress : struct
        where TMemory : struct
    {
        var sum = HandlerParts.Sum<TAddress>(s, op);
        if ((typeof(TAlignment) == typeof(FullAlignment) && (sum & 15) != 0)
            || !HandlerParts.Probe<TMemory, TForm>(s, sum, sizeof(T), PagePermission.FastRead, out var p))
            return HandlerParts.Stop(s, op, block, Stop.Wide);
        *CpuAccess.Vector(s, op->Dst) = VectorOps.Read<T>(p);
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>memory = vector Dst.</summary>
    public static int StoreVector<T, TAlignment, TForm, TAddress, TMemory>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where T : unmanaged
        where TAlignment : struct
        where TForm : struct
        where TAddress : struct
        where TMemory : struct
    {
        var sum = HandlerParts.Sum<TAddress>(s, op);
        if ((typeof(TAlignment) == typeof(FullAlignment) && (sum & 15) != 0)
            || !HandlerParts.Probe<TMemory, TForm>(s, sum, sizeof(T), PagePermission.FastWrite, out var p))
            return HandlerParts.Stop(s, op, block, Stop.Wide);
        *(T*)p = *(T*)CpuAccess.Vector(s, op->Dst);
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>push.</summary>
    public static int Push<TOperand, TForm, TMemory>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where TOperand : struct
        where TForm : struct
        where TMemory : struct
    {
        var sp = HandlerParts.Pointer<TForm>(HandlerParts.Slots(s)[Slot.Rsp] - (ulong)HandlerParts.WordSize<TForm>());
        if (!HandlerParts.Probe<TMemory, TForm>(s, sp, HandlerParts.WordSize<TForm>(), PagePermission.FastWrite, out var p))
            return HandlerParts.Stop(s, op, block, Stop.Wide);
        HandlerParts.WriteWord<TForm>(p, HandlerParts.Value<TOperand>(s, op, block));
        HandlerParts.Slots(s)[Slot.Rsp] = sp;
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }

    /// <summary>pop.</summary>
    public static int Pop<TForm, TMemory>(CpuState* s, ThreadedOp* op, ThreadedBlock* block, nint* table)
        where TForm : struct
        where TMemory : struct
    {
        var sp = HandlerParts.Slots(s)[Slot.Rsp];
        if (!HandlerParts.Probe<TMemory, TForm>(s, sp, HandlerParts.WordSize<TForm>(), PagePermission.FastRead, out var p))
            return HandlerParts.Stop(s, op, block, Stop.Wide);
        HandlerParts.Slots(s)[Slot.Rsp] = HandlerParts.Pointer<TForm>(sp + (ulong)HandlerParts.WordSize<TForm>());
        HandlerParts.Slots(s)[op->Dst] = HandlerParts.ReadWord<TForm>(p);
        op++;
        return ((Handler)table[op->Code])(s, op, block, table);
    }
}
