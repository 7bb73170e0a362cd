using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>
/// mul, imul, div, idiv, mulx (SDM Vol. 2). Of the flags that a multiplication leaves undefined SF, ZF and PF follow the high half and AF
/// is set, as an 80286 does it.
/// </summary>
internal static unsafe class Multiplication
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Mul] = &Mul;
        table[(int)Mnemonic.Imul] = &Imul;
        table[(int)Mnemonic.Div] = &Div;
        table[(int)Mnemonic.Idiv] = &Idiv;
        table[(int)Mnemonic.Mulx] = &Mulx;
    }

    private static void Mul(LiftContext c)
    {
        var size = c.OperandSize(0);
        var source = c.ReadSlot(0);
        if (size == 1)
        {
            var product = c.Emit(IrOpcode.Mul, 2, c.Copy(1, Slot.Rax), c.Copy(1, source));
            var top = c.Emit(IrOpcode.Shr, 2, product, Val.Const(8));
            c.SetFlags(FlagsKind.Mul, 1, top, top);
            c.WriteSlot(2, Slot.Rax, product);
            return;
        }

        var low = c.Emit(IrOpcode.Mul, size, Slot.Rax, source);
        var high = size == 2 ? c.Temp() : Slot.Rdx;
        c.Op(IrOpcode.MulHighU, size, high, Slot.Rax, source);
        c.SetFlags(FlagsKind.Mul, size, high, high);
        c.WriteSlot(size, Slot.Rax, low);
        if (size == 2)
            c.WriteSlot(size, Slot.Rdx, high);
    }

    private static void Imul(LiftContext c)
    {
        if (c.Insn.OpCount == 1)
        {
            ImulWide(c);
            return;
        }

        var size = c.OperandSize(0);
        var left = c.Insn.OpCount == 2 ? c.ReadSlot(0) : c.ReadSlot(1);
        var right = c.Insn.OpCount == 2 ? c.Read(1) : c.Read(2);
        var low = size == 2 ? c.Temp() : Registers.Gpr(c.Insn.Op0Register);
        c.Op(IrOpcode.ProductFlags, size, Slot.Void, left, right);
        c.Op(IrOpcode.Mul, size, low, left, right);
        if (size == 2)
            c.WriteRegister(c.Insn.Op0Register, low);
    }

    private static void ImulWide(LiftContext c)
    {
        var size = c.OperandSize(0);
        var source = c.ReadSlot(0);
        if (size == 1)
        {
            var product = c.Emit(IrOpcode.Mul, 2, c.SignExtend(1, 2, Slot.Rax), c.SignExtend(1, 2, source));
            var differs = c.Emit(IrOpcode.Xor, 2, product, c.SignExtend(1, 2, product));
            c.SetFlags(FlagsKind.Mul, 1, c.Emit(IrOpcode.Shr, 2, product, Val.Const(8)), c.Emit(IrOpcode.Shr, 2, differs, Val.Const(8)));
            c.WriteSlot(2, Slot.Rax, product);
            return;
        }

        var low = c.Emit(IrOpcode.Mul, size, Slot.Rax, source);
        var high = c.Emit(IrOpcode.MulHighS, size, Slot.Rax, source);

        // CF = OF = the product does not fit the low half, that is, the high half is not its sign extension.
        var sign = c.Emit(IrOpcode.Sar, size, low, Val.Const((size * 8) - 1));
        c.SetFlags(FlagsKind.Mul, size, high, c.Emit(IrOpcode.Xor, size, high, sign));
        c.WriteSlot(size, Slot.Rax, low);
        c.WriteSlot(size, Slot.Rdx, high);
    }

    // The helper gives the quotient or raises #DE; the remainder follows from it. The flags, undefined, stay.
    private static void Div(LiftContext c)
    {
        var size = c.OperandSize(0);
        var divisor = c.Copy(size, c.ReadSlot(0));
        var quotient = size switch
        {
            1 => c.Call(HelperId.DivU8, c.Copy(2, Slot.Rax), divisor),
            2 => c.Call(HelperId.DivU16, WideDividend(c, 2), divisor),
            4 => c.Call(HelperId.DivU32, WideDividend(c, 4), divisor),
            _ => c.Call(HelperId.DivU64, Slot.Rdx, Slot.Rax, divisor),
        };
        WriteQuotient(c, size, quotient, divisor);
    }

    private static void Idiv(LiftContext c)
    {
        var size = c.OperandSize(0);
        var source = c.ReadSlot(0);
        var divisor = size == 8 ? c.Copy(8, source) : c.SignExtend(size, 8, source);
        var quotient = size switch
        {
            1 => c.Call(HelperId.DivS8, c.SignExtend(2, 8, Slot.Rax), divisor),
            2 => c.Call(HelperId.DivS16, c.SignExtend(4, 8, WideDividend(c, 2)), divisor),
            4 => c.Call(HelperId.DivS32, WideDividend(c, 4), divisor),
            _ => c.Call(HelperId.DivS64, Slot.Rdx, Slot.Rax, divisor),
        };
        WriteQuotient(c, size, quotient, divisor);
    }

    private static ushort WideDividend(LiftContext c, int size) =>
        c.Emit(IrOpcode.Or, size * 2, c.Emit(IrOpcode.Shl, size * 2, Slot.Rdx, Val.Const(size * 8)), c.Copy(size, Slot.Rax));

    private static void WriteQuotient(LiftContext c, int size, ushort quotient, ushort divisor)
    {
        var remainder = c.Emit(IrOpcode.Sub, size, Slot.Rax, c.Emit(IrOpcode.Mul, size, quotient, divisor));
        c.WriteSlot(size, Slot.Rax, quotient);
        if (size == 1)
            c.Op(IrOpcode.InsertHigh, 1, Slot.Rax, Slot.Rax, remainder);
        else
            c.WriteSlot(size, Slot.Rdx, remainder);
    }

    // mulx r1, r2, src: r1:r2 = rDX * src, no flags; r1 wins when both are the same register.
    private static void Mulx(LiftContext c)
    {
        var size = c.OperandSize(0);
        var source = c.ReadSlot(2);
        var low = c.Emit(IrOpcode.Mul, size, Slot.Rdx, source);
        var high = c.Emit(IrOpcode.MulHighU, size, Slot.Rdx, source);
        c.WriteRegister(c.Insn.Op1Register, low);
        c.WriteRegister(c.Insn.Op0Register, high);
    }
}
