using System.Buffers.Binary;
using System.Text;
using DynaTrans.Disks.Host;

namespace DynaTrans.Disks.Qcow2;

/// <summary>The first cluster of a qcow2 image (QEMU's docs/interop/qcow2, "Header" and "Header extensions"). All numbers in the file are big-endian.</summary>
internal sealed class Qcow2Header
{
    /// <summary>Lengths in bytes: of the magic, of the header of version 2, of the one that is written for version 3.</summary>
    public const int MagicLength = 4, LengthV2 = 72, LengthV3 = 112;

    /// <summary>Bits of the incompatible features: refcounts may be stale, the image is known to be damaged, the compression type is not zlib.</summary>
    public const ulong Dirty = 1, Corrupt = 2, CompressionTypeBit = 8;

    /// <summary>Bit of the compatible features: refcounts may be written late.</summary>
    public const ulong LazyRefcounts = 1;

    /// <summary>Bounds of cluster sizes, as powers of two, and of names and tables in bytes.</summary>
    public const int SmallestClusterBits = 9, LargestClusterBits = 21, LongestBackingName = 1023, LargestL1 = 32 << 20, LargestRefcountTable = 8 << 20;

    /// <summary>Most snapshots of an image.</summary>
    public const int MostSnapshots = 65536;

    // Positions.
    private const int SizeAt = 24, L1At = 36, RefcountTableAt = 48, SnapshotsAt = 60, IncompatibleAt = 72, AutoclearAt = 88;
    private const uint Magic = 0x514649FB, BackingFormatExtension = 0xE2792ACA, BitmapsExtension = 0x23852875;
    private const ulong ExternalData = 4, ExtendedL2 = 16;

    /// <summary>2 or 3.</summary>
    public required int Version { get; init; }

    /// <summary>The cluster size as a power of two.</summary>
    public required int ClusterBits { get; init; }

    /// <summary>The length of the disk in bytes.</summary>
    public long Size { get; private set; }

    /// <summary>The active L1 table: entries, and position in the file.</summary>
    public (int Entries, long Offset) L1 { get; private set; }

    /// <summary>The refcount table: position in the file, and clusters.</summary>
    public (long Offset, int Clusters) RefcountTable { get; private set; }

    /// <summary>The snapshots: how many, and where their table is.</summary>
    public (int Count, long Offset) Snapshots { get; private set; }

    /// <summary>The incompatible features that are set, all of them known.</summary>
    public ulong Incompatible { get; private set; }

    /// <summary>The compatible features that are set.</summary>
    public required ulong Compatible { get; init; }

    /// <summary>The autoclear features that are set: what a writer does not know it must clear.</summary>
    public ulong Autoclear { get; private set; }

    /// <summary>The width of a refcount in bits as a power of two, 0 to 6.</summary>
    public required int RefcountOrder { get; init; }

    /// <summary>True when compressed clusters are zstd frames; else they are raw deflate data.</summary>
    public required bool IsZstd { get; init; }

    /// <summary>The name of the backing file as it stands in the image, or null.</summary>
    public string? BackingName { get; private set; }

    /// <summary>The name of the backing file's format, or null.</summary>
    public string? BackingFormat { get; private set; }

    /// <summary>True when the image has persistent dirty bitmaps.</summary>
    public bool HasBitmaps { get; private set; }

    /// <summary>The cluster size in bytes.</summary>
    public int ClusterSize => 1 << ClusterBits;

    /// <summary>Entries of an L2 table as a power of two.</summary>
    public int L2Bits => ClusterBits - 3;

    /// <summary>True when refcounts may be written late.</summary>
    public bool IsLazy => Version == 3 && (Compatible & LazyRefcounts) != 0;

    /// <summary>L1 entries that a disk of a length needs.</summary>
    public static long L1EntriesFor(long size, int clusterBits)
    {
        var bits = (2 * clusterBits) - 3;
        return (size >> bits) + ((size & ((1L << bits) - 1)) == 0 ? 0 : 1);
    }

    /// <summary>True when a file begins with the magic.</summary>
    public static bool HasMagic(ReadOnlySpan<byte> start) => start.Length >= MagicLength && BinaryPrimitives.ReadUInt32BigEndian(start) == Magic;

    /// <summary>Reads and checks the header of a file.</summary>
    public static Qcow2Header Read(HostFile file)
    {
        Span<byte> start = stackalloc byte[LengthV3];
        file.Read(0, start);
        if (!HasMagic(start))
            throw file.Failure("not a qcow2 image");
        var version = BinaryPrimitives.ReadUInt32BigEndian(start[4..]);
        if (version is not (2 or 3))
            throw file.Failure($"qcow2 version {version} is not supported");
        var clusterBits = BinaryPrimitives.ReadUInt32BigEndian(start[20..]);
        if (clusterBits is < SmallestClusterBits or > LargestClusterBits)
            throw file.Failure($"corrupt: a cluster of 2^{clusterBits} bytes");
        if (BinaryPrimitives.ReadUInt32BigEndian(start[32..]) != 0)
            throw file.Failure("encrypted images are not supported");
        var isNew = version == 3;
        var incompatible = isNew ? BinaryPrimitives.ReadUInt64BigEndian(start[IncompatibleAt..]) : 0;
        if ((incompatible & ExternalData) != 0)
            throw file.Failure("images with an external data file are not supported");
        if ((incompatible & ExtendedL2) != 0)
            throw file.Failure("images with extended L2 entries are not supported");
        if ((incompatible & ~(Dirty | Corrupt | CompressionTypeBit)) is not 0 and var unknown)
            throw file.Failure($"unknown incompatible features 0x{unknown:x}");
        var order = isNew ? BinaryPrimitives.ReadUInt32BigEndian(start[96..]) : 4;
        if (order > 6)
            throw file.Failure($"corrupt: refcounts of 2^{order} bits");
        var length = isNew ? BinaryPrimitives.ReadUInt32BigEndian(start[100..]) : LengthV2;
        if (length < (isNew ? 104 : LengthV2) || length > 1u << (int)clusterBits)
            throw file.Failure($"corrupt: a header of {length} bytes");
        var compression = length > 104 ? start[104] : 0;
        if (compression > 1 || (compression == 1) != ((incompatible & CompressionTypeBit) != 0))
            throw file.Failure($"unknown compression type {compression}");
        var header = new Qcow2Header
        {
            Version = (int)version,
            ClusterBits = (int)clusterBits,
            Incompatible = incompatible,
            Compatible = isNew ? BinaryPrimitives.ReadUInt64BigEndian(start[80..]) : 0,
            Autoclear = isNew ? BinaryPrimitives.ReadUInt64BigEndian(start[AutoclearAt..]) : 0,
            RefcountOrder = (int)order,
            IsZstd = compression == 1,
        };
        header.ReadPositions(file, start);
        header.ReadNames(file, start, (int)length);
        return header;
    }

    /// <summary>Writes the first cluster of a new image; the tables are empty.</summary>
    public static byte[] Make(Qcow2CreateOptions options, long refcountTable, long l1Table)
    {
        var cluster = new byte[options.ClusterSize];
        var span = cluster.AsSpan();
        BinaryPrimitives.WriteUInt32BigEndian(span, Magic);
        BinaryPrimitives.WriteInt32BigEndian(span[4..], options.Version);
        BinaryPrimitives.WriteInt32BigEndian(span[20..], options.ClusterSize.Log2());
        BinaryPrimitives.WriteInt64BigEndian(span[40..], l1Table);
        BinaryPrimitives.WriteInt64BigEndian(span[48..], refcountTable);
        BinaryPrimitives.WriteInt32BigEndian(span[56..], 1);
        var end = LengthV2;
        if (options.Version == 3)
        {
            BinaryPrimitives.WriteUInt64BigEndian(span[72..], options.IsZstd ? CompressionTypeBit : 0);
            BinaryPrimitives.WriteUInt64BigEndian(span[80..], options.IsLazy ? LazyRefcounts : 0);
            BinaryPrimitives.WriteInt32BigEndian(span[96..], options.RefcountBits.Log2());
            BinaryPrimitives.WriteInt32BigEndian(span[100..], LengthV3);
            span[104] = options.IsZstd ? (byte)1 : (byte)0;
            end = LengthV3;
        }

        if (options.BackingName is not { } name)
            return cluster;
        var format = Encoding.ASCII.GetBytes(options.BackingFormat == DiskFormat.Raw ? "raw" : "qcow2");
        var text = Encoding.UTF8.GetBytes(name);
        if (text.Length > LongestBackingName || end + 32 + text.Length > cluster.Length)
            throw new DiskImageException($"the name of the backing file has {text.Length} bytes, which is too long");
        BinaryPrimitives.WriteUInt32BigEndian(span[end..], BackingFormatExtension);
        BinaryPrimitives.WriteInt32BigEndian(span[(end + 4)..], format.Length);
        format.CopyTo(span[(end + 8)..]);

        // Behind the extension (padded to 8) and the one that ends the list.
        end += 24;
        text.CopyTo(span[end..]);
        BinaryPrimitives.WriteInt64BigEndian(span[8..], end);
        BinaryPrimitives.WriteInt32BigEndian(span[16..], text.Length);
        return cluster;
    }

    /// <summary>Changes the length of the disk in the file.</summary>
    public void WriteSize(HostFile file, long size)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, size);
        file.Write(SizeAt, bytes);
        Size = size;
    }

    /// <summary>Puts another L1 table into effect, by one write.</summary>
    public void WriteL1(HostFile file, int entries, long offset)
    {
        Span<byte> bytes = stackalloc byte[12];
        BinaryPrimitives.WriteInt32BigEndian(bytes, entries);
        BinaryPrimitives.WriteInt64BigEndian(bytes[4..], offset);
        file.Write(L1At, bytes);
        L1 = (entries, offset);
    }

    /// <summary>Puts another refcount table into effect, by one write.</summary>
    public void WriteRefcountTable(HostFile file, long offset, int clusters)
    {
        Span<byte> bytes = stackalloc byte[12];
        BinaryPrimitives.WriteInt64BigEndian(bytes, offset);
        BinaryPrimitives.WriteInt32BigEndian(bytes[8..], clusters);
        file.Write(RefcountTableAt, bytes);
        RefcountTable = (offset, clusters);
    }

    /// <summary>Puts another table of snapshots into effect, by one write.</summary>
    public void WriteSnapshots(HostFile file, int count, long offset)
    {
        Span<byte> bytes = stackalloc byte[12];
        BinaryPrimitives.WriteInt32BigEndian(bytes, count);
        BinaryPrimitives.WriteInt64BigEndian(bytes[4..], offset);
        file.Write(SnapshotsAt, bytes);
        Snapshots = (count, offset);
    }

    /// <summary>Changes the incompatible features in the file (version 3).</summary>
    public void WriteIncompatible(HostFile file, ulong features)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, features);
        file.Write(IncompatibleAt, bytes);
        Incompatible = features;
    }

    /// <summary>Clears the autoclear features in the file: none is kept up to date here.</summary>
    public void ClearAutoclear(HostFile file)
    {
        if (Autoclear == 0)
            return;
        file.Write(AutoclearAt, stackalloc byte[8]);
        Autoclear = 0;
    }

    private void ReadPositions(HostFile file, ReadOnlySpan<byte> start)
    {
        var length = file.Length;
        Size = BinaryPrimitives.ReadInt64BigEndian(start[SizeAt..]);
        if (Size < 0)
            throw file.Failure("corrupt: the disk's length is out of range");
        var entries = BinaryPrimitives.ReadUInt32BigEndian(start[L1At..]);
        if (entries > LargestL1 / 8 || entries < L1EntriesFor(Size, ClusterBits))
            throw file.Failure($"corrupt: an L1 table of {entries} entries");
        L1 = ((int)entries, Position(file, start[(L1At + 4)..], entries * 8L, length, "L1 table"));
        var clusters = BinaryPrimitives.ReadUInt32BigEndian(start[(RefcountTableAt + 8)..]);
        if (clusters == 0 || clusters > LargestRefcountTable >> ClusterBits)
            throw file.Failure($"corrupt: a refcount table of {clusters} clusters");
        RefcountTable = (Position(file, start[RefcountTableAt..], (long)clusters << ClusterBits, length, "refcount table"), (int)clusters);
        var snapshots = BinaryPrimitives.ReadUInt32BigEndian(start[SnapshotsAt..]);
        if (snapshots > MostSnapshots)
            throw file.Failure($"corrupt: {snapshots} snapshots");
        Snapshots = ((int)snapshots, snapshots == 0 ? 0 : Position(file, start[(SnapshotsAt + 4)..], 1, length, "snapshot table"));
    }

    private long Position(HostFile file, ReadOnlySpan<byte> field, long count, long length, string what)
    {
        var offset = BinaryPrimitives.ReadInt64BigEndian(field);
        if (count == 0)
            return offset;
        if (offset < ClusterSize || (offset & (ClusterSize - 1)) != 0 || offset > length - count)
            throw file.Failure($"corrupt: the {what} is out of bounds (the file may be truncated)");
        return offset;
    }

    private void ReadNames(HostFile file, ReadOnlySpan<byte> start, int length)
    {
        var cluster = new byte[ClusterSize];
        file.Read(0, cluster);
        var nameAt = BinaryPrimitives.ReadUInt64BigEndian(start[8..]);
        var nameLength = BinaryPrimitives.ReadUInt32BigEndian(start[16..]);
        if (nameAt != 0 && nameLength != 0)
        {
            if (nameLength > LongestBackingName || nameAt > (ulong)(cluster.Length - nameLength))
                throw file.Failure("corrupt: the name of the backing file is out of bounds");
            BackingName = Encoding.UTF8.GetString(cluster, (int)nameAt, (int)nameLength);
        }

        var end = nameAt != 0 && nameAt < (ulong)cluster.Length ? (int)nameAt : cluster.Length;
        var position = length;
        while (position <= end - 8)
        {
            var type = BinaryPrimitives.ReadUInt32BigEndian(cluster.AsSpan(position));
            var count = BinaryPrimitives.ReadUInt32BigEndian(cluster.AsSpan(position + 4));
            if (type == 0)
                break;
            if (count > end - position - 8)
                throw file.Failure("corrupt: a header extension is out of bounds");
            if (type == BackingFormatExtension)
                BackingFormat = Encoding.UTF8.GetString(cluster, position + 8, (int)count);
            HasBitmaps |= type == BitmapsExtension;
            position += 8 + (int)((count + 7) & ~7u);
        }
    }
}
