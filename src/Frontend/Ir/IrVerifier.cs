using DynaTrans.Frontend.Decoding;

namespace DynaTrans.Frontend.Ir;

/// <summary>
/// Checks what executors rely on in a lifted block: sizes, operands in range, temporaries assigned once and before use within one guest
/// instruction, nothing that can fault after a change the guest can see, one block end, at the end. Tests use it, and in debug builds every lifted block
/// and every block of a region goes through it, after the passes too.
/// </summary>
public static class IrVerifier
{
    /// <summary>The first violation in <paramref name="block"/>, with the op as text; null when there is none.</summary>
    /// <param name="block">The block.</param>
    /// <param name="mayFault">Says whether a helper may raise an exception; null: all may.</param>
    /// <param name="endsBlock">Says whether the block must end with the instruction that calls a helper; null: none asks for it.</param>
    public static string? FirstViolation(IrBlock block, Func<HelperId, bool>? mayFault = null, Func<HelperId, bool>? endsBlock = null) =>
        Find(block.Ops, block.Mode, block.InstructionCount, mayFault, endsBlock, out var index) is { } violation
            ? Describe(block.Ops, index, violation, block.Taken, block.Next) + (index < 0 ? "" : $" (of {block.Instructions[block.Ops[index].Insn]})")
            : null;

    /// <summary>The same for the ops of a block that an executor has made its own copy of, and passes have changed.</summary>
    /// <param name="ops">The ops.</param>
    /// <param name="mode">The mode of the block.</param>
    /// <param name="instructionCount">Number of its guest instructions.</param>
    /// <param name="mayFault">Says whether a helper may raise an exception; null: all may.</param>
    /// <param name="endsBlock">Says whether the block must end with the instruction that calls a helper; null: none asks for it.</param>
    public static string? FirstViolation(
        ReadOnlySpan<IrOp> ops, GuestMode mode, int instructionCount, Func<HelperId, bool>? mayFault = null, Func<HelperId, bool>? endsBlock = null) =>
        Find(ops, mode, instructionCount, mayFault, endsBlock, out var index) is { } violation ? Describe(ops, index, violation, 0, 0) : null;

    // The index is negative when the violation is not that of an op.
    private static string? Find(
        ReadOnlySpan<IrOp> ops, GuestMode mode, int instructionCount, Func<HelperId, bool>? mayFault, Func<HelperId, bool>? endsBlock, out int index)
    {
        index = -1;
        if (ops.Length == 0 || !ops[^1].EndsBlock)
            return "the last op does not end the block";
        var state = new InstructionState();
        var insn = -1;
        for (var i = 0; i < ops.Length; i++)
        {
            ref readonly var op = ref ops[i];
            index = i;
            if (op.Insn != insn)
            {
                if (op.Insn < insn || op.Insn >= instructionCount)
                    return "belongs to no instruction, or to one before";
                insn = op.Insn;
                state = new InstructionState();
            }

            if (i != ops.Length - 1 && op.EndsBlock)
                return "ends the block before its end";
            if (op.Op == IrOpcode.Call && op.Insn != ops[^1].Insn && endsBlock?.Invoke((HelperId)op.Sub) == true)
                return "the block goes on after a helper that must be the last";
            if ((Shape(op, mode) ?? state.Apply(op, mayFault)) is { } violation)
                return violation;
        }

        return null;
    }

    private static string Describe(ReadOnlySpan<IrOp> ops, int index, string violation, ulong taken, ulong next) =>
        index < 0 ? violation : $"op {index} \"{IrPrinter.Op(ops[index], taken, next)}\": {violation}";

    // What can be said of an op alone.
    private static string? Shape(in IrOp op, GuestMode mode)
    {
        var isVectorAccess = op.Op is IrOpcode.VLoad or IrOpcode.VStore;
        if (op.Size is not (1 or 2 or 4 or 8) && !(op.Size == 16 && (isVectorAccess || op.Op is >= IrOpcode.VMov and <= IrOpcode.VFromInt)))
            return $"size {op.Size}";
        if ((op.Attr & IrAttr.SetFlags) != 0 && op.Op is not ((>= IrOpcode.Add and <= IrOpcode.Neg) or (>= IrOpcode.Shl and <= IrOpcode.Sar)))
            return "cannot set flags";
        if ((op.Attr & IrAttr.Aligned) != 0 && !isVectorAccess)
            return "alignment of something that is not a vector access";
        if ((op.Attr & (IrAttr.Stack | IrAttr.Supervisor)) != 0 && (!op.HasAddress || op.Op == IrOpcode.Lea))
            return "intent of something that is not an access";
        if ((op.Attr & IrAttr.Update) != 0 && op.Op != IrOpcode.Load)
            return "update by something that is not a load";
        if ((op.Attr & IrAttr.Trap) != 0 && op.Op != IrOpcode.Call)
            return "trap of something that is not a call";
        if ((op.Attr & IrAttr.Proven) != 0 && (!op.HasAddress || op.Op is IrOpcode.Lea or IrOpcode.LinearAddress))
            return "proven, but not an access";
        if (op.Op is IrOpcode.SignExtend or IrOpcode.LoadSigned && !(op.Sub is 2 or 4 or 8 && op.Sub >= op.Size))
            return $"extends from {op.Size} to {op.Sub} bytes";
        if (op.Op == IrOpcode.Insert && op.Size > 2)
            return "inserts more than 2 bytes";
        if (op.Op is IrOpcode.SetCarry or IrOpcode.RotateFlags && op.B != Slot.Zero && op.Imm != 0)
            return "sum as carry or count";
        if (op.Op == IrOpcode.Select && op.Imm != 0)
            return "select with a constant";
        if (op.HasAddress && (op.Scale > 3 || (op.Seg != Slot.Zero && op.Seg is < (byte)Slot.EsBase or > (byte)Slot.GsBase)))
            return "scale or segment of the address";
        if (op.HasAddress && op.Form is AddressForm.Flat64 or AddressForm.Segment64 or AddressForm.Segment64Offset32 != mode.Is64() && op.Op != IrOpcode.Lea)
            return $"address form {op.Form} in {mode.Bitness()}-bit code";
        if (op.HasAddress && op.Form is AddressForm.Flat64 or AddressForm.Flat32 && op.Seg != Slot.Zero)
            return "flat address with a segment";
        return op.Op switch
        {
            IrOpcode.Call when op.Sub is 0 or >= (ushort)HelperId.Count => "unknown helper",
            IrOpcode.VBinary or IrOpcode.VUnary or IrOpcode.VToInt or IrOpcode.VFromInt when op.Sub is 0 or >= (ushort)VecOp.Count => "unknown vector operation",
            IrOpcode.GetCondition or IrOpcode.JumpCondition when op.Sub > (ushort)Condition.G => "unknown condition",
            IrOpcode.SetFlags or IrOpcode.SetFlagsIf when op.Sub > (ushort)FlagsKind.Mul => "unknown kind of flags",
            _ => null,
        };
    }

    /// <summary>What one guest instruction has done so far.</summary>
    private struct InstructionState
    {
        private ulong _assigned;
        private uint _vectorAssigned;
        private bool _changedRegisters;
        private bool _changedMemory;

        public string? Apply(in IrOp op, Func<HelperId, bool>? mayFault)
        {
            // A branch target may turn out bad after the return address was stored below the stack pointer, as on the hardware.
            var faults = op.Op == IrOpcode.Call ? mayFault?.Invoke((HelperId)op.Sub) ?? true : op.CanFault;
            if (faults && (_changedRegisters || (_changedMemory && op.Op != IrOpcode.CheckLimit)))
                return "can fault after a change that the guest can see";
            return Reads(op) ?? Writes(op);
        }

        private readonly string? Reads(in IrOp op)
        {
            if (IrOperands.ReadsA(op) && !CanRead(op.A))
                return "reads A";
            if (IrOperands.ReadsB(op) && !CanRead(op.B))
                return "reads B";
            if (IrOperands.ReadsC(op) && !CanRead(op.C))
                return "reads C";
            // Some operations between integers and vectors have no vector operand A.
            if (op.Op == IrOpcode.VBinary && !CanReadVector(op.A))
                return "reads vector A";
            if (IrOperands.ReadsVectorB(op) && !CanReadVector(op.B))
                return "reads vector B";
            return op.Op == IrOpcode.VStore && !CanReadVector(op.C) ? "reads vector C" : null;
        }

        private string? Writes(in IrOp op)
        {
            _changedRegisters |= op.WritesFlags;
            _changedMemory |= op.Op is IrOpcode.Store or IrOpcode.VStore;
            if (IrOperands.WritesVector(op))
                return WriteVector(op.Dst);
            return IrOperands.WritesInteger(op) ? Write(op.Dst) : null;
        }

        private string? Write(ushort slot)
        {
            if (Slot.IsTemp(slot))
            {
                if (slot >= Slot.Count)
                    return "writes no slot";
                var bit = 1UL << (slot - Slot.Temp0);
                if ((_assigned & bit) != 0)
                    return "assigns a temporary twice";
                _assigned |= bit;
                return null;
            }

            _changedRegisters |= slot != Slot.Void;
            return Slot.IsGpr(slot) || slot is Slot.Void or Slot.Eflags ? null : "writes a slot that is not a register";
        }

        private string? WriteVector(ushort cell)
        {
            if (cell >= VSlot.Count)
                return "writes no vector cell";
            if (cell is >= VSlot.Temp0 and < VSlot.Mm0)
            {
                _vectorAssigned |= 1u << cell;
                return null;
            }

            _changedRegisters = true;
            return null;
        }

        private readonly bool CanRead(ushort slot) => Slot.IsTemp(slot)
            ? slot < Slot.Count && (_assigned & (1UL << (slot - Slot.Temp0))) != 0
            : slot != Slot.Void && slot != Slot.Rip;

        private readonly bool CanReadVector(ushort cell) =>
            cell < VSlot.Count && (cell is < VSlot.Temp0 or >= VSlot.Mm0 || (_vectorAssigned & (1u << cell)) != 0);
    }
}
