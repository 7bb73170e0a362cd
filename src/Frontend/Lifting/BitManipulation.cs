using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>Bit scans and counts, byte swaps, BMI1 and BMI2 (SDM Vol. 2).</summary>
internal static unsafe class BitManipulation
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Bsf] = &Bsf;
        table[(int)Mnemonic.Bsr] = &Bsr;
        table[(int)Mnemonic.Bswap] = &Bswap;
        table[(int)Mnemonic.Movbe] = &Movbe;
        table[(int)Mnemonic.Popcnt] = &Popcnt;
        table[(int)Mnemonic.Lzcnt] = &Lzcnt;
        table[(int)Mnemonic.Tzcnt] = &Tzcnt;
        table[(int)Mnemonic.Andn] = &Andn;
        table[(int)Mnemonic.Bextr] = &Bextr;
        table[(int)Mnemonic.Blsi] = &Blsi;
        table[(int)Mnemonic.Blsmsk] = &Blsmsk;
        table[(int)Mnemonic.Blsr] = &Blsr;
        table[(int)Mnemonic.Bzhi] = &Bzhi;
        table[(int)Mnemonic.Pdep] = &Pdep;
        table[(int)Mnemonic.Pext] = &Pext;
        table[(int)Mnemonic.Rorx] = &Rorx;
        table[(int)Mnemonic.Sarx] = &Sarx;
        table[(int)Mnemonic.Shlx] = &Shlx;
        table[(int)Mnemonic.Shrx] = &Shrx;
    }

    private static void Bsf(LiftContext c) => Scan(c, IrOpcode.TrailingZeros);

    private static void Bsr(LiftContext c) => Scan(c, IrOpcode.LeadingZeros);

    // ZF tells that the source was 0; the destination then stays, as the hardware does it (SDM: undefined).
    private static void Scan(LiftContext c, IrOpcode count)
    {
        var size = c.OperandSize(0);
        var source = c.Copy(size, c.Read(1));
        var found = c.Emit(count, size, Slot.Zero, source);
        if (count == IrOpcode.LeadingZeros)
            found = c.Emit(IrOpcode.Xor, size, found, Val.Const((size * 8) - 1));
        var register = Registers.Gpr(c.Insn.Op0Register);
        if (size == 2)
        {
            found = c.Emit(IrOpcode.Select, 2, source, found, register);
            c.WriteSlot(2, register, found);
        }
        else
        {
            // 64 bits wide even for 32: an unchanged register keeps its upper half.
            c.Op(IrOpcode.Select, 8, register, source, found, register);
        }

        c.SetFlags(FlagsKind.Logic, size, source, Val.Const(0));
    }

    private static void Bswap(LiftContext c)
    {
        var register = c.Insn.Op0Register;
        var slot = Registers.Gpr(register);

        // The 16-bit form is undefined; the hardware writes 0.
        if (register.GetSize() == 2)
            c.WriteRegister(register, Val.Const(0));
        else
            c.Op(IrOpcode.Bswap, register.GetSize(), slot, Slot.Zero, slot);
    }

    private static void Movbe(LiftContext c)
    {
        var size = c.OperandSize(0);
        c.Write(0, c.Emit(IrOpcode.Bswap, size, Slot.Zero, c.Read(1)));
    }

    private static void Popcnt(LiftContext c)
    {
        var size = c.OperandSize(0);
        var source = c.Read(1);
        var ones = c.Emit(IrOpcode.PopCount, size, Slot.Zero, source);
        var zero = c.Compare(Relation.Equal, size, ones, Val.Const(0));
        c.SetFlags(FlagsKind.Explicit, 4, Slot.Zero, c.Emit(IrOpcode.Shl, 4, zero, Val.Const(6)));
        c.WriteRegister(c.Insn.Op0Register, ones);
    }

    private static void Lzcnt(LiftContext c) => Count(c, IrOpcode.LeadingZeros);

    private static void Tzcnt(LiftContext c) => Count(c, IrOpcode.TrailingZeros);

    // CF: the source is 0. ZF: the count is 0. The other status flags, undefined, become 0.
    private static void Count(LiftContext c, IrOpcode count)
    {
        var size = c.OperandSize(0);
        var source = c.Read(1);
        var result = c.Emit(count, size, Slot.Zero, source);
        var carry = c.Compare(Relation.Equal, size, result, Val.Const(size * 8));
        var zero = c.Emit(IrOpcode.Shl, 4, c.Compare(Relation.Equal, size, result, Val.Const(0)), Val.Const(6));
        c.SetFlags(FlagsKind.Explicit, 4, Slot.Zero, c.Emit(IrOpcode.Or, 4, carry, zero));
        c.WriteRegister(c.Insn.Op0Register, result);
    }

    private static void Andn(LiftContext c)
    {
        var size = c.OperandSize(0);
        var inverted = c.Emit(IrOpcode.Not, size, Slot.Zero, c.ReadSlot(1));
        c.EmitFlags(IrOpcode.And, size, Registers.Gpr(c.Insn.Op0Register), inverted, c.Read(2));
    }

    private static void Bextr(LiftContext c)
    {
        var size = c.OperandSize(0);
        var result = c.Call(HelperId.BitExtract, c.Copy(size, c.ReadSlot(1)), c.ReadSlot(2));
        c.EmitFlags(IrOpcode.And, size, Registers.Gpr(c.Insn.Op0Register), result, Val.Const(-1));
    }

    // CF: the source was not 0.
    private static void Blsi(LiftContext c)
    {
        var size = c.OperandSize(0);
        var source = c.ReadSlot(1);
        var result = c.Emit(IrOpcode.And, size, c.Emit(IrOpcode.Neg, size, Slot.Zero, source), source);
        Lowest(c, size, result, c.Compare(Relation.NotEqual, size, source, Val.Const(0)));
    }

    private static void Blsmsk(LiftContext c)
    {
        var size = c.OperandSize(0);
        var source = c.ReadSlot(1);
        var result = c.Emit(IrOpcode.Xor, size, c.Emit(IrOpcode.Sub, size, source, Val.Const(1)), source);
        Lowest(c, size, result, c.Compare(Relation.Equal, size, source, Val.Const(0)));
    }

    private static void Blsr(LiftContext c)
    {
        var size = c.OperandSize(0);
        var source = c.ReadSlot(1);
        var result = c.Emit(IrOpcode.And, size, c.Emit(IrOpcode.Sub, size, source, Val.Const(1)), source);
        Lowest(c, size, result, c.Compare(Relation.Equal, size, source, Val.Const(0)));
    }

    // SF and ZF by the result, OF = 0, CF given; AF and PF are undefined.
    private static void Lowest(LiftContext c, int size, ushort result, ushort carry)
    {
        var sign = c.Emit(IrOpcode.Shl, 4, c.Emit(IrOpcode.Shr, size, result, Val.Const((size * 8) - 1)), Val.Const(7));
        var zero = c.Emit(IrOpcode.Shl, 4, c.Compare(Relation.Equal, size, result, Val.Const(0)), Val.Const(6));
        var flags = c.Emit(IrOpcode.Or, 4, c.Emit(IrOpcode.Or, 4, sign, zero), carry);
        c.SetFlags(FlagsKind.Explicit, 4, Slot.Zero, flags);
        c.WriteRegister(c.Insn.Op0Register, result);
    }

    // Keeps the bits below the index in the control's low byte; CF: the index is beyond the operand.
    private static void Bzhi(LiftContext c)
    {
        var size = c.OperandSize(0);
        var bits = size * 8;
        var source = c.ReadSlot(1);
        var index = c.Copy(1, c.ReadSlot(2));
        var beyond = c.Compare(Relation.BelowU, 4, c.Copy(4, Val.Const(bits - 1)), index);
        var mask = c.Emit(IrOpcode.Shl, size, c.Copy(8, Val.Const(-1)), index);
        var low = c.Emit(IrOpcode.And, size, source, c.Emit(IrOpcode.Not, size, Slot.Zero, mask));
        Lowest(c, size, c.Emit(IrOpcode.Select, size, beyond, source, low), beyond);
    }

    private static void Pdep(LiftContext c) => Scatter(c, HelperId.BitDeposit);

    private static void Pext(LiftContext c) => Scatter(c, HelperId.BitGather);

    private static void Scatter(LiftContext c, HelperId helper)
    {
        var size = c.OperandSize(0);
        var source = c.Copy(size, c.ReadSlot(1));
        c.WriteRegister(c.Insn.Op0Register, c.Call(helper, source, c.Copy(size, c.ReadSlot(2))));
    }

    private static void Rorx(LiftContext c) => Flagless(c, IrOpcode.Ror);

    private static void Sarx(LiftContext c) => Flagless(c, IrOpcode.Sar);

    private static void Shlx(LiftContext c) => Flagless(c, IrOpcode.Shl);

    private static void Shrx(LiftContext c) => Flagless(c, IrOpcode.Shr);

    private static void Flagless(LiftContext c, IrOpcode op) =>
        c.Op(op, c.OperandSize(0), Registers.Gpr(c.Insn.Op0Register), c.ReadSlot(1), c.Read(2));
}
