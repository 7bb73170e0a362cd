using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>Segment registers, control registers, far transfers, interrupts and system calls (SDM Vol. 2; Vol. 3, ch. 5 and 6).</summary>
internal static unsafe class SystemInstructions
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Int] = &Int;
        table[(int)Mnemonic.Int3] = &Int;
        table[(int)Mnemonic.Syscall] = &Syscall;
        table[(int)Mnemonic.Sysenter] = &Sysenter;
        table[(int)Mnemonic.Hlt] = &Hlt;
        table[(int)Mnemonic.Ud2] = &Ud;
    }

    /// <summary>True for far jumps and calls.</summary>
    public static bool IsFar(in Instruction insn) =>
        insn.Op0Kind is OpKind.FarBranch16 or OpKind.FarBranch32 || insn.IsJmpFarIndirect || insn.IsCallFarIndirect;

    private static void Int(LiftContext c) =>
        c.Exit(ExitCause.SoftwareInterrupt, c.Insn.Mnemonic == Mnemonic.Int3 ? ExceptionVector.Breakpoint : c.Insn.Immediate8);

    private static void Syscall(LiftContext c)
    {
        if (c.Is64)
            c.Exit(ExitCause.Syscall);
        else
            c.Raise(ExceptionVector.InvalidOpcode);
    }

    private static void Sysenter(LiftContext c) => c.Exit(ExitCause.Sysenter);

    private static void Hlt(LiftContext c)
    {
        if ((c.Mode & Decoding.GuestMode.User) != 0)
            c.Raise(ExceptionVector.GeneralProtection);
        else
            c.Exit(ExitCause.Halt);
    }

    private static void Ud(LiftContext c) => c.Raise(ExceptionVector.InvalidOpcode);

    /// <summary>mov sreg, r/m16.</summary>
    public static void MovToSegment(LiftContext c) => c.Raise(ExceptionVector.InvalidOpcode);

    /// <summary>mov from a segment, control or debug register.</summary>
    public static void MovFromSpecial(LiftContext c) => c.Raise(ExceptionVector.InvalidOpcode);

    /// <summary>mov to a control or debug register.</summary>
    public static void MovToSpecial(LiftContext c) => c.Raise(ExceptionVector.InvalidOpcode);

    /// <summary>push sreg.</summary>
    public static void PushSegment(LiftContext c, int size) => c.Raise(ExceptionVector.InvalidOpcode);

    /// <summary>pop sreg.</summary>
    public static void PopSegment(LiftContext c, int size) => c.Raise(ExceptionVector.InvalidOpcode);

    /// <summary>jmp far.</summary>
    public static void FarJump(LiftContext c) => c.Raise(ExceptionVector.InvalidOpcode);

    /// <summary>call far.</summary>
    public static void FarCall(LiftContext c) => c.Raise(ExceptionVector.InvalidOpcode);
}
