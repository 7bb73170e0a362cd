using System.Buffers.Binary;

namespace DynaTrans.Pc.Boot;

/// <summary>A loadable part of a kernel.</summary>
/// <param name="Virtual">The address it is linked at.</param>
/// <param name="Physical">Where it is loaded.</param>
/// <param name="MemorySize">Bytes in memory; those behind <paramref name="Bytes"/> are zero.</param>
/// <param name="Bytes">What is loaded.</param>
/// <param name="Dispensable">So many bytes in front are headers of the file, and zeros behind them: nothing of the kernel.</param>
public readonly record struct KernelSegment(ulong Virtual, ulong Physical, ulong MemorySize, ReadOnlyMemory<byte> Bytes, ulong Dispensable = 0)
{
    /// <summary>What is left without bytes in front.</summary>
    public KernelSegment Without(ulong count) =>
        new(Virtual + count, Physical + count, MemorySize - count, Bytes[(int)Math.Min(count, (ulong)Bytes.Length)..]);
}

/// <summary>
/// A kernel as an ELF executable, of 32 or 64 bits (System V ABI, gabi 4+ ch. 4 and 5): its segments by physical address, its entry point, and the
/// entry that its Xen notes name. Everything in it is checked.
/// </summary>
internal sealed class ElfImage
{
    private const uint PtLoad = 1, PtNote = 4;
    private const ushort EtExec = 2, EtDyn = 3, EmI386 = 3, EmX64 = 62;

    // XEN_ELFNOTE_GUEST_OS and XEN_ELFNOTE_PHYS32_ENTRY (Xen, public/elfnote.h).
    private const uint GuestSystem = 6, Physical32Entry = 18;

    private readonly ImageBytes _file;

    private ElfImage(ImageBytes file) => _file = file;

    /// <summary>True for a 64-bit file.</summary>
    public bool Is64 { get; private init; }

    /// <summary>The segments that are loaded, none of them empty.</summary>
    public List<KernelSegment> Segments { get; } = [];

    /// <summary>The entry point as an address in physical memory.</summary>
    public ulong Entry { get; private set; }

    /// <summary>The physical entry in 32-bit protected mode of a PVH kernel; null when no note has it.</summary>
    public uint? PvhEntry { get; private set; }

    /// <summary>True when a note says that it is Linux.</summary>
    public bool IsLinux { get; private set; }

    /// <summary>True when a file begins like ELF.</summary>
    public static bool IsElf(ReadOnlySpan<byte> bytes) => bytes.StartsWith("\u007fELF"u8);

    /// <summary>Reads headers and notes.</summary>
    /// <exception cref="BootException">The file is damaged or of another architecture.</exception>
    public static ElfImage Read(ImageBytes file)
    {
        if (!IsElf(file.Bytes.Span) || !file.Has(0, 52))
            throw file.Damaged("not an ELF file");
        var elfClass = file.U8(4);
        if (elfClass is not (1 or 2) || file.U8(5) != 1)
            throw file.Damaged("an ELF file of an unknown class or byte order");
        var elf = new ElfImage(file) { Is64 = elfClass == 2 };
        if (file.U16(18) != (elf.Is64 ? EmX64 : EmI386))
            throw file.Damaged($"an ELF file for another architecture ({file.U16(18)})");
        if (file.U16(16) is not (EtExec or EtDyn))
            throw file.Damaged("an ELF file that is no executable");
        elf.ReadHeaders();
        return elf;
    }

    private ulong Word(ulong offset) => Is64 ? _file.U64(offset) : _file.U32(offset);

    private void ReadHeaders()
    {
        var word = Is64 ? 8UL : 4;
        var entry = Word(24);
        var table = Word(24 + word);
        ulong size = _file.U16(Is64 ? 54U : 42), count = _file.U16(Is64 ? 56U : 44);
        if (count == 0 || size < (Is64 ? 56U : 32))
            throw _file.Damaged("an ELF file without program headers");
        _file.Slice(table, size * count, "the table of program headers");
        ulong headers = Is64 ? 64U : 52;
        if (table == headers)
            headers += size * count;
        for (ulong i = 0; i < count; i++)
            ReadHeader(table + (i * size), headers);
        if (Segments.Count == 0)
            throw _file.Damaged("an ELF file with nothing to load");
        Entry = PhysicalOf(entry);
    }

    private void ReadHeader(ulong at, ulong headers)
    {
        var type = _file.U32(at);
        if (type is not (PtLoad or PtNote))
            return;
        var (offset, address, physical, fileSize, memorySize) = Is64
            ? (_file.U64(at + 8), _file.U64(at + 16), _file.U64(at + 24), _file.U64(at + 32), _file.U64(at + 40))
            : (_file.U32(at + 4), _file.U32(at + 8), _file.U32(at + 12), _file.U32(at + 16), _file.U32(at + 20));
        if (type == PtNote)
        {
            ReadNotes(_file.Slice(offset, fileSize, "a segment of notes").Span);
            return;
        }

        if (memorySize == 0)
            return;
        if (fileSize > memorySize || physical > ulong.MaxValue - memorySize)
            throw _file.Damaged("a segment with impossible sizes");
        var bytes = _file.Slice(offset, fileSize, "a segment");
        Segments.Add(new KernelSegment(address, physical, memorySize, bytes, offset == 0 ? Dispensable(bytes.Span, headers, memorySize) : 0));
    }

    private static ulong Dispensable(ReadOnlySpan<byte> bytes, ulong headers, ulong memorySize)
    {
        if ((ulong)bytes.Length <= headers)
            return memorySize;
        var zeros = bytes[(int)headers..].IndexOfAnyExcept((byte)0);
        return zeros < 0 ? memorySize : headers + (ulong)zeros;
    }

    // Linux has a physical address there, other kernels that are linked high their virtual one.
    private ulong PhysicalOf(ulong entry)
    {
        foreach (var segment in Segments)
            if (entry - segment.Virtual < segment.MemorySize)
                return segment.Physical + (entry - segment.Virtual);
        return entry;
    }

    private void ReadNotes(ReadOnlySpan<byte> notes)
    {
        const int Header = 12;
        while (notes.Length >= Header)
        {
            var nameSize = BinaryPrimitives.ReadUInt32LittleEndian(notes);
            var size = BinaryPrimitives.ReadUInt32LittleEndian(notes[4..]);
            var type = BinaryPrimitives.ReadUInt32LittleEndian(notes[8..]);
            var contents = Header + Aligned(nameSize);
            var next = contents + Aligned(size);
            if (next > (ulong)notes.Length)
            {
                // The padding of the last one may be missing.
                if (contents + size > (ulong)notes.Length)
                    return;
                next = (ulong)notes.Length;
            }

            if (notes[Header..].StartsWith("Xen\0"u8))
                ReadXenNote(type, notes.Slice((int)contents, (int)size));
            notes = notes[(int)next..];
        }
    }

    private void ReadXenNote(uint type, ReadOnlySpan<byte> value)
    {
        if (type == GuestSystem)
            IsLinux = value.StartsWith("linux"u8);
        if (type != Physical32Entry || value.Length is not (4 or 8))
            return;
        var entry = value.Length == 8 ? BinaryPrimitives.ReadUInt64LittleEndian(value) : BinaryPrimitives.ReadUInt32LittleEndian(value);
        PvhEntry = entry <= uint.MaxValue ? (uint)entry : throw _file.Damaged("a PVH entry beyond 4 GiB");
    }

    private static ulong Aligned(uint size) => ((ulong)size + 3) & ~3UL;
}
