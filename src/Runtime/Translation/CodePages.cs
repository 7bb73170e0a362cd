using DynaTrans.Runtime.Memory;

namespace DynaTrans.Runtime.Translation;

/// <summary>
/// Which bytes of which pages blocks were made from. A page keeps a mask of 64-byte granules that hold code, so that data beside code is
/// written cheaply, and the list of its blocks. All under the memory's lock.
/// </summary>
internal sealed unsafe class CodePages
{
    private readonly Dictionary<ulong, CodePage> _pages = [];

    /// <summary>Enters a block under each page it touches.</summary>
    public void Add(Block* block)
    {
        var last = block->Linear + (ulong)block->ByteLength - 1;
        for (var page = block->Linear / AddressSpace.PageSize; page <= last / AddressSpace.PageSize; page++)
        {
            if (!_pages.TryGetValue(page, out var entry))
                _pages[page] = entry = new CodePage();
            entry.Blocks.Add((nint)block);
            entry.Granules |= Mask(page, block->Linear, last);
        }
    }

    /// <summary>True when a valid block was made from a byte of the range.</summary>
    public bool Overlaps(ulong address, ulong length)
    {
        var last = address + length - 1;
        for (var page = address / AddressSpace.PageSize; page <= last / AddressSpace.PageSize; page++)
        {
            if (!_pages.TryGetValue(page, out var entry) || (entry.Granules & Mask(page, address, last)) == 0)
                continue;
            foreach (var b in entry.Blocks)
                if (Hits((Block*)b, address, last))
                    return true;
        }

        return false;
    }

    /// <summary>Takes out the blocks made from bytes of the range and calls <paramref name="drop"/> for each. Returns their number.</summary>
    public int Remove(ulong address, ulong length, AddressSpace memory, Action<nint> drop)
    {
        var last = address + length - 1;
        var dropped = new HashSet<nint>();
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
            var end = block->Linear + (ulong)block->ByteLength - 1;
            for (var page = block->Linear / AddressSpace.PageSize; page <= end / AddressSpace.PageSize; page++)
                Shrink(page, b, memory);
        }

        return dropped.Count;

        void Collect(ulong page)
        {
            if (!_pages.TryGetValue(page, out var entry) || (entry.Granules & Mask(page, address, last)) == 0)
                return;
            foreach (var b in entry.Blocks)
                if (Hits((Block*)b, address, last))
                    dropped.Add(b);
        }
    }

    /// <summary>Forgets all pages.</summary>
    public void Clear(AddressSpace memory)
    {
        foreach (var page in _pages.Keys)
            memory.SetHasCode(page * AddressSpace.PageSize, false);
        _pages.Clear();
    }

    private static bool Hits(Block* block, ulong first, ulong last) =>
        block->Linear <= last && block->Linear + (ulong)block->ByteLength - 1 >= first;

    private void Shrink(ulong page, nint block, AddressSpace memory)
    {
        if (!_pages.TryGetValue(page, out var entry) || !entry.Blocks.Remove(block))
            return;
        if (entry.Blocks.Count == 0)
        {
            _pages.Remove(page);
            memory.SetHasCode(page * AddressSpace.PageSize, false);
            return;
        }

        entry.Granules = 0;
        foreach (var b in entry.Blocks)
        {
            var other = (Block*)b;
            entry.Granules |= Mask(page, other->Linear, other->Linear + (ulong)other->ByteLength - 1);
        }
    }

    // One bit per 64 bytes of the page that [first, last] touches.
    private static ulong Mask(ulong page, ulong first, ulong last)
    {
        var start = page * AddressSpace.PageSize;
        var from = first <= start ? 0 : (int)(first - start) >> 6;
        var to = last >= start + AddressSpace.PageSize - 1 ? 63 : (int)(last - start) >> 6;
        return (ulong.MaxValue << from) & (ulong.MaxValue >> (63 - to));
    }

    private sealed class CodePage
    {
        public HashSet<nint> Blocks { get; } = [];

        public ulong Granules { get; set; }
    }
}
