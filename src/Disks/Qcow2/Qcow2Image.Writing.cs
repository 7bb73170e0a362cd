namespace DynaTrans.Disks.Qcow2;

// Writing, zeroes, other lengths.
internal sealed partial class Qcow2Image
{
    /// <summary>Gives a new image its length; what the backing file has is part of the disk.</summary>
    public void SetFirstLength(long length) => Exclusively(writes: true, () =>
    {
        Resize(length, hidesBacking: false);
        return true;
    });

    /// <inheritdoc/>
    protected override void ResizeCore(long length) => Resize(length, hidesBacking: true);

    private void Resize(long length, bool hidesBacking)
    {
        if (length == Length)
            return;
        if (_header.Version < 3 && _header.Snapshots.Count > 0)
            throw _file.Failure("an image of version 2 with snapshots has one length");
        var entries = Qcow2Header.L1EntriesFor(length, _header.ClusterBits);
        if (entries > Qcow2Header.LargestL1 / 8)
            throw _file.Failure($"{length} bytes are too many for clusters of {ClusterSize} bytes");
        BeginChange();
        if (length < Length)
            SetZero(length, Length - length, Length, keepsEdges: false);
        else
            Grow(length, (int)entries, hidesBacking);
        Commit(writesRefcounts: !_header.IsLazy);
        _file.Flush();
        _header.WriteSize(_file, length);
        _file.Flush();
    }

    private void Grow(long length, int entries, bool hidesBacking)
    {
        if (entries > _tables.L1.Length)
        {
            Commit(writesRefcounts: true);
            var l1 = new ulong[entries];
            _tables.L1.CopyTo(l1);
            ReplaceL1(l1);
        }

        // What the backing file has behind the old end was never part of the disk.
        if (hidesBacking && _backing != null && _backing.Length > Length)
            SetZero(Length, Math.Min(length, _backing.Length) - Length, length, keepsEdges: false);
    }

    private void ReplaceL1(ulong[] l1)
    {
        var offset = WriteTable(l1);
        _refcounts.Write();
        _file.Flush();
        var (oldEntries, oldOffset) = _header.L1;
        _tables.Replace(l1, offset);
        ReleaseArea(oldOffset, oldEntries * 8L);
    }

    private int ClustersOf(long bytes) => (int)((bytes + ClusterSize - 1) >> _header.ClusterBits);

    private void ReleaseArea(long offset, long bytes)
    {
        for (var i = 0; i < ClustersOf(bytes); i++)
            _refcounts.Release((offset >> _header.ClusterBits) + i);
    }

    // Writes to clusters that follow each other and are of one sort: to be changed in their place, or to be allocated.
    private int WriteRun(long offset, ReadOnlySpan<byte> data)
    {
        var bits = _header.ClusterBits;
        var index = (int)(offset >> bits) & ((1 << _header.L2Bits) - 1);
        var inCluster = (int)(offset & (ClusterSize - 1));
        var most = (int)Math.Min((1 << _header.L2Bits) - index, (inCluster + (long)data.Length + ClusterSize - 1) >> bits);
        if (_tables.Find(offset >> (bits + _header.L2Bits)) is { } known && IsOwn(known.Entries[index]) && (_tables.L1[(int)(offset >> (bits + _header.L2Bits))] & L2Entry.Copied) != 0)
        {
            var start = HostOffset(known.Entries[index]);
            RequireData(start);
            var count = 1;
            while (count < most && IsOwn(known.Entries[index + count]) && HostOffset(known.Entries[index + count]) == start + ((long)count << bits))
                RequireData(start + ((long)count++ << bits));
            var own = (int)Math.Min(data.Length, ((long)count << bits) - inCluster);
            _file.Write(start + inCluster, data[..own]);
            return own;
        }

        BeginChange();
        var table = _tables.ForWrite(offset >> (bits + _header.L2Bits));
        var wanted = 1;
        while (wanted < most && !IsOwn(table.Entries[index + wanted]))
            wanted++;
        var cluster = _refcounts.Allocate(wanted, out var got);
        var length = (int)Math.Min(data.Length, ((long)got << bits) - inCluster);
        try
        {
            WriteNew(cluster, got, offset, data[..length]);
        }
        catch (DiskImageException)
        {
            for (var i = 0; i < got; i++)
                _refcounts.ReleaseUnused(cluster + i);
            throw;
        }

        for (var i = 0; i < got; i++)
        {
            ReleaseClusters(table.Entries[index + i]);
            table.Set(index + i, (ulong)((cluster + i) << bits) | L2Entry.Copied);
        }

        return length;
    }

    // Fills new clusters: the data, and around them what the clusters had.
    private void WriteNew(long cluster, int count, long offset, ReadOnlySpan<byte> data)
    {
        var bits = _header.ClusterBits;
        for (var i = 0; i < count; i++)
            RequireData((cluster + i) << bits);
        var start = cluster << bits;
        var inCluster = (int)(offset & (ClusterSize - 1));
        var tail = (int)(((long)count << bits) - inCluster - data.Length);
        if (inCluster == 0 && tail == 0)
        {
            _file.Write(start, data);
            return;
        }

        if (inCluster > 0)
        {
            var before = new byte[inCluster];
            ReadCore(offset - inCluster, before);
            _file.Write(start, before);
        }

        _file.Write(start + inCluster, data);
        if (tail > 0)
        {
            // Behind the end of the disk nothing is copied.
            var after = new byte[tail];
            var end = offset + data.Length;
            ReadCore(end, after.AsSpan(0, (int)Math.Clamp(Length - end, 0, tail)));
            _file.Write(start + inCluster + data.Length, after);
        }
    }

    // With a limit on the last cluster: the end of the disk ends a whole cluster.
    private void SetZero(long offset, long count, long diskEnd, bool keepsEdges)
    {
        var end = offset + count;
        var mask = ClusterSize - 1L;
        var canMark = _header.Version >= 3 || _backing == null;
        while (offset < end)
        {
            var clusterEnd = Math.Min((offset | mask) + 1, diskEnd);
            if (canMark && (offset & mask) == 0 && clusterEnd <= end)
            {
                offset = ZeroClusters(offset, end, diskEnd);
            }
            else
            {
                var part = (int)(Math.Min(clusterEnd, end) - offset);
                if (!keepsEdges && !IsKnownZero(offset, part))
                    WriteCore(offset, new byte[part]);
                offset += part;
            }

            LimitMemory();
        }
    }

    // Marks whole clusters of one L2 table.
    private long ZeroClusters(long offset, long end, long diskEnd)
    {
        var bits = _header.ClusterBits;
        var index = (int)(offset >> bits) & ((1 << _header.L2Bits) - 1);
        var l1Index = offset >> (bits + _header.L2Bits);
        var most = (1 << _header.L2Bits) - index;
        var whole = (end - offset) >> bits;
        if (end == diskEnd && (end & (ClusterSize - 1)) != 0)
            whole++;
        var count = (int)Math.Min(most, whole);
        var next = Math.Min(offset + ((long)count << bits), end);
        var entry = _backing == null ? 0 : L2Entry.Zero;
        if (_backing == null && _tables.Find(l1Index) == null)
            return next;
        BeginChange();
        var table = _tables.ForWrite(l1Index);
        for (var i = index; i < index + count; i++)
        {
            if (table.Entries[i] == entry)
                continue;
            ReleaseClusters(table.Entries[i]);
            table.Set(i, entry);
        }

        return next;
    }

    private bool IsKnownZero(long offset, int count)
    {
        if (offset >= Length)
            return false;
        var (isZero, length) = ExtentCore(offset);
        return isZero && length >= Math.Min(count, Length - offset);
    }

    private void ReleaseClusters(ulong entry)
    {
        var (first, count) = L2Entry.Clusters(entry, _header.ClusterBits);
        for (var i = 0; i < count; i++)
            _refcounts.Release(first + i);
    }

    private bool IsOwn(ulong entry) => (entry & L2Entry.Copied) != 0 && L2Entry.KindOf(entry, _header.Version) == ClusterKind.Data;

    // Malformed tables must not make data of what leads to data.
    private void RequireData(long offset)
    {
        if (offset < ClusterSize || IsIn(offset, _header.L1.Offset, _header.L1.Entries * 8L)
            || IsIn(offset, _header.RefcountTable.Offset, (long)_header.RefcountTable.Clusters << _header.ClusterBits)
            || (_header.Snapshots.Count > 0 && offset == _header.Snapshots.Offset)
            || _refcounts.IsBlock(offset) || _tables.IsTable(offset))
        {
            throw _file.Failure($"corrupt: data and metadata at 0x{offset:x}; disk check tells more");
        }
    }

    private static bool IsIn(long offset, long start, long length) => offset >= start && offset < start + length;
}
