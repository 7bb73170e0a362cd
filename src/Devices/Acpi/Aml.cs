using System.Buffers.Binary;
using System.Text;

namespace DynaTrans.Devices.Acpi;

/// <summary>
/// Encodes ACPI Machine Language (ACPI specification 6.4, chapter 20). Each method gives the bytes of one term, so that terms nest as they do in
/// ASL source.
/// </summary>
public static class Aml
{
    private const byte ZeroOp = 0x00;
    private const byte OneOp = 0x01;
    private const byte NameOp = 0x08;
    private const byte BytePrefix = 0x0A;
    private const byte WordPrefix = 0x0B;
    private const byte DWordPrefix = 0x0C;
    private const byte StringPrefix = 0x0D;
    private const byte QWordPrefix = 0x0E;
    private const byte ScopeOp = 0x10;
    private const byte BufferOp = 0x11;
    private const byte PackageOp = 0x12;
    private const byte MethodOp = 0x14;
    private const byte DualNamePrefix = 0x2E;
    private const byte MultiNamePrefix = 0x2F;
    private const byte ExtendedPrefix = 0x5B;
    private const byte RegionOp = 0x80;
    private const byte FieldOp = 0x81;
    private const byte DeviceOp = 0x82;
    private const byte Arg0Op = 0x68;
    private const byte StoreOp = 0x70;
    private const byte AndOp = 0x7B;
    private const byte OrOp = 0x7D;
    private const byte CreateDWordFieldOp = 0x8A;
    private const byte IfOp = 0xA0;
    private const byte ElseOp = 0xA1;
    private const byte ReturnOp = 0xA4;

    /// <summary>Where a region is (ACPI 6.4, 20.2.5.2).</summary>
    public enum RegionSpace : byte
    {
        /// <summary>Physical memory.</summary>
        SystemMemory = 0,

        /// <summary>I/O ports.</summary>
        SystemIo = 1,

        /// <summary>The configuration space of the PCI function in whose scope the region is.</summary>
        PciConfig = 2,
    }

    /// <summary>An integer, in the shortest form.</summary>
    public static byte[] Integer(ulong value)
    {
        if (value <= 1)
            return [value == 0 ? ZeroOp : OneOp];
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return value switch
        {
            <= byte.MaxValue => [BytePrefix, bytes[0]],
            <= ushort.MaxValue => [WordPrefix, .. bytes[..2]],
            <= uint.MaxValue => [DWordPrefix, .. bytes[..4]],
            _ => [QWordPrefix, .. bytes],
        };
    }

    /// <summary>A string of ASCII characters.</summary>
    public static byte[] Text(string value) => [StringPrefix, .. Encoding.ASCII.GetBytes(value), 0];

    /// <summary>A plug and play identifier of three letters and four hexadecimal digits ("PNP0A03") as the integer that stands for it.</summary>
    /// <exception cref="ArgumentException">The text has another form.</exception>
    public static byte[] EisaId(string id)
    {
        if (id.Length != 7 || !id.AsSpan(0, 3).ContainsOnlyInRange('A', 'Z')
            || !ushort.TryParse(id.AsSpan(3), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var number))
            throw new ArgumentException($"'{id}' is not an EISA identifier", nameof(id));
        var letters = ((id[0] - '@') << 10) | ((id[1] - '@') << 5) | (id[2] - '@');

        // Its bytes are in big-endian order: letters, then the number.
        return Integer(BinaryPrimitives.ReverseEndianness((uint)((letters << 16) | number)));
    }

    /// <summary>A reference to a name: segments of up to four characters separated by dots, with <c>\</c> before a path from the root.</summary>
    /// <exception cref="ArgumentException">A segment is empty or too long.</exception>
    public static byte[] Path(string path)
    {
        var fromRoot = path.StartsWith('\\');
        var names = path[(fromRoot ? 1 : 0)..];
        byte[] root = fromRoot ? [(byte)'\\'] : [];
        if (names.Length == 0)
            return [.. root, 0];
        var segments = names.Split('.').Select(Segment).ToArray();
        byte[] prefix = segments.Length switch
        {
            1 => [],
            2 => [DualNamePrefix],
            _ => [MultiNamePrefix, (byte)segments.Length],
        };
        return [.. root, .. prefix, .. segments.SelectMany(s => s)];
    }

    /// <summary><c>Name (path, value)</c></summary>
    public static byte[] Name(string path, byte[] value) => [NameOp, .. Path(path), .. value];

    /// <summary><c>Scope (path) { terms }</c></summary>
    public static byte[] Scope(string path, params byte[][] terms) => WithLength([ScopeOp], [Path(path), .. terms]);

    /// <summary><c>Device (name) { terms }</c></summary>
    public static byte[] Device(string name, params byte[][] terms) => WithLength([ExtendedPrefix, DeviceOp], [Path(name), .. terms]);

    /// <summary><c>Method (name, arguments, Serialized) { terms }</c></summary>
    public static byte[] Method(string name, int arguments, params byte[][] terms) =>
        WithLength([MethodOp], [Path(name), [(byte)(arguments | 8)], .. terms]);

    /// <summary><c>Package { elements }</c>; at most 255 elements.</summary>
    public static byte[] Package(params byte[][] elements) => WithLength([PackageOp], [[checked((byte)elements.Length)], .. elements]);

    /// <summary><c>Buffer { bytes }</c></summary>
    public static byte[] Buffer(byte[] bytes) => WithLength([BufferOp], [Integer((ulong)bytes.Length), bytes]);

    /// <summary><c>OperationRegion (name, space, offset, length)</c></summary>
    public static byte[] OperationRegion(string name, RegionSpace space, ulong offset, ulong length) =>
        [ExtendedPrefix, RegionOp, .. Path(name), (byte)space, .. Integer(offset), .. Integer(length)];

    /// <summary><c>Field (region, ByteAcc, NoLock, Preserve) { names, a byte each }</c></summary>
    public static byte[] ByteFields(string region, params string[] names)
    {
        const byte byteAccess = 1;
        const byte bits = 8;
        return WithLength([ExtendedPrefix, FieldOp], [Path(region), [byteAccess], .. names.Select(n => (byte[])[.. Segment(n), bits])]);
    }

    /// <summary>An argument of the method, 0 to 6.</summary>
    public static byte[] Argument(int number) => [(byte)(Arg0Op + number)];

    /// <summary><c>Store (value, target)</c></summary>
    public static byte[] Store(byte[] value, byte[] target) => [StoreOp, .. value, .. target];

    /// <summary><c>And (a, b, target)</c>; the result is the term's value, and goes to the target if there is one.</summary>
    public static byte[] And(byte[] a, byte[] b, byte[]? target = null) => [AndOp, .. a, .. b, .. target ?? [ZeroOp]];

    /// <summary><c>Or (a, b, target)</c>; the result is the term's value, and goes to the target if there is one.</summary>
    public static byte[] Or(byte[] a, byte[] b, byte[]? target = null) => [OrOp, .. a, .. b, .. target ?? [ZeroOp]];

    /// <summary><c>CreateDWordField (buffer, byte index, name)</c></summary>
    public static byte[] CreateDWordField(byte[] buffer, int index, string name) =>
        [CreateDWordFieldOp, .. buffer, .. Integer((ulong)index), .. Path(name)];

    /// <summary><c>If (condition) { terms }</c></summary>
    public static byte[] If(byte[] condition, params byte[][] terms) => WithLength([IfOp], [condition, .. terms]);

    /// <summary><c>Else { terms }</c>, directly after an <c>If</c>.</summary>
    public static byte[] Else(params byte[][] terms) => WithLength([ElseOp], terms);

    /// <summary><c>Return (value)</c></summary>
    public static byte[] Return(byte[] value) => [ReturnOp, .. value];

    private static byte[] Segment(string name)
    {
        if (name.Length is 0 or > 4)
            throw new ArgumentException($"'{name}' is not a name of one to four characters", nameof(name));
        return Encoding.ASCII.GetBytes(name.PadRight(4, '_'));
    }

    // An opcode, PkgLength and contents. The length counts itself: 6 bits in one byte, or 4 bits and one to three bytes more.
    private static byte[] WithLength(byte[] opcode, byte[][] contents)
    {
        var length = contents.Sum(c => c.Length);
        byte[] encoded = length switch
        {
            < 0x40 - 1 => [(byte)(length + 1)],
            < 0x1000 - 2 => LongLength(length + 2, 1),
            < 0x100000 - 3 => LongLength(length + 3, 2),
            _ => LongLength(length + 4, 3),
        };
        return [.. opcode, .. encoded, .. contents.SelectMany(c => c)];
    }

    private static byte[] LongLength(int length, int more)
    {
        var bytes = new byte[1 + more];
        bytes[0] = (byte)((more << 6) | (length & 15));
        for (var i = 1; i <= more; i++)
            bytes[i] = (byte)(length >> (4 + 8 * (i - 1)));
        return bytes;
    }

    private static bool ContainsOnlyInRange(this ReadOnlySpan<char> text, char first, char last) =>
        !text.ContainsAnyExceptInRange(first, last);
}
