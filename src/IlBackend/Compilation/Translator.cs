using System.Collections.Concurrent;
using System.Diagnostics;
using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Paging;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>
/// The IL back end of one block cache: builds regions, compiles them, publishes their entries in cells, and takes them out when their bytes
/// change. A region is published only if, under the memory's lock, all its blocks are still valid. A region that cannot be compiled because
/// of an error is lost alone: its blocks are interpreted.
/// </summary>
public sealed unsafe partial class Translator : ITranslator, IRegionMap
{
    // How many times longer a block inside a region must be hot before the region is recompiled with an entry there.
    private const int InnerPatience = 16;

    // A region that was too large is made as large as its measured size allows, less this for what another choice of blocks may cost.
    private const double RetryMargin = 0.95;

    // Size of a region whose accesses go by the lookaside table: its IL has 1.37 times as many references to locals (measured, 64-bit code).
    private const double LookasideShare = 0.73;

    // Exits for a slow access at one instruction before the region is recompiled with slow paths.
    private const int SlowExitsBeforeRecompile = 16;

    // Sampled entries from outside that a region is recompiled for, at least, and by weight.
    private const int MinSamples = 32;
    private const int WeightPerSample = 32;

    // Times that a region is recompiled because its entries are hot.
    private const int MaxGrowth = 8;

    // Entries of a block between two requests, about.
    private const int EntriesToAskAgain = 200;

    private readonly TranslatorOptions _options;
    private readonly int _maxWeight;
    private readonly AccessRecords _records = new();
    private readonly CellTable _cells = new();

    // Changed under the memory's lock; a region is built without it.
    private readonly ConcurrentDictionary<uint, PublishedRegion> _byNumber = [];
    private readonly ConcurrentDictionary<nint, List<CompiledRegion>> _regionsOf = [];

    private readonly List<PublishedRegion> _dead = [];
    private readonly RequestQueue _requests = new();
    private readonly RegionsUnderWay _underWay = new();
    private readonly Dictionary<(uint Region, ulong Rip), int> _samples = [];
    private BlockCache? _cache;
    private uint _lastNumber;
    private int _generation;

    // Turns that the translator waits for or has at the compile threads.
    private int _turns;

    // Those of them that have a request.
    private int _serving;
    private volatile bool _isDisposed;

    /// <summary>Makes a translator; it serves one block cache.</summary>
    public Translator(TranslatorOptions options)
    {
        _options = options;
        _maxWeight = UsesLookaside ? (int)(options.MaxWeight * LookasideShare) : options.MaxWeight;
        Statistics = options.Statistics ?? new TranslatorStatistics();
    }

    /// <inheritdoc/>
    public int Threshold => _options.Threshold;

    /// <inheritdoc/>
    public bool Verifies => _options.Verify;

    /// <inheritdoc/>
    public bool UsesLookaside => _options.Access == AccessForm.Lookaside;

    /// <summary>Counters.</summary>
    public TranslatorStatistics Statistics { get; }

    /// <summary>Called after a region was compiled and published, under the memory's lock: for dumps.</summary>
    public Action<CompiledRegion>? Published { get; set; }

    /// <summary>Who compiles.</summary>
    internal CompileThreads Threads { get; init; } = CompileThreads.Shared;

    /// <summary>Stopwatch ticks that <see cref="CompileThreads"/> have spent on this translator, or what stands for them; owned by them.</summary>
    internal long Served { get; set; }

    /// <inheritdoc/>
    public void Request(BlockCache cache, Block* block, Mmu? mmu)
    {
        lock (cache.Memory.Lock)
        {
            if (block->Valid == 0 || block->CompileState == CompileState.Failed || _isDisposed)
                return;
            _cache = cache;
            if (block->CompileState == CompileState.Requested)
            {
                AskAgain(block);
                return;
            }

            if (block->Code != 0 || (mmu != null && TryRestore(block, mmu)) || TryAdopt(block, mmu) || TryAdopt(cache, block))
                return;
            block->CompileState = CompileState.Requested;
            Ask(block, false);
        }
    }

    /// <inheritdoc/>
    public void NoteHotEntry(BlockCache cache, ulong rip, ushort context, ulong top)
    {
        lock (cache.Memory.Lock)
        {
            var cell = _cells.Find(rip, context);
            if (RegionAt(cell) is not CompiledRegion region || EntryBlock(region, cell) is var block && block->Valid == 0)
                return;

            // A function: its caller goes on at what lies on the stack.
            if (RegionAt(_cells.Find(top, context)) is CompiledRegion caller && caller != region)
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
    public RegionLinks* CompileAlone(BlockCache cache, Block* block)
    {
        Region region;
        lock (cache.Memory.Lock)
            region = RegionBuilder.Single(block);
        var compiled = Compile(region, new EmitOptions(true, true, WindowPages(cache), PermissionsOffset: cache.Memory.PermissionsOffset, Access: _options.Access, Windows: (nint)cache.Memory.Windows, IsPaged: cache.IsPaged), out _)!;
        lock (cache.Memory.Lock)
            _dead.Add(compiled);
        return compiled.Links;
    }

    /// <summary>How code of a code context has fared.</summary>
    public IAccessHistory HistoryOf(ushort context) => new ContextHistory(_records, context);

    /// <inheritdoc/>
    public void NoteSlowAccess(BlockCache cache, FaultSite* site)
    {
        if (++site->SlowExits < SlowExitsBeforeRecompile)
            return;
        lock (cache.Memory.Lock)
        {
            if (!_byNumber.TryGetValue(site->Region, out var published))
                return;
            if (published is not CompiledRegion region)
            {
                NoteSlowAccess((PrecompiledUse)published, site);
                return;
            }

            region.Region.TakeCode();
            _records.Worsen(cache, region.Region, region.Links, site);
            Statistics.CountRecompiled();
            if (region.Shared != null)
                _options.Shared!.Remove(region.Shared);
            Kill(region);

            // It was hot: compile it again at its next entry.
            var head = (Block*)region.Region.Blocks[0].Source;
            head->SetHeat(_options.Threshold);
        }
    }

    /// <inheritdoc/>
    public void Revalidate(BlockCache cache, Block* block, Mmu mmu, uint generation)
    {
        lock (cache.Memory.Lock)
        {
            var cell = (EntryCell*)block->Code;
            if (cell == null)
                return;
            if (cell->Source != block)
            {
                // The entry was given to code of another page.
                LoseEntry(block, _options.Threshold - 1);
                return;
            }

            if (RegionAt(cell) is not { } region)
                return;
            Statistics.CountCompared();
            if (HasItsPages(region, mmu))
                SetGeneration(region, generation);
            else
                Park(region);
        }
    }

    private static bool HasItsPages(PublishedRegion region, Mmu mmu)
    {
        foreach (var page in region.Pages)
            if (!mmu.IsCodeAt(page.Linear, page.Physical))
                return false;
        return true;
    }

    private static void SetGeneration(PublishedRegion region, uint generation)
    {
        foreach (var cell in region.Cells)
            if (((EntryCell*)cell)->Region == region.Number)
                ((EntryCell*)cell)->Generation = generation;
    }

    // Takes the entries from a region that is not what lies at its addresses now. It may be again, in another address space.
    private void Park(PublishedRegion region)
    {
        Statistics.CountParked();
        region.IsParked = true;
        LoseEntries(region);
    }

    private void LoseEntries(PublishedRegion region)
    {
        foreach (var pointer in region.Cells)
        {
            var cell = (EntryCell*)pointer;
            if (cell->Region != region.Number)
                continue;
            CellTable.Unlink(cell);
            if (cell->Source != null)
                LoseEntry(cell->Source, 0);
        }

        region.Cells.Clear();
    }

    private void LoseEntry(Block* block, int heat)
    {
        block->Code = 0;
        if (!block->HasOps)
        {
            _cache!.Retire(block);
            return;
        }

        block->CompileState = CompileState.LostEntry;
        block->SetHeat(heat);
    }

    // Gives a parked region its entries back when the block is one of them, and its pages are what lies at their addresses.
    private bool TryRestore(Block* block, Mmu mmu)
    {
        if (!_regionsOf.TryGetValue((nint)block, out var regions))
            return false;
        foreach (var region in regions)
        {
            if (!region.IsParked || !region.Region.Entries.Any(entry => entry.Source == (nint)block) || !HasItsPages(region, mmu))
                continue;
            region.IsParked = false;
            LinkEntries(region);
            return true;
        }

        return false;
    }

    /// <inheritdoc/>
    public void Invalidate(Block* block)
    {
        if (!block->HasOps)
        {
            InvalidatePrecompiled(block);
            return;
        }

        _options.Recorder?.NoteRewritten(_cache!, Form, block);
        if (!_regionsOf.TryRemove((nint)block, out var regions))
            return;
        foreach (var region in regions)
            Kill(region);
    }

    /// <inheritdoc/>
    public bool WantsFlush => _dead.Count > _options.MaxDeadRegions;

    /// <inheritdoc/>
    public void Flush()
    {
        _cells.UnlinkAll();
        ForgetRegions();

        // Numbers of contexts may have been taken back.
        RegisterContexts();
    }

    private void ForgetRegions()
    {
        Interlocked.Increment(ref _generation);
        foreach (var region in _byNumber.Values)
            region.Release();
        foreach (var region in _dead)
            region.Release();
        ForgetUses();
        _byNumber.Clear();
        _dead.Clear();
        _regionsOf.Clear();
        _requests.Clear();
        _underWay.Forget();
        _samples.Clear();
        _tried.Clear();
        _lastNumber = 0;
    }

    /// <inheritdoc/>
    public int WeightOf(Block* block) => RegionAt((EntryCell*)Volatile.Read(ref block->Code)) is CompiledRegion region ? region.Region.Weight : 0;

    /// <inheritdoc/>
    public int WeightUnderWay(Block* block) => _underWay.RegionOf(block)?.Weight ?? 0;

    /// <inheritdoc/>
    public bool Contains(Block* block) => _regionsOf.TryGetValue((nint)block, out var regions) && regions.Count > 0;

    /// <summary>
    /// Forgets what was requested and frees all that was made. A compile under way goes on to its end, at most, and touches nothing more than
    /// managed objects: what it makes is dropped. Idempotent.
    /// </summary>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        ForgetRegions();
        _cells.Dispose();
    }

    // The region that holds a cell's address; null when there is none. Under the memory's lock.
    private PublishedRegion? RegionAt(EntryCell* cell) => cell != null ? _byNumber.GetValueOrDefault(cell->Region) : null;

    private static Block* EntryBlock(CompiledRegion region, EntryCell* cell) =>
        (Block*)region.Region.Find(cell->Rip)!.Source;

    // True once, when an entry has been sampled so often that what its passages have cost is what it costs to recompile a region.
    private bool IsEvidence(CompiledRegion region, ulong rip)
    {
        var count = _samples.GetValueOrDefault((region.Number, rip)) + 1;
        _samples[(region.Number, rip)] = count;
        return count == Math.Max(MinSamples, region.Region.Weight / WeightPerSample);
    }

    // Under the memory's lock.
    private void Ask(Block* block, bool grow)
    {
        _requests.Add(block, grow);
        if (_options.Background)
            TakeTurns();
        else
            Serve();
    }

    // The block has become hotter while it waits: its request may have to come before others.
    private void AskAgain(Block* block)
    {
        if (_options.Background && RequestQueue.BucketOf(block->Hotness) != RequestQueue.BucketOf(block->Hotness - EntriesToAskAgain))
            _requests.Add(block, false);
    }

    // As many as there are requests for, and threads.
    private void TakeTurns()
    {
        while (_turns < Threads.MaxThreads && _turns - Volatile.Read(ref _serving) < _requests.Count)
        {
            _turns++;
            Threads.Add(this);
        }
    }

    /// <summary>
    /// Compiles what is most urgent; several threads may at a time. False when nothing more is requested; the next request then schedules the
    /// translator again.
    /// </summary>
    internal bool Serve()
    {
        var cache = _cache!;
        Block* block;
        bool grow;
        int generation;
        ulong address;
        lock (cache.Memory.Lock)
        {
            if (!TryTake(out block, out grow))
            {
                if (_options.Background)
                    _turns--;
                return false;
            }

            address = block->Start;
            generation = _generation;
            Interlocked.Increment(ref _serving);
        }

        try
        {
            CompileAndPublish(cache, block, grow, generation);
        }
        catch (Exception e)
        {
            Statistics.CountFailure(address, e);
            lock (cache.Memory.Lock)
                if (generation == _generation)
                    block->CompileState = CompileState.Failed;
        }
        finally
        {
            Interlocked.Decrement(ref _serving);
        }

        return true;
    }

    // The most urgent of the requested blocks that still want it. Under the memory's lock.
    private bool TryTake(out Block* block, out bool grow)
    {
        while (_requests.TryTake(out block, out grow))
        {
            if (block->Valid == 0 || (grow && _underWay.RegionOf(block) != null))
                continue;
            if (grow)
                return true;

            // A region that came meanwhile may have an entry here, or it was taken by the same request in a higher bucket.
            if (block->Code != 0)
                block->CompileState = CompileState.Entry;
            else if (_underWay.RegionOf(block) != null)
                _underWay.Wait(block);
            else if (block->CompileState == CompileState.Requested)
                return true;
        }

        return false;
    }

    // Null when the region is not to be compiled: it would not be worth it, or the blocks have gone with a flush.
    private Region? TryBuild(BlockCache cache, Block* head, bool grow, int maxWeight, int generation)
    {
        lock (cache.BuildGate)
        {
            if (generation != Volatile.Read(ref _generation) || head->Valid == 0)
                return null;
            var region = RegionBuilder.Collect(cache, head, this, grow || Contains(head), maxWeight);
            _underWay.Add(region);
            return region;
        }
    }

    // The generation tells a flush since the request: the cached blocks behind the region are then gone.
    private void CompileAndPublish(BlockCache cache, Block* head, bool grow, int generation)
    {
        var maxWeight = _maxWeight;
        while (TryBuild(cache, head, grow, maxWeight, generation) is { } region)
        {
            double fullness;
            try
            {
                if (grow && !IsWorthGrowing(cache, region, generation))
                    return;
                region.Analyse();
                var compiled = Compile(region, OptionsFor(cache, region), out fullness);
                if (compiled != null)
                {
                    lock (cache.Memory.Lock)
                        PublishIfValid(compiled, generation);
                    return;
                }
            }
            finally
            {
                Finish(cache, region);
            }

            maxWeight = (int)(region.Weight * RetryMargin / fullness);
        }
    }

    private bool IsWorthGrowing(BlockCache cache, Region region, int generation)
    {
        lock (cache.Memory.Lock)
            return generation == _generation && IsWorthGrowing(region);
    }

    private void PublishIfValid(CompiledRegion compiled, int generation)
    {
        var isGone = generation != _generation;
        if (isGone || compiled.Region.Blocks.Any(static block => ((Block*)block.Source)->Valid == 0))
        {
            compiled.Release();
            Statistics.CountDiscarded();
            if (!isGone)
                ForgiveHead(compiled.Region);
            return;
        }

        Publish(compiled);
        Share(compiled);
        if (Published is { } published)
            published(compiled);
        else
            compiled.Region.DropCode();
    }

    private void Finish(BlockCache cache, Region region)
    {
        lock (cache.Memory.Lock)
        {
            _underWay.Remove(region);
            _underWay.Release(_requests);
        }
    }

    // A region recompiled because its entries are hot must take in something that the old one has not, and that not too often.
    private bool IsWorthGrowing(Region region)
    {
        var head = (Block*)region.Blocks[0].Source;
        if (RegionAt((EntryCell*)head->Code) is not CompiledRegion old || old.Region.Growth >= MaxGrowth)
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

    private EmitOptions OptionsFor(BlockCache cache, Region region)
    {
        var counter = _options.HeatCounter?.Invoke(region) ?? 0;
        return OptionsFor(cache.Memory, cache.IsPaged) with { CountInstructions = _options.CountInstructions || counter != 0, HeatCounter = counter };
    }

    /// <summary>How a region is emitted that neither counts nor is alone.</summary>
    /// <param name="memory">Its address space.</param>
    /// <param name="isPaged">The address space is guest-physical.</param>
    public EmitOptions OptionsFor(AddressSpace memory, bool isPaged) =>
        new(
            WindowPages: memory.WindowSize / AddressSpace.PageSize, PermissionsOffset: memory.PermissionsOffset, IsEntered: true,
            Access: _options.Access, Windows: (nint)memory.Windows, IsPaged: isPaged);

    // The head may be requested again later.
    private static void ForgiveHead(Region region)
    {
        var head = (Block*)region.Blocks[0].Source;
        if (head->Valid != 0)
            head->CompileState = CompileState.LostEntry;
    }

    private static ulong WindowPages(BlockCache cache) => cache.Memory.WindowSize / AddressSpace.PageSize;

    // Null when the region must be made smaller, or the translator is disposed: nothing that it makes can ever run.
    private CompiledRegion? Compile(Region region, EmitOptions options, out double fullness)
    {
        fullness = 1;
        if (_isDisposed)
            return null;
        var start = Stopwatch.GetTimestamp();
        var compiled = CompiledRegion.TryCompile(region, HistoryOf(region.Context), options, out fullness);
        if (compiled != null)
            Statistics.CountRegion(region.Blocks.Count);
        Statistics.AddCompileTicks(Stopwatch.GetTimestamp() - start);
        return compiled;
    }

    private void Publish(CompiledRegion compiled)
    {
        var region = compiled.Region;
        compiled.Number = ++_lastNumber;
        if (_cache!.IsPaged)
            compiled.Pages = CodePageUse.Of(region);
        _byNumber[compiled.Number] = compiled;
        compiled.Bind(target => (nint)_cells.Get(target, region.Context));
        int copies = 0, repeats = 0;
        foreach (var block in region.Blocks)
        {
            if (!_regionsOf.TryGetValue(block.Source, out var list))
                _regionsOf[block.Source] = list = new List<CompiledRegion>(1);
            if (block.Copied)
                copies++;
            else if (list.Count > 0)
                repeats++;
            list.Add(compiled);
        }

        Statistics.CountPublished(copies, repeats);

        LinkEntries(compiled);

        // Blocks inside have no entry of their own: from there the interpreter soon comes to one that has. Only a block that stays hot for
        // long gets one.
        foreach (var inner in region.Blocks)
        {
            var block = (Block*)inner.Source;
            if (inner.Entry < 0 && block->Code == 0 && block->CompileState != CompileState.Requested)
                block->SetHeat(Math.Min(block->Heat, -InnerPatience * Math.Max(1, _options.Threshold)));
        }
    }

    // Lets the entries of a region lead to its code. Regions that have none left go, or wait for their pages to come back.
    private void LinkEntries(CompiledRegion compiled)
    {
        var region = compiled.Region;
        var replaced = new HashSet<PublishedRegion>();
        compiled.Cells.Clear();
        foreach (var entry in region.Entries)
        {
            var block = (Block*)entry.Source;
            if (!entry.Copied || block->Code == 0)
                Link(compiled, _cells.Get(entry.Start, region.Context), entry.Entry, block, replaced);
        }

        DropReplaced(replaced);
    }

    // Lets a cell lead to a region's code. Whom it led to before is entered in replaced.
    private void Link(PublishedRegion region, EntryCell* cell, int entry, Block* block, HashSet<PublishedRegion> replaced)
    {
        if (_byNumber.TryGetValue(cell->Region, out var old) && old != region)
        {
            old.IsParked |= cell->Source != block && cell->Source != null;
            replaced.Add(old);
        }

        region.Cells.Add((nint)cell);
        cell->Local = EntryCell.Inside(region.Number, entry);
        cell->Source = block;
        cell->Generation = 0;
        Volatile.Write(ref cell->Target, EntryCell.Pack(region.Links, entry));
        if (block == null)
            return;
        block->Code = (nint)cell;
        block->CompileState = CompileState.Entry;
        block->SetHeat(int.MaxValue / 2);
    }

    private void DropReplaced(HashSet<PublishedRegion> replaced)
    {
        foreach (var old in replaced)
            if (!old.IsParked && !HasEntries(old))
                Kill(old);
    }

    private static bool HasEntries(PublishedRegion region)
    {
        foreach (var cell in region.Cells)
            if (((EntryCell*)cell)->Region == region.Number)
                return true;
        return false;
    }

    private void Kill(PublishedRegion region)
    {
        if (!_byNumber.TryRemove(region.Number, out _))
            return;
        _dead.Add(region);
        LoseEntries(region);
        if (region is PrecompiledUse use)
            Forget(use);
        else
            foreach (var block in ((CompiledRegion)region).Region.Blocks)
                if (_regionsOf.TryGetValue(block.Source, out var list))
                    list.Remove((CompiledRegion)region);
    }

    private sealed class ContextHistory(AccessRecords records, ushort context) : IAccessHistory
    {
        public AccessHistory History(ulong rip) => records.HistoryOf(rip, context);

        public bool IsLoopRefused(ulong rip) => records.IsLoopRefused(rip, context);
    }
}
