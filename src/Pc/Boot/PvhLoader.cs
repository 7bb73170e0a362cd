using System.Buffers.Binary;

namespace DynaTrans.Pc.Boot;

/// <summary>
/// Loads a kernel by the PVH protocol (Xen, docs/misc/pvh.pandoc and public/arch-x86/hvm/start_info.h, version 1): 32-bit protected mode, EBX
/// points to the start information.
/// </summary>
internal static class PvhLoader
{
    private const uint Magic = 0x336E_C578;
    private const int InformationSize = 56, MapEntry = 24, ModuleEntry = 32;
    private const uint LongestCommandLine = 2047;

    /// <summary>Loads the kernel.</summary>
    /// <param name="memory">Where to.</param>
    /// <param name="elf">The kernel, which has such an entry.</param>
    /// <param name="image">The file that it was packed in, or null.</param>
    /// <param name="options">The rest.</param>
    /// <param name="acpiRoot">Address of the ACPI root pointer, or 0.</param>
    /// <exception cref="BootException">It does not fit.</exception>
    public static ProtectedModeEntry Load(BootMemory memory, ElfImage elf, BzImage? image, KernelOptions options, ulong acpiRoot)
    {
        var entry = elf.PvhEntry!.Value;
        memory.Load(elf.Segments, "the kernel");
        if (!memory.Memory.IsRam(entry, 1))
            throw new BootException($"{options.Kernel}: the PVH entry {entry:x} is not in memory");
        var commandLine = LinuxLoader.PlaceCommandLine(memory, options.CommandLine, image?.LongestCommandLine ?? LongestCommandLine);
        var (disk, diskSize) = LinuxLoader.PlaceRamDisk(memory, options.RamDisk, image?.HighestRamDisk ?? uint.MaxValue);
        var map = memory.Memory.Map();
        var mapAddress = memory.PlaceLow(Map(map), 8, "the memory map");

        Span<byte> information = stackalloc byte[InformationSize];
        BinaryPrimitives.WriteUInt32LittleEndian(information, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(information[4..], 1);
        if (diskSize != 0)
        {
            Span<byte> module = stackalloc byte[ModuleEntry];
            BinaryPrimitives.WriteUInt64LittleEndian(module, disk);
            BinaryPrimitives.WriteUInt64LittleEndian(module[8..], diskSize);
            BinaryPrimitives.WriteUInt32LittleEndian(information[12..], 1);
            BinaryPrimitives.WriteUInt64LittleEndian(information[16..], memory.PlaceLow(module, 8, "the list of modules"));
        }

        BinaryPrimitives.WriteUInt64LittleEndian(information[24..], commandLine);
        BinaryPrimitives.WriteUInt64LittleEndian(information[32..], acpiRoot);
        BinaryPrimitives.WriteUInt64LittleEndian(information[40..], mapAddress);
        BinaryPrimitives.WriteUInt32LittleEndian(information[48..], (uint)map.Count);
        return new ProtectedModeEntry
        {
            Address = entry,
            Ebx = memory.PlaceLow(information, 8, "the start information"),
            Gdt = memory.PlaceGdt(),
        };
    }

    private static byte[] Map(List<MemoryRange> map)
    {
        var bytes = new byte[map.Count * MapEntry];
        for (var i = 0; i < map.Count; i++)
        {
            var entry = bytes.AsSpan(i * MapEntry);
            BinaryPrimitives.WriteUInt64LittleEndian(entry, map[i].Start);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], map[i].Length);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[16..], (uint)map[i].Kind);
        }

        return bytes;
    }
}
