using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>
/// Model-specific registers, the FS and GS bases, counters, and what invalidates caches and translations, as a system has them (SDM Vol. 2).
/// </summary>
internal static unsafe class ModelRegisters
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Rdmsr] = &Rdmsr;
        table[(int)Mnemonic.Wrmsr] = &Wrmsr;
        table[(int)Mnemonic.Rdpmc] = &Rdpmc;
        table[(int)Mnemonic.Rdtsc] = &Rdtsc;
        table[(int)Mnemonic.Rdtscp] = &Rdtscp;
        table[(int)Mnemonic.Swapgs] = &Swapgs;
        table[(int)Mnemonic.Rdfsbase] = &Base;
        table[(int)Mnemonic.Rdgsbase] = &Base;
        table[(int)Mnemonic.Wrfsbase] = &Base;
        table[(int)Mnemonic.Wrgsbase] = &Base;
        table[(int)Mnemonic.Invlpg] = &Invlpg;
        table[(int)Mnemonic.Invd] = &Caches;
        table[(int)Mnemonic.Wbinvd] = &Caches;
        table[(int)Mnemonic.Wbnoinvd] = &Caches;
    }

    private static void Rdmsr(LiftContext c)
    {
        if (!c.RequirePrivilege())
            return;
        var value = c.Call(HelperId.ReadModelRegister, c.Copy(4, Slot.Rcx));
        c.WriteSlot(4, Slot.Rax, value);
        c.Op(IrOpcode.Shr, 8, Slot.Rdx, value, Val.Const(32));
    }

    private static void Wrmsr(LiftContext c)
    {
        if (!c.RequirePrivilege())
            return;
        var high = c.Emit(IrOpcode.Shl, 8, Slot.Rdx, Val.Const(32));
        var value = c.Emit(IrOpcode.Or, 8, high, c.Copy(4, Slot.Rax));
        c.CallVoid(HelperId.WriteModelRegister, c.Copy(4, Slot.Rcx), value);
        c.EndContext();
    }

    // No counter exists.
    private static void Rdpmc(LiftContext c) => c.Raise(ExceptionVector.GeneralProtection);

    private static void Rdtsc(LiftContext c)
    {
        if (!c.IsPrivileged)
            c.CallVoid(HelperId.CheckTimeStamp);
        SystemInstructions.Rdtsc(c);
    }

    private static void Rdtscp(LiftContext c)
    {
        if (!c.IsPrivileged)
            c.CallVoid(HelperId.CheckTimeStamp);
        var number = c.Call(HelperId.TimeStampAux);
        SystemInstructions.Rdtsc(c);
        c.WriteSlot(4, Slot.Rcx, number);
    }

    private static void Swapgs(LiftContext c)
    {
        if (!c.Is64)
            c.Raise(ExceptionVector.InvalidOpcode);
        else if (c.RequirePrivilege())
            c.CallVoid(HelperId.SwapGs);
    }

    private static void Base(LiftContext c)
    {
        c.CallVoid(HelperId.CheckFsGsBase);
        if (c.Insn.Mnemonic is Mnemonic.Rdfsbase or Mnemonic.Rdgsbase)
            Segments.ReadBase(c);
        else
            Segments.WriteBase(c);
    }

    // The operand's segment counts, its limit does not.
    private static void Invlpg(LiftContext c)
    {
        if (!c.RequirePrivilege())
            return;
        c.CallVoid(HelperId.InvalidatePage, c.LinearAddress(c.MemoryOperand(0)));
        c.EndContext();
    }

    // There are no caches that software could see.
    private static void Caches(LiftContext c) => c.RequirePrivilege();
}
