using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>cli, sti, pushf and popf of a system: who may change IF, and what happens then (SDM Vol. 2; Vol. 3, 6.8.1).</summary>
internal static unsafe class InterruptFlag
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Cli] = &Cli;
        table[(int)Mnemonic.Sti] = &Sti;
        table[(int)Mnemonic.Pushf] = &Pushf;
        table[(int)Mnemonic.Pushfd] = &Pushf;
        table[(int)Mnemonic.Pushfq] = &Pushf;
        table[(int)Mnemonic.Popf] = &Popf;
        table[(int)Mnemonic.Popfd] = &Popf;
        table[(int)Mnemonic.Popfq] = &Popf;
    }

    private static void Cli(LiftContext c)
    {
        CheckLevel(c);
        c.Op(IrOpcode.And, 4, Slot.Eflags, Slot.Eflags, Val.Const(~Eflags.IF));
    }

    // Only where an interrupt waits is the block left.
    private static void Sti(LiftContext c)
    {
        CheckLevel(c);
        c.CallVoid(HelperId.SetInterruptFlag).Attr |= IrAttr.Trap;
    }

    private static void Pushf(LiftContext c)
    {
        if (c.IsReal)
            CheckLevel(c);
        FlagInstructions.Pushf(c);
    }

    // The block ends: TF, AC or IF may have been set, which the dispatcher looks at.
    private static void Popf(LiftContext c)
    {
        if (c.IsReal)
            CheckLevel(c);
        var size = FlagInstructions.Size(c);
        var value = c.Load(size, c.StackAt(0, size));
        c.CallVoid(HelperId.PopFlags, value, Val.Const(size));
        c.AdjustStack(size);
        c.Exit(ExitCause.Continue);
    }

    private static void CheckLevel(LiftContext c)
    {
        if (!c.IsPrivileged)
            c.CallVoid(HelperId.CheckInterruptFlag);
    }
}
