using System.Buffers.Binary;
using System.Numerics;
using System.Reflection;
using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.IlBackend.Emission;

/// <content>Integer ops.</content>
public sealed unsafe partial class RegionEmitter
{
    private static readonly MethodInfo PopCount = Bits(nameof(BitOperations.PopCount), typeof(ulong));
    private static readonly MethodInfo LeadingZeros = Bits(nameof(BitOperations.LeadingZeroCount), typeof(ulong));
    private static readonly MethodInfo TrailingZeros = Bits(nameof(BitOperations.TrailingZeroCount), typeof(ulong));
    private static readonly MethodInfo RotateLeft32 = typeof(BitOperations).GetMethod(nameof(BitOperations.RotateLeft), [typeof(uint), typeof(int)])!;
    private static readonly MethodInfo RotateLeft64 = typeof(BitOperations).GetMethod(nameof(BitOperations.RotateLeft), [typeof(ulong), typeof(int)])!;
    private static readonly MethodInfo RotateRight32 = typeof(BitOperations).GetMethod(nameof(BitOperations.RotateRight), [typeof(uint), typeof(int)])!;
    private static readonly MethodInfo RotateRight64 = typeof(BitOperations).GetMethod(nameof(BitOperations.RotateRight), [typeof(ulong), typeof(int)])!;
    private static readonly MethodInfo Reverse64 = typeof(BinaryPrimitives).GetMethod(nameof(BinaryPrimitives.ReverseEndianness), [typeof(ulong)])!;
    private static readonly MethodInfo Reverse32 = typeof(BinaryPrimitives).GetMethod(nameof(BinaryPrimitives.ReverseEndianness), [typeof(uint)])!;

    private static MethodInfo Bits(string name, Type type) => typeof(BitOperations).GetMethod(name, [type])!;

    private void EmitInteger(in IrOp op)
    {
        var size = op.Size;
        var width = Width(size);
        switch (op.Op)
        {
            case IrOpcode.Mov:
                PushB(op, width);
                StoreDst(op.Dst, size, width);
                break;
            case IrOpcode.SignExtend:
                PushSigned(op.B, op.Imm, size);
                if (op.Sub == 8 && width == 4)
                    _il.Emit(OpCodes.Conv_I8);
                StoreDst(op.Dst, op.Sub, Width(op.Sub));
                break;
            case IrOpcode.Insert or IrOpcode.InsertHigh:
                EmitInsert(op);
                break;
            case IrOpcode.ExtractHigh:
                Push(op.B, 4);
                Ldc4(8);
                _il.Emit(OpCodes.Shr_Un);
                StoreDst(op.Dst, 1, 4);
                break;
            case IrOpcode.Add or IrOpcode.Sub or IrOpcode.And or IrOpcode.Or or IrOpcode.Xor or IrOpcode.Adc or IrOpcode.Sbb or IrOpcode.Neg:
                EmitArithmetic(op, width);
                break;
            case IrOpcode.Inc or IrOpcode.Dec:
                EmitStep(op, width);
                break;
            case IrOpcode.Not:
                PushB(op, width);
                _il.Emit(OpCodes.Not);
                StoreDst(op.Dst, size, width);
                break;
            case IrOpcode.Shl or IrOpcode.Shr or IrOpcode.Sar:
                EmitShift(op, width);
                break;
            case IrOpcode.Rol or IrOpcode.Ror:
                EmitRotate(op, width);
                break;
            case IrOpcode.Mul:
                Push(op.A, width);
                PushB(op, width);
                _il.Emit(OpCodes.Mul);
                StoreDst(op.Dst, size, width);
                break;
            case IrOpcode.MulHighU or IrOpcode.MulHighS:
                EmitMultiplyHigh(op);
                break;
            case IrOpcode.Bswap:
                PushB(op, width);
                _il.EmitCall(width == 8 ? Reverse64 : Reverse32);
                if (size == 2)
                {
                    Ldc4(16);
                    _il.Emit(OpCodes.Shr_Un);
                }

                StoreDst(op.Dst, size, width);
                break;
            case IrOpcode.PopCount or IrOpcode.LeadingZeros or IrOpcode.TrailingZeros:
                EmitCount(op);
                break;
            case IrOpcode.Select:
                EmitSelect(op, width);
                break;
            case IrOpcode.Compare:
                EmitCompare(op);
                break;
            default:
                throw new InvalidOperationException($"the IL back end does not know IR op {op.Op}");
        }
    }

    private void EmitInsert(in IrOp op)
    {
        var (mask, shift) = op.Op == IrOpcode.InsertHigh ? (0xFF00, 8) : op.Size == 1 ? (0xFF, 0) : (0xFFFF, 0);
        var width = _wide ? 8 : 4;
        Push(op.A, width);
        LdcWidth(~(long)mask, width);
        _il.Emit(OpCodes.And);
        PushZero(op.B, op.Imm, op.Op == IrOpcode.InsertHigh ? 1 : op.Size, width);
        if (shift != 0)
        {
            Ldc4(shift);
            _il.Emit(OpCodes.Shl);
        }

        _il.Emit(OpCodes.Or);
        StoreDst(op.Dst, width, width);
    }

    private void EmitArithmetic(in IrOp op, int width)
    {
        var carry = op.Op is IrOpcode.Adc or IrOpcode.Sbb;
        if (op.WritesFlags)
        {
            RecordSource(op);
            if (carry)
            {
                Push(op.C, 8);
                StLoc(_faux);
            }
        }

        if (op.Op == IrOpcode.Neg)
        {
            PushB(op, width);
            _il.Emit(OpCodes.Neg);
        }
        else
        {
            Push(op.A, width);
            PushB(op, width);
            _il.Emit(op.Op switch
            {
                IrOpcode.Add or IrOpcode.Adc => OpCodes.Add,
                IrOpcode.Sub or IrOpcode.Sbb => OpCodes.Sub,
                IrOpcode.And => OpCodes.And,
                IrOpcode.Or => OpCodes.Or,
                _ => OpCodes.Xor,
            });
            if (carry)
            {
                Push(op.C, width);
                _il.Emit(op.Op == IrOpcode.Adc ? OpCodes.Add : OpCodes.Sub);
            }
        }

        Finish(op, width, op.Op switch
        {
            IrOpcode.Add => FlagsKind.Add,
            IrOpcode.Adc => FlagsKind.Adc,
            IrOpcode.Sub or IrOpcode.Neg => FlagsKind.Sub,
            IrOpcode.Sbb => FlagsKind.Sbb,
            _ => FlagsKind.Logic,
        });
    }

    // Stores the source of the flags record; a constant is only noted. Logic has none.
    private void RecordSource(in IrOp op)
    {
        if (op.B == Slot.Zero || op.Op is IrOpcode.And or IrOpcode.Or or IrOpcode.Xor)
            return;
        PushZero(op.B, op.Imm, op.Size, 8);
        StLoc(_fsrc);
    }

    // The result is on the stack: it goes to the destination and, where the op says so, into the flags record.
    private void Finish(in IrOp op, int width, FlagsKind kind)
    {
        if (!op.WritesFlags)
        {
            StoreDst(op.Dst, op.Size, width);
            return;
        }

        ZeroExtend(op.Size, 8);
        StLoc(_fres);
        var logic = kind == FlagsKind.Logic;
        var constant = op.B == Slot.Zero || logic;
        var left = kind != FlagsKind.Sub ? Slot.Void : op.Op == IrOpcode.Neg ? Slot.Zero : op.A;
        _flags = new PendingFlags(
            true, kind, (byte)op.SizeLog2, constant, logic ? 0 : Mask((ulong)op.Imm, op.Size), left,
            constant || op.Imm != 0 ? Slot.Void : op.B);
        if (op.Dst == Slot.Void)
            return;
        LdLoc(_fres);
        StoreDst(op.Dst, op.Size, 8);
    }

    private void EmitStep(in IrOp op, int width)
    {
        if (op.WritesFlags)
            RecordCarry();
        var constant = _flags.SourceIsConstant;
        var value = _flags.SourceConstant;
        Push(op.A, width);
        LdcWidth(1, width);
        _il.Emit(op.Op == IrOpcode.Inc ? OpCodes.Add : OpCodes.Sub);
        if (!op.WritesFlags)
        {
            StoreDst(op.Dst, op.Size, width);
            return;
        }

        ZeroExtend(op.Size, 8);
        StLoc(_fres);
        _flags = new PendingFlags(
            true, op.Op == IrOpcode.Inc ? FlagsKind.Inc : FlagsKind.Dec, (byte)op.SizeLog2, constant, value, Slot.Void, Slot.Void);
        if (op.Dst == Slot.Void)
            return;
        LdLoc(_fres);
        StoreDst(op.Dst, op.Size, 8);
    }

    private void EmitShift(in IrOp op, int width)
    {
        var size = op.Size;
        var kind = op.Op switch { IrOpcode.Shl => FlagsKind.Shl, IrOpcode.Shr => FlagsKind.Shr, _ => FlagsKind.Sar };
        var constant = op.B == Slot.Zero;
        var count = (int)op.Imm & (size == 8 ? 63 : 31);
        if (!op.WritesFlags || (constant && count == 0))
        {
            PushShifted(op, width, constant ? count : -1, 0);
            StoreDst(op.Dst, size, width);
            return;
        }

        if (constant)
        {
            PushShifted(op, width, count, 1);
            ZeroExtend(size, 8);
            StLoc(_fsrc);
            PushShifted(op, width, count, 0);
            ZeroExtend(size, 8);
            StLoc(_fres);
            _flags = new PendingFlags(true, kind, (byte)op.SizeLog2, false, 0, Slot.Void, Slot.Void);
            if (op.Dst == Slot.Void)
                return;
            LdLoc(_fres);
            StoreDst(op.Dst, size, 8);
            return;
        }

        // The record changes only when the masked count is not 0.
        Materialise();
        PushShifted(op, width, -1, 0);
        ZeroExtend(size, 8);
        StLoc(_slow);
        var same = _il.DefineLabel();
        PushMaskedCount(op);
        _il.EmitBranch(OpCodes.Brfalse, same);
        PushShifted(op, width, -1, 1);
        ZeroExtend(size, 8);
        StLoc(_fsrc);
        LdLoc(_slow);
        StLoc(_fres);
        Ldc(((int)kind * 4) + op.SizeLog2);
        StLoc(_fop);
        _il.MarkLabel(same);
        if (op.Dst == Slot.Void)
            return;
        LdLoc(_slow);
        StoreDst(op.Dst, size, 8);
    }

    private void PushMaskedCount(in IrOp op)
    {
        Push(op.B, op.Imm, 4);
        Ldc4(op.Size == 8 ? 63 : 31);
        _il.Emit(OpCodes.And);
    }

    // Pushes a shifted by the count less a number. IL leaves counts of the operand's width and more undefined: counts are below 32 (64), and
    // narrow operands are shifted as 32 bits, where a count above their size gives what the definition asks for.
    private void PushShifted(in IrOp op, int width, int constantCount, int less)
    {
        if (op.Op == IrOpcode.Shl)
            Push(op.A, width);
        else if (op.Op == IrOpcode.Shr)
            PushZero(op.A, 0, op.Size, width);
        else
            PushSigned(op.A, 0, op.Size);
        if (constantCount >= 0)
            Ldc4(constantCount - less);
        else
        {
            PushMaskedCount(op);
            if (less != 0)
            {
                Ldc4(less);
                _il.Emit(OpCodes.Sub);
            }
        }

        _il.Emit(op.Op switch { IrOpcode.Shl => OpCodes.Shl, IrOpcode.Shr => OpCodes.Shr_Un, _ => OpCodes.Shr });
    }

    private void EmitRotate(in IrOp op, int width)
    {
        var left = op.Op == IrOpcode.Rol;
        if (op.Size >= 4)
        {
            Push(op.A, width);
            Push(op.B, op.Imm, 4);
            _il.EmitCall(op.Size == 8 ? left ? RotateLeft64 : RotateRight64 : left ? RotateLeft32 : RotateRight32);
            StoreDst(op.Dst, op.Size, width);
            return;
        }

        // A narrow value, repeated to fill 32 bits, rotates as 32 bits.
        PushZero(op.A, 0, op.Size, 4);
        Ldc4(op.Size == 1 ? 0x01010101 : 0x00010001);
        _il.Emit(OpCodes.Mul);
        Push(op.B, op.Imm, 4);
        _il.EmitCall(left ? RotateLeft32 : RotateRight32);
        StoreDst(op.Dst, op.Size, 4);
    }

    private void EmitMultiplyHigh(in IrOp op)
    {
        var signed = op.Op == IrOpcode.MulHighS;
        if (op.Size == 8)
        {
            Push(op.A, 8);
            PushB(op, 8);
            _il.EmitCall(EmitSupport.Method(signed ? nameof(EmitSupport.MultiplyHighSigned) : nameof(EmitSupport.MultiplyHighUnsigned)));
            StoreDst(op.Dst, 8, 8);
            return;
        }

        foreach (var operand in new[] { (op.A, 0L), (op.B, op.Imm) })
        {
            if (signed)
            {
                PushSigned(operand.Item1, operand.Item2, op.Size);
                _il.Emit(OpCodes.Conv_I8);
            }
            else
                PushZero(operand.Item1, operand.Item2, op.Size, 8);
        }

        _il.Emit(OpCodes.Mul);
        Ldc4(op.Size * 8);
        _il.Emit(OpCodes.Shr_Un);
        StoreDst(op.Dst, op.Size, 8);
    }

    private void EmitCount(in IrOp op)
    {
        var bits = op.Size * 8;
        if (op.Op == IrOpcode.TrailingZeros && bits < 64)
        {
            // A bit above the operand stops the count at its size.
            PushZero(op.B, op.Imm, op.Size, 8);
            Ldc(1L << bits);
            _il.Emit(OpCodes.Or);
        }
        else
            PushZero(op.B, op.Imm, op.Size, 8);

        _il.EmitCall(op.Op switch { IrOpcode.PopCount => PopCount, IrOpcode.LeadingZeros => LeadingZeros, _ => TrailingZeros });
        if (op.Op == IrOpcode.LeadingZeros && bits < 64)
        {
            Ldc4(64 - bits);
            _il.Emit(OpCodes.Sub);
        }

        StoreDst(op.Dst, op.Size, 4);
    }

    private void EmitSelect(in IrOp op, int width)
    {
        var other = _il.DefineLabel();
        var done = _il.DefineLabel();
        Push(op.A, 8);
        _il.EmitBranch(OpCodes.Brfalse, other);
        PushZero(op.B, 0, op.Size, 8);
        StLoc(_slow);
        _il.EmitBranch(OpCodes.Br, done);
        _il.MarkLabel(other);
        PushZero(op.C, 0, op.Size, 8);
        StLoc(_slow);
        _il.MarkLabel(done);
        LdLoc(_slow);
        StoreDst(op.Dst, op.Size, 8);
    }

    private void EmitCompare(in IrOp op)
    {
        var relation = (Relation)op.Sub;
        if (relation is Relation.LessS or Relation.LessEqualS)
        {
            PushSigned(op.A, 0, op.Size);
            PushSigned(op.B, op.Imm, op.Size);
        }
        else
        {
            PushZero(op.A, 0, op.Size, Width(op.Size));
            PushZero(op.B, op.Imm, op.Size, Width(op.Size));
        }

        // IL has no <=: not >.
        _il.Emit(relation switch
        {
            Relation.Equal or Relation.NotEqual => OpCodes.Ceq,
            Relation.BelowU => OpCodes.Clt_Un,
            Relation.BelowEqualU => OpCodes.Cgt_Un,
            Relation.LessS => OpCodes.Clt,
            _ => OpCodes.Cgt,
        });
        if (relation is Relation.NotEqual or Relation.BelowEqualU or Relation.LessEqualS)
        {
            Ldc4(0);
            _il.Emit(OpCodes.Ceq);
        }

        StoreDst(op.Dst, 8, 4);
    }
}
