using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.State;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// Calls of helpers, and what stands in place of some of them.
/// </summary>
internal sealed class HelperEmitter(EmitContext context, ValueEmitter values, X87Emitter x87, CountEmitter counts, ExitEmitter exits, ColdPaths cold)
    : EmitterPart(context)
{
    /// <summary>Emits a call.</summary>
    public void Emit(in IrOp op)
    {
        var id = (HelperId)op.Sub;
        if (id is HelperId.DivU32 or HelperId.DivU64 or HelperId.DivS32 or HelperId.DivS64)
        {
            EmitDivision(op, id);
            return;
        }

        if (x87.TryEmit(op, id))
            return;
        var effects = HelperTable.Effects(id);
        if ((effects & HelperEffects.NeedsRip) != 0)
        {
            FieldAddress(Slot.Rip * 8);
            Ldc((long)Block.Addresses[Insn]);
            Il.Emit(OpCodes.Stind_I8);
        }

        var vectors = (effects & HelperEffects.Vectors) != 0;
        var synced = WrittenRegisters.SyncedBy(op);
        values.StoreWritten(values.Written & synced);
        values.Written &= ~synced;

        var leave = (op.Attr & IrAttr.Trap) != 0 ? exits.TrapSite() : exits.LeaveSite();
        var recounts = (effects & HelperEffects.Recounts) != 0;
        if (recounts)
            counts.Store();
        Il.Emit(OpCodes.Ldarg_0);
        values.Push(op.A, 8);
        values.PushB(op, 8);
        values.Push(op.C, 8);
        Il.EmitCall(HelperTable.Method(id));
        StLoc(Locals.Value);
        if (recounts)
            counts.Begin();
        if ((effects & HelperEffects.MayFault) != 0)
        {
            var fail = Il.DefineLabel();
            LoadField(nameof(ExecutionState.ExceptionVector), OpCodes.Ldind_I4);
            Ldc4(0);
            Il.EmitBranch(OpCodes.Bge, fail);
            cold.Here(() =>
            {
                Il.MarkLabel(fail);
                exits.LeaveFromHelper(leave);
            });
        }

        if ((effects & HelperEffects.WritesState) != 0)
            values.LoadRegisters();

        if (vectors)
            values.LoadVectors();
        LdLoc(Locals.Value);
        values.StoreDst(op.Dst, 8, 8);
    }

    // A dividend of the divisor's width is divided here; wider ones, and what raises #DE, by the helper.
    private void EmitDivision(in IrOp op, HelperId id)
    {
        var (slow, resume) = (Il.DefineLabel(), Il.DefineLabel());
        var isSigned = id is HelperId.DivS32 or HelperId.DivS64;
        var width = id is HelperId.DivU64 or HelperId.DivS64 ? 8 : 4;
        var (low, divisor) = width == 8 ? (op.B, op.C) : (op.A, op.B);
        if (isSigned)
        {
            values.Push(op.A, 8);
            values.Push(low, width);
            if (width == 8)
            {
                Ldc4(63);
                Il.Emit(OpCodes.Shr);
            }
            else
                Il.Emit(OpCodes.Conv_I8);
            Il.EmitBranch(OpCodes.Bne_Un, slow);

            // Neither 0 nor -1.
            values.Push(divisor, 1, width);
            LdcWidth(1, width);
            Il.EmitBranch(OpCodes.Ble_Un, slow);
        }
        else
        {
            values.Push(op.A, 8);
            if (width == 4)
            {
                Ldc4(32);
                Il.Emit(OpCodes.Shr_Un);
            }

            Il.EmitBranch(OpCodes.Brtrue, slow);
            values.Push(divisor, width);
            Il.EmitBranch(OpCodes.Brfalse, slow);
        }

        values.Push(low, width);
        values.Push(divisor, width);
        Il.Emit(isSigned ? OpCodes.Div : OpCodes.Div_Un);
        if (width == 4)
            Il.Emit(isSigned ? OpCodes.Conv_I8 : OpCodes.Conv_U8);
        values.StoreDst(op.Dst, 8, 8);
        Il.MarkLabel(resume);
        var copy = op;
        var leave = exits.LeaveSite();
        cold.Here(() =>
        {
            Il.MarkLabel(slow);
            Il.Emit(OpCodes.Ldarg_0);
            values.Push(copy.A, 8);
            values.PushB(copy, 8);
            values.Push(copy.C, 8);
            Il.EmitCall(HelperTable.Method(id));
            StLoc(Locals.Value);
            exits.LeaveIfPending(leave);
            LdLoc(Locals.Value);
            values.StoreDst(copy.Dst, 8, 8);
            Il.EmitBranch(OpCodes.Br, resume);
        });
    }
}
