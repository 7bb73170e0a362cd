using System.Diagnostics.CodeAnalysis;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Regions;

/// <summary>
/// What could be tested once before a loop instead of in every round: accesses relative to slots that the loop does not write. Tests ahead
/// of time may fail where the accesses would not; so they are made for what every round accesses, and for the stack and globals, which
/// are there.
/// </summary>
internal sealed class LoopChecks
{
    private const int PageSize = AddressSpace.PageSize;

    // Tests at one loop's head.
    private const int MaxChecks = 8;

    private readonly Region _region;
    private readonly RegionGraph _graph;
    private readonly Func<ulong, AccessHistory> _history;
    private readonly bool[]?[] _loops;
    private readonly List<AccessCheck>?[] _checks;

    private LoopChecks(Region region, RegionGraph graph, Func<ulong, AccessHistory> history)
    {
        _region = region;
        _graph = graph;
        _history = history;
        _loops = new bool[]?[region.Blocks.Count];
        _checks = new List<AccessCheck>?[region.Blocks.Count];
    }

    /// <summary>The tests for the heads of a region's loops, by position of the head; null where there are none.</summary>
    /// <param name="region">The region.</param>
    /// <param name="graph">Its edges.</param>
    /// <param name="history">How the accesses of the instruction at a RIP have fared.</param>
    /// <param name="refused">True where the tests before the loop at a RIP failed too often.</param>
    public static List<AccessCheck>?[] Find(
        Region region, RegionGraph graph, Func<ulong, AccessHistory> history, Func<ulong, bool> refused)
    {
        var all = new LoopChecks(region, graph, history);
        foreach (var head in region.Blocks)
            if (head.Entry >= 0 && graph.IsHead(head.Order) && !refused(head.Start))
                all.Add(head);
        all.CarryThroughInnerLoops();
        return all._checks;
    }

    private void Add(RegionBlock head)
    {
        var loop = _graph.Loop(head.Order);
        _loops[head.Order] = loop;
        var written = Written(loop);
        if (written == null)
            return;
        var joined = new List<Joined>();
        for (var order = 0; order < loop.Length; order++)
            if (loop[order])
                Collect(head.Order, loop, _region.Blocks[order], written, joined);
        if (joined.Count == 0)
            return;
        joined.Sort((a, b) => b.Uses.CompareTo(a.Uses));
        _checks[head.Order] = joined.GetRange(0, Math.Min(joined.Count, MaxChecks)).ConvertAll(j => j.Check);
    }

    // The slots that a loop writes; null when it calls a helper that may write any.
    private bool[]? Written(bool[] loop)
    {
        var written = new bool[Slot.Count];
        for (var order = 0; order < loop.Length; order++)
            foreach (ref readonly var op in loop[order] ? _region.Blocks[order].Ops.AsSpan() : [])
            {
                if (op.Op == IrOpcode.Call)
                {
                    if ((HelperTable.Effects((HelperId)op.Sub) & HelperEffects.WritesState) != 0)
                        return null;
                    written.AsSpan(Slot.EsBase, 6).Fill(true);
                }

                if (IrOperands.WritesInteger(op))
                    written[op.Dst] = true;
            }

        return written;
    }

    private void Collect(
        int head, bool[] loop, RegionBlock block, bool[] written, List<Joined> joined)
    {
        bool? always = null;
        var bounds = new SlotBounds();
        for (var i = 0; i < block.Ops.Length; i++)
        {
            ref readonly var op = ref block.Ops[i];
            if (CheckPlan.IsAccess(op) && _history(block.Addresses[op.Insn]) == AccessHistory.Fast
                && block.WindowOf(i) is var window and not Block.SeveralWindows && TryInvariant(op, bounds, written, out var range)
                && (range.Key.IsStack || range.Key.IsAbsolute || (always ??= _graph.IsOnEveryRound(head, loop, block.Order))))
                Join(joined, range, CheckPlan.IsWrite(op) || range.Key.IsStack, window);

            bounds.Apply(op);
        }
    }

    private static bool TryInvariant(in IrOp op, SlotBounds bounds, bool[] written, [NotNullWhen(true)] out AccessRange? range) =>
        (AccessRange.TryOf(op, out range) && !IsWritten(range.Key, written))
        || (AccessRange.TryBounded(op, bounds, out range) && !IsWritten(range.Key, written));

    private static bool IsWritten(AddressKey key, bool[] written) => written[key.A] || written[key.B] || written[key.Seg];

    // Accesses within a page of each other make one test; a read joins a write only where that is near.
    private static void Join(List<Joined> all, AccessRange access, bool write, ushort window)
    {
        foreach (var joined in all)
        {
            var check = joined.Check;
            var lo = Math.Min(check.Lo, access.Lo);
            var hi = Math.Max(check.Hi, access.Hi);
            if (check.Key != access.Key || check.Window != window || hi - lo > PageSize || (check.Write != write && hi - lo > CheckPlan.NearWrite))
                continue;
            joined.Check = check with { Lo = lo, Hi = hi, Write = check.Write || write };
            joined.Uses++;
            return;
        }

        all.Add(new Joined(new AccessCheck(CheckForm.FastBit, write, access.Lo, access.Hi, access.Key) { Window = window }));
    }

    // At an inner loop's head only its own tests are known to have been made: it makes those of the loops around it again. Outer loops
    // come first.
    private void CarryThroughInnerLoops()
    {
        var outermost = new List<Nest>();
        for (var head = 0; head < _loops.Length; head++)
            if (_loops[head] is { } loop)
                outermost.Add(new Nest(head, loop, Array.FindAll(loop, inside => inside).Length));
        outermost.Sort((a, b) => b.Size.CompareTo(a.Size));
        foreach (var outer in outermost)
            foreach (var inner in outermost)
            {
                if (inner == outer || !outer.Loop[inner.Head] || _checks[outer.Head] is not { } checks || Written(inner.Loop) is not { } written)
                    continue;
                var own = _checks[inner.Head] ??= [];
                foreach (var check in checks)
                    if (!IsWritten(check.Key!, written) && !own.Exists(c => Includes(c, check)))
                        own.Add(check);
            }
    }

    private static bool Includes(AccessCheck a, AccessCheck b) =>
        a.Key == b.Key && a.Window == b.Window && a.Lo <= b.Lo && b.Hi <= a.Lo + PageSize && (a.Write || !b.Write);

    private sealed class Joined(AccessCheck check)
    {
        public AccessCheck Check { get; set; } = check;

        public int Uses { get; set; } = 1;
    }

    private sealed record Nest(int Head, bool[] Loop, int Size);
}
