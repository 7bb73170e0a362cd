using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>MMX and SSE moves between registers and memory (SDM Vol. 2, MOVAPS and others).</summary>
internal static unsafe class SseMoves
{
    private static delegate*<LiftContext, void> s_stringMove;

    public static void Register(delegate*<LiftContext, void>[] table)
    {
        Mnemonic[] aligned =
        [
            Mnemonic.Movaps, Mnemonic.Movapd, Mnemonic.Movdqa, Mnemonic.Movntps, Mnemonic.Movntpd, Mnemonic.Movntdq, Mnemonic.Movntdqa,
        ];
        foreach (var m in aligned)
            table[(int)m] = &MoveAligned;
        table[(int)Mnemonic.Movups] = &MoveUnaligned;
        table[(int)Mnemonic.Movupd] = &MoveUnaligned;
        table[(int)Mnemonic.Movdqu] = &MoveUnaligned;
        table[(int)Mnemonic.Lddqu] = &MoveUnaligned;
        table[(int)Mnemonic.Movss] = &MovSs;
        // movsd is also a string instruction.
        s_stringMove = table[(int)Mnemonic.Movsd];
        table[(int)Mnemonic.Movsd] = &MovSd;
        table[(int)Mnemonic.Movd] = &MoveLow;
        table[(int)Mnemonic.Movq] = &MoveLow;
        table[(int)Mnemonic.Movntq] = &MoveLow;
        table[(int)Mnemonic.Movq2dq] = &MovQ2Dq;
        table[(int)Mnemonic.Movdq2q] = &MovDq2Q;
        table[(int)Mnemonic.Movlps] = &MoveLowHalf;
        table[(int)Mnemonic.Movlpd] = &MoveLowHalf;
        table[(int)Mnemonic.Movhps] = &MoveHighHalf;
        table[(int)Mnemonic.Movhpd] = &MoveHighHalf;
        table[(int)Mnemonic.Movnti] = &MovNti;
        table[(int)Mnemonic.Maskmovq] = &MaskMovQ;
        table[(int)Mnemonic.Maskmovdqu] = &MaskMovDqu;
    }

    private static void MoveAligned(LiftContext c) => Move(c, aligned: true);

    private static void MoveUnaligned(LiftContext c) => Move(c, aligned: false);

    private static void Move(LiftContext c, bool aligned)
    {
        if (c.IsMemory(1))
            c.VLoad(16, Registers.Xmm(c.Insn.Op0Register), c.MemoryOperand(16), aligned);
        else if (c.IsMemory(0))
            c.VStore(16, Registers.Xmm(c.Insn.Op1Register), c.MemoryOperand(16), aligned);
        else
            c.Op(IrOpcode.VMov, 16, Registers.Xmm(c.Insn.Op0Register), Slot.Zero, Registers.Xmm(c.Insn.Op1Register));
    }

    private static void MovSs(LiftContext c) => MoveScalar(c, 4, VecOp.MoveSs);

    private static void MovSd(LiftContext c)
    {
        if (c.Insn.Code is Code.Movsd_xmm_xmmm64 or Code.Movsd_xmmm64_xmm)
            MoveScalar(c, 8, VecOp.MoveSd);
        else
            s_stringMove(c);
    }

    // A load clears the rest of the register, a move between registers keeps it.
    private static void MoveScalar(LiftContext c, int size, VecOp merge)
    {
        if (c.IsMemory(0))
        {
            c.VStore(size, Registers.Xmm(c.Insn.Op1Register), c.MemoryOperand(size));
            return;
        }

        var dst = Registers.Xmm(c.Insn.Op0Register);
        if (c.IsMemory(1))
            c.VLoad(size, dst, c.MemoryOperand(size));
        else
            VectorEmitter.Compute(c, IrOpcode.VBinary, merge, dst, dst, Registers.Xmm(c.Insn.Op1Register), 0);
    }

    // movd, movq: 4 or 8 bytes between an XMM or MMX register and memory, a general register or its like.
    private static void MoveLow(LiftContext c)
    {
        if (Mmx.IsRegister(c, 0))
            LoadMmx(c);
        else if (Mmx.IsRegister(c, 1))
            StoreMmx(c);
        else if (c.IsMemory(0))
        {
            var size = c.OperandSize(0);
            c.VStore(size, Registers.Xmm(c.Insn.Op1Register), c.MemoryOperand(size));
        }
        else if (c.Insn.Op0Register.IsXMM())
            LoadXmm(c, Registers.Xmm(c.Insn.Op0Register));
        else
            ToGeneral(c, Registers.Xmm(c.Insn.Op1Register));
    }

    private static void LoadXmm(LiftContext c, ushort dst)
    {
        if (c.IsMemory(1))
        {
            var size = c.OperandSize(1);
            c.VLoad(size, dst, c.MemoryOperand(size));
        }
        else if (c.Insn.Op1Register.IsXMM())
            VectorEmitter.Compute(c, IrOpcode.VUnary, VecOp.MoveQ, dst, Slot.Zero, Registers.Xmm(c.Insn.Op1Register), 0);
        else
            FromGeneral(c, dst);
    }

    private static void FromGeneral(LiftContext c, ushort dst)
    {
        var op = c.OperandSize(1) == 8 ? VecOp.FromQ : VecOp.FromD;
        VectorEmitter.Compute(c, IrOpcode.VFromInt, op, dst, dst, Registers.Gpr(c.Insn.Op1Register), 0);
    }

    private static void ToGeneral(LiftContext c, ushort source)
    {
        var op = c.OperandSize(0) == 8 ? VecOp.ToQ : VecOp.ToD;
        VectorEmitter.Compute(c, IrOpcode.VToInt, op, Registers.Gpr(c.Insn.Op0Register), Slot.Zero, source, 0);
    }

    private static void LoadMmx(LiftContext c)
    {
        if (c.IsMemory(1) || c.Insn.Op1Register.IsMM())
        {
            Mmx.Write(c, Mmx.Enter(c, 1));
            return;
        }

        Mmx.Enter(c);
        var t = c.VTemp();
        FromGeneral(c, t);
        Mmx.Write(c, t);
    }

    private static void StoreMmx(LiftContext c)
    {
        var source = Registers.Mm(c.Insn.Op1Register);
        if (!c.IsMemory(0))
        {
            Mmx.Enter(c);
            ToGeneral(c, source);
            return;
        }

        Mmx.BeginStore(c);
        var size = c.OperandSize(0);
        c.VStore(size, source, c.MemoryOperand(size));
        Mmx.Enter(c);
    }

    private static void MovQ2Dq(LiftContext c)
    {
        Mmx.Enter(c);
        var dst = Registers.Xmm(c.Insn.Op0Register);
        VectorEmitter.Compute(c, IrOpcode.VUnary, VecOp.MoveQ, dst, Slot.Zero, Registers.Mm(c.Insn.Op1Register), 0);
    }

    private static void MovDq2Q(LiftContext c) => Mmx.Write(c, Mmx.Enter(c, 1));

    private static void MoveLowHalf(LiftContext c)
    {
        if (c.IsMemory(0))
        {
            c.VStore(8, Registers.Xmm(c.Insn.Op1Register), c.MemoryOperand(8));
            return;
        }

        var dst = Registers.Xmm(c.Insn.Op0Register);
        VectorEmitter.Compute(c, IrOpcode.VBinary, VecOp.MoveSd, dst, dst, VectorEmitter.Source(c, 1), 0);
    }

    private static void MoveHighHalf(LiftContext c)
    {
        if (c.IsMemory(0))
        {
            var source = Registers.Xmm(c.Insn.Op1Register);
            var high = VectorEmitter.Compute(c, IrOpcode.VBinary, VecOp.PUnpckHQdq, c.VTemp(), source, source, 0);
            c.VStore(8, high, c.MemoryOperand(8));
            return;
        }

        var dst = Registers.Xmm(c.Insn.Op0Register);
        VectorEmitter.Compute(c, IrOpcode.VBinary, VecOp.PUnpckLQdq, dst, dst, VectorEmitter.Source(c, 1), 0);
    }

    private static void MovNti(LiftContext c) => c.Write(0, c.Read(1));

    private static void MaskMovQ(LiftContext c)
    {
        Mmx.BeginStore(c);
        MaskedStore(c, Registers.Mm(c.Insn.Op1Register), Registers.Mm(c.Insn.Op2Register), 8);
        Mmx.Enter(c);
    }

    private static void MaskMovDqu(LiftContext c) =>
        MaskedStore(c, Registers.Xmm(c.Insn.Op1Register), Registers.Xmm(c.Insn.Op2Register), 16);

    private static void MaskedStore(LiftContext c, ushort data, ushort mask, int size)
    {
        var addressBytes = c.Insn.Op0Kind switch { OpKind.MemorySegDI => 2, OpKind.MemorySegEDI => 4, _ => 8 };
        var linear = c.LinearAddress(c.At(Slot.Rdi, 0, addressBytes, c.SegmentOfOperand, size, writes: true));
        c.Call(HelperId.MaskedStore, linear, Val.Const(data | (mask << 8) | (size << 16)));
    }
}
