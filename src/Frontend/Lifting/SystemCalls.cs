using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>syscall, sysret, sysenter, sysexit and hlt of a system: jumps to what a helper says (SDM Vol. 2; Vol. 3, 5.8.7 and 5.8.8).</summary>
internal static unsafe class SystemCalls
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Syscall] = &Syscall;
        table[(int)Mnemonic.Sysret] = &Sysret;
        table[(int)Mnemonic.Sysretq] = &Sysret;
        table[(int)Mnemonic.Sysenter] = &Sysenter;
        table[(int)Mnemonic.Sysexit] = &Sysexit;
        table[(int)Mnemonic.Sysexitq] = &Sysexit;
        table[(int)Mnemonic.Hlt] = &Hlt;
    }

    // Not recognised outside 64-bit code, as on all processors of the vendor that the models name.
    private static void Syscall(LiftContext c)
    {
        if (c.Is64)
            c.JumpIndirect(c.Call(HelperId.SystemCall, c.Copy(8, Val.Const((long)c.NextRip))), JumpKind.Far);
        else
            c.Raise(ExceptionVector.InvalidOpcode);
    }

    private static void Sysret(LiftContext c)
    {
        if (!c.Is64)
            c.Raise(ExceptionVector.InvalidOpcode);
        else if (c.RequirePrivilege())
            Return(c, HelperId.SystemReturn, c.Insn.Mnemonic == Mnemonic.Sysretq);
    }

    private static void Sysenter(LiftContext c)
    {
        if (c.IsReal && c.IsPrivileged)
            c.Raise(ExceptionVector.GeneralProtection);
        else
            c.JumpIndirect(c.Call(HelperId.FastCall), JumpKind.Far);
    }

    private static void Sysexit(LiftContext c)
    {
        if (c.IsReal)
            c.Raise(ExceptionVector.GeneralProtection);
        else if (c.RequirePrivilege())
            Return(c, HelperId.FastReturn, c.Insn.Mnemonic == Mnemonic.Sysexitq);
    }

    private static void Return(LiftContext c, HelperId helper, bool to64) =>
        c.JumpIndirect(c.Call(helper, c.Copy(4, Val.Const(to64 ? 1 : 0))), JumpKind.Far);

    private static void Hlt(LiftContext c)
    {
        if (c.RequirePrivilege())
            c.Exit(ExitCause.Halt);
    }
}
