using System.Buffers.Binary;

namespace DynaTrans.Pc.Boot;

/// <summary>The header of a kernel that asks for the Multiboot Specification 0.6.96 ("version 1"), section 3.1.</summary>
/// <param name="Offset">Where in the file it is.</param>
/// <param name="Flags">What it asks for.</param>
internal readonly record struct MultibootHeader(int Offset, uint Flags)
{
    private const uint Magic = 0x1BADB002;
    private const int Reach = 8192;
    private const uint HasAddresses = 1 << 16;

    // Modules on page boundaries, memory information, video mode; what else is in the lower half must be understood and is not.
    private const uint Understood = 7;

    /// <summary>Finds the header.</summary>
    /// <returns>Null when the file has none.</returns>
    public static MultibootHeader? Find(ReadOnlySpan<byte> file)
    {
        for (var at = 0; at + 12 <= Math.Min(file.Length, Reach); at += 4)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(file[at..]) != Magic)
                continue;
            var flags = BinaryPrimitives.ReadUInt32LittleEndian(file[(at + 4)..]);
            if (unchecked(Magic + flags + BinaryPrimitives.ReadUInt32LittleEndian(file[(at + 8)..])) == 0)
                return new MultibootHeader(at, flags);
        }

        return null;
    }

    /// <summary>What is loaded, and the physical entry point.</summary>
    /// <exception cref="BootException">The header asks for something unknown, or the file is damaged.</exception>
    public (List<KernelSegment> Segments, ulong Entry) Load(ImageBytes file)
    {
        if ((Flags & 0xFFFF & ~Understood) != 0)
            throw file.Damaged($"the multiboot header asks for features that are not known (flags {Flags:x8})");
        if ((Flags & HasAddresses) == 0)
        {
            if (!ElfImage.IsElf(file.Bytes.Span))
                throw file.Damaged("a multiboot kernel that is not ELF and names no load addresses");
            var elf = ElfImage.Read(file);
            return (elf.Segments, elf.Entry);
        }

        // The a.out kludge: the header says where it is itself, and by that where the file goes.
        var at = (ulong)Offset + 12;
        ulong header = file.U32(at), start = file.U32(at + 4), end = file.U32(at + 8), bssEnd = file.U32(at + 12), entry = file.U32(at + 16);
        if (header < start || header - start > (ulong)Offset)
            throw file.Damaged("the addresses of the multiboot header do not fit the file");
        var offset = (ulong)Offset - (header - start);
        var length = end == 0 ? (ulong)file.Length - offset : end - start;
        if (end != 0 && end < start)
            throw file.Damaged("the addresses of the multiboot header do not fit the file");
        var bytes = file.Slice(offset, length, "what the multiboot header loads");
        var size = Math.Max(length, bssEnd == 0 ? 0 : bssEnd - Math.Min(start, bssEnd));
        if (size == 0)
            throw file.Damaged("the multiboot header loads nothing");
        return ([new KernelSegment(start, start, size, bytes)], entry);
    }
}
