using Xunit;

namespace DynaTrans.Devices.Tests;

/// <summary>The I/O APIC against the 82093AA datasheet.</summary>
public sealed class IoApicTests
{
    private const uint Level = 0x8000;
    private const uint RemoteIrr = 0x4000;
    private const uint Pending = 0x1000;
    private const uint Masked = 0x1_0000;

    private readonly LocalApic _local;
    private readonly IoApic _chip;

    public IoApicTests()
    {
        _local = new LocalApic(new ManualClock(), () => 0x77);
        _chip = new IoApic(_local);
        _local.Write(0xF0, 4, 0x1FF);
    }

    [Fact]
    public void RegistersAreBehindAnIndex()
    {
        Assert.Equal(0x0017_0011u, Read(1));
        Write(0, 0xFFFF_FFFF);
        Assert.Equal(0x0F00_0000u, Read(0));
        Assert.Equal(0x0F00_0000u, Read(2));
        Write(1, 0);
        Assert.Equal(0x0017_0011u, Read(1));
        for (var input = 0; input < IoApic.InputCount; input++)
        {
            Assert.Equal(Masked, Entry(input));
            SetEntry(input, uint.MaxValue, 0x12);
            Assert.Equal(0x1_AFFFu, Entry(input));
            Assert.Equal(0x1200_0000u, Read(0x11 + 2 * input));
        }

        Assert.Equal(0u, Read(0x40));
        _chip.Write(0x10, 1, 0);
        Assert.Equal(0x11u, Select(1).Read(0x10, 1));
    }

    [Fact]
    public void EdgesAreSentOnceAndIgnoredWhileMasked()
    {
        _chip.Inputs[2].Pulse();
        SetEntry(2, 0x30);
        Assert.False(_local.IsInterruptRequested);
        _chip.Inputs[2].Set(true);
        Assert.Equal(0x30, TakeAndEnd());
        Assert.False(_local.IsInterruptRequested);
        _chip.Inputs[2].Set(false);
        _chip.Inputs[2].Set(true);
        Assert.Equal(0x30, TakeAndEnd());
    }

    [Fact]
    public void LevelsAreSentAgainAtTheEndOfTheInterrupt()
    {
        SetEntry(16, Level | 0x50);
        _chip.Inputs[16].Set(true);
        Assert.Equal(Level | RemoteIrr | 0x50, Entry(16));
        Assert.Equal(0x50, _local.AcknowledgeInterrupt());
        _chip.Inputs[16].Set(false);
        _chip.Inputs[16].Set(true);
        Assert.False(_local.IsInterruptRequested);
        _local.Write(0xB0, 4, 0);
        Assert.Equal(0x50, _local.AcknowledgeInterrupt());
        _chip.Inputs[16].Set(false);
        _local.Write(0xB0, 4, 0);
        Assert.Equal(Level | 0x50, Entry(16));
        Assert.False(_local.IsInterruptRequested);
    }

    [Fact]
    public void LevelThatWaitsBehindTheMaskIsSentWhenItGoes()
    {
        SetEntry(9, Masked | Level | 0x51);
        _chip.Inputs[9].Set(true);
        Assert.False(_local.IsInterruptRequested);
        SetEntry(9, Level | 0x51);
        Assert.Equal(0x51, TakeAndEnd());
    }

    [Fact]
    public void ChangeToEdgeForgetsRemoteIrr()
    {
        SetEntry(9, Level | 0x51);
        _chip.Inputs[9].Set(true);
        SetEntry(9, Masked | Level | 0x51);
        Assert.Equal(Masked | Level | RemoteIrr | 0x51, Entry(9));
        SetEntry(9, Masked | 0x51);
        SetEntry(9, Masked | Level | 0x51);
        Assert.Equal(Masked | Level | 0x51, Entry(9));
    }

    [Fact]
    public void SharedVectorsEndTogether()
    {
        SetEntry(17, Level | 0x52);
        SetEntry(18, Level | 0x52);
        _chip.Inputs[17].Set(true);
        _chip.Inputs[18].Set(true);
        Assert.Equal(0x52, _local.AcknowledgeInterrupt());
        _chip.Inputs[17].Set(false);
        _local.Write(0xB0, 4, 0);
        Assert.Equal(Level | 0x52, Entry(17));
        Assert.Equal(Level | RemoteIrr | 0x52, Entry(18));
        Assert.True(_local.IsInterruptRequested);
    }

    [Theory]
    [InlineData(0x060u, 0x00, true)]
    [InlineData(0x060u, 0xFF, true)]
    [InlineData(0x060u, 0x01, false)]
    [InlineData(0x160u, 0x00, true)]
    [InlineData(0x860u, 0x01, true)]
    [InlineData(0x960u, 0xFF, true)]
    [InlineData(0x860u, 0x02, false)]
    public void MessagesNameTheirDestination(uint entry, uint destination, bool isTaken)
    {
        _local.Write(0xD0, 4, 0x0100_0000);
        SetEntry(4, entry, destination);
        _chip.Inputs[4].Set(true);
        Assert.Equal(isTaken, _local.IsInterruptRequested);
        Assert.Equal(isTaken ? entry : entry | Pending, Entry(4));
    }

    [Fact]
    public void MessagesThatNobodyTookAreSentAgain()
    {
        _local.Write(0xF0, 4, 0xFF);
        SetEntry(9, Level | 0x51);
        SetEntry(4, 0x41);
        _chip.Inputs[9].Set(true);
        _chip.Inputs[4].Pulse();
        Assert.Equal(Level | Pending | 0x51, Entry(9));
        Assert.Equal(Pending | 0x41u, Entry(4));
        _local.Write(0xF0, 4, 0x1FF);
        Assert.Equal(0x51, TakeAndEnd());
        _chip.Inputs[9].Set(false);
        Assert.Equal(0x51, TakeAndEnd());
        Assert.Equal(0x41, TakeAndEnd());
        Assert.Equal(Level | 0x51, Entry(9));
    }

    [Fact]
    public void OtherDeliveryModes()
    {
        var inits = 0;
        _local.InitRequested = () => inits++;
        SetEntry(0, 0x700);
        _chip.Inputs[0].Set(true);
        Assert.True(_local.IsInterruptRequested);
        Assert.Equal(0x77, _local.AcknowledgeInterrupt());
        Assert.False(_local.IsInterruptRequested);
        SetEntry(1, Level | 0x400);
        _chip.Inputs[1].Set(true);
        Assert.True(_local.IsNmiRequested);
        Assert.Equal(Level | 0x400, Entry(1));
        SetEntry(3, 0x500);
        _chip.Inputs[3].Set(true);
        Assert.Equal(1, inits);
        SetEntry(5, 0x200);
        _chip.Inputs[5].Set(true);
        Assert.Equal(0x200u, Entry(5));
    }

    [Fact]
    public void StateIsSavedWhole()
    {
        Write(0, 0x0200_0000);
        SetEntry(9, Level | 0x51, 0xFF);
        _chip.Inputs[9].Set(true);
        _local.AcknowledgeInterrupt();

        var local = new LocalApic(new ManualClock(), () => 0);
        var other = new IoApic(local);
        States.Copy(_local, local);
        States.Copy(_chip, other);
        Assert.Equal(States.Of(_chip), States.Of(other));
        Assert.True(other.Inputs[9].Level);
        local.Write(0xB0, 4, 0);
        Assert.Equal(0x51, local.AcknowledgeInterrupt());
    }

    private int TakeAndEnd()
    {
        Assert.True(_local.IsInterruptRequested);
        var vector = _local.AcknowledgeInterrupt();
        _local.Write(0xB0, 4, 0);
        return vector;
    }

    private IoApic Select(int register)
    {
        _chip.Write(0, 4, (uint)register);
        return _chip;
    }

    private uint Read(int register) => (uint)Select(register).Read(0x10, 4);

    private void Write(int register, uint value) => Select(register).Write(0x10, 4, value);

    private uint Entry(int input) => Read(0x10 + 2 * input);

    private void SetEntry(int input, uint low, uint destination = 0)
    {
        Write(0x11 + 2 * input, destination << 24);
        Write(0x10 + 2 * input, low);
    }
}
