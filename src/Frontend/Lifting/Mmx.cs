using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>
/// What is particular to MMX instructions: they report a pending x87 exception, then set TOP to 0 and mark all registers valid
/// (SDM Vol. 1, 9.5.1; Vol. 3, 12.2).
/// </summary>
internal static class Mmx
{
    /// <summary>True when operand <paramref name="index"/> is an MMX register.</summary>
    public static bool IsRegister(LiftContext c, int index) =>
        c.Insn.GetOpKind(index) == OpKind.Register && c.Insn.GetOpRegister(index).IsMM();

    /// <summary>
    /// The transition, unless it was certainly made before in this block. It follows the instruction's memory access and precedes the
    /// rest: as on the host CPU it stays made when the operation raises a SIMD floating-point exception.
    /// </summary>
    public static void Enter(LiftContext c)
    {
        if (!IsEntered(c))
            c.Call(HelperId.MmxEnter);
    }

    /// <summary>
    /// The cell of operand <paramref name="index"/>, an XMM or MMX register or a temporary that memory is loaded into, and then the
    /// transition. A pending x87 exception is reported before a fault of the load.
    /// </summary>
    public static ushort Enter(LiftContext c, int index)
    {
        if (!c.IsMemory(index))
        {
            Enter(c);
            var register = c.Insn.GetOpRegister(index);
            return register.IsMM() ? Registers.Mm(register) : Registers.Xmm(register);
        }

        Check(c);
        var size = c.OperandSize(index);
        var t = c.VTemp();
        c.VLoad(size, t, c.MemoryOperand(size), aligned: size == 16);
        Enter(c);
        return t;
    }

    /// <summary>The report of a pending x87 exception, unless there certainly is none.</summary>
    public static void Check(LiftContext c)
    {
        if (!IsEntered(c))
            c.Call(HelperId.MmxCheck);
    }

    /// <summary>
    /// Precedes the store of an MMX register: the report of a pending x87 exception, then TOP = 0, which as on the host CPU stays when the
    /// store faults. The rest of the transition follows the store.
    /// </summary>
    public static void BeginStore(LiftContext c)
    {
        if (!IsEntered(c))
            c.Call(HelperId.MmxClearTop);
    }

    /// <summary>The destination register (operand 0) = low half of a cell.</summary>
    public static void Write(LiftContext c, ushort value) =>
        c.Op(IrOpcode.VMovMmx, 8, Registers.Mm(c.Insn.Op0Register), Slot.Zero, value);

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
