using DynaTrans.Devices.Pci;
using Xunit;

namespace DynaTrans.Devices.Tests;

/// <summary>Configuration space against the PCI specification, host bridge and ISA bridge against the datasheets of 440FX and PIIX3.</summary>
public sealed class PciTests
{
    private readonly PortBus _ports = new();
    private readonly MemoryBus _memory = new();
    private readonly PciBus _bus = new();
    private readonly List<bool> _resets = [];
    private readonly bool[] _isa = new bool[16];
    private readonly bool[] _apic = new bool[4];
    private readonly I440fxHostBridge _host;
    private readonly Piix3IsaBridge _bridge;

    public PciTests()
    {
        _host = new I440fxHostBridge(_bus, new ResetControl(_resets.Add));
        _ports.Map(I440fxHostBridge.FirstPort, I440fxHostBridge.PortCount, _host);
        _bridge = NewBridge(_bus, _isa, _apic);
    }

    [Fact]
    public void FunctionsAreFoundByMechanism1()
    {
        Assert.Equal(0x1237_8086u, Configuration(0, 0, 0x00));
        Assert.Equal(0x0600_0002u, Configuration(0, 0, 0x08));
        Assert.Equal(0x7000_8086u, Configuration(1, 0, 0x00));
        Assert.Equal(0x0601_0000u, Configuration(1, 0, 0x08));
        Assert.Equal(0x0080_0000u, Configuration(1, 0, 0x0C));
        Assert.Equal(uint.MaxValue, Configuration(1, 1, 0x00));
        Assert.Equal(uint.MaxValue, Configuration(31, 7, 0x00));

        // Another bus; and without the enable bit the ports are not the bridge's.
        _ports.Write(0xCF8, 4, 0x8001_0000);
        Assert.Equal(uint.MaxValue, _ports.Read(0xCFC, 4));
        _ports.Write(0xCF8, 4, 0x0000_0000);
        Assert.Equal(uint.MaxValue, _ports.Read(0xCFC, 4));
    }

    [Fact]
    public void AddressIsADoubleWordAndDataHasAnySize()
    {
        _ports.Write(0xCF8, 4, 0xFFFF_FFFF);
        Assert.Equal(0x80FF_FFFCu, _ports.Read(0xCF8, 4));
        _ports.Write(0xCF8, 4, 0x8000_0000);
        _ports.Write(0xCF8, 1, 0x08);
        _ports.Write(0xCF8, 2, 0x0808);
        Assert.Equal(0x8000_0000u, _ports.Read(0xCF8, 4));
        Assert.Equal(0x1237u, _ports.Read(0xCFE, 2));
        Assert.Equal(0x86u, _ports.Read(0xCFC, 1));
        Assert.Equal(0x80u, _ports.Read(0xCFD, 1));
        Assert.Equal(0x3780u, _ports.Read(0xCFD, 2));
    }

    [Fact]
    public void ResetControlIsInTheMiddleOfTheAddressRegister()
    {
        _ports.Write(0xCF9, 1, 0x02);
        Assert.Equal(0x02u, _ports.Read(0xCF9, 1));
        Assert.Empty(_resets);
        _ports.Write(0xCF9, 1, 0x06);
        _ports.Write(0xCF9, 1, 0x06);
        Assert.Equal([true], _resets);
        _ports.Write(0xCF9, 1, 0x00);
        _ports.Write(0xCF9, 1, 0x04);
        Assert.Equal([true, false], _resets);
        _ports.Write(0xCF8, 4, 0x8000_0600);
        Assert.Equal(2, _resets.Count);
    }

    [Fact]
    public void ReadOnlyBitsStay()
    {
        for (var offset = 0; offset < 256; offset += 4)
            SetConfiguration(1, 0, offset, uint.MaxValue);
        Assert.Equal(0x7000_8086u, Configuration(1, 0, 0x00));
        Assert.Equal(0x0601_0000u, Configuration(1, 0, 0x08));
        Assert.Equal(0x0080_0000u, Configuration(1, 0, 0x0C));
        for (var bar = 0x10; bar < 0x28; bar += 4)
            Assert.Equal(0u, Configuration(1, 0, bar));
        Assert.Equal(0u, Configuration(1, 0, 0x3C));
        Assert.Equal(0x010Fu, Configuration(1, 0, 0x04) & 0xFFFF);
    }

    [Fact]
    public void BarsSayTheirSizeAndMove()
    {
        var device = new Device(_ports, _memory);
        _bus.Attach(5, 0, device);
        Assert.Equal([0x1u, 0x0u, 0xCu, 0x0u], ((int[])[0x10, 0x14, 0x18, 0x1C]).Select(bar => Configuration(5, 0, bar)));
        for (var bar = 0x10; bar < 0x28; bar += 4)
            SetConfiguration(5, 0, bar, uint.MaxValue);
        Assert.Equal(0xFFFF_FFE1u, Configuration(5, 0, 0x10));
        Assert.Equal(0xFFFF_F000u, Configuration(5, 0, 0x14));
        Assert.Equal(0xFFFF_000Cu, Configuration(5, 0, 0x18));
        Assert.Equal(0xFFFF_FFFFu, Configuration(5, 0, 0x1C));
        Assert.Equal(0u, Configuration(5, 0, 0x20));

        // Decoded only when the command register says so; never at the all-ones of sizing.
        SetConfiguration(5, 0, 0x04, 7);
        Assert.Null(device.BarAddress(1));
        Assert.Null(device.BarAddress(2));
        SetConfiguration(5, 0, 0x10, 0xC000);
        SetConfiguration(5, 0, 0x14, 0xE000_0000);
        SetConfiguration(5, 0, 0x18, 0x0002_0000);
        SetConfiguration(5, 0, 0x1C, 0x10);
        Assert.Equal(0xC004u, _ports.Read(0xC004, 2));
        Assert.Equal(0x10ul, _memory.Read(0xE000_0010, 4));
        Assert.Equal(0xFFFFul, _memory.Read(0x10_0002_FFFF, 1) | 0xFF00);
        SetConfiguration(5, 0, 0x14, 0xE100_0000);
        Assert.Equal(0xFFFF_FFFFul, _memory.Read(0xE000_0010, 4));
        Assert.Equal(0x10ul, _memory.Read(0xE100_0010, 4));
        SetConfiguration(5, 0, 0x04, 1);
        Assert.Equal(0xFFFF_FFFFul, _memory.Read(0xE100_0010, 4));
        Assert.Equal(0xC004u, _ports.Read(0xC004, 2));

        // Ports are 16 bits.
        SetConfiguration(5, 0, 0x10, 0x1_C000);
        Assert.Null(device.BarAddress(0));
        SetConfiguration(5, 0, 0x10, 0xC000);
        _bus.Reset();
        Assert.Equal(0xFFFFu, _ports.Read(0xC004, 2));
        Assert.Throws<ArgumentException>(() => _bus.Attach(5, 0, device));
    }

    [Fact]
    public void InterruptsGoToTheApicAndByTheRouterToThePic()
    {
        var device = new Device(_ports, _memory);
        _bus.Attach(5, 0, device);
        device.Interrupt(true);

        // INTA# of slot 5 is PIRQA#, as that of slot 1.
        Assert.Equal([true, false, false, false], _apic);
        Assert.DoesNotContain(true, _isa);
        Assert.Equal(8u, Configuration(5, 0, 0x04) >> 16 & 8);
        _bridge.RouteAsFirmware();
        Assert.Equal(0x0C00, _bridge.RoutedInterrupts);
        Assert.True(_isa[10]);
        SetConfiguration(1, 0, 0x60, 0x0B0B_0A05);
        Assert.False(_isa[10]);
        Assert.True(_isa[5]);
        SetConfiguration(1, 0, 0x60, 0x0B0B_0A02);
        Assert.DoesNotContain(true, _isa);
        SetConfiguration(1, 0, 0x60, 0x0B0B_0A0B);
        Assert.True(_isa[11]);
        SetConfiguration(5, 0, 0x04, 0x400);
        Assert.False(_isa[11]);
        Assert.False(_apic[0]);
        Assert.Equal(8u, Configuration(5, 0, 0x04) >> 16 & 8);
        SetConfiguration(5, 0, 0x04, 0);
        Assert.True(_isa[11]);
        device.Interrupt(false);
        Assert.False(_isa[11]);
    }

    [Fact]
    public void FunctionsShareInterrupts()
    {
        var a = new Device(_ports, _memory);
        var b = new Device(_ports, _memory);
        _bus.Attach(5, 0, a);
        _bus.Attach(9, 0, b);
        a.Interrupt(true);
        b.Interrupt(true);
        a.Interrupt(false);
        Assert.True(_apic[0]);
        b.Interrupt(false);
        Assert.False(_apic[0]);
    }

    [Fact]
    public void PamSaysWhereAreasOfShadowMemoryGo()
    {
        var changes = new List<string>();
        _host.ShadowChanged = (first, length, reads, writes) => changes.Add($"{first:X}+{length:X} {(reads ? "r" : "-")}{(writes ? "w" : "-")}");
        SetConfiguration(0, 0, 0x58, 0x0000_FF00);
        Assert.Equal(["F0000+10000 rw"], changes);
        changes.Clear();
        _ports.Write(0xCF8, 4, 0x8000_005C);
        _ports.Write(0xCFE, 1, 0x21);
        Assert.Equal(["E0000+4000 r-", "E4000+4000 -w"], changes);
        Assert.Equal(0x21u, Configuration(0, 0, 0x5C) >> 16 & 0xFF);
        changes.Clear();
        _host.ShadowAll(isWritable: true);
        Assert.Equal(12, changes.Count);
        changes.Clear();
        _host.Reset();
        Assert.Equal(13, changes.Count);
        Assert.All(changes, c => Assert.EndsWith("--", c));
        Assert.Equal((0xC_0000u, 0x4000u), I440fxHostBridge.ShadowArea(1));
        Assert.Equal((0xE_C000u, 0x4000u), I440fxHostBridge.ShadowArea(12));
    }

    [Fact]
    public void SmramControlCanBeLocked()
    {
        SetConfiguration(0, 0, 0x70, 0x0040_0000);
        Assert.Equal(0x42u, Configuration(0, 0, 0x70) >> 16 & 0xFF);
        SetConfiguration(0, 0, 0x70, 0x0018_0000);
        SetConfiguration(0, 0, 0x70, 0x0040_0000);
        Assert.Equal(0x1Au, Configuration(0, 0, 0x70) >> 16 & 0xFF);
        _host.Reset();
        Assert.Equal(0x02u, Configuration(0, 0, 0x70) >> 16 & 0xFF);
    }

    [Fact]
    public void StateIsSavedWhole()
    {
        var device = new Device(_ports, _memory);
        _bus.Attach(5, 0, device);
        _bridge.RouteAsFirmware();
        _host.ShadowAll(isWritable: false);
        SetConfiguration(5, 0, 0x10, 0xC000);
        SetConfiguration(5, 0, 0x04, 1);
        device.Interrupt(true);

        var ports = new PortBus();
        var bus = new PciBus();
        var isa = new bool[16];
        var areas = 0;
        var host = new I440fxHostBridge(bus, new ResetControl(_ => { })) { ShadowChanged = (_, _, reads, writes) => areas += reads && !writes ? 1 : 0 };
        ports.Map(I440fxHostBridge.FirstPort, I440fxHostBridge.PortCount, host);
        var bridge = NewBridge(bus, isa, new bool[4]);
        var other = new Device(ports, new MemoryBus());
        bus.Attach(5, 0, other);
        States.Copy(_host, host);
        States.Copy(_bridge, bridge);
        States.Copy(device, other);
        Assert.Equal(13, areas);
        Assert.Equal(0xC000ul, other.BarAddress(0));
        Assert.Equal(0xC004u, ports.Read(0xC004, 2));
        Assert.Equal(_ports.Read(0xCF8, 4), ports.Read(0xCF8, 4));
        foreach (var (a, b) in _bus.Functions.Zip(bus.Functions))
            Assert.Equal(States.Of(a), States.Of(b));

        // Lines come back without being told of; the release is.
        isa[10] = true;
        other.Interrupt(false);
        Assert.False(isa[10]);
    }

    [Fact]
    public void StateOfReadOnlyRegistersIsNotTaken()
    {
        var state = States.Of(_bridge);
        state.AsSpan(4, 256).Fill(0xFF);
        _bridge.Load(new StateReader(state), 1);
        Assert.Equal(0x7000_8086u, Configuration(1, 0, 0x00));
        Assert.Equal(0x0601_0000u, Configuration(1, 0, 0x08));
        Assert.Throws<StateException>(() => _bridge.Load(new StateReader(state.AsMemory(0, 200)), 1));
    }

    private static Piix3IsaBridge NewBridge(PciBus bus, bool[] isa, bool[] apic) => new(bus, Lines(isa), Lines(apic));

    private static InterruptLine[] Lines(bool[] levels) =>
        [.. Enumerable.Range(0, levels.Length).Select(i => new InterruptLine(level => levels[i] = level))];

    private uint Configuration(int slot, int function, int offset)
    {
        _ports.Write(0xCF8, 4, 0x8000_0000 | (uint)(slot << 11 | function << 8 | offset));
        return _ports.Read(0xCFC, 4);
    }

    private void SetConfiguration(int slot, int function, int offset, uint value)
    {
        _ports.Write(0xCF8, 4, 0x8000_0000 | (uint)(slot << 11 | function << 8 | offset));
        _ports.Write(0xCFC, 4, value);
    }

    // A device with ports, memory below 4 GiB and memory anywhere; registers read their offsets.
    private sealed class Device : PciFunction, IPortDevice, IMemoryDevice
    {
        public Device(PortBus ports, MemoryBus memory)
            : base("test", new PciIdentity(0x1234, 0x5678, 0xFF_0000, InterruptPin: 1))
        {
            Define(CommandRegister, 2, 0, writable: 0x0407);
            AddPortBar(0, 32, ports, this);
            AddMemoryBar(1, 4096, isWide: false, isPrefetchable: false, memory, this);
            AddMemoryBar(2, 65536, isWide: true, isPrefetchable: true, memory, this);
        }

        public void Interrupt(bool level) => SetInterrupt(level);

        public uint Read(ushort port, int size) => port;

        public void Write(ushort port, int size, uint value)
        {
        }

        public ulong Read(ulong offset, int size) => offset;

        public void Write(ulong offset, int size, ulong value)
        {
        }
    }
}
