using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>x87 stack management, control and environment instructions, and FXSAVE and FXRSTOR (SDM Vol. 1, 8.1, 8.3.9, 10.5).</summary>
internal static unsafe class X87Control
{
    // Numbers of the runtime's X87EnvironmentFormat.
    private const int Protected16 = 0;
    private const int Real16 = 1;
    private const int Protected32 = 2;
    private const int Real32 = 3;

    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Fincstp] = &Fincstp;
        table[(int)Mnemonic.Fdecstp] = &Fdecstp;
        table[(int)Mnemonic.Ffree] = &Ffree;
        table[(int)Mnemonic.Ffreep] = &Ffreep;
        table[(int)Mnemonic.Fnop] = &Fnop;
        table[(int)Mnemonic.Wait] = &Wait;
        table[(int)Mnemonic.Fninit] = &Fninit;
        table[(int)Mnemonic.Fnclex] = &Fnclex;
        table[(int)Mnemonic.Fneni] = &Ignored;
        table[(int)Mnemonic.Fndisi] = &Ignored;
        table[(int)Mnemonic.Fnsetpm] = &Ignored;
        table[(int)Mnemonic.Fldcw] = &Fldcw;
        table[(int)Mnemonic.Fnstcw] = &Fnstcw;
        table[(int)Mnemonic.Fnstsw] = &Fnstsw;
        table[(int)Mnemonic.Fnstenv] = &Fnstenv;
        table[(int)Mnemonic.Fldenv] = &Fldenv;
        table[(int)Mnemonic.Fnsave] = &Fnsave;
        table[(int)Mnemonic.Frstor] = &Frstor;
        table[(int)Mnemonic.Fxsave] = &Fxsave;
        table[(int)Mnemonic.Fxsave64] = &Fxsave;
        table[(int)Mnemonic.Fxrstor] = &Fxrstor;
        table[(int)Mnemonic.Fxrstor64] = &Fxrstor;
    }

    private static void Fincstp(LiftContext c) => X87.CallRegister(c, HelperId.X87Fincstp);

    private static void Fdecstp(LiftContext c) => X87.CallRegister(c, HelperId.X87Fdecstp);

    private static void Ffree(LiftContext c) => X87.CallRegister(c, HelperId.X87Ffree);

    private static void Ffreep(LiftContext c) => X87.CallRegister(c, HelperId.X87Ffreep);

    private static void Fnop(LiftContext c) => X87.CallRegister(c, HelperId.X87Fnop);

    private static void Wait(LiftContext c) => c.Call(HelperId.X87Fwait);

    private static void Fninit(LiftContext c) => c.Call(HelperId.X87Fninit);

    private static void Fnclex(LiftContext c) => c.Call(HelperId.X87Fnclex);

    // FENI, FDISI and FSETPM of the 8087 and 80287 do nothing on later CPUs (SDM Vol. 3, 23.18.9); reading the status checks for #NM.
    private static void Ignored(LiftContext c) => c.Call(HelperId.X87ReadStatus);

    private static void Fldcw(LiftContext c) => Memory(c, HelperId.X87Fldcw, 2, 0);

    private static void Fnstcw(LiftContext c) => c.Write(0, c.Call(HelperId.X87ReadControl));

    private static void Fnstsw(LiftContext c) => c.Write(0, c.Call(HelperId.X87ReadStatus));

    private static void Fnstenv(LiftContext c) => Image(c, HelperId.X87Fnstenv, 0);

    private static void Fldenv(LiftContext c) => Image(c, HelperId.X87Fldenv, 0);

    private static void Fnsave(LiftContext c) => Image(c, HelperId.X87Fnsave, 80);

    private static void Frstor(LiftContext c) => Image(c, HelperId.X87Frstor, 80);

    private static void Image(LiftContext c, HelperId helper, int registers)
    {
        var narrow = c.Insn.MemorySize is MemorySize.FpuEnv14 or MemorySize.FpuState94;
        var real = (c.Mode & GuestMode.Real) != 0;
        var format = narrow ? real ? Real16 : Protected16 : real ? Real32 : Protected32;
        Memory(c, helper, (narrow ? 14 : 28) + registers, format);
    }

    private static void Memory(LiftContext c, HelperId helper, int size, int form)
    {
        var address = c.MemoryOperand(size);
        c.Call(helper, c.LinearAddress(address), Val.Const((uint)form | X87.StackBit(address)));
    }

    private static void Fxsave(LiftContext c) => Memory(c, HelperId.X87Fxsave, 512, FxForm(c));

    // MXCSR decides how the code that follows is lifted.
    private static void Fxrstor(LiftContext c)
    {
        Memory(c, HelperId.X87Fxrstor, 512, FxForm(c));
        c.Exit(ExitCause.Continue);
    }

    private static int FxForm(LiftContext c)
    {
        var wide = c.Insn.Mnemonic is Mnemonic.Fxsave64 or Mnemonic.Fxrstor64 ? 1 : 0;
        return wide | (c.Is64 ? 2 : 0);
    }
}
