using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.IlBackend.Regions;

/// <summary>
/// Decides for each memory access of a region whether its bytes are known to be accessible already, and what is tested if not. A test is
/// placed so that it serves the accesses that follow too: a run of pushes, a stack frame, the fields of a structure need one. What was
/// tested is carried forward along the edges of the region (available expressions: the meet is intersection); at an entry nothing is
/// known, so that a permission taken away by another thread is noticed at the latest when a loop comes round.
/// </summary>
public sealed class CheckPlan
{
    private const int PageSize = AddressSpace.PageSize;

    // Ops looked at for accesses that a test could serve too.
    private const int LookAhead = 200;

    // A read is tested for writing when a write surely follows as near as this; further away may be another mapping.
    private const int NearWrite = 512;

    // What functions called from here will need below the stack pointer.
    private const int StackReserve = 512;

    // The meet over loops ends here, with nothing known where it has not settled.
    private const int MaxRounds = 8;

    private readonly Region _region;
    private readonly Func<ulong, AccessHistory> _history;
    private readonly Dictionary<ulong, AccessHistory> _known = [];
    private readonly bool _is64;
    private readonly AccessCheck[][] _checks;
    private readonly CheckedRanges?[] _before;

    /// <summary>Plans a region.</summary>
    /// <param name="region">The region, analysed: every block that is reached other than along its direct edges is an entry.</param>
    /// <param name="history">How the accesses of the instruction at a RIP have fared so far; asked once for each.</param>
    public CheckPlan(Region region, Func<ulong, AccessHistory> history)
    {
        _region = region;
        _history = history;
        _is64 = region.Mode.Is64();
        _checks = new AccessCheck[region.Blocks.Count][];
        _before = new CheckedRanges?[region.Blocks.Count];
        Solve();
    }

    /// <summary>The check of the access at op <paramref name="index"/> of a block.</summary>
    public AccessCheck Check(RegionBlock block, int index) => _checks[block.Order][index];

    /// <summary>What is known where a block begins.</summary>
    public CheckedRanges Before(RegionBlock block) => _before[block.Order]!;

    /// <summary>How the accesses of the instruction at a RIP have fared so far, as the plan takes it.</summary>
    public AccessHistory History(ulong rip)
    {
        if (!_known.TryGetValue(rip, out var history))
            _known[rip] = history = _history(rip);
        return history;
    }

    /// <summary>True for ops that access guest memory inline.</summary>
    public static bool IsAccess(in IrOp op) => IsWrite(op) || op.Op is IrOpcode.Load or IrOpcode.LoadSigned or IrOpcode.VLoad;

    private void Solve()
    {
        foreach (var block in _region.Blocks)
            if (block.Entry >= 0)
                _before[block.Order] = new CheckedRanges();
        for (var round = 0; Round(round); round++)
        {
        }

        // Blocks that no edge leads to.
        var unreached = Array.FindAll(_checks, checks => checks == null).Length;
        if (unreached == 0)
            return;
        foreach (var block in _region.Blocks)
            _before[block.Order] = new CheckedRanges();
        foreach (var block in _region.Blocks)
            PlanBlock(block, _before[block.Order]!.Copy());
    }

    // Plans every block reached so far; true when what holds at the beginning of one has changed.
    private bool Round(int round)
    {
        var changed = false;
        foreach (var block in _region.Blocks)
        {
            if (_before[block.Order] is not { } before)
                continue;
            var after = before.Copy();
            PlanBlock(block, after);
            foreach (var successor in Successors(block))
            {
                if (successor.Entry >= 0)
                    continue;
                ref var known = ref _before[successor.Order];
                if (known == null)
                {
                    known = after.Copy();
                    changed = true;
                }
                else if (known.IntersectWith(after))
                {
                    if (round >= MaxRounds)
                        known.Clear();
                    changed = true;
                }
            }
        }

        return changed;
    }

    private IEnumerable<RegionBlock> Successors(RegionBlock block)
    {
        var last = block.Ops[^1].Op;
        if (last is IrOpcode.Jump or IrOpcode.JumpCondition or IrOpcode.JumpIf && _region.Find(block.Taken) is { } taken)
            yield return taken;
        if (last is IrOpcode.JumpCondition or IrOpcode.JumpIf && _region.Find(block.Next) is { } next)
            yield return next;
    }

    private void PlanBlock(RegionBlock block, CheckedRanges ranges)
    {
        var checks = _checks[block.Order] ??= new AccessCheck[block.Ops.Length];
        for (var i = 0; i < block.Ops.Length; i++)
        {
            ref readonly var op = ref block.Ops[i];
            if (IsAccess(op))
                checks[i] = PlanAccess(block, i, ranges);
            ranges.Apply(op, _is64);
        }
    }

    private AccessCheck PlanAccess(RegionBlock block, int index, CheckedRanges ranges)
    {
        ref readonly var op = ref block.Ops[index];
        var write = IsWrite(op);
        var own = new AccessCheck(CheckForm.Own, write, op.Disp, op.Disp + op.Size);
        if (!AddressKey.TryOf(op, out var key) || History(block.Addresses[op.Insn]) == AccessHistory.Slow)
            return own;
        if (ranges.Covers(key, write, own.Lo, own.Hi))
            return own with { Form = CheckForm.None };
        var check = Extend(block, index, key, own with { Form = CheckForm.FastBit });
        if (check.Form == CheckForm.FastBit)
        {
            if (key.IsStack)
                check = check with { Write = true, Lo = Math.Max(Math.Max(check.Lo - StackReserve, check.Hi - PageSize), int.MinValue) };
            ranges.Add(Granted(key, check));
        }
        else
            ranges.Add(new CheckedRange(key, check.Write, check.Lo, check.Hi));

        return check;
    }

    // The fast bit is about a whole page and the next. Of most addresses it is not known where in its page they lie.
    private CheckedRange Granted(AddressKey key, AccessCheck check)
    {
        if (!key.IsAbsolute || key.Seg != Slot.Zero)
            return new CheckedRange(key, check.Write, check.Lo, check.Lo + PageSize);
        var page = check.Lo & -PageSize;
        return new CheckedRange(key, check.Write, page, page + (2 * PageSize));
    }

    // Widens a check to accesses of the same memory that follow for certain.
    private AccessCheck Extend(RegionBlock block, int index, AddressKey key, AccessCheck check)
    {
        if (History(block.Addresses[block.Ops[index].Insn]) == AccessHistory.EdgePages)
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
                    break;
                (block, index) = (next, 0);
            }

            check = ExtendTo(block, index, origin, check, own);
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
            var history = History(block.Addresses[op.Insn]);
            var at = op.Disp - range.Lo;
            var write = IsWrite(op);
            var lo = Math.Min(check.Lo, at);
            var hi = Math.Max(check.Hi, at + op.Size);
            if (history == AccessHistory.Slow || hi - lo > PageSize || lo != (int)lo)
                return check;
            if (write && !check.Write && Math.Abs(at - own) > NearWrite)
                return check;
            return new AccessCheck(
                history == AccessHistory.EdgePages ? CheckForm.Edges : check.Form, check.Write || write, lo, hi);
        }

        return check;
    }

    private static bool IsWrite(in IrOp op) => op.Op is IrOpcode.Store or IrOpcode.VStore;
}
