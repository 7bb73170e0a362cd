using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>
/// Instructions of ring 0, which raise #GP(0) in user code, and the few that user code may use to look at system registers. At ring 0 hlt,
/// in and out work; what needs control registers, descriptor tables or model-specific registers raises #UD there, for this CPU core
/// has none of these outside a system VM.
/// </summary>
internal static unsafe class PrivilegedInstructions
{
    // What Linux answers for CR0 to user code on a CPU with UMIP: PE MP ET NE WP AM PG.
    private const long MachineStatus = 0x80050033;
    private const long TaskSelector = 0x40;
    private const long GdtBase = unchecked((long)0xFFFFFFFFFFFE0000);
    private const long IdtBase = unchecked((long)0xFFFFFFFFFFFF0000);

    public static void Register(delegate*<LiftContext, void>[] table)
    {
        Mnemonic[] privileged =
        [
            Mnemonic.Clts, Mnemonic.Lmsw, Mnemonic.Lgdt, Mnemonic.Lidt, Mnemonic.Invd, Mnemonic.Wbinvd, Mnemonic.Invlpg,
            Mnemonic.Rdmsr, Mnemonic.Wrmsr, Mnemonic.Rdpmc, Mnemonic.Sysexit, Mnemonic.Sysexitq,
            Mnemonic.Swapgs, Mnemonic.Wbnoinvd,
        ];
        foreach (var m in privileged)
            table[(int)m] = &Privileged;
        table[(int)Mnemonic.Sysret] = &ReturnFromSyscall;
        table[(int)Mnemonic.Sysretq] = &ReturnFromSyscall;
        table[(int)Mnemonic.Lldt] = &PrivilegedProtected;
        table[(int)Mnemonic.Ltr] = &PrivilegedProtected;
        table[(int)Mnemonic.Sldt] = &Table;
        table[(int)Mnemonic.Str] = &Table;
        table[(int)Mnemonic.Smsw] = &Smsw;
        table[(int)Mnemonic.Sgdt] = &DescriptorTable;
        table[(int)Mnemonic.Sidt] = &DescriptorTable;
        table[(int)Mnemonic.Hlt] = &Hlt;
        table[(int)Mnemonic.In] = &In;
        table[(int)Mnemonic.Out] = &Out;
    }

    /// <summary>mov from or to a control, debug or test register.</summary>
    public static void Privileged(LiftContext c) =>
        c.Raise(c.IsUser ? ExceptionVector.GeneralProtection : ExceptionVector.InvalidOpcode);

    // Not recognised in real-address mode.
    private static void PrivilegedProtected(LiftContext c) =>
        c.Raise(c.IsUser && !c.IsReal ? ExceptionVector.GeneralProtection : ExceptionVector.InvalidOpcode);

    // Not recognised outside 64-bit code (SDM Vol. 2, SYSRET).
    private static void ReturnFromSyscall(LiftContext c)
    {
        if (c.Is64)
            Privileged(c);
        else
            c.Raise(ExceptionVector.InvalidOpcode);
    }

    private static void Hlt(LiftContext c)
    {
        if (c.IsUser)
            c.Raise(ExceptionVector.GeneralProtection);
        else
            c.Exit(ExitCause.Halt);
    }

    // sldt and str; the selector that Linux gives the task register of user code.
    private static void Table(LiftContext c)
    {
        if (c.IsReal)
            c.Raise(ExceptionVector.InvalidOpcode);
        else if (c.Insn.Mnemonic == Mnemonic.Sldt)
            WriteShort(c, c.Call(HelperId.LocalTableSelector));
        else
            WriteShort(c, Val.Const(c.IsUser ? TaskSelector : 0));
    }

    private static void Smsw(LiftContext c) => WriteShort(c, Val.Const(c.IsReal ? 0x10 : MachineStatus));

    private static void WriteShort(LiftContext c, Val value)
    {
        if (c.IsMemory(0))
            StoreTable(c, 2, value);
        else if (c.IsUser && c.Is64 && c.Insn.Op0Register.GetSize() == 4)
        {
            // As Linux answers for the CPU: the upper half stays.
            var slot = Registers.Gpr(c.Insn.Op0Register);
            c.Op(IrOpcode.Or, 8, slot, c.Emit(IrOpcode.And, 8, slot, Val.Const(unchecked((long)0xFFFFFFFF00000000))), value);
        }
        else
            c.WriteRegister(c.Insn.Op0Register, value);
    }

    // Limit 0, and a base of the kind that Linux shows to user code.
    private static void DescriptorTable(LiftContext c)
    {
        var size = c.Is64 ? 8 : 4;
        var value = c.IsReal ? 0 : c.Insn.Mnemonic == Mnemonic.Sgdt ? GdtBase : IdtBase;
        StoreTable(c, size + 2, Val.Const(value));
    }

    private static void StoreTable(LiftContext c, int size, Val value)
    {
        var address = c.MemoryOperand(size);
        c.CallVoid(HelperId.StoreTable, c.LinearAddress(address), value, c.Copy(4, Val.Const(size | ((int)address.Intent << 8))));
    }

    private static void In(LiftContext c)
    {
        if (c.IsUser)
        {
            c.Raise(ExceptionVector.GeneralProtection);
            return;
        }

        var size = c.Insn.Op0Register.GetSize();
        c.WriteSlot(size, Slot.Rax, c.Call(HelperId.PortIn, Port(c, 1), Val.Const(size)));
    }

    private static void Out(LiftContext c)
    {
        if (c.IsUser)
        {
            c.Raise(ExceptionVector.GeneralProtection);
            return;
        }

        var size = c.Insn.Op1Register.GetSize();
        c.CallVoid(HelperId.PortOut, Port(c, 0), Val.Const(size), c.Copy(size, Slot.Rax));
    }

    /// <summary>The port that an operand names.</summary>
    public static ushort Port(LiftContext c, int index) =>
        c.Insn.GetOpKind(index) == OpKind.Register ? c.Copy(2, Slot.Rdx) : c.Copy(2, Val.Const(c.Insn.Immediate8));
}
