using System.Buffers.Binary;

namespace DynaTrans.Pc.Boot;

/// <summary>
/// The page of parameters that a boot loader gives to Linux ("zero page"; Documentation/arch/x86/zero-page.rst and boot.rst, whose offsets are
/// used). There is no display: what describes it stays zero.
/// </summary>
internal sealed class LinuxParameters
{
    private const int Size = 4096, MapCount = 0x1E8, MapStart = 0x2D0, MapEntry = 20, LargestMap = 128, AcpiRoot = 0x070;
    private const byte UnknownLoader = 0xFF;
    private const ushort NormalVideo = 0xFFFF;

    private readonly byte[] _page = new byte[Size];

    /// <summary>Begins with a kernel's own header.</summary>
    public LinuxParameters(BzImage image)
    {
        image.Header.Span.CopyTo(_page.AsSpan(BzImage.HeaderOffset));
        Fill();
    }

    /// <summary>Begins with the header of a kernel that has none because it is not packed.</summary>
    public LinuxParameters()
    {
        const ushort Protocol = 0x20C;
        U16(0x1FE) = 0xAA55;
        U32(0x202) = 0x53726448;
        U16(0x206) = Protocol;
        _page[0x211] = 1;
        Fill();
    }

    /// <summary>Enters the command line.</summary>
    public uint CommandLine
    {
        set => U32(0x228) = value;
    }

    /// <summary>Enters the initial RAM disk.</summary>
    public (uint Address, uint Size) RamDisk
    {
        set => (U32(0x218), U32(0x21C)) = value;
    }

    /// <summary>Enters where the kernel's 32-bit code was loaded.</summary>
    public uint Code
    {
        set => U32(0x214) = value;
    }

    /// <summary>Enters the ACPI root pointer (protocol 2.14); 0 when there is none.</summary>
    public ulong AcpiRootPointer
    {
        set => BinaryPrimitives.WriteUInt64LittleEndian(_page.AsSpan(AcpiRoot), value);
    }

    /// <summary>The page.</summary>
    public ReadOnlySpan<byte> Bytes => _page;

    /// <summary>Enters the memory map, and the older sizes of extended memory.</summary>
    public void SetMemory(PhysicalMemory memory)
    {
        var map = memory.Map();
        var count = Math.Min(map.Count, LargestMap);
        for (var i = 0; i < count; i++)
        {
            var entry = _page.AsSpan(MapStart + (i * MapEntry), MapEntry);
            BinaryPrimitives.WriteUInt64LittleEndian(entry, map[i].Start);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], map[i].Length);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[16..], (uint)map[i].Kind);
        }

        _page[MapCount] = (byte)count;
        var extended = (memory.LowTop - PhysicalMemory.HighStart) >> 10;
        U16(0x002) = (ushort)Math.Min(extended, 0xFC00);
        U32(0x1E0) = (uint)extended;
    }

    private void Fill()
    {
        _page[0x210] = UnknownLoader;
        U16(0x1FA) = NormalVideo;
    }

    private ref ushort U16(int offset) => ref System.Runtime.CompilerServices.Unsafe.As<byte, ushort>(ref _page[offset]);

    private ref uint U32(int offset) => ref System.Runtime.CompilerServices.Unsafe.As<byte, uint>(ref _page[offset]);
}
