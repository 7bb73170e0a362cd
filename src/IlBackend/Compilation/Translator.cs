using System.Diagnostics;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>How a <see cref="Translator"/> works.</summary>
/// <param name="Threshold">Interpreted entries of a block before it is compiled; 0 compiles everything before it runs.</param>
/// <param name="Background">Compile on a thread of its own while the interpreter goes on.</param>
/// <param name="CountInstructions">Translated code counts instructions (statistics).</param>
/// <param name="MaxDeadRegions">Dropped regions kept before the cache is flushed to free them.</param>
/// <param name="Verify">Run every block in lock-step with the interpreter and compare.</param>
/// <param name="MaxWeight">Size limit of a region; with 1 each block is a region by itself.</param>
/// <param name="HeatCounter">Gives each region a 64-bit counter of its executed instructions (profiles); it outlives the translator.</param>
public sealed record TranslatorOptions(
    int Threshold = 600, bool Background = true, bool CountInstructions = false, int MaxDeadRegions = 4096, bool Verify = false,
    int MaxWeight = RegionBuilder.MaxWeight, Func<Region, nint>? HeatCounter = null);

/// <summary>
/// The IL back end of one block cache: builds regions, compiles them, publishes their entries in cells, and takes them out when their bytes
/// change. A region is published only if, under the memory's lock, all its blocks are still valid.
/// </summary>
public sealed unsafe class Translator : ITranslator, ICellSource, IRegionMap, IDisposable
{
    // How many times longer a block inside a region must be hot before the region is made again with an entry there.
    private const int InnerPatience = 16;

    // A region that was too large is made as large as its measured size allows, less this for what another choice of blocks may cost.
    private const double RetryMargin = 0.95;

    // Exits for a slow access at one instruction before the region is made again with slow paths.
    private const int SlowExitsBeforeRecompile = 16;

    // Sampled entries from outside that a region is made again for, at least, and by weight.
    private const int MinSamples = 32;
    private const int WeightPerSample = 32;

    // Times that a region is made anew because its entries are hot.
    private const int MaxGrowth = 8;

    // How often a region is made again with better checks for some before all its accesses get them.
    private const int WorseningsBeforeAll = 2;

    private readonly TranslatorOptions _options;
    private readonly Dictionary<ulong, AccessHistory> _history = [];
    private readonly HashSet<ulong> _refusedLoops = [];
    private readonly Dictionary<ulong, int> _worsened = [];
    private readonly Dictionary<uint, CompiledRegion> _byNumber = [];
    private readonly Dictionary<(ulong Rip, GuestMode Mode), nint> _cells = [];
    private readonly Dictionary<nint, List<CompiledRegion>> _regionsOf = [];
    private readonly List<CompiledRegion> _dead = [];
    private readonly List<(nint Block, bool Grow)> _requests = [];
    private readonly Dictionary<(uint Region, ulong Rip), int> _samples = [];
    private readonly SemaphoreSlim _work = new(0);
    private readonly Thread? _thread;
    private readonly nint _stub;
    private BlockCache? _cache;
    private uint _lastNumber;
    private int _generation;
    private volatile bool _disposed;

    /// <summary>Makes a translator; it serves one block cache.</summary>
    public Translator(TranslatorOptions options)
    {
        _options = options;
        delegate*<CpuState*, EntryCell*, nint, void> stub = &EntryCell.ReturnToDispatcher;
        _stub = (nint)stub;
        if (!options.Background)
            return;
        _thread = new Thread(CompileLoop) { IsBackground = true, Name = "translator", Priority = ThreadPriority.BelowNormal };
        _thread.Start();
    }

    /// <inheritdoc/>
    public int Threshold => _options.Threshold;

    /// <inheritdoc/>
    public bool Verifies => _options.Verify;

    /// <summary>Counters.</summary>
    public TranslatorStatistics Statistics { get; } = new();

    /// <summary>Called after a region was compiled and published, under the memory's lock: for dumps.</summary>
    public Action<CompiledRegion>? Published { get; set; }

    /// <inheritdoc/>
    public void Request(BlockCache cache, Block* block)
    {
        lock (cache.Memory.Lock)
        {
            if (block->Valid == 0)
                return;
            _cache = cache;
            block->CompileState = CompileState.Requested;
            Ask(block, false);
        }
    }

    /// <inheritdoc/>
    public void NoteHotEntry(BlockCache cache, ulong rip, GuestMode mode, ulong top)
    {
        lock (cache.Memory.Lock)
        {
            if (RegionAt(Cell(rip, mode)) is not { } region || EntryBlock(region, Cell(rip, mode)) is var block && block->Valid == 0)
                return;

            // A function: its caller goes on at what lies on the stack.
            if (_cells.TryGetValue((top, mode), out var known) && RegionAt((EntryCell*)known) is { } caller && caller != region)
            {
                if (caller.Region.Find(rip) != null || !IsEvidence(caller, rip))
                    return;
                block->IsHotCallee = true;
                region = caller;
                block = (Block*)caller.Region.Blocks[0].Source;
            }
            else if (!IsEvidence(region, rip))
                return;

            if (block->Valid != 0)
                Ask(block, true);
        }
    }

    /// <inheritdoc/>
    public nint CompileAlone(BlockCache cache, Block* block)
    {
        Region region;
        lock (cache.Memory.Lock)
            region = RegionBuilder.Single(block);
        var compiled = Compile(region, new EmitOptions(true, true, WindowPages(cache), PermissionsOffset: cache.Memory.PermissionsOffset), out _)!;
        lock (cache.Memory.Lock)
            _dead.Add(compiled);
        return compiled.Code;
    }

    /// <inheritdoc/>
    public AccessHistory History(ulong rip)
    {
        lock (_cells)
            return _history.GetValueOrDefault(rip);
    }

    /// <inheritdoc/>
    public bool IsLoopRefused(ulong rip)
    {
        lock (_cells)
            return _refusedLoops.Contains(rip);
    }

    /// <inheritdoc/>
    public void NoteSlowAccess(BlockCache cache, FaultSite* site)
    {
        if (++site->SlowExits < SlowExitsBeforeRecompile)
            return;
        lock (cache.Memory.Lock)
        {
            if (!_byNumber.TryGetValue(site->Region, out var region))
                return;
            lock (_cells)
                Worsen(region, site);
            Statistics.Recompiled++;
            Kill(region);

            // It was hot: compile it again at its next entry.
            var head = (Block*)region.Region.Blocks[0].Source;
            head->SetHeat(_options.Threshold);
        }
    }

    /// <inheritdoc/>
    public void Invalidate(Block* block)
    {
        if (!_regionsOf.Remove((nint)block, out var regions))
            return;
        foreach (var region in regions)
            Kill(region);
    }

    /// <inheritdoc/>
    public bool WantsFlush => _dead.Count > _options.MaxDeadRegions;

    /// <inheritdoc/>
    public void Flush()
    {
        Interlocked.Increment(ref _generation);

        // A region that is being compiled may make cells meanwhile.
        lock (_cells)
            foreach (var cell in _cells.Values)
                Unlink((EntryCell*)cell);
        foreach (var region in _byNumber.Values)
            region.Release();
        foreach (var region in _dead)
            region.Release();
        _byNumber.Clear();
        _dead.Clear();
        _regionsOf.Clear();
        _requests.Clear();
        _samples.Clear();
        _lastNumber = 0;
    }

    /// <inheritdoc/>
    public int WeightOf(Block* block) => RegionAt((EntryCell*)block->Code) is { } region ? region.Region.Weight : 0;

    /// <inheritdoc/>
    public bool Contains(Block* block) => _regionsOf.TryGetValue((nint)block, out var regions) && regions.Count > 0;

    /// <inheritdoc/>
    public EntryCell* Cell(ulong rip, GuestMode mode)
    {
        lock (_cells)
        {
            if (_cells.TryGetValue((rip, mode), out var known))
                return (EntryCell*)known;
            var cell = (EntryCell*)NativeMemory.Alloc((nuint)sizeof(EntryCell));
            cell->Rip = rip;
            Unlink(cell);
            _cells[(rip, mode)] = (nint)cell;
            return cell;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        _work.Release();
    }

    // What one access of a region met, those relative to the same registers will meet, and in the end all: they get the better check at
    // once. The call, which costs registers in the whole region, is only for those that did not get by with it.
    private void Worsen(CompiledRegion region, FaultSite* worst)
    {
        if (worst->IsBeforeLoop != 0)
        {
            _refusedLoops.Add(worst->Rip);
            return;
        }

        var failed = new HashSet<ulong>();
        foreach (var s in region.FaultSites)
        {
            var site = (FaultSite*)s;
            if (site->SlowExits == 0 || site->IsBeforeLoop != 0)
                continue;
            failed.Add(site->Rip);
            _history[site->Rip] = _history.ContainsKey(site->Rip) ? AccessHistory.Slow : AccessHistory.EdgePages;
        }

        var head = region.Region.Blocks[0].Start;
        var times = _worsened[head] = _worsened.GetValueOrDefault(head) + 1;
        var keys = new HashSet<AddressKey>();
        foreach (var block in region.Region.Blocks)
            foreach (ref readonly var op in block.Ops.AsSpan())
                if (CheckPlan.IsAccess(op) && failed.Contains(block.Addresses[op.Insn]) && AddressKey.TryOf(op, out var key))
                    keys.Add(key);
        foreach (var block in region.Region.Blocks)
            foreach (ref readonly var op in block.Ops.AsSpan())
                if (CheckPlan.IsAccess(op) && (times > WorseningsBeforeAll || (AddressKey.TryOf(op, out var key) && keys.Contains(key))))
                    _history.TryAdd(block.Addresses[op.Insn], AccessHistory.EdgePages);
    }

    // The region that holds a cell's address; null when there is none. Under the memory's lock.
    private CompiledRegion? RegionAt(EntryCell* cell) => cell != null ? _byNumber.GetValueOrDefault(cell->Region) : null;

    private static Block* EntryBlock(CompiledRegion region, EntryCell* cell) =>
        (Block*)region.Region.Find(cell->Rip)!.Source;

    // True once, when an entry has been sampled so often that what its passages have cost is what it costs to make a region again.
    private bool IsEvidence(CompiledRegion region, ulong rip)
    {
        var count = _samples.GetValueOrDefault((region.Number, rip)) + 1;
        _samples[(region.Number, rip)] = count;
        return count == Math.Max(MinSamples, region.Region.Weight / WeightPerSample);
    }

    // Under the memory's lock.
    private void Ask(Block* block, bool grow)
    {
        _requests.Add(((nint)block, grow));
        if (_thread != null)
            _work.Release();
        else
            CompileNext();
    }

    private void CompileLoop()
    {
        while (true)
        {
            _work.Wait();
            if (_disposed)
                return;
            CompileNext();
        }
    }

    // What has no code at all, and is interpreted meanwhile, comes first; then the hottest.
    private static long Urgency((nint Block, bool Grow) request) =>
        (request.Grow || ((Block*)request.Block)->Code != 0 ? 0 : 1L << 40) + ((Block*)request.Block)->Hotness;

    // What is to be compiled next: the most urgent of the blocks asked for that still want it. Null when there is none. Under the memory's
    // lock.
    private (Region Region, bool Grow)? NextRegion(BlockCache cache)
    {
        while (_requests.Count > 0)
        {
            var best = 0;
            for (var i = 1; i < _requests.Count; i++)
                if (Urgency(_requests[i]) > Urgency(_requests[best]))
                    best = i;
            var (source, grow) = _requests[best];
            _requests.RemoveAt(best);
            var block = (Block*)source;
            if (block->Valid == 0)
                continue;
            if (!grow && block->Code != 0)
            {
                // A region that came meanwhile has an entry here.
                block->CompileState = CompileState.Entry;
                continue;
            }

            return (RegionBuilder.Build(cache, block, this, grow || Contains(block), _options.MaxWeight), grow);
        }

        return null;
    }

    // The generation tells a flush since the request: the cached blocks behind the region are then gone.
    private void CompileNext()
    {
        var cache = _cache!;
        Region region;
        bool grow;
        int generation;
        uint number;
        lock (cache.Memory.Lock)
        {
            if (NextRegion(cache) is not var (next, isGrowth))
                return;
            if (isGrowth && !IsWorthGrowing(next))
                return;
            (region, grow) = (next, isGrowth);
            generation = _generation;
            number = ++_lastNumber;
        }

        var compiled = Compile(region, OptionsFor(cache, region, number), out var fullness);
        while (compiled == null)
        {
            var weight = (int)(region.Weight * RetryMargin / fullness);
            lock (cache.Memory.Lock)
            {
                var head = (Block*)region.Blocks[0].Source;
                if (generation != _generation || head->Valid == 0)
                    return;
                region = RegionBuilder.Build(cache, head, this, grow || Contains(head), weight);
                if (grow && !IsWorthGrowing(region))
                    return;
            }

            compiled = Compile(region, OptionsFor(cache, region, number), out fullness);
        }

        lock (cache.Memory.Lock)
        {
            if (generation != _generation)
            {
                compiled.Release();
                return;
            }

            foreach (var block in region.Blocks)
            {
                if (((Block*)block.Source)->Valid != 0)
                    continue;
                compiled.Release();
                Statistics.Discarded++;
                ForgiveHead(region);
                return;
            }

            Publish(compiled, number);
            Published?.Invoke(compiled);
        }
    }

    // A region made anew because its entries are hot must take in something that the old one has not, and that not too often.
    private bool IsWorthGrowing(Region region)
    {
        var head = (Block*)region.Blocks[0].Source;
        if (RegionAt((EntryCell*)head->Code) is not { } old || old.Region.Growth >= MaxGrowth)
            return false;
        region.Growth = old.Region.Growth + 1;
        var added = 0;
        foreach (var block in region.Blocks)
        {
            if (old.Region.Find(block.Start) != null)
                continue;
            added++;
            if (((Block*)block.Source)->IsHotCallee)
                return true;
        }

        return added * 8 > region.Blocks.Count;
    }

    private EmitOptions OptionsFor(BlockCache cache, Region region, uint number)
    {
        var counter = _options.HeatCounter?.Invoke(region) ?? 0;
        return new EmitOptions(
            _options.CountInstructions || counter != 0, false, WindowPages(cache), counter, cache.Memory.PermissionsOffset, number);
    }

    // The head may be asked for again later.
    private static void ForgiveHead(Region region)
    {
        var head = (Block*)region.Blocks[0].Source;
        if (head->Valid != 0)
            head->CompileState = CompileState.LostEntry;
    }

    private static ulong WindowPages(BlockCache cache) => cache.Memory.WindowSize / AddressSpace.PageSize;

    // Null when the region must be made smaller.
    private CompiledRegion? Compile(Region region, EmitOptions options, out double fullness)
    {
        var start = Stopwatch.GetTimestamp();
        var compiled = CompiledRegion.TryCompile(region, this, options, out fullness);
        if (compiled != null)
        {
            Statistics.Regions++;
            Statistics.Blocks += region.Blocks.Count;
        }

        Statistics.CompileTicks += Stopwatch.GetTimestamp() - start;
        return compiled;
    }

    private void Publish(CompiledRegion compiled, uint number)
    {
        var region = compiled.Region;
        compiled.Number = number;
        _byNumber[number] = compiled;
        foreach (var site in compiled.FaultSites)
            ((FaultSite*)site)->Region = number;
        var replaced = new HashSet<CompiledRegion>();
        foreach (var block in region.Blocks)
        {
            if (!_regionsOf.TryGetValue(block.Source, out var list))
                _regionsOf[block.Source] = list = [];
            list.Add(compiled);
        }

        foreach (var entry in region.Entries)
        {
            var block = (Block*)entry.Source;
            if (entry.Copied && block->Code != 0)
                continue;
            var cell = Cell(entry.Start, region.Mode);
            if (_byNumber.TryGetValue(cell->Region, out var old))
                replaced.Add(old);
            cell->Local = EntryCell.Inside(number, entry.Entry);
            Volatile.Write(ref cell->Target, EntryCell.Pack(compiled.Code, entry.Entry));
            block->Code = (nint)cell;
            block->CompileState = CompileState.Entry;
            block->SetHeat(int.MaxValue / 2);
        }

        foreach (var old in replaced)
            if (!HasEntries(old))
                Kill(old);

        // Blocks inside have no entry of their own: from there the interpreter soon comes to one that has. Only a block that stays hot for
        // long gets one.
        foreach (var inner in region.Blocks)
        {
            var block = (Block*)inner.Source;
            if (inner.Entry < 0 && block->Code == 0 && block->CompileState != CompileState.Requested)
                block->SetHeat(Math.Min(block->Heat, -InnerPatience * Math.Max(1, _options.Threshold)));
        }
    }

    private bool HasEntries(CompiledRegion compiled)
    {
        foreach (var entry in compiled.Region.Entries)
            if (Cell(entry.Start, compiled.Region.Mode)->Region == compiled.Number)
                return true;
        return false;
    }

    private void Unlink(EntryCell* cell)
    {
        cell->Local = 0;
        Volatile.Write(ref cell->Target, EntryCell.Pack(_stub, 0));
    }

    private void Kill(CompiledRegion compiled)
    {
        if (!_byNumber.Remove(compiled.Number))
            return;
        _dead.Add(compiled);
        foreach (var entry in compiled.Region.Entries)
        {
            var cell = Cell(entry.Start, compiled.Region.Mode);
            if (cell->Region != compiled.Number)
                continue;
            Unlink(cell);
            var block = (Block*)entry.Source;
            block->Code = 0;
            block->CompileState = CompileState.LostEntry;
            block->SetHeat(0);
        }

        foreach (var block in compiled.Region.Blocks)
            if (_regionsOf.TryGetValue(block.Source, out var list))
                list.Remove(compiled);
    }
}

/// <summary>Counters of a translator. Approximate under several threads.</summary>
public sealed class TranslatorStatistics
{
    /// <summary>Regions compiled.</summary>
    public long Regions { get; set; }

    /// <summary>Blocks in them.</summary>
    public long Blocks { get; set; }

    /// <summary>Regions compiled in vain because their bytes changed meanwhile.</summary>
    public long Discarded { get; set; }

    /// <summary>Regions dropped to be compiled again with slow paths for accesses.</summary>
    public long Recompiled { get; set; }

    /// <summary>Stopwatch ticks spent emitting and compiling.</summary>
    public long CompileTicks { get; set; }
}
