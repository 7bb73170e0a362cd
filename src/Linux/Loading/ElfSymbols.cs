using System.Buffers.Binary;
using System.Text;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Loading;

/// <summary>A function that an ELF file names.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Address">Its address as the file says.</param>
/// <param name="Size">Its size in bytes; 0 when the file does not say.</param>
public readonly record struct ElfSymbol(string Name, ulong Address, ulong Size);

/// <summary>
/// Reads the functions named in the symbol tables (.symtab and .dynsym) of an ELF file. A table that is damaged or beyond bounds is left
/// out: symbols are a convenience, nothing depends on them.
/// </summary>
internal static class ElfSymbols
{
    private const uint ShtSymtab = 2, ShtDynsym = 11;
    private const int SttFunction = 2, SttIndirectFunction = 10;
    private const int MaxTable = 64 << 20;

    /// <summary>The functions, by address.</summary>
    /// <param name="elf">A file whose program headers are in order.</param>
    /// <param name="head">The first bytes of the file.</param>
    public static IReadOnlyList<ElfSymbol> Read(ElfFile elf, ReadOnlySpan<byte> head)
    {
        var symbols = new List<ElfSymbol>();
        var entrySize = elf.Is32 ? 40 : 64;
        var at = elf.Is32 ? U32(head, 32) : U64(head, 40);
        var size = BinaryPrimitives.ReadUInt16LittleEndian(head[(elf.Is32 ? 46 : 58)..]);
        var count = BinaryPrimitives.ReadUInt16LittleEndian(head[(elf.Is32 ? 48 : 60)..]);
        if (size != entrySize || Table(elf, at, (ulong)(count * entrySize)) is not { } sections)
            return symbols;
        for (var i = 0; i < count; i++)
        {
            var section = sections.AsSpan(i * entrySize, entrySize);
            if (U32(section, 4) is not (ShtSymtab or ShtDynsym))
                continue;
            var names = U32(section, elf.Is32 ? 24 : 40);
            if (names < count)
                ReadTable(elf, section, sections.AsSpan((int)names * entrySize, entrySize), symbols);
        }

        symbols.Sort((a, b) => a.Address != b.Address ? a.Address.CompareTo(b.Address) : string.CompareOrdinal(a.Name, b.Name));
        return symbols;
    }

    private static void ReadTable(ElfFile elf, ReadOnlySpan<byte> section, ReadOnlySpan<byte> namesSection, List<ElfSymbol> symbols)
    {
        if (Contents(elf, section) is not { } table || Contents(elf, namesSection) is not { } names)
            return;
        var entrySize = elf.Is32 ? 16 : 24;
        for (var at = 0; at + entrySize <= table.Length; at += entrySize)
        {
            var entry = table.AsSpan(at, entrySize);
            var type = entry[elf.Is32 ? 12 : 4] & 15;
            var isDefined = BinaryPrimitives.ReadUInt16LittleEndian(entry[(elf.Is32 ? 14 : 6)..]) != 0;
            var name = U32(entry, 0);
            if (type is not (SttFunction or SttIndirectFunction) || !isDefined || name >= names.Length)
                continue;
            var text = names.AsSpan((int)name);
            var end = text.IndexOf((byte)0);
            if (end <= 0)
                continue;
            var (value, size) = elf.Is32 ? (U32(entry, 4), U32(entry, 8)) : (U64(entry, 8), U64(entry, 16));
            symbols.Add(new ElfSymbol(Encoding.UTF8.GetString(text[..end]), value, size));
        }
    }

    private static byte[]? Contents(ElfFile elf, ReadOnlySpan<byte> section) => elf.Is32
        ? Table(elf, U32(section, 16), U32(section, 20))
        : Table(elf, U64(section, 24), U64(section, 32));

    private static byte[]? Table(ElfFile elf, ulong offset, ulong size)
    {
        if (size is 0 or > MaxTable || offset > long.MaxValue / 2)
            return null;
        var bytes = new byte[size];
        return HostCalls.ReadAt(elf.File.HostFd, bytes, (long)offset) == bytes.Length ? bytes : null;
    }

    private static uint U32(ReadOnlySpan<byte> from, int at) => BinaryPrimitives.ReadUInt32LittleEndian(from[at..]);

    private static ulong U64(ReadOnlySpan<byte> from, int at) => BinaryPrimitives.ReadUInt64LittleEndian(from[at..]);
}
