using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>Instructions on EFLAGS: clc stc cmc cld std cli sti lahf sahf salc pushf popf (SDM Vol. 2).</summary>
internal static unsafe class FlagInstructions
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Clc] = &Clc;
        table[(int)Mnemonic.Stc] = &Stc;
        table[(int)Mnemonic.Cmc] = &Cmc;
        table[(int)Mnemonic.Cld] = &Cld;
        table[(int)Mnemonic.Std] = &Std;
        table[(int)Mnemonic.Cli] = &Cli;
        table[(int)Mnemonic.Sti] = &Sti;
        table[(int)Mnemonic.Lahf] = &Lahf;
        table[(int)Mnemonic.Sahf] = &Sahf;
        table[(int)Mnemonic.Salc] = &Salc;
        table[(int)Mnemonic.Pushf] = &Pushf;
        table[(int)Mnemonic.Pushfd] = &Pushf;
        table[(int)Mnemonic.Pushfq] = &Pushf;
        table[(int)Mnemonic.Popf] = &Popf;
        table[(int)Mnemonic.Popfd] = &Popf;
        table[(int)Mnemonic.Popfq] = &Popf;
    }

    private static void Clc(LiftContext c) => c.SetCarry(Val.Const(0));

    private static void Stc(LiftContext c) => c.SetCarry(Val.Const(1));

    private static void Cmc(LiftContext c) => c.SetCarry(c.GetCondition(Condition.Ae));

    private static void Cld(LiftContext c) => Clear(c, Eflags.DF);

    private static void Std(LiftContext c) => Set(c, Eflags.DF);

    // At ring 3 with IOPL 0, which is what user code here has, cli and sti raise #GP(0).
    private static void Cli(LiftContext c)
    {
        if (c.IsUser)
            c.Raise(ExceptionVector.GeneralProtection);
        else
            Clear(c, Eflags.IF);
    }

    private static void Sti(LiftContext c)
    {
        if (c.IsUser)
            c.Raise(ExceptionVector.GeneralProtection);
        else
            Set(c, Eflags.IF);
    }

    private static void Lahf(LiftContext c)
    {
        var flags = c.Emit(IrOpcode.And, 4, c.GetFlags(), Val.Const(Eflags.SF | Eflags.ZF | Eflags.AF | Eflags.PF | Eflags.CF));
        c.Op(IrOpcode.InsertHigh, 1, Slot.Rax, Slot.Rax, c.Emit(IrOpcode.Or, 4, flags, Val.Const(2)));
    }

    private static void Sahf(LiftContext c)
    {
        var ah = c.Emit(IrOpcode.ExtractHigh, 1, Slot.Zero, Slot.Rax);
        c.MergeFlags(Eflags.SF | Eflags.ZF | Eflags.AF | Eflags.PF | Eflags.CF, ah);
    }

    private static void Salc(LiftContext c) =>
        c.WriteSlot(1, Slot.Rax, c.Emit(IrOpcode.Neg, 1, Slot.Zero, c.GetCondition(Condition.B)));

    /// <summary>pushf by code that may use it: RF and VM are pushed as 0.</summary>
    public static void Pushf(LiftContext c)
    {
        var size = Size(c);
        var all = c.Emit(IrOpcode.Or, 4, c.Emit(IrOpcode.And, 4, Slot.Eflags, Val.Const(0xFCFFFF)), c.GetFlags());
        c.Push(size, all);
    }

    // The block ends: TF or IF may have been set, which the dispatcher looks at.
    private static void Popf(LiftContext c)
    {
        var size = Size(c);
        var value = c.Load(size, c.StackAt(0, size));
        var mask = Changeable(c, size);
        c.AdjustStack(size);
        var kept = c.Emit(IrOpcode.And, 4, Slot.Eflags, Val.Const(unchecked((uint)~mask & ~Eflags.RF)));
        c.Op(IrOpcode.Or, 4, Slot.Eflags, kept, c.Emit(IrOpcode.And, 4, value, Val.Const(mask & ~Eflags.Status)));
        c.SetFlags(FlagsKind.Explicit, 4, Slot.Zero, c.Emit(IrOpcode.And, 4, value, Val.Const(Eflags.Status)));
        c.Exit(ExitCause.Continue);
    }

    // SDM Vol. 2, POPF, table "Effect of POPF/POPFD on the EFLAGS register": IOPL needs ring 0, IF ring <= IOPL; VM, VIF and VIP never change
    // (at ring 0 VIF and VIP are cleared, but nothing here sets them).
    private static uint Changeable(LiftContext c, int size)
    {
        var mask = Eflags.Status | Eflags.TF | Eflags.DF | Eflags.NT;
        if (!c.IsUser)
            mask |= Eflags.IF | Eflags.IopL;
        return size == 2 ? mask : mask | Eflags.AC | Eflags.Id;
    }

    /// <summary>Operand size of pushf and popf.</summary>
    public static int Size(LiftContext c) => c.Insn.Mnemonic switch
    {
        Mnemonic.Pushf or Mnemonic.Popf => 2,
        Mnemonic.Pushfd or Mnemonic.Popfd => 4,
        _ => 8,
    };

    private static void Set(LiftContext c, uint flag) => c.Op(IrOpcode.Or, 4, Slot.Eflags, Slot.Eflags, Val.Const(flag));

    private static void Clear(LiftContext c, uint flag) => c.Op(IrOpcode.And, 4, Slot.Eflags, Slot.Eflags, Val.Const(~flag));
}
