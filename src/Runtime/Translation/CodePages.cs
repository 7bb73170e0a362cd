using DynaTrans.Runtime.Memory;

namespace DynaTrans.Runtime.Translation;

/// <summary>
/// Which bytes of which pages of an address space blocks were made from. A page keeps a mask of 64-byte granules that hold code, so that data
/// beside code is written cheaply, and the list of its blocks. A page that is a frame of an object is entered there, too: who writes to the
/// frame by another address finds it. All under the memory's lock.
/// </summary>
internal sealed unsafe class CodePages(AddressSpace memory)
{
    private readonly Dictionary<ulong, CodePage> _pages = [];
    private List<CodePage> _unready = [];

    /// <summary>
    /// Marks a page as one that holds code, before its bytes are read.
    /// </summary>
    /// <param name="page">Number of the page.</param>
    /// <param name="isAlone">True when no other vCPU of this address space can go by permissions from before.</param>
    /// <returns>False when its bytes may be read only after <see cref="TakeUnready"/> and <see cref="SetReady"/>.</returns>
    public bool Protect(ulong page, bool isAlone)
    {
        if (!_pages.TryGetValue(page, out var entry))
        {
            _pages[page] = entry = new CodePage(memory, page);
            if (memory.FrameAt(page * AddressSpace.PageSize) is { } run)
            {
                entry.IsShared = run.IsShared;
                run.Source.Enter(entry, run.OffsetOf(page * AddressSpace.PageSize) / AddressSpace.PageSize);
            }

            memory.SetHasCode(page * AddressSpace.PageSize, true);
            entry.IsReady = isAlone && entry.Frame is null or { IsMarked: true };
        }

        if (!entry.IsReady)
        {
            _unready.Add(entry);
            return false;
        }

        if (entry.Frame != null)
        {
            // Whoever stores to the frame elsewhere from now on finds code, or has stored before it is read.
            entry.Granules = Granules.All;
            Interlocked.MemoryBarrier();
        }

        return true;
    }

    /// <summary>The pages that code could not be made from at once.</summary>
    public List<CodePage> TakeUnready()
    {
        var pages = _unready;
        _unready = [];
        return pages;
    }

    /// <summary>All vCPUs have forgotten what they knew of pages, and their frames are marked.</summary>
    public static void SetReady(List<CodePage> pages)
    {
        foreach (var page in pages)
            page.IsReady = true;
    }

    /// <summary>Enters a block under each page it touches. They are protected, and no more is read from them for it.</summary>
    public void Add(Block* block)
    {
        Add(block, block->FirstPage);
        if (block->LastPage != block->FirstPage)
            Add(block, block->LastPage);
    }

    /// <summary>Takes out a block that lies in one page, whose bytes have not changed.</summary>
    public void Remove(Block* block) => Shrink(block->FirstPage, (nint)block);

    /// <summary>No block has been made from a page that was protected for it.</summary>
    public void Settle(ulong page)
    {
        if (_pages.TryGetValue(page, out var entry))
            entry.Granules = entry.BlockGranules;
    }

    /// <summary>True when a valid block was made from a byte of the range.</summary>
    public bool Overlaps(ulong address, ulong length)
    {
        var last = address + length - 1;
        for (var page = address / AddressSpace.PageSize; page <= last / AddressSpace.PageSize; page++)
        {
            if (!_pages.TryGetValue(page, out var entry) || (entry.BlockGranules & Granules.Mask(page, address, last)) == 0)
                continue;
            foreach (var b in entry.Blocks)
                if (Hits((Block*)b, address, last))
                    return true;
        }

        return false;
    }

    /// <summary>
    /// Takes out the blocks made from bytes of the range and calls <paramref name="drop"/> for each. Returns their number. Whole pages without
    /// blocks are taken out, too: they may become others.
    /// </summary>
    public int Remove(ulong address, ulong length, Action<nint> drop)
    {
        var last = address + length - 1;
        var dropped = new HashSet<nint>();
        List<CodePage>? empty = null;
        var first = address / AddressSpace.PageSize;
        if (length / AddressSpace.PageSize > (ulong)_pages.Count)
        {
            foreach (var page in _pages.Keys)
                if (page >= first && page <= last / AddressSpace.PageSize)
                    Collect(page);
        }
        else
        {
            for (var page = first; page <= last / AddressSpace.PageSize; page++)
                Collect(page);
        }

        foreach (var b in dropped)
        {
            drop(b);
            var block = (Block*)b;
            Shrink(block->FirstPage, b);
            if (block->LastPage != block->FirstPage)
                Shrink(block->LastPage, b);
        }

        if (empty != null)
            empty.ForEach(Forget);
        return dropped.Count;

        void Collect(ulong page)
        {
            if (!_pages.TryGetValue(page, out var entry))
                return;
            var mask = Granules.Mask(page, address, last);
            if (mask == Granules.All && entry.Blocks.Count == 0)
                (empty ??= []).Add(entry);
            if ((entry.BlockGranules & mask) == 0)
                return;
            foreach (var b in entry.Blocks)
                if (Hits((Block*)b, address, last))
                    dropped.Add(b);
        }
    }

    /// <summary>Forgets all pages.</summary>
    public void Clear()
    {
        foreach (var entry in _pages.Values)
            Unmark(entry);
        _pages.Clear();
    }

    private static bool Hits(Block* block, ulong first, ulong last)
    {
        if (block->FirstPage == block->LastPage)
            return block->Physical <= last && block->Last >= first;
        var firstEnd = block->Physical | (AddressSpace.PageSize - 1);
        return (block->Physical <= last && firstEnd >= first) || (block->LastPage * AddressSpace.PageSize <= last && block->Last >= first);
    }

    // The granules of one of its pages that a block was made from.
    private static ulong GranulesIn(Block* block, ulong page)
    {
        var start = page * AddressSpace.PageSize;
        return Granules.Mask(
            page, page == block->FirstPage ? block->Physical : start, page == block->LastPage ? block->Last : start + AddressSpace.PageSize - 1);
    }

    private void Add(Block* block, ulong page)
    {
        var entry = _pages[page];
        entry.Blocks.Add((nint)block);
        entry.BlockGranules |= GranulesIn(block, page);
        entry.Granules = entry.BlockGranules;
    }

    private void Shrink(ulong page, nint block)
    {
        if (!_pages.TryGetValue(page, out var entry) || !entry.Blocks.Remove(block))
            return;
        if (entry.Blocks.Count == 0)
        {
            Forget(entry);
            return;
        }

        entry.BlockGranules = 0;
        foreach (var b in entry.Blocks)
            entry.BlockGranules |= GranulesIn((Block*)b, page);

        entry.Granules = entry.BlockGranules;
    }

    private void Forget(CodePage entry)
    {
        _pages.Remove(entry.Page);
        Unmark(entry);
    }

    // A page of a shared frame stays marked while others have code of the frame.
    private void Unmark(CodePage entry)
    {
        entry.IsCurrent = false;
        var staysMarked = entry.Frame != null && entry.Frame.Source.Leave(entry) && entry.IsShared;
        if (!staysMarked)
            memory.SetHasCode(entry.Page * AddressSpace.PageSize, false);
    }

    /// <summary>The blocks of a page.</summary>
    internal sealed class CodePage(AddressSpace space, ulong page) : PageCode(space, page)
    {
        public HashSet<nint> Blocks { get; } = [];

        /// <summary>The granules that the blocks were made from.</summary>
        public ulong BlockGranules { get; set; }

        /// <summary>Stores to it by its own address change the frame.</summary>
        public bool IsShared { get; set; }

        /// <summary>Its bytes may be read: a later store to them is noticed.</summary>
        public bool IsReady { get; set; }
    }
}
