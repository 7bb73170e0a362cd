using DynaTrans.Disks.Host;
using DynaTrans.Disks.Qcow2;

namespace DynaTrans.Disks;

/// <summary>What is done with whole images.</summary>
public static class DiskTools
{
    private const int PieceBytes = 1 << 21, SmallestZeroes = 1 << 12;

    /// <summary>Checks a qcow2 image's refcounts and tables against each other; backing files are not opened.</summary>
    /// <param name="path">The image.</param>
    /// <param name="repairs">Refcounts and flags are rebuilt if something is wrong; the result is that of a second check.</param>
    /// <param name="progress">Told the part that is done, from 0 to 1.</param>
    /// <returns>Null: a raw image, of which there is nothing to check.</returns>
    public static DiskCheckResult? Check(string path, bool repairs = false, Action<double>? progress = null)
    {
        using var file = HostFile.Open(path, repairs);
        Span<byte> start = stackalloc byte[Qcow2Header.MagicLength];
        file.Read(0, start);
        if (!Qcow2Header.HasMagic(start))
            return null;
        var header = Qcow2Header.Read(file);
        var result = new Qcow2Checker(file, header, progress).Check();
        if (!repairs || (result.IsClean && (header.Incompatible & Qcow2Header.Dirty) == 0))
            return result;
        if (header.HasBitmaps)
            throw file.Failure("an image with persistent bitmaps cannot be repaired; qemu-img bitmap --remove removes them");
        header.ClearAutoclear(file);
        new Qcow2Checker(file, header, progress).Rebuild();
        return new Qcow2Checker(file, header, progress).Check();
    }

    /// <summary>Copies a disk into a new image, without what is zero.</summary>
    /// <param name="source">Read wholly.</param>
    /// <param name="target">A new image, all zero, at least as long.</param>
    /// <param name="progress">Told the part that is done, from 0 to 1.</param>
    public static void Copy(DiskImage source, DiskImage target, Action<double>? progress = null)
    {
        var buffer = new byte[PieceBytes];
        var offset = 0L;
        while (offset < source.Length)
        {
            var (isZero, length) = source.Extent(offset);
            if (!isZero)
            {
                // Pieces begin at multiples of their size, so that clusters are written wholly.
                length = Math.Min(length, PieceBytes - (offset & (PieceBytes - 1)));
                var piece = buffer.AsSpan(0, (int)length);
                source.Read(offset, piece);
                WriteNonZero(target, offset, piece);
            }

            offset += length;
            progress?.Invoke((double)offset / source.Length);
        }

        target.Flush();
    }

    private static void WriteNonZero(DiskImage target, long offset, ReadOnlySpan<byte> piece)
    {
        var start = 0;
        while (start < piece.Length)
        {
            var end = start;
            while (end < piece.Length && IsBlockZero(piece, end) is false)
                end = Math.Min(end + SmallestZeroes, piece.Length);
            if (end > start)
                target.Write(offset + start, piece[start..end]);
            start = Math.Min(end + SmallestZeroes, piece.Length);
        }
    }

    private static bool IsBlockZero(ReadOnlySpan<byte> piece, int start) =>
        !piece.Slice(start, Math.Min(SmallestZeroes, piece.Length - start)).ContainsAnyExcept((byte)0);
}
