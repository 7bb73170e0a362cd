using DynaTrans.Devices;
using DynaTrans.Devices.Acpi;
using DynaTrans.Devices.Pci;

namespace DynaTrans.Pc;

/// <summary>What the chips of a PC ask of the machine around them. Called on its thread.</summary>
/// <param name="PowerOff">The power is switched off.</param>
/// <param name="Reset">The machine is reset; false: the processor only.</param>
/// <param name="Initialize">INIT has been sent to the processor.</param>
/// <param name="Interrupt">An interrupt waits for the processor.</param>
/// <param name="SetA20">Address line 20 follows the processor's; false: it is 0.</param>
/// <param name="DebugExit">The guest has written to the debug-exit port: the exit status it asks for.</param>
internal sealed record BoardEvents(
    Action PowerOff, Action<bool> Reset, Action Initialize, Action Interrupt, Action<bool> SetA20, Action<int> DebugExit);

/// <summary>
/// The chips of a PC and the wires between them: a 440FX board with a PIIX, one processor with a local APIC, an I/O APIC, serial ports. They are as after
/// reset; <see cref="SetUp"/> does what firmware would do.
/// </summary>
internal sealed class PcBoard
{
    /// <summary>Where the ACPI root pointer is put for kernels that are entered without firmware.</summary>
    public const uint AcpiRoot = 0xE_0000;

    private const int IsaInterrupts = 16, KeyboardInterrupt = 1, MouseInterrupt = 12, FloatingPointInterrupt = 13, PciApicInputs = 16;
    private const ushort PostCodePort80 = 0x80;
    private const uint AcpiTablesStart = AcpiRoot + 0x40;
    private const int FirmwareArea = 0x2_0000;

    private static readonly (ushort Port, int Interrupt)[] s_serial = [(0x3F8, 4), (0x2F8, 3), (0x3E8, 4), (0x2E8, 3)];

    private readonly PortBus _ports;
    private readonly PhysicalMemory _memory;
    private readonly SharedInterrupt[] _interrupts = new SharedInterrupt[IsaInterrupts];
    private readonly InterruptLine _floatingPointError;
    private readonly Piix3IsaBridge _isaBridge;
    private readonly List<IStatefulDevice> _devices = [];

    /// <summary>Makes the chips and puts them on the buses.</summary>
    /// <param name="options">What is to be there.</param>
    /// <param name="clock">The machine's time.</param>
    /// <param name="ports">The port bus.</param>
    /// <param name="bus">The memory bus.</param>
    /// <param name="memory">The RAM, for bus masters.</param>
    /// <param name="queue">Work for the machine's thread.</param>
    /// <param name="timeOfTimeStamp">When the time-stamp counter reaches a value, in nanoseconds of the clock.</param>
    /// <param name="events">Whom the chips turn to.</param>
    public PcBoard(
        PcOptions options, VirtualClock clock, PortBus ports, MemoryBus bus, PhysicalMemory memory, MachineQueue queue, Func<ulong, long> timeOfTimeStamp,
        BoardEvents events)
    {
        _ports = ports;
        _memory = memory;
        Intel8259APair? pic = null;
        Apic = Add(new LocalApic(clock, () => pic!.Acknowledge(), timeOfTimeStamp));
        pic = Add(new Intel8259APair(Apic.Lint0));
        pic.Map(ports);
        Apic.Requested = events.Interrupt;
        Apic.InitRequested = events.Initialize;
        ConnectApicPage(bus);
        var ioApic = Add(new IoApic(Apic));
        if (options.Model.Has("apic"))
            bus.Map(AcpiTables.IoApicAddress, IoApic.PageSize, ioApic);
        for (var i = 0; i < IsaInterrupts; i++)
        {
            // The timer's is at another input of the I/O APIC, where the cascade has none.
            var (number, input) = (i, i == 0 ? IoApic.TimerInput : i);
            _interrupts[i] = new SharedInterrupt(level =>
            {
                pic.SetInput(number, level);
                ioApic.Inputs[input].Set(level);
            });
        }

        _floatingPointError = Interrupt(FloatingPointInterrupt);
        var timer = Add(new Intel8254(clock, Interrupt(0)));
        timer.Map(ports);
        Add(new SystemControlPortB(timer, clock)).Map(ports);
        Rtc = Add(new Mc146818(clock, options.Clock.Start(), Interrupt(8), static _ => { }));
        Rtc.Map(ports);
        CmosMemory.Describe(Rtc, memory.LowTop, (ulong)Math.Max(0, memory.Size - (long)PhysicalMemory.HoleStart));
        AddSerialPorts(options, clock, queue);

        // Either of the two opens the gate.
        var a20 = new SharedInterrupt(events.SetA20);
        Add(new SystemControlPortA(a20.AddSource(), () => events.Reset(false))).Map(ports);
        Add(new I8042(Interrupt(KeyboardInterrupt), Interrupt(MouseInterrupt), a20.AddSource(), () => events.Reset(false))).Map(ports);
        Add(new PostCodePort(PostCodePort80)).Map(ports);

        var resetControl = Add(new ResetControl(events.Reset));
        var pci = new PciBus();
        ports.Map(I440fxHostBridge.FirstPort, I440fxHostBridge.PortCount, Add(new I440fxHostBridge(pci, resetControl)));
        _isaBridge = Add(new Piix3IsaBridge(
            pci, [.. Enumerable.Range(0, IsaInterrupts).Select(Interrupt)], [.. ioApic.Inputs.Skip(PciApicInputs).Take(PciBus.PirqCount)]));
        var configuration = Add(new FwCfg(memory));
        ports.Map(FwCfg.SelectorPort, FwCfg.PortCount, configuration);
        Describe(configuration);
        if (options.HasAcpi)
            Acpi = AddPowerManagement(options, pci, clock, configuration, events);
        foreach (var device in options.Devices)
            AddExtra(device, events);
    }

    /// <summary>The local APIC, which drives the processor's pins.</summary>
    public LocalApic Apic { get; }

    /// <summary>The real-time clock and its memory.</summary>
    public Mc146818 Rtc { get; }

    /// <summary>The lines to the host.</summary>
    public List<SerialConnection> Lines { get; } = [];

    /// <summary>What a saved state consists of.</summary>
    public IReadOnlyList<IStatefulDevice> Devices => _devices;

    private (Piix4PowerManagement Chip, AcpiTables Tables)? Acpi { get; }

    /// <summary>FERR#, which a PC reports as interrupt 13.</summary>
    public void FloatingPointError(bool isAsserted) => _floatingPointError.Set(isAsserted);

    /// <summary>
    /// Does what firmware does before it starts an operating system: routes interrupts, initializes the 8259 pair and the timer, places the ACPI tables.
    /// </summary>
    /// <returns>Where the ACPI root pointer is; 0 without ACPI.</returns>
    public ulong SetUp()
    {
        Apic.EnterVirtualWireMode();
        _isaBridge.RouteAsFirmware();
        foreach (var (port, value) in new (ushort, byte)[]
        {
            // The vectors of a PC, everything masked but the cascade; counter 0 at 18.2 Hz.
            (0x20, 0x11), (0x21, 0x08), (0x21, 0x04), (0x21, 0x01), (0x21, 0xFB), (0xA0, 0x11), (0xA1, 0x70), (0xA1, 0x02), (0xA1, 0x01), (0xA1, 0xFF),
            (0x4D0, (byte)_isaBridge.RoutedInterrupts), (0x4D1, (byte)(_isaBridge.RoutedInterrupts >> 8)), (0x43, 0x34), (0x40, 0), (0x40, 0),

            // The keyboard interrupts and is translated, the mouse is off.
            (0x64, 0x60), (0x60, 0x65),
        })
            _ports.Write(port, 1, value);
        if (Acpi is not { } acpi)
            return 0;
        acpi.Chip.EnableBlock();
        var area = new byte[FirmwareArea];
        var (tables, root) = acpi.Tables.Place(AcpiTablesStart);
        root.CopyTo(area, 0);
        tables.CopyTo(area, AcpiTablesStart - AcpiRoot);
        _memory.MapRom(AcpiRoot, area);
        return AcpiRoot;
    }

    private InterruptLine Interrupt(int number) => _interrupts[number].AddSource();

    private T Add<T>(T device)
        where T : IStatefulDevice
    {
        _devices.Add(device);
        return device;
    }

    private void ConnectApicPage(MemoryBus bus)
    {
        var mapped = Apic.Page;
        if (mapped is { } first)
            bus.Map(first, LocalApic.PageSize, Apic);
        Apic.PageMoved = page =>
        {
            if (mapped is { } old)
                bus.Unmap(old, LocalApic.PageSize, Apic);
            mapped = page;
            if (page is { } moved)
                bus.Map(moved, LocalApic.PageSize, Apic);
        };
    }

    private void AddSerialPorts(PcOptions options, VirtualClock clock, MachineQueue queue)
    {
        var buffer = new byte[1];
        for (var i = 0; i < options.Serial.Count; i++)
        {
            var channel = options.Serial[i];
            var port = Add(new Uart16550A($"com{i + 1}", s_serial[i].Port, clock, Interrupt(s_serial[i].Interrupt), Send));
            port.Map(_ports);
            if (channel != null)
                Lines.Add(new SerialConnection(port, channel, queue));

            void Send(byte character)
            {
                buffer[0] = character;
                channel?.Write(buffer);
            }
        }
    }

    private void Describe(FwCfg configuration)
    {
        configuration.Set(FwCfgKey.RamSize, (ulong)_memory.Size, 8);
        configuration.Set(FwCfgKey.NoGraphics, 1, 2);
        configuration.Set(FwCfgKey.ProcessorCount, 1, 2);
        configuration.Set(FwCfgKey.MostProcessors, 1, 2);
        configuration.AddMemoryMap(_memory.Map().Select(range => (range.Start, range.Length, (uint)range.Kind)));
    }

    private (Piix4PowerManagement Chip, AcpiTables Tables) AddPowerManagement(
        PcOptions options, PciBus pci, VirtualClock clock, FwCfg configuration, BoardEvents events)
    {
        var chip = Add(new Piix4PowerManagement(pci, clock, _ports, Interrupt(AcpiTables.SystemControlInterrupt), events.PowerOff));
        var command = Add(new SmiCommandPort(chip));
        _ports.Map(SmiCommandPort.CommandPort, SmiCommandPort.PortCount, command);
        var tables = new AcpiTables(new AcpiConfiguration
        {
            HasApic = options.Model.Has("apic"),
            SerialPorts = _devices.OfType<Uart16550A>().Count(),
            PciMemoryStart = (uint)PhysicalMemory.HoleStart,
        });
        TableLoader.AddTo(configuration, tables);
        return (chip, tables);
    }

    private void AddExtra(ExtraDevice device, BoardEvents events)
    {
        switch (device)
        {
            case DebugConsoleDevice console:
                var buffer = new byte[1];
                new DebugConsole(console.Port, character =>
                {
                    buffer[0] = character;
                    console.Output.Write(buffer);
                }).Map(_ports);
                break;
            case DebugExitDevice exit:
                new IsaDebugExit(exit.Port, exit.Count, events.DebugExit).Map(_ports);
                break;
            case PostCodeDevice codes:
                Add(new PostCodePort(codes.Port, codes.Written)).Map(_ports);
                break;
        }
    }
}
