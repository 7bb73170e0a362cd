using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>Control and debug registers of a system: mov, lmsw, smsw, clts, and stac and clac (SDM Vol. 2 and Vol. 3, 2.5).</summary>
internal static unsafe class ControlRegisters
{
    private const int Cr8 = 8;

    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Lmsw] = &Lmsw;
        table[(int)Mnemonic.Smsw] = &Smsw;
        table[(int)Mnemonic.Clts] = &Clts;
        table[(int)Mnemonic.Stac] = &AlignmentFlag;
        table[(int)Mnemonic.Clac] = &AlignmentFlag;
    }

    /// <summary>mov from or to a control, debug or test register.</summary>
    public static void Move(LiftContext c)
    {
        var (to, from) = (c.Insn.Op0Register, c.Insn.Op1Register);
        var isWrite = !to.IsGPR();
        var register = isWrite ? to : from;
        if (Number(register) is not var (number, isDebug))
            c.Raise(ExceptionVector.InvalidOpcode);
        else if (!c.RequirePrivilege())
            return;
        else if (isWrite)
        {
            c.CallVoid(isDebug ? HelperId.WriteDebug : HelperId.WriteControl, Constant(c, number), c.Copy(from.GetSize(), c.ReadRegister(from)));
            c.EndContext();
        }
        else
            c.WriteRegister(to, c.Call(isDebug ? HelperId.ReadDebug : HelperId.ReadControl, Constant(c, number)));
    }

    // The number of a register that exists. Test registers went with the 486.
    private static (int Number, bool IsDebug)? Number(Iced.Intel.Register register) => register switch
    {
        Iced.Intel.Register.CR0 or Iced.Intel.Register.CR2 or Iced.Intel.Register.CR3 or Iced.Intel.Register.CR4 => (register - Iced.Intel.Register.CR0, false),
        Iced.Intel.Register.CR8 => (Cr8, false),
        >= Iced.Intel.Register.DR0 and <= Iced.Intel.Register.DR7 => (register - Iced.Intel.Register.DR0, true),
        _ => null,
    };

    private static void Lmsw(LiftContext c)
    {
        if (!c.RequirePrivilege())
            return;
        c.CallVoid(HelperId.LoadMachineStatus, c.Copy(2, c.Read(0)));
        c.EndContext();
    }

    private static void Smsw(LiftContext c)
    {
        DescriptorTables.CheckUser(c);
        DescriptorTables.WriteShort(c, c.Call(HelperId.ReadControl, Constant(c, 0)));
    }

    private static void Clts(LiftContext c)
    {
        if (!c.RequirePrivilege())
            return;
        c.CallVoid(HelperId.ClearTaskSwitched);
        c.EndContext();
    }

    // #UD, not #GP, outside ring 0. What may be accessed changes.
    private static void AlignmentFlag(LiftContext c)
    {
        if (!c.IsPrivileged || c.IsReal)
        {
            c.Raise(ExceptionVector.InvalidOpcode);
            return;
        }

        c.CallVoid(HelperId.SetAlignmentFlag, Constant(c, c.Insn.Mnemonic == Mnemonic.Stac ? 1 : 0));
        c.EndContext();
    }

    private static ushort Constant(LiftContext c, int value) => c.Copy(4, Val.Const(value));
}
