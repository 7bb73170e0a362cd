using Xunit;

namespace DynaTrans.Devices.Tests;

/// <summary>The pair of interrupt controllers against the data sheet of the 8259A.</summary>
public sealed class Intel8259ATests
{
    private const int Master = 0x20, Slave = 0xA0;

    private readonly Intel8259APair _pic = new(Chips.Line());

    private bool IsRequested => _pic.Interrupt.Level;

    // As a PC does it: vectors 20h and 28h, slave at input 2.
    private void Initialize(int icw1 = 0x11, int masterIcw4 = 1, int slaveIcw4 = 1)
    {
        _pic.Out(Master, icw1);
        _pic.Out(Master + 1, 0x20);
        _pic.Out(Master + 1, 0x04);
        _pic.Out(Master + 1, masterIcw4);
        _pic.Out(Slave, icw1);
        _pic.Out(Slave + 1, 0x28);
        _pic.Out(Slave + 1, 0x02);
        _pic.Out(Slave + 1, slaveIcw4);
    }

    private int InService(int chip)
    {
        _pic.Out(chip, 0x0B);
        return _pic.In(chip);
    }

    private int Requests(int chip)
    {
        _pic.Out(chip, 0x0A);
        return _pic.In(chip);
    }

    [Fact]
    public void SilentUntilInitialized()
    {
        _pic.SetInput(0, true);
        Assert.False(IsRequested);
        _pic.Out(Master + 1, 0x5A);
        Assert.Equal(0x5A, _pic.In(Master + 1));
        _pic.Out(Master, 0x11);
        Assert.Equal(0, _pic.In(Master + 1));
        _pic.Out(Master + 1, 0x20);
        _pic.Out(Master + 1, 0x04);
        Assert.False(IsRequested);
        _pic.Out(Master + 1, 0x01);

        // The edge came before the initialization.
        Assert.False(IsRequested);
        _pic.SetInput(0, false);
        _pic.SetInput(0, true);
        Assert.True(IsRequested);
        Assert.Equal(0x20, _pic.Acknowledge());
    }

    [Fact]
    public void FullyNested()
    {
        Initialize();
        _pic.SetInput(4, true);
        Assert.Equal(0x24, _pic.Acknowledge());
        Assert.False(IsRequested);
        Assert.Equal(0x10, InService(Master));
        _pic.SetInput(5, true);
        Assert.False(IsRequested);
        _pic.SetInput(1, true);
        Assert.True(IsRequested);
        Assert.Equal(0x21, _pic.Acknowledge());
        Assert.Equal(0x12, InService(Master));
        _pic.Out(Master, 0x20);
        Assert.Equal(0x10, InService(Master));
        Assert.False(IsRequested);
        _pic.Out(Master, 0x20);
        Assert.Equal(0x25, _pic.Acknowledge());
        _pic.Out(Master, 0x65);
        Assert.Equal(0, InService(Master));
    }

    [Fact]
    public void MasksHoldRequestsBack()
    {
        Initialize();
        _pic.Out(Master + 1, 0x08);
        _pic.SetInput(3, true);
        Assert.False(IsRequested);
        Assert.Equal(0x08, Requests(Master));
        _pic.Out(Master + 1, 0x00);
        Assert.True(IsRequested);
        Assert.Equal(0x23, _pic.Acknowledge());
        Assert.Equal(0x00, Requests(Master));
    }

    [Fact]
    public void AnEdgeCountsOnceALevelAsLongAsItLasts()
    {
        Initialize();
        _pic.SetInput(5, true);
        _pic.Acknowledge();
        _pic.Out(Master, 0x20);
        Assert.False(IsRequested);

        _pic.Out(0x4D0, 0xFF);
        _pic.Out(0x4D1, 0xFF);
        Assert.Equal(0xF8, _pic.In(0x4D0));
        Assert.Equal(0xDE, _pic.In(0x4D1));
        Assert.True(IsRequested);
        Assert.Equal(0x25, _pic.Acknowledge());
        _pic.Out(Master, 0x20);
        Assert.Equal(0x25, _pic.Acknowledge());
        _pic.SetInput(5, false);
        _pic.Out(Master, 0x20);
        Assert.False(IsRequested);

        // ICW1 makes all inputs of a chip level-triggered.
        _pic.Out(0x4D0, 0);
        Initialize(icw1: 0x19);
        _pic.SetInput(0, true);
        _pic.Acknowledge();
        _pic.Out(Master, 0x20);
        Assert.True(IsRequested);
    }

    [Fact]
    public void ARequestThatGoesAwayIsSpurious()
    {
        Initialize();
        _pic.SetInput(3, true);
        Assert.True(IsRequested);
        _pic.SetInput(3, false);
        Assert.False(IsRequested);
        Assert.Equal(0x27, _pic.Acknowledge());
        Assert.Equal(0, InService(Master));
    }

    [Fact]
    public void ASlaveWithoutARequestGivesIrq15()
    {
        var master = new Intel8259A(Chips.Line(), isMaster: true);
        foreach (var (isOdd, value) in ((bool, byte)[])[(false, 0x11), (true, 0x20), (true, 0x04), (true, 0x01)])
            master.Write(isOdd, value);
        master.SetInput(2, true);
        Assert.Equal(2, master.Acknowledge());
        Assert.True(master.IsCascade(2));
        var slave = new Intel8259A(Chips.Line(), isMaster: false);
        foreach (var (isOdd, value) in ((bool, byte)[])[(false, 0x11), (true, 0x28), (true, 0x02), (true, 0x01)])
            slave.Write(isOdd, value);
        Assert.True(slave.AnswersTo(2));
        Assert.Equal(0x2F, slave.Vector(slave.Acknowledge()));
        slave.Write(false, 0x0B);
        Assert.Equal(0, slave.Read(false));
    }

    [Fact]
    public void TheSlaveGivesItsVector()
    {
        Initialize();
        _pic.SetInput(14, true);
        _pic.SetInput(15, true);
        Assert.Equal(0x2E, _pic.Acknowledge());
        _pic.Out(Slave, 0x20);
        _pic.Out(Master, 0x20);
        Assert.Equal(0x2F, _pic.Acknowledge());
        _pic.Out(Slave, 0x20);
        _pic.Out(Master, 0x20);
        Assert.False(IsRequested);
        _pic.SetInput(8, true);
        _pic.SetInput(7, true);
        _pic.SetInput(1, true);
        Assert.Equal(0x21, _pic.Acknowledge());
        _pic.Out(Master, 0x20);
        Assert.Equal(0x28, _pic.Acknowledge());
    }

    [Fact]
    public void ASlaveOfAnotherNumberDoesNotAnswer()
    {
        Initialize();
        _pic.Out(Slave, 0x11);
        _pic.Out(Slave + 1, 0x28);
        _pic.Out(Slave + 1, 0x03);
        _pic.Out(Slave + 1, 0x01);
        _pic.SetInput(8, true);
        Assert.Equal(0xFF, _pic.Acknowledge());
    }

    [Fact]
    public void SpecialFullyNested()
    {
        Initialize(masterIcw4: 0x11);
        _pic.SetInput(12, true);
        Assert.Equal(0x2C, _pic.Acknowledge());
        _pic.SetInput(9, true);
        Assert.True(IsRequested);
        Assert.Equal(0x29, _pic.Acknowledge());
        _pic.SetInput(14, true);
        Assert.False(IsRequested);

        // A fully nested master holds the more urgent one of the same slave back.
        Initialize();
        foreach (var irq in (int[])[9, 12, 14])
            _pic.SetInput(irq, false);
        _pic.SetInput(12, true);
        _pic.Acknowledge();
        _pic.SetInput(9, true);
        Assert.False(IsRequested);
        _pic.Out(Master, 0x20);
        Assert.Equal(0x29, _pic.Acknowledge());
    }

    [Fact]
    public void AutomaticEndOfInterrupt()
    {
        Initialize(masterIcw4: 3, slaveIcw4: 3);
        _pic.SetInput(3, true);
        _pic.SetInput(8, true);
        _pic.SetInput(9, true);
        Assert.Equal(0x28, _pic.Acknowledge());

        // The slave's INT fell in between: the master sees the edge for IRQ 9.
        Assert.Equal(0x29, _pic.Acknowledge());
        Assert.Equal(0x23, _pic.Acknowledge());
        Assert.Equal(0, InService(Master));
        Assert.False(IsRequested);
    }

    [Fact]
    public void Rotation()
    {
        Initialize();
        foreach (var irq in (int[])[0, 3, 6])
            _pic.SetInput(irq, true);
        _pic.Out(Master, 0xC3);                     // 3 is the lowest
        Assert.Equal(0x26, _pic.Acknowledge());
        _pic.Out(Master, 0xA0);                     // rotate on non-specific EOI: 6 is the lowest
        Assert.Equal(0x20, _pic.Acknowledge());
        _pic.Out(Master, 0xE0);                     // rotate on specific EOI of 0
        Assert.Equal(0x23, _pic.Acknowledge());
        _pic.Out(Master, 0x63);

        Initialize(masterIcw4: 3);
        foreach (var irq in (int[])[0, 3, 6])
        {
            _pic.SetInput(irq, false);
            _pic.SetInput(irq, true);
        }
        _pic.Out(Master, 0x80);                     // rotate in automatic EOI
        Assert.Equal(0x20, _pic.Acknowledge());
        _pic.SetInput(0, false);
        _pic.SetInput(0, true);
        Assert.Equal(0x23, _pic.Acknowledge());
        _pic.Out(Master, 0x00);
        Assert.Equal(0x26, _pic.Acknowledge());
        Assert.Equal(0x20, _pic.Acknowledge());
    }

    [Fact]
    public void SpecialMask()
    {
        Initialize();
        _pic.SetInput(1, true);
        _pic.Acknowledge();
        _pic.SetInput(5, true);
        Assert.False(IsRequested);
        _pic.Out(Master + 1, 0x02);
        _pic.Out(Master, 0x68);
        Assert.Equal(0x25, _pic.Acknowledge());

        // "An IS bit that is masked will not be cleared by a non-specific EOI."
        _pic.Out(Master, 0x20);
        Assert.Equal(0x02, InService(Master));
        _pic.Out(Master, 0x20);
        Assert.Equal(0x02, InService(Master));
        _pic.Out(Master, 0x61);
        Assert.Equal(0x00, InService(Master));
        _pic.Out(Master, 0x48);
        _pic.SetInput(5, false);
        _pic.SetInput(5, true);
        Assert.True(IsRequested);
    }

    [Fact]
    public void Poll()
    {
        Initialize();
        _pic.Out(Master, 0x0C);
        Assert.Equal(0x00, _pic.In(Master));
        _pic.SetInput(6, true);
        _pic.Out(Master, 0x0F);                     // with a register chosen, too: the poll comes first
        Assert.Equal(0x86, _pic.In(Master + 1));
        Assert.Equal(0x40, _pic.In(Master));        // and the register after it
        Assert.False(IsRequested);
    }

    [Fact]
    public void WithoutIcw4TheVectorIsThatOfAnOlderCpu()
    {
        _pic.Out(Master, 0x16 | 0xA0);              // single, no ICW4, interval 4, A7-A5 = 101
        _pic.Out(Master + 1, 0x12);
        _pic.SetInput(2, true);
        _pic.SetInput(3, true);
        Assert.Equal(0xAC, _pic.Acknowledge());
    }

    [Fact]
    public void WideAccessesReachBothPorts()
    {
        Initialize();
        _pic.Write(0x4D0, 2, 0x0E20);
        Assert.Equal(0x0E20u, _pic.Read(0x4D0, 2));
    }

    [Fact]
    public void StateIsKept()
    {
        Initialize(masterIcw4: 0x11);
        _pic.SetInput(4, true);
        _pic.Acknowledge();
        _pic.SetInput(10, true);
        _pic.Out(Master, 0x0B);
        _pic.Out(0x4D0, 0x20);
        _pic.Out(Slave, 0x11);
        _pic.Out(Slave + 1, 0x70);                  // in the middle of an initialization
        var other = new Intel8259APair(Chips.Line());
        Chips.Copy([_pic], [other]);
        Assert.Equal(_pic.Interrupt.Level, other.Interrupt.Level);
        Assert.Equal(0x10, other.In(Master));
        foreach (var pic in (Intel8259APair[])[_pic, other])
        {
            pic.Out(Slave + 1, 0x02);
            pic.Out(Slave + 1, 0x01);
            pic.SetInput(10, false);
            pic.SetInput(10, true);
            Assert.Equal(0x72, pic.Acknowledge());
        }
    }
}
