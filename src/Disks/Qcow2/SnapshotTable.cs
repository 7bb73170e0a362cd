using System.Buffers.Binary;
using System.Text;
using DynaTrans.Disks.Host;

namespace DynaTrans.Disks.Qcow2;

/// <summary>An entry of the snapshot table (docs/interop/qcow2, "Snapshots"), with the bytes it consists of.</summary>
internal sealed record SnapshotEntry(DiskSnapshot Description, int L1Entries, long L1Offset, byte[] Bytes);

/// <summary>Reads and makes snapshot tables.</summary>
internal static class SnapshotTable
{
    private const int FixedLength = 40, ExtraLength = 16, LongestExtra = 1024, LongestTable = 64 << 20;

    /// <summary>Reads the table of an image; all L1 tables named are inside the file, and do not have more bytes than it.</summary>
    public static List<SnapshotEntry> Read(HostFile file, Qcow2Header header)
    {
        var entries = new List<SnapshotEntry>();
        var length = file.Length;
        var position = header.Snapshots.Offset;
        var (tables, bytes) = (0L, 0L);
        Span<byte> start = stackalloc byte[FixedLength];
        for (var i = 0; i < header.Snapshots.Count; i++)
        {
            file.Read(position, start);
            var idLength = BinaryPrimitives.ReadUInt16BigEndian(start[12..]);
            var nameLength = BinaryPrimitives.ReadUInt16BigEndian(start[14..]);
            var extraLength = BinaryPrimitives.ReadUInt32BigEndian(start[36..]);
            var total = FixedLength + Math.Min(extraLength, LongestExtra) + idLength + nameLength;
            bytes += total;
            if (extraLength > LongestExtra || position > length - total || bytes > LongestTable)
                throw file.Failure($"corrupt: entry {i} of the snapshot table is out of bounds");
            var entry = new byte[(total + 7) & ~7u];
            file.Read(position, entry.AsSpan(0, (int)total));
            position += entry.Length;
            var l1 = BinaryPrimitives.ReadInt64BigEndian(start);
            var l1Entries = BinaryPrimitives.ReadUInt32BigEndian(start[8..]);
            if (l1Entries > Qcow2Header.LargestL1 / 8 || (tables += l1Entries * 8L) > length
                || (l1Entries > 0 && (l1 < header.ClusterSize || (l1 & (header.ClusterSize - 1)) != 0 || l1 > length - (l1Entries * 8L))))
            {
                throw file.Failure($"corrupt: the L1 table of snapshot {i} is out of bounds");
            }

            var texts = entry.AsSpan(FixedLength + (int)extraLength);
            var size = extraLength >= ExtraLength ? BinaryPrimitives.ReadInt64BigEndian(entry.AsSpan(FixedLength + 8)) : header.Size;
            if (size < 0)
                throw file.Failure($"corrupt: the length of snapshot {i} is out of range");
            entries.Add(new SnapshotEntry(
                new DiskSnapshot(
                    Encoding.UTF8.GetString(texts[..idLength]),
                    Encoding.UTF8.GetString(texts.Slice(idLength, nameLength)),
                    DateTimeOffset.FromUnixTimeSeconds(BinaryPrimitives.ReadUInt32BigEndian(start[16..])),
                    size),
                (int)l1Entries,
                l1,
                entry));
        }

        return entries;
    }

    /// <summary>Makes an entry.</summary>
    public static byte[] MakeEntry(string id, string name, DateTimeOffset date, long size, int l1Entries, long l1Offset)
    {
        var (idBytes, nameBytes) = (Encoding.UTF8.GetBytes(id), Encoding.UTF8.GetBytes(name));
        var entry = new byte[(FixedLength + ExtraLength + idBytes.Length + nameBytes.Length + 7) & ~7];
        var span = entry.AsSpan();
        BinaryPrimitives.WriteInt64BigEndian(span, l1Offset);
        BinaryPrimitives.WriteInt32BigEndian(span[8..], l1Entries);
        BinaryPrimitives.WriteUInt16BigEndian(span[12..], (ushort)idBytes.Length);
        BinaryPrimitives.WriteUInt16BigEndian(span[14..], (ushort)nameBytes.Length);
        BinaryPrimitives.WriteUInt32BigEndian(span[16..], (uint)date.ToUnixTimeSeconds());
        BinaryPrimitives.WriteInt32BigEndian(span[20..], date.Millisecond * 1_000_000);
        BinaryPrimitives.WriteInt32BigEndian(span[36..], ExtraLength);
        BinaryPrimitives.WriteInt64BigEndian(span[(FixedLength + 8)..], size);
        idBytes.CopyTo(span[(FixedLength + ExtraLength)..]);
        nameBytes.CopyTo(span[(FixedLength + ExtraLength + idBytes.Length)..]);
        return entry;
    }
}
