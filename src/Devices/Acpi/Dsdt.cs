using DynaTrans.Devices.Pci;
using static DynaTrans.Devices.Acpi.Aml;

namespace DynaTrans.Devices.Acpi;

/// <summary>
/// The differentiated system description table: the devices that a guest cannot find by itself, the interrupts of the PCI bus, and how to power
/// off. Interrupts of PCI go to inputs 16 to 19 of the I/O APIC, or through the router of the ISA bridge to the 8259 pair: <c>_PIC</c> tells which.
/// </summary>
internal static class Dsdt
{
    private const int PciSlots = 32;
    private const int FirstPciInput = 16;

    private static readonly (ushort Port, int Interrupt)[] SerialPorts = [(0x3F8, 4), (0x2F8, 3), (0x3E8, 4), (0x2E8, 3)];

    /// <summary>Builds the table.</summary>
    public static byte[] Build(AcpiConfiguration configuration)
    {
        // Revision 2: integers have 64 bits.
        var dsdt = new AcpiTable("DSDT", 2);
        dsdt.Bytes(Name("\\PICF", Integer(0)));
        dsdt.Bytes(Method("\\_PIC", 1, Store(Argument(0), Path("\\PICF"))));

        // The value of SLP_TYP in PM1_CNT for "soft off", see Piix4PowerManagement.
        dsdt.Bytes(Name("\\_S5", Package(Integer(0), Integer(0), Integer(0), Integer(0))));
        dsdt.Bytes(Scope("\\_SB",
        [
            Device("CPU0", Name("_HID", Text("ACPI0007")), Name("_UID", Integer(0))),
            HostBridge(configuration),
            .. Enumerable.Range(0, 4).Select(InterruptLink),
        ]));
        return dsdt.ToBytes();
    }

    private static byte[] HostBridge(AcpiConfiguration configuration)
    {
        var resources = new ResourceTemplate()
            .BusNumbers(0, 0xFF)
            .Io(0xCF8, 8)
            .PortWindow(0, 0xCF7)
            .PortWindow(0xD00, 0xFFFF)
            .MemoryWindow(0xA_0000, 0xB_FFFF, cacheable: true)
            .MemoryWindow(configuration.PciMemoryStart, AcpiTables.IoApicAddress - 1, cacheable: false);
        if (configuration.WidePciMemory is (var first, > 0 and var length))
            resources.WideMemoryWindow(first, first + length - 1);
        return Device("PCI0",
            Name("_HID", EisaId("PNP0A03")),
            Name("_UID", Integer(0)),
            Name("_CRS", resources.ToAml()),
            Name("PRTP", RoutingToLinks()),
            Name("PRTA", RoutingToIoApic()),
            Method("_PRT", 0, If(Path("PICF"), Return(Path("PRTA"))), Return(Path("PRTP"))),
            IsaBridge(configuration));
    }

    // As the ISA bridge wires them: pin INTA# of slot 1 is PIRQA, and each slot is one further.
    private static byte[] RoutingToIoApic() => Routing(pirq => [Integer(0), Integer((ulong)(FirstPciInput + pirq))]);

    private static byte[] RoutingToLinks() => Routing(pirq => [Path("LNK" + (char)('A' + pirq)), Integer(0)]);

    private static byte[] Routing(Func<int, byte[][]> source) => Package([
        .. from slot in Enumerable.Range(0, PciSlots)
           from pin in Enumerable.Range(0, 4)
           select Package([Integer(((ulong)slot << 16) | 0xFFFF), Integer((ulong)pin), .. source(PciBus.PirqOf(slot, pin))]),
    ]);

    // One of the four routers, a register each in the configuration space of the ISA bridge: bit 7 is "not routed", bits 0 to 3 the interrupt.
    private static byte[] InterruptLink(int pirq)
    {
        const int offsetOfNumber = 5;
        var register = Path("\\_SB.PCI0.ISA.PRQ" + pirq);
        var mask = Integer(0x80);
        return Device("LNK" + (char)('A' + pirq),
            Name("_HID", EisaId("PNP0C0F")),
            Name("_UID", Integer((ulong)pirq)),
            Name("_PRS", new ResourceTemplate().SharedInterrupts(5, 10, 11).ToAml()),
            Name("BUFF", new ResourceTemplate().SharedInterrupts(0).ToAml()),
            CreateDWordField(Path("BUFF"), offsetOfNumber, "IRQN"),
            Method("_STA", 0, If(And(register, mask), Return(Integer(0x09))), Return(Integer(0x0B))),
            Method("_DIS", 0, Or(register, mask, register)),
            Method("_CRS", 0,
                If(And(register, mask), Store(Integer(0), Path("IRQN"))),
                Else(And(register, Integer(0x0F), Path("IRQN"))),
                Return(Path("BUFF"))),
            Method("_SRS", 1, CreateDWordField(Argument(0), offsetOfNumber, "IRQS"), Store(Path("IRQS"), register)));
    }

    private static byte[] IsaBridge(AcpiConfiguration configuration)
    {
        var devices = new List<byte[]>
        {
            Name("_ADR", Integer(0x1_0000)),
            OperationRegion("PIRQ", RegionSpace.PciConfig, 0x60, 4),
            ByteFields("PIRQ", "PRQ0", "PRQ1", "PRQ2", "PRQ3"),
            Legacy("PIC", "PNP0000", new ResourceTemplate().Io(0x20, 2).Io(0xA0, 2).Io(0x4D0, 2).Irq(2)),
            Legacy("TIMR", "PNP0100", new ResourceTemplate().Io(0x40, 4).Irq(0)),
            Legacy("RTC", "PNP0B00", new ResourceTemplate().Io(0x70, 2).Irq(8)),
            Legacy("SPKR", "PNP0800", new ResourceTemplate().Io(0x61, 1)),
            Legacy("FPU", "PNP0C04", new ResourceTemplate().Io(0xF0, 1).Irq(13)),
            Legacy("BRD", "PNP0C02", new ResourceTemplate().Io(0x92, 1).Io(SmiCommandPort.CommandPort, 2)
                .Io(configuration.PowerManagementBase, Piix4PowerManagement.BlockSize)
                .Memory(AcpiTables.IoApicAddress, 0x1000).Memory(AcpiTables.LocalApicAddress, 0x1000)),
        };
        if (configuration.HasKeyboardController)
            devices.AddRange([
                Legacy("KBD", "PNP0303", new ResourceTemplate().Io(0x60, 1).Io(0x64, 1).Irq(1)),
                Legacy("MOU", "PNP0F13", new ResourceTemplate().Irq(12)),
            ]);
        for (var i = 0; i < configuration.SerialPorts; i++)
        {
            var (port, interrupt) = SerialPorts[i];
            devices.Add(Device("COM" + (i + 1),
                Name("_HID", EisaId("PNP0501")),
                Name("_UID", Integer((ulong)i + 1)),
                Name("_CRS", new ResourceTemplate().Io(port, 8).Irq(interrupt).ToAml())));
        }

        if (configuration.HasFirmwareConfiguration)
            devices.Add(Device("FWCF",
                Name("_HID", Text("QEMU0002")),
                Name("_STA", Integer(0x0B)),
                Name("_CRS", new ResourceTemplate().Io(FwCfg.SelectorPort, FwCfg.PortCount).ToAml())));
        return Device("ISA", [.. devices]);
    }

    private static byte[] Legacy(string name, string id, ResourceTemplate resources) =>
        Device(name, Name("_HID", EisaId(id)), Name("_CRS", resources.ToAml()));
}
