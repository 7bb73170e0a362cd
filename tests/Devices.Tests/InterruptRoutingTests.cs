using DynaTrans.Devices.Acpi;
using DynaTrans.Devices.Pci;
using Xunit;

namespace DynaTrans.Devices.Tests;

/// <summary>The way of an interrupt through a board: 8254 and PCI functions, the router, the 8259 pair, I/O APIC and local APIC.</summary>
public sealed class InterruptRoutingTests
{
    private const int EndOfInterrupt = 0xB0;

    private readonly ManualClock _clock = new();
    private readonly PortBus _ports = new();
    private readonly LocalApic _local;
    private readonly IoApic _ioApic;
    private readonly Piix3IsaBridge _bridge;
    private readonly Function _function = new();
    private readonly SharedInterrupt[] _isa = new SharedInterrupt[16];

    public InterruptRoutingTests()
    {
        Intel8259APair? pic = null;
        _local = new LocalApic(_clock, () => pic!.Acknowledge());
        pic = new Intel8259APair(_local.Lint0);
        pic.Map(_ports);
        _ioApic = new IoApic(_local);
        for (var i = 0; i < 16; i++)
        {
            var (number, input) = (i, i == 0 ? IoApic.TimerInput : i);
            _isa[i] = new SharedInterrupt(level =>
            {
                pic.SetInput(number, level);
                _ioApic.Inputs[input].Set(level);
            });
        }

        new Intel8254(_clock, _isa[0].AddSource()).Map(_ports);
        var bus = new PciBus();
        _bridge = new Piix3IsaBridge(bus, [.. _isa.Select(i => i.AddSource())], [.. _ioApic.Inputs.Skip(16).Take(4)]);
        bus.Attach(3, 0, _function);

        // Vectors 08h and 70h, everything unmasked; counter 0 in mode 2 with 1193 ticks, about a millisecond.
        foreach (var (port, value) in new (ushort, byte)[]
        {
            (0x20, 0x11), (0x21, 0x08), (0x21, 0x04), (0x21, 0x01), (0x21, 0x00), (0xA0, 0x11), (0xA1, 0x70), (0xA1, 0x02), (0xA1, 0x01), (0xA1, 0x00),
            (0x43, 0x34), (0x40, 0xA9), (0x40, 0x04),
        })
            _ports.Write(port, 1, value);
    }

    [Fact]
    public void TimerComesThroughThePicInVirtualWireMode()
    {
        _local.EnterVirtualWireMode();
        for (var i = 0; i < 3; i++)
        {
            _clock.Advance(1_001_000);
            Assert.True(_local.IsInterruptRequested);
            Assert.Equal(0x08, _local.AcknowledgeInterrupt());
            Assert.False(_local.IsInterruptRequested);
            _ports.Write(0x20, 1, 0x20);
        }
    }

    [Fact]
    public void TimerComesThroughInput2OfTheIoApic()
    {
        _local.Write(0xF0, 4, 0x1FF);
        SetEntry(IoApic.TimerInput, 0x30);
        for (var i = 0; i < 3; i++)
        {
            _clock.Advance(1_001_000);
            Assert.True(_local.IsInterruptRequested);
            Assert.Equal(0x30, _local.AcknowledgeInterrupt());
            _local.Write(EndOfInterrupt, 4, 0);
            Assert.False(_local.IsInterruptRequested);
        }
    }

    // A level is taken again after the end of the interrupt as long as the function asserts it, if the edge/level registers say that it is one.
    [Fact]
    public void PciInterruptsAreLevelsAtThePic()
    {
        _ports.Write(0x21, 1, 0xFB);
        _local.EnterVirtualWireMode();
        _bridge.RouteAsFirmware();
        var levels = _bridge.RoutedInterrupts;
        _ports.Write(0x4D0, 1, (byte)levels);
        _ports.Write(0x4D1, 1, (uint)levels >> 8);
        Assert.Equal(0x0C00u, _ports.Read(0x4D0, 2));

        // INTA# of slot 3 is PIRQC#, which goes to interrupt 11.
        _function.Interrupt(true);
        for (var i = 0; i < 2; i++)
        {
            Assert.True(_local.IsInterruptRequested);
            Assert.Equal(0x73, _local.AcknowledgeInterrupt());
            Assert.False(_local.IsInterruptRequested);
            if (i == 1)
                _function.Interrupt(false);
            _ports.Write(0xA0, 1, 0x20);
            _ports.Write(0x20, 1, 0x20);
        }

        Assert.False(_local.IsInterruptRequested);
    }

    [Fact]
    public void PciInterruptsHaveInputsOfTheirOwnAtTheIoApic()
    {
        _local.Write(0xF0, 4, 0x1FF);
        Assert.Equal(2, PciBus.PirqOf(3, 0));
        SetEntry(18, 0xA052);
        _function.Interrupt(true);
        Assert.Equal(0x52, _local.AcknowledgeInterrupt());
        _local.Write(EndOfInterrupt, 4, 0);
        Assert.Equal(0x52, _local.AcknowledgeInterrupt());
        _function.Interrupt(false);
        _local.Write(EndOfInterrupt, 4, 0);
        Assert.False(_local.IsInterruptRequested);
    }

    [Fact]
    public void SystemControlInterruptIsALevelAtInput9()
    {
        _local.Write(0xF0, 4, 0x1FF);
        var power = new Piix4PowerManagement(new PciBus(), _clock, _ports, _isa[AcpiTables.SystemControlInterrupt].AddSource(), () => { });
        power.EnableBlock();
        power.SetAcpiEnabled(true);
        SetEntry(9, 0x8051);
        _ports.Write(0x602, 2, 0x100);
        power.PressPowerButton();
        Assert.Equal(0x51, _local.AcknowledgeInterrupt());
        _ports.Write(0x600, 2, 0x100);
        _local.Write(EndOfInterrupt, 4, 0);
        Assert.False(_local.IsInterruptRequested);
    }

    private void SetEntry(int input, uint low)
    {
        _ioApic.Write(0, 4, (uint)(0x10 + 2 * input));
        _ioApic.Write(0x10, 4, low);
    }

    private sealed class Function() : PciFunction("function", new PciIdentity(0x1234, 0x5678, 0xFF_0000, InterruptPin: 1))
    {
        public void Interrupt(bool level) => SetInterrupt(level);
    }
}
