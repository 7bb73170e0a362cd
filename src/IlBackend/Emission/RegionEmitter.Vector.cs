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
    // Cells whose value follows from a floating-point operation and that nothing has read since: if one is overwritten, RyuJIT would drop
    // the operation, and with it the sticky flags it raises in MXCSR. Where the code can be left, all cells are read.
    private readonly bool[] _unread = new bool[VSlot.Count];

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

    // Before a vector op or load: keeps what it overwrites, and notes what it computes.
    private void KeepOverwritten(in IrOp op)
    {
        var readsB = IrOperands.ReadsVectorB(op);
        var readsA = TakesFirst(op);
        var follows = (readsA && _unread[op.A]) || (readsB && _unread[op.B]);
        if (readsA)
            _unread[op.A] = false;
        if (readsB)
            _unread[op.B] = false;
        if (op.Op == IrOpcode.VToInt)
            return;
        if (_unread[op.Dst])
        {
            VectorAddress(VSlot.Temp0);
            PushVector(op.Dst);
            _il.EmitType(OpCodes.Stobj, VectorType);
        }

        var computes = op.Op is IrOpcode.VBinary or IrOpcode.VUnary or IrOpcode.VFromInt;
        _unread[op.Dst] = follows || (computes && VectorTable.MayRaise((VecOp)op.Sub));
    }

    private static bool TakesFirst(in IrOp op)
    {
        if (!IrOperands.ReadsVectorA(op) || (VecOp)op.Sub is VecOp.Zero or VecOp.Ones or VecOp.FromD or VecOp.FromQ or VecOp.PcmpStrMask)
            return false;
        return VectorTable.Kind((VecOp)op.Sub) is not (VecKind.ToInt or VecKind.ToIntImm);
    }

    // After an operation with an integer result: the same, when the rest of the block overwrites the result, or the flags it becomes.
    private void KeepIfOverwritten(in IrOp op)
    {
        if (!VectorTable.MayRaise((VecOp)op.Sub) || !(Slot.IsTemp(op.Dst) ? AreFlagsOverwritten(op.Dst) : IsOverwrittenUnread(op.Dst)))
            return;
        VectorAddress(VSlot.Temp0);
        Push(op.Dst, 8);
        _il.Emit(OpCodes.Stind_I8);
    }

    private bool IsOverwrittenUnread(ushort slot)
    {
        for (var i = _opIndex + 1; i < _ops.Length; i++)
        {
            ref readonly var op = ref _ops[i];
            if (Reads(op, slot) || op.CanFault || op.EndsBlock)
                return false;
            if (IrOperands.WritesInteger(op) && op.Dst == slot)
                return true;
        }

        return false;
    }

    // The result is a temporary that becomes the flags, unless nobody needs those. A conditional jump surely does; what reads them in
    // between may itself come to nothing.
    private bool AreFlagsOverwritten(ushort temp)
    {
        var isRead = false;
        for (var i = _opIndex + 1; i < _ops.Length; i++)
        {
            ref readonly var op = ref _ops[i];
            if (op.Insn == _insn)
                isRead |= Reads(op, temp);
            else if (!isRead || op.WritesFlags)
                return true;
            else if (op.CanFault)
                return false;
            else if (op.EndsBlock)
                return !_live[i] && op.Op != IrOpcode.JumpCondition;
        }

        return !isRead;
    }

    private static bool Reads(in IrOp op, ushort slot) =>
        (IrOperands.ReadsA(op) && op.A == slot) || (IrOperands.ReadsB(op) && op.B == slot) || (IrOperands.ReadsC(op) && op.C == slot);

    private void EmitVector(in IrOp op)
    {
        KeepOverwritten(op);
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
            return;
        }

        StoreDst(op.Dst, 8, 8);
        KeepIfOverwritten(op);
    }

    private void EmitVectorCall(in IrOp op)
    {
        var kind = VectorTable.Kind((VecOp)op.Sub);
        if (kind is VecKind.Binary or VecKind.BinaryImm or VecKind.BinaryToInt or VecKind.FromInt or VecKind.FromIntImm)
            PushVector(op.A);
        if (kind is VecKind.FromInt or VecKind.FromIntImm)
            Push(op.B, 8);
        else
            PushVector(op.B);
        if (kind is VecKind.BinaryImm or VecKind.UnaryImm or VecKind.ToIntImm or VecKind.FromIntImm)
            Ldc4((byte)op.Imm);
        _il.EmitCall(VectorTable.Method((VecOp)op.Sub));
    }

    private void EmitVectorLoad(in IrOp op)
    {
        var slow = _il.DefineLabel();
        var resume = _il.DefineLabel();
        KeepOverwritten(op);
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
            LoadField(nameof(CpuState.ExceptionVector), OpCodes.Ldind_I4);
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
