using DynaTrans.Frontend.Ir;

namespace DynaTrans.Frontend.Passes;

/// <summary>
/// Takes away flags that nobody can see: a flags record that the same block overwrites before any op reads it and before any op that can
/// fault (a fault shows the flags to the guest). What only served such a record, or no one at all, goes with it: integer ops into
/// temporaries that nobody reads. One scan backwards; what the next block may read is always kept.
/// </summary>
public static class DeadFlags
{
    /// <summary>Runs the pass over a block: clears <see cref="IrAttr.SetFlags"/> on such ops and removes ops that are left without effect.</summary>
    /// <returns>Number of records removed.</returns>
    public static int Run(IrBlock block)
    {
        var removed = Clear(block.Ops, true, out var left);
        if (left < block.Count)
            Compact(block);
        return removed;
    }

    /// <summary>Runs the pass over the ops of a block of which it is known whether the record can be seen after it; removed ops become Nop.</summary>
    public static void Run(Span<IrOp> ops, bool isLiveAtEnd) => Clear(ops, isLiveAtEnd, out _);

    /// <summary>
    /// Marks after which ops somebody may still see the record: read it, or be shown it by an op that can fault. Dead records must be gone.
    /// </summary>
    /// <param name="ops">The ops of a block.</param>
    /// <param name="isLiveAtEnd">The record can be seen after the block.</param>
    /// <param name="live">Receives the marks; at least as long as <paramref name="ops"/>.</param>
    /// <returns>True when the record can be seen at the start.</returns>
    public static bool MarkLive(ReadOnlySpan<IrOp> ops, bool isLiveAtEnd, Span<bool> live)
    {
        var seen = isLiveAtEnd;
        for (var i = ops.Length - 1; i >= 0; i--)
        {
            ref readonly var op = ref ops[i];
            live[i] = seen;
            if (op.WritesFlags && Overwrites(op))
                seen = false;
            seen |= Shows(op);
        }

        return seen;
    }

    /// <summary>
    /// True when an op that writes the flags leaves nothing of the record before it, but for CF with inc and dec. A shift by a count that
    /// is 0, or not known, may leave the record as it was.
    /// </summary>
    public static bool Overwrites(in IrOp op) => op.Op switch
    {
        IrOpcode.SetFlagsIf or IrOpcode.RotateFlags or IrOpcode.SetCarry => false,
        IrOpcode.Shl or IrOpcode.Shr or IrOpcode.Sar => op.B == Slot.Zero && (op.Imm & (op.Size == 8 ? 63 : 31)) != 0,
        _ => true,
    };

    private static int Clear(Span<IrOp> ops, bool isLiveAtEnd, out int left)
    {
        left = 0;
        var removed = 0;
        var seen = isLiveAtEnd;
        var insn = -1;
        var live = 0UL;
        for (var i = ops.Length - 1; i >= 0; i--)
        {
            ref var op = ref ops[i];
            if (op.Insn != insn)
                (insn, live) = (op.Insn, 0);
            if (op.WritesFlags && !seen)
            {
                Drop(ref op);
                removed++;
            }
            else if (op.WritesFlags && Overwrites(op))
                seen = false;
            if (IsUnread(op, live))
                op.Op = IrOpcode.Nop;
            if (op.Op == IrOpcode.Nop)
                continue;
            left++;
            if (Shows(op))
                seen = true;
            live = LiveBefore(op, live);
        }

        return removed;
    }

    // An integer op without any effect but its result, which goes to a temporary that no later op of the instruction reads.
    private static bool IsUnread(in IrOp op, ulong live) =>
        op.Op is (>= IrOpcode.Mov and <= IrOpcode.GetFlags) or IrOpcode.Lea or IrOpcode.LinearAddress
        && !op.WritesFlags && (Slot.IsTemp(op.Dst) ? (live & Bit(op.Dst)) == 0 : op.Dst == Slot.Void);

    private static ulong LiveBefore(in IrOp op, ulong live)
    {
        if (IrOperands.WritesInteger(op))
            live &= ~Bit(op.Dst);
        if (IrOperands.ReadsA(op))
            live |= Bit(op.A);
        if (IrOperands.ReadsB(op))
            live |= Bit(op.B);
        if (IrOperands.ReadsC(op))
            live |= Bit(op.C);
        return live;
    }

    private static ulong Bit(ushort slot) => Slot.IsTemp(slot) ? 1UL << (slot - Slot.Temp0) : 0;

    private static void Drop(ref IrOp op)
    {
        op.Attr &= ~IrAttr.SetFlags;
        if (op.Dst == Slot.Void)
            op.Op = IrOpcode.Nop;
    }

    // The op reads the record, or lets the guest see it. Inc and dec keep CF.
    private static bool Shows(in IrOp op) => op.CanFault || op.Op switch
    {
        IrOpcode.GetCondition or IrOpcode.GetFlags or IrOpcode.SetFlagsIf or IrOpcode.RotateFlags or IrOpcode.SetCarry
            or IrOpcode.JumpCondition => true,
        IrOpcode.Inc or IrOpcode.Dec => op.WritesFlags,
        _ => false,
    };

    private static void Compact(IrBlock block)
    {
        var ops = block.Ops;
        var kept = 0;
        for (var i = 0; i < ops.Length; i++)
            if (ops[i].Op != IrOpcode.Nop)
                ops[kept++] = ops[i];
        block.Truncate(kept);
    }
}
