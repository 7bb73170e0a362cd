using System.Buffers.Binary;

namespace DynaTrans.Pc.Boot;

/// <summary>
/// Loads a kernel by the Multiboot Specification 0.6.96 ("version 1"), sections 3.2 to 3.4: 32-bit protected mode, EAX has the magic number, EBX
/// points to the information. There are no drives, no configuration table, no video modes.
/// </summary>
internal static class MultibootLoader
{
    private const uint Magic = 0x2BADB002;
    private const int InformationSize = 116, ModuleEntry = 16, MapEntry = 24;
    private const uint HasMemory = 1, HasCommandLine = 4, HasModules = 8, HasMap = 0x40, HasName = 0x200;
    private const uint LongestCommandLine = 65535;

    /// <summary>Loads the kernel and its modules.</summary>
    /// <param name="memory">Where to.</param>
    /// <param name="file">The kernel.</param>
    /// <param name="header">Its header.</param>
    /// <param name="options">The rest.</param>
    /// <exception cref="BootException">Something does not fit, or is damaged.</exception>
    public static ProtectedModeEntry Load(BootMemory memory, ImageBytes file, MultibootHeader header, KernelOptions options)
    {
        var (segments, entry) = header.Load(file);
        memory.Load(segments, "the kernel");
        if (entry > uint.MaxValue || !memory.Memory.IsRam(entry, 1))
            throw file.Damaged($"the entry point {entry:x} is not in memory");

        var modules = new MemoryStream();
        foreach (var module in (options.RamDisk ?? string.Empty).Split(',', StringSplitOptions.RemoveEmptyEntries))
            AddModule(memory, module.Trim(), modules);
        var commandLine = options.CommandLine.Length == 0 ? options.Kernel : $"{options.Kernel} {options.CommandLine}";
        var map = Map(memory.Memory);

        var information = new byte[InformationSize];
        Put(information, 0, HasMemory | HasCommandLine | HasMap | HasName | (modules.Length > 0 ? HasModules : 0));
        Put(information, 4, (uint)(PhysicalMemory.ExtendedBiosData >> 10));
        Put(information, 8, (uint)((memory.Memory.LowTop - PhysicalMemory.HighStart) >> 10));
        Put(information, 16, LinuxLoader.PlaceCommandLine(memory, commandLine, LongestCommandLine));
        if (modules.Length > 0)
        {
            Put(information, 20, (uint)(modules.Length / ModuleEntry));
            Put(information, 24, memory.PlaceLow(modules.ToArray(), 4, "the list of modules"));
        }

        Put(information, 44, (uint)map.Length);
        Put(information, 48, memory.PlaceLow(map, 4, "the memory map"));
        Put(information, 64, memory.PlaceText("dynatrans", "the boot loader's name"));
        return new ProtectedModeEntry
        {
            Address = (uint)entry,
            Eax = Magic,
            Ebx = memory.PlaceLow(information, 4, "the multiboot information"),
            Gdt = memory.PlaceGdt(),
        };
    }

    // The file, and behind a blank what it is told.
    private static void AddModule(BootMemory memory, string module, MemoryStream list)
    {
        var path = module.Split(' ', 2)[0];
        var bytes = ImageBytes.Read(path);
        var address = memory.PlaceHigh(bytes.Bytes.Span, uint.MaxValue, $"the module {path}");
        var entry = new byte[ModuleEntry];
        Put(entry, 0, address);
        Put(entry, 4, address + (uint)bytes.Length);
        Put(entry, 8, LinuxLoader.PlaceCommandLine(memory, module, LongestCommandLine));
        list.Write(entry);
    }

    private static byte[] Map(PhysicalMemory memory)
    {
        var map = memory.Map();
        var bytes = new byte[map.Count * MapEntry];
        for (var i = 0; i < map.Count; i++)
        {
            // The size of an entry does not count itself.
            var entry = bytes.AsSpan(i * MapEntry);
            BinaryPrimitives.WriteUInt32LittleEndian(entry, MapEntry - sizeof(uint));
            BinaryPrimitives.WriteUInt64LittleEndian(entry[4..], map[i].Start);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[12..], map[i].Length);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[20..], (uint)map[i].Kind);
        }

        return bytes;
    }

    private static void Put(byte[] bytes, int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(offset), value);
}
