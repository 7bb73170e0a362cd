using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>Interrupts, system calls, identification, clocks, hints and instructions that are always invalid (SDM Vol. 2).</summary>
internal static unsafe class SystemInstructions
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Int] = &Int;
        table[(int)Mnemonic.Int3] = &Int3;
        table[(int)Mnemonic.Int1] = &Int1;
        table[(int)Mnemonic.Into] = &Into;
        table[(int)Mnemonic.Syscall] = &Syscall;
        table[(int)Mnemonic.Sysenter] = &Sysenter;
        table[(int)Mnemonic.Cpuid] = &Cpuid;
        table[(int)Mnemonic.Rdtsc] = &Rdtsc;
        table[(int)Mnemonic.Rdtscp] = &Rdtscp;
        Mnemonic[] hints =
        [
            Mnemonic.Pause, Mnemonic.Prefetchnta, Mnemonic.Prefetcht0, Mnemonic.Prefetcht1, Mnemonic.Prefetcht2,
            Mnemonic.Prefetchw, Mnemonic.Prefetchwt1, Mnemonic.Prefetch, Mnemonic.Reservednop, Mnemonic.Cldemote,
            Mnemonic.Rdsspd, Mnemonic.Rdsspq, Mnemonic.Prefetchit0, Mnemonic.Prefetchit1,
            Mnemonic.Bndmk, Mnemonic.Bndcl, Mnemonic.Bndcu, Mnemonic.Bndcn, Mnemonic.Bndmov, Mnemonic.Bndldx, Mnemonic.Bndstx,
        ];
        foreach (var m in hints)
            table[(int)m] = &Nothing;
        table[(int)Mnemonic.Clflush] = &Clflush;
    }

    private static void Int(LiftContext c) => Exit(c, c.Insn.Immediate8, InterruptForm.Int);

    private static void Int3(LiftContext c) => Exit(c, ExceptionVector.Breakpoint, InterruptForm.Trap);

    private static void Int1(LiftContext c) => Exit(c, ExceptionVector.Debug, InterruptForm.Debug);

    private static void Into(LiftContext c) =>
        c.CallVoid(HelperId.Into, b: Val.Const(Detail(c, ExceptionVector.Overflow, InterruptForm.Trap))).Attr |= IrAttr.Trap;

    private static void Exit(LiftContext c, int vector, InterruptForm form) => c.Exit(ExitCause.SoftwareInterrupt, Detail(c, vector, form));

    private static long Detail(LiftContext c, int vector, InterruptForm form) => new SoftwareInterrupt(vector, c.Insn.Length, form).Bits;

    private static void Syscall(LiftContext c)
    {
        if (c.Is64)
            c.Exit(ExitCause.Syscall);
        else
            c.Raise(ExceptionVector.InvalidOpcode);
    }

    private static void Sysenter(LiftContext c)
    {
        if (c.IsReal)
            c.Raise(ExceptionVector.GeneralProtection);
        else
            c.Exit(ExitCause.Sysenter);
    }

    // A serialising instruction: code that another thread has written is seen after it, so it goes through the dispatcher.
    private static void Cpuid(LiftContext c)
    {
        c.CallVoid(HelperId.Cpuid);
        c.Exit(ExitCause.Continue);
    }

    /// <summary>rdtsc by code that may use it.</summary>
    public static void Rdtsc(LiftContext c)
    {
        var ticks = c.Call(HelperId.TimeStamp);
        c.WriteSlot(4, Slot.Rax, ticks);
        c.Op(IrOpcode.Shr, 8, Slot.Rdx, ticks, Val.Const(32));
    }

    // TSC_AUX is 0: CPU 0 of node 0.
    private static void Rdtscp(LiftContext c)
    {
        Rdtsc(c);
        c.WriteSlot(4, Slot.Rcx, Val.Const(0));
    }

    // Hints, and encodings of the hint space that newer processors gave a meaning: without the feature they do nothing, not even access
    // their operand.
    private static void Nothing(LiftContext c)
    {
    }

    // Faults as a byte load does; nothing to flush.
    private static void Clflush(LiftContext c) => c.Load(1, c.MemoryOperand(1));
}
