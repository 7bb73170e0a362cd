using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Helpers.Vector;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// Vector ops. Has no state: registers are values, and what RyuJIT may not drop or move is in the plan.
/// </summary>
internal sealed class VectorEmitter(EmitContext context, ValueEmitter values) : EmitterPart(context)
{
    /// <summary>Emits a vector op.</summary>
    public void Emit(in IrOp op)
    {
        if (op.Op == IrOpcode.VMovMmx)
        {
            VectorAddress(op.Dst);
            values.PushVector(op.B);
            Il.EmitCall(EmitSupport.Method(nameof(EmitSupport.StoreMmx)));
            return;
        }

        var integer = op.Op == IrOpcode.VToInt;
        if (!integer)
            values.BeginVectorStore(op.Dst);
        if (op.Op == IrOpcode.VMov)
            values.PushVector(op.B);
        else
            EmitVectorCall(op);
        if (!integer)
        {
            values.EndVectorStore(op.Dst);
            if (Plan.Results.MustBeStored(Block, OpIndex))
                KeepVector(op.Dst);
            return;
        }

        values.StoreDst(op.Dst, 8, 8);
        if (VectorTable.MayRaise((VecOp)op.Sub) && FloatResults.MustBeStored(Block, Ops, OpIndex))
            KeepInteger(op.Dst);
    }

    private void EmitVectorCall(in IrOp op)
    {
        var kind = VectorTable.Kind((VecOp)op.Sub);
        if (kind is VecKind.Binary or VecKind.BinaryImm or VecKind.BinaryToInt or VecKind.FromInt or VecKind.FromIntImm)
            values.PushVector(op.A);
        if (kind is VecKind.FromInt or VecKind.FromIntImm)
            PushHidden(op.B);
        else if (Plan.Invariants.MustBeHidden(Block, OpIndex))
            PushHiddenVector(op.B);
        else
            values.PushVector(op.B);
        if (kind is VecKind.BinaryImm or VecKind.UnaryImm or VecKind.ToIntImm or VecKind.FromIntImm)
            Ldc4((byte)op.Imm);
        Il.EmitCall(VectorTable.Method((VecOp)op.Sub));
    }

    // Stores a result of which nothing else would make RyuJIT compute it (FloatResults), where nobody looks. Volatile: of two stores to one
    // place it drops the first.
    private void KeepVector(ushort cell)
    {
        VectorAddress(VSlot.Temp0);
        values.PushVector(cell);
        Il.Emit(OpCodes.Volatile);
        Il.EmitType(OpCodes.Stobj, VectorType);
    }

    private void KeepInteger(ushort slot)
    {
        VectorAddress(VSlot.Temp0);
        values.Push(slot, 8);
        Il.Emit(OpCodes.Volatile);
        Il.Emit(OpCodes.Stind_I8);
    }

    // An integer that becomes an element of a vector, by way of memory: if RyuJIT knew its value, it would compute with it ahead of time, in
    // another rounding mode and without raising flags.
    private void PushHidden(ushort slot)
    {
        if (slot == Slot.Zero)
        {
            values.Push(slot, 8);
            return;
        }

        VectorAddress(VSlot.Temp0);
        values.Push(slot, 8);
        Il.Emit(OpCodes.Volatile);
        Il.Emit(OpCodes.Stind_I8);
        VectorAddress(VSlot.Temp0);
        Il.Emit(OpCodes.Volatile);
        Il.Emit(OpCodes.Ldind_I8);
    }

    // A vector, by way of memory: what is computed from it is not the same in every turn of a loop, as far as RyuJIT knows.
    private void PushHiddenVector(ushort cell)
    {
        KeepVector(cell);
        VectorAddress(VSlot.Temp0);
        Il.Emit(OpCodes.Volatile);
        Il.EmitType(OpCodes.Ldobj, VectorType);
    }
}
