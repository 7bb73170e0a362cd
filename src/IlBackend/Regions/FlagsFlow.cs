using System.Diagnostics;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Passes;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Regions;

/// <summary>
/// The flags across a region: where the record is dead (the ops without what only served dead records), and in which form each block finds
/// it. A block that is entered from one side only, or finds the same form from all sides, has that form. Otherwise the record is in the
/// state, or, where it comes described along a loop's edge, in either place: then the edge stores one mark instead of a record.
/// </summary>
public sealed class FlagsFlow
{
    private readonly Region _region;
    private readonly bool _alone;
    private readonly Func<RegionBlock, bool>? _leavesAtStart;
    private readonly IrOp[][] _ops;
    private readonly bool[] _liveIn;
    private readonly FlagsForm[] _entry;
    private readonly List<int>[] _predecessors;

    /// <summary>Analyses a region.</summary>
    /// <param name="region">The region, with its entries numbered.</param>
    /// <param name="alone">All jumps lead out of it.</param>
    /// <param name="leavesAtStart">True for blocks at whose beginning the code may leave: there the record is seen.</param>
    /// <param name="isProven">True for accesses, by their index in a block, at which the code cannot leave.</param>
    public FlagsFlow(
        Region region, bool alone, Func<RegionBlock, bool>? leavesAtStart = null, Func<RegionBlock, int, bool>? isProven = null)
    {
        (_region, _alone, _leavesAtStart) = (region, alone, leavesAtStart);
        var count = region.Blocks.Count;
        _ops = new IrOp[count][];
        _liveIn = new bool[count];
        _entry = new FlagsForm[count];
        _predecessors = new List<int>[count];
        for (var i = 0; i < count; i++)
        {
            _ops[i] = (IrOp[])region.Blocks[i].Ops.Clone();
            _predecessors[i] = [];
            for (var op = 0; op < _ops[i].Length; op++)
                if (isProven != null && isProven(region.Blocks[i], op))
                    _ops[i][op].Attr |= IrAttr.Proven;
        }

        foreach (var block in region.Blocks)
            foreach (var next in Successors(block))
                _predecessors[next.Order].Add(block.Order);
        FindLive();
        FindForms();
    }

    /// <summary>The ops of a block; those that the analysis found without effect are Nop.</summary>
    public IrOp[] Ops(RegionBlock block) => _ops[block.Order];

    /// <summary>The form in which a block finds the flags.</summary>
    public FlagsForm Entry(RegionBlock block) => _entry[block.Order];

    /// <summary>For each op of a block: somebody may see the record after it.</summary>
    public bool[] Live(RegionBlock block)
    {
        var live = new bool[Ops(block).Length];
        DeadFlags.MarkLive(Ops(block), IsLiveAfter(block), live);
        return live;
    }

    /// <summary>True when somebody may see the record after the block.</summary>
    public bool IsLiveAfter(RegionBlock block)
    {
        var last = block.Ops[^1].Op;
        if (_alone || last is not (IrOpcode.Jump or IrOpcode.JumpCondition or IrOpcode.JumpIf))
            return true;
        return IsSeen(block, block.Taken) || (last != IrOpcode.Jump && IsSeen(block, block.Next));
    }

    /// <summary>Asserts, in debug builds, that each block finds the flags in a form that all ways into it can bring them into.</summary>
    [Conditional("DEBUG")]
    public void Verify()
    {
        foreach (var block in _region.Blocks)
        {
            Debug.Assert(block.Entry < 0 || IsAgreed(Entry(block)), "who comes from outside has the flags in the state");
            var after = FormAfter(block.Order);
            foreach (var next in Successors(block))
                Debug.Assert(Entry(next) == after || IsAgreed(Entry(next)), "a block finds the flags in a form that its predecessors can make");
        }
    }

    // Forms that any other can be brought into.
    private static bool IsAgreed(FlagsForm entry) =>
        entry.Base == FlagsBase.Dead || entry.IsMemory || entry is { Base: FlagsBase.Either, Layer: FlagsLayer.None };

    // Where control goes backwards it may leave: there the record is seen.
    private bool IsSeen(RegionBlock from, ulong target) =>
        _region.Find(target) is not { } to || to.Order <= from.Order || _liveIn[to.Order];

    private IEnumerable<RegionBlock> Successors(RegionBlock block)
    {
        var last = block.Ops[^1].Op;
        if (_alone || last is not (IrOpcode.Jump or IrOpcode.JumpCondition or IrOpcode.JumpIf or IrOpcode.JumpIndirect))
            yield break;
        if (last == IrOpcode.JumpIndirect)
        {
            foreach (var target in _region.LikelyTargetsOf(block))
                yield return target;
            yield break;
        }

        if (_region.Find(block.Taken) is { } taken)
            yield return taken;
        if (last != IrOpcode.Jump && _region.Find(block.Next) is { } next)
            yield return next;
    }

    // Liveness flows along forward edges only (backward ones show the record), so one pass from the end finds all of it.
    private void FindLive()
    {
        for (var i = _ops.Length - 1; i >= 0; i--)
        {
            var block = _region.Blocks[i];
            var isLive = IsLiveAfter(block);
            DeadFlags.Run(_ops[i], isLive);
            IrAssertions.Valid(_ops[i], _region.Mode, block.Addresses.Length);
            _liveIn[i] = DeadFlags.MarkLive(_ops[i], isLive, new bool[_ops[i].Length]) || _leavesAtStart?.Invoke(block) == true;
        }
    }

    // The second round knows what comes along backward edges.
    private void FindForms()
    {
        var outgoing = new FlagsForm?[_ops.Length];
        for (var round = 0; round < 2; round++)
            for (var i = 0; i < _ops.Length; i++)
            {
                _entry[i] = ChooseEntry(i, outgoing);
                outgoing[i] = FormAfter(i);
            }
    }

    private FlagsForm FormAfter(int order)
    {
        var ops = _ops[order];
        var live = Live(_region.Blocks[order]);
        var form = _entry[order];
        for (var i = 0; i < ops.Length; i++)
            form = FlagsTransfer.At(ops[i], form, live[i]).After;
        return form;
    }

    private FlagsForm ChooseEntry(int order, FlagsForm?[] outgoing)
    {
        if (!_liveIn[order])
            return FlagsForm.Dead;
        var predecessors = _predecessors[order];
        var isExact = _region.Blocks[order].Entry < 0 && predecessors.Count > 0;
        FlagsForm? first = null;
        var described = FlagsForm.Memory;
        foreach (var predecessor in predecessors)
        {
            var form = outgoing[predecessor];
            isExact &= predecessor < order && form != null && (first == null || first == form);
            first ??= form;
            if (form is { Base: FlagsBase.Described or FlagsBase.Either, Layer: FlagsLayer.None } known)
                described = known with { Base = FlagsBase.Either };
        }

        return isExact ? first!.Value : described;
    }
}
