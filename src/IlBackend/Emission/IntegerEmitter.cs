using System.Buffers.Binary;
using System.Numerics;
using System.Reflection;
using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.IlBackend.Emission;

/// <summary>Integer ops.</summary>
internal sealed class IntegerEmitter(EmitContext context, ValueEmitter values) : EmitterPart(context)
{
    /// <summary>Counts ones.</summary>
    public static readonly MethodInfo PopCount = Bits(nameof(BitOperations.PopCount), typeof(ulong));
    private static readonly MethodInfo LeadingZeros = Bits(nameof(BitOperations.LeadingZeroCount), typeof(ulong));
    private static readonly MethodInfo TrailingZeros = Bits(nameof(BitOperations.TrailingZeroCount), typeof(ulong));
    private static readonly MethodInfo RotateLeft32 = typeof(BitOperations).GetMethod(nameof(BitOperations.RotateLeft), [typeof(uint), typeof(int)])!;
    private static readonly MethodInfo RotateLeft64 = typeof(BitOperations).GetMethod(nameof(BitOperations.RotateLeft), [typeof(ulong), typeof(int)])!;
    private static readonly MethodInfo RotateRight32 = typeof(BitOperations).GetMethod(nameof(BitOperations.RotateRight), [typeof(uint), typeof(int)])!;
    private static readonly MethodInfo RotateRight64 = typeof(BitOperations).GetMethod(nameof(BitOperations.RotateRight), [typeof(ulong), typeof(int)])!;
    private static readonly MethodInfo Reverse64 = typeof(BinaryPrimitives).GetMethod(nameof(BinaryPrimitives.ReverseEndianness), [typeof(ulong)])!;
    private static readonly MethodInfo Reverse32 = typeof(BinaryPrimitives).GetMethod(nameof(BinaryPrimitives.ReverseEndianness), [typeof(uint)])!;

    // The next op takes the other half of the product.
    private bool _hasProduct;

    /// <summary>Emits an integer op.</summary>
    public void Emit(in IrOp op)
    {
        var size = op.Size;
        var width = Width(size);
        if (op.Dst == Slot.Void)
            return;
        switch (op.Op)
        {
            case IrOpcode.Mov:
                values.Move(op, width);
                break;
            case IrOpcode.SignExtend:
                values.PushSigned(op.B, op.Imm, size);
                if (op.Sub == 8 && width == 4)
                    Il.Emit(OpCodes.Conv_I8);
                values.StoreDst(op.Dst, op.Sub, Width(op.Sub));
                break;
            case IrOpcode.Insert or IrOpcode.InsertHigh:
                values.Insert(op);
                break;
            case IrOpcode.ExtractHigh:
                values.PushHigh(op.B);
                values.StoreDst(op.Dst, 1, 4);
                break;
            case IrOpcode.Add or IrOpcode.Sub or IrOpcode.And or IrOpcode.Or or IrOpcode.Xor or IrOpcode.Adc or IrOpcode.Sbb or IrOpcode.Neg:
                EmitArithmetic(op, width);
                break;
            case IrOpcode.Inc or IrOpcode.Dec:
                values.Push(op.A, width);
                LdcWidth(1, width);
                Il.Emit(op.Op == IrOpcode.Inc ? OpCodes.Add : OpCodes.Sub);
                values.StoreDst(op.Dst, size, width);
                break;
            case IrOpcode.Not:
                values.PushB(op, width);
                Il.Emit(OpCodes.Not);
                values.StoreDst(op.Dst, size, width);
                break;
            case IrOpcode.Shl or IrOpcode.Shr or IrOpcode.Sar:
                values.PushShifted(op, width);
                values.StoreDst(op.Dst, size, width);
                break;
            case IrOpcode.Rol or IrOpcode.Ror:
                EmitRotate(op, width);
                break;
            case IrOpcode.Mul when TryEmitWholeProduct(op):
                break;
            case IrOpcode.Mul:
                values.Push(op.A, width);
                values.PushB(op, width);
                Il.Emit(OpCodes.Mul);
                values.StoreDst(op.Dst, size, width);
                break;
            case IrOpcode.MulHighU or IrOpcode.MulHighS:
                EmitMultiplyHigh(op);
                break;
            case IrOpcode.Bswap:
                values.PushB(op, width);
                Il.EmitCall(width == 8 ? Reverse64 : Reverse32);
                if (size == 2)
                {
                    Ldc4(16);
                    Il.Emit(OpCodes.Shr_Un);
                }

                values.StoreDst(op.Dst, size, width);
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

    private void EmitArithmetic(in IrOp op, int width)
    {
        if (op.Op == IrOpcode.Neg)
        {
            values.PushB(op, width);
            Il.Emit(OpCodes.Neg);
            values.StoreDst(op.Dst, op.Size, width);
            return;
        }

        values.Push(op.A, width);
        values.PushB(op, width);
        Il.Emit(op.Op switch
        {
            IrOpcode.Add or IrOpcode.Adc => OpCodes.Add,
            IrOpcode.Sub or IrOpcode.Sbb => OpCodes.Sub,
            IrOpcode.And => OpCodes.And,
            IrOpcode.Or => OpCodes.Or,
            _ => OpCodes.Xor,
        });
        if (op.Op is IrOpcode.Adc or IrOpcode.Sbb)
        {
            values.Push(op.C, width);
            Il.Emit(op.Op == IrOpcode.Adc ? OpCodes.Add : OpCodes.Sub);
        }

        values.StoreDst(op.Dst, op.Size, width);
    }

    private void EmitRotate(in IrOp op, int width)
    {
        var left = op.Op == IrOpcode.Rol;
        if (op.Size >= 4)
        {
            values.Push(op.A, width);
            values.Push(op.B, op.Imm, 4);
            Il.EmitCall(op.Size == 8 ? left ? RotateLeft64 : RotateRight64 : left ? RotateLeft32 : RotateRight32);
            values.StoreDst(op.Dst, op.Size, width);
            return;
        }

        // A narrow value, repeated to fill 32 bits, rotates as 32 bits.
        values.PushZero(op.A, 0, op.Size, 4);
        Ldc4(op.Size == 1 ? 0x01010101 : 0x00010001);
        Il.Emit(OpCodes.Mul);
        values.Push(op.B, op.Imm, 4);
        Il.EmitCall(left ? RotateLeft32 : RotateRight32);
        values.StoreDst(op.Dst, op.Size, 4);
    }

    // mul and imul of one operand: both halves of one multiplication, when the next op is the high half.
    private bool TryEmitWholeProduct(in IrOp op)
    {
        if (op.Size != 4 || OpIndex + 1 == Ops.Length)
            return false;
        ref readonly var next = ref Ops[OpIndex + 1];
        if (next.Op is not (IrOpcode.MulHighU or IrOpcode.MulHighS) || (next.Size, next.A, next.B, next.Imm) != (op.Size, op.A, op.B, op.Imm)
            || op.Dst == op.A || op.Dst == op.B)
            return false;
        PushWholeProduct(next);
        StLoc(Locals.Product);
        LdLoc(Locals.Product);
        values.StoreDst(op.Dst, 4, 8);
        _hasProduct = true;
        return true;
    }

    private void PushWholeProduct(in IrOp op)
    {
        foreach (var (slot, imm) in new[] { (op.A, 0L), (op.B, op.Imm) })
        {
            if (op.Op == IrOpcode.MulHighS)
            {
                values.PushSigned(slot, imm, op.Size);
                Il.Emit(OpCodes.Conv_I8);
            }
            else
                values.PushZero(slot, imm, op.Size, 8);
        }

        Il.Emit(OpCodes.Mul);
    }

    private void EmitMultiplyHigh(in IrOp op)
    {
        var signed = op.Op == IrOpcode.MulHighS;
        if (op.Size == 8)
        {
            values.Push(op.A, 8);
            values.PushB(op, 8);
            Il.EmitCall(EmitSupport.Method(signed ? nameof(EmitSupport.MultiplyHighSigned) : nameof(EmitSupport.MultiplyHighUnsigned)));
            values.StoreDst(op.Dst, 8, 8);
            return;
        }

        if (_hasProduct)
            LdLoc(Locals.Product);
        else
            PushWholeProduct(op);
        _hasProduct = false;
        Ldc4(op.Size * 8);
        Il.Emit(OpCodes.Shr_Un);
        values.StoreDst(op.Dst, op.Size, 8);
    }

    private void EmitCount(in IrOp op)
    {
        var bits = op.Size * 8;
        if (op.Op == IrOpcode.TrailingZeros && bits < 64)
        {
            // A bit above the operand stops the count at its size.
            values.PushZero(op.B, op.Imm, op.Size, 8);
            Ldc(1L << bits);
            Il.Emit(OpCodes.Or);
        }
        else
            values.PushZero(op.B, op.Imm, op.Size, 8);

        Il.EmitCall(op.Op switch { IrOpcode.PopCount => PopCount, IrOpcode.LeadingZeros => LeadingZeros, _ => TrailingZeros });
        if (op.Op == IrOpcode.LeadingZeros && bits < 64)
        {
            Ldc4(64 - bits);
            Il.Emit(OpCodes.Sub);
        }

        values.StoreDst(op.Dst, op.Size, 4);
    }

    private void EmitSelect(in IrOp op, int width)
    {
        // cmov: the destination stays, or changes.
        if (op.C == op.Dst && values.IsWhole(op.Dst, op.Size))
        {
            var stays = Il.DefineLabel();
            values.Push(op.A, 8);
            Il.EmitBranch(OpCodes.Brfalse, stays);
            values.Push(op.B, width);
            values.StoreDst(op.Dst, op.Size, width);
            Il.MarkLabel(stays);
            return;
        }

        var other = Il.DefineLabel();
        var done = Il.DefineLabel();
        values.Push(op.A, 8);
        Il.EmitBranch(OpCodes.Brfalse, other);
        values.PushZero(op.B, 0, op.Size, 8);
        StLoc(Locals.Value);
        Il.EmitBranch(OpCodes.Br, done);
        Il.MarkLabel(other);
        values.PushZero(op.C, 0, op.Size, 8);
        StLoc(Locals.Value);
        Il.MarkLabel(done);
        LdLoc(Locals.Value);
        values.StoreDst(op.Dst, op.Size, 8);
    }

    private void EmitCompare(in IrOp op)
    {
        var relation = (Relation)op.Sub;
        if (relation is Relation.LessS or Relation.LessEqualS)
        {
            values.PushSigned(op.A, 0, op.Size);
            values.PushSigned(op.B, op.Imm, op.Size);
        }
        else
        {
            values.PushZero(op.A, 0, op.Size, Width(op.Size));
            values.PushZero(op.B, op.Imm, op.Size, Width(op.Size));
        }

        // IL has no <=: not >.
        Il.Emit(relation switch
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
            Il.Emit(OpCodes.Ceq);
        }

        values.StoreDst(op.Dst, 8, 4);
        values.NoteExtended(op.Dst, 1);
    }

    private static MethodInfo Bits(string name, Type type) => typeof(BitOperations).GetMethod(name, [type])!;
}
