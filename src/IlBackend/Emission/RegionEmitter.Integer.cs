using System.Buffers.Binary;
using System.Numerics;
using System.Reflection;
using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers;

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
        if (op.Dst == Slot.Void)
            return;
        switch (op.Op)
        {
            case IrOpcode.Mov:
                EmitMove(op, width);
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
                if (Slot.IsGpr(op.B) && _hasHigh[op.B])
                    LdLoc(_highLocal[op.B]);
                else
                {
                    Push(op.B, 4);
                    Ldc4(8);
                    _il.Emit(OpCodes.Shr_Un);
                }

                StoreDst(op.Dst, 1, 4);
                break;
            case IrOpcode.Add or IrOpcode.Sub or IrOpcode.And or IrOpcode.Or or IrOpcode.Xor or IrOpcode.Adc or IrOpcode.Sbb or IrOpcode.Neg:
                EmitArithmetic(op, width);
                break;
            case IrOpcode.Inc or IrOpcode.Dec:
                Push(op.A, width);
                LdcWidth(1, width);
                _il.Emit(op.Op == IrOpcode.Inc ? OpCodes.Add : OpCodes.Sub);
                StoreDst(op.Dst, size, width);
                break;
            case IrOpcode.Not:
                PushB(op, width);
                _il.Emit(OpCodes.Not);
                StoreDst(op.Dst, size, width);
                break;
            case IrOpcode.Shl or IrOpcode.Shr or IrOpcode.Sar:
                PushShifted(op, width);
                StoreDst(op.Dst, size, width);
                break;
            case IrOpcode.Rol or IrOpcode.Ror:
                EmitRotate(op, width);
                break;
            case IrOpcode.Mul when TryEmitWholeProduct(op):
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

    // A value that is extended as the destination asks for is copied as it is.
    private void EmitMove(in IrOp op, int width)
    {
        var from = op.Imm == 0 && op.B != Slot.Zero ? _extendedFrom[op.B] : 0;
        if (from != 0 && from <= op.Size && _slotLocal[op.Dst] >= 0 && _slotIsWide[op.Dst])
        {
            Push(op.B, 8);
            StLoc(_slotLocal[op.Dst]);
            Forget(op.Dst);
            _extendedFrom[op.Dst] = (byte)from;
            return;
        }

        if (op.Size < 4)
            PushZero(op.B, op.Imm, op.Size, 4);
        else
            PushB(op, width);
        StoreDst(op.Dst, op.Size, width);
    }

    private void EmitInsert(in IrOp op)
    {
        var isHigh = op.Op == IrOpcode.InsertHigh;
        var width = _wide ? 8 : 4;
        if (!Slot.IsGpr(op.Dst))
        {
            PushRest(op, width);
            PushZero(op.B, op.Imm, isHigh ? 1 : op.Size, width);
            PlaceInserted(isHigh);
            StoreDst(op.Dst, width, width);
            return;
        }

        // The part not written stays known where the op keeps the register.
        var keepsHigh = op.A == op.Dst && _hasHigh[op.Dst] && !isHigh && op.Size == 1;
        var lowKept = op.A == op.Dst && isHigh && _lowSize[op.Dst] == 1;
        var (locals, part) = isHigh ? (_highLocal, "high") : (_lowLocal, "low");
        PushZero(op.B, op.Imm, isHigh ? 1 : op.Size, 4);
        StorePart(locals, op.Dst, part);
        PushRest(op, width);
        LdLoc(locals[op.Dst]);
        if (width == 8)
            _il.Emit(OpCodes.Conv_U8);
        PlaceInserted(isHigh);
        StoreDst(op.Dst, width, width);
        _hasHigh[op.Dst] = isHigh || keepsHigh;
        _lowSize[op.Dst] = isHigh ? (byte)(lowKept ? 1 : 0) : op.Size;
    }

    private void PushRest(in IrOp op, int width)
    {
        Push(op.A, width);
        LdcWidth(op.Op == IrOpcode.InsertHigh ? ~0xFF00L : op.Size == 1 ? ~0xFFL : ~0xFFFFL, width);
        _il.Emit(OpCodes.And);
    }

    private void PlaceInserted(bool isHigh)
    {
        if (isHigh)
        {
            Ldc4(8);
            _il.Emit(OpCodes.Shl);
        }

        _il.Emit(OpCodes.Or);
    }

    private void EmitArithmetic(in IrOp op, int width)
    {
        if (op.Op == IrOpcode.Neg)
        {
            PushB(op, width);
            _il.Emit(OpCodes.Neg);
            StoreDst(op.Dst, op.Size, width);
            return;
        }

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
        if (op.Op is IrOpcode.Adc or IrOpcode.Sbb)
        {
            Push(op.C, width);
            _il.Emit(op.Op == IrOpcode.Adc ? OpCodes.Add : OpCodes.Sub);
        }

        StoreDst(op.Dst, op.Size, width);
    }

    private void PushMaskedCount(in IrOp op)
    {
        Push(op.B, op.Imm, 4);
        Ldc4(op.Size == 8 ? 63 : 31);
        _il.Emit(OpCodes.And);
    }

    // Pushes a shifted by the count. IL leaves counts of the operand's width and more undefined: counts are below 32 (64), and narrow
    // operands are shifted as 32 bits, where a count above their size gives what the definition asks for.
    private void PushShifted(in IrOp op, int width)
    {
        if (op.Op == IrOpcode.Shl)
            Push(op.A, width);
        else if (op.Op == IrOpcode.Shr)
            PushZero(op.A, 0, op.Size, width);
        else
            PushSigned(op.A, 0, op.Size);
        if (op.B == Slot.Zero)
            Ldc4((int)op.Imm & (op.Size == 8 ? 63 : 31));
        else
            PushMaskedCount(op);
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

    // mul and imul of one operand: both halves of one multiplication, when the next op is the high half.
    private bool TryEmitWholeProduct(in IrOp op)
    {
        if (op.Size != 4 || _opIndex + 1 == _ops.Length)
            return false;
        ref readonly var next = ref _ops[_opIndex + 1];
        if (next.Op is not (IrOpcode.MulHighU or IrOpcode.MulHighS) || (next.Size, next.A, next.B, next.Imm) != (op.Size, op.A, op.B, op.Imm)
            || op.Dst == op.A || op.Dst == op.B)
            return false;
        PushWholeProduct(next);
        StLoc(_product);
        LdLoc(_product);
        StoreDst(op.Dst, 4, 8);
        _hasProduct = true;
        return true;
    }

    private void PushWholeProduct(in IrOp op)
    {
        foreach (var (slot, imm) in new[] { (op.A, 0L), (op.B, op.Imm) })
        {
            if (op.Op == IrOpcode.MulHighS)
            {
                PushSigned(slot, imm, op.Size);
                _il.Emit(OpCodes.Conv_I8);
            }
            else
                PushZero(slot, imm, op.Size, 8);
        }

        _il.Emit(OpCodes.Mul);
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

        if (_hasProduct)
            LdLoc(_product);
        else
            PushWholeProduct(op);
        _hasProduct = false;
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
        // cmov: the destination stays, or changes.
        if (op.C == op.Dst && (op.Size == 8 || (op.Size == 4 && (!_slotIsWide[op.Dst] || _extendedFrom[op.Dst] is > 0 and <= 4))))
        {
            var stays = _il.DefineLabel();
            Push(op.A, 8);
            _il.EmitBranch(OpCodes.Brfalse, stays);
            Push(op.B, width);
            StoreDst(op.Dst, op.Size, width);
            _il.MarkLabel(stays);
            return;
        }

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
        NoteExtended(op.Dst, 1);
    }
    // A dividend of the divisor's width is divided here; wider ones, and what raises #DE, by the helper.
    private void EmitDivision(in IrOp op, HelperId id)
    {
        var (slow, resume) = (_il.DefineLabel(), _il.DefineLabel());
        var isSigned = id is HelperId.DivS32 or HelperId.DivS64;
        var width = id is HelperId.DivU64 or HelperId.DivS64 ? 8 : 4;
        var (low, divisor) = width == 8 ? (op.B, op.C) : (op.A, op.B);
        if (isSigned)
        {
            Push(op.A, 8);
            Push(low, width);
            if (width == 8)
            {
                Ldc4(63);
                _il.Emit(OpCodes.Shr);
            }
            else
                _il.Emit(OpCodes.Conv_I8);
            _il.EmitBranch(OpCodes.Bne_Un, slow);

            // Neither 0 nor -1.
            Push(divisor, 1, width);
            LdcWidth(1, width);
            _il.EmitBranch(OpCodes.Ble_Un, slow);
        }
        else
        {
            Push(op.A, 8);
            if (width == 4)
            {
                Ldc4(32);
                _il.Emit(OpCodes.Shr_Un);
            }

            _il.EmitBranch(OpCodes.Brtrue, slow);
            Push(divisor, width);
            _il.EmitBranch(OpCodes.Brfalse, slow);
        }

        Push(low, width);
        Push(divisor, width);
        _il.Emit(isSigned ? OpCodes.Div : OpCodes.Div_Un);
        if (width == 4)
            _il.Emit(isSigned ? OpCodes.Conv_I8 : OpCodes.Conv_U8);
        StoreDst(op.Dst, 8, 8);
        _il.MarkLabel(resume);
        var copy = op;
        var leave = LeaveSite();
        Cold(() =>
        {
            _il.MarkLabel(slow);
            _il.Emit(OpCodes.Ldarg_0);
            Push(copy.A, 8);
            PushB(copy, 8);
            Push(copy.C, 8);
            _il.EmitCall(HelperTable.Method(id));
            StLoc(_slow);
            LeaveIfPending(leave);
            LdLoc(_slow);
            StoreDst(copy.Dst, 8, 8);
            _il.EmitBranch(OpCodes.Br, resume);
        });
    }
}
