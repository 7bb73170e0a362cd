using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>
/// MMX and SSE to SSE4.2 instructions that compute, AES and PCLMULQDQ: one lifting method a shape of operands, the rows of
/// <see cref="SseTable"/> say which operation (SDM Vol. 2). A memory operand of 16 bytes must be aligned (SDM Vol. 1, 4.1.1).
/// </summary>
internal static unsafe class SseOperations
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        SseTable.Fill(table, SseTable.Binary, &Binary);
        SseTable.Fill(table, SseTable.BinaryImm, &BinaryImm);
        SseTable.Fill(table, SseTable.DotProduct, &DotProduct);
        SseTable.Fill(table, SseTable.Unary, &Unary);
        SseTable.Fill(table, SseTable.UnaryImm, &UnaryImm);
        SseTable.Fill(table, SseTable.Shift, &Shift);
        SseTable.Fill(table, SseTable.ByteShift, &ByteShift);
        SseTable.Fill(table, SseTable.Mask, &Mask);
        SseTable.Fill(table, SseTable.Extract, &Extract);
        SseTable.Fill(table, SseTable.Insert, &Insert);
        SseTable.Fill(table, SseTable.BlendVariable, &BlendVariable);
        SseTable.Fill(table, SseTable.CompareFlags, &CompareFlags);
        SseTable.Fill(table, SseTable.FromInteger, &FromInteger);
        SseTable.Fill(table, SseTable.ToInteger, &ToInteger);
        SseTable.Fill(table, SseTable.ToMmx, &ToMmx);
        SseTable.Fill(table, SseTable.FromMmx, &FromMmx);
        table[(int)Mnemonic.Insertps] = &InsertPs;

        // These are made of host instructions that a host may lack.
        if (CpuModel.HasAes)
        {
            SseTable.Fill(table, SseTable.AesBinary, &Binary);
            SseTable.Fill(table, SseTable.AesUnary, &Unary);
            SseTable.Fill(table, SseTable.AesUnaryImm, &UnaryImm);
        }

        if (CpuModel.HasCarrylessMultiply)
            SseTable.Fill(table, SseTable.AesBinaryImm, &BinaryImm);

        // cmpsd is also a string instruction.
        s_stringCompare = table[(int)Mnemonic.Cmpsd];
        table[(int)Mnemonic.Cmpsd] = &CmpSd;
    }

    private static delegate*<LiftContext, void> s_stringCompare;

    private static ref readonly SseTable.Entry Row(LiftContext c) => ref SseTable.Of(c.Insn.Mnemonic);

    private static void Binary(LiftContext c) => Binary(c, 0);

    private static void BinaryImm(LiftContext c) => Binary(c, c.Insn.Immediate8);

    private static void Binary(LiftContext c, byte imm)
    {
        ref readonly var row = ref Row(c);
        if (Mmx.IsRegister(c, 0))
        {
            var old = Registers.Mm(c.Insn.Op0Register);
            Mmx.Write(c, VectorEmitter.Compute(c, IrOpcode.VBinary, row.MmxOp, c.VTemp(), old, Mmx.Enter(c, 1), imm));
            return;
        }

        var dst = Registers.Xmm(c.Insn.Op0Register);
        var constant = c.Insn.Op1Kind == OpKind.Register && c.Insn.Op1Register == c.Insn.Op0Register ? OfItself(row.Op) : VecOp.None;
        if (constant != VecOp.None)
            VectorEmitter.Compute(c, IrOpcode.VFromInt, constant, dst, dst, Slot.Zero, 0);
        else
            VectorEmitter.Assign(c, IrOpcode.VBinary, row.Op, dst, dst, VectorEmitter.Source(c, 1), imm, row.Raises);
    }

    // The idioms for all zeros and all ones, which do not depend on the register.
    private static VecOp OfItself(VecOp op) => op switch
    {
        VecOp.Xor or VecOp.AndNot or VecOp.PSubB or VecOp.PSubW or VecOp.PSubD or VecOp.PSubQ or VecOp.PCmpGtB or VecOp.PCmpGtW or VecOp.PCmpGtD
            or VecOp.PCmpGtQ => VecOp.Zero,
        VecOp.PCmpEqB or VecOp.PCmpEqW or VecOp.PCmpEqD or VecOp.PCmpEqQ => VecOp.Ones,
        _ => VecOp.None,
    };

    private static void Unary(LiftContext c) => Unary(c, 0);

    private static void UnaryImm(LiftContext c) => Unary(c, c.Insn.Immediate8);

    private static void Unary(LiftContext c, byte imm)
    {
        ref readonly var row = ref Row(c);
        if (Mmx.IsRegister(c, 0))
        {
            Mmx.Write(c, VectorEmitter.Compute(c, IrOpcode.VUnary, row.MmxOp, c.VTemp(), Slot.Zero, Mmx.Enter(c, 1), imm));
            return;
        }

        var dst = Registers.Xmm(c.Insn.Op0Register);
        VectorEmitter.Assign(c, IrOpcode.VUnary, row.Op, dst, Slot.Zero, VectorEmitter.Source(c, 1), imm, row.Raises);
    }

    // With exceptions unmasked, each step (products, sums, sum of sums) reports its own before the next begins. The instruction itself
    // then raises nothing new.
    private static void DotProduct(LiftContext c)
    {
        if ((c.Mode & GuestMode.SseUnmasked) == 0)
        {
            BinaryImm(c);
            return;
        }

        var op = Row(c).Op;
        var imm = c.Insn.Immediate8;
        var (blend, multiply) = op == VecOp.DpPs ? (VecOp.BlendPs, VecOp.MulPs) : (VecOp.BlendPd, VecOp.MulPd);
        var used = (byte)(imm >> 4 & (op == VecOp.DpPs ? 15 : 3));
        var dst = Registers.Xmm(c.Insn.Op0Register);
        var source = VectorEmitter.Source(c, 1);
        var zero = VectorEmitter.Compute(c, IrOpcode.VFromInt, VecOp.Zero, c.VTemp(), VSlot.Xmm0, Slot.Zero, 0);
        var left = VectorEmitter.Compute(c, IrOpcode.VBinary, blend, c.VTemp(), zero, dst, used);
        var right = VectorEmitter.Compute(c, IrOpcode.VBinary, blend, c.VTemp(), zero, source, used);
        var sums = Step(c, multiply, left, right);
        if (op == VecOp.DpPs)
            sums = Step(c, VecOp.HAddPs, sums, sums);
        Step(c, op == VecOp.DpPs ? VecOp.HAddPs : VecOp.HAddPd, sums, sums);
        VectorEmitter.Compute(c, IrOpcode.VBinary, op, dst, dst, source, imm);
    }

    private static ushort Step(LiftContext c, VecOp op, ushort a, ushort b)
    {
        VectorEmitter.BeginChecked(c);
        var result = VectorEmitter.Compute(c, IrOpcode.VBinary, op, c.VTemp(), a, b, 0);
        VectorEmitter.EndChecked(c, result, op, a, b);
        return result;
    }

    // The form with a constant count is the next entry of VecOp.
    private static void Shift(LiftContext c)
    {
        if (c.Insn.Op1Kind != OpKind.Immediate8)
        {
            Binary(c, 0);
            return;
        }

        var op = Row(c).Op + 1;
        if (Mmx.IsRegister(c, 0))
        {
            Mmx.Enter(c);
            var old = Registers.Mm(c.Insn.Op0Register);
            Mmx.Write(c, VectorEmitter.Compute(c, IrOpcode.VUnary, op, c.VTemp(), Slot.Zero, old, c.Insn.Immediate8));
            return;
        }

        ShiftInPlace(c, op);
    }

    private static void ByteShift(LiftContext c) => ShiftInPlace(c, Row(c).Op);

    private static void ShiftInPlace(LiftContext c, VecOp op)
    {
        var dst = Registers.Xmm(c.Insn.Op0Register);
        VectorEmitter.Compute(c, IrOpcode.VUnary, op, dst, Slot.Zero, dst, c.Insn.Immediate8);
    }

    private static void CmpSd(LiftContext c)
    {
        if (c.Insn.Code != Code.Cmpsd_xmm_xmmm64_imm8)
        {
            s_stringCompare(c);
            return;
        }

        var dst = Registers.Xmm(c.Insn.Op0Register);
        VectorEmitter.Assign(c, IrOpcode.VBinary, VecOp.CmpSd, dst, dst, VectorEmitter.Source(c, 1), c.Insn.Immediate8, raises: true);
    }

    // From memory, the element selector of the source (bits 7:6) is ignored.
    private static void InsertPs(LiftContext c)
    {
        var dst = Registers.Xmm(c.Insn.Op0Register);
        var imm = c.IsMemory(1) ? c.Insn.Immediate8 & 0x3F : c.Insn.Immediate8;
        VectorEmitter.Compute(c, IrOpcode.VBinary, VecOp.InsertPs, dst, dst, VectorEmitter.Source(c, 1), (byte)imm);
    }

    private static void Mask(LiftContext c)
    {
        var dst = Registers.Gpr(c.Insn.Op0Register);
        if (Mmx.IsRegister(c, 1))
        {
            Mmx.Enter(c);
            VectorEmitter.Compute(c, IrOpcode.VToInt, Row(c).MmxOp, dst, Slot.Zero, Registers.Mm(c.Insn.Op1Register), 0);
            return;
        }

        VectorEmitter.Compute(c, IrOpcode.VToInt, Row(c).Op, dst, Slot.Zero, Registers.Xmm(c.Insn.Op1Register), 0);
    }

    private static void Extract(LiftContext c)
    {
        ref readonly var row = ref Row(c);
        if (Mmx.IsRegister(c, 1))
        {
            Mmx.Enter(c);
            var element = (byte)(c.Insn.Immediate8 & 3);
            VectorEmitter.Compute(
                c, IrOpcode.VToInt, row.MmxOp, Registers.Gpr(c.Insn.Op0Register), Slot.Zero, Registers.Mm(c.Insn.Op1Register), element);
            return;
        }

        var source = Registers.Xmm(c.Insn.Op1Register);
        if (!c.IsMemory(0))
        {
            VectorEmitter.Compute(c, IrOpcode.VToInt, row.Op, Registers.Gpr(c.Insn.Op0Register), Slot.Zero, source, c.Insn.Immediate8);
            return;
        }

        c.Write(0, VectorEmitter.Compute(c, IrOpcode.VToInt, row.Op, c.Temp(), Slot.Zero, source, c.Insn.Immediate8));
    }

    private static void Insert(LiftContext c)
    {
        ref readonly var row = ref Row(c);
        if (Mmx.IsRegister(c, 0))
        {
            if (c.IsMemory(1))
                Mmx.Check(c);
            var value = c.ReadSlot(1);
            Mmx.Enter(c);
            var element = (byte)(c.Insn.Immediate8 & 3);
            var old = Registers.Mm(c.Insn.Op0Register);
            Mmx.Write(c, VectorEmitter.Compute(c, IrOpcode.VFromInt, row.MmxOp, c.VTemp(), old, value, element));
            return;
        }

        var dst = Registers.Xmm(c.Insn.Op0Register);
        VectorEmitter.Compute(c, IrOpcode.VFromInt, row.Op, dst, dst, c.ReadSlot(1), c.Insn.Immediate8);
    }

    // dst = dst xor ((dst xor src) where xmm0 is negative).
    private static void BlendVariable(LiftContext c)
    {
        var dst = Registers.Xmm(c.Insn.Op0Register);
        var difference = VectorEmitter.Compute(c, IrOpcode.VBinary, VecOp.Xor, c.VTemp(), dst, VectorEmitter.Source(c, 1), 0);
        var taken = VectorEmitter.Compute(c, IrOpcode.VBinary, Row(c).Op, c.VTemp(), difference, VSlot.Xmm0, 0);
        VectorEmitter.Compute(c, IrOpcode.VBinary, VecOp.Xor, dst, dst, taken, 0);
    }

    // comiss and its kin, ptest: ZF, PF, CF from the operation, the other status flags 0.
    private static void CompareFlags(LiftContext c)
    {
        ref readonly var row = ref Row(c);
        var first = Registers.Xmm(c.Insn.Op0Register);
        var source = VectorEmitter.Source(c, 1);
        var guarded = row.Raises && VectorEmitter.BeginChecked(c);
        var flags = VectorEmitter.Compute(c, IrOpcode.VToInt, row.Op, c.Temp(), first, source, 0);
        if (guarded)
            c.Call(HelperId.EndSimdCheck, flags);
        c.SetFlags(FlagsKind.Explicit, 4, Slot.Zero, flags);
    }

    // The form with a 64-bit integer is the next entry of VecOp.
    private static void FromInteger(LiftContext c)
    {
        ref readonly var row = ref Row(c);
        var op = c.OperandSize(1) == 8 ? row.Op + 1 : row.Op;
        var dst = Registers.Xmm(c.Insn.Op0Register);
        VectorEmitter.Assign(c, IrOpcode.VFromInt, op, dst, dst, c.ReadSlot(1), 0, op != VecOp.CvtSi2Sd32);
    }

    private static void ToInteger(LiftContext c)
    {
        ref readonly var row = ref Row(c);
        var op = c.OperandSize(0) == 8 ? row.Op + 1 : row.Op;
        var dst = Registers.Gpr(c.Insn.Op0Register);
        var source = VectorEmitter.Source(c, 1);
        if (!VectorEmitter.BeginChecked(c))
        {
            VectorEmitter.Compute(c, IrOpcode.VToInt, op, dst, Slot.Zero, source, 0);
            return;
        }

        var result = VectorEmitter.Compute(c, IrOpcode.VToInt, op, c.Temp(), Slot.Zero, source, 0);
        c.Call(HelperId.EndSimdCheck, result);
        c.Op(IrOpcode.Mov, 8, dst, Slot.Zero, result);
    }

    private static void ToMmx(LiftContext c)
    {
        var source = Mmx.Enter(c, 1);
        var result = c.VTemp();
        VectorEmitter.Assign(c, IrOpcode.VUnary, Row(c).MmxOp, result, Slot.Zero, source, 0, raises: true);
        Mmx.Write(c, result);
    }

    // From memory there is no transition to MMX.
    private static void FromMmx(LiftContext c)
    {
        ref readonly var row = ref Row(c);
        var dst = Registers.Xmm(c.Insn.Op0Register);
        var source = c.IsMemory(1) ? VectorEmitter.Source(c, 1) : Mmx.Enter(c, 1);
        if (row.Op == VecOp.CvtPi2Ps)
            VectorEmitter.Assign(c, IrOpcode.VBinary, row.Op, dst, dst, source, 0, row.Raises);
        else
            VectorEmitter.Assign(c, IrOpcode.VUnary, row.Op, dst, Slot.Zero, source, 0, row.Raises);
    }
}
