using DynaTrans.Devices.Pci;

namespace DynaTrans.Devices.Acpi;

/// <summary>What the ACPI tables say about a PC whose composition may vary. The rest is fixed: the chips of a 440FX board with one processor.</summary>
public sealed record AcpiConfiguration
{
    /// <summary>The first port of the power-management block (<see cref="Piix4PowerManagement"/>), a multiple of 64.</summary>
    public ushort PowerManagementBase { get; init; } = Piix4PowerManagement.UsualBase;

    /// <summary>Whether the PM timer has 32 bits, not 24.</summary>
    public bool HasWidePmTimer { get; init; }

    /// <summary>Whether the processor has a local APIC; without one there is no MADT, and interrupts go to the 8259 pair.</summary>
    public bool HasApic { get; init; } = true;

    /// <summary>Whether there is an 8042 keyboard controller: guests need not probe for one that is absent.</summary>
    public bool HasKeyboardController { get; init; } = true;

    /// <summary>Whether there is VGA: guests without it must not probe the ports.</summary>
    public bool HasVga { get; init; }

    /// <summary>How many serial ports there are, at the places of COM1 to COM4.</summary>
    public int SerialPorts { get; init; } = 1;

    /// <summary>Whether the fw_cfg ports are there.</summary>
    public bool HasFirmwareConfiguration { get; init; } = true;

    /// <summary>The first address below 4 GiB that is not RAM: where the window of the PCI bus begins. It ends below the I/O APIC.</summary>
    public uint PciMemoryStart { get; init; } = 0xC000_0000;

    /// <summary>A window for PCI memory above 4 GiB: first address and length; none when the length is 0.</summary>
    public (ulong First, ulong Length) WidePciMemory { get; init; }
}
