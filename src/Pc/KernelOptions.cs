namespace DynaTrans.Pc;

/// <summary>Who unpacks a packed kernel.</summary>
public enum KernelUnpacking
{
    /// <summary>The host, and the kernel itself is entered.</summary>
    Host,

    /// <summary>The kernel's own code in the guest, entered by the 32-bit boot protocol.</summary>
    Guest,

    /// <summary>The kernel's own code in the guest, entered by the 16-bit boot protocol: its setup code asks the BIOS.</summary>
    RealMode,
}

/// <summary>A kernel that a machine is started with.</summary>
/// <param name="Kernel">The file: a bzImage, an ELF executable, or a Multiboot kernel.</param>
public sealed record KernelOptions(string Kernel)
{
    /// <summary>The initial RAM disk; for a Multiboot kernel modules, separated by commas, each with its arguments behind a blank. Null: none.</summary>
    public string? RamDisk { get; init; }

    /// <summary>The command line.</summary>
    public string CommandLine { get; init; } = string.Empty;

    /// <summary>Who unpacks the kernel.</summary>
    public KernelUnpacking Unpacking { get; init; }
}
