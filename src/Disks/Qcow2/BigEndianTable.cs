using System.Buffers.Binary;
using System.Runtime.InteropServices;
using DynaTrans.Disks.Host;

namespace DynaTrans.Disks.Qcow2;

/// <summary>Tables of 64-bit big-endian numbers in the file.</summary>
internal static class BigEndianTable
{
    private const int PieceEntries = 1 << 13;

    /// <summary>Reads a table.</summary>
    public static ulong[] Read(HostFile file, long offset, int entries)
    {
        var table = new ulong[entries];
        file.Read(offset, MemoryMarshal.AsBytes(table.AsSpan()));
        BinaryPrimitives.ReverseEndianness(table, table);
        return table;
    }

    /// <summary>Writes some entries of a table.</summary>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where the table is.</param>
    /// <param name="table">The table.</param>
    /// <param name="first">The first entry.</param>
    /// <param name="count">How many.</param>
    public static void WriteEntries(HostFile file, long offset, ReadOnlySpan<ulong> table, int first, int count)
    {
        var piece = new ulong[Math.Min(count, PieceEntries)];
        while (count > 0)
        {
            var part = piece.AsSpan(0, Math.Min(count, piece.Length));
            BinaryPrimitives.ReverseEndianness(table.Slice(first, part.Length), part);
            file.Write(offset + (first * 8L), MemoryMarshal.AsBytes(part));
            first += part.Length;
            count -= part.Length;
        }
    }
}
