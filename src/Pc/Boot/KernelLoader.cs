namespace DynaTrans.Pc.Boot;

/// <summary>Finds out what a kernel file is and loads it.</summary>
internal static class KernelLoader
{
    /// <summary>Loads a kernel into a machine's memory.</summary>
    /// <param name="physical">The memory, with nothing in it.</param>
    /// <param name="options">The kernel and what it is told.</param>
    /// <param name="acpiRoot">Address of the ACPI root pointer, or 0.</param>
    /// <returns>How to enter it.</returns>
    /// <exception cref="BootException">The file is damaged, of an unknown kind, or does not fit.</exception>
    public static IBootEntry Load(PhysicalMemory physical, KernelOptions options, ulong acpiRoot)
    {
        var file = ImageBytes.Read(options.Kernel);
        var memory = new BootMemory(physical);
        if (BzImage.IsBzImage(file.Bytes.Span))
            return LoadImage(memory, BzImage.Read(file), options, acpiRoot);
        if (MultibootHeader.Find(file.Bytes.Span) is { } header)
            return MultibootLoader.Load(memory, file, header, options);
        if (ElfImage.IsElf(file.Bytes.Span))
            return LoadElf(memory, file, null, options, acpiRoot);
        throw file.Damaged(PayloadDecoder.FormatOf(file.Bytes.Span) is { } format
            ? $"not a kernel but a file packed with {format}"
            : "not a kernel: neither a Linux image, nor ELF, nor multiboot");
    }

    private static IBootEntry LoadImage(BootMemory memory, BzImage image, KernelOptions options, ulong acpiRoot)
    {
        if (options.Unpacking == KernelUnpacking.RealMode || !image.IsHigh)
            return RealModeLoader.Load(memory, image, options);
        if (options.Unpacking == KernelUnpacking.Host && !image.Payload.IsEmpty)
        {
            var elf = PayloadDecoder.Unpack(image.Payload, options.Kernel, memory.Memory.Size);
            if (!ElfImage.IsElf(elf.Span))
                throw new BootException($"{options.Kernel}: what it unpacks to is not ELF");
            return LoadElf(memory, new ImageBytes(options.Kernel, elf), image, options, acpiRoot);
        }

        return LinuxLoader.LoadPacked(memory, image, options, acpiRoot);
    }

    private static ProtectedModeEntry LoadElf(BootMemory memory, ImageBytes file, BzImage? image, KernelOptions options, ulong acpiRoot)
    {
        var elf = ElfImage.Read(file);
        if (elf.PvhEntry != null && (elf.Is64 || !elf.IsLinux))
            return PvhLoader.Load(memory, elf, image, options, acpiRoot);
        if (!elf.Is64)
            return LinuxLoader.Load(memory, elf, image, options, acpiRoot);
        return image != null
            ? LinuxLoader.LoadPacked(memory, image, options, acpiRoot)
            : throw file.Damaged("a 64-bit kernel without a PVH entry (CONFIG_PVH), which cannot be entered");
    }
}
