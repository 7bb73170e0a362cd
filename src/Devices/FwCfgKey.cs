namespace DynaTrans.Devices;

/// <summary>
/// Items of the firmware configuration that have numbers of their own, not names (QEMU documentation, specs/fw_cfg, and what firmware reads).
/// </summary>
public enum FwCfgKey : ushort
{
    /// <summary>The machine's UUID, 16 bytes.</summary>
    Uuid = 0x02,

    /// <summary>Bytes of RAM, 8 bytes.</summary>
    RamSize = 0x03,

    /// <summary>Whether there is no display, 2 bytes: firmware then uses the serial port.</summary>
    NoGraphics = 0x04,

    /// <summary>The number of processors, 2 bytes.</summary>
    ProcessorCount = 0x05,

    /// <summary>Where the kernel goes, 4 bytes.</summary>
    KernelAddress = 0x07,

    /// <summary>Bytes of <see cref="KernelData"/>, 4 bytes.</summary>
    KernelSize = 0x08,

    /// <summary>Where the initial RAM disk goes, 4 bytes.</summary>
    InitrdAddress = 0x0A,

    /// <summary>Bytes of <see cref="InitrdData"/>, 4 bytes.</summary>
    InitrdSize = 0x0B,

    /// <summary>The letter of the device to boot from, 2 bytes.</summary>
    BootDevice = 0x0C,

    /// <summary>Nodes of memory: 8 bytes of 0 where there is one.</summary>
    Numa = 0x0D,

    /// <summary>Whether firmware shows its boot menu, 2 bytes.</summary>
    BootMenu = 0x0E,

    /// <summary>The greatest number of processors, 2 bytes.</summary>
    MostProcessors = 0x0F,

    /// <summary>Where the kernel is entered, 4 bytes.</summary>
    KernelEntry = 0x10,

    /// <summary>The kernel without its setup part.</summary>
    KernelData = 0x11,

    /// <summary>The initial RAM disk.</summary>
    InitrdData = 0x12,

    /// <summary>Where the command line goes, 4 bytes.</summary>
    CommandLineAddress = 0x13,

    /// <summary>Bytes of <see cref="CommandLineData"/> with its zero, 4 bytes.</summary>
    CommandLineSize = 0x14,

    /// <summary>The command line and a zero.</summary>
    CommandLineData = 0x15,

    /// <summary>Where the kernel's setup part goes, 4 bytes.</summary>
    SetupAddress = 0x16,

    /// <summary>Bytes of <see cref="SetupData"/>, 4 bytes.</summary>
    SetupSize = 0x17,

    /// <summary>The kernel's setup part: the first sectors of a bzImage.</summary>
    SetupData = 0x18,

    /// <summary>Whether ISA interrupt 0 is at input 2 of the I/O APIC, 4 bytes.</summary>
    Irq0Override = 0x8002,
}
