using System.Diagnostics;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.IlBackend.Regions;

/// <summary>
/// All that is found out about a region before its code is written. The analyses build upon each other; they are made here, once, in their
/// order, and the emitter gets the whole.
/// </summary>
public sealed class RegionPlan
{
    private readonly Dictionary<ulong, X87Stack> _x87;

    private readonly IAccessHistory _history;
    private readonly Dictionary<ulong, AccessHistory> _known = [];

    private RegionPlan(Region region, IAccessHistory history, bool alone, bool isLinked, bool sharesChecks)
    {
        _history = history;
        Region = region;
        Alone = alone;
        IsLinked = isLinked;
        Checks = alone || !sharesChecks ? null : new CheckPlan(region, History, history.IsLoopRefused);
        Budget = region.IsBudgeted && !alone ? new BudgetPlan(region) : null;
        Written = new WrittenRegisters(region, UsesJumpTable);
        Flags = new FlagsFlow(region, alone, LeavesAtStart, IsProven);
        Slots = new UsedSlots(region, Flags.Ops);
        Results = new FloatResults(region, Flags.Ops, alone);
        Invariants = new LoopInvariants(region, Flags.Ops, alone);
        _x87 = alone ? [] : X87Stack.Flow(region);
    }

    /// <summary>The region.</summary>
    public Region Region { get; }

    /// <summary>The region is one block to be executed once: all jumps lead out of it.</summary>
    public bool Alone { get; }

    /// <summary>The region is entered through cells, again and again.</summary>
    public bool IsLinked { get; }

    /// <summary>True for 64-bit code.</summary>
    public bool Is64 => Region.Mode.Is64();

    /// <summary>Indirect jumps with many targets go through the region's jump table.</summary>
    public bool UsesJumpTable => IsLinked && Region.JumpTable != null;

    /// <summary>What is tested before which access; null when each access has a test of its own.</summary>
    public CheckPlan? Checks { get; }

    /// <summary>Where an instruction budget is tested; null when the region has none.</summary>
    public BudgetPlan? Budget { get; }

    /// <summary>The flags across the region, and the ops to emit.</summary>
    public FlagsFlow Flags { get; }

    /// <summary>The registers that exits have to store.</summary>
    public WrittenRegisters Written { get; }

    /// <summary>The slots and cells that get locals.</summary>
    public UsedSlots Slots { get; }

    /// <summary>The floating-point results that must be stored lest RyuJIT drop them.</summary>
    public FloatResults Results { get; }

    /// <summary>The floating-point operands that must be hidden lest RyuJIT move their operation.</summary>
    public LoopInvariants Invariants { get; }

    /// <summary>Plans a region.</summary>
    /// <param name="region">The region, with its entries numbered.</param>
    /// <param name="history">How earlier translations have fared.</param>
    /// <param name="alone">The region is one block to be executed once.</param>
    /// <param name="isLinked">The region is entered through cells.</param>
    /// <param name="sharesChecks">A test serves several accesses; else each access has a test of its own.</param>
    public static RegionPlan Make(Region region, IAccessHistory history, bool alone, bool isLinked, bool sharesChecks)
    {
        var plan = new RegionPlan(region, history, alone, isLinked, sharesChecks);
        plan.Verify();
        return plan;
    }

    /// <summary>What is tested on the way into a loop with this head.</summary>
    public IReadOnlyList<AccessCheck> LoopChecksOf(RegionBlock head) => Checks?.LoopChecksOf(head) ?? [];

    /// <summary>The check of the access at op <paramref name="index"/> of a block.</summary>
    public AccessCheck Check(RegionBlock block, int index) =>
        Checks?.Check(block, index) ?? new AccessCheck(CheckForm.Own, CheckPlan.IsWrite(block.Ops[index]), 0, 0, null) { Window = block.WindowOf(index) };

    /// <summary>How the accesses of the instruction at a RIP have fared; a block alone takes nothing for granted.</summary>
    public AccessHistory History(ulong rip)
    {
        if (Alone)
            return AccessHistory.Slow;
        if (!_known.TryGetValue(rip, out var history))
            _known[rip] = history = _history.History(rip);
        return history;
    }

    /// <summary>True when all that the tests before a loop would find out is known on an edge to its head.</summary>
    public bool IsKnown(RegionBlock from, RegionBlock head) => Checks?.IsKnown(from, head) == true;

    /// <summary>The x87 stack that a block is likely to find; null when nothing is known.</summary>
    public X87Stack? X87At(RegionBlock block) => _x87.TryGetValue(block.Start, out var stack) ? stack : null;

    private bool LeavesAtStart(RegionBlock block) => LoopChecksOf(block).Count > 0;

    // True when the access at an op of a block cannot leave the code.
    private bool IsProven(RegionBlock block, int index)
    {
        ref readonly var op = ref block.Ops[index];
        return Checks != null && CheckPlan.IsAccess(op) && (op.Attr & IrAttr.Aligned) == 0 && Checks.Check(block, index).Form == CheckForm.None;
    }

    // What the emitter relies on, asserted in debug builds.
    [Conditional("DEBUG")]
    private void Verify()
    {
        for (var i = 0; i < Region.Blocks.Count; i++)
        {
            var block = Region.Blocks[i];
            Debug.Assert(block.Order == i, "blocks are numbered in layout order");
            Debug.Assert(block.Ops.Length > 0 && block.Ops[^1].Op >= IrOpcode.Jump, "a block ends with a jump or an exit");
            Debug.Assert(Flags.Ops(block).Length == block.Ops.Length, "analyses keep the positions of ops");
            Debug.Assert(block.Entry < Region.EntryNumbers, "entry numbers are below EntryNumbers");
        }

        foreach (var entry in Region.Entries)
            Debug.Assert(entry.Entry >= 0, "entries have numbers");
        Debug.Assert(Region.Blocks[0].Entry >= 0 || Alone, "a region is entered at its head");
        Flags.Verify();
        Checks?.Verify();
        Written.Verify();
    }
}
