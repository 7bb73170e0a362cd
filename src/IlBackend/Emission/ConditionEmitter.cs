using System.Reflection;
using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// What a described record of the flags says: conditions, and the values that the record consists of. Has no state: the form of the record is
/// given.
/// </summary>
internal sealed class ConditionEmitter(EmitContext context, ValueEmitter values) : EmitterPart(context)
{
    private static readonly MethodInfo HoldsMethod = typeof(FlagsRecord).GetMethod(
        nameof(FlagsRecord.Holds), [typeof(Condition), typeof(ulong), typeof(ulong), typeof(ulong), typeof(ulong)])!;

    private static readonly MethodInfo HoldsInState = EmitSupport.Method(nameof(EmitSupport.Holds));

    /// <summary>Pushes 1 when the condition holds, else 0, as int32.</summary>
    public void Push(Condition condition, in FlagsForm flags)
    {
        if (FlagsTransfer.View(flags, condition) is not { } form)
        {
            PushFromState(condition);
            return;
        }

        if (TryPushComparison(condition, form, out var comparison))
        {
            var (set, invert) = SetOpcode(comparison);
            Il.Emit(set);
            if (!invert)
                return;
            Ldc4(0);
            Il.Emit(OpCodes.Ceq);
            return;
        }

        if (ConstantCondition(condition, form) is { } constant)
        {
            Ldc4(constant ? 1 : 0);
            return;
        }

        PushGeneric(condition, form);
    }

    /// <summary>Pushes a condition of any described record, by a call.</summary>
    public void PushGeneric(Condition condition, in FlagsForm form)
    {
        Ldc4((int)condition);
        PushRecord(form);
        Il.EmitCall(HoldsMethod);
    }

    /// <summary>Pushes a condition of the record in the state.</summary>
    public void PushFromState(Condition condition)
    {
        Il.Emit(OpCodes.Ldarg_0);
        Ldc4((int)condition);
        Il.EmitCall(HoldsInState);
    }

    /// <summary>A condition that the kind of the record decides; null when it does not.</summary>
    public static bool? ConstantCondition(Condition condition, in FlagsForm form)
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

    /// <summary>When the condition is one comparison: pushes its two operands. The comparison is a condition as after a sub.</summary>
    public bool TryPushComparison(Condition condition, in FlagsForm form, out Condition comparison)
    {
        comparison = condition;
        if (form.Kind == FlagsKind.Explicit)
            return TryPushExplicit(condition, form, out comparison);
        var size = form.Size;
        var width = Width(size);
        var signed = condition >= Condition.L;
        var overflow = condition is Condition.O or Condition.No;
        if (form.Kind == FlagsKind.Sub && condition is not (Condition.S or Condition.Ns or Condition.O or Condition.No or Condition.P or Condition.Np))
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
            case Condition.P or Condition.Np:
                PushParity(form);
                comparison = condition == Condition.P ? Condition.E : Condition.Ne;
                return true;
            case var _ when signed && form.Kind == FlagsKind.Logic:
                PushResultSigned(form);
                return true;
            case var _ when signed && form.Kind is FlagsKind.Inc or FlagsKind.Dec:
                PushStepOperands(form);
                return true;
            case var _ when overflow && form.Kind is FlagsKind.Inc or FlagsKind.Dec:
                PushResult(form, width);
                LdcWidth(form.Kind == FlagsKind.Inc ? 1L << ((size * 8) - 1) : (1L << ((size * 8) - 1)) - 1, width);
                comparison = condition == Condition.O ? Condition.E : Condition.Ne;
                return true;
            case var _ when signed && size < 8 && form.Kind is FlagsKind.Add or FlagsKind.Adc or FlagsKind.Sbb:
                PushTrueResult(form);
                Ldc(0L);
                return true;
            case var _ when overflow && size < 8 && form.Kind is FlagsKind.Add or FlagsKind.Adc or FlagsKind.Sub or FlagsKind.Sbb:
                PushTrueResult(form);
                PushResult(form, 4);
                values.SignExtend(size);
                Il.Emit(OpCodes.Conv_I8);
                comparison = condition == Condition.O ? Condition.Ne : Condition.E;
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

    // Bit 0 of the number of ones in the result's low byte, and 0.
    private void PushParity(in FlagsForm form)
    {
        PushResult(form, 8);
        Il.Emit(OpCodes.Conv_U1);
        Il.Emit(OpCodes.Conv_U8);
        Il.EmitCall(IntegerEmitter.PopCount);
        Ldc4(1);
        Il.Emit(OpCodes.And);
        Ldc4(0);
    }

    // inc is a comparison of the left operand with -1, dec with 1: the sum is less than 0 where that is less.
    private void PushStepOperands(in FlagsForm form)
    {
        var width = Width(form.Size);
        var step = form.Kind == FlagsKind.Inc ? -1 : 1;
        PushResult(form, width);
        LdcWidth(step, width);
        Il.Emit(OpCodes.Add);
        values.SignExtend(form.Size);
        LdcWidth(step, width);
    }

    // The result as it is before it is truncated, of signed operands of at most 4 bytes, as int64. It does not fit where OF is set, and is
    // below 0 where SF and OF differ.
    private void PushTrueResult(in FlagsForm form)
    {
        var isSum = form.Kind is FlagsKind.Add or FlagsKind.Adc;
        if (isSum && form.Result == FlagsResult.Direct)
        {
            values.Push(form.Left.Slot, (long)form.Left.Constant, 4);
            values.Push(form.Source.Slot, (long)form.Source.Constant, 4);
            Il.Emit(OpCodes.Sub);
            if (form.HasAux)
            {
                values.Push(form.Aux.Slot, (long)form.Aux.Constant, 4);
                Il.Emit(OpCodes.Sub);
            }

            values.SignExtend(form.Size);
        }
        else if (isSum)
            values.PushSigned(form.Left.Slot, (long)form.Left.Constant, form.Size);
        else
            PushLeft(form, true);
        Il.Emit(OpCodes.Conv_I8);
        PushFactor(form.Source, form.Size);
        Il.Emit(isSum ? OpCodes.Add : OpCodes.Sub);
        if (!form.HasAux)
            return;
        PushOperand(form.Aux, 1, 8);
        Il.Emit(isSum ? OpCodes.Add : OpCodes.Sub);
    }

    // Two values that differ when a signed product does not fit the operand size.
    private void PushProductOverflow(in FlagsForm form)
    {
        PushFactor(form.Left, form.Size);
        PushFactor(form.Source, form.Size);
        if (form.Size == 8)
        {
            Il.EmitCall(EmitSupport.Method(nameof(EmitSupport.MultiplyHighSigned)));
            PushFactor(form.Left, form.Size);
            PushFactor(form.Source, form.Size);
            Il.Emit(OpCodes.Mul);
            Ldc4(63);
            Il.Emit(OpCodes.Shr);
            return;
        }

        Il.Emit(OpCodes.Mul);
        PushFactor(form.Left, form.Size);
        PushFactor(form.Source, form.Size);
        Il.Emit(OpCodes.Mul);
        Il.Emit(form.Size == 2 ? OpCodes.Conv_I2 : OpCodes.Conv_I4);
        Il.Emit(OpCodes.Conv_I8);
    }

    private void PushFactor(FlagsOperand operand, int size)
    {
        values.PushSigned(operand.Slot, (long)operand.Constant, size);
        if (size < 8)
            Il.Emit(OpCodes.Conv_I8);
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
            Il.Emit(OpCodes.And);
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
        values.Push(form.Source.Slot, (long)form.Source.Constant, 4);
        Ldc4((int)bit);
        Il.Emit(OpCodes.And);
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
        Il.Emit(OpCodes.Clt_Un);
        low(form);
        PushSource(form, width);
        Il.Emit(OpCodes.Ceq);
        PushOperand(form.Aux, 1, 4);
        Il.Emit(OpCodes.And);
        Il.Emit(OpCodes.Or);
    }

    // The left operand of a sub or sbb: where it still is, or result + source.
    private void PushLeft(in FlagsForm form, bool signed)
    {
        var size = form.Size;
        if (form.Result == FlagsResult.Difference)
        {
            if (signed)
                values.PushSigned(form.Left.Slot, (long)form.Left.Constant, size);
            else
                PushOperand(form.Left, size, Width(size));
            return;
        }

        values.Push(form.Left.Slot, (long)form.Left.Constant, Width(size));
        values.Push(form.Source.Slot, (long)form.Source.Constant, Width(size));
        Il.Emit(OpCodes.Add);
        if (form.HasAux)
        {
            values.Push(form.Aux.Slot, (long)form.Aux.Constant, Width(size));
            Il.Emit(OpCodes.Add);
        }

        if (signed)
            values.SignExtend(size);
        else
            values.ZeroExtend(size, Width(size));
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
            values.PushSigned(form.Source.Slot, (long)form.Source.Constant, size);
        else
            PushOperand(form.Source, size, Width(size));
    }

    private void PushResultSigned(in FlagsForm form)
    {
        PushResult(form, Width(form.Size));
        values.SignExtend(form.Size);
        LdcWidth(0, Width(form.Size));
    }

    /// <summary>Pushes an operand of a record, zero-extended.</summary>
    public void PushOperand(FlagsOperand operand, int size, int width) => values.PushZero(operand.Slot, (long)operand.Constant, size, width);

    /// <summary>Pushes the result of a described record, zero-extended.</summary>
    public void PushResult(in FlagsForm form, int width)
    {
        if (form.Result == FlagsResult.Direct)
        {
            PushOperand(form.Left, form.Size, width);
            return;
        }

        var own = Width(form.Size);
        values.Push(form.Left.Slot, (long)form.Left.Constant, own);
        values.Push(form.Source.Slot, (long)form.Source.Constant, own);
        var opcode = form.Result switch
        {
            FlagsResult.Sum => OpCodes.Add,
            FlagsResult.Difference => OpCodes.Sub,
            FlagsResult.And => OpCodes.And,
            FlagsResult.Or => OpCodes.Or,
            _ => OpCodes.Xor,
        };
        Il.Emit(opcode);
        if (form.HasAux && form.Result < FlagsResult.And)
        {
            values.Push(form.Aux.Slot, (long)form.Aux.Constant, own);
            Il.Emit(opcode);
        }

        values.ZeroExtend(form.Size, width);
    }

    /// <summary>Pushes the source of a described record, zero-extended.</summary>
    public void PushSource(in FlagsForm form, int width)
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
            values.PushSigned(form.Source.Slot, (long)form.Source.Constant, form.Size);
        else
            PushOperand(form.Source, form.Size, own);
        Ldc4(form.SourceShift);
        Il.Emit(form.Kind switch { FlagsKind.Shl => OpCodes.Shl, FlagsKind.Shr => OpCodes.Shr_Un, _ => OpCodes.Shr });
        values.ZeroExtend(form.Size, width);
    }

    /// <summary>Pushes code, result, source and aux of a described record.</summary>
    public void PushRecord(in FlagsForm form)
    {
        Ldc(form.Code);
        PushResult(form, 8);
        PushSource(form, 8);
        PushOperand(form.Aux, 1, 8);
    }

    /// <summary>The branch on a comparison.</summary>
    public static OpCode BranchOpcode(Condition comparison) => comparison switch
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
