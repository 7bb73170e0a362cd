using Iced.Intel;

namespace DynaTrans.Linux.Tests.Loading;

/// <summary>Makes small ELF programs: one segment that is readable, writable and executable, headers included.</summary>
internal static class ElfImage
{
    public const uint Base32 = 0x0804_8000;
    public const ulong Base64 = 0x40_0000;
    private const int CodeOffset = 0x200;

    /// <summary>Where the code of an image begins.</summary>
    public static ulong CodeAddress(bool is32) => (is32 ? Base32 : Base64) + CodeOffset;

    /// <summary>An image that starts with the code that <paramref name="emit"/> appends.</summary>
    /// <param name="is32">True for i386.</param>
    /// <param name="emit">Appends the code.</param>
    /// <param name="interpreter">PT_INTERP, or null.</param>
    /// <param name="relocatable">True for ET_DYN; the addresses begin at 0.</param>
    /// <param name="extraMemory">Zeroed bytes behind the file's.</param>
    public static byte[] Make(bool is32, Action<Assembler> emit, string? interpreter = null, bool relocatable = false, int extraMemory = 4096)
    {
        var start = relocatable ? 0 : is32 ? Base32 : Base64;
        var assembler = new Assembler(is32 ? 32 : 64);
        emit(assembler);
        using var code = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(code), start + CodeOffset);
        var image = new byte[CodeOffset + code.Length];
        code.ToArray().CopyTo(image, CodeOffset);
        var w = new Writer(image, is32);
        w.Bytes(0, [0x7F, (byte)'E', (byte)'L', (byte)'F', is32 ? (byte)1 : (byte)2, 1, 1]);
        w.Half(16, relocatable ? 3 : 2);
        w.Half(18, is32 ? 3 : 62);
        w.Word(20, 1);
        var headers = is32 ? 52 : 64;
        w.Long(24, start + CodeOffset);
        w.Long(is32 ? 28 : 32, (ulong)headers);
        w.Half(is32 ? 40 : 52, headers);
        w.Half(is32 ? 42 : 54, is32 ? 32 : 56);
        w.Half(is32 ? 44 : 56, interpreter == null ? 2 : 3);
        const uint Load = 1, Interp = 3, Stack = 0x6474E551;
        var size = is32 ? 32 : 56;
        w.Header(headers, Load, 7, 0, start, (ulong)image.Length, (ulong)(image.Length + extraMemory));
        w.Header(headers + size, Stack, 6, 0, 0, 0, 0);
        if (interpreter != null)
        {
            var name = System.Text.Encoding.ASCII.GetBytes(interpreter + "\0");
            name.CopyTo(image, 0x180);
            w.Header(headers + (2 * size), Interp, 4, 0x180, start + 0x180, (ulong)name.Length, (ulong)name.Length);
        }

        return image;
    }

    /// <summary>Appends a symbol table with functions at offsets in the code, of a size in bytes or 0.</summary>
    public static byte[] WithSymbols(byte[] image, bool is32, params (string Name, int Offset, int Size)[] functions)
    {
        const uint SymTab = 2, StrTab = 3;
        var entry = is32 ? 16 : 24;
        var header = is32 ? 40 : 64;
        var names = System.Text.Encoding.ASCII.GetBytes("\0" + string.Concat(functions.Select(f => f.Name + "\0")));
        var symbolsAt = (image.Length + 15) & ~15;
        var namesAt = symbolsAt + (entry * functions.Length);
        var sectionsAt = (namesAt + names.Length + 15) & ~15;
        var result = new byte[sectionsAt + (3 * header)];
        image.CopyTo(result, 0);
        names.CopyTo(result, namesAt);
        var w = new Writer(result, is32);
        var name = 1;
        for (var i = 0; i < functions.Length; i++)
        {
            var at = symbolsAt + (i * entry);
            w.Word(at, (uint)name);
            w.Long(at + (is32 ? 4 : 8), CodeAddress(is32) + (ulong)functions[i].Offset);
            w.Long(at + (is32 ? 8 : 16), (ulong)functions[i].Size);
            result[at + (is32 ? 12 : 4)] = 0x12; // global function
            w.Half(at + (is32 ? 14 : 6), 1);
            name += functions[i].Name.Length + 1;
        }

        w.Section(sectionsAt + header, SymTab, symbolsAt, entry * functions.Length, 2);
        w.Section(sectionsAt + (2 * header), StrTab, namesAt, names.Length, 0);
        w.Long(is32 ? 32 : 40, (ulong)sectionsAt);
        w.Half(is32 ? 46 : 58, header);
        w.Half(is32 ? 48 : 60, 3);
        return result;
    }

    private readonly struct Writer(byte[] image, bool is32)
    {
        public void Bytes(int at, byte[] bytes) => bytes.CopyTo(image, at);

        public void Half(int at, int value) => BitConverter.TryWriteBytes(image.AsSpan(at), (ushort)value);

        public void Word(int at, uint value) => BitConverter.TryWriteBytes(image.AsSpan(at), value);

        public void Long(int at, ulong value)
        {
            if (is32)
                Word(at, (uint)value);
            else
                BitConverter.TryWriteBytes(image.AsSpan(at), value);
        }

        public void Section(int at, uint type, int offset, int size, uint link)
        {
            Word(at + 4, type);
            Long(at + (is32 ? 16 : 24), (ulong)offset);
            Long(at + (is32 ? 20 : 32), (ulong)size);
            Word(at + (is32 ? 24 : 40), link);
        }

        public void Header(int at, uint type, uint flags, ulong offset, ulong address, ulong fileSize, ulong memorySize)
        {
            var step = is32 ? 4 : 8;
            Word(at, type);
            Word(at + (is32 ? 24 : 4), flags);
            var fields = at + (is32 ? 4 : 8);
            ulong[] values = [offset, address, address, fileSize, memorySize];
            for (var i = 0; i < values.Length; i++)
                Long(fields + (i * step), values[i]);
            Long(at + (is32 ? 28 : 48), 4096);
        }
    }
}
