using System.Buffers.Binary;
using SharpCompress.Compressors.LZMA;

namespace DynaTrans.Pc.Boot;

/// <summary>
/// Unpacks an XZ stream (The .xz File Format 1.2) of LZMA2, perhaps with the filter for x86 code, as kernels are packed. The sizes of all pieces are found
/// before anything is unpacked. LZMA itself is SharpCompress's; its filter of x86 code loses its place between buffers.
/// </summary>
internal static class XzDecoder
{
    private const int StreamHeader = 12;
    private const ulong X86Filter = 4, Lzma2 = 0x21;
    private const byte Crc32Check = 1;

    /// <summary>Unpacks a stream.</summary>
    /// <param name="stream">The stream, which may have something behind it.</param>
    /// <param name="limit">Most bytes that may come out.</param>
    /// <returns>The bytes; null when there would be more.</returns>
    /// <exception cref="InvalidDataException">The stream is damaged or uses what kernels do not.</exception>
    public static byte[]? Unpack(ReadOnlyMemory<byte> stream, long limit)
    {
        var bytes = stream.Span;
        var check = bytes[7] & 0xF;

        // The size of the check by its kind.
        var checkSize = check == 0 ? 0 : 4 << ((check - 1) / 3);
        var blocks = new List<Block>();
        long total = 0;
        var at = StreamHeader;
        while (bytes[at] != 0)
        {
            var block = ReadBlock(bytes, at);
            total += block.UnpackedSize;
            if (total > limit)
                return null;
            blocks.Add(block);
            at = ((block.Start + block.PackedSize + 3) & ~3) + checkSize;
            if (at >= bytes.Length)
                throw new InvalidDataException("it is truncated");
        }

        var output = new byte[total];
        var done = 0;
        foreach (var block in blocks)
        {
            var unpacked = output.AsSpan(done, block.UnpackedSize);
            UnpackBlock(stream.Slice(block.Start, block.PackedSize), block, unpacked);
            if (block.IsFiltered)
                X86CodeFilter.Undo(unpacked);
            var checkAt = (block.Start + block.PackedSize + 3) & ~3;
            if (check == Crc32Check && BinaryPrimitives.ReadUInt32LittleEndian(bytes[checkAt..]) != Crc32.Of(unpacked))
                throw new InvalidDataException("the check sum does not match");
            done += block.UnpackedSize;
        }

        return output;
    }

    // The filters follow flags and, perhaps, two sizes; the chunks themselves say how long they are.
    private static Block ReadBlock(ReadOnlySpan<byte> bytes, int start)
    {
        var headerSize = (bytes[start] + 1) * 4;
        var header = bytes.Slice(start, headerSize);
        if (BinaryPrimitives.ReadUInt32LittleEndian(header[^4..]) != Crc32.Of(header[..^4]))
            throw new InvalidDataException("the check sum of a header does not match");
        var at = 2;
        for (var sizes = header[1] >> 6; sizes != 0; sizes &= sizes - 1)
            ReadNumber(header, ref at);
        var isFiltered = false;
        byte? dictionary = null;
        for (var filters = (header[1] & 3) + 1; filters > 0; filters--)
        {
            var id = ReadNumber(header, ref at);
            var properties = header.Slice(at + 1, checked((int)ReadNumber(header, ref at)));
            at += properties.Length;
            if (id == X86Filter && properties.IsEmpty && !isFiltered && filters == 2)
                isFiltered = true;
            else if (id == Lzma2 && properties.Length == 1 && filters == 1)
                dictionary = properties[0];
            else
                throw new InvalidDataException($"it uses a filter that is not known ({id})");
        }

        var (packed, unpacked) = Measure(bytes[(start + headerSize)..]);
        return new Block(start + headerSize, packed, unpacked, dictionary!.Value, isFiltered);
    }

    // Walks the chunks of LZMA2: a control byte, sizes less one, perhaps properties, the data; 0 ends them.
    private static (int Packed, int Unpacked) Measure(ReadOnlySpan<byte> chunks)
    {
        const byte Compressed = 0x80, WithProperties = 0xC0;
        long at = 0, unpacked = 0;
        while (chunks[(int)at] is var control and not 0)
        {
            var chunk = chunks[(int)at..];
            int size = BinaryPrimitives.ReadUInt16BigEndian(chunk[1..]);
            if (control < Compressed)
            {
                if (control > 2)
                    throw new InvalidDataException("a chunk is of an unknown kind");
                unpacked += size + 1;
                at += 3 + size + 1;
            }
            else
            {
                unpacked += ((control & 0x1F) << 16) + size + 1;
                at += (control >= WithProperties ? 6 : 5) + BinaryPrimitives.ReadUInt16BigEndian(chunk[3..]) + 1;
            }

            if (at >= chunks.Length || unpacked > Array.MaxLength)
                throw new InvalidDataException("it is truncated");
        }

        return ((int)at + 1, (int)unpacked);
    }

    private static void UnpackBlock(ReadOnlyMemory<byte> packed, Block block, Span<byte> output)
    {
        using var source = new MemoryStream(packed.ToArray(), writable: false);
        using var stream = LzmaStream.Create([Dictionary(block)], source, packed.Length, output.Length, null, isLzma2: true, leaveOpen: true);
        stream.ReadExactly(output);
    }

    // No more than the block unpacks to, whatever its header asks for.
    private static byte Dictionary(Block block)
    {
        byte size = 0;
        while (size < block.Dictionary && (2UL | (uint)(size & 1)) << ((size / 2) + 11) < (ulong)block.UnpackedSize)
            size++;
        return size;
    }

    private static ulong ReadNumber(ReadOnlySpan<byte> bytes, ref int at)
    {
        ulong value = 0;
        for (var shift = 0; shift < 63; shift += 7)
        {
            var b = bytes[at++];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
                return value;
        }

        throw new InvalidDataException("a number is too long");
    }

    private readonly record struct Block(int Start, int PackedSize, int UnpackedSize, byte Dictionary, bool IsFiltered);
}
