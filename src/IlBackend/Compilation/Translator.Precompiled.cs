using System.Diagnostics;
using DynaTrans.IlBackend.Precompiled;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Paging;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Compilation;

/// <content>
/// Regions that were made in other runs. Where the dispatcher has no block, one whose bytes are the guest's is put to use without lifting
/// anything; from then on it is like any other region, except that there are no ops to build a larger one from.
/// </content>
public sealed unsafe partial class Translator
{
    // A region whose bytes change so often is left to the interpreter and the compiler.
    private const int MaxRewritten = 16;

    // What a byte of guest code costs to lift and compile anew, in exits for slow accesses.
    private const int BytesPerSlowExit = 4;

    private const ulong PageMask = ~(ulong)(AddressSpace.PageSize - 1);

    private readonly Dictionary<(PrecompiledImageView, int), PrecompiledState> _states = [];
    private readonly List<nint> _entered = [];
    private readonly List<(ulong Linear, ulong Physical)> _enteredPages = [];
    private volatile Source[] _sources = [];
    private CodeRange[] _ranges = [];

    // What code for the cache's address space is like.
    private PrecompiledForm Form => PrecompiledForm.Of(OptionsFor(_cache!.Memory, _cache.IsPaged));

    /// <inheritdoc/>
    public bool HasPrecompiled => _sources.Length > 0;

    /// <inheritdoc/>
    public void Attach(BlockCache cache)
    {
        _cache = cache;
        if (_options.UsesPrecompiled && _options.Precompiled is { } all)
            foreach (var code in all)
                Use(code);
    }

    /// <summary>
    /// Uses code from another run as well, from now on. It is ignored when it was made for another kind of address space, or when the translator
    /// must not use such code.
    /// </summary>
    /// <returns>True when it may be used.</returns>
    public bool Use(PrecompiledCode code)
    {
        if (!_options.UsesPrecompiled || _cache is not { } cache)
            return false;
        lock (cache.Memory.Lock)
        {
            if (_isDisposed || code.Image.Form != Form)
                return false;
            var source = new Source(code);
            _sources = [.. _sources, source];
            RegisterContexts();
            foreach (var access in code.Image.Accesses)
                if (source.Accepts(access.Context))
                    _records.Add(access);
            return true;
        }
    }

    /// <inheritdoc/>
    public Block* FindPrecompiled(BlockCache cache, ulong rip, ushort context, ulong linear, Mmu? mmu, out bool mustWait)
    {
        mustWait = false;
        if (_isDisposed || !cache.TryLocate(linear, mmu, out var physical))
            return null;

        // A region that was put to use because of another of its entries.
        if (RegionAt(_cells.Find(rip, context)) is PrecompiledUse { IsParked: false } known && (mmu == null || HasItsPages(known, mmu)))
            return EnterAt(known, rip, linear, physical);
        foreach (var source in _sources)
        {
            if (!source.Accepts(context))
                continue;
            var image = source.Code.Image;
            for (var i = image.FindEntry(rip, context); i >= 0; i = image.Entry(i).Next)
            {
                if (UseOf(source.Code, image.Entry(i).Region, mmu, out var wait) is { } use)
                    return EnterAt(use, rip, linear, physical);
                mustWait |= wait;
            }
        }

        return null;
    }

    /// <inheritdoc/>
    public void Adopt(Block* block)
    {
        if (_sources.Length == 0 || _isDisposed)
            return;
        var cell = _cells.Find(block->Start, block->Context);
        if (RegionAt(cell) is PrecompiledUse { IsParked: false } use && Contains(use, block))
            EnterAt(use, cell, block);
    }

    /// <inheritdoc/>
    public void Close(BlockCache cache)
    {
        if (_options.Recorder is not { } recorder || _isDisposed)
            return;
        foreach (var region in _byNumber.Values)
            if (region is PrecompiledUse use)
                _records.Worsen(use.Links, use.Context, SlowExitsBeforeRecompile);
        recorder.Collect(cache, Form, _records.ToList());
    }

    // A hot block may be an entry of code that could not be used when the block was lifted.
    private bool TryAdopt(Block* block, Mmu? mmu)
    {
        if (_sources.Length == 0)
            return false;
        var entry = FindPrecompiled(_cache!, block->Start, block->Context, block->Linear, mmu, out _);
        if (entry == null)
            return false;
        var cell = (EntryCell*)entry->Code;
        _cache!.Retire(entry);
        if (RegionAt(cell) is not PrecompiledUse use || !Contains(use, block))
            return false;
        EnterAt(use, cell, block);
        return true;
    }

    // A block that was lifted takes the place of one without ops.
    private static void EnterAt(PrecompiledUse use, EntryCell* cell, Block* block)
    {
        Debug.Assert(cell->Region == use.Number && block->HasOps);
        cell->Source = block;
        block->Code = (nint)cell;
        block->CompileState = CompileState.Entry;
        block->SetHeat(int.MaxValue / 2);
    }

    // With paging there may be code of other pages at the same address.
    private static bool Contains(PrecompiledUse use, Block* block)
    {
        if (use.Pages.Length == 0)
            return true;
        foreach (var page in use.Pages)
            if (page == new CodePageUse(block->Linear & PageMask, block->Physical & PageMask))
                return true;
        return false;
    }

    private Block* EnterAt(PrecompiledUse use, ulong rip, ulong linear, ulong physical)
    {
        var image = use.Source.Image;
        var context = use.Context;
        var number = image.EntryNumber(use.Source.Index, rip);
        if (number < 0)
            return null;
        var cell = _cells.Get(rip, context);
        var block = _cache!.NewEntry(rip, context, image.Contexts[context].Mode, linear, physical, cell);
        var replaced = new HashSet<PublishedRegion>();
        use.IsParked = false;
        Link(use, cell, number, block, replaced);
        DropReplaced(replaced);
        Statistics.CountPrecompiledEntry();
        return block;
    }

    // A use of a region whose pages are what the guest has now, made if need be; null when its bytes are others.
    private PrecompiledUse? UseOf(PrecompiledCode code, int index, Mmu? mmu, out bool mustWait)
    {
        mustWait = false;
        if (!_states.TryGetValue((code.Image, index), out var state))
            _states[(code.Image, index)] = state = new PrecompiledState(code.Image, index);
        if (state.IsRefused)
            return null;
        foreach (var use in state.Uses)
            if (mmu == null || HasItsPages(use, mmu))
                return use;
        var address = code.AddressOf(index);
        if (address == 0)
        {
            state.IsRefused = true;
            return null;
        }

        return TryUse(state, address, mmu, out mustWait);
    }

    private PrecompiledUse? TryUse(PrecompiledState state, nint code, Mmu? mmu, out bool mustWait)
    {
        var (image, cache) = (state.Image, _cache!);
        ref readonly var row = ref image.Region(state.Index);
        if (_ranges.Length < row.RangeCount)
            _ranges = new CodeRange[row.RangeCount * 2];
        var ranges = image.Ranges(state.Index, _ranges);
        var suspect = state.Suspect;
        var number = _lastNumber + 1;
        _entered.Clear();
        _enteredPages.Clear();
        var result = cache.TryEnter(ranges, image.Contexts[row.Context].Mode, mmu, number, ref suspect, _entered, _enteredPages);
        mustWait = result == CodeRangeResult.MustWait;
        if (result == CodeRangeResult.Differs)
        {
            state.Suspect = suspect;
            Statistics.CountPrecompiledDiffering();
        }

        if (result != CodeRangeResult.Entered)
            return null;
        state.Suspect = -1;
        _lastNumber = number;
        var use = new PrecompiledUse(state, code, number, [.. _entered]);
        if (cache.IsPaged)
            use.Pages = PagesEntered();
        _byNumber[number] = use;
        state.Uses.Add(use);
        use.Bind(target => (nint)_cells.Get(target, use.Context));
        LinkKnownEntries(use);
        Statistics.CountPrecompiled(row.ByteCount);
        return use;
    }

    private CodePageUse[] PagesEntered()
    {
        var pages = new HashSet<CodePageUse>();
        foreach (var (linear, physical) in _enteredPages)
            pages.Add(new CodePageUse(linear, physical));
        return [.. pages];
    }

    // Code that jumps here finds the region at once. Entries that nobody refers to yet get a cell when they are looked for.
    private void LinkKnownEntries(PrecompiledUse use)
    {
        var (image, context, cache) = (use.Source.Image, use.Context, _cache!);
        var replaced = new HashSet<PublishedRegion>();
        foreach (ref readonly var entry in image.Entries(use.Source.Index))
        {
            var block = cache.IsPaged ? null : cache.Find(entry.Start, context);
            var cell = block != null ? _cells.Get(entry.Start, context) : _cells.Find(entry.Start, context);
            if (cell != null && cell->Local == 0 && (block == null || block->HasOps))
                Link(use, cell, entry.Number, block, replaced);
        }

        Debug.Assert(replaced.Count == 0, "only cells without code were given away");
    }

    // Under the memory's lock.
    private void NoteSlowAccess(PrecompiledUse use, FaultSite* site)
    {
        var state = use.Source;
        if (site->SlowExits < Math.Max(SlowExitsBeforeRecompile, state.Image.Region(state.Index).ByteCount / BytesPerSlowExit))
            return;
        _records.Worsen(use.Links, use.Context, SlowExitsBeforeRecompile);
        state.IsRefused = true;
        Statistics.CountRecompiled();
        Kill(use);
    }

    private void InvalidatePrecompiled(Block* piece)
    {
        if (_byNumber.GetValueOrDefault((uint)piece->Taken) is not PrecompiledUse use)
            return;
        use.Source.IsRefused |= ++use.Source.Rewritten >= MaxRewritten;
        Kill(use);
    }

    // It has been taken out of the table of regions.
    private void Forget(PrecompiledUse use)
    {
        use.Source.Uses.Remove(use);
        _cache!.Leave(use.Blocks);
        Statistics.CountPrecompiledDropped();
    }

    // All regions are gone, and the blocks that stood for them.
    private void ForgetUses()
    {
        foreach (var state in _states.Values)
            state.Uses.Clear();
    }

    // The numbers of contexts are constants in the code: in this cache they must stand for the same contexts.
    private void RegisterContexts()
    {
        foreach (var source in _sources)
            source.Register(_cache!.Contexts);
    }

    private sealed class Source(PrecompiledCode code)
    {
        private readonly bool[] _accepted = new bool[code.Image.Contexts.Count];

        public PrecompiledCode Code { get; } = code;

        public bool Accepts(ushort context) => context < _accepted.Length && _accepted[context];

        public void Register(CodeContexts contexts)
        {
            for (var i = 0; i < _accepted.Length; i++)
                _accepted[i] = contexts.NumberOf(Code.Image.Contexts[i]) == i && !Code.Image.Contexts[i].IsBudgeted;
        }
    }
}
