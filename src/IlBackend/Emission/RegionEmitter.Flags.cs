using System.Reflection;
using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.IlBackend.Emission;

/// <content>The flags record and conditions.</content>
public sealed unsafe partial class RegionEmitter
{
    private static readonly MethodInfo HoldsMethod = typeof(FlagsRecord).GetMethod(
        nameof(FlagsRecord.Holds), [typeof(Condition), typeof(ulong), typeof(ulong), typeof(ulong), typeof(ulong)])!;

    private static readonly MethodInfo StatusMethod = typeof(FlagsRecord).GetMethod(
        nameof(FlagsRecord.Status), [typeof(ulong), typeof(ulong), typeof(ulong), typeof(ulong)])!;

    private static readonly MethodInfo CarryMethod = typeof(FlagsRecord).GetMethod(nameof(FlagsRecord.Carry))!;

    /// <summary>Makes all of the record explicit in its locals, and forgets what was known.</summary>
    private void Materialise()
    {
        if (!_flags.Known)
            return;
        Ldc(_flags.Code);
        StLoc(_fop);
        if (_flags.SourceIsConstant)
        {
            Ldc((long)_flags.SourceConstant);
            StLoc(_fsrc);
        }

        _flags = PendingFlags.Unknown;
    }

    private void PushRecord()
    {
        if (_flags.Known)
            Ldc(_flags.Code);
        else
            LdLoc(_fop);
        LdLoc(_fres);
        PushSource();
        LdLoc(_faux);
    }

    private void PushSource()
    {
        if (_flags is { Known: true, SourceIsConstant: true })
            Ldc((long)_flags.SourceConstant);
        else
            LdLoc(_fsrc);
    }

    private void PushStatus()
    {
        if (_flags is { Known: true, Kind: FlagsKind.Explicit })
        {
            PushSource();
            _il.Emit(OpCodes.Conv_I4);
            Ldc4((int)Eflags.Status);
            _il.Emit(OpCodes.And);
            return;
        }

        PushRecord();
        _il.EmitCall(StatusMethod);
    }

    private void EmitSetFlags(in IrOp op)
    {
        var kind = (FlagsKind)op.Sub;
        if (kind != FlagsKind.Explicit)
        {
            Push(op.A, 8);
            StLoc(_fres);
        }

        var constant = op.B == Slot.Zero;
        if (!constant)
        {
            Push(op.B, op.Imm, 8);
            StLoc(_fsrc);
        }

        if (kind is FlagsKind.Adc or FlagsKind.Sbb)
        {
            Push(op.C, 8);
            StLoc(_faux);
        }

        var left = kind == FlagsKind.Sub && op.C != Slot.Zero ? op.C : Slot.Void;
        _flags = new PendingFlags(
            true, kind, (byte)op.SizeLog2, constant, (ulong)op.Imm, left, constant || op.Imm != 0 ? Slot.Void : op.B);
    }

    private void EmitSetFlagsIf(in IrOp op)
    {
        Materialise();
        var same = _il.DefineLabel();
        Push(op.C, 8);
        _il.EmitBranch(OpCodes.Brfalse, same);
        EmitSetFlags(op);
        Materialise();
        _il.MarkLabel(same);
    }

    // Before inc and dec: CF of the record as the new source.
    private void RecordCarry()
    {
        if (_flags.Known && _flags.Kind is FlagsKind.Inc or FlagsKind.Dec)
            return;
        if (_flags is { Known: true, Kind: FlagsKind.Logic })
        {
            _flags = _flags with { SourceIsConstant = true, SourceConstant = 0 };
            return;
        }

        if (_flags.Known)
            EmitCondition(Condition.B);
        else
        {
            PushRecord();
            _il.EmitCall(CarryMethod);
        }

        _il.Emit(OpCodes.Conv_U8);
        StLoc(_fsrc);
        _flags = _flags with { SourceIsConstant = false, Source = Slot.Void };
    }

    /// <summary>Pushes 1 when the condition holds, else 0, as int32.</summary>
    private void EmitCondition(Condition condition)
    {
        var yes = _il.DefineLabel();
        var done = _il.DefineLabel();
        if (TryPushComparison(condition, out var comparison))
        {
            var (set, invert) = SetOpcode(comparison);
            _il.Emit(set);
            if (!invert)
                return;
            Ldc4(0);
            _il.Emit(OpCodes.Ceq);
            return;
        }

        if (ConstantCondition(condition) is { } constant)
        {
            Ldc4(constant ? 1 : 0);
            return;
        }

        PushGeneric(condition);
        _il.EmitBranch(OpCodes.Brtrue, yes);
        Ldc(0L);
        StLoc(_slow);
        _il.EmitBranch(OpCodes.Br, done);
        _il.MarkLabel(yes);
        Ldc(1L);
        StLoc(_slow);
        _il.MarkLabel(done);
        LdLoc(_slow);
        _il.Emit(OpCodes.Conv_I4);
    }

    /// <summary>Branches when the condition holds.</summary>
    private void EmitBranchIf(Condition condition, int label)
    {
        if (TryPushComparison(condition, out var comparison))
        {
            _il.EmitBranch(BranchOpcode(comparison), label);
            return;
        }

        if (ConstantCondition(condition) is { } constant)
        {
            if (constant)
                _il.EmitBranch(OpCodes.Br, label);
            return;
        }

        PushGeneric(condition);
        _il.EmitBranch(OpCodes.Brtrue, label);
    }

    private void PushGeneric(Condition condition)
    {
        Ldc4((int)condition);
        PushRecord();
        _il.EmitCall(HoldsMethod);
    }

    private bool? ConstantCondition(Condition condition)
    {
        if (_flags is not { Known: true, Kind: FlagsKind.Logic })
            return null;
        return condition switch
        {
            Condition.O or Condition.B => false,
            Condition.No or Condition.Ae => true,
            _ => null,
        };
    }

    // When the kind is known and the condition is one comparison: pushes its two operands. The comparison is a condition as after a sub.
    private bool TryPushComparison(Condition condition, out Condition comparison)
    {
        comparison = condition;
        if (!_flags.Known)
            return false;
        if (_flags.Kind == FlagsKind.Explicit)
            return TryPushExplicit(condition, out comparison);
        if (condition is Condition.P or Condition.Np)
            return false;
        var size = _flags.Size;
        if (_flags.Kind == FlagsKind.Sub && condition is not (Condition.S or Condition.Ns or Condition.O or Condition.No))
        {
            PushSubOperands(condition, size);
            return true;
        }

        switch (condition)
        {
            case Condition.E or Condition.Ne:
                LdLoc(_fres);
                Ldc(0L);
                return true;
            case Condition.S or Condition.Ns:
                PushResultAgainstZero(size);
                comparison = condition == Condition.S ? Condition.L : Condition.Ge;
                return true;
            case Condition.L or Condition.Ge or Condition.Le or Condition.G when _flags.Kind == FlagsKind.Logic:
                PushResultAgainstZero(size);
                return true;
            case Condition.Be or Condition.A when _flags.Kind == FlagsKind.Logic:
                LdLoc(_fres);
                Ldc(0L);
                comparison = condition == Condition.Be ? Condition.E : Condition.Ne;
                return true;
            case Condition.B or Condition.Ae when _flags.Kind == FlagsKind.Add:
                LdLoc(_fres);
                PushSource();
                return true;
            case Condition.B or Condition.Ae when _flags.Kind is FlagsKind.Inc or FlagsKind.Dec or FlagsKind.Mul:
            case Condition.O or Condition.No when _flags.Kind == FlagsKind.Mul:
                PushSource();
                Ldc(0L);
                comparison = condition is Condition.B or Condition.O ? Condition.Ne : Condition.E;
                return true;
            case Condition.B or Condition.Ae when _flags.Kind is FlagsKind.Shl or FlagsKind.Shr or FlagsKind.Sar:
                PushSource();
                Ldc(_flags.Kind == FlagsKind.Shl ? 1L << ((size * 8) - 1) : 1L);
                _il.Emit(OpCodes.And);
                Ldc(0L);
                comparison = condition == Condition.B ? Condition.Ne : Condition.E;
                return true;
            default:
                return false;
        }
    }

    private bool TryPushExplicit(Condition condition, out Condition comparison)
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
        PushSource();
        Ldc(bit);
        _il.Emit(OpCodes.And);
        Ldc(0L);
        return true;
    }

    private void PushSubOperands(Condition condition, int size)
    {
        var signed = condition is Condition.L or Condition.Ge or Condition.Le or Condition.G;
        if (condition is Condition.E or Condition.Ne && !(_flags.HasLeft && _flags.HasSource))
        {
            LdLoc(_fres);
            Ldc(0L);
            return;
        }

        // The left operand: where it still is, or result + source.
        if (_flags.HasLeft)
        {
            if (signed)
                PushSigned(_flags.Left, 0, size);
            else
                PushZero(_flags.Left, 0, size, Width(size));
        }
        else
        {
            LdLoc(_fres);
            PushSource();
            _il.Emit(OpCodes.Add);
            Narrow(size, signed);
        }

        if (_flags.SourceIsConstant)
        {
            var constant = _flags.SourceConstant;
            LdcWidth(signed ? SignExtended(constant, size) : (long)constant, Width(size));
        }
        else if (_flags.Source != Slot.Void)
        {
            if (signed)
                PushSigned(_flags.Source, 0, size);
            else
                PushZero(_flags.Source, 0, size, Width(size));
        }
        else
        {
            LdLoc(_fsrc);
            Narrow(size, signed);
        }
    }

    private void PushResultAgainstZero(int size)
    {
        LdLoc(_fres);
        Narrow(size, true);
        LdcWidth(0, Width(size));
    }

    // An int64 on the stack becomes a value of Width(size), extended from size.
    private void Narrow(int size, bool signed)
    {
        if (size == 8)
            return;
        _il.Emit(size switch
        {
            1 => signed ? OpCodes.Conv_I1 : OpCodes.Conv_U1,
            2 => signed ? OpCodes.Conv_I2 : OpCodes.Conv_U2,
            _ => OpCodes.Conv_I4,
        });
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
