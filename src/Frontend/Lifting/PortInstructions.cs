using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>in, out, ins and outs of a system: IOPL and the permission bitmap say who may use them (SDM Vol. 1, 19.5).</summary>
internal static unsafe class PortInstructions
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.In] = &In;
        table[(int)Mnemonic.Out] = &Out;
        table[(int)Mnemonic.Insb] = &Ins;
        table[(int)Mnemonic.Insw] = &Ins;
        table[(int)Mnemonic.Insd] = &Ins;
        table[(int)Mnemonic.Outsb] = &Outs;
        table[(int)Mnemonic.Outsw] = &Outs;
        table[(int)Mnemonic.Outsd] = &Outs;
    }

    private static void In(LiftContext c)
    {
        var size = c.Insn.Op0Register.GetSize();
        var port = PrivilegedInstructions.Port(c, 1);
        Check(c, port, size);
        c.WriteSlot(size, Slot.Rax, c.Call(HelperId.PortIn, port, Val.Const(size)));
    }

    private static void Out(LiftContext c)
    {
        var size = c.Insn.Op1Register.GetSize();
        var port = PrivilegedInstructions.Port(c, 0);
        Check(c, port, size);
        c.CallVoid(HelperId.PortOut, port, Val.Const(size), c.Copy(size, Slot.Rax));
    }

    private static void Ins(LiftContext c)
    {
        Check(c, c.Copy(2, Slot.Rdx), c.OperandSize(0));
        Strings.FromPort(c);
    }

    private static void Outs(LiftContext c)
    {
        Check(c, c.Copy(2, Slot.Rdx), c.OperandSize(1));
        Strings.ToPort(c);
    }

    private static void Check(LiftContext c, ushort port, int size)
    {
        if (!c.IsPrivileged)
            c.CallVoid(HelperId.CheckPorts, port, Val.Const(size));
    }
}
