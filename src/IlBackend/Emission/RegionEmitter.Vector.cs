using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Helpers.Vector;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;

namespace DynaTrans.IlBackend.Emission;

/// <content>Vector ops, and calls of helpers.</content>
public sealed unsafe partial class RegionEmitter
{
    private void PushVector(ushort cell)
    {
        if (cell < VSlot.Mm0)
        {
            LdLoc(_vectorLocal[cell]);
            return;
        }

        VectorAddress(cell);
        _il.EmitType(OpCodes.Ldobj, VectorType);
    }

    // A cell of the MMX file is written through memory; its address must be below the value.
    private void BeginVectorStore(ushort cell)
    {
        if (cell >= VSlot.Mm0)
            VectorAddress(cell);
    }

    private void EndVectorStore(ushort cell)
    {
        if (cell < VSlot.Mm0)
            StLoc(_vectorLocal[cell]);
        else
            _il.EmitType(OpCodes.Stobj, VectorType);
    }

    // Stores a result of which nothing else would make RyuJIT compute it (FloatResults), where nobody looks. Volatile: of two stores to one
    // place it drops the first.
    private void KeepVector(ushort cell)
    {
        VectorAddress(VSlot.Temp0);
        PushVector(cell);
        _il.Emit(OpCodes.Volatile);
        _il.EmitType(OpCodes.Stobj, VectorType);
    }

    private void KeepInteger(ushort slot)
    {
        VectorAddress(VSlot.Temp0);
        Push(slot, 8);
        _il.Emit(OpCodes.Volatile);
        _il.Emit(OpCodes.Stind_I8);
    }

    private void EmitVector(in IrOp op)
    {
        if (op.Op == IrOpcode.VMovMmx)
        {
            VectorAddress(op.Dst);
            PushVector(op.B);
            _il.EmitCall(EmitSupport.Method(nameof(EmitSupport.StoreMmx)));
            return;
        }

        var integer = op.Op == IrOpcode.VToInt;
        if (!integer)
            BeginVectorStore(op.Dst);
        if (op.Op == IrOpcode.VMov)
            PushVector(op.B);
        else
            EmitVectorCall(op);
        if (!integer)
        {
            EndVectorStore(op.Dst);
            if (_results.MustBeStored(_block, _opIndex))
                KeepVector(op.Dst);
            return;
        }

        StoreDst(op.Dst, 8, 8);
        if (VectorTable.MayRaise((VecOp)op.Sub) && FloatResults.MustBeStored(_block, _ops, _opIndex))
            KeepInteger(op.Dst);
    }

    private void EmitVectorCall(in IrOp op)
    {
        var kind = VectorTable.Kind((VecOp)op.Sub);
        if (kind is VecKind.Binary or VecKind.BinaryImm or VecKind.BinaryToInt or VecKind.FromInt or VecKind.FromIntImm)
            PushVector(op.A);
        if (kind is VecKind.FromInt or VecKind.FromIntImm)
            PushHidden(op.B);
        else if (_invariants.MustBeHidden(_block, _opIndex))
            PushHiddenVector(op.B);
        else
            PushVector(op.B);
        if (kind is VecKind.BinaryImm or VecKind.UnaryImm or VecKind.ToIntImm or VecKind.FromIntImm)
            Ldc4((byte)op.Imm);
        _il.EmitCall(VectorTable.Method((VecOp)op.Sub));
    }

    // An integer that becomes an element of a vector, by way of memory: if RyuJIT knew its value, it would compute with it ahead of time, in
    // another rounding mode and without raising flags.
    private void PushHidden(ushort slot)
    {
        if (slot == Slot.Zero)
        {
            Push(slot, 8);
            return;
        }

        VectorAddress(VSlot.Temp0);
        Push(slot, 8);
        _il.Emit(OpCodes.Volatile);
        _il.Emit(OpCodes.Stind_I8);
        VectorAddress(VSlot.Temp0);
        _il.Emit(OpCodes.Volatile);
        _il.Emit(OpCodes.Ldind_I8);
    }

    // A vector, by way of memory: what is computed from it is not the same in every turn of a loop, as far as RyuJIT knows.
    private void PushHiddenVector(ushort cell)
    {
        KeepVector(cell);
        VectorAddress(VSlot.Temp0);
        _il.Emit(OpCodes.Volatile);
        _il.EmitType(OpCodes.Ldobj, VectorType);
    }

    private void EmitVectorLoad(in IrOp op)
    {
        var slow = _il.DefineLabel();
        var resume = _il.DefineLabel();
        var tested = EmitAccessCheck(op, slow);
        BeginVectorStore(op.Dst);
        PushHostAddress(op);
        if (op.Size == 16)
        {
            if (!tested)
                KeepInLoop();
            _il.Emit(OpCodes.Unaligned, 1);
            _il.EmitType(OpCodes.Ldobj, VectorType);
        }
        else
            _il.EmitCall(EmitSupport.Method(op.Size == 4 ? nameof(EmitSupport.Load4) : nameof(EmitSupport.Load8)));
        EndVectorStore(op.Dst);
        _il.MarkLabel(resume);
        if (!tested)
            return;
        if (!HasSlowPath())
        {
            LeaveSlowly(slow);
            return;
        }

        var copy = op;
        var leave = LeaveSite();
        Cold(() =>
        {
            _il.MarkLabel(slow);
            _il.Emit(OpCodes.Ldarg_0);
            LdLoc(_ea);
            Ldc4(copy.Size);
            Ldc4((copy.Attr & IrAttr.Aligned) != 0 ? 1 : 0);
            VectorAddress(VSlot.Temp0);
            _il.EmitCall(EmitSupport.Method(nameof(EmitSupport.LoadVector)));
            var loaded = _il.DefineLabel();
            _il.EmitBranch(OpCodes.Brtrue, loaded);
            Leave(leave);
            _il.MarkLabel(loaded);

            // Through the state's temporary cell: taking the address of a local would keep it out of registers everywhere.
            BeginVectorStore(copy.Dst);
            VectorAddress(VSlot.Temp0);
            _il.EmitType(OpCodes.Ldobj, VectorType);
            EndVectorStore(copy.Dst);
            _il.EmitBranch(OpCodes.Br, resume);
        });
    }

    private void EmitVectorStore(in IrOp op)
    {
        var slow = _il.DefineLabel();
        var resume = _il.DefineLabel();
        var tested = EmitAccessCheck(op, slow);
        PushHostAddress(op);
        PushVector(op.C);
        if (op.Size == 16)
        {
            _il.Emit(OpCodes.Unaligned, 1);
            _il.EmitType(OpCodes.Stobj, VectorType);
        }
        else
            _il.EmitCall(EmitSupport.Method(op.Size == 4 ? nameof(EmitSupport.Store4) : nameof(EmitSupport.Store8)));
        _il.MarkLabel(resume);
        if (!tested)
            return;
        if (!HasSlowPath())
        {
            LeaveSlowly(slow);
            return;
        }

        var copy = op;
        var leave = LeaveSite();
        Cold(() =>
        {
            _il.MarkLabel(slow);
            _il.Emit(OpCodes.Ldarg_0);
            LdLoc(_ea);
            Ldc4(copy.Size);
            Ldc4((copy.Attr & IrAttr.Aligned) != 0 ? 1 : 0);
            PushVector(copy.C);
            _il.EmitCall(EmitSupport.Method(nameof(EmitSupport.StoreVector)));
            _il.EmitBranch(OpCodes.Brtrue, resume);
            Leave(leave);
        });
    }

    private void EmitHelper(in IrOp op)
    {
        var id = (HelperId)op.Sub;
        if (id is HelperId.DivU32 or HelperId.DivU64 or HelperId.DivS32 or HelperId.DivS64)
        {
            EmitDivision(op, id);
            return;
        }

        if (TryEmitX87(op, id))
            return;
        var effects = HelperTable.Effects(id);
        if ((effects & HelperEffects.NeedsRip) != 0)
        {
            FieldAddress(Slot.Rip * 8);
            Ldc((long)_block.Addresses[_insn]);
            _il.Emit(OpCodes.Stind_I8);
        }

        var vectors = (effects & HelperEffects.Vectors) != 0;
        var synced = WrittenRegisters.SyncedBy(op);
        StoreWritten(_written & synced);
        _written &= ~synced;

        var leave = LeaveSite();
        _il.Emit(OpCodes.Ldarg_0);
        Push(op.A, 8);
        PushB(op, 8);
        Push(op.C, 8);
        _il.EmitCall(HelperTable.Method(id));
        StLoc(_slow);
        if ((effects & HelperEffects.MayFault) != 0)
        {
            var fail = _il.DefineLabel();
            LoadField(nameof(ExecutionState.ExceptionVector), OpCodes.Ldind_I4);
            Ldc4(0);
            _il.EmitBranch(OpCodes.Bge, fail);
            Cold(() =>
            {
                _il.MarkLabel(fail);
                Leave(leave);
            });
        }

        if ((effects & HelperEffects.WritesState) != 0)
            LoadRegisters();

        if (vectors)
            LoadVectors();
        LdLoc(_slow);
        StoreDst(op.Dst, 8, 8);
    }
}
