using System.Buffers.Binary;
using System.IO.Compression;
using K4os.Compression.LZ4;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace DynaTrans.Pc.Boot;

/// <summary>
/// Unpacks what a bzImage carries, by the format that its first bytes name: gzip (RFC 1952), XZ (The .xz File Format 1.2), LZ4 in legacy
/// frames (LZ4 Frame Format 1.6, "Legacy frame"), zstd (RFC 8878).
/// </summary>
internal static class PayloadDecoder
{
    private const uint Lz4Magic = 0x184C2102;

    // What a block of a legacy frame unpacks to at most.
    private const int Lz4Block = 8 << 20;

    // 128 MiB, more than any level asks for without --long.
    private const int LargestZstdWindowLog = 27;

    /// <summary>Unpacks a payload.</summary>
    /// <param name="payload">The packed bytes; the kernel's build puts the unpacked size behind some formats, which is passed over.</param>
    /// <param name="name">The file's name, for messages.</param>
    /// <param name="limit">Most bytes that may come out.</param>
    /// <exception cref="BootException">The format is not known, the data are damaged, or more than the limit comes out.</exception>
    public static ReadOnlyMemory<byte> Unpack(ReadOnlyMemory<byte> payload, string name, long limit)
    {
        var format = FormatOf(payload.Span);
        if (format is not ("gzip" or "xz" or "lz4" or "zstd"))
        {
            throw new BootException(format == null
                ? $"{name}: the kernel is packed in an unknown format"
                : $"{name}: the kernel is packed with {format}, which only its own code unpacks (--decompress guest)");
        }

        var output = new BoundedOutput(name, Math.Min(limit, Array.MaxLength));
        try
        {
            if (format == "xz")
            {
                return XzDecoder.Unpack(payload, output.Limit) is { } unpacked ? unpacked : throw output.TooMuch();
            }

            if (format == "lz4")
            {
                UnpackLz4(payload.Span, output, name);
            }
            else
            {
                using var source = new MemoryStream(payload.ToArray());
                using var stream = Open(format, source, payload.Span);
                output.CopyFrom(stream);
            }
        }
        catch (Exception e) when (e is not BootException)
        {
            // What the libraries throw on damaged data is not written down: index errors are among it.
            throw new BootException($"{name}: the packed kernel ({format}) is damaged: {e.Message.ReplaceLineEndings(" ")}");
        }

        return output.Length > 0 ? output.Bytes : throw new BootException($"{name}: the packed kernel ({format}) is empty");
    }

    /// <summary>The format's name, by its magic; null when it is none that kernels are packed in.</summary>
    public static string? FormatOf(ReadOnlySpan<byte> payload) => payload switch
    {
        [0x1F, 0x8B, ..] => "gzip",
        [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00, ..] => "xz",
        [0x02, 0x21, 0x4C, 0x18, ..] => "lz4",
        [0x28, 0xB5, 0x2F, 0xFD, ..] => "zstd",
        [0x42, 0x5A, 0x68, ..] => "bzip2",
        [0x5D, 0x00, 0x00, ..] => "lzma",
        [0x89, 0x4C, 0x5A, 0x4F, ..] => "lzo",
        _ => null,
    };

    private static Stream Open(string format, MemoryStream source, ReadOnlySpan<byte> payload)
    {
        if (format == "gzip")
            return new GZipStream(source, CompressionMode.Decompress);
        source.SetLength(FrameSize(payload));
        var stream = new DecompressionStream(source);
        stream.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, LargestZstdWindowLog);
        return stream;
    }

    // The kernel's build puts the unpacked size behind the frame, which is no frame.
    private static unsafe long FrameSize(ReadOnlySpan<byte> payload)
    {
        fixed (byte* bytes = payload)
        {
            var size = Methods.ZSTD_findFrameCompressedSize(bytes, (nuint)payload.Length);
            return size <= (nuint)payload.Length ? (long)size : payload.Length;
        }
    }

    private static void UnpackLz4(ReadOnlySpan<byte> payload, BoundedOutput output, string name)
    {
        var block = new byte[Lz4Block];
        while (payload.Length > sizeof(uint))
        {
            var size = BinaryPrimitives.ReadUInt32LittleEndian(payload);
            payload = payload[sizeof(uint)..];
            if (size == Lz4Magic)
                continue;
            if (size > (uint)payload.Length)
                throw new BootException($"{name}: the packed kernel (lz4) is damaged: a block of {size} bytes, {payload.Length} are left");
            var count = LZ4Codec.Decode(payload[..(int)size], block);
            if (count < 0)
                throw new BootException($"{name}: the packed kernel (lz4) is damaged: a block does not unpack");
            output.Add(block.AsSpan(0, count));
            payload = payload[(int)size..];
        }
    }

    /// <summary>Bytes that come out, up to a limit.</summary>
    private sealed class BoundedOutput(string name, long limit)
    {
        private byte[] _bytes = new byte[Math.Min(limit, 16 << 20)];

        public int Length { get; private set; }

        public ReadOnlyMemory<byte> Bytes => _bytes.AsMemory(0, Length);

        public long Limit => limit;

        public BootException TooMuch() => new($"{name}: the packed kernel unpacks to more than {limit >> 20} MiB");

        public void Add(ReadOnlySpan<byte> bytes)
        {
            Reserve(bytes.Length);
            bytes.CopyTo(_bytes.AsSpan(Length));
            Length += bytes.Length;
        }

        public void CopyFrom(Stream stream)
        {
            const int Piece = 1 << 16;
            while (true)
            {
                if (_bytes.Length - Length < Piece)
                    Grow(Length + Piece);
                var count = stream.Read(_bytes, Length, _bytes.Length - Length);
                if (count == 0)
                    return;
                Reserve(count);
                Length += count;
            }
        }

        private void Reserve(int count)
        {
            if (count > limit - Length)
                throw TooMuch();
            if (_bytes.Length - Length < count)
                Grow(Length + count);
        }

        private void Grow(long least) => Array.Resize(ref _bytes, (int)Math.Min(Array.MaxLength, Math.Max(least, _bytes.Length * 2L)));
    }
}
