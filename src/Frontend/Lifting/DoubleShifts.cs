using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>shld, shrd and the rotates through carry: rcl, rcr (SDM Vol. 2).</summary>
internal static unsafe class DoubleShifts
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Shld] = &Shld;
        table[(int)Mnemonic.Shrd] = &Shrd;
        table[(int)Mnemonic.Rcl] = &Rcl;
        table[(int)Mnemonic.Rcr] = &Rcr;
    }

    private static void Shld(LiftContext c) => Double(c, true);

    private static void Shrd(LiftContext c) => Double(c, false);

    private static void Double(LiftContext c, bool left)
    {
        var size = c.OperandSize(0);
        var count = MaskedCount(c, c.Read(2), size);
        var memory = c.IsMemory(0);
        var address = memory ? c.MemoryOperand(size) : default;
        var old = memory ? c.LoadForUpdate(size, address) : c.ReadRegister(c.Insn.Op0Register);
        if (count is { IsConst: true, Imm: 0 })
        {
            if (memory)
                c.Store(size, address, old);
            else
                c.WriteRegister(c.Insn.Op0Register, old);
            return;
        }

        var source = c.ReadRegister(c.Insn.Op1Register);
        ushort result, before;
        if (size == 2)
            Double16(c, left, old, source, count, out result, out before);
        else
            DoubleWide(c, left, size, old, source, count, out result, out before);
        if (memory)
            c.Store(size, address, result);

        // before is the value shifted by count - 1. For shrd the flags kind takes OF from its top bit, which therefore is made the change of sign.
        if (!left)
            before = c.Emit(IrOpcode.Xor, size, before, c.Emit(IrOpcode.And, size, result, Val.Const(1L << ((size * 8) - 1))));
        var kind = left ? FlagsKind.Shl : FlagsKind.Shr;
        if (count.IsConst)
            c.SetFlags(kind, size, result, before);
        else
            c.Op(IrOpcode.SetFlagsIf, size, Slot.Void, result, before, count.Slot).Sub = (ushort)kind;
        if (!memory)
            c.WriteRegister(c.Insn.Op0Register, result);
    }

    // The other operand's part is shifted in two steps, so that a count of 0 moves it out altogether.
    private static void DoubleWide(
        LiftContext c, bool left, int size, ushort old, ushort source, Val count, out ushort result, out ushort before)
    {
        var bits = size * 8;
        var shift = left ? IrOpcode.Shl : IrOpcode.Shr;
        var back = left ? IrOpcode.Shr : IrOpcode.Shl;
        var rest = count.IsConst ? Val.Const(bits - 1 - count.Imm) : c.Emit(IrOpcode.Xor, 1, count.Slot, Val.Const(bits - 1));
        var incoming = c.Emit(back, size, c.Emit(back, size, source, Val.Const(1)), rest);
        result = c.Emit(IrOpcode.Or, size, c.Emit(shift, size, old, count), incoming);
        before = c.Emit(shift, size, old, new Val(count.Slot, count.Imm - 1));
    }

    // 16-bit counts of 17 to 31 are undefined; Intel processors shift the 48 bits old:source:old, and so do we.
    private static void Double16(LiftContext c, bool left, ushort old, ushort source, Val count, out ushort result, out ushort before)
    {
        var low = c.Copy(2, old);
        var middle = c.Emit(IrOpcode.Shl, 8, c.Copy(2, source), Val.Const(16));
        var wide = c.Emit(IrOpcode.Or, 8, c.Emit(IrOpcode.Or, 8, c.Emit(IrOpcode.Shl, 8, low, Val.Const(32)), middle), low);
        var less = new Val(count.Slot, count.Imm - 1);
        var shift = left ? IrOpcode.Shl : IrOpcode.Shr;
        result = c.Emit(shift, 8, wide, count);
        before = c.Emit(shift, 8, wide, less);
        if (left)
        {
            result = c.Emit(IrOpcode.Shr, 8, result, Val.Const(32));
            before = c.Emit(IrOpcode.Shr, 8, before, Val.Const(32));
        }

        result = c.Copy(2, result);
        before = c.Copy(2, before);
    }

    private static void Rcl(LiftContext c) => RotateCarry(c, true);

    private static void Rcr(LiftContext c) => RotateCarry(c, false);

    // OF, defined for a count of 1, is computed as for 1 whatever the count.
    private static void RotateCarry(LiftContext c, bool left)
    {
        var size = c.OperandSize(0);
        var bits = size * 8;
        var count = MaskedCount(c, c.Read(1), size);
        var memory = c.IsMemory(0);
        var address = memory ? c.MemoryOperand(size) : default;
        var old = memory ? c.LoadForUpdate(size, address) : c.Copy(size, c.ReadRegister(c.Insn.Op0Register));
        if (count is { IsConst: true, Imm: 0 })
        {
            if (memory)
                c.Store(size, address, old);
            else
                c.WriteRegister(c.Insn.Op0Register, old);
            return;
        }

        var carryIn = c.GetCondition(Condition.B);
        ushort result, carry;
        if (count is { IsConst: true, Imm: 1 })
        {
            if (left)
            {
                result = c.Emit(IrOpcode.Or, size, c.Emit(IrOpcode.Shl, size, old, Val.Const(1)), carryIn);
                carry = c.Emit(IrOpcode.Shr, size, old, Val.Const(bits - 1));
            }
            else
            {
                var top = c.Emit(IrOpcode.Shl, size, carryIn, Val.Const(bits - 1));
                result = c.Emit(IrOpcode.Or, size, c.Emit(IrOpcode.Shr, size, old, Val.Const(1)), top);
                carry = c.Emit(IrOpcode.And, size, old, Val.Const(1));
            }
        }
        else
        {
            var packed = c.Emit(IrOpcode.Or, 4, carryIn, Val.Const(size << 8));
            result = c.Call(left ? HelperId.RotateLeftCarry : HelperId.RotateRightCarry, old, count, packed);
            carry = c.Call(left ? HelperId.RotateLeftCarryOut : HelperId.RotateRightCarryOut, old, count, packed);
        }

        if (memory)
            c.Store(size, address, result);
        var sign = c.Emit(IrOpcode.Shr, size, result, Val.Const(bits - 1));
        var other = left ? carry : c.Emit(IrOpcode.And, size, c.Emit(IrOpcode.Shr, size, result, Val.Const(bits - 2)), Val.Const(1));
        var overflow = c.Emit(IrOpcode.Shl, 4, c.Emit(IrOpcode.Xor, 4, sign, other), Val.Const(11));
        var kept = c.Emit(IrOpcode.And, 4, c.GetFlags(), Val.Const(Eflags.Status & ~(Eflags.CF | Eflags.OF)));
        var merged = c.Emit(IrOpcode.Or, 4, c.Emit(IrOpcode.Or, 4, kept, overflow), carry);
        if (count.IsConst)
            c.SetFlags(FlagsKind.Explicit, 4, Slot.Zero, merged);
        else
            c.Op(IrOpcode.SetFlagsIf, 4, Slot.Void, Slot.Zero, merged, count.Slot).Sub = (ushort)FlagsKind.Explicit;
        if (!memory)
            c.WriteRegister(c.Insn.Op0Register, result);
    }

    // The hardware looks at 5 bits of a count, at 6 of a 64-bit operand's.
    private static Val MaskedCount(LiftContext c, Val count, int size)
    {
        var mask = size == 8 ? 63 : 31;
        return count.IsConst ? Val.Const(count.Imm & mask) : c.Emit(IrOpcode.And, 1, count.Slot, Val.Const(mask));
    }
}
