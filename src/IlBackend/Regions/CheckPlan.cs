using System.Diagnostics;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Regions;

/// <summary>
/// Decides for each memory access of a region whether its bytes are known to be accessible already, and what is tested if not. A test is
/// placed so that it serves the accesses that follow too: a run of pushes, a stack frame, the fields of a structure need one. What was
/// tested is carried forward along the edges of the region (available expressions: the meet is intersection). At an entry nothing is
/// known, except at the head of a loop what is tested on the way into it and holds all the way round (<see cref="LoopChecks"/>).
/// A permission taken away by another thread is noticed when the code is entered again: that thread makes it leave at the next jump back.
/// </summary>
public sealed class CheckPlan
{
    /// <summary>
    /// A read is tested for writing when a write surely follows as near as this, in bytes; further away may be another mapping.
    /// </summary>
    public const int NearWrite = 512;

    private const int PageSize = AddressSpace.PageSize;

    // Ops looked at for accesses that a test could serve too.
    private const int LookAhead = 200;

    // How far a test is lowered, in bytes, for accesses that do not follow on every way, and blocks looked at for them.
    private const int Neighbourhood = 64;
    private const int BlocksAhead = 3;

    // What functions called from here will need below the stack pointer.
    private const int StackReserve = 512;

    // After so many rounds nothing is assumed about a loop that has not settled.
    private const int MaxRounds = 8;

    private readonly Region _region;
    private readonly RegionGraph _graph;
    private readonly Func<ulong, AccessHistory> _history;
    private readonly bool _is64;
    private readonly AccessCheck?[][] _checks;
    private readonly List<AccessCheck>?[] _loopChecks;
    private readonly CheckedRanges[] _before;
    private readonly CheckedRanges?[] _aroundLoop;
    private readonly CheckedRanges[] _after;
    private readonly bool[] _isInKnownLoop;

    /// <summary>Plans a region.</summary>
    /// <param name="region">The region, analysed: every block that is reached other than along its direct edges is an entry.</param>
    /// <param name="history">How the accesses of the instruction at a RIP have fared so far; the same each time.</param>
    /// <param name="isLoopRefused">True for the RIP of a loop's head before which tests failed too often.</param>
    public CheckPlan(Region region, Func<ulong, AccessHistory> history, Func<ulong, bool>? isLoopRefused = null)
    {
        _region = region;
        _graph = new RegionGraph(region);
        _history = history;
        _is64 = region.Mode.Is64();
        _checks = new AccessCheck?[region.Blocks.Count][];
        _before = new CheckedRanges[region.Blocks.Count];
        _after = new CheckedRanges[region.Blocks.Count];
        _loopChecks = LoopChecks.Find(region, _graph, history, isLoopRefused ?? (_ => false));
        _aroundLoop = new CheckedRanges?[region.Blocks.Count];
        var round = 0;
        do
            Solve();
        while (Narrow(round++));
        _isInKnownLoop = new bool[region.Blocks.Count];
        for (var head = 0; head < _before.Length; head++)
            if (_before[head].Ranges.Count > 0 && _graph.IsHead(head))
                MarkLoop(_graph.Loop(head));
    }

    /// <summary>The check of the access at op <paramref name="index"/> of a block.</summary>
    public AccessCheck Check(RegionBlock block, int index) => _checks[block.Order][index]!;

    /// <summary>What is tested on the way into a loop with this head.</summary>
    public IReadOnlyList<AccessCheck> LoopChecksOf(RegionBlock head) => _loopChecks[head.Order] ?? [];

    /// <summary>True for blocks of loops round which it is known that some memory is accessible: they may access it without any test.</summary>
    public bool IsInKnownLoop(RegionBlock block) => _isInKnownLoop[block.Order];

    /// <summary>True when all that the tests before a loop would find out is known on an edge.</summary>
    public bool IsKnown(RegionBlock from, RegionBlock head)
    {
        foreach (var check in LoopChecksOf(head))
            if (!IsKnown(_after[from.Order], check))
                return false;
        return true;
    }

    /// <summary>
    /// Asserts, in debug builds, that what is taken for checked at the beginning of a block has been checked on all ways into it, and that all
    /// accesses without a test are covered.
    /// </summary>
    [Conditional("DEBUG")]
    public void Verify()
    {
        foreach (var block in _region.Blocks)
        {
            // An entry is reached from outside, too: what is known there it tests itself, except on a way round its loop.
            foreach (var range in _before[block.Order].Ranges)
                foreach (var from in _graph.Predecessors(block.Order))
                    Debug.Assert(
                        (block.Entry >= 0 && from < block.Order) || _after[from].Covers(range),
                        "what is known at the beginning of a block is known on all ways into it");
            VerifyAccesses(block);
        }
    }

    private void VerifyAccesses(RegionBlock block)
    {
        var (ranges, bounds) = (_before[block.Order].Copy(), new SlotBounds());
        for (var i = 0; i < block.Ops.Length; i++)
        {
            ref readonly var op = ref block.Ops[i];
            if (IsAccess(op))
            {
                var check = Check(block, i);
                Debug.Assert(check != null, "each access has a check");
                Debug.Assert(
                    check.Form != CheckForm.None
                        || (AccessRange.TryOf(op, out var exact) && ranges.Covers(exact.Key, check.Write, exact.Lo, exact.Hi))
                        || (AccessRange.TryBounded(op, bounds, out var table) && ranges.Covers(table.Key, check.Write, table.Lo, table.Hi)),
                    "an access without a test is covered");
                if (check.Form is CheckForm.FastBit or CheckForm.Edges)
                    ranges.Add(check.Granted);
            }

            ranges.Apply(op, _is64);
            bounds.Apply(op);
        }
    }

    /// <summary>True for ops that access guest memory inline.</summary>
    public static bool IsAccess(in IrOp op) => IsWrite(op) || op.Op is IrOpcode.Load or IrOpcode.LoadSigned or IrOpcode.VLoad;

    /// <summary>True for accesses that write.</summary>
    public static bool IsWrite(in IrOp op) => op.Op is IrOpcode.Store or IrOpcode.VStore;

    private static bool IsKnown(CheckedRanges ranges, AccessCheck check) => ranges.Covers(check.Granted);

    private void MarkLoop(bool[] loop)
    {
        for (var i = 0; i < loop.Length; i++)
            _isInKnownLoop[i] |= loop[i];
    }

    // With what holds at the heads of loops given, what holds elsewhere follows in layout order: the sources of forward edges come first.
    // A block at whose start nothing has changed since the round before is planned already.
    private void Solve()
    {
        foreach (var block in _region.Blocks)
        {
            var before = AtStart(block);
            if (_after[block.Order] != null && before.IsSame(_before[block.Order]))
                continue;
            _before[block.Order] = before;
            var after = _after[block.Order] = before.Copy();
            PlanBlock(block, after);
        }
    }

    private CheckedRanges AtStart(RegionBlock block)
    {
        var known = new CheckedRanges();
        if (block.Entry >= 0)
        {
            foreach (var check in LoopChecksOf(block))
                known.Add(check.Granted);
            return known;
        }

        var isFirst = true;
        foreach (var from in _graph.Predecessors(block.Order))
        {
            if (from >= block.Order)
                continue;
            if (isFirst)
                known = _after[from].Copy();
            else
                known.IntersectWith(_after[from]);
            isFirst = false;
        }

        if (_aroundLoop[block.Order] is { } around)
            known.IntersectWith(around);
        return known;
    }

    // Takes away what was assumed at the head of a loop and does not hold all the way round. A range that gets smaller in every round is
    // given up. True when something was taken away: then the rest has to be found again.
    private bool Narrow(int round)
    {
        var narrowed = false;
        for (var head = 0; head < _before.Length; head++)
            foreach (var latch in _graph.Predecessors(head))
            {
                if (latch < head)
                    continue;
                if (_region.Blocks[head].Entry >= 0)
                {
                    narrowed |= _loopChecks[head]?.RemoveAll(check => !IsKnown(_after[latch], check)) > 0;
                    continue;
                }

                var around = _before[head].Copy();
                if (!around.IntersectWith(_after[latch]))
                    continue;
                if (round >= MaxRounds)
                    around.Clear();
                else if (round >= 1)
                    around.KeepThoseIn(_before[head]);
                if (_aroundLoop[head] is { } known)
                    around.IntersectWith(known);
                _aroundLoop[head] = around;
                narrowed = true;
            }

        return narrowed;
    }

    private void PlanBlock(RegionBlock block, CheckedRanges ranges)
    {
        var checks = _checks[block.Order] ??= new AccessCheck?[block.Ops.Length];
        var bounds = new SlotBounds();
        for (var i = 0; i < block.Ops.Length; i++)
        {
            ref readonly var op = ref block.Ops[i];
            if (IsAccess(op))
            {
                var check = checks[i] = PlanAccess(block, i, ranges, bounds);
                if (check.Form is CheckForm.FastBit or CheckForm.Edges)
                    ranges.Add(check.Granted);
            }

            ranges.Apply(op, _is64);
            bounds.Apply(op);
        }
    }

    private AccessCheck PlanAccess(RegionBlock block, int index, CheckedRanges ranges, SlotBounds bounds)
    {
        ref readonly var op = ref block.Ops[index];
        var write = IsWrite(op);
        var history = _history(block.Addresses[op.Insn]);
        var window = block.WindowOf(index);
        if (!AccessRange.TryOf(op, out var exact))
            return new AccessCheck(CheckForm.Own, write, op.Disp, op.Disp + op.Size, null) { Window = window };
        var own = new AccessCheck(CheckForm.Own, write, exact.Lo, exact.Hi, exact.Key) { Window = window };
        if (history == AccessHistory.Slow)
            return own;
        if (ranges.Find(exact.Key, write, exact.Lo, exact.Hi) is { } known)
            return own with { Form = CheckForm.None, Window = known.Window };
        if (window == Block.SeveralWindows)
            return own;
        if (history == AccessHistory.Fast && AccessRange.TryBounded(op, bounds, out var table))
        {
            known = ranges.Find(table.Key, write, table.Lo, table.Hi);
            return new AccessCheck(known != null ? CheckForm.None : CheckForm.FastBit, write, table.Lo, table.Hi, table.Key)
            {
                Window = known?.Window ?? window,
            };
        }

        var check = Extend(block, index, exact.Key, own with { Form = CheckForm.FastBit });
        return check.Form == CheckForm.FastBit && exact.Key.IsStack
            ? check with { Write = true, Lo = Math.Max(Math.Max(check.Lo - StackReserve, check.Hi - PageSize), int.MinValue) }
            : check;
    }

    // Widens a check to accesses of the same memory that follow for certain.
    private AccessCheck Extend(RegionBlock block, int index, AddressKey key, AccessCheck check)
    {
        if (_history(block.Addresses[block.Ops[index].Insn]) == AccessHistory.EdgePages)
            check = check with { Form = CheckForm.Edges };

        // An empty range at offset 0 of the key follows the address around.
        var origin = new CheckedRanges();
        origin.Add(new CheckedRange(key, false, 0, 0));
        var own = check.Lo;
        for (var left = LookAhead; left > 0; left--)
        {
            origin.Apply(block.Ops[index], _is64);
            if (origin.Ranges.Count == 0)
                break;
            if (++index == block.Ops.Length)
            {
                if (block.Ops[^1].Op != IrOpcode.Jump || _region.Find(block.Taken) is not { Entry: < 0 } next)
                    return check.Form == CheckForm.FastBit ? Lower(block, origin, check, own - Neighbourhood, BlocksAhead) : check;
                (block, index) = (next, 0);
            }

            check = ExtendTo(block, index, origin, check, own);
        }

        return check;
    }

    // Lowers a check a little to accesses that perhaps follow: the fields of a structure are not looked at in the order of their offsets.
    private AccessCheck Lower(RegionBlock block, CheckedRanges origin, AccessCheck check, long limit, int depth)
    {
        foreach (var successor in _graph.Successors(block.Order))
        {
            var next = _region.Blocks[successor];
            if (next.Entry >= 0)
                continue;
            var there = origin.Copy();
            for (var i = 0; i < next.Ops.Length && there.Ranges.Count > 0; i++)
            {
                ref readonly var op = ref next.Ops[i];
                if (IsAccess(op) && AddressKey.TryOf(op, out var key) && (check.Write || !IsWrite(op)))
                    foreach (var range in there.Ranges)
                        if (range.Key == key && op.Disp - range.Lo is var at && at < check.Lo && at >= limit && check.Hi - at <= PageSize && at == (int)at)
                            check = check with { Lo = at };
                there.Apply(op, _is64);
            }

            if (depth > 1 && there.Ranges.Count > 0)
                check = Lower(next, there, check, limit, depth - 1);
        }

        return check;
    }

    private AccessCheck ExtendTo(RegionBlock block, int index, CheckedRanges origin, AccessCheck check, long own)
    {
        ref readonly var op = ref block.Ops[index];
        if (!IsAccess(op) || !AddressKey.TryOf(op, out var key))
            return check;
        foreach (var range in origin.Ranges)
        {
            if (range.Key != key)
                continue;
            var history = _history(block.Addresses[op.Insn]);
            var at = op.Disp - range.Lo;
            var write = IsWrite(op);
            var lo = Math.Min(check.Lo, at);
            var hi = Math.Max(check.Hi, at + op.Size);
            if (history == AccessHistory.Slow || hi - lo > PageSize || lo != (int)lo)
                return check;
            if (write && !check.Write && Math.Abs(at - own) > NearWrite)
                return check;
            return check with
            {
                Form = history == AccessHistory.EdgePages ? CheckForm.Edges : check.Form,
                Write = check.Write || write,
                Lo = lo,
                Hi = hi,
            };
        }

        return check;
    }
}
