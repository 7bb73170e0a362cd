using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>Decimal adjustment: daa das aaa aas aam aad (SDM Vol. 2); not in 64-bit code.</summary>
internal static unsafe class Decimal
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Daa] = &Daa;
        table[(int)Mnemonic.Das] = &Das;
        table[(int)Mnemonic.Aaa] = &Aaa;
        table[(int)Mnemonic.Aas] = &Aas;
        table[(int)Mnemonic.Aam] = &Aam;
        table[(int)Mnemonic.Aad] = &Aad;
    }

    private static void Daa(LiftContext c) => Adjust(c, HelperId.Daa, 1);

    private static void Das(LiftContext c) => Adjust(c, HelperId.Das, 1);

    private static void Aaa(LiftContext c) => Adjust(c, HelperId.Aaa, 2);

    private static void Aas(LiftContext c) => Adjust(c, HelperId.Aas, 2);

    private static void Adjust(LiftContext c, HelperId helper, int size)
    {
        var packed = c.Call(helper, c.Copy(size, Slot.Rax), c.GetFlags());
        c.SetFlags(FlagsKind.Explicit, 4, Slot.Zero, c.Emit(IrOpcode.Shr, 4, packed, Val.Const(16)));
        c.WriteSlot(size, Slot.Rax, packed);
    }

    private static void Aam(LiftContext c)
    {
        if (c.Insn.Immediate8 == 0)
        {
            c.Raise(ExceptionVector.DivideError);
            return;
        }

        var result = c.Call(HelperId.Aam, c.Copy(1, Slot.Rax), Val.Const(c.Insn.Immediate8));
        c.SetFlags(FlagsKind.Logic, 1, c.Copy(1, result), Val.Const(0));
        c.WriteSlot(2, Slot.Rax, result);
    }

    private static void Aad(LiftContext c)
    {
        var tens = c.Emit(IrOpcode.Mul, 1, c.Emit(IrOpcode.ExtractHigh, 1, Slot.Zero, Slot.Rax), Val.Const(c.Insn.Immediate8));
        var sum = c.Temp();
        c.EmitFlags(IrOpcode.Add, 1, sum, Slot.Rax, tens);

        // OF, AF and CF are undefined; an 80286 sets the latter two by the addition and OF like CF, and so do we.
        c.MergeFlags(Eflags.OF, c.Emit(IrOpcode.Shl, 4, c.GetCondition(Condition.B), Val.Const(11)));
        c.WriteSlot(2, Slot.Rax, sum);
    }
}
