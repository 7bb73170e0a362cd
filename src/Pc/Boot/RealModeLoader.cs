namespace DynaTrans.Pc.Boot;

/// <summary>
/// Loads a Linux kernel as boot loaders of the BIOS do, by the 16-bit boot protocol (boot.rst, "The Real-Mode Kernel Header", "Loading The Rest of The
/// Kernel"), from protocol 2.00 on and before it.
/// </summary>
internal static class RealModeLoader
{
    private const ushort Segment = 0x9000;
    private const uint LowLoadAddress = 0x1_0000, HighLoadAddress = 0x10_0000;

    // As in the sample of boot.rst: setup code, stack and heap are below the command line.
    private const int StackAndHeap = 0x9000, CommandLineAt = 0x9000, Room = 0x9800;
    private const int HeapMargin = 0x200;
    private const byte UnknownLoader = 0xFF, CanUseHeap = 0x80;
    private const ushort OldCommandLineMagic = 0xA33F;

    /// <summary>Loads the kernel.</summary>
    /// <exception cref="BootException">It does not fit.</exception>
    public static RealModeEntry Load(BootMemory memory, BzImage image, KernelOptions options)
    {
        var address = image.IsHigh ? HighLoadAddress : LowLoadAddress;
        if (!image.IsHigh && image.Kernel.Length > (Segment * 16) - LowLoadAddress)
            throw new BootException($"{options.Kernel}: a kernel of {image.Kernel.Length} bytes does not fit below 1 MiB");
        if (image.Setup.Length > StackAndHeap - 0x1000)
            throw new BootException($"{options.Kernel}: setup code of {image.Setup.Length} bytes leaves no room for its stack");
        memory.Load(new KernelSegment(0, address, (ulong)image.Kernel.Length, image.Kernel), "the kernel");
        if (image.IsHigh)
            LinuxLoader.ReserveUnpacked(memory, image);
        memory.Claim(Segment * 16, Room, "the setup code");

        var page = new byte[Room];
        image.Setup.Span.CopyTo(page);
        var commandLine = System.Text.Encoding.UTF8.GetBytes(options.CommandLine + "\0");
        if (commandLine.Length > Math.Min((long)image.LongestCommandLine + 1, Room - CommandLineAt))
            throw new BootException($"the command line has {commandLine.Length - 1} bytes, more than this kernel takes in real mode");
        commandLine.CopyTo(page, CommandLineAt);
        var disk = image.Protocol >= 0x200
            ? LinuxLoader.PlaceRamDisk(memory, options.RamDisk, image.HighestRamDisk)
            : options.RamDisk == null ? default : throw new BootException($"{options.Kernel}: a kernel without a setup header takes no initial RAM disk");
        FillHeader(page, image.Protocol, disk);
        memory.Memory.TryWrite(Segment * 16, page);
        return new RealModeEntry(Segment, StackAndHeap);
    }

    private static void FillHeader(byte[] page, ushort protocol, (uint Address, uint Size) disk)
    {
        if (protocol >= 0x200)
        {
            page[0x210] = UnknownLoader;
            Put(0x218, disk.Address);
            Put(0x21C, disk.Size);
        }

        if (protocol >= 0x201)
        {
            page[0x211] |= CanUseHeap;
            BitConverter.TryWriteBytes(page.AsSpan(0x224), (ushort)(StackAndHeap - HeapMargin));
        }

        if (protocol >= 0x202)
        {
            Put(0x228, (Segment * 16) + CommandLineAt);
        }
        else
        {
            BitConverter.TryWriteBytes(page.AsSpan(0x20), OldCommandLineMagic);
            BitConverter.TryWriteBytes(page.AsSpan(0x22), (ushort)CommandLineAt);
        }

        void Put(int offset, uint value) => BitConverter.TryWriteBytes(page.AsSpan(offset), value);
    }
}
