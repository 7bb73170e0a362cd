using DynaTrans.Runtime.Memory;

namespace DynaTrans.Runtime.Translation;

/// <summary>
/// Blocks by RIP and code context: an open-addressing table of pointers, each with some bits of its key's hash beside it, so that a look-up
/// touches one cache line of the table, and a block's header only when it is most likely the one. Look-ups take no lock; all else holds that of
/// the memory. A block that is no longer valid keeps its place until another takes it or the table grows.
/// </summary>
internal sealed unsafe class BlockTable : IDisposable
{
    private const ulong FirstCapacity = 1 << 12;

    // Where the bits of the hash begin that stand beside a pointer: host addresses have 47 bits.
    private const int TagShift = 48;
    private const ulong PointerMask = (1UL << TagShift) - 1;

    // Where the bits of the hash begin that say where a search begins.
    private const int IndexShift = 18;
    private const ulong HashFactor = 0x9E3779B97F4A7C15;

    // Code segments with the same offsets keep apart in the table.
    private const ulong ContextFactor = 20261;

    // Words before the entries; the first is the mask of indices, so that a look-up that reads one pointer has a pair that belongs together.
    private const ulong Header = 8;

    // Tables that look-ups may still be in.
    private readonly List<nint> _old = [];
    private nint _table = Make(FirstCapacity);

    // Places that were ever taken: more than those of valid blocks.
    private ulong _taken;

    /// <summary>The valid block of a key, the first of several; null when there is none.</summary>
    public Block* Find(ulong rip, ushort context)
    {
        var hash = Hash(rip, context);
        var table = (ulong*)Volatile.Read(ref _table);
        var mask = table[0];
        for (var i = hash >> IndexShift; ; i++)
        {
            var entry = Volatile.Read(ref table[Header + (i & mask)]);
            if (entry == 0)
                return null;
            var block = (Block*)(entry & PointerMask);
            if ((entry ^ hash) >> TagShift == 0 && block->Start == rip && block->Context == context && block->Valid != 0)
                return block;
        }
    }

    /// <summary>The next valid block of the same key; null when there is none further, or <paramref name="block"/> is not in the table.</summary>
    public Block* FindNext(Block* block)
    {
        var hash = Hash(block->Start, block->Context);
        var table = (ulong*)Volatile.Read(ref _table);
        var mask = table[0];
        var isBehind = false;
        for (var i = hash >> IndexShift; ; i++)
        {
            var entry = Volatile.Read(ref table[Header + (i & mask)]);
            if (entry == 0)
                return null;
            var next = (Block*)(entry & PointerMask);
            if (next == block)
                isBehind = true;
            else if (isBehind && IsAnother(next, block))
                return next;
        }
    }

    /// <summary>Enters a block. Under the memory's lock.</summary>
    /// <exception cref="OutOfMemoryException">The host refused memory.</exception>
    public void Add(Block* block)
    {
        var table = (ulong*)_table;
        if (_taken >= table[0] / 2)
            table = Grow();
        Put(table, block);
    }

    /// <summary>Puts a block before others of its key. A look-up meanwhile may miss those. Under the memory's lock.</summary>
    public void MoveToFront(Block* block)
    {
        var hash = Hash(block->Start, block->Context);
        var table = (ulong*)_table;
        var mask = table[0];
        ulong* first = null;
        for (var i = hash >> IndexShift; ; i++)
        {
            var place = &table[Header + (i & mask)];
            if (*place == 0)
                return;
            var other = (Block*)(*place & PointerMask);
            if (other == block)
            {
                if (first != null)
                    (*first, *place) = (*place, *first);
                return;
            }

            if (first == null && IsAnother(other, block))
                first = place;
        }
    }

    /// <summary>Calls a function for every valid block. Under the memory's lock.</summary>
    public void ForEach(Action<nint> action)
    {
        var table = (ulong*)_table;
        for (var i = Header; i <= table[0] + Header; i++)
            if (table[i] != 0 && ((Block*)(table[i] & PointerMask))->Valid != 0)
                action((nint)(table[i] & PointerMask));
    }

    /// <summary>Empties the table. No look-up is under way. Under the memory's lock.</summary>
    public void Clear()
    {
        Dispose();
        _table = Make(FirstCapacity);
        _taken = 0;
    }

    /// <summary>Gives its memory back; it must not be used again.</summary>
    public void Dispose()
    {
        Release(_table);
        foreach (var table in _old)
            Release(table);
        _old.Clear();
    }

    private static bool IsAnother(Block* other, Block* block) =>
        other->Start == block->Start && other->Context == block->Context && other->Valid != 0;

    private static ulong Hash(ulong rip, ushort context) => (rip ^ (context * ContextFactor)) * HashFactor;

    // In the place of one that has become invalid, if there is one on the way.
    private void Put(ulong* table, Block* block)
    {
        var hash = Hash(block->Start, block->Context);
        var mask = table[0];
        for (var i = hash >> IndexShift; ; i++)
        {
            ref var place = ref table[Header + (i & mask)];
            if (place != 0 && ((Block*)(place & PointerMask))->Valid != 0)
                continue;
            if (place == 0)
                _taken++;
            Volatile.Write(ref place, (nuint)block | (hash & ~PointerMask));
            return;
        }
    }

    // Larger when more than a quarter is still valid; without the invalid ones in any case.
    private ulong* Grow()
    {
        var old = (ulong*)_table;
        ulong valid = 0;
        for (var i = Header; i <= old[0] + Header; i++)
            if (old[i] != 0 && ((Block*)(old[i] & PointerMask))->Valid != 0)
                valid++;
        var capacity = old[0] + 1;
        var table = (ulong*)Make(valid > capacity / 4 ? capacity * 2 : capacity);
        _taken = 0;
        for (var i = Header; i <= old[0] + Header; i++)
            if (old[i] != 0 && ((Block*)(old[i] & PointerMask))->Valid != 0)
                Put(table, (Block*)(old[i] & PointerMask));
        _old.Add((nint)old);
        Volatile.Write(ref _table, (nint)table);
        return table;
    }

    private static nint Make(ulong capacity)
    {
        var table = (ulong*)HostMemory.Reserve(Size(capacity));
        table[0] = capacity - 1;
        return (nint)table;
    }

    private static void Release(nint table) => HostMemory.Release((byte*)table, Size(((ulong*)table)[0] + 1));

    private static nuint Size(ulong capacity) => (nuint)((capacity + Header) * sizeof(ulong));
}
