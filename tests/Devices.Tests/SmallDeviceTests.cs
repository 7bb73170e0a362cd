using System.Text;
using Xunit;

namespace DynaTrans.Devices.Tests;

/// <summary>Devices of a port or two.</summary>
public sealed class SmallDeviceTests
{
    private readonly PortBus _ports = new();

    [Fact]
    public void Port92()
    {
        var resets = 0;
        var a20 = Chips.Line();
        var port = new SystemControlPortA(a20, () => resets++);
        port.Map(_ports);
        Assert.Equal(0, _ports.In(0x92));
        _ports.Out(0x92, 0x02);
        Assert.True(a20.Level);
        Assert.Equal(0x02, _ports.In(0x92));
        _ports.Out(0x92, 0x03);
        _ports.Out(0x92, 0x03);                     // the bit has to rise
        Assert.Equal(1, resets);
        _ports.Out(0x92, 0x00);
        Assert.False(a20.Level);
        _ports.Out(0x92, 0x02);

        var restored = Chips.Line();
        var other = new SystemControlPortA(restored, () => { });
        Chips.Copy([port], [other]);
        Assert.True(restored.Level);
        port.Reset();
        Assert.False(a20.Level);
    }

    [Fact]
    public void PostCodes()
    {
        var codes = new List<byte>();
        var port = new PostCodePort(0x190, codes.Add);
        port.Map(_ports);
        new PostCodePort(0x80).Map(_ports);
        _ports.Out(0x80, 0x11);
        _ports.Out(0x190, 0x22);
        _ports.Write(0x190, 2, 0x4433);             // the second byte is another port's
        Assert.Equal([0x22, 0x33], codes);
        Assert.Equal(0x11, _ports.In(0x80));
        Assert.Equal(0x33, _ports.In(0x190));
        var other = new PostCodePort(0x190);
        Chips.Copy([port], [other]);
        Assert.Equal(0x33, other.In(0x190));
    }

    [Theory, InlineData(0xE9), InlineData(0x402)]
    public void DebugConsoles(int port)
    {
        var text = new StringBuilder();
        new DebugConsole((ushort)port, c => text.Append((char)c)).Map(_ports);
        foreach (var c in "boot\n")
            _ports.Out(port, c);
        Assert.Equal("boot\n", text.ToString());
        Assert.Equal(0xE9, _ports.In(port));
    }

    [Theory]
    [InlineData(0xF4, 4, 0xF4, 1, 0x10u, 0x21)]
    [InlineData(0xF4, 4, 0xF4, 4, 0x10u, 0x21)]
    [InlineData(0xF4, 1, 0xF4, 4, 0x10u, 0x21)]
    [InlineData(0x501, 2, 0x502, 1, 0u, 1)]
    [InlineData(0x501, 2, 0x501, 2, 0xFFFFu, 0x1FFFF)]
    public void DebugExit(int first, int count, int port, int size, uint value, int status)
    {
        var statuses = new List<int>();
        new IsaDebugExit((ushort)first, count, statuses.Add).Map(_ports);
        Assert.Equal(0u, _ports.Read((ushort)first, 1));
        _ports.Write((ushort)port, size, value);
        Assert.Equal([status], statuses);
    }
}
