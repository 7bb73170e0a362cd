using System.Buffers.Binary;

namespace DynaTrans.Linux.Files;

/// <summary>One directory entry as <c>getdents64</c> gives it.</summary>
/// <param name="Inode">Inode number.</param>
/// <param name="Offset">Position of the next entry, an opaque cookie.</param>
/// <param name="Type">DT_* kind.</param>
/// <param name="Name">Name without the terminating zero.</param>
public readonly record struct DirectoryEntry(ulong Inode, long Offset, byte Type, byte[] Name);

/// <summary>
/// Records of <c>getdents64</c> (one layout for all) and of the older <c>getdents</c>, whose two integers have the size of a
/// <c>long</c> and whose type is the record's last byte.
/// </summary>
public static class DirectoryLayouts
{
    /// <summary>Bytes of a <c>struct linux_dirent64</c> before the name.</summary>
    public const int LargeHeader = 19;

    /// <summary>Splits a buffer that the host's <c>getdents64</c> filled.</summary>
    public static IEnumerable<DirectoryEntry> Parse(ReadOnlyMemory<byte> buffer)
    {
        while (buffer.Length >= LargeHeader)
        {
            var (entry, length) = First(buffer.Span);
            yield return entry;
            buffer = buffer[length..];
        }
    }

    /// <summary>Bytes that <paramref name="entry"/> takes in the given layout.</summary>
    public static int SizeOf(in DirectoryEntry entry, DirectoryLayout layout) => layout switch
    {
        DirectoryLayout.Large => (LargeHeader + entry.Name.Length + 1 + 7) & ~7,
        DirectoryLayout.Long64 => (18 + entry.Name.Length + 2 + 7) & ~7,
        _ => (10 + entry.Name.Length + 2 + 3) & ~3,
    };

    /// <summary>Writes one record; <paramref name="to"/> has exactly its size.</summary>
    /// <returns>False (EOVERFLOW) when the inode number does not fit.</returns>
    public static bool TryWrite(in DirectoryEntry entry, DirectoryLayout layout, Span<byte> to)
    {
        to.Clear();
        switch (layout)
        {
            case DirectoryLayout.Large:
                BinaryPrimitives.WriteUInt64LittleEndian(to, entry.Inode);
                BinaryPrimitives.WriteInt64LittleEndian(to[8..], entry.Offset);
                BinaryPrimitives.WriteUInt16LittleEndian(to[16..], (ushort)to.Length);
                to[18] = entry.Type;
                entry.Name.CopyTo(to[LargeHeader..]);
                return true;
            case DirectoryLayout.Long64:
                BinaryPrimitives.WriteUInt64LittleEndian(to, entry.Inode);
                BinaryPrimitives.WriteInt64LittleEndian(to[8..], entry.Offset);
                BinaryPrimitives.WriteUInt16LittleEndian(to[16..], (ushort)to.Length);
                to[^1] = entry.Type;
                entry.Name.CopyTo(to[18..]);
                return true;
            default:
                if (entry.Inode > uint.MaxValue)
                    return false;
                BinaryPrimitives.WriteUInt32LittleEndian(to, (uint)entry.Inode);
                BinaryPrimitives.WriteUInt32LittleEndian(to[4..], (uint)entry.Offset);
                BinaryPrimitives.WriteUInt16LittleEndian(to[8..], (ushort)to.Length);
                to[^1] = entry.Type;
                entry.Name.CopyTo(to[10..]);
                return true;
        }
    }

    private static (DirectoryEntry Entry, int Length) First(ReadOnlySpan<byte> buffer)
    {
        var length = BinaryPrimitives.ReadUInt16LittleEndian(buffer[16..]);
        var name = buffer[LargeHeader..length];
        var end = name.IndexOf((byte)0);
        return (new DirectoryEntry(
            BinaryPrimitives.ReadUInt64LittleEndian(buffer), BinaryPrimitives.ReadInt64LittleEndian(buffer[8..]), buffer[18], name[..end].ToArray()), length);
    }
}

/// <summary>Which of the three record layouts of directory entries.</summary>
public enum DirectoryLayout
{
    /// <summary><c>getdents64</c>.</summary>
    Large,

    /// <summary>x86-64 <c>getdents</c>.</summary>
    Long64,

    /// <summary>i386 <c>getdents</c>.</summary>
    Long32,
}
