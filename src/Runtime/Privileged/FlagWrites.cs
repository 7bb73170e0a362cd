using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Privileged;

/// <summary>Writes of EFLAGS by sti, popf, stac and clac, and what they let happen (SDM Vol. 2; Vol. 3, 6.8.1).</summary>
public static unsafe class FlagWrites
{
    /// <summary>Bit of <see cref="SystemRegisters.InterruptShadow"/>: sti.</summary>
    public const byte StiShadow = 1;

    /// <summary>Bit of <see cref="SystemRegisters.InterruptShadow"/>: a load of SS, which puts off #DB and NMI, too.</summary>
    public const byte StackShadow = 2;

    /// <summary>
    /// sti. When IF was clear the next instruction runs before an interrupt is taken. The shadow is not taken back when that has run: a shadow from before
    /// only lets one instruction more pass.
    /// </summary>
    public static void SetInterruptFlag(CpuState* s)
    {
        if ((s->Slots[Slot.Eflags] & Eflags.IF) != 0)
            return;
        s->Slots[Slot.Eflags] |= Eflags.IF;
        s->System.InterruptShadow |= StiShadow;
        if (s->Execution.InterruptPending == 0)
            return;
        CpuAccess.InterruptsAllowed(s);
        s->Execution.ExceptionVector = ExecutionState.LeaveAfter;
    }

    /// <summary>
    /// popf of 2, 4 or 8 bytes: IOPL needs ring 0, IF a level within IOPL; VM, VIF and VIP never change, and RF is cleared (SDM Vol. 2, POPF, tables).
    /// </summary>
    public static void PopFlags(CpuState* s, ulong value, int size)
    {
        var mask = Eflags.Status | Eflags.TF | Eflags.DF | Eflags.NT;
        var level = CodeModes.PrivilegeLevel(s);
        if (level == 0)
            mask |= Eflags.IopL;
        if (level <= IoPermissions.Level(s))
            mask |= Eflags.IF;
        if (size > 2)
            mask |= Eflags.AC | Eflags.Id;
        Replace(s, mask, (uint)value);
        s->Slots[Slot.Eflags] &= ~(ulong)Eflags.RF;
    }

    /// <summary>stac and clac.</summary>
    public static void SetAlignmentFlag(CpuState* s, bool isSet) => Replace(s, Eflags.AC, isSet ? Eflags.AC : 0);

    /// <summary>Replaces the flags in a mask, and asks for what that allows.</summary>
    public static void Replace(CpuState* s, uint mask, uint value)
    {
        var old = CpuAccess.GetEflags(s);
        var flags = (old & ~mask) | (value & mask);
        CpuAccess.SetEflags(s, flags);
        Changed(s, old, flags);
    }

    /// <summary>To be called when EFLAGS have been written: who looks at IF, AC and TF only now and then has to look again.</summary>
    public static void Changed(CpuState* s, uint old, uint flags)
    {
        if ((flags & ~old & Eflags.IF) != 0)
            CpuAccess.InterruptsAllowed(s);
        if (((flags ^ old) & Eflags.AC) != 0)
            TranslationControl.UserAccessChanged(s);
        var isChecked = (flags & Eflags.AC) != 0 && CpuAccess.Mode(s).IsUser();
        if ((flags & Eflags.TF) != 0 || isChecked)
            Interlocked.Or(ref s->Execution.ExitRequest, (int)ExitRequests.Invalidation);
    }
}
