using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using K4os.Compression.LZ4;
using ZstdSharp;

namespace DynaTrans.Pc.Tests.Boot;

/// <summary>Kernel files as small as they can be.</summary>
internal static class KernelBuilder
{
    /// <summary>Where the segment of <see cref="Elf"/> is loaded, and the offset of its bytes in the file.</summary>
    public const uint LoadAddress = 0x20_0000;

    /// <summary>An ELF executable with one segment at <see cref="LoadAddress"/> that is linked high.</summary>
    /// <param name="is64">The class.</param>
    /// <param name="code">Its bytes.</param>
    /// <param name="pvhEntry">The entry of a note, or null.</param>
    /// <param name="memorySize">Bytes in memory; 0: as many as there are.</param>
    public static byte[] Elf(bool is64, byte[] code, uint? pvhEntry = null, uint memorySize = 0)
    {
        var linked = is64 ? 0xFFFF_FFFF_8020_0000 : 0xC020_0000;
        var header = is64 ? 64 : 52;
        var entry = is64 ? 56 : 32;
        var notes = pvhEntry is { } at ? [.. Note(6, "linux\0"u8), .. Note(18, BitConverter.GetBytes((ulong)at))] : Array.Empty<byte>();
        var count = notes.Length > 0 ? 2 : 1;
        var notesAt = header + (count * entry);
        var codeAt = notesAt + notes.Length;
        var file = new byte[codeAt + code.Length];
        byte[] identification = [0x7F, (byte)'E', (byte)'L', (byte)'F', (byte)(is64 ? 2 : 1), 1, 1];
        identification.CopyTo(file, 0);
        Put16(file, 16, 2);
        Put16(file, 18, is64 ? 62 : 3);
        Put32(file, 20, 1);
        Word(24, linked);
        Word(is64 ? 32 : 28, (ulong)header);
        Put16(file, is64 ? 54 : 42, entry);
        Put16(file, is64 ? 56 : 44, count);
        Segment(header, 1, codeAt, linked, code.Length, Math.Max(memorySize, (uint)code.Length));
        if (count == 2)
            Segment(header + entry, 4, notesAt, 0, notes.Length, (uint)notes.Length);
        notes.CopyTo(file, notesAt);
        code.CopyTo(file, codeAt);
        return file;

        void Word(int offset, ulong value)
        {
            if (is64)
                BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(offset), value);
            else
                Put32(file, offset, (uint)value);
        }

        void Segment(int offset, uint type, int from, ulong address, int size, uint memory)
        {
            Put32(file, offset, type);
            Word(offset + (is64 ? 8 : 4), (ulong)from);
            Word(offset + (is64 ? 16 : 8), address);
            Word(offset + (is64 ? 24 : 12), type == 1 ? LoadAddress : 0);
            Word(offset + (is64 ? 32 : 16), (ulong)size);
            Word(offset + (is64 ? 40 : 20), memory);
        }
    }

    /// <summary>A bzImage of protocol 2.15 that carries a payload.</summary>
    public static byte[] BzImage(byte[] payload, ushort protocol = 0x20F)
    {
        const int Setup = 3 * 512, PayloadAt = 0x40;
        var kernel = (PayloadAt + payload.Length + 15) & ~15;
        var file = new byte[Setup + kernel];
        file[0x1F1] = 2;
        Put32(file, 0x1F4, (uint)kernel / 16);
        Put16(file, 0x1FE, 0xAA55);
        file[0x200] = 0xEB;
        file[0x201] = 0x6A;
        "HdrS"u8.CopyTo(file.AsSpan(0x202));
        Put16(file, 0x206, protocol);
        file[0x211] = 1;
        Put32(file, 0x214, 0x10_0000);
        Put32(file, 0x22C, 0x7FFF_FFFF);
        Put32(file, 0x238, 2047);
        Put32(file, 0x248, PayloadAt);
        Put32(file, 0x24C, (uint)payload.Length);
        Put32(file, 0x258, 0x100_0000);
        Put32(file, 0x260, 0x10_0000);
        payload.CopyTo(file, Setup + PayloadAt);
        return file;
    }

    /// <summary>A multiboot kernel that is no ELF: its header says where it goes.</summary>
    public static byte[] Multiboot(byte[] code, uint flags = 1 << 16)
    {
        const int Header = 32;
        var file = new byte[Header + code.Length];
        Put32(file, 0, 0x1BADB002);
        Put32(file, 4, flags);
        Put32(file, 8, unchecked(0u - 0x1BADB002 - flags));
        Put32(file, 12, LoadAddress);
        Put32(file, 16, LoadAddress);
        Put32(file, 28, LoadAddress + Header);
        code.CopyTo(file, Header);
        return file;
    }

    public static byte[] Gzip(byte[] bytes)
    {
        using var output = new MemoryStream();
        using (var stream = new GZipStream(output, CompressionLevel.Optimal))
            stream.Write(bytes);
        return output.ToArray();
    }

    /// <summary>Legacy frames, with the unpacked size behind them as a kernel's build has it.</summary>
    public static byte[] Lz4(byte[] bytes)
    {
        var block = new byte[LZ4Codec.MaximumOutputSize(bytes.Length)];
        var count = LZ4Codec.Encode(bytes, block);
        return [0x02, 0x21, 0x4C, 0x18, .. BitConverter.GetBytes(count), .. block[..count], .. BitConverter.GetBytes(bytes.Length)];
    }

    /// <summary>A zstd frame, with the unpacked size behind it.</summary>
    public static byte[] Zstd(byte[] bytes)
    {
        using var compressor = new Compressor();
        return [.. compressor.Wrap(bytes), .. BitConverter.GetBytes(bytes.Length)];
    }

    /// <summary>An XZ stream of stored chunks, which are easy to write, with the unpacked size behind it.</summary>
    public static byte[] Xz(byte[] bytes)
    {
        using var body = new MemoryStream();
        for (var at = 0; at < bytes.Length; at += 0x8000)
        {
            var count = Math.Min(0x8000, bytes.Length - at);
            body.Write([(byte)(at == 0 ? 1 : 2), (byte)((count - 1) >> 8), (byte)(count - 1)]);
            body.Write(bytes, at, count);
        }

        body.WriteByte(0);
        byte[] header = [2, 0, 0x21, 1, 0x0C, 0, 0, 0];
        var unpadded = header.Length + 4 + (int)body.Length + 4;
        while (body.Length % 4 != 0)
            body.WriteByte(0);
        byte[] index = [0, 1, .. Number(unpadded), .. Number(bytes.Length)];
        index = [.. index, .. new byte[-index.Length & 3]];
        byte[] footer = [.. BitConverter.GetBytes(index.Length / 4), 0, 1];
        return
        [
            0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 0, 1, .. Crc([0, 1]), .. header, .. Crc(header), .. body.ToArray(), .. Crc(bytes), .. index, .. Crc(index),
            .. Crc(footer), .. footer, (byte)'Y', (byte)'Z', .. BitConverter.GetBytes(bytes.Length),
        ];
    }

    private static byte[] Number(int value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
            bytes.Add((byte)(value | 0x80));
        return [.. bytes, (byte)value];
    }

    private static byte[] Crc(byte[] bytes)
    {
        var crc = uint.MaxValue;
        foreach (var b in bytes)
        {
            crc ^= b;
            for (var i = 0; i < 8; i++)
                crc = (crc >> 1) ^ (0xEDB88320 & (0u - (crc & 1)));
        }

        return BitConverter.GetBytes(~crc);
    }

    private static byte[] Note(uint type, ReadOnlySpan<byte> value)
    {
        var note = new byte[16 + ((value.Length + 3) & ~3)];
        Put32(note, 0, 4);
        Put32(note, 4, (uint)value.Length);
        Put32(note, 8, type);
        "Xen\0"u8.CopyTo(note.AsSpan(12));
        value.CopyTo(note.AsSpan(16));
        return note;
    }

    public static void Put16(byte[] bytes, int offset, int value) => BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(offset), (ushort)value);

    public static void Put32(byte[] bytes, int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(offset), value);
}
