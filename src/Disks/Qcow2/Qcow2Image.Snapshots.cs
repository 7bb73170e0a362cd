using System.Globalization;

namespace DynaTrans.Disks.Qcow2;

// Internal snapshots. While references are counted anew, the image says that its refcounts may be stale (version 3): they are rebuilt after a crash.
internal sealed partial class Qcow2Image
{
    private const int LongestSnapshotName = 255;

    /// <inheritdoc/>
    public override IReadOnlyList<DiskSnapshot> Snapshots =>
        Exclusively(writes: false, () => SnapshotTable.Read(_file, _header).ConvertAll(static entry => entry.Description));

    /// <inheritdoc/>
    public override DiskSnapshot CreateSnapshot(string name, DateTimeOffset date)
    {
        if (name.Length == 0 || System.Text.Encoding.UTF8.GetByteCount(name) > LongestSnapshotName || name.Any(char.IsControl))
            throw _file.Failure($"the name of a snapshot has 1 to {LongestSnapshotName} bytes and no control characters");
        return Exclusively(writes: true, () => Guarded(() => Create(name, date)));
    }

    /// <inheritdoc/>
    public override void ApplySnapshot(string idOrName) => Exclusively(writes: true, () => Guarded(() => Apply(Find(idOrName))));

    /// <inheritdoc/>
    public override void DeleteSnapshot(string idOrName) => Exclusively(writes: true, () => Guarded(() => Delete(Find(idOrName))));

    private T Guarded<T>(Func<T> change)
    {
        if (_header.RefcountOrder == 0)
            throw _file.Failure("refcounts of 1 bit do not allow snapshots");
        Commit(writesRefcounts: true);
        _file.Flush();
        BeginDirty();
        try
        {
            var result = change();
            CloseCore();
            return result;
        }
        catch (DiskImageException)
        {
            // What was counted for nothing is taken back.
            Repair();
            throw;
        }
    }

    private DiskSnapshot Create(string name, DateTimeOffset date)
    {
        var entries = SnapshotTable.Read(_file, _header);
        if (entries.Count >= Qcow2Header.MostSnapshots)
            throw _file.Failure($"the image has {entries.Count} snapshots, as many as it may have");
        if (entries.Exists(entry => entry.Description.Name == name))
            throw _file.Failure($"there is a snapshot '{name}' already");
        for (var i = 0; i < _tables.L1.Length; i++)
        {
            if (_tables.Find(i) is not { } table)
                continue;
            _refcounts.Add(table.Offset >> _header.ClusterBits, 1);
            AddReferences(table.Entries);
            for (var j = 0; j < table.Entries.Length; j++)
            {
                if ((table.Entries[j] & L2Entry.Copied) != 0)
                    table.Set(j, table.Entries[j] & ~L2Entry.Copied);
            }

            _tables.SetCopied(i, isCopied: false);
            LimitMemory();
        }

        Commit(writesRefcounts: true);
        var copy = WriteTable(_tables.L1.ToArray());
        var last = entries.Max(static entry => long.TryParse(entry.Description.Id, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : (long?)null) ?? 0;
        var bytes = SnapshotTable.MakeEntry((last + 1).ToString(CultureInfo.InvariantCulture), name, date, Length, _tables.L1.Length, copy);
        WriteSnapshots([.. entries.Select(static entry => entry.Bytes), bytes], entries);
        return SnapshotTable.Read(_file, _header)[^1].Description;
    }

    private bool Apply(SnapshotEntry snapshot)
    {
        var l1 = ReadL1(snapshot);
        Array.Resize(ref l1, (int)Math.Max(l1.Length, Qcow2Header.L1EntriesFor(snapshot.Description.Length, _header.ClusterBits)));
        if (l1.Length > Qcow2Header.LargestL1 / 8)
            throw _file.Failure($"corrupt: the length of snapshot {snapshot.Description.Id} is out of range");
        foreach (var offset in TablesOf(l1))
        {
            _refcounts.Add(offset >> _header.ClusterBits, 1);
            AddReferences(BigEndianTable.Read(_file, offset, 1 << _header.L2Bits));
            LimitMemory();
        }

        var old = _tables.L1.ToArray();
        for (var i = 0; i < l1.Length; i++)
            l1[i] &= ~L2Entry.Copied;
        ReplaceL1(l1);
        _header.WriteSize(_file, snapshot.Description.Length);
        _compressed.Forget();
        ReleaseReferences(old);
        UpdateFlags();
        return true;
    }

    private bool Delete(SnapshotEntry snapshot)
    {
        var entries = SnapshotTable.Read(_file, _header);
        var l1 = ReadL1(snapshot);
        WriteSnapshots([.. entries.Where(entry => entry.Description.Id != snapshot.Description.Id).Select(static entry => entry.Bytes)], entries);
        ReleaseReferences(l1);
        ReleaseArea(snapshot.L1Offset, snapshot.L1Entries * 8L);
        UpdateFlags();
        return true;
    }

    private SnapshotEntry Find(string idOrName)
    {
        var entries = SnapshotTable.Read(_file, _header);
        return entries.Find(entry => entry.Description.Name == idOrName) ?? entries.Find(entry => entry.Description.Id == idOrName)
            ?? throw _file.Failure($"there is no snapshot '{idOrName}'");
    }

    private ulong[] ReadL1(SnapshotEntry snapshot)
    {
        var l1 = BigEndianTable.Read(_file, snapshot.L1Offset, snapshot.L1Entries);
        var seen = new HashSet<long>();
        foreach (var offset in TablesOf(l1))
        {
            if ((offset & (ClusterSize - 1)) != 0 || offset > _file.Length - ClusterSize || !seen.Add(offset))
                throw _file.Failure($"corrupt: an L2 table of snapshot {snapshot.Description.Id} is out of bounds or used twice");
        }

        return l1;
    }

    private static IEnumerable<long> TablesOf(ulong[] l1) => l1.Select(static entry => (long)(entry & L2Entry.OffsetMask)).Where(static offset => offset != 0);

    private void AddReferences(ReadOnlySpan<ulong> entries)
    {
        foreach (var entry in entries)
        {
            var (first, count) = L2Entry.Clusters(entry, _header.ClusterBits);
            for (var i = 0; i < count; i++)
            {
                // What is behind the end of the file (the last sectors of compressed data) has no refcount.
                if (_refcounts.Get(first + i) != 0)
                    _refcounts.Add(first + i, 1);
            }
        }
    }

    // Of tables that nothing on the medium leads to any more.
    private void ReleaseReferences(ulong[] l1)
    {
        foreach (var offset in TablesOf(l1))
        {
            foreach (var entry in BigEndianTable.Read(_file, offset, 1 << _header.L2Bits))
                ReleaseClusters(entry);
            _refcounts.Release(offset >> _header.ClusterBits);
            LimitMemory();
        }
    }

    // Sets the flag of what is no longer shared.
    private void UpdateFlags()
    {
        Commit(writesRefcounts: true);
        for (var i = 0; i < _tables.L1.Length; i++)
        {
            if (_tables.Find(i) is not { } table)
                continue;
            _tables.SetCopied(i, _refcounts.Get(table.Offset >> _header.ClusterBits) == 1);
            for (var j = 0; j < table.Entries.Length; j++)
            {
                var entry = table.Entries[j];
                var (first, count) = L2Entry.Clusters(entry, _header.ClusterBits);
                if (count == 0 || L2Entry.KindOf(entry, _header.Version) == ClusterKind.Compressed)
                    continue;
                var corrected = _refcounts.Get(first) == 1 ? entry | L2Entry.Copied : entry & ~L2Entry.Copied;
                if (corrected != entry)
                    table.Set(j, corrected);
            }

            LimitMemory();
        }
    }

    private long WriteTable(ulong[] table)
    {
        var offset = AllocateArea(table.Length * 8L);
        BigEndianTable.WriteEntries(_file, offset, table, 0, table.Length);
        return offset;
    }

    // Cleared, for it may have been used before.
    private long AllocateArea(long bytes)
    {
        var clusters = Math.Max(1, ClustersOf(bytes));
        var offset = _refcounts.Allocate(clusters, out _, whole: true) << _header.ClusterBits;
        _file.WriteZeroes(offset, (long)clusters << _header.ClusterBits);
        return offset;
    }

    private void WriteSnapshots(byte[][] table, List<SnapshotEntry> old)
    {
        var bytes = table.SelectMany(static entry => entry).ToArray();
        var offset = 0L;
        if (bytes.Length > 0)
        {
            offset = AllocateArea(bytes.Length);
            _file.Write(offset, bytes);
        }

        _refcounts.Write();
        _file.Flush();
        var oldOffset = _header.Snapshots.Offset;
        _header.WriteSnapshots(_file, table.Length, offset);
        _file.Flush();
        if (old.Count > 0)
            ReleaseArea(oldOffset, old.Sum(static entry => (long)entry.Bytes.Length));
    }

    private void Repair()
    {
        new Qcow2Checker(_file, _header).Rebuild();
        _refcounts = new Refcounts(_file, _header);
        _tables = new MappingTables(_file, _header, _refcounts);
        RequireSound();
    }
}
