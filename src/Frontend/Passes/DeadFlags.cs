using DynaTrans.Frontend.Ir;

namespace DynaTrans.Frontend.Passes;

/// <summary>
/// Takes away flags that nobody can see: a flags record that the same block overwrites before any op reads it and before any op that can
/// fault (a fault shows the flags to the guest). One scan backwards; what the next block may read is always kept.
/// </summary>
public static class DeadFlags
{
    /// <summary>Runs the pass over a block: clears <see cref="IrAttr.SetFlags"/> on such ops and removes ops that are left without effect.</summary>
    /// <returns>Number of records removed.</returns>
    public static int Run(IrBlock block)
    {
        var removed = Clear(block.Ops);
        if (removed != 0)
            Compact(block);
        return removed;
    }

    private static int Clear(Span<IrOp> ops)
    {
        var removed = 0;
        var seen = true;
        for (var i = ops.Length - 1; i >= 0; i--)
        {
            ref var op = ref ops[i];
            if (op.WritesFlags && !seen)
            {
                Drop(ref op);
                removed++;
            }
            else if (op.WritesFlags && Overwrites(op))
                seen = false;
            if (Shows(op))
                seen = true;
        }

        return removed;
    }

    private static void Drop(ref IrOp op)
    {
        op.Attr &= ~IrAttr.SetFlags;
        if (op.Op is IrOpcode.SetFlags or IrOpcode.SetFlagsIf || op.Dst == Slot.Void)
            op.Op = IrOpcode.Nop;
    }

    // A shift by a count that is 0, or not known, may leave the record as it was.
    private static bool Overwrites(in IrOp op) => op.Op switch
    {
        IrOpcode.SetFlagsIf => false,
        IrOpcode.Shl or IrOpcode.Shr or IrOpcode.Sar => op.B == Slot.Zero && (op.Imm & (op.Size == 8 ? 63 : 31)) != 0,
        _ => true,
    };

    // The op reads the record, or lets the guest see it. Inc and dec keep CF.
    private static bool Shows(in IrOp op) => op.CanFault || op.EndsBlock || op.Op switch
    {
        IrOpcode.GetCondition or IrOpcode.GetFlags or IrOpcode.SetFlagsIf => true,
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
