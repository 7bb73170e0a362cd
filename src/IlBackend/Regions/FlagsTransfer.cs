using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Passes;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Regions;

/// <summary>What happens to the flags at one op: first the parts in <see cref="Saves"/> are copied, then those in <see cref="Captures"/>, then the op is executed.</summary>
/// <param name="NeedsMemory">The record must be in the state before the op.</param>
/// <param name="During">Where the flags are while the op executes, that is where it may leave.</param>
/// <param name="Saves">Bit p: part p names a slot that the op writes; its value is copied to the part's own slot.</param>
/// <param name="Collapses">The operands of the result are about to change: the result itself is copied to part 0.</param>
/// <param name="Captures">Bit p: part p of the new form is copied from an operand of the op.</param>
/// <param name="After">Where the flags are after the op.</param>
public readonly record struct FlagsStep(bool NeedsMemory, FlagsForm During, byte Saves, bool Collapses, byte Captures, FlagsForm After);

/// <summary>
/// How each op changes the form of the flags. Analysis and emitter go by this one function, so that they cannot disagree. An instruction's
/// flags are described by the slots that hold its operands or result; only when such a slot changes while the flags can still be seen is its
/// value copied.
/// </summary>
public static class FlagsTransfer
{
    /// <summary>The step at an op.</summary>
    /// <param name="op">The op.</param>
    /// <param name="before">The form before it.</param>
    /// <param name="isLive">Somebody may see the record after the op.</param>
    public static FlagsStep At(in IrOp op, in FlagsForm before, bool isLive)
    {
        var needsMemory = NeedsMemory(op, before);
        var form = needsMemory ? FlagsForm.Memory : before;
        if (!isLive)
            return new FlagsStep(needsMemory, form, 0, false, 0, FlagsForm.Dead);
        if (op.Op == IrOpcode.Call && WritesRecord(op))
            return new FlagsStep(needsMemory, form, 0, false, 0, FlagsForm.Memory);
        var replaces = op.WritesFlags && DeadFlags.Overwrites(op);
        if (replaces)
            form = op.Op is IrOpcode.Inc or IrOpcode.Dec ? CarryOf(form) : FlagsForm.Dead;
        byte saves = 0;
        var collapses = false;
        if (IrOperands.WritesInteger(op) && op.Dst != Slot.Void && form.Names(op.Dst))
            (form, saves, collapses) = Save(form, op.Dst);
        if (!op.WritesFlags)
            return new FlagsStep(needsMemory, form, saves, collapses, 0, form);
        byte captures = 0;
        var after = Written(op, form, ref captures);
        return new FlagsStep(needsMemory, needsMemory ? FlagsForm.Memory : replaces ? before : form, saves, collapses, captures, after);
    }

    /// <summary>A described form without a layer from which a condition can be computed in place of <paramref name="form"/>; null when there is none.</summary>
    public static FlagsForm? View(in FlagsForm form, Condition condition)
    {
        if (form.Layer == FlagsLayer.None)
            return form.Base == FlagsBase.Described && (form.Result != FlagsResult.Product || TellsOverflow(condition)) ? form : null;
        var carry = condition is Condition.B or Condition.Ae;
        var under = View(form with { Layer = FlagsLayer.None }, condition);
        if (condition is Condition.Be or Condition.A)
            return null;
        var value = FlagsForm.Dead with { Base = FlagsBase.Described, SizeLog2 = form.LayerSizeLog2, Left = form.A, Source = form.A };
        return form.Layer switch
        {
            FlagsLayer.Inc => carry ? under : value with { Kind = FlagsKind.Inc },
            FlagsLayer.Dec => carry ? under : value with { Kind = FlagsKind.Dec },
            FlagsLayer.Carry => carry ? value with { Kind = FlagsKind.Explicit } : under,
            FlagsLayer.RotateLeft or FlagsLayer.RotateRight when form.C.Slot != Slot.Zero || TakesOverflow(condition) => null,
            FlagsLayer.RotateLeft => carry ? value with { Kind = FlagsKind.Explicit } : under,
            FlagsLayer.RotateRight => carry ? value with { Kind = FlagsKind.Shl } : under,
            _ => null,
        };
    }

    // Of a product, whether it fits is easily seen.
    private static bool TellsOverflow(Condition condition) => condition is Condition.O or Condition.No or Condition.B or Condition.Ae;

    private static bool TakesOverflow(Condition condition) => condition is Condition.O or Condition.No or >= Condition.L;

    private static bool NeedsMemory(in IrOp op, in FlagsForm form)
    {
        if (form.IsMemory || form.Base == FlagsBase.Dead)
            return false;
        switch (op.Op)
        {
            case IrOpcode.GetFlags:
                return !form.IsPlain || form.IsInvolved;
            case IrOpcode.GetCondition:
                return View(form, (Condition)op.Sub) == null;
            case IrOpcode.JumpCondition:
                return View(form.Layer == FlagsLayer.None ? form with { Base = FlagsBase.Described } : form, (Condition)op.Sub) == null;
            case IrOpcode.SetFlagsIf:
                return true;
            case IrOpcode.JumpIndirect:
                return !form.IsPlain || form.IsInvolved;
            case IrOpcode.Call:
                return WritesRecord(op) || (HelperTable.Effects((HelperId)op.Sub) & HelperEffects.ReadsState) != 0;
            case IrOpcode.Inc or IrOpcode.Dec:
                return op.WritesFlags && (form.Layer is not (FlagsLayer.None or FlagsLayer.Inc or FlagsLayer.Dec or FlagsLayer.Carry)
                    || (form.Layer == FlagsLayer.Carry && CannotMove(form)));
            case IrOpcode.RotateFlags:
                return form.Layer is FlagsLayer.Shl or FlagsLayer.Shr or FlagsLayer.Sar
                    || (form.Layer != FlagsLayer.None && (op.B != Slot.Zero || CannotMove(form)));
            case IrOpcode.SetCarry:
                return form.Layer is not (FlagsLayer.None or FlagsLayer.Carry or FlagsLayer.Inc or FlagsLayer.Dec)
                    || (form.Layer != FlagsLayer.Carry && CannotMove(form));
            case IrOpcode.Shl or IrOpcode.Shr or IrOpcode.Sar:
                return op.WritesFlags && !DeadFlags.Overwrites(op) && !IsShiftByZero(op) && form.Layer != FlagsLayer.None;
            default:
                return false;
        }
    }

    // Part A cannot become another part: that part's slot is not where its copy is.
    private static bool CannotMove(in FlagsForm form) => form.A.Slot >= Slot.Part0;

    private static bool WritesRecord(in IrOp op) => (HelperTable.Effects((HelperId)op.Sub) & HelperEffects.WritesState) != 0;

    private static bool IsShiftByZero(in IrOp op) => op.B == Slot.Zero && (op.Imm & (op.Size == 8 ? 63 : 31)) == 0;

    // What of a form inc and dec keep: CF.
    private static FlagsForm CarryOf(in FlagsForm form)
    {
        var inc = FlagsForm.Dead with { Base = FlagsBase.Described, Kind = FlagsKind.Inc };
        if (form.Layer == FlagsLayer.Carry)
            return inc with { Source = form.A };
        var bare = form with { Layer = FlagsLayer.None, A = FlagsOperand.Of(0) };
        if (!bare.IsPlain)
            return bare;
        return bare.Kind switch
        {
            FlagsKind.Logic => inc,
            FlagsKind.Inc or FlagsKind.Dec => inc with { Source = bare.Source },
            _ => bare,
        };
    }

    // Copies what is in a slot that changes. Of two operands only the result is wanted, where it takes no more.
    private static (FlagsForm Form, byte Saves, bool Collapses) Save(FlagsForm form, ushort slot)
    {
        byte saves = 0;
        var collapses = form.Result is FlagsResult.And or FlagsResult.Or or FlagsResult.Xor && (form.Left.Slot == slot || form.Source.Slot == slot);
        if (collapses)
            form = form with { Result = FlagsResult.Direct, Left = FlagsOperand.In(Slot.Part0), Source = FlagsOperand.Of(0) };
        for (var part = 0; part < Slot.PartCount; part++)
        {
            if (form.Part(part).Slot != slot)
                continue;
            saves |= (byte)(1 << part);
            form = form.WithPart(part, FlagsOperand.In((ushort)(Slot.Part0 + part)));
        }

        return (form, saves, collapses);
    }

    private static FlagsForm Written(in IrOp op, in FlagsForm kept, ref byte captures)
    {
        var form = FlagsForm.Dead with { Base = FlagsBase.Described, SizeLog2 = (byte)op.SizeLog2 };
        switch (op.Op)
        {
            case IrOpcode.Add or IrOpcode.Adc or IrOpcode.Sub or IrOpcode.Sbb or IrOpcode.Neg:
                return form with
                {
                    Kind = op.Op switch
                    {
                        IrOpcode.Add => FlagsKind.Add,
                        IrOpcode.Adc => FlagsKind.Adc,
                        IrOpcode.Sbb => FlagsKind.Sbb,
                        _ => FlagsKind.Sub,
                    },
                    Result = op.Dst != Slot.Void ? FlagsResult.Direct
                        : op.Op is IrOpcode.Add or IrOpcode.Adc ? FlagsResult.Sum : FlagsResult.Difference,
                    Left = op.Dst != Slot.Void ? FlagsOperand.In(op.Dst) : op.Op == IrOpcode.Neg ? FlagsOperand.Of(0) : Operand(op.A),
                    Source = Operand(op, 1, op.B, op.Imm, ref captures),
                    Aux = op.Op is IrOpcode.Adc or IrOpcode.Sbb ? Operand(op, 2, op.C, 0, ref captures) : FlagsOperand.Of(0),
                };
            case IrOpcode.And or IrOpcode.Or or IrOpcode.Xor:
                return Logic(op, form with { Kind = FlagsKind.Logic }, ref captures);
            case IrOpcode.Inc or IrOpcode.Dec:
                if (kept is { IsPlain: true, Kind: FlagsKind.Inc })
                    return kept with { Kind = op.Op == IrOpcode.Inc ? FlagsKind.Inc : FlagsKind.Dec, SizeLog2 = (byte)op.SizeLog2, Left = Destination(op, 0, ref captures) };
                return kept with
                {
                    Layer = op.Op == IrOpcode.Inc ? FlagsLayer.Inc : FlagsLayer.Dec,
                    LayerSizeLog2 = (byte)op.SizeLog2,
                    A = Destination(op, 3, ref captures),
                };
            case IrOpcode.Shl or IrOpcode.Shr or IrOpcode.Sar:
                return Shift(op, form, kept, ref captures);
            case IrOpcode.RotateFlags:
                return WithoutCarry(kept) with
                {
                    Layer = op.Sub == 0 ? FlagsLayer.RotateLeft : FlagsLayer.RotateRight,
                    LayerSizeLog2 = (byte)op.SizeLog2,
                    A = Operand(op.A),
                    C = op.B == Slot.Zero ? FlagsOperand.Of((ulong)op.Imm) : FlagsOperand.In(op.B),
                };
            case IrOpcode.SetCarry:
                var carry = op.B == Slot.Zero ? FlagsOperand.Of((ulong)op.Imm) : FlagsOperand.In(op.B);
                var rest = WithoutCarry(kept);
                return rest is { IsPlain: true, Kind: FlagsKind.Inc or FlagsKind.Dec }
                    ? rest with { Source = carry }
                    : rest with { Layer = FlagsLayer.Carry, LayerSizeLog2 = (byte)op.SizeLog2, A = carry };
            case IrOpcode.ProductFlags:
                return form with
                {
                    Kind = FlagsKind.Mul,
                    Result = FlagsResult.Product,
                    Left = Operand(op.A),
                    Source = Operand(op, 1, op.B, op.Imm, ref captures),
                };
            case IrOpcode.SetFlags:
                return Set(op, form with { Kind = (FlagsKind)op.Sub }, ref captures);
            default:
                return FlagsForm.Memory;
        }
    }

    // A layer under one that replaces CF (and OF): of inc and dec the rest is a record, others go.
    private static FlagsForm WithoutCarry(in FlagsForm form) => form.Layer switch
    {
        FlagsLayer.None => form,
        FlagsLayer.Inc or FlagsLayer.Dec => FlagsForm.Dead with
        {
            Base = FlagsBase.Described,
            Kind = form.Layer == FlagsLayer.Inc ? FlagsKind.Inc : FlagsKind.Dec,
            SizeLog2 = form.LayerSizeLog2,
            Left = form.A,
        },
        _ => form with { Layer = FlagsLayer.None, A = FlagsOperand.Of(0), C = FlagsOperand.Of(0) },
    };

    private static FlagsForm Logic(in IrOp op, FlagsForm form, ref byte captures)
    {
        if (op.Dst != Slot.Void)
            return form with { Left = FlagsOperand.In(op.Dst) };
        if (op.A == op.B && op.Imm == 0)
            return form with { Left = op.Op == IrOpcode.Xor ? FlagsOperand.Of(0) : Operand(op.A) };
        return form with
        {
            Result = op.Op switch { IrOpcode.And => FlagsResult.And, IrOpcode.Or => FlagsResult.Or, _ => FlagsResult.Xor },
            Left = Operand(op.A),
            Source = Operand(op, 1, op.B, op.Imm, ref captures),
        };
    }

    private static FlagsForm Shift(in IrOp op, FlagsForm form, in FlagsForm kept, ref byte captures)
    {
        if (IsShiftByZero(op))
            return kept;
        if (op.B != Slot.Zero)
            return kept with
            {
                Layer = op.Op switch { IrOpcode.Shl => FlagsLayer.Shl, IrOpcode.Shr => FlagsLayer.Shr, _ => FlagsLayer.Sar },
                LayerSizeLog2 = (byte)op.SizeLog2,
                A = Destination(op, 3, ref captures),
                B = Operand(op, 4, op.A, 0, ref captures),
                C = Operand(op, 5, op.B, op.Imm, ref captures),
            };
        return form with
        {
            Kind = op.Op switch { IrOpcode.Shl => FlagsKind.Shl, IrOpcode.Shr => FlagsKind.Shr, _ => FlagsKind.Sar },
            Left = Destination(op, 0, ref captures),
            Source = Operand(op, 1, op.A, 0, ref captures),
            SourceShift = (byte)((op.Imm & (op.Size == 8 ? 63 : 31)) - 1),
        };
    }

    private static FlagsForm Set(in IrOp op, FlagsForm form, ref byte captures)
    {
        var difference = form.Kind == FlagsKind.Sub && op.C != Slot.Zero;
        return form with
        {
            Result = difference ? FlagsResult.Difference : FlagsResult.Direct,
            Left = difference ? Operand(op.C) : form.Kind == FlagsKind.Explicit ? FlagsOperand.Of(0) : Operand(op.A),
            Source = Operand(op, 1, op.B, op.Imm, ref captures),
            Aux = form.HasAux ? Operand(op.C) : FlagsOperand.Of(0),
        };
    }

    private static FlagsOperand Operand(ushort slot) => slot == Slot.Zero ? FlagsOperand.Of(0) : FlagsOperand.In(slot);

    // An operand that the op overwrites, or that is a sum, is copied.
    private static FlagsOperand Operand(in IrOp op, int part, ushort slot, long imm, ref byte captures)
    {
        if (slot == Slot.Zero)
            return FlagsOperand.Of((ulong)imm);
        if (imm == 0 && (slot != op.Dst || !IrOperands.WritesInteger(op)))
            return FlagsOperand.In(slot);
        captures |= (byte)(1 << part);
        return FlagsOperand.In((ushort)(Slot.Part0 + part));
    }

    private static FlagsOperand Destination(in IrOp op, int part, ref byte captures)
    {
        if (op.Dst != Slot.Void)
            return FlagsOperand.In(op.Dst);
        captures |= (byte)(1 << part);
        return FlagsOperand.In((ushort)(Slot.Part0 + part));
    }
}
