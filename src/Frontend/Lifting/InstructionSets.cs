using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>What CR0 and CR4 can forbid (SDM Vol. 3, 2.5 and table 13-1).</summary>
public enum InstructionSet
{
    /// <summary>None of these.</summary>
    Other,

    /// <summary>
    /// x87 and fxsave: #NM with CR0.EM or CR0.TS, before the operand's address is looked at. Not wait, which asks itself.
    /// </summary>
    X87,

    /// <summary>Instructions on MMX registers: #UD with CR0.EM, #NM with CR0.TS.</summary>
    Mmx,

    /// <summary>Instructions on XMM registers and MXCSR: #UD with CR0.EM or without CR4.OSFXSR, #NM with CR0.TS.</summary>
    Sse,
}

/// <summary>Instructions in modes in which CR0 or CR4 forbid some.</summary>
internal static class InstructionSets
{
    /// <summary>True when the instruction raises #NM or #UD; then that is lifted.</summary>
    public static bool IsUnavailable(LiftContext c)
    {
        if ((c.Mode & GuestMode.NoFpu) != 0 && IsX87(c.Insn))
        {
            // Before the operand is looked at, which the helper would be too late for.
            c.Raise(ExceptionVector.DeviceNotAvailable);
            return true;
        }

        var set = Of(c.Insn);
        if (set == InstructionSet.Other || (set != InstructionSet.Sse && (c.Mode & GuestMode.NoFpu) == 0))
            return false;
        if (set != InstructionSet.X87)
            c.CallVoid(HelperId.CheckUnavailable, c.Copy(4, Val.Const((int)set)));
        c.Raise(ExceptionVector.DeviceNotAvailable);
        return true;
    }

    // Without wait, which has a rule of its own.
    private static bool IsX87(in Instruction insn)
    {
        if (insn.Mnemonic == Mnemonic.Wait)
            return false;
        foreach (var feature in insn.Code.CpuidFeatures())
            if (feature is CpuidFeature.FPU or CpuidFeature.FPU287 or CpuidFeature.FPU387 or CpuidFeature.FXSR)
                return true;
        return false;
    }

    private static InstructionSet Of(in Instruction insn)
    {
        switch (insn.Mnemonic)
        {
            case Mnemonic.Ldmxcsr or Mnemonic.Stmxcsr:
                return InstructionSet.Sse;
            case Mnemonic.Emms:
                return InstructionSet.Mmx;
            case Mnemonic.Wait:
                return InstructionSet.Other;
        }

        foreach (var extension in insn.CpuidFeatures)
            if (extension is CpuidFeature.FPU or CpuidFeature.FPU287 or CpuidFeature.FPU387 or CpuidFeature.FXSR)
                return InstructionSet.X87;

        var set = InstructionSet.Other;
        for (var i = 0; i < insn.OpCount; i++)
        {
            if (insn.GetOpKind(i) != OpKind.Register)
                continue;
            var register = insn.GetOpRegister(i);
            if (register.IsXMM())
                return InstructionSet.Sse;
            if (register.IsMM())
                set = InstructionSet.Mmx;
        }

        return set;
    }
}
