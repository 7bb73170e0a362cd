namespace DynaTrans.Devices.Pci;

/// <summary>
/// The ISA bridge of the 82371SB PIIX3 (datasheet 290550), function 1:0.0: a router from the interrupts of the PCI bus to those of the 8259 pair. The
/// interrupts also go to inputs 16 to 19 of the I/O APIC, which the router has no part in.
/// </summary>
/// <remarks>
/// An interrupt that is routed is a level; the 8259 pair has to be told by the edge/level registers (ports 4D0h, 4D1h), which are software's to set:
/// <see cref="RoutedInterrupts"/> is what they should have.
/// </remarks>
public sealed class Piix3IsaBridge : PciFunction
{
    /// <summary>The slot of the bridge and of the other functions of the PIIX.</summary>
    public const int Slot = 1;

    private const int FirstRouter = 0x60;
    private const byte NotRouted = 0x80;

    // Interrupts 0, 1, 2, 8 and 13 belong to the board.
    private const int Routable = 0b1101_1110_1111_1000;

    private readonly IReadOnlyList<InterruptLine> _isaInterrupts;
    private readonly IReadOnlyList<InterruptLine> _apicInputs;
    private int _asserted;

    /// <summary>Makes the bridge and puts it at its place on the bus, whose interrupts it takes.</summary>
    /// <param name="bus">The bus.</param>
    /// <param name="isaInterrupts">A line of its own for each of the 16 ISA interrupts; those that cannot be routed to are not used.</param>
    /// <param name="apicInputs">Inputs 16 to 19 of the I/O APIC; empty without one.</param>
    public Piix3IsaBridge(PciBus bus, IReadOnlyList<InterruptLine> isaInterrupts, IReadOnlyList<InterruptLine> apicInputs)
        : base("piix3-isa", new PciIdentity(0x8086, 0x7000, 0x06_0100, IsMultifunction: true))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(isaInterrupts.Count, 16);
        _isaInterrupts = isaInterrupts;
        _apicInputs = apicInputs;
        Define(CommandRegister, 2, CommandPorts | CommandMemory | CommandMaster, writable: 0x0108);
        Define(StatusRegister, 2, 0x0200, clearedByOnes: 0x7800);
        Define(0x4C, 1, 0x4D, writable: 0x7F);
        Define(0x4E, 2, 0x0003, writable: 0x01FF);
        for (var i = 0; i < PciBus.PirqCount; i++)
            Define(FirstRouter + i, 1, NotRouted, writable: NotRouted | 0x0F);
        Define(0x69, 1, 0x02, writable: 0xFE);
        Define(0x6A, 2, 0, writable: 0x8010);
        Define(0x70, 1, 0x80, writable: 0xEF);
        Define(0x76, 2, 0x0C0C, writable: 0x8F8F);
        Define(0x78, 2, 0x0002, writable: 0xFFFF);
        Define(0x80, 1, 0, writable: 0x7F);
        Define(0x82, 1, 0, writable: 0x0F);
        Define(0xA0, 1, 0x08, writable: 0x1F);
        Define(0xA2, 2, 0, writable: 0x00FF);
        Define(0xA4, 4, 0, writable: 0xFFFF_FFFF);
        Define(0xA8, 1, 0x0F, writable: 0xFF);
        Define(0xAA, 2, 0, clearedByOnes: 0x00FF);
        Define(0xAC, 1, 0, writable: 0xFF);
        Define(0xAE, 1, 0, writable: 0xFF);
        bus.Attach(Slot, 0, this);
        bus.PirqChanged = PirqChanged;
    }

    /// <summary>The ISA interrupts that PCI interrupts are routed to, a bit each: the value for the edge/level registers.</summary>
    public ushort RoutedInterrupts
    {
        get
        {
            var routed = 0;
            for (var i = 0; i < PciBus.PirqCount; i++)
                if (RouteOf(i) is var interrupt && interrupt >= 0)
                    routed |= 1 << interrupt;
            return (ushort)routed;
        }
    }

    /// <summary>Does what firmware does: routes the four interrupts of the bus to ISA interrupts 10, 10, 11 and 11.</summary>
    public void RouteAsFirmware() => WriteConfiguration(FirstRouter, 4, 0x0B0B_0A0A);

    /// <inheritdoc/>
    protected override void ConfigurationWritten(int offset, int size)
    {
        if (offset < FirstRouter + PciBus.PirqCount && offset + size > FirstRouter)
            DriveIsaInterrupts();
    }

    /// <inheritdoc/>
    protected override void SaveDevice(StateWriter w)
    {
        w.WriteByte((byte)_asserted);
        foreach (var line in _isaInterrupts)
            w.WriteBoolean(line.Level);
    }

    /// <inheritdoc/>
    protected override void LoadDevice(StateReader r, int version)
    {
        _asserted = r.ReadByte() & 0xF;
        foreach (var line in _isaInterrupts)
            line.Restore(r.ReadBoolean());
    }

    private void PirqChanged(int pirq, bool level)
    {
        _asserted = level ? _asserted | 1 << pirq : _asserted & ~(1 << pirq);
        if (pirq < _apicInputs.Count)
            _apicInputs[pirq].Set(level);
        DriveIsaInterrupts();
    }

    // The ISA interrupt of one of the four, -1 where it has none.
    private int RouteOf(int pirq)
    {
        var route = (int)Register(FirstRouter + pirq, 1);
        return (route & NotRouted) == 0 && (Routable >> route & 1) != 0 ? route : -1;
    }

    private void DriveIsaInterrupts()
    {
        var levels = 0;
        for (var i = 0; i < PciBus.PirqCount; i++)
            if ((_asserted >> i & 1) != 0 && RouteOf(i) is var interrupt && interrupt >= 0)
                levels |= 1 << interrupt;
        for (var i = 0; i < 16; i++)
            if ((Routable >> i & 1) != 0)
                _isaInterrupts[i].Set((levels >> i & 1) != 0);
    }
}
