using System.Collections.Concurrent;
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
/// <param name="HeatCounter">Gives each region a 64-bit counter of its executed instructions (profiles); it outlives the translator.</param>
public sealed record TranslatorOptions(
    int Threshold = 1500, bool Background = true, bool CountInstructions = false, int MaxDeadRegions = 4096, bool Verify = false,
    Func<Region, nint>? HeatCounter = null);

/// <summary>
/// The IL back end of one block cache: builds regions, compiles them, publishes their entries in cells, and takes them out when their bytes
/// change. A region is published only if, under the memory's lock, all its blocks are still valid.
/// </summary>
public sealed unsafe class Translator : ITranslator, ICellSource, IDisposable
{
    // How many times longer a block inside a region must be hot to get a region that starts with it.
    private const int InnerPatience = 16;

    // Exits for a slow access at one instruction before the region is made again with slow paths.
    private const int SlowExitsBeforeRecompile = 16;

    private readonly TranslatorOptions _options;
    private readonly Dictionary<ulong, AccessHistory> _history = [];
    private readonly Dictionary<long, CompiledRegion> _bySerial = [];
    private long _serial;
    private readonly Dictionary<(ulong Rip, GuestMode Mode), nint> _cells = [];
    private readonly Dictionary<nint, List<CompiledRegion>> _regionsOf = [];
    private readonly List<CompiledRegion> _regions = [];
    private readonly List<CompiledRegion> _dead = [];
    private readonly BlockingCollection<(BlockCache Cache, Region Region, int Generation)> _queue = [];
    private readonly Thread? _thread;
    private readonly nint _stub;
    private int _generation;

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
        Region region;
        int generation;
        lock (cache.Memory.Lock)
        {
            if (block->Valid == 0)
                return;
            block->CompileState = 1;
            region = RegionBuilder.Build(cache, block);
            generation = _generation;
        }

        if (_thread != null)
            _queue.Add((cache, region, generation));
        else
            CompileAndPublish(cache, region, generation);
    }

    /// <inheritdoc/>
    public nint CompileAlone(BlockCache cache, Block* block)
    {
        Region region;
        lock (cache.Memory.Lock)
            region = RegionBuilder.Single(block);
        var compiled = Compile(region, new EmitOptions(true, true, WindowPages(cache)))!;
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
    public void NoteSlowAccess(BlockCache cache, FaultSite* site)
    {
        if (++site->SlowExits < SlowExitsBeforeRecompile)
            return;
        lock (cache.Memory.Lock)
        {
            if (!_bySerial.TryGetValue(site->Region, out var region) || !region.Valid)
                return;
            lock (_cells)
                foreach (var s in region.FaultSites)
                    Worsen((FaultSite*)s);
            Statistics.Recompiled++;
            Kill(region);

            // It was hot: compile it again at its next entry.
            var head = (Block*)region.Region.Blocks[0].Source;
            head->Heat = _options.Threshold;
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
                ((EntryCell*)cell)->Target = EntryCell.Pack(_stub, 0);
        foreach (var region in _regions)
            region.Release();
        foreach (var region in _dead)
            region.Release();
        _regions.Clear();
        _bySerial.Clear();
        _dead.Clear();
        _regionsOf.Clear();
    }

    /// <inheritdoc/>
    public EntryCell* Cell(ulong rip, GuestMode mode)
    {
        lock (_cells)
        {
            if (_cells.TryGetValue((rip, mode), out var known))
                return (EntryCell*)known;
            var cell = (EntryCell*)NativeMemory.Alloc((nuint)sizeof(EntryCell));
            cell->Rip = rip;
            cell->Target = EntryCell.Pack(_stub, 0);
            _cells[(rip, mode)] = (nint)cell;
            return cell;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _queue.CompleteAdding();

    // What one access of a region met, its neighbours will meet: all get the better check at once. The call, which costs registers in the
    // whole region, is only for those that did not get by with it.
    private void Worsen(FaultSite* site)
    {
        if (!_history.TryGetValue(site->Rip, out var history))
            _history[site->Rip] = AccessHistory.EdgePages;
        else if (history == AccessHistory.EdgePages && site->SlowExits > 0)
            _history[site->Rip] = AccessHistory.Slow;
    }

    private void CompileLoop()
    {
        foreach (var (cache, region, generation) in _queue.GetConsumingEnumerable())
            if (generation == Volatile.Read(ref _generation))
                CompileAndPublish(cache, region, generation);
    }

    // The generation tells a flush since the request: the cached blocks behind the region are then gone.
    private void CompileAndPublish(BlockCache cache, Region region, int generation)
    {
        var compiled = Compile(region, OptionsFor(cache, region));
        for (var weight = RegionBuilder.MaxWeight / 2; compiled == null; weight /= 2)
        {
            lock (cache.Memory.Lock)
            {
                var head = (Block*)region.Blocks[0].Source;
                if (generation != _generation || head->Valid == 0)
                    return;
                region = RegionBuilder.Build(cache, head, weight);
            }

            compiled = Compile(region, OptionsFor(cache, region));
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

            Publish(compiled);
            Published?.Invoke(compiled);
        }
    }

    private EmitOptions OptionsFor(BlockCache cache, Region region)
    {
        var counter = _options.HeatCounter?.Invoke(region) ?? 0;
        return new EmitOptions(_options.CountInstructions || counter != 0, false, WindowPages(cache), counter);
    }

    // The head may be asked for again later.
    private static void ForgiveHead(Region region)
    {
        var head = (Block*)region.Blocks[0].Source;
        if (head->Valid != 0)
            head->CompileState = 0;
    }

    private static ulong WindowPages(BlockCache cache) => cache.Memory.WindowSize / AddressSpace.PageSize;

    // Null when the region must be made smaller.
    private CompiledRegion? Compile(Region region, EmitOptions options)
    {
        var start = Stopwatch.GetTimestamp();
        var compiled = CompiledRegion.TryCompile(region, this, options);
        if (compiled != null)
        {
            Statistics.Regions++;
            Statistics.Blocks += region.Blocks.Count;
        }

        Statistics.CompileTicks += Stopwatch.GetTimestamp() - start;
        return compiled;
    }

    private void Publish(CompiledRegion compiled)
    {
        var region = compiled.Region;
        _regions.Add(compiled);
        _bySerial[++_serial] = compiled;
        foreach (var site in compiled.FaultSites)
            ((FaultSite*)site)->Region = _serial;
        foreach (var block in region.Blocks)
        {
            if (!_regionsOf.TryGetValue(block.Source, out var list))
                _regionsOf[block.Source] = list = [];
            list.Add(compiled);
        }

        // Blocks inside have no entry of their own: from there the interpreter soon comes to one that has. Only a block that stays hot for
        // long gets a region of its own.
        foreach (var inner in region.Blocks)
        {
            var block = (Block*)inner.Source;
            if (inner.Entry < 0 && block->Code == 0 && block->CompileState == 0)
                block->Heat = Math.Min(block->Heat, -InnerPatience * Math.Max(1, _options.Threshold));
        }

        for (var i = 0; i < region.Entries.Count; i++)
        {
            var entry = region.Entries[i];
            var block = (Block*)entry.Source;

            // A place that has code of its own keeps it, unless it is the head.
            if (i > 0 && block->Code != 0)
                continue;
            var cell = Cell(entry.Start, region.Mode);
            Volatile.Write(ref cell->Target, EntryCell.Pack(compiled.Code, i));
            block->Code = (nint)cell;
            block->CompileState = 2;
            block->Heat = int.MaxValue / 2;
        }
    }

    private void Kill(CompiledRegion compiled)
    {
        if (!compiled.Valid)
            return;
        compiled.Valid = false;
        _regions.Remove(compiled);
        _dead.Add(compiled);
        foreach (var entry in compiled.Region.Entries)
        {
            var cell = Cell(entry.Start, compiled.Region.Mode);
            if ((nint)(cell->Target & ((1UL << EntryCell.AddressBits) - 1)) != compiled.Code)
                continue;
            Volatile.Write(ref cell->Target, EntryCell.Pack(_stub, 0));
            var block = (Block*)entry.Source;
            block->Code = 0;
            block->CompileState = 0;
            block->Heat = 0;
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
