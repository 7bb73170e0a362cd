using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Regions;

/// <summary>A copy of a cached block for the back end: it stays what it is while the cache changes.</summary>
/// <param name="Source">The cached block; to be touched only under the memory's lock.</param>
/// <param name="Start">RIP of its first instruction.</param>
/// <param name="Next">RIP after it.</param>
/// <param name="Taken">Target of its direct jump.</param>
/// <param name="EndsWithCall">It ends with a call.</param>
/// <param name="Ops">Its ops.</param>
/// <param name="Addresses">RIP of each instruction.</param>
public sealed record RegionBlock(
    nint Source, ulong Start, ulong Next, ulong Taken, bool EndsWithCall, IrOp[] Ops, ulong[] Addresses)
{
    /// <summary>Its ops; empty after <see cref="Region.DropCode"/>.</summary>
    public IrOp[] Ops { get; private set; } = Ops;

    /// <summary>RIP of each instruction; empty after <see cref="Region.DropCode"/>.</summary>
    public ulong[] Addresses { get; private set; } = Addresses;

    /// <summary>Targets that its indirect jump or call was seen to have; in or outside the region.</summary>
    public IReadOnlyList<ulong> Targets { get; init; } = [];

    /// <summary>The x87 stack that was seen at its entry (<see cref="Block.X87Stack"/>).</summary>
    public uint X87Stack { get; init; }

    /// <summary>The window of each op's accesses (<see cref="Block.Windows"/>); empty when nothing is known.</summary>
    public IReadOnlyList<ushort> Windows { get; init; } = [];

    /// <summary>It is part of a called function that has code of its own: other callers go on using that.</summary>
    public bool Copied { get; set; }

    /// <summary>It has been requested, or has been entered, from outside.</summary>
    public bool HadEntry { get; set; }

    /// <summary>Edges from blocks of the region that lead here.</summary>
    public int Predecessors { get; set; }

    /// <summary>Number of the entry, or -1 when the block is entered from inside only. Entries that share a place of the jump table share a number.</summary>
    public int Entry { get; set; } = -1;

    /// <summary>Position in the region's layout.</summary>
    public int Order { get; set; }

    /// <summary>The window that the accesses of an op are expected in.</summary>
    public ushort WindowOf(int op) => op < Windows.Count ? Windows[op] : (ushort)0;

    // Nothing but the main window, mostly.
    private static unsafe ushort[] WindowsOf(Block* block)
    {
        var windows = new ReadOnlySpan<ushort>(Block.Windows(block), block->OpCount);
        return windows.ContainsAnyExcept((ushort)0) ? windows.ToArray() : [];
    }

    /// <summary>Copies a cached block. Under the memory's lock, or <see cref="BlockCache.BuildGate"/>.</summary>
    public static unsafe RegionBlock CopyOf(Block* block)
    {
        return new RegionBlock((nint)block, block->Start, block->Next, block->Taken, block->EndsWithCall != 0, OpsOf(block), AddressesOf(block))
        {
            Targets = IndirectTargets.ToArray(block->Targets),
            X87Stack = block->X87Stack,
            Windows = WindowsOf(block),
        };
    }

    /// <summary>See <see cref="Region.DropCode"/>.</summary>
    internal void DropCode() => (Ops, Addresses) = ([], []);

    /// <summary>See <see cref="Region.TakeCode"/>.</summary>
    internal unsafe void TakeCode()
    {
        if (Ops.Length == 0)
            (Ops, Addresses) = (OpsOf((Block*)Source), AddressesOf((Block*)Source));
    }

    private static unsafe IrOp[] OpsOf(Block* block) => new ReadOnlySpan<IrOp>(Block.Ops(block), block->OpCount).ToArray();

    private static unsafe ulong[] AddressesOf(Block* block)
    {
        var addresses = new ulong[block->InstructionCount];
        var address = block->Start;
        for (var i = 0; i < addresses.Length; i++)
        {
            addresses[i] = address;
            address += Block.Lengths(block)[i];
        }

        return addresses;
    }
}

/// <summary>What is compiled as one method: blocks with a head, in layout order.</summary>
public sealed class Region
{
    /// <summary>Known targets of an indirect jump or call up to which the code compares; with more it uses the region's jump table.</summary>
    public const int MaxComparedTargets = 2;

    /// <summary>The same for return points.</summary>
    public const int MaxComparedReturns = 6;

    private readonly Dictionary<ulong, RegionBlock> _byAddress = [];
    private readonly Dictionary<RegionBlock, List<RegionBlock>> _returnPoints = [];
    private readonly HashSet<RegionBlock> _dispatching = [];

    /// <summary>Makes a region; the first block is the head.</summary>
    public Region(GuestMode mode, IReadOnlyList<RegionBlock> blocks)
    {
        Mode = mode;
        Blocks = blocks;
        for (var i = 0; i < blocks.Count; i++)
        {
            blocks[i].Order = i;
            _byAddress[blocks[i].Start] = blocks[i];
        }
    }

    /// <summary>How often its like was made before, with less in it.</summary>
    public int Growth { get; set; }

    /// <summary>The mode of all blocks.</summary>
    public GuestMode Mode { get; }

    /// <summary>Number of the code context of all blocks (<see cref="CodeContexts"/>).</summary>
    public ushort Context { get; init; }

    /// <summary>The code is for runs with an instruction budget.</summary>
    public bool IsBudgeted { get; init; }

    /// <summary>The blocks in layout order.</summary>
    public IReadOnlyList<RegionBlock> Blocks { get; }

    /// <summary>Estimated references to locals in its IL (<see cref="RegionBuilder.WeightOf(Block*)"/>).</summary>
    public int Weight { get; init; }

    /// <summary>The blocks that can be entered from outside.</summary>
    public IReadOnlyList<RegionBlock> Entries { get; private set; } = [];

    /// <summary>Where indirect jumps with many targets inside find them; null when there is no such jump.</summary>
    public JumpTable? JumpTable { get; private set; }

    /// <summary>Entry numbers are below this.</summary>
    public int EntryNumbers { get; private set; } = 1;

    /// <summary>The block at a RIP, or null when it is outside.</summary>
    public RegionBlock? Find(ulong rip) => _byAddress.GetValueOrDefault(rip);

    /// <summary>
    /// Counts predecessors and numbers the entries: the head, targets of indirect jumps, called functions, return points of calls, targets
    /// of backward jumps (so that code outside can come back in where it left), and what was entered from outside before.
    /// </summary>
    public void Analyse()
    {
        var entries = new List<RegionBlock> { Blocks[0] };
        Blocks[0].Entry = 0;
        foreach (var block in Blocks)
        {
            var last = block.Ops[^1].Op;
            if (last is IrOpcode.Jump or IrOpcode.JumpCondition or IrOpcode.JumpIf)
                Edge(block, block.Taken, entries);
            if (last is IrOpcode.JumpCondition or IrOpcode.JumpIf)
                Edge(block, block.Next, entries);
            if (block.EndsWithCall && Find(block.Next) is { } point)
                AddEntry(point, entries);
            if (block.EndsWithCall && last == IrOpcode.Jump && Find(block.Taken) is { Copied: false } function)
                AddEntry(function, entries);
            foreach (var target in block.Targets)
                if (Find(target) is { } known && (!known.Copied || block.Targets.Count <= MaxComparedTargets))
                    AddEntry(known, entries);
            if (block is { HadEntry: true, Copied: false })
                AddEntry(block, entries);
        }

        Entries = entries;
        FindReturnPoints();
        MakeJumpTable();
        RegionAssertions.Hold(this);
    }

    /// <summary>
    /// Gives up what only the emitter needs, which is most of a region: the ops, and how they are connected. A region is compiled once, and may stay
    /// for as long as the guest runs.
    /// </summary>
    public void DropCode()
    {
        foreach (var block in Blocks)
            block.DropCode();
        _returnPoints.Clear();
        _returnPoints.TrimExcess();
        _dispatching.Clear();
        _dispatching.TrimExcess();
    }

    /// <summary>Copies the ops again that <see cref="DropCode"/> gave up. Under the memory's lock; all blocks are in the cache, and valid.</summary>
    public void TakeCode()
    {
        foreach (var block in Blocks)
            block.TakeCode();
    }

    /// <summary>True when the indirect jump at the end of a block goes through the region's jump table.</summary>
    public bool Dispatches(RegionBlock block) => _dispatching.Contains(block);

    /// <summary>Where a return may go inside the region: behind the calls of the functions that it belongs to.</summary>
    public IReadOnlyList<RegionBlock> ReturnPointsOf(RegionBlock block) => _returnPoints.TryGetValue(block, out var points) ? points : [];

    /// <summary>Where inside the region the indirect jump of a block most likely goes: the return points of a return, the few known targets of a jump or call.</summary>
    public IEnumerable<RegionBlock> LikelyTargetsOf(RegionBlock block)
    {
        return Dispatches(block) ? [] : KnownTargetsOf(block);
    }

    private IEnumerable<RegionBlock> KnownTargetsOf(RegionBlock block) =>
        (JumpKind)block.Ops[^1].Sub == JumpKind.Return ? ReturnPointsOf(block) : block.Targets.Select(Find).OfType<RegionBlock>();

    // Entries that are in the jump table have their place there as a number; the others follow.
    private void MakeJumpTable()
    {
        var targets = new HashSet<RegionBlock>();
        foreach (var block in Blocks)
        {
            if (block.Ops[^1].Op != IrOpcode.JumpIndirect)
                continue;
            var isReturn = (JumpKind)block.Ops[^1].Sub == JumpKind.Return;
            if ((isReturn ? ReturnPointsOf(block).Count : block.Targets.Count) <= (isReturn ? MaxComparedReturns : MaxComparedTargets))
                continue;
            var known = KnownTargetsOf(block).Where(target => target.Entry >= 0).ToList();
            if (known.Count == 0)
                continue;
            _dispatching.Add(block);
            targets.UnionWith(known);
        }

        EntryNumbers = 0;
        if (targets.Count > 0)
        {
            JumpTable = new JumpTable([.. targets.OrderBy(block => block.Order)]);
            EntryNumbers = JumpTable.Size;
        }

        foreach (var entry in Entries)
            entry.Entry = targets.Contains(entry) ? JumpTable!.PlaceOf(entry.Start) : EntryNumbers++;
    }

    private void FindReturnPoints()
    {
        var returns = new Dictionary<ulong, List<RegionBlock>>();
        foreach (var block in Blocks)
        {
            if (!block.EndsWithCall || Find(block.Next) is not { } point)
                continue;
            IEnumerable<ulong> functions = block.Ops[^1].Op == IrOpcode.Jump ? [block.Taken] : block.Targets;
            foreach (var function in functions)
            {
                if (!returns.TryGetValue(function, out var found))
                    returns[function] = found = ReturnsOf(function);
                foreach (var at in found)
                {
                    if (!_returnPoints.TryGetValue(at, out var points))
                        _returnPoints[at] = points = [];
                    if (!points.Contains(point))
                        points.Add(point);
                }
            }
        }
    }

    // The returns that a function comes to without returning from it before.
    private List<RegionBlock> ReturnsOf(ulong function)
    {
        var found = new List<RegionBlock>();
        var seen = new HashSet<ulong>();
        var queue = new Queue<ulong>([function]);
        while (queue.TryDequeue(out var address))
        {
            if (!seen.Add(address) || Find(address) is not { } block)
                continue;
            ref readonly var last = ref block.Ops[^1];
            if (last.Op == IrOpcode.JumpIndirect && (JumpKind)last.Sub == JumpKind.Return)
                found.Add(block);
            if (block.EndsWithCall || last.Op is IrOpcode.JumpCondition or IrOpcode.JumpIf)
                queue.Enqueue(block.Next);
            if (block.EndsWithCall)
                continue;
            if (last.Op is IrOpcode.Jump or IrOpcode.JumpCondition or IrOpcode.JumpIf)
                queue.Enqueue(block.Taken);
            foreach (var target in block.Targets)
                queue.Enqueue(target);
        }

        return found;
    }

    private static void AddEntry(RegionBlock block, List<RegionBlock> entries)
    {
        if (block.Entry >= 0)
            return;
        block.Entry = entries.Count;
        entries.Add(block);
    }

    private void Edge(RegionBlock from, ulong target, List<RegionBlock> entries)
    {
        if (Find(target) is not { } to)
            return;
        to.Predecessors++;
        if (to.Order <= from.Order && !to.Copied)
            AddEntry(to, entries);
    }
}
