using DynaTrans.Disks.Host;

namespace DynaTrans.Disks.Qcow2;

/// <summary>
/// A qcow2 image. Data go to their clusters at once, what leads to them stays in memory until the next flush: then refcounts and new tables are written, then
/// (behind a barrier) the entries that name them, then (behind another) the refcounts of what is named no more. So whenever the process or
/// the host stops, the tables on the medium name only what is counted and written; at worst some clusters are counted that nobody names.
/// </summary>
internal sealed partial class Qcow2Image : DiskImage
{
    private readonly HostFile _file;
    private readonly Qcow2Header _header;
    private readonly DiskImage? _backing;
    private readonly CompressedCluster _compressed;
    private Refcounts _refcounts;
    private MappingTables _tables;

    /// <summary>Takes an open file with its header, and the backing image; both become this one's.</summary>
    public Qcow2Image(HostFile file, Qcow2Header header, DiskImage? backing)
    {
        (_file, _header, _backing) = (file, header, backing);
        _refcounts = new Refcounts(file, header);
        _tables = new MappingTables(file, header, _refcounts);
        _compressed = new CompressedCluster(file, header);
    }

    /// <inheritdoc/>
    public override string Path => _file.Path;

    /// <inheritdoc/>
    public override DiskFormat Format => DiskFormat.Qcow2;

    /// <inheritdoc/>
    public override long Length => _header.Size;

    /// <inheritdoc/>
    public override bool IsReadOnly => !_file.IsWritable;

    /// <inheritdoc/>
    public override long FileLength => _file.Length;

    /// <inheritdoc/>
    public override DiskImage? Backing => _backing;

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, string Value)> Properties
    {
        get
        {
            var properties = new List<(string Name, string Value)>
            {
                ("version", $"{_header.Version}"),
                ("cluster size", $"{ClusterSize} bytes"),
                ("refcounts", $"{1 << _header.RefcountOrder} bits{(_header.IsLazy ? ", lazy" : "")}"),
                ("compression", _header.IsZstd ? "zstd" : "zlib"),
            };
            if (_header.BackingName is { } name)
                properties.Add(("backing file", _header.BackingFormat is { } format ? $"{name} ({format})" : name));
            if ((_header.Incompatible & Qcow2Header.Dirty) != 0)
                properties.Add(("state", "not closed; refcounts are rebuilt when it is opened for writing"));
            if ((_header.Incompatible & Qcow2Header.Corrupt) != 0)
                properties.Add(("state", "marked as corrupt"));
            return properties;
        }
    }

    private int ClusterSize => _header.ClusterSize;

    /// <summary>Prepares an image that is open for writing: refcounts that are stale are rebuilt, what cannot be trusted is refused.</summary>
    public void PrepareForWriting()
    {
        if (_header.HasBitmaps)
            throw _file.Failure("an image with persistent bitmaps cannot be written; qemu-img bitmap --remove removes them");
        if ((_header.Incompatible & Qcow2Header.Corrupt) != 0)
            throw _file.Failure("the image is marked as corrupt; disk check --repair may help");
        _header.ClearAutoclear(_file);
        if ((_header.Incompatible & Qcow2Header.Dirty) != 0)
            Repair();
        RequireSound();
    }

    /// <inheritdoc/>
    protected override void ReadCore(long offset, Span<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            var (kind, entry, length) = Lookup(offset, buffer.Length);
            var part = buffer[..(int)length];
            var inCluster = (int)(offset & (ClusterSize - 1));
            switch (kind)
            {
                case ClusterKind.Unallocated:
                    ReadBacking(offset, part);
                    break;
                case ClusterKind.Zero:
                    part.Clear();
                    break;
                case ClusterKind.Data:
                    _file.Read(HostOffset(entry) + inCluster, part);
                    break;
                default:
                    _compressed.Read(entry).Slice(inCluster, part.Length).CopyTo(part);
                    break;
            }

            buffer = buffer[part.Length..];
            offset += part.Length;
        }
    }

    /// <inheritdoc/>
    protected override void WriteCore(long offset, ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            var count = WriteRun(offset, data);
            data = data[count..];
            offset += count;
            LimitMemory();
        }
    }

    /// <inheritdoc/>
    protected override void WriteZeroesCore(long offset, long count) => SetZero(offset, count, Length, keepsEdges: false);

    /// <inheritdoc/>
    protected override void DiscardCore(long offset, long count)
    {
        // Version 2 has no way to say that a cluster is zero where the backing file's is not.
        if (_header.Version >= 3 || _backing == null)
            SetZero(offset, count, Length, keepsEdges: true);
    }

    /// <inheritdoc/>
    protected override void FlushCore()
    {
        Commit(writesRefcounts: !_header.IsLazy);
        _file.Flush();
    }

    /// <inheritdoc/>
    protected override (bool IsZero, long Length) ExtentCore(long offset)
    {
        var (kind, _, length) = Lookup(offset, Length - offset);
        if (kind != ClusterKind.Unallocated)
            return (kind == ClusterKind.Zero, length);
        if (_backing == null)
            return (_header.BackingName == null, length);
        if (offset >= _backing.Length)
            return (true, length);
        var (isZero, backed) = _backing.Extent(offset);
        return (isZero, Math.Min(length, backed));
    }

    /// <inheritdoc/>
    protected override void CloseCore()
    {
        Commit(writesRefcounts: true);
        _file.Flush();
        EndDirty();
    }

    /// <inheritdoc/>
    protected override void Release() => _file.Dispose();

    // Until the refcounts of a lazy image are written, it says so itself.
    private void BeginChange()
    {
        if (_header.IsLazy)
            BeginDirty();
    }

    private void BeginDirty()
    {
        if (_header.Version < 3 || (_header.Incompatible & Qcow2Header.Dirty) != 0)
            return;
        _header.WriteIncompatible(_file, _header.Incompatible | Qcow2Header.Dirty);
        _file.Flush();
    }

    private void EndDirty()
    {
        if ((_header.Incompatible & Qcow2Header.Dirty) == 0)
            return;
        _header.WriteIncompatible(_file, _header.Incompatible & ~Qcow2Header.Dirty);
        _file.Flush();
    }

    private void Commit(bool writesRefcounts)
    {
        if (!_tables.HasChanges && !(writesRefcounts && _refcounts.HasChanges) && !_refcounts.HasReleases)
            return;
        if (writesRefcounts)
            _refcounts.Write();
        _tables.WriteNew();
        _file.Flush();
        _tables.WriteReachable();
        if (!_refcounts.HasReleases)
            return;
        _file.Flush();
        _refcounts.ApplyReleases();
        _compressed.Forget();
        if (writesRefcounts)
            _refcounts.Write();
    }

    private void LimitMemory()
    {
        if (_refcounts.IsFull || _tables.IsFull)
            Commit(writesRefcounts: true);
    }

    private void RequireSound()
    {
        _refcounts.RequireSound();
        _tables.RequireSound();
    }

    // What is at a position, and for how many bytes this is so (of data: in one piece of the file).
    private (ClusterKind Kind, ulong Entry, long Length) Lookup(long offset, long limit)
    {
        var clusterBits = _header.ClusterBits;
        var index = (int)(offset >> clusterBits) & ((1 << _header.L2Bits) - 1);
        var inCluster = offset & (ClusterSize - 1);
        var entries = 1 << _header.L2Bits;
        if (_tables.Find(offset >> (clusterBits + _header.L2Bits)) is not { } table)
            return (ClusterKind.Unallocated, 0, Math.Min(limit, ((long)(entries - index) << clusterBits) - inCluster));
        var first = table.Entries[index];
        var kind = L2Entry.KindOf(first, _header.Version);
        var count = 1;
        if (kind != ClusterKind.Compressed)
        {
            while (index + count < entries && ((long)count << clusterBits) - inCluster < limit)
            {
                var next = table.Entries[index + count];
                if (L2Entry.KindOf(next, _header.Version) != kind
                    || (kind == ClusterKind.Data && (next & L2Entry.OffsetMask) != (first & L2Entry.OffsetMask) + ((ulong)count << clusterBits)))
                {
                    break;
                }

                count++;
            }
        }

        return (kind, first, Math.Min(limit, ((long)count << clusterBits) - inCluster));
    }

    private void ReadBacking(long offset, Span<byte> buffer)
    {
        if (_backing == null && _header.BackingName != null)
            throw _file.Failure("the backing file is not open");
        var count = _backing == null ? 0 : (int)Math.Clamp(_backing.Length - offset, 0, buffer.Length);
        if (count > 0)
            _backing!.Read(offset, buffer[..count]);
        buffer[count..].Clear();
    }

    private long HostOffset(ulong entry)
    {
        var offset = (long)(entry & L2Entry.OffsetMask);
        return (offset & (ClusterSize - 1)) == 0 ? offset : throw _file.Failure($"corrupt: a cluster at 0x{offset:x}, which is no multiple of the cluster size");
    }
}
