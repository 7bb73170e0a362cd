using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>bt, bts, btr, btc (SDM Vol. 2). Of the flags CF and ZF are defined: CF is the bit, ZF stays; the others stay too.</summary>
internal static unsafe class BitTests
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Bt] = &Bt;
        table[(int)Mnemonic.Bts] = &Bts;
        table[(int)Mnemonic.Btr] = &Btr;
        table[(int)Mnemonic.Btc] = &Btc;
    }

    private static void Bt(LiftContext c) => Test(c, IrOpcode.Nop, HelperId.None);

    private static void Bts(LiftContext c) => Test(c, IrOpcode.Or, HelperId.AtomicOr);

    private static void Btr(LiftContext c) => Test(c, IrOpcode.And, HelperId.AtomicAnd);

    private static void Btc(LiftContext c) => Test(c, IrOpcode.Xor, HelperId.AtomicXor);

    private static void Test(LiftContext c, IrOpcode change, HelperId atomic)
    {
        var size = c.OperandSize(0);
        var bits = size * 8;
        var index = c.Read(1);
        var bit = index.IsConst ? Val.Const(index.Imm & (bits - 1)) : c.Emit(IrOpcode.And, 1, index.Slot, Val.Const(bits - 1));
        var memory = c.IsMemory(0);
        var address = !memory ? default : index.IsConst ? c.MemoryOperand(size) : BitAddress(c, size, index.Slot);
        var locked = memory && c.Insn.HasLockPrefix;
        ushort old;
        if (locked)
            old = c.Call(atomic, c.LinearAddress(address), Mask(c, change, size, bit), c.AtomicForm(size, address));
        else if (memory)
            old = c.Load(size, change == IrOpcode.Nop ? address : address.ForUpdate);
        else
            old = c.ReadRegister(c.Insn.Op0Register);
        var carry = c.Emit(IrOpcode.And, size, c.Emit(IrOpcode.Shr, size, old, bit), Val.Const(1));
        var result = change == IrOpcode.Nop || locked ? old : c.Emit(change, size, old, Mask(c, change, size, bit));
        if (memory && change != IrOpcode.Nop && !locked)
            c.Store(size, address, result);
        c.SetCarry(carry);
        if (!memory && change != IrOpcode.Nop)
            c.WriteRegister(c.Insn.Op0Register, result);
    }

    private static Val Mask(LiftContext c, IrOpcode change, int size, Val bit)
    {
        if (bit.IsConst)
            return Val.Const(change == IrOpcode.And ? ~(1L << (int)bit.Imm) : 1L << (int)bit.Imm);
        var mask = c.Emit(IrOpcode.Shl, size, c.Copy(8, Val.Const(1)), bit);
        return change == IrOpcode.And ? c.Emit(IrOpcode.Not, size, Slot.Zero, mask) : mask;
    }

    // A register index is signed and reaches beyond the operand: it selects the operand-sized unit of the bit string in memory.
    private static Address BitAddress(LiftContext c, int size, ushort index)
    {
        var sizeLog2 = System.Numerics.BitOperations.TrailingZeroCount(size);
        var wide = size == 8 ? index : c.SignExtend(size, 8, index);
        var units = c.Emit(IrOpcode.Sar, 8, wide, Val.Const(sizeLog2 + 3));
        var bytes = c.Emit(IrOpcode.Shl, 8, units, Val.Const(sizeLog2));
        var offset = c.OffsetOperand(0, out var addressBytes);
        var start = c.Temp();
        LiftContext.Fill(ref c.Op(IrOpcode.Lea, addressBytes, start, Slot.Zero, Slot.Zero), offset);
        return c.At(c.Emit(IrOpcode.Add, addressBytes, start, bytes), 0, addressBytes, c.SegmentOfOperand, size, c.Insn.Mnemonic != Mnemonic.Bt);
    }
}
