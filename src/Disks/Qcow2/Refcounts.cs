using DynaTrans.Disks.Host;

namespace DynaTrans.Disks.Qcow2;

/// <summary>
/// The refcounts of clusters, and with them the allocation of clusters. Changes stay in memory until they are written; what is released in the meantime is
/// not used again before the tables that no longer name it are on the medium (<see cref="ApplyReleases"/>).
/// </summary>
internal sealed class Refcounts
{
    private const ulong OffsetMask = ~0x1FFul;
    private const int CacheBytes = 16 << 20;

    // A host offset has 56 bits.
    private const int OffsetBits = 56;
    private readonly HostFile _file;
    private readonly Qcow2Header _header;
    private readonly Dictionary<int, Block> _blocks = [];
    private readonly List<long> _releases = [];
    private readonly HashSet<int> _newEntries = [];
    private readonly HashSet<long> _blockOffsets = [];
    private readonly int _blockBits;
    private ulong[] _table;
    private long _firstFree;

    /// <summary>Reads the refcount table.</summary>
    public Refcounts(HostFile file, Qcow2Header header)
    {
        (_file, _header) = (file, header);
        _blockBits = header.ClusterBits + 3 - header.RefcountOrder;
        _table = BigEndianTable.Read(file, header.RefcountTable.Offset, header.RefcountTable.Clusters << (header.ClusterBits - 3));

        // The other bits are reserved.
        for (var i = 0; i < _table.Length; i++)
            _table[i] &= OffsetMask;
    }

    /// <summary>True when there is something to write, or to release.</summary>
    public bool HasChanges => HasReleases || _newEntries.Count > 0 || _blocks.Values.Any(static block => block.IsDirty);

    /// <summary>True when clusters wait for <see cref="ApplyReleases"/>.</summary>
    public bool HasReleases => _releases.Count > 0;

    /// <summary>True when more is kept in memory than should be.</summary>
    public bool IsFull => (long)_blocks.Count << _header.ClusterBits > CacheBytes || _releases.Count > CacheBytes / sizeof(long);

    /// <summary>Clusters that one refcount block describes.</summary>
    public int ClustersPerBlock => 1 << _blockBits;

    /// <summary>The positions of refcount blocks, by index; 0: there is none.</summary>
    public IEnumerable<(int Index, long Offset)> Blocks
    {
        get
        {
            for (var i = 0; i < _table.Length; i++)
            {
                if (_table[i] != 0)
                    yield return (i, (long)_table[i]);
            }
        }
    }

    /// <summary>Throws unless each refcount block has a place of its own in the file; without that, a search for free room might never end.</summary>
    public void RequireSound()
    {
        var length = _file.Length;
        _blockOffsets.Clear();
        foreach (var (index, offset) in Blocks)
        {
            if (!IsBlockPosition(offset, length) || !_blockOffsets.Add(offset))
                throw _file.Failure($"corrupt: refcount block {index} is out of bounds or used twice; disk check --repair may help");
        }
    }

    /// <summary>True when a refcount block can be at a position of the file.</summary>
    public bool IsBlockPosition(long offset, long fileLength) =>
        offset > 0 && (offset & (_header.ClusterSize - 1)) == 0 && offset <= fileLength - _header.ClusterSize;

    /// <summary>True when a position is that of a refcount block. Only after <see cref="RequireSound"/>.</summary>
    public bool IsBlock(long offset) => _blockOffsets.Contains(offset);

    /// <summary>The refcount of a cluster.</summary>
    public ulong Get(long cluster)
    {
        var index = cluster >> _blockBits;
        return index < _table.Length && Find((int)index) is { } block
            ? RefcountEntry.Get(block.Data, (int)(cluster & (ClustersPerBlock - 1)), _header.RefcountOrder)
            : 0;
    }

    /// <summary>The position of a refcount block; 0: there is none.</summary>
    public long OffsetOf(int index) => (long)_table[index];

    /// <summary>The bytes of a refcount block.</summary>
    public ReadOnlySpan<byte> BlockData(int index) => Find(index) is { } block ? block.Data : [];

    /// <summary>Takes free clusters that follow each other; their refcounts become 1.</summary>
    /// <param name="wanted">How many at most.</param>
    /// <param name="count">How many there are, at least 1.</param>
    /// <param name="whole">Exactly as many as wanted, at the first place that has them.</param>
    /// <returns>The first one's number.</returns>
    public long Allocate(int wanted, out int count, bool whole = false)
    {
        // Blocks stand at the first of the clusters that they describe; what is longer than the gaps needs a place of its own.
        if (whole && wanted > ClustersPerBlock / 2)
            return AllocateArea(count = wanted);
        var cluster = _firstFree;
        while (true)
        {
            cluster = NextFree(cluster);
            count = 1;
            while (count < wanted && IsKnownFree(cluster + count, whole))
                count++;
            if (!whole || count == wanted)
                break;
            cluster += count;
        }

        for (var i = 0; i < count; i++)
            Set(cluster + i, 1);

        // A larger request may have passed over single free clusters.
        if (!whole)
            _firstFree = cluster + count;
        return cluster;
    }

    /// <summary>Adds to the refcount of a cluster.</summary>
    public void Add(long cluster, ulong count)
    {
        var value = Get(cluster);
        if (value > RefcountEntry.Largest(_header.RefcountOrder) - count)
            throw _file.Failure($"the refcounts of {1 << _header.RefcountOrder} bits are too narrow for another snapshot");
        EnsureBlock(cluster);
        Set(cluster, value + count);
    }

    /// <summary>Gives a cluster back that no table on the medium names.</summary>
    public void ReleaseUnused(long cluster)
    {
        Set(cluster, 0);
        _firstFree = Math.Min(_firstFree, cluster);
    }

    /// <summary>Takes one off a cluster's refcount as soon as the tables that no longer name it are written.</summary>
    public void Release(long cluster) => _releases.Add(cluster);

    /// <summary>Counts what was released. The tables must be on the medium. Room that nobody uses goes back to the host.</summary>
    public void ApplyReleases()
    {
        var free = new List<long>();
        foreach (var cluster in _releases)
        {
            // Of a malformed image: used by nobody and yet named.
            if (Get(cluster) is not 0 and var value)
            {
                Set(cluster, value - 1);
                if (value == 1)
                    free.Add(cluster);
            }
        }

        _releases.Clear();
        free.Sort();
        for (var i = 0; i < free.Count;)
        {
            var count = 1;
            while (i + count < free.Count && free[i + count] == free[i] + count)
                count++;
            _file.TryPunchHole(free[i] << _header.ClusterBits, (long)count << _header.ClusterBits);
            i += count;
        }

        if (free.Count > 0)
            _firstFree = Math.Min(_firstFree, free[0]);
    }

    /// <summary>Writes all changes. A new block is on the medium before the table names it.</summary>
    public void Write()
    {
        if (_newEntries.Count > 0)
        {
            foreach (var index in _newEntries)
                _file.Write((long)_table[index], _blocks[index].Data);
            _file.Flush();
            foreach (var index in _newEntries)
            {
                BigEndianTable.WriteEntries(_file, _header.RefcountTable.Offset, _table, index, 1);
                _blocks[index].Clean();
            }

            _newEntries.Clear();
        }

        foreach (var (index, block) in _blocks)
        {
            if (!block.IsDirty)
                continue;
            _file.Write((long)_table[index] + block.DirtyStart, block.Data.AsSpan(block.DirtyStart, block.DirtyEnd - block.DirtyStart));
            block.Clean();
        }

        if (IsFull)
            _blocks.Clear();
    }

    // Behind all clusters that have a block: new blocks, then what is wanted.
    private long AllocateArea(int wanted)
    {
        var blocks = 1;
        while ((long)blocks << _blockBits < (long)blocks + wanted)
            blocks++;
        int tail;
        while ((tail = Array.FindLastIndex(_table, static entry => entry != 0) + 1) + blocks > _table.Length)
            Grow(tail + blocks);
        var first = (long)tail << _blockBits;
        for (var i = 0; i < blocks; i++)
            AddBlock(tail + i, first + i);
        for (var i = 0; i < blocks + wanted; i++)
            Set(first + i, 1);
        return first + blocks;
    }

    private long NextFree(long cluster)
    {
        while (true)
        {
            if (cluster >> (OffsetBits - _header.ClusterBits) != 0)
                throw _file.Failure("the image has no room for another cluster");
            EnsureBlock(cluster);
            if (Get(cluster) == 0)
                return cluster;
            cluster++;
        }
    }

    private bool IsKnownFree(long cluster, bool makesBlocks)
    {
        if (makesBlocks)
            EnsureBlock(cluster);
        var index = cluster >> _blockBits;
        return index < _table.Length && _table[index] != 0 && Get(cluster) == 0;
    }

    private void Set(long cluster, ulong value)
    {
        var block = Find((int)(cluster >> _blockBits))!;
        var (start, count) = RefcountEntry.Set(block.Data, (int)(cluster & (ClustersPerBlock - 1)), _header.RefcountOrder, value);
        block.Touch(start, start + count);
    }

    private Block? Find(int index)
    {
        if (_blocks.TryGetValue(index, out var block))
            return block;
        var offset = (long)_table[index];
        if (offset == 0)
            return null;
        if (!IsBlockPosition(offset, _file.Length))
            throw _file.Failure($"corrupt: refcount block {index} is out of bounds");
        if (IsFull)
            DropClean();
        block = new Block(_header.ClusterSize);
        _file.Read(offset, block.Data);
        return _blocks[index] = block;
    }

    private void DropClean()
    {
        foreach (var index in _blocks.Where(static pair => !pair.Value.IsDirty).Select(static pair => pair.Key).ToArray())
            _blocks.Remove(index);
    }

    // The clusters that a missing block would describe are free; it takes the first of them.
    private void EnsureBlock(long cluster)
    {
        var index = cluster >> _blockBits;
        if (index >= _table.Length)
            Grow(index);
        if (_table[index] != 0)
            return;
        AddBlock((int)index, index << _blockBits);
        Set(index << _blockBits, 1);
    }

    private void AddBlock(int index, long cluster)
    {
        _table[index] = (ulong)(cluster << _header.ClusterBits);
        var block = new Block(_header.ClusterSize);
        block.Touch(0, _header.ClusterSize);
        _blocks[index] = block;
        _newEntries.Add(index);
        _blockOffsets.Add(cluster << _header.ClusterBits);
    }

    // The new table, and the blocks that describe the clusters which it and they take, lie behind everything that the old table can describe.
    private void Grow(long needed)
    {
        Write();
        var clusters = Math.Max(_header.RefcountTable.Clusters + 1L, _header.RefcountTable.Clusters * 3L / 2);
        var perTableCluster = _header.ClusterSize / 8;
        var old = _table.Length;
        while (clusters * perTableCluster <= needed + (clusters >> _blockBits) + 1)
            clusters++;
        if (clusters << _header.ClusterBits > Qcow2Header.LargestRefcountTable)
            throw _file.Failure("the image has no room for another cluster: its refcount table is as large as it may be");
        var blocks = 1;
        while ((long)blocks << _blockBits < blocks + clusters)
            blocks++;
        Array.Resize(ref _table, (int)clusters * perTableCluster);
        var first = (long)old << _blockBits;
        for (var i = 0; i < blocks; i++)
            AddBlock(old + i, first + i);
        for (var i = 0; i < blocks + clusters; i++)
            Set(first + i, 1);
        foreach (var index in _newEntries)
        {
            _file.Write((long)_table[index], _blocks[index].Data);
            _blocks[index].Clean();
        }

        var (oldOffset, oldClusters) = _header.RefcountTable;
        var offset = (first + blocks) << _header.ClusterBits;
        BigEndianTable.WriteEntries(_file, offset, _table, 0, _table.Length);
        _file.Flush();
        _header.WriteRefcountTable(_file, offset, (int)clusters);
        _file.Flush();
        _newEntries.Clear();
        for (var i = 0; i < oldClusters; i++)
            Release((oldOffset >> _header.ClusterBits) + i);
    }

    private sealed class Block(int size)
    {
        public byte[] Data { get; } = new byte[size];

        public int DirtyStart { get; private set; } = int.MaxValue;

        public int DirtyEnd { get; private set; }

        public bool IsDirty => DirtyEnd > DirtyStart;

        public void Touch(int start, int end) => (DirtyStart, DirtyEnd) = (Math.Min(DirtyStart, start), Math.Max(DirtyEnd, end));

        public void Clean() => (DirtyStart, DirtyEnd) = (int.MaxValue, 0);
    }
}
