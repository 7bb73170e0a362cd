using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Regions;

/// <summary>
/// Chooses what is compiled together: from a hot block along direct jumps, branches, calls and the known targets of indirect jumps, the
/// hottest first. What has code already is left alone unless it is small beside the rest (then it is compiled again, within the
/// larger region), so that a block is compiled a few times at most, however its surroundings get hot one after the other.
/// </summary>
public sealed unsafe class RegionBuilder
{
    /// <summary>
    /// Weight of the largest region to try. RyuJIT gives up optimising at 8,000 references to locals; an IR op costs about 6 on average, a
    /// memory access 10; the emitter counts exactly.
    /// </summary>
    public const int MaxWeight = 12000;

    // Weight of a region up to which a function in it is copied into its caller, unless that is recompiled because the function is entered
    // often.
    private const int MaxCopiedCallee = 300;

    // Weight of all called functions in a region, at first and when it is recompiled.
    private const int MaxCopied = 1500;
    private const int MaxCopiedWhenGrowing = 5000;

    private const int MaxBlocks = 600;

    // A block belongs to the region when it was entered at least once while its head was entered so many times.
    private const int ColdFactor = 48;

    private readonly BlockCache _cache;
    private readonly IRegionMap _map;
    private readonly int _maxWeight;
    private readonly bool _grow;
    private readonly GuestMode _mode;
    private readonly ushort _context;
    private readonly bool _isBudgeted;
    private readonly int _minHotness;
    private readonly List<RegionBlock> _blocks = [];
    private readonly HashSet<ulong> _seen = [];

    // With paging, for each linear page of the region the one in memory.
    private readonly Dictionary<ulong, ulong> _pages = [];
    private readonly PriorityQueue<(nint Block, bool Copied), int> _queue = new();
    private readonly List<(nint Block, bool ByCall, int Weight)> _compiled = [];
    private int _weight, _copiedWeight;

    private RegionBuilder(BlockCache cache, Block* head, IRegionMap map, bool grow, int maxWeight)
    {
        _cache = cache;
        _map = map;
        _grow = grow;
        _maxWeight = maxWeight;
        _mode = (GuestMode)head->Mode;
        _context = head->Context;
        _isBudgeted = head->IsBudgeted;
        _minHotness = Math.Max(2, Math.Min(head->Hotness, 100_000) / ColdFactor);
    }

    /// <summary>Builds a region and analyses it. Under the memory's lock.</summary>
    /// <param name="cache">The cache with the blocks.</param>
    /// <param name="head">Where it begins; hot.</param>
    /// <param name="map">What is compiled already.</param>
    /// <param name="grow">Take in what is compiled already as far as it fits.</param>
    /// <param name="maxWeight">Size limit.</param>
    public static Region Build(BlockCache cache, Block* head, IRegionMap map, bool grow, int maxWeight = MaxWeight)
    {
        var region = Collect(cache, head, map, grow, maxWeight);
        region.Analyse();
        return region;
    }

    /// <summary>
    /// Builds a region that is still to be analysed. Under <see cref="BlockCache.BuildGate"/> or the memory's lock: what else goes on in the cache
    /// meanwhile has an effect on what is chosen, and whether it is still valid is known when it is published.
    /// </summary>
    /// <param name="cache">The cache with the blocks.</param>
    /// <param name="head">Where it begins; hot.</param>
    /// <param name="map">What is compiled already; asked without a lock.</param>
    /// <param name="grow">Take in what is compiled already as far as it fits.</param>
    /// <param name="maxWeight">Size limit.</param>
    public static Region Collect(BlockCache cache, Block* head, IRegionMap map, bool grow, int maxWeight)
    {
        var builder = new RegionBuilder(cache, head, map, grow, maxWeight);
        builder.Collect(head);
        return builder.Layout();
    }

    /// <summary>A region of one block.</summary>
    public static Region Single(Block* block)
    {
        var region = new Region((GuestMode)block->Mode, [RegionBlock.CopyOf(block)]) { Context = block->Context, IsBudgeted = block->IsBudgeted };
        region.Analyse();
        return region;
    }

    /// <summary>About how many references to locals a block's IL has.</summary>
    public static int WeightOf(Block* block) => WeightOf(new ReadOnlySpan<IrOp>(Block.Ops(block), block->OpCount));

    /// <summary>About how many references to locals the IL of a block's ops has.</summary>
    public static int WeightOf(ReadOnlySpan<IrOp> ops)
    {
        var weight = 20;
        foreach (ref readonly var op in ops)
            weight += op.HasAddress ? 12 : op.Op == IrOpcode.Call ? 40 : 6;
        return weight;
    }

    private void Collect(Block* head)
    {
        _seen.Add(head->Start);
        if (_cache.IsPaged)
            NotePages(head);
        _queue.Enqueue(((nint)head, false), int.MinValue);
        do
        {
            while (_blocks.Count < MaxBlocks && _queue.TryDequeue(out var next, out _))
            {
                var block = (Block*)next.Block;
                var weight = WeightOf(block);
                if (_blocks.Count > 0 && (_weight + weight > _maxWeight || (next.Copied && _copiedWeight + weight > (_grow ? MaxCopiedWhenGrowing : MaxCopied))))
                    continue;
                _weight += weight;
                if (next.Copied)
                    _copiedWeight += weight;
                var copy = RegionBlock.CopyOf(block);
                copy.Copied = next.Copied;
                copy.HadEntry = block->Code != 0 || block->CompileState is CompileState.Requested or CompileState.LostEntry;
                _blocks.Add(copy);
                Follow(block, next.Copied);
            }
        }
        while (_blocks.Count < MaxBlocks && TakeCompiled());
    }

    // Takes in the lightest of the compiled regions met so far, if it is worth it.
    private bool TakeCompiled()
    {
        while (_compiled.Count > 0)
        {
            var best = 0;
            for (var i = 1; i < _compiled.Count; i++)
                if (_compiled[i].Weight < _compiled[best].Weight)
                    best = i;
            var (block, byCall, weight) = _compiled[best];
            _compiled.RemoveAt(best);
            if (!IsWorthTaking((Block*)block, byCall, weight) || !_seen.Add(((Block*)block)->Start))
                continue;
            Enqueue((Block*)block, byCall);
            return true;
        }

        return false;
    }

    private bool IsWorthTaking(Block* block, bool byCall, int weight)
    {
        if (byCall)
            return weight <= MaxCopiedCallee || (_grow && block->IsHotCallee);
        return weight <= (_grow ? _maxWeight : 2 * _weight) && _weight + weight <= _maxWeight;
    }

    // The function's own blocks come before those of the functions it calls, and the hottest first.
    private void Enqueue(Block* block, bool copied) => _queue.Enqueue(((nint)block, copied), (copied ? 0 : int.MinValue) - block->Hotness);

    private void Follow(Block* block, bool copied)
    {
        ref var last = ref Block.Ops(block)[block->OpCount - 1];
        var calls = block->EndsWithCall != 0;
        if (last.Op is IrOpcode.Jump or IrOpcode.JumpCondition or IrOpcode.JumpIf)
            Add(block->Taken, calls, copied);
        if (last.Op is IrOpcode.JumpCondition or IrOpcode.JumpIf || calls)
            Add(block->Next, false, copied);

        if (last.Op != IrOpcode.JumpIndirect)
            return;
        var targets = IndirectTargets.ToArray(block->Targets);

        // A jump with one or two targets is a call by way of the linkage table, or of a pointer that hardly changes: the code compares. Others
        // find their targets through cells, each of which leads to one region only: those are no copies.
        if (targets.Length <= Region.MaxComparedTargets)
            foreach (var target in targets)
                Add(target, true, copied);
        else if (!copied)
            foreach (var target in targets)
                Add(target, false, false);
    }

    private void Add(ulong rip, bool byCall, bool copied)
    {
        if (_seen.Contains(rip))
            return;
        var next = FindBlock(rip);
        if (next == null)
            return;
        var isCompiled = next->Code != 0;
        if ((byCall || !copied) && (isCompiled || _map.WeightUnderWay(next) != 0))
        {
            _compiled.Add(((nint)next, byCall, isCompiled ? _map.WeightOf(next) : _map.WeightUnderWay(next)));
            return;
        }

        if (next->Hotness < _minHotness && next->CompileState == CompileState.None && !_map.Contains(next))
            return;
        _seen.Add(rip);
        Enqueue(next, copied || byCall);
    }

    // With paging there may be several, from different pages: one whose pages are those of the region so far.
    private Block* FindBlock(ulong rip)
    {
        if (!_cache.IsPaged)
            return _cache.Find(rip, _context) is var found && found != null && found->HasOps ? found : null;
        for (var block = _cache.Find(rip, _context); block != null; block = _cache.FindNext(block))
        {
            if (!block->HasOps || !HasPage(block->Linear, block->FirstPage) || (block->LastPage != block->FirstPage && !HasPage(block->Linear + AddressSpace.PageSize, block->LastPage)))
                continue;
            NotePages(block);
            return block;
        }

        return null;
    }

    private bool HasPage(ulong linear, ulong page) => !_pages.TryGetValue(linear / AddressSpace.PageSize, out var known) || known == page;

    private void NotePages(Block* block)
    {
        _pages[block->Linear / AddressSpace.PageSize] = block->FirstPage;
        if (block->LastPage != block->FirstPage)
            _pages[(block->Linear / AddressSpace.PageSize) + 1] = block->LastPage;
    }

    // In address order after the head, loops and their exits lie as the compiler of the guest laid them.
    private Region Layout()
    {
        var blocks = _blocks.GetRange(1, _blocks.Count - 1);
        blocks.Sort((a, b) => a.Start.CompareTo(b.Start));
        blocks.Insert(0, _blocks[0]);
        return new Region(_mode, blocks) { Context = _context, IsBudgeted = _isBudgeted, Weight = _weight };
    }
}

/// <summary>What is compiled already, for <see cref="RegionBuilder"/>.</summary>
public unsafe interface IRegionMap
{
    /// <summary>Weight of the region that a block with code is an entry of; 0 when there is none.</summary>
    int WeightOf(Block* block);

    /// <summary>Weight of the region that a block is in and that is being compiled at the moment; 0 when there is none.</summary>
    int WeightUnderWay(Block* block);

    /// <summary>True when a block is part of a compiled region.</summary>
    bool Contains(Block* block);
}
