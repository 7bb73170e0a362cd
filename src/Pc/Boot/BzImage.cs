using System.Buffers.Binary;

namespace DynaTrans.Pc.Boot;

/// <summary>
/// A Linux kernel in the form that boot loaders take: real-mode setup code with a header, then the protected-mode kernel (Linux,
/// Documentation/arch/x86/boot.rst; offsets below are its own). Files before protocol 2.00 have no header.
/// </summary>
internal sealed class BzImage
{
    /// <summary>Where the setup header begins in the file and in the boot parameters.</summary>
    public const int HeaderOffset = 0x1F1;

    /// <summary>Bytes of the setup code's sectors.</summary>
    public const int Sector = 512;

    // The header reaches to the target of the jump at 0x200, and never beyond this.
    private const int LargestHeaderEnd = 0x290;
    private const uint Magic = 0x53726448;
    private const byte LoadedHigh = 1;

    private readonly ImageBytes _file;

    private BzImage(ImageBytes file) => _file = file;

    /// <summary>The version: 0x020F is 2.15; 0 without a header.</summary>
    public ushort Protocol { get; private init; }

    /// <summary>The first sector and the setup code.</summary>
    public ReadOnlyMemory<byte> Setup { get; private init; }

    /// <summary>The protected-mode kernel.</summary>
    public ReadOnlyMemory<byte> Kernel { get; private init; }

    /// <summary>The kernel belongs at 1 MiB (bzImage), not at 64 KiB (zImage).</summary>
    public bool IsHigh => Protocol >= 0x200 && (_file.U8(0x211) & LoadedHigh) != 0;

    /// <summary>Where its 32-bit entry is, as an offset in <see cref="Kernel"/> that is loaded at 1 MiB.</summary>
    public uint Entry32 => _file.U32(0x214);

    /// <summary>Highest address that the initial RAM disk may take.</summary>
    public uint HighestRamDisk => Protocol >= 0x203 ? _file.U32(0x22C) : 0x37FF_FFFF;

    /// <summary>Most bytes of a command line, without the zero at its end.</summary>
    public uint LongestCommandLine => Protocol >= 0x206 ? _file.U32(0x238) : 255;

    /// <summary>Where it unpacks itself to by preference, and how much memory from there on it needs; zeros when it does not say.</summary>
    public (ulong Address, uint Size) Unpacked => Protocol >= 0x20A ? (_file.U64(0x258), _file.U32(0x260)) : default;

    /// <summary>The setup header from <see cref="HeaderOffset"/> on.</summary>
    public ReadOnlyMemory<byte> Header
    {
        get
        {
            var end = Protocol >= 0x200 ? Math.Clamp(0x202 + _file.U8(0x201), HeaderOffset, LargestHeaderEnd) : 0x200;
            return Setup[HeaderOffset..Math.Min(end, Setup.Length)];
        }
    }

    /// <summary>The packed kernel; empty when the header names none (before protocol 2.08, or a kernel that is not packed).</summary>
    public ReadOnlyMemory<byte> Payload
    {
        get
        {
            if (Protocol < 0x208 || _file.U32(0x24C) == 0)
                return default;
            ulong offset = _file.U32(0x248), length = _file.U32(0x24C);
            return offset + length <= (ulong)Kernel.Length
                ? Kernel.Slice((int)offset, (int)length)
                : throw _file.Damaged($"truncated: the packed kernel (offset {offset}, {length} bytes) lies outside the {Kernel.Length} bytes of the kernel");
        }
    }

    /// <summary>True when a file has the boot sector's signature of such a kernel.</summary>
    public static bool IsBzImage(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= Sector && bytes[0x1FE] == 0x55 && bytes[0x1FF] == 0xAA && (bytes[HeaderOffset] != 0 || HasHeader(bytes));

    /// <summary>Reads the header.</summary>
    /// <exception cref="BootException">The file is damaged.</exception>
    public static BzImage Read(ImageBytes file)
    {
        if (!IsBzImage(file.Bytes.Span))
            throw file.Damaged("not a Linux kernel image");
        var protocol = HasHeader(file.Bytes.Span) ? file.U16(0x206) : (ushort)0;
        if (protocol is not 0 and (< 0x200 or >= 0x300))
            throw file.Damaged($"boot protocol {protocol >> 8}.{protocol & 0xFF:00} is not known");
        if (protocol != 0)
            file.Slice(0, LargestHeaderEnd, "the setup header");

        // No count means four sectors.
        var setup = (ulong)((file.U8(HeaderOffset) is var sectors and not 0 ? sectors : 4) + 1) * Sector;
        var code = file.Slice(0, setup, "the setup code");
        var kernel = file.Bytes[code.Length..];

        // In units of 16 bytes; what is behind (a signature) is not loaded. Before protocol 2.04 the field had 16 bits, which were too few.
        if (protocol >= 0x204)
        {
            var size = (ulong)file.U32(0x1F4) * 16;
            if (size > (ulong)kernel.Length + 15)
                throw file.Damaged($"truncated: the kernel has {size} bytes, {kernel.Length} are there");
            kernel = kernel[..(int)Math.Min(size, (ulong)kernel.Length)];
        }

        if (kernel.IsEmpty)
            throw file.Damaged("truncated: there is no kernel behind the setup code");
        return new BzImage(file) { Protocol = protocol, Setup = code, Kernel = kernel };
    }

    private static bool HasHeader(ReadOnlySpan<byte> bytes) => bytes.Length >= 0x208 && BinaryPrimitives.ReadUInt32LittleEndian(bytes[0x202..]) == Magic;
}
