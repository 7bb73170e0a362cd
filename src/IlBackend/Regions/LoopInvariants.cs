using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Helpers.Vector;

namespace DynaTrans.IlBackend.Regions;

/// <summary>
/// Which floating-point operations RyuJIT could take out of a loop: those of operands that come from outside it. It does so even where a turn
/// of the loop does not come by them, and they then raise flags that the guest never did. An operand of such an operation has to be hidden.
/// The whole region is a loop as well: what leaves it may come in again.
/// </summary>
public sealed class LoopInvariants
{
    private const uint Registers = 0xFFFF;

    private readonly Region _region;
    private readonly Func<RegionBlock, IrOp[]> _ops;
    private readonly HashSet<(int Block, int Op)> _invariant = [];

    /// <summary>Analyses a region.</summary>
    /// <param name="region">The region, in layout order.</param>
    /// <param name="ops">The ops of each block.</param>
    /// <param name="alone">All jumps lead out of it.</param>
    public LoopInvariants(Region region, Func<RegionBlock, IrOp[]> ops, bool alone)
    {
        (_region, _ops) = (region, ops);
        if (alone || !HasFloatingPoint())
            return;
        var loops = new HashSet<(int First, int Last)> { (0, region.Blocks.Count - 1) };
        foreach (var block in region.Blocks)
            foreach (var next in Successors(block))
                if (next.Order <= block.Order)
                    loops.Add((next.Order, block.Order));
        foreach (var (first, last) in loops)
            Analyse(first, last);
    }

    /// <summary>True when an operand of the op at an index of a block must be hidden.</summary>
    public bool MustBeHidden(RegionBlock block, int index) => _invariant.Contains((block.Order, index));

    private bool HasFloatingPoint()
    {
        foreach (var block in _region.Blocks)
            foreach (ref readonly var op in _ops(block).AsSpan())
                if (FloatResults.IsFloatingPoint(op))
                    return true;
        return false;
    }

    private IEnumerable<RegionBlock> Successors(RegionBlock block)
    {
        var last = block.Ops[^1].Op;
        if (last is IrOpcode.Jump or IrOpcode.JumpCondition or IrOpcode.JumpIf && _region.Find(block.Taken) is { } taken)
            yield return taken;
        if (last is IrOpcode.JumpCondition or IrOpcode.JumpIf && _region.Find(block.Next) is { } next)
            yield return next;
        if (last == IrOpcode.JumpIndirect)
            foreach (var target in _region.LikelyTargetsOf(block))
                yield return target;
    }

    // A register that is written anywhere in a loop is a new one at its head; a copy, or what is computed from such registers alone, may be
    // recognised as invariant all the same.
    private void Analyse(int first, int last)
    {
        var written = 0u;
        for (var i = first; i <= last; i++)
            foreach (ref readonly var op in _ops(_region.Blocks[i]).AsSpan())
                written |= Written(op);
        var atStart = new uint[last + 1 - first];
        Array.Fill(atStart, Registers & ~written);
        for (var i = first; i <= last; i++)
        {
            var block = _region.Blocks[i];
            var ops = _ops(block);
            var invariant = atStart[i - first];
            for (var at = 0; at < ops.Length; at++)
                invariant = After(ops[at], invariant, (i, at));
            foreach (var next in Successors(block))
                if (next.Order > i && next.Order <= last)
                    atStart[next.Order - first] |= invariant & Registers;
        }
    }

    private uint After(in IrOp op, uint invariant, (int, int) place)
    {
        if (op.Op is not (IrOpcode.VMov or IrOpcode.VBinary or IrOpcode.VUnary or IrOpcode.VToInt or IrOpcode.VFromInt))
            return invariant & ~Written(op);
        var operands = FloatResults.TakenOperands(op);

        // An integer comes by way of memory; the constants zero and all ones do not.
        var isHidden = op.Op == IrOpcode.VFromInt && op.B != Slot.Zero;
        var isInvariant = !isHidden && (operands & ~invariant) == 0;
        if (FloatResults.IsFloatingPoint(op))
        {
            if (isInvariant)
                _invariant.Add(place);
            isInvariant = false;
        }

        return isInvariant ? invariant | Written(op) : invariant & ~Written(op);
    }

    private static uint Written(in IrOp op)
    {
        if (op.Op == IrOpcode.Call)
            return (HelperTable.Effects((HelperId)op.Sub) & HelperEffects.Vectors) != 0 ? Registers : 0;
        return IrOperands.WritesVector(op) && op.Dst < VSlot.Mm0 ? 1u << op.Dst : 0;
    }
}
