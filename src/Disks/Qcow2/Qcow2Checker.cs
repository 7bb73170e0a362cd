using DynaTrans.Disks.Host;

namespace DynaTrans.Disks.Qcow2;

/// <summary>Compares the refcounts of an image with what uses its clusters, and rebuilds them. Trusts nothing but the header.</summary>
internal sealed class Qcow2Checker(HostFile file, Qcow2Header header, Action<double>? progress = null)
{
    private readonly long _fileLength = file.Length;
    private readonly Dictionary<long, uint> _tables = [];
    private ClusterCounts _counts = new();
    private DiskCheckResult _result = new();

    private long FileClusters => (_fileLength + header.ClusterSize - 1) >> header.ClusterBits;

    /// <summary>Checks.</summary>
    public DiskCheckResult Check()
    {
        var refcounts = new Refcounts(file, header);
        CountUses();
        AddArea(header.RefcountTable.Offset, (long)header.RefcountTable.Clusters << header.ClusterBits);
        var blocks = GoodBlocks(refcounts);
        foreach (var index in blocks)
            AddArea(refcounts.OffsetOf(index), header.ClusterSize);
        if ((header.Incompatible & Qcow2Header.Corrupt) != 0)
            _result.Corruption("the image is marked as corrupt");
        CompareCounts(refcounts, blocks);
        CompareFlags(cluster => blocks.Contains((int)Math.Min(int.MaxValue, cluster / refcounts.ClustersPerBlock)) ? refcounts.Get(cluster) : 0, writes: false);
        return _result;
    }

    /// <summary>
    /// Writes new refcounts behind the end of the file, from what uses the clusters, puts them into effect, and corrects the flags that depend on them.
    /// What cannot be in the tables themselves stays as it is: data may be there.
    /// </summary>
    public void Rebuild()
    {
        if (header.Version >= 3)
            header.WriteIncompatible(file, header.Incompatible | Qcow2Header.Dirty);
        CountUses();
        WriteRefcounts();
        CompareFlags(cluster => _counts.Get(cluster), writes: true);
        file.Flush();
        if (header.Version >= 3)
            header.WriteIncompatible(file, header.Incompatible & ~(Qcow2Header.Dirty | Qcow2Header.Corrupt));
        file.Flush();
    }

    private void CountUses()
    {
        (_counts, _result) = (new ClusterCounts(), new DiskCheckResult { Clusters = (header.Size >> header.ClusterBits) + ((header.Size & (header.ClusterSize - 1)) == 0 ? 0 : 1) });
        _tables.Clear();
        _counts.Add(0);
        CountL1(header.L1.Offset, header.L1.Entries, "active");
        var snapshots = SnapshotTable.Read(file, header);
        if (snapshots.Count > 0)
            AddArea(header.Snapshots.Offset, snapshots.Sum(static entry => (long)entry.Bytes.Length));
        foreach (var snapshot in snapshots)
            CountL1(snapshot.L1Offset, snapshot.L1Entries, $"snapshot {snapshot.Description.Id}");
        var active = new HashSet<long>();
        foreach (var entry in BigEndianTable.Read(file, header.L1.Offset, header.L1.Entries))
            active.Add((long)(entry & L2Entry.OffsetMask));
        var done = 0;
        foreach (var (offset, uses) in _tables.OrderBy(static pair => pair.Key))
        {
            CountL2(offset, uses, active.Contains(offset));
            progress?.Invoke((double)++done / _tables.Count);
        }
    }

    private void CountL1(long offset, int entries, string name)
    {
        AddArea(offset, entries * 8L);
        foreach (var entry in BigEndianTable.Read(file, offset, entries))
        {
            var table = (long)(entry & L2Entry.OffsetMask);
            if (table == 0)
                continue;
            if (!IsCluster(table) || table > _fileLength - header.ClusterSize)
                _result.Corruption($"{name} L1 table: an L2 table at 0x{table:x}, which is out of bounds");
            else
                _tables[table] = _tables.GetValueOrDefault(table) + 1;
        }
    }

    private void CountL2(long offset, uint uses, bool isActive)
    {
        _counts.Add(offset >> header.ClusterBits, uses);
        foreach (var entry in BigEndianTable.Read(file, offset, 1 << header.L2Bits))
        {
            var kind = L2Entry.KindOf(entry, header.Version);
            var (first, count) = L2Entry.Clusters(entry, header.ClusterBits);
            if (isActive && kind is ClusterKind.Data or ClusterKind.Compressed)
                _result.Allocated++;
            if (isActive && kind == ClusterKind.Compressed)
                _result.Compressed++;
            if (kind == ClusterKind.Compressed ? first >= FileClusters : !IsCluster((long)(entry & L2Entry.OffsetMask)))
            {
                _result.Corruption($"L2 table at 0x{offset:x}: a cluster at 0x{first << header.ClusterBits:x}, which is out of bounds");
                continue;
            }

            // The last sectors of a compressed cluster need not exist.
            for (var i = 0; i < count && first + i < FileClusters; i++)
                _counts.Add(first + i, uses);
        }
    }

    private bool IsCluster(long offset) => (offset & (header.ClusterSize - 1)) == 0 && offset >> header.ClusterBits < FileClusters;

    private void AddArea(long offset, long bytes)
    {
        for (var at = offset; at < offset + bytes; at += header.ClusterSize)
            _counts.Add(at >> header.ClusterBits);
    }

    private HashSet<int> GoodBlocks(Refcounts refcounts)
    {
        var (good, seen) = (new HashSet<int>(), new HashSet<long>());
        foreach (var (index, offset) in refcounts.Blocks)
        {
            if (!refcounts.IsBlockPosition(offset, _fileLength))
                _result.Corruption($"refcount block {index} at 0x{offset:x} is out of bounds");
            else if (!seen.Add(offset))
                _result.Corruption($"refcount block {index} at 0x{offset:x} is used twice");
            else
                good.Add(index);
        }

        return good;
    }

    private void CompareCounts(Refcounts refcounts, HashSet<int> blocks)
    {
        foreach (var index in blocks.Order())
        {
            var first = (long)index * refcounts.ClustersPerBlock;
            var data = refcounts.BlockData(index);
            if (!data.ContainsAnyExcept((byte)0))
                continue;
            for (var i = 0; i < refcounts.ClustersPerBlock; i++)
            {
                // What the pieces have is compared below.
                if (RefcountEntry.Get(data, i, header.RefcountOrder) is not 0 and var value && _counts.Get(first + i) == 0)
                    _result.Leak(1, $"leak: cluster {first + i} has the refcount {value}, uses 0");
            }
        }

        foreach (var piece in _counts.Pieces)
        {
            for (var cluster = piece * ClusterCounts.PieceClusters; cluster < (piece + 1) * ClusterCounts.PieceClusters; cluster++)
            {
                var uses = _counts.Get(cluster);
                var value = blocks.Contains((int)Math.Min(int.MaxValue, cluster / refcounts.ClustersPerBlock)) ? refcounts.Get(cluster) : 0;
                if (uses == 0 || value == uses)
                    continue;
                if (value > uses)
                    _result.Leak(1, $"leak: cluster {cluster} has the refcount {value}, uses {uses}");
                else
                    _result.Corruption($"cluster {cluster} has the refcount {value}, uses {uses}");
            }
        }
    }

    // Entries of the active tables say whether they are the only ones that name a cluster.
    private void CompareFlags(Func<long, ulong> refcount, bool writes)
    {
        var l1 = BigEndianTable.Read(file, header.L1.Offset, header.L1.Entries);
        var seen = new HashSet<long>();
        for (var i = 0; i < l1.Length; i++)
        {
            var offset = (long)(l1[i] & L2Entry.OffsetMask);
            if (!_tables.ContainsKey(offset))
                continue;
            if (Corrected(l1[i], refcount) is var entry && entry != l1[i])
            {
                l1[i] = entry;
                Note(writes, $"the flag 'copied' of L1 entry {i} is wrong", () => BigEndianTable.WriteEntries(file, header.L1.Offset, l1, i, 1));
            }

            if (seen.Add(offset))
                CompareFlagsOfTable(offset, refcount, writes);
        }
    }

    private void CompareFlagsOfTable(long offset, Func<long, ulong> refcount, bool writes)
    {
        var l2 = BigEndianTable.Read(file, offset, 1 << header.L2Bits);
        for (var i = 0; i < l2.Length; i++)
        {
            // A compressed cluster never has the flag, and one that is out of bounds has no refcount.
            if (L2Entry.KindOf(l2[i], header.Version) == ClusterKind.Compressed || !IsCluster((long)(l2[i] & L2Entry.OffsetMask)))
                continue;
            if (Corrected(l2[i], refcount) is var entry && entry != l2[i])
            {
                l2[i] = entry;
                Note(writes, $"the flag 'copied' of entry {i} of the L2 table at 0x{offset:x} is wrong", () => BigEndianTable.WriteEntries(file, offset, l2, i, 1));
            }
        }
    }

    private ulong Corrected(ulong entry, Func<long, ulong> refcount)
    {
        var offset = (long)(entry & L2Entry.OffsetMask);
        if (offset == 0)
            return entry;
        return refcount(offset >> header.ClusterBits) == 1 ? entry | L2Entry.Copied : entry & ~L2Entry.Copied;
    }

    private void Note(bool writes, string problem, Action write)
    {
        if (writes)
            write();
        else
            _result.Corruption(problem);
    }

    private void WriteRefcounts()
    {
        var first = FileClusters;
        var blockBits = header.ClusterBits + 3 - header.RefcountOrder;
        var perBlock = 1L << blockBits;
        var indices = new SortedSet<long>(_counts.Pieces.Select(piece => piece * ClusterCounts.PieceClusters >> blockBits));
        long area, clusters;
        while (true)
        {
            clusters = ((Math.Max(indices.Max, (first + indices.Count) >> blockBits) + 1) * 8 + header.ClusterSize - 1) >> header.ClusterBits;
            area = indices.Count + clusters;
            var before = indices.Count;
            for (var index = first >> blockBits; index <= (first + area - 1) >> blockBits; index++)
                indices.Add(index);
            if (indices.Count == before && (indices.Max + 1) * 8 <= clusters << header.ClusterBits)
                break;
        }

        if (clusters << header.ClusterBits > Qcow2Header.LargestRefcountTable)
            throw file.Failure("the file is too long for a refcount table");
        for (var i = 0L; i < area; i++)
            _counts.Add(first + i);
        var table = new ulong[clusters << (header.ClusterBits - 3)];
        var position = first;
        foreach (var index in indices)
        {
            file.Write(position << header.ClusterBits, MakeBlock(index * perBlock, perBlock));
            table[index] = (ulong)position++ << header.ClusterBits;
        }

        BigEndianTable.WriteEntries(file, position << header.ClusterBits, table, 0, table.Length);
        file.Flush();
        header.WriteRefcountTable(file, position << header.ClusterBits, (int)clusters);
        file.Flush();
    }

    private byte[] MakeBlock(long first, long clusters)
    {
        var block = new byte[header.ClusterSize];
        for (var piece = first / ClusterCounts.PieceClusters; piece < (first + clusters) / ClusterCounts.PieceClusters; piece++)
        {
            if (!_counts.HasPiece(piece))
                continue;
            for (var i = 0; i < ClusterCounts.PieceClusters; i++)
            {
                var cluster = (piece * ClusterCounts.PieceClusters) + i;
                var count = _counts.Get(cluster);
                if (count > RefcountEntry.Largest(header.RefcountOrder))
                    throw file.Failure($"cluster {cluster} is used {count} times, which refcounts of {1 << header.RefcountOrder} bits cannot say");
                RefcountEntry.Set(block, (int)(cluster - first), header.RefcountOrder, count);
            }
        }

        return block;
    }
}
