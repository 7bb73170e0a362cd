using DynaTrans.Disks.Host;

namespace DynaTrans.Disks.Qcow2;

/// <summary>
/// The active L1 table and its L2 tables: where each cluster of the disk is. Changes stay in memory until they are written; a new table is on the medium
/// before the L1 table names it.
/// </summary>
internal sealed class MappingTables
{
    private const int CacheBytes = 32 << 20;
    private readonly HostFile _file;
    private readonly Qcow2Header _header;
    private readonly Refcounts _refcounts;
    private readonly Dictionary<long, L2Table> _cache = [];
    private readonly HashSet<long> _offsets = [];
    private readonly HashSet<int> _changedL1 = [];
    private ulong[] _l1;

    /// <summary>Reads the L1 table.</summary>
    public MappingTables(HostFile file, Qcow2Header header, Refcounts refcounts)
    {
        (_file, _header, _refcounts) = (file, header, refcounts);
        _l1 = BigEndianTable.Read(file, header.L1.Offset, header.L1.Entries);
    }

    /// <summary>The L1 table's entries.</summary>
    public ReadOnlySpan<ulong> L1 => _l1;

    /// <summary>True when there is something to write.</summary>
    public bool HasChanges => _changedL1.Count > 0 || _cache.Values.Any(static table => table.IsDirty);

    /// <summary>True when more is kept in memory than should be.</summary>
    public bool IsFull => (long)_cache.Count << _header.ClusterBits > CacheBytes;

    /// <summary>Throws unless each L2 table has a place of its own in the file.</summary>
    public void RequireSound()
    {
        _offsets.Clear();
        for (var i = 0; i < _l1.Length; i++)
        {
            if (OffsetOf(i) is not 0 and var offset && !_offsets.Add(offset))
                throw _file.Failure($"corrupt: L2 table {i} is used twice");
        }
    }

    /// <summary>True when a position is that of an L2 table. Only after <see cref="RequireSound"/>.</summary>
    public bool IsTable(long offset) => _offsets.Contains(offset);

    /// <summary>Reads the L2 table that an L1 entry names; null: none.</summary>
    public L2Table? Find(long index)
    {
        if (index >= _l1.Length || OffsetOf((int)index) is not (not 0 and var offset))
            return null;
        if (_cache.TryGetValue(offset, out var table))
            return table;
        if (IsFull)
            DropClean();
        return _cache[offset] = new L2Table(offset, BigEndianTable.Read(_file, offset, 1 << _header.L2Bits));
    }

    /// <summary>The L2 table that an L1 entry names, so that it may be changed: made if there is none, copied if a snapshot has it too.</summary>
    public L2Table ForWrite(long index)
    {
        var old = Find(index);
        if (old != null && (_l1[index] & L2Entry.Copied) != 0)
            return old;
        var cluster = _refcounts.Allocate(1, out _);
        var table = new L2Table(cluster << _header.ClusterBits, old == null ? new ulong[1 << _header.L2Bits] : (ulong[])old.Entries.Clone()) { IsNew = true };
        _cache[table.Offset] = table;
        _offsets.Add(table.Offset);
        _l1[index] = (ulong)table.Offset | L2Entry.Copied;
        _changedL1.Add((int)index);
        if (old != null)
        {
            _offsets.Remove(old.Offset);
            _refcounts.Release(old.Offset >> _header.ClusterBits);
        }

        return table;
    }

    /// <summary>Marks an L1 entry as one whose table is, or is not, this L1 table's alone.</summary>
    public void SetCopied(int index, bool isCopied)
    {
        var entry = isCopied ? _l1[index] | L2Entry.Copied : _l1[index] & ~L2Entry.Copied;
        if (entry == _l1[index])
            return;
        _l1[index] = entry;
        _changedL1.Add(index);
    }

    /// <summary>Writes the tables that nothing on the medium names yet.</summary>
    public void WriteNew()
    {
        foreach (var table in _cache.Values)
        {
            if (table.IsNew)
                BigEndianTable.WriteEntries(_file, table.Offset, table.Entries, 0, table.Entries.Length);
        }
    }

    /// <summary>Writes the changes of the other tables, then the L1 table's.</summary>
    public void WriteReachable()
    {
        foreach (var table in _cache.Values)
        {
            if (!table.IsNew && table.IsDirty)
                BigEndianTable.WriteEntries(_file, table.Offset, table.Entries, table.DirtyStart, table.DirtyEnd - table.DirtyStart);
        }

        foreach (var index in _changedL1)
            BigEndianTable.WriteEntries(_file, _header.L1.Offset, _l1, index, 1);
        _changedL1.Clear();
        foreach (var table in _cache.Values)
            table.Clean();
        if (IsFull)
            _cache.Clear();
    }

    /// <summary>Puts another L1 table into effect, which is written. Nothing may be pending.</summary>
    public void Replace(ulong[] l1, long offset)
    {
        _header.WriteL1(_file, l1.Length, offset);
        _l1 = l1;
        _cache.Clear();
        RequireSound();
    }

    private long OffsetOf(int index)
    {
        var offset = (long)(_l1[index] & L2Entry.OffsetMask);
        if (offset != 0 && ((offset & (_header.ClusterSize - 1)) != 0 || (offset > _file.Length - _header.ClusterSize && !_cache.ContainsKey(offset))))
            throw _file.Failure($"corrupt: L2 table {index} is out of bounds");
        return offset;
    }

    private void DropClean()
    {
        foreach (var offset in _cache.Where(static pair => !pair.Value.IsDirty).Select(static pair => pair.Key).ToArray())
            _cache.Remove(offset);
    }
}

/// <summary>An L2 table in memory.</summary>
internal sealed class L2Table(long offset, ulong[] entries)
{
    /// <summary>Its position in the file.</summary>
    public long Offset => offset;

    /// <summary>Its entries, to be changed by <see cref="Set"/>.</summary>
    public ulong[] Entries => entries;

    /// <summary>True until the L1 table on the medium names it.</summary>
    public bool IsNew { get; set; }

    /// <summary>The first entry that was changed.</summary>
    public int DirtyStart { get; private set; } = int.MaxValue;

    /// <summary>The entry behind the last one that was changed.</summary>
    public int DirtyEnd { get; private set; }

    /// <summary>True when it has to be written.</summary>
    public bool IsDirty => IsNew || DirtyEnd > DirtyStart;

    /// <summary>Changes an entry.</summary>
    public void Set(int index, ulong entry)
    {
        entries[index] = entry;
        (DirtyStart, DirtyEnd) = (Math.Min(DirtyStart, index), Math.Max(DirtyEnd, index + 1));
    }

    /// <summary>Says that it is written.</summary>
    public void Clean() => (IsNew, DirtyStart, DirtyEnd) = (false, int.MaxValue, 0);
}
