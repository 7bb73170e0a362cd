using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>
/// What is particular to MMX instructions: they report a pending x87 exception, then set TOP to 0 and mark all registers valid
/// (SDM Vol. 1, 9.5.1; Vol. 3, 12.2). The transition changes state, so it follows the instruction's memory access.
/// </summary>
internal static class Mmx
{
    /// <summary>True when operand <paramref name="index"/> is an MMX register.</summary>
    public static bool IsRegister(LiftContext c, int index) =>
        c.Insn.GetOpKind(index) == OpKind.Register && c.Insn.GetOpRegister(index).IsMM();

    /// <summary>
    /// Starts an MMX instruction: the check for a pending x87 exception, if something that can fault follows before <see cref="Enter"/>.
    /// Returns true when the transition was certainly made before in this block, and is not needed.
    /// </summary>
    public static bool Prepare(LiftContext c, bool canFault)
    {
        if (IsEntered(c))
            return true;
        if (canFault)
            c.Call(HelperId.MmxCheck);
        return false;
    }

    /// <summary>The transition; nothing after it may fault.</summary>
    public static void Enter(LiftContext c, bool entered)
    {
        if (!entered)
            c.Call(HelperId.MmxEnter);
    }

    /// <summary>The cell of an MMX operand, or of a temporary that a memory operand is loaded into.</summary>
    public static ushort Source(LiftContext c, int index)
    {
        if (!c.IsMemory(index))
            return Registers.Mm(c.Insn.GetOpRegister(index));
        var size = c.OperandSize(index);
        var t = c.VTemp();
        c.VLoad(size, t, c.MemoryOperand(size));
        return t;
    }

    /// <summary>The transition, then the destination register (operand 0) = low half of a cell.</summary>
    public static void Write(LiftContext c, bool entered, ushort value)
    {
        Enter(c, entered);
        c.Op(IrOpcode.VMovMmx, 8, Registers.Mm(c.Insn.Op0Register), Slot.Zero, value);
    }

    // A block is left at a fault and entered only at its start, so an MMX instruction before this one in the block made the transition,
    // unless something between them touched the x87 state. Only instructions known not to are looked across.
    private static bool IsEntered(LiftContext c)
    {
        for (var i = c.Block.InstructionCount - 1; i >= 0; i--)
        {
            ref readonly var insn = ref c.Block.Instructions[i];
            if (HasMmxOperand(insn))
                return true;
            if (insn.Mnemonic == Mnemonic.Emms || !IsFreeOfX87(insn))
                return false;
        }

        return false;
    }

    private static bool HasMmxOperand(in Instruction insn)
    {
        for (var i = 0; i < insn.OpCount; i++)
            if (insn.GetOpKind(i) == OpKind.Register && insn.GetOpRegister(i).IsMM())
                return true;
        return false;
    }

    private static bool IsFreeOfX87(in Instruction insn)
    {
        foreach (var feature in insn.Code.CpuidFeatures())
        {
            var isFree = feature is CpuidFeature.INTEL8086 or CpuidFeature.INTEL186 or CpuidFeature.INTEL286 or CpuidFeature.INTEL386
                or CpuidFeature.INTEL486 or CpuidFeature.X64 or CpuidFeature.CMOV or CpuidFeature.SSE or CpuidFeature.SSE2
                or CpuidFeature.SSE3 or CpuidFeature.SSSE3 or CpuidFeature.SSE4_1 or CpuidFeature.SSE4_2 or CpuidFeature.POPCNT
                or CpuidFeature.BMI1 or CpuidFeature.BMI2 or CpuidFeature.LZCNT or CpuidFeature.MOVBE or CpuidFeature.MULTIBYTENOP;
            if (!isFree)
                return false;
        }

        return true;
    }
}
