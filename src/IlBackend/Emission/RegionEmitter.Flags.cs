using System.Reflection;
using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <content>The flags record and conditions.</content>
public sealed unsafe partial class RegionEmitter
{
    private static readonly MethodInfo HoldsMethod = typeof(FlagsRecord).GetMethod(
        nameof(FlagsRecord.Holds), [typeof(Condition), typeof(ulong), typeof(ulong), typeof(ulong), typeof(ulong)])!;

    private static readonly MethodInfo HoldsInState = EmitSupport.Method(nameof(EmitSupport.Holds));

    private static readonly MethodInfo StatusMethod = typeof(FlagsRecord).GetMethod(
        nameof(FlagsRecord.Status), [typeof(ulong), typeof(ulong), typeof(ulong), typeof(ulong)])!;

    private static readonly MethodInfo StatusInState = EmitSupport.Method(nameof(EmitSupport.Status));

    private static readonly MethodInfo ApplyMethod = EmitSupport.Method(nameof(EmitSupport.ApplyFlags));

    /// <summary>Brings the record into the state.</summary>
    private void Materialise()
    {
        var form = _flags;
        _flags = FlagsForm.Memory;
        switch (form)
        {
            case { Base: FlagsBase.Dead } or { IsMemory: true }:
                break;
            case { IsPlain: true, IsInvolved: false }:
                StoreRecord(form);
                break;
            case { Base: FlagsBase.Either, IsInvolved: false }:
                var done = _il.DefineLabel();
                LoadSlotMemory(Slot.FlagsOp, 4);
                Ldc4((int)FlagsForm.Symbolic);
                _il.EmitBranch(OpCodes.Bne_Un, done);
                StoreRecord(form);
                _il.MarkLabel(done);
                break;
            case { Base: FlagsBase.Described, Layer: FlagsLayer.Inc or FlagsLayer.Dec } when FlagsTransfer.View(form, Condition.B) != null:
                var kind = form.Layer == FlagsLayer.Inc ? FlagsKind.Inc : FlagsKind.Dec;
                EmitCondition(Condition.B, form);
                _il.Emit(OpCodes.Conv_U8);
                StLoc(_slow);
                StoreRecord(
                    FlagsForm.Dead with { Base = FlagsBase.Described, Kind = kind, SizeLog2 = form.LayerSizeLog2, Left = form.A }, () => LdLoc(_slow));
                break;
            default:
                ApplyByCall(form);
                break;
        }
    }

    // The parts go to their own slots, so that no register has to be in the state.
    private void ApplyByCall(FlagsForm form)
    {
        for (var part = 0; part < Slot.PartCount; part++)
        {
            var operand = form.Part(part);
            if (operand.Slot == Slot.Zero)
                continue;
            StorePart(part, operand.Slot);
            form = form.WithPart(part, FlagsOperand.In((ushort)(Slot.Part0 + part)));
        }

        var site = NewSite(0, form, 0);
        _il.Emit(OpCodes.Ldarg_0);
        _il.EmitFaultSite(site);
        _il.EmitCall(ApplyMethod);
    }

    /// <summary>The form after <see cref="StoreParts"/> and the registers have been stored: all that it names is in the state.</summary>
    private FlagsForm InState(FlagsForm form)
    {
        for (var part = 0; part < Slot.PartCount; part++)
            if (LivesInLocal(form.Part(part)))
                form = form.WithPart(part, FlagsOperand.In((ushort)(Slot.Part0 + part)));
        return form;
    }

    /// <summary>On a way out: stores those parts of the flags that no register holds.</summary>
    private void StoreParts(in FlagsForm form)
    {
        for (var part = 0; part < Slot.PartCount; part++)
            if (LivesInLocal(form.Part(part)))
                StorePart(part, form.Part(part).Slot);
    }

    private static bool LivesInLocal(FlagsOperand operand) => Slot.IsTemp(operand.Slot);

    private void StorePart(int part, ushort slot)
    {
        FieldAddress((Slot.Part0 + part) * 8);
        Push(slot, 8);
        _il.Emit(OpCodes.Stind_I8);
    }

    private void StoreRecord(FlagsForm form) => StoreRecord(form, () => PushSource(form, 8));

    private void StoreRecord(FlagsForm form, Action pushSource)
    {
        FieldAddress(Slot.FlagsOp * 8);
        Ldc(form.Code);
        _il.Emit(OpCodes.Stind_I8);
        FieldAddress(Slot.FlagsRes * 8);
        PushResult(form, 8);
        _il.Emit(OpCodes.Stind_I8);
        FieldAddress(Slot.FlagsSrc * 8);
        pushSource();
        _il.Emit(OpCodes.Stind_I8);
        if (!form.HasAux)
            return;
        FieldAddress(Slot.FlagsAux * 8);
        PushOperand(form.Aux, 1, 8);
        _il.Emit(OpCodes.Stind_I8);
    }

    /// <summary>Brings the flags into the form in which a block of the region finds them.</summary>
    private void Conform(in FlagsForm entry)
    {
        if (entry.Base == FlagsBase.Dead || entry == _flags)
            return;
        if (entry is { Base: FlagsBase.Either, Layer: FlagsLayer.None } && _flags == entry with { Base = FlagsBase.Described })
        {
            FieldAddress(Slot.FlagsOp * 8);
            Ldc((long)FlagsForm.Symbolic);
            _il.Emit(OpCodes.Stind_I8);
            return;
        }

        if (!entry.IsMemory && entry is not { Base: FlagsBase.Either, Layer: FlagsLayer.None })
            throw new InvalidOperationException("a block would find the flags in another form than was determined for it");
        Materialise();
    }

    // What an op leaves of the flags: copies of what it is about to overwrite, and of its own operands, where a description needs them.
    private void EmitCopies(in IrOp op, in FlagsStep step)
    {
        if (step.Collapses)
        {
            PushResult(_flags, 8);
            StLoc(PartLocal(0));
        }

        for (var part = 0; part < Slot.PartCount; part++)
        {
            if ((step.Saves >> part & 1) != 0)
                CopyToPart(part, op.Dst, 0);
            if ((step.Captures >> part & 1) != 0)
                Capture(op, part);
        }
    }

    private void CopyToPart(int part, ushort slot, long imm)
    {
        Push(slot, imm, 8);
        StLoc(PartLocal(part));
    }

    private void Capture(in IrOp op, int part)
    {
        var isShift = op.Op is IrOpcode.Shl or IrOpcode.Shr or IrOpcode.Sar;
        switch (part)
        {
            case 1 when isShift:
            case 4:
                CopyToPart(part, op.A, 0);
                break;
            case 1 or 5:
                CopyToPart(part, op.B, op.Imm);
                break;
            case 2:
                CopyToPart(part, op.C, 0);
                break;
            default:
                var width = Width(op.Size);
                if (isShift)
                    PushShifted(op, width);
                else
                {
                    Push(op.A, width);
                    LdcWidth(op.Op == IrOpcode.Inc ? 1 : -1, width);
                    _il.Emit(OpCodes.Add);
                }

                ZeroExtend(op.Size, 8);
                StLoc(PartLocal(part));
                break;
        }
    }

    private int PartLocal(int part) => _slotLocal[Slot.Part0 + part];

    private void PushOperand(FlagsOperand operand, int size, int width) => PushZero(operand.Slot, (long)operand.Constant, size, width);

    /// <summary>Pushes the result of a described record, zero-extended.</summary>
    private void PushResult(in FlagsForm form, int width)
    {
        if (form.Result == FlagsResult.Direct)
        {
            PushOperand(form.Left, form.Size, width);
            return;
        }

        var own = Width(form.Size);
        Push(form.Left.Slot, (long)form.Left.Constant, own);
        Push(form.Source.Slot, (long)form.Source.Constant, own);
        var opcode = form.Result switch
        {
            FlagsResult.Sum => OpCodes.Add,
            FlagsResult.Difference => OpCodes.Sub,
            FlagsResult.And => OpCodes.And,
            FlagsResult.Or => OpCodes.Or,
            _ => OpCodes.Xor,
        };
        _il.Emit(opcode);
        if (form.HasAux && form.Result < FlagsResult.And)
        {
            Push(form.Aux.Slot, (long)form.Aux.Constant, own);
            _il.Emit(opcode);
        }

        ZeroExtend(form.Size, width);
    }

    /// <summary>Pushes the source of a described record, zero-extended.</summary>
    private void PushSource(in FlagsForm form, int width)
    {
        if (form.Result >= FlagsResult.And)
        {
            LdcWidth(0, width);
            return;
        }

        if (form.SourceShift == 0)
        {
            PushOperand(form.Source, form.Size, width);
            return;
        }

        var own = Width(form.Size);
        if (form.Kind == FlagsKind.Sar)
            PushSigned(form.Source.Slot, (long)form.Source.Constant, form.Size);
        else
            PushOperand(form.Source, form.Size, own);
        Ldc4(form.SourceShift);
        _il.Emit(form.Kind switch { FlagsKind.Shl => OpCodes.Shl, FlagsKind.Shr => OpCodes.Shr_Un, _ => OpCodes.Shr });
        ZeroExtend(form.Size, width);
    }

    // Code, result, source and aux of a described record.
    private void PushRecord(in FlagsForm form)
    {
        Ldc(form.Code);
        PushResult(form, 8);
        PushSource(form, 8);
        PushOperand(form.Aux, 1, 8);
    }

    private void PushStatus()
    {
        if (_flags is { IsPlain: true, Kind: FlagsKind.Explicit } form)
        {
            PushSource(form, 4);
            Ldc4((int)Eflags.Status);
            _il.Emit(OpCodes.And);
        }
        else if (_flags.IsPlain)
        {
            PushRecord(_flags);
            _il.EmitCall(StatusMethod);
        }
        else
        {
            _il.Emit(OpCodes.Ldarg_0);
            _il.EmitCall(StatusInState);
        }
    }

    // The record is in the state, and stays there.
    private void EmitSetFlagsIf(in IrOp op)
    {
        var same = _il.DefineLabel();
        Push(op.C, 8);
        _il.EmitBranch(OpCodes.Brfalse, same);
        FieldAddress(Slot.FlagsOp * 8);
        Ldc((op.Sub * 4) + op.SizeLog2);
        _il.Emit(OpCodes.Stind_I8);
        FieldAddress(Slot.FlagsRes * 8);
        Push(op.A, 8);
        _il.Emit(OpCodes.Stind_I8);
        FieldAddress(Slot.FlagsSrc * 8);
        PushB(op, 8);
        _il.Emit(OpCodes.Stind_I8);
        _il.MarkLabel(same);
    }

    /// <summary>Pushes 1 when the condition holds, else 0, as int32.</summary>
    private void EmitCondition(Condition condition, in FlagsForm flags)
    {
        if (FlagsTransfer.View(flags, condition) is not { } form)
        {
            PushFromState(condition);
            return;
        }

        if (TryPushComparison(condition, form, out var comparison))
        {
            var (set, invert) = SetOpcode(comparison);
            _il.Emit(set);
            if (!invert)
                return;
            Ldc4(0);
            _il.Emit(OpCodes.Ceq);
            return;
        }

        if (ConstantCondition(condition, form) is { } constant)
        {
            Ldc4(constant ? 1 : 0);
            return;
        }

        PushGeneric(condition, form);
    }

    /// <summary>Branches when the condition holds.</summary>
    private void EmitBranchIf(Condition condition, int label)
    {
        if (FlagsTransfer.View(_flags, condition) is not { } form)
        {
            PushFromState(condition);
            _il.EmitBranch(OpCodes.Brtrue, label);
            return;
        }

        if (TryPushComparison(condition, form, out var comparison))
        {
            _il.EmitBranch(BranchOpcode(comparison), label);
            return;
        }

        if (ConstantCondition(condition, form) is { } constant)
        {
            if (constant)
                _il.EmitBranch(OpCodes.Br, label);
            return;
        }

        PushGeneric(condition, form);
        _il.EmitBranch(OpCodes.Brtrue, label);
    }

    private void PushGeneric(Condition condition, in FlagsForm form)
    {
        Ldc4((int)condition);
        PushRecord(form);
        _il.EmitCall(HoldsMethod);
    }

    private void PushFromState(Condition condition)
    {
        _il.Emit(OpCodes.Ldarg_0);
        Ldc4((int)condition);
        _il.EmitCall(HoldsInState);
    }

    private static bool? ConstantCondition(Condition condition, in FlagsForm form)
    {
        if (form.Kind != FlagsKind.Logic)
            return null;
        return condition switch
        {
            Condition.O or Condition.B => false,
            Condition.No or Condition.Ae => true,
            _ => null,
        };
    }

    // When the condition is one comparison: pushes its two operands. The comparison is a condition as after a sub.
    private bool TryPushComparison(Condition condition, in FlagsForm form, out Condition comparison)
    {
        comparison = condition;
        if (form.Kind == FlagsKind.Explicit)
            return TryPushExplicit(condition, form, out comparison);
        if (condition is Condition.P or Condition.Np)
            return false;
        var size = form.Size;
        var width = Width(size);
        if (form.Kind == FlagsKind.Sub && condition is not (Condition.S or Condition.Ns or Condition.O or Condition.No))
        {
            PushSubOperands(condition, form);
            return true;
        }

        switch (condition)
        {
            case Condition.E or Condition.Ne:
                PushResult(form, width);
                LdcWidth(0, width);
                return true;
            case Condition.S or Condition.Ns:
                PushResultSigned(form);
                comparison = condition == Condition.S ? Condition.L : Condition.Ge;
                return true;
            case Condition.L or Condition.Ge or Condition.Le or Condition.G when form.Kind == FlagsKind.Logic:
                PushResultSigned(form);
                return true;
            case Condition.Be or Condition.A when form.Kind == FlagsKind.Logic:
                PushResult(form, width);
                LdcWidth(0, width);
                comparison = condition == Condition.Be ? Condition.E : Condition.Ne;
                return true;
            case Condition.B or Condition.Ae when form.Kind == FlagsKind.Add:
                PushResult(form, width);
                PushSource(form, width);
                return true;
            case Condition.B or Condition.Ae when form.HasAux:
                PushCarryWithAux(form);
                Ldc4(0);
                comparison = condition == Condition.B ? Condition.Ne : Condition.E;
                return true;
            case Condition.B or Condition.Ae when form.Kind is FlagsKind.Inc or FlagsKind.Dec:
                PushOperand(form.Source, 1, 4);
                Ldc4(0);
                comparison = condition == Condition.B ? Condition.Ne : Condition.E;
                return true;
            case Condition.B or Condition.Ae or Condition.O or Condition.No when form.Result == FlagsResult.Product:
                PushProductOverflow(form);
                comparison = condition is Condition.B or Condition.O ? Condition.Ne : Condition.E;
                return true;
            case Condition.B or Condition.Ae or Condition.O or Condition.No when form.Kind == FlagsKind.Mul:
                PushSource(form, width);
                LdcWidth(0, width);
                comparison = condition is Condition.B or Condition.O ? Condition.Ne : Condition.E;
                return true;
            case Condition.B or Condition.Ae when form.Kind is FlagsKind.Shl or FlagsKind.Shr or FlagsKind.Sar:
                var bit = form.Kind == FlagsKind.Shl ? (size * 8) - 1 - form.SourceShift : form.SourceShift;
                comparison = condition == Condition.B ? Condition.Ne : Condition.E;
                PushBit(form, bit);
                return true;
            default:
                return false;
        }
    }

    // Two values that differ when a signed product does not fit the operand size.
    private void PushProductOverflow(in FlagsForm form)
    {
        PushFactor(form.Left, form.Size);
        PushFactor(form.Source, form.Size);
        if (form.Size == 8)
        {
            _il.EmitCall(EmitSupport.Method(nameof(EmitSupport.MultiplyHighSigned)));
            PushFactor(form.Left, form.Size);
            PushFactor(form.Source, form.Size);
            _il.Emit(OpCodes.Mul);
            Ldc4(63);
            _il.Emit(OpCodes.Shr);
            return;
        }

        _il.Emit(OpCodes.Mul);
        PushFactor(form.Left, form.Size);
        PushFactor(form.Source, form.Size);
        _il.Emit(OpCodes.Mul);
        _il.Emit(form.Size == 2 ? OpCodes.Conv_I2 : OpCodes.Conv_I4);
        _il.Emit(OpCodes.Conv_I8);
    }

    private void PushFactor(FlagsOperand operand, int size)
    {
        PushSigned(operand.Slot, (long)operand.Constant, size);
        if (size < 8)
            _il.Emit(OpCodes.Conv_I8);
    }

    // A bit of a shift's operand, and 0. Bits beyond the operand are its sign (sar) or 0.
    private void PushBit(in FlagsForm form, int bit)
    {
        var width = Width(form.Size);
        var bits = form.Size * 8;
        if (form.Kind == FlagsKind.Sar)
            bit = Math.Min(bit, bits - 1);
        if (bit < 0 || bit >= bits)
            LdcWidth(0, width);
        else
        {
            PushOperand(form.Source, form.Size, width);
            LdcWidth(1L << bit, width);
            _il.Emit(OpCodes.And);
        }

        LdcWidth(0, width);
    }

    private bool TryPushExplicit(Condition condition, in FlagsForm form, out Condition comparison)
    {
        comparison = (Condition)((int)Condition.Ne ^ ((int)condition & 1));
        uint bit = ((int)condition >> 1) switch
        {
            0 => Eflags.OF,
            1 => Eflags.CF,
            2 => Eflags.ZF,
            3 => Eflags.CF | Eflags.ZF,
            4 => Eflags.SF,
            5 => Eflags.PF,
            _ => 0,
        };
        if (bit == 0)
            return false;
        Push(form.Source.Slot, (long)form.Source.Constant, 4);
        Ldc4((int)bit);
        _il.Emit(OpCodes.And);
        Ldc4(0);
        return true;
    }

    // CF of adc: left + source + carry overflowed: the result is below the source, or equal to it with a carry. Of sbb likewise, left and source.
    private void PushCarryWithAux(in FlagsForm form)
    {
        var width = Width(form.Size);
        var isSum = form.Kind == FlagsKind.Adc;
        Action<FlagsForm> low = isSum ? f => PushResult(f, width) : f => PushLeft(f, false);
        low(form);
        PushSource(form, width);
        _il.Emit(OpCodes.Clt_Un);
        low(form);
        PushSource(form, width);
        _il.Emit(OpCodes.Ceq);
        PushOperand(form.Aux, 1, 4);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Or);
    }

    // The left operand of a sub or sbb: where it still is, or result + source.
    private void PushLeft(in FlagsForm form, bool signed)
    {
        var size = form.Size;
        if (form.Result == FlagsResult.Difference)
        {
            if (signed)
                PushSigned(form.Left.Slot, (long)form.Left.Constant, size);
            else
                PushOperand(form.Left, size, Width(size));
            return;
        }

        Push(form.Left.Slot, (long)form.Left.Constant, Width(size));
        Push(form.Source.Slot, (long)form.Source.Constant, Width(size));
        _il.Emit(OpCodes.Add);
        if (form.HasAux)
        {
            Push(form.Aux.Slot, (long)form.Aux.Constant, Width(size));
            _il.Emit(OpCodes.Add);
        }

        if (signed)
            SignExtend(size);
        else
            ZeroExtend(size, Width(size));
    }

    private void PushSubOperands(Condition condition, in FlagsForm form)
    {
        var size = form.Size;
        var signed = condition is Condition.L or Condition.Ge or Condition.Le or Condition.G;
        if (condition is Condition.E or Condition.Ne && form.Result == FlagsResult.Direct)
        {
            PushResult(form, Width(size));
            LdcWidth(0, Width(size));
            return;
        }

        PushLeft(form, signed);
        if (signed)
            PushSigned(form.Source.Slot, (long)form.Source.Constant, size);
        else
            PushOperand(form.Source, size, Width(size));
    }

    private void PushResultSigned(in FlagsForm form)
    {
        PushResult(form, Width(form.Size));
        SignExtend(form.Size);
        LdcWidth(0, Width(form.Size));
    }

    private static OpCode BranchOpcode(Condition comparison) => comparison switch
    {
        Condition.E => OpCodes.Beq,
        Condition.Ne => OpCodes.Bne_Un,
        Condition.B => OpCodes.Blt_Un,
        Condition.Ae => OpCodes.Bge_Un,
        Condition.Be => OpCodes.Ble_Un,
        Condition.A => OpCodes.Bgt_Un,
        Condition.L => OpCodes.Blt,
        Condition.Ge => OpCodes.Bge,
        Condition.Le => OpCodes.Ble,
        Condition.G => OpCodes.Bgt,
        _ => throw new InvalidOperationException($"{comparison} is not a comparison"),
    };

    private static (OpCode Set, bool Invert) SetOpcode(Condition comparison) => comparison switch
    {
        Condition.E => (OpCodes.Ceq, false),
        Condition.Ne => (OpCodes.Ceq, true),
        Condition.B => (OpCodes.Clt_Un, false),
        Condition.Ae => (OpCodes.Clt_Un, true),
        Condition.Be => (OpCodes.Cgt_Un, true),
        Condition.A => (OpCodes.Cgt_Un, false),
        Condition.L => (OpCodes.Clt, false),
        Condition.Ge => (OpCodes.Clt, true),
        Condition.Le => (OpCodes.Cgt, true),
        Condition.G => (OpCodes.Cgt, false),
        _ => throw new InvalidOperationException($"{comparison} is not a comparison"),
    };
}
