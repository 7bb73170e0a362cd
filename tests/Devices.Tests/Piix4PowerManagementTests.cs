using DynaTrans.Devices.Pci;
using Xunit;

namespace DynaTrans.Devices.Tests;

/// <summary>The power-management function against the PIIX4 datasheet and chapter 4 of the ACPI specification.</summary>
public sealed class Piix4PowerManagementTests
{
    private const ushort Status = 0x600;
    private const ushort Enable = 0x602;
    private const ushort Control = 0x604;
    private const ushort Timer = 0x608;
    private const ushort GeneralStatus = 0x60C;
    private const ushort GeneralEnable = 0x60E;
    private const uint PowerButton = 0x100;

    // 2^23 ticks of 3.579545 MHz.
    private const long HalfRange = 2_343_484_437;

    private readonly ManualClock _clock = new();
    private readonly PortBus _ports = new();
    private readonly Piix4PowerManagement _chip;
    private bool _sci;
    private int _powerOffs;

    public Piix4PowerManagementTests()
    {
        _chip = New(_clock, _ports);
        var commands = new SmiCommandPort(_chip);
        _ports.Map(SmiCommandPort.CommandPort, SmiCommandPort.PortCount, commands);
        _chip.EnableBlock();
    }

    [Fact]
    public void TheBlockIsWhereConfigurationSaysAndWhenItSays()
    {
        Assert.Equal(0x7113_8086u, _chip.ReadConfiguration(0, 4));
        Assert.Equal(0x0680_0003u, _chip.ReadConfiguration(8, 4));
        Assert.Equal(0x601u, _chip.ReadConfiguration(0x40, 4));
        _chip.WriteConfiguration(0x40, 4, 0xFFFF_FFFF);
        Assert.Equal(0xFFC1u, _chip.ReadConfiguration(0x40, 4));
        Assert.Equal((ushort)0xFFC0, _chip.Block);
        Assert.Equal(0xFFFFu, _ports.Read(Status, 2));
        Assert.Equal(0u, _ports.Read(0xFFC0, 2));
        _chip.WriteConfiguration(0x80, 1, 0);
        Assert.Null(_chip.Block);
        Assert.Equal(0xFFFFu, _ports.Read(0xFFC0, 2));
        _chip.EnableBlock(0xB000);
        Assert.Equal(0u, _ports.Read(0xB000, 2));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TimerCountsAtItsFrequency(bool isWide)
    {
        var clock = new ManualClock();
        var ports = new PortBus();
        New(clock, ports, isWide).EnableBlock();
        var mask = isWide ? uint.MaxValue : 0xFF_FFFF;
        foreach (var now in (long[])[0, 279, 280, 1_000_000_000, 3_000_000_000, 1200_000_000_000, 86_400_000_000_000, 31_536_000_000_000_000])
        {
            clock.AdvanceTo(now);
            Assert.Equal((uint)((Int128)now * 3_579_545 / 1_000_000_000) & mask, ports.Read(Timer, 4));
            Assert.Equal(ports.Read(Timer, 4) >> 8 & 0xFFFF, ports.Read(Timer + 1, 2));
        }
    }

    [Fact]
    public void CommandsSwitchToAcpiAndBack()
    {
        Assert.Equal(0u, _ports.Read(Control, 2));
        _ports.Write(0xB2, 1, 0xF1);
        Assert.Equal(1u, _ports.Read(Control, 2));
        Assert.Equal(0xF1u, _ports.Read(0xB2, 1));
        _ports.Write(0xB3, 1, 0x12);
        Assert.Equal(0x12u, _ports.Read(0xB3, 1));
        _ports.Write(0xB2, 1, 0xF0);
        Assert.Equal(0u, _ports.Read(Control, 2));
        _ports.Write(0xB2, 1, 0x33);
        Assert.Equal(0u, _ports.Read(Control, 2));
    }

    [Fact]
    public void TimerEventComesWhenTheHighestBitChanges()
    {
        _ports.Write(0xB2, 1, 0xF1);
        Assert.Equal(long.MaxValue, _clock.NextDeadline);
        _ports.Write(Enable, 2, 1);
        _clock.AdvanceTo(HalfRange - 2);
        Assert.False(_sci);
        Assert.Equal(0x7F_FFFFu, _ports.Read(Timer, 4));
        _clock.Advance(4);
        Assert.True(_sci);
        Assert.Equal(0x80_0000u, _ports.Read(Timer, 4));
        Assert.Equal(1u, _ports.Read(Status, 2));
        _ports.Write(Status, 2, 1);
        Assert.False(_sci);
        Assert.Equal(0u, _ports.Read(Status, 2));
        _clock.AdvanceTo(2 * HalfRange + 4);
        Assert.True(_sci);
        Assert.InRange(_ports.Read(Timer, 4), 0u, 100u);
        _ports.Write(Enable, 2, 0);
        Assert.False(_sci);

        // Without an interrupt there is no deadline, but the status is seen.
        _ports.Write(Status, 2, 1);
        Assert.Equal(long.MaxValue, _clock.NextDeadline);
        _clock.Drift(HalfRange);
        Assert.Equal(1u, _ports.Read(Status, 2));
    }

    [Fact]
    public void PowerButtonIsAnEventOrPowersOff()
    {
        _chip.PressPowerButton();
        Assert.Equal(1, _powerOffs);
        _ports.Write(0xB2, 1, 0xF1);
        _ports.Write(Enable, 2, PowerButton);
        _chip.PressPowerButton();
        Assert.True(_sci);
        Assert.Equal(1, _powerOffs);
        Assert.Equal(PowerButton, _ports.Read(Status, 2));
        _ports.Write(Status + 1, 1, 1);
        Assert.False(_sci);
    }

    [Fact]
    public void GeneralEventsHaveStatusAndEnable()
    {
        _ports.Write(0xB2, 1, 0xF1);
        _chip.RaiseGeneralEvent(8);
        Assert.False(_sci);
        Assert.Equal(0x100u, _ports.Read(GeneralStatus, 2));
        _ports.Write(GeneralEnable, 2, 0x100);
        Assert.True(_sci);
        _ports.Write(GeneralStatus, 4, 0x0100_0100);
        Assert.False(_sci);
        Assert.Equal(0x0100_0000u, _ports.Read(GeneralStatus, 4));
    }

    [Theory]
    [InlineData(0x2001u, 1)]
    [InlineData(0x0001u, 0)]
    [InlineData(0x2401u, 0)]
    [InlineData(0x3C01u, 0)]
    public void SleepType0PowersOff(uint control, int powerOffs)
    {
        _ports.Write(Control, 2, control);
        Assert.Equal(powerOffs, _powerOffs);
        Assert.Equal(control & 0x1C01, _ports.Read(Control, 2));
    }

    [Fact]
    public void ResetTakesTheBlockAway()
    {
        _ports.Write(0xB2, 1, 0xF1);
        _ports.Write(Enable, 2, PowerButton);
        _chip.PressPowerButton();
        _chip.Reset();
        Assert.False(_sci);
        Assert.Null(_chip.Block);
        Assert.Equal(0xFFFF_FFFFu, _ports.Read(Timer, 4));
    }

    [Fact]
    public void StateIsSavedWhole()
    {
        _ports.Write(0xB2, 1, 0xF1);
        _ports.Write(Enable, 2, PowerButton | 1);
        _ports.Write(0x634, 4, 0x1234_5678);
        _chip.PressPowerButton();
        _clock.Advance(1_000_000);

        var clock = new ManualClock();
        clock.AdvanceTo(_clock.Now);
        var ports = new PortBus();
        var other = New(clock, ports);
        States.Copy(_chip, other);
        for (ushort port = 0x600; port < 0x640; port++)
            Assert.Equal(_ports.Read(port, 1), ports.Read(port, 1));
        Assert.Equal(_clock.NextDeadline, clock.NextDeadline);
        Assert.Equal(States.Of(_chip), States.Of(other));
    }

    private Piix4PowerManagement New(VirtualClock clock, PortBus ports, bool isWide = false) =>
        new(new PciBus(), clock, ports, new InterruptLine(level => _sci = level), () => _powerOffs++, isWide);
}
