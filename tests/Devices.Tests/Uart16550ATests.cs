using System.Text;
using Xunit;

namespace DynaTrans.Devices.Tests;

/// <summary>The serial port against the data sheet of the PC16550D.</summary>
public sealed class Uart16550ATests
{
    private const int Data = 0x3F8, InterruptEnable = 0x3F9, Identification = 0x3FA, FifoControl = 0x3FA, LineControl = 0x3FB, ModemControl = 0x3FC,
        LineStatus = 0x3FD, ModemStatus = 0x3FE, Scratch = 0x3FF;

    private readonly ManualClock _clock = new();
    private readonly StringBuilder _sent = new();
    private readonly InterruptLine _irq;
    private readonly Uart16550A _uart;
    private int _edges;

    public Uart16550ATests()
    {
        _irq = Chips.Line(() => _edges++);
        _uart = new Uart16550A("com1", 0x3F8, _clock, _irq, c => _sent.Append((char)c));
    }

    private int Cause => _uart.In(Identification);

    private void Receive(string text)
    {
        foreach (var c in text)
            _uart.Receive((byte)c);
    }

    [Fact]
    public void MasterReset()
    {
        Assert.Equal(0x00, _uart.In(InterruptEnable));
        Assert.Equal(0x01, Cause);
        Assert.Equal(0x00, _uart.In(LineControl));
        Assert.Equal(0x00, _uart.In(ModemControl));
        Assert.Equal(0x60, _uart.In(LineStatus));
        Assert.Equal(0xB0, _uart.In(ModemStatus));
    }

    [Fact]
    public void RegistersKeepWhatTheyHave()
    {
        _uart.Out(InterruptEnable, 0xFF);
        Assert.Equal(0x0F, _uart.In(InterruptEnable));
        _uart.Out(ModemControl, 0xFF);
        Assert.Equal(0x1F, _uart.In(ModemControl));
        _uart.Out(Scratch, 0x5A);
        Assert.Equal(0x5A, _uart.In(Scratch));
        _uart.Out(LineControl, 0x83);
        _uart.Out(Data, 0x34);
        _uart.Out(InterruptEnable, 0x12);
        Assert.Equal(0x34, _uart.In(Data));
        Assert.Equal(0x12, _uart.In(InterruptEnable));
        _uart.Out(LineControl, 0x03);
        Assert.Equal(0x0F, _uart.In(InterruptEnable));
    }

    [Fact]
    public void TransmitterInterrupts()
    {
        _uart.Out(ModemControl, 0x08);
        Assert.False(_irq.Level);

        // Enabling it tells at once that the holding register is empty; reading the cause takes that away.
        _uart.Out(InterruptEnable, 0x02);
        Assert.True(_irq.Level);
        Assert.Equal(0x02, Cause);
        Assert.Equal(0x01, Cause);
        Assert.False(_irq.Level);

        // Written again without a change it tells nothing, off and on it does (Linux tests this).
        _uart.Out(InterruptEnable, 0x02);
        Assert.False(_irq.Level);
        _uart.Out(InterruptEnable, 0x00);
        _uart.Out(InterruptEnable, 0x02);
        Assert.Equal(0x02, Cause);

        _edges = 0;
        foreach (var c in "hello")
            _uart.Out(Data, c);
        Assert.Equal("hello", _sent.ToString());
        Assert.Equal(5, _edges);                    // the line falls with each write
        Assert.Equal(0x60, _uart.In(LineStatus));
    }

    [Fact]
    public void TheInterruptIsGatedByOut2()
    {
        _uart.Out(InterruptEnable, 0x02);
        Assert.False(_irq.Level);
        _uart.Out(ModemControl, 0x08);
        Assert.True(_irq.Level);
        _uart.Out(ModemControl, 0x18);
        Assert.False(_irq.Level);
        Assert.Equal(0x02, Cause);
    }

    [Fact]
    public void ReceivesOneCharacterWithoutFifos()
    {
        _uart.Out(ModemControl, 0x08);
        _uart.Out(InterruptEnable, 0x05);
        Assert.True(_uart.CanReceive);
        _uart.Receive((byte)'a');
        Assert.False(_uart.CanReceive);
        Assert.True(_irq.Level);
        Assert.Equal(0x04, Cause);
        Assert.Equal(0x61, _uart.In(LineStatus));
        _uart.Receive((byte)'b');
        Assert.Equal(0x06, Cause);
        Assert.Equal(0x63, _uart.In(LineStatus));
        Assert.Equal(0x61, _uart.In(LineStatus));
        Assert.Equal('b', (char)_uart.In(Data));
        Assert.False(_irq.Level);
        Assert.Equal(0x60, _uart.In(LineStatus));
        Assert.Equal('b', (char)_uart.In(Data));
    }

    [Theory, InlineData(0, 1), InlineData(1, 4), InlineData(2, 8), InlineData(3, 14)]
    public void TriggerLevels(int code, int level)
    {
        _uart.Out(ModemControl, 0x08);
        _uart.Out(InterruptEnable, 0x01);
        _uart.Out(FifoControl, code << 6 | 1);
        Receive(new string('x', level - 1));
        Assert.Equal(0xC1, Cause);
        Receive("x");
        Assert.True(_irq.Level);
        Assert.Equal(0xC4, Cause);
        _uart.In(Data);
        Assert.Equal(0xC1, Cause);
    }

    [Fact]
    public void ACharacterThatIsNotFetchedTimesOut()
    {
        _uart.Out(ModemControl, 0x08);
        _uart.Out(InterruptEnable, 0x01);
        _uart.Out(LineControl, 0x83);
        _uart.Out(Data, 1);
        _uart.Out(InterruptEnable, 0);
        _uart.Out(LineControl, 0x03);               // 115200 8N1: a character takes 86.8 us
        _uart.Out(FifoControl, 0xC1);
        Receive("ab");
        _clock.Advance(347_000);
        Assert.Equal(0xC1, Cause);
        Receive("c");
        _clock.Advance(347_000);
        Assert.False(_irq.Level);
        _clock.Advance(1_000);
        Assert.True(_irq.Level);
        Assert.Equal(0xCC, Cause);
        Assert.Equal('a', (char)_uart.In(Data));
        Assert.Equal(0xC1, Cause);
        _clock.Advance(348_000);
        Assert.Equal(0xCC, Cause);
        _uart.In(Data);
        _uart.In(Data);
        Assert.False(_irq.Level);
        _clock.Advance(1_000_000);
        Assert.Equal(0xC1, Cause);
    }

    [Fact]
    public void FifosFillOverflowAndAreEmptied()
    {
        _uart.Out(FifoControl, 0x01);
        Receive("0123456789abcdef");
        Assert.False(_uart.CanReceive);
        Receive("g");
        Assert.Equal(0x63, _uart.In(LineStatus));
        Assert.Equal('0', (char)_uart.In(Data));
        Receive("h");
        foreach (var c in "123456789abcdefh")
            Assert.Equal(c, (char)_uart.In(Data));
        Receive("xy");
        _uart.Out(FifoControl, 0x03);
        Assert.Equal(0x60, _uart.In(LineStatus));
        Receive("xy");
        _uart.Out(FifoControl, 0x02);               // other bits count with bit 0 only; clearing that empties
        Assert.Equal(0x60, _uart.In(LineStatus));
        Assert.Equal(0x01, Cause);
    }

    [Fact]
    public void ASourceIsToldWhenThereIsRoom()
    {
        var waiting = new Queue<char>("0123456789abcdefghij");
        void Feed()
        {
            while (_uart.CanReceive && waiting.TryDequeue(out var c))
                _uart.Receive((byte)c);
        }
        _uart.ReceiveReady += Feed;
        _uart.Out(FifoControl, 0x01);
        Feed();
        Assert.Equal(4, waiting.Count);
        var text = "";
        while ((_uart.In(LineStatus) & 1) != 0)
            text += (char)_uart.In(Data);
        Assert.Equal("0123456789abcdefghij", text);

        waiting = new Queue<char>("z");
        _uart.Out(ModemControl, 0x10);
        Feed();
        Assert.Single(waiting);
        _uart.Out(ModemControl, 0x00);
        Assert.Empty(waiting);
    }

    [Fact]
    public void ABreakIsSeenWithItsCharacter()
    {
        _uart.Out(ModemControl, 0x08);
        _uart.Out(InterruptEnable, 0x04);
        _uart.Out(FifoControl, 0x01);
        Receive("a");
        _uart.ReceiveBreak();
        Assert.Equal(0xE1, _uart.In(LineStatus));   // an error is somewhere in the FIFO
        Assert.False(_irq.Level);
        _uart.In(Data);
        Assert.True(_irq.Level);
        Assert.Equal(0xC6, Cause);
        Assert.Equal(0xF1, _uart.In(LineStatus));
        Assert.Equal(0x61, _uart.In(LineStatus));
        Assert.Equal(0xC1, Cause);
        Assert.Equal(0, _uart.In(Data));
    }

    [Fact]
    public void Priorities()
    {
        _uart.Out(InterruptEnable, 0x0F);
        _uart.Out(ModemControl, 0x10);              // the modem's inputs fall, DCD with OUT2
        _uart.Out(Data, 'a');
        _uart.Out(Data, 'b');
        Assert.Equal(0x06, Cause);
        Assert.Equal(0x63, _uart.In(LineStatus));
        Assert.Equal(0x04, Cause);
        Assert.Equal('b', (char)_uart.In(Data));
        Assert.Equal(0x02, Cause);
        Assert.Equal(0x00, Cause);
        Assert.Equal(0x0B, _uart.In(ModemStatus));
        Assert.Equal(0x01, Cause);
        Assert.Empty(_sent.ToString());
    }

    [Fact]
    public void Loopback()
    {
        _uart.Out(ModemControl, 0x1A);              // as Linux probes: RTS and OUT2
        Assert.Equal(0x90, _uart.In(ModemStatus) & 0xF0);
        _uart.Out(ModemControl, 0x15);
        Assert.Equal(0x60, _uart.In(ModemStatus) & 0xF0);
        _uart.Out(ModemControl, 0x11);
        Assert.Equal(0x24, _uart.In(ModemStatus));  // the ring's trailing edge
        _uart.Out(ModemControl, 0x15);
        Assert.Equal(0x60, _uart.In(ModemStatus));  // not its leading one
        _uart.Receive((byte)'x');
        Assert.Equal(0x60, _uart.In(LineStatus));
        _uart.Out(Data, 'y');
        Assert.Equal('y', (char)_uart.In(Data));
    }

    [Fact]
    public void StateIsKept()
    {
        _uart.Out(ModemControl, 0x08);
        _uart.Out(InterruptEnable, 0x01);
        _uart.Out(FifoControl, 0x81);
        Receive("abc");
        _uart.In(Data);
        _uart.ReceiveBreak();
        _uart.Out(Scratch, 0x33);
        var clock = new ManualClock();
        var irq = Chips.Line();
        var uart = new Uart16550A("com1", 0x3F8, clock, irq, _ => { });
        Chips.Copy([_clock, _uart], [clock, uart]);
        clock.Advance(10_000_000);
        Assert.True(irq.Level);
        Assert.Equal(0xCC, uart.In(Identification));
        Assert.Equal('b', (char)uart.In(Data));
        Assert.Equal('c', (char)uart.In(Data));
        Assert.Equal(0xF1, uart.In(LineStatus));
        Assert.Equal(0x33, uart.In(Scratch));
    }
}
