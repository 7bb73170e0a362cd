namespace DynaTrans.Pc.Boot;

/// <summary>
/// Loads Linux as the 32-bit boot protocol has it (boot.rst, "32-bit Boot Protocol"): ESI points to the parameters. The kernel's own unpacking code is entered so,
/// and an unpacked 32-bit kernel, too.
/// </summary>
internal static class LinuxLoader
{
    private const uint HighestRamDisk = 0x37FF_FFFF;
    private const uint LongestCommandLine = 2047;
    private const uint LoadAddress = 0x10_0000;

    /// <summary>Loads an unpacked 32-bit kernel.</summary>
    /// <param name="memory">Where to.</param>
    /// <param name="elf">The kernel.</param>
    /// <param name="image">The file that it was packed in, or null.</param>
    /// <param name="options">The rest.</param>
    /// <param name="acpiRoot">Address of the ACPI root pointer, or 0.</param>
    /// <exception cref="BootException">It does not fit.</exception>
    public static ProtectedModeEntry Load(BootMemory memory, ElfImage elf, BzImage? image, KernelOptions options, ulong acpiRoot)
    {
        memory.Load(elf.Segments, "the kernel");
        var parameters = image == null ? new LinuxParameters() : new LinuxParameters(image);
        return Finish(memory, parameters, elf.Entry, image, options, acpiRoot);
    }

    /// <summary>Loads a kernel that unpacks itself.</summary>
    /// <param name="memory">Where to.</param>
    /// <param name="image">The kernel.</param>
    /// <param name="options">The rest.</param>
    /// <param name="acpiRoot">Address of the ACPI root pointer, or 0.</param>
    /// <exception cref="BootException">It does not fit.</exception>
    public static ProtectedModeEntry LoadPacked(BootMemory memory, BzImage image, KernelOptions options, ulong acpiRoot)
    {
        memory.Load(new KernelSegment(0, LoadAddress, (ulong)image.Kernel.Length, image.Kernel), "the kernel");
        ReserveUnpacked(memory, image);
        var parameters = new LinuxParameters(image) { Code = image.Entry32 };
        return Finish(memory, parameters, image.Entry32, image, options, acpiRoot);
    }

    /// <summary>Keeps free what a kernel unpacks itself to, as far as it is not loaded there.</summary>
    public static void ReserveUnpacked(BootMemory memory, BzImage image)
    {
        var (address, size) = image.Unpacked;
        var loadedEnd = LoadAddress + (ulong)image.Kernel.Length;
        var start = Math.Max(address, loadedEnd);
        var end = address + Math.Max(size, 1);
        if (size != 0 && end > start && end > address)
            memory.Claim(start, end - start, "the unpacked kernel");
    }

    /// <summary>Reads an initial RAM disk and puts it as high as the kernel allows.</summary>
    /// <exception cref="BootException">It cannot be read, or does not fit.</exception>
    public static (uint Address, uint Size) PlaceRamDisk(BootMemory memory, string? path, uint highest)
    {
        if (path == null)
            return default;
        var disk = ImageBytes.Read(path);
        return (memory.PlaceHigh(disk.Bytes.Span, highest, $"the initial RAM disk {path}"), (uint)disk.Length);
    }

    /// <summary>Checks and places a command line.</summary>
    /// <exception cref="BootException">It is too long or cannot be told to a kernel.</exception>
    public static uint PlaceCommandLine(BootMemory memory, string commandLine, uint longest)
    {
        if (commandLine.Contains('\0', StringComparison.Ordinal))
            throw new BootException("the command line contains a zero byte");
        var length = System.Text.Encoding.UTF8.GetByteCount(commandLine);
        return length <= longest
            ? memory.PlaceText(commandLine, "the command line")
            : throw new BootException($"the command line has {length} bytes; this kernel takes {longest}");
    }

    private static ProtectedModeEntry Finish(
        BootMemory memory, LinuxParameters parameters, ulong entry, BzImage? image, KernelOptions options, ulong acpiRoot)
    {
        if (!memory.Memory.IsRam(entry, 1) || entry > uint.MaxValue)
            throw new BootException($"{options.Kernel}: the entry point {entry:x} is not in memory");
        parameters.CommandLine = PlaceCommandLine(memory, options.CommandLine, image?.LongestCommandLine ?? LongestCommandLine);
        parameters.RamDisk = PlaceRamDisk(memory, options.RamDisk, image?.HighestRamDisk ?? HighestRamDisk);
        parameters.AcpiRootPointer = acpiRoot;
        parameters.SetMemory(memory.Memory);
        return new ProtectedModeEntry
        {
            Address = (uint)entry,
            Esi = memory.PlaceLow(parameters.Bytes, 4096, "the boot parameters"),
            Gdt = memory.PlaceGdt(),
        };
    }
}
