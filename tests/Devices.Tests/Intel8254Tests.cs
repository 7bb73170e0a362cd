using Xunit;

namespace DynaTrans.Devices.Tests;

/// <summary>The interval timer against the data sheet of the 8254: its wave forms pulse by pulse.</summary>
public sealed class Intel8254Tests
{
    private readonly ManualClock _clock = new();
    private readonly List<long> _rises = [];
    private readonly InterruptLine _irq;
    private readonly Intel8254 _pit;

    public Intel8254Tests()
    {
        _irq = Chips.Line(() => _rises.Add(Intel8254.Pulses(_clock.Now)));
        _pit = new Intel8254(_clock, _irq);
    }

    private long Now => Intel8254.Pulses(_clock.Now);

    private void AdvanceTo(long pulse) => _clock.AdvanceTo(Intel8254.TimeOf(pulse));

    private void Pulse(int count = 1) => AdvanceTo(Now + count);

    // Counter 2: a control word, and a count of one or two bytes.
    private void Program(int mode, int count, bool isBcd = false)
    {
        _pit.Out(0x43, 0xB0 | mode << 1 | (isBcd ? 1 : 0));
        WriteCount(count);
    }

    private void WriteCount(int count)
    {
        _pit.Out(0x42, count);
        _pit.Out(0x42, count >> 8);
    }

    private int Count()
    {
        _pit.Out(0x43, 0x80);
        return _pit.In(0x42) | _pit.In(0x42) << 8;
    }

    private int Status()
    {
        _pit.Out(0x43, 0xE8);
        return _pit.In(0x42);
    }

    // Linux measures the time-stamp counter so, and takes one read for the time that the count needs to be loaded.
    [Fact]
    public void AReadWithoutALatchFindsTheCountLoaded()
    {
        _pit.SetGate(2, true);
        Program(0, 0xFFFE);
        Assert.Equal((0xFE, 0xFF), (_pit.In(0x42), _pit.In(0x42)));
        Pulse(3);
        Assert.Equal((0xFC, 0xFF), (_pit.In(0x42), _pit.In(0x42)));
    }

    // OUT as digits, beginning with what it is now, a digit a pulse.
    private string Wave(int pulses)
    {
        var wave = "";
        for (var i = 0; i < pulses; i++)
        {
            wave += _pit.Output(2) ? "1" : "0";
            Pulse();
        }
        return wave;
    }

    private string Counts(int pulses)
    {
        var counts = new List<int>();
        for (var i = 0; i < pulses; i++)
        {
            counts.Add(Count());
            Pulse();
        }
        return string.Join(' ', counts);
    }

    [Fact]
    public void PulsesDoNotDrift()
    {
        Assert.Equal(0, Intel8254.Pulses(0));
        Assert.Equal(1_193_182L * 3600 * 24 * 365, Intel8254.Pulses(1_000_000_000L * 3600 * 24 * 365));
        var random = new Random(1);
        for (var i = 0; i < 10_000; i++)
        {
            var pulse = random.NextInt64(1L << 48);
            var time = Intel8254.TimeOf(pulse);
            Assert.Equal(pulse, Intel8254.Pulses(time));
            Assert.Equal(pulse - 1, Intel8254.Pulses(time - 1));
            Assert.Equal((long)((Int128)time * 1_193_182 / 1_000_000_000), Intel8254.Pulses(time));
        }
    }

    [Fact]
    public void Mode0()
    {
        _pit.SetGate(2, true);
        Program(0, 4);
        Assert.Equal("00000111", Wave(8));          // high N + 1 pulses after the write
        Program(0, 3);
        Pulse();
        Assert.Equal("3 2 1 0 65535 65534", Counts(6));

        // The first byte of a new count stops counting and makes OUT low at once.
        Assert.True(_pit.Output(2));
        _pit.Out(0x42, 2);
        Assert.False(_pit.Output(2));
        Pulse(100);
        Assert.False(_pit.Output(2));
        _pit.Out(0x42, 0);
        Assert.Equal("0001", Wave(4));
    }

    [Fact]
    public void Mode0Gate()
    {
        _pit.SetGate(2, true);
        Program(0, 5);
        Pulse(3);
        Assert.Equal(3, Count());
        _pit.SetGate(2, false);
        Pulse(10);
        Assert.Equal(3, Count());
        _pit.SetGate(2, true);
        Assert.Equal("3 2 1 0", Counts(4));

        // A count is loaded while the gate is low; then no pulse is needed to load it.
        _pit.SetGate(2, false);
        Program(0, 2);
        Pulse(10);
        Assert.Equal(2, Count());
        _pit.SetGate(2, true);
        Assert.Equal("001", Wave(3));
    }

    [Fact]
    public void Mode1()
    {
        Program(1, 3);
        Assert.True(_pit.Output(2));
        Pulse(10);
        Assert.True(_pit.Output(2));
        _pit.SetGate(2, true);
        Assert.Equal("10001", Wave(5));
        _pit.SetGate(2, false);
        _pit.SetGate(2, true);
        Assert.Equal("100", Wave(3));

        // Triggered again within the pulse: it lasts N from there. The gate's level has no effect.
        _pit.SetGate(2, false);
        _pit.SetGate(2, true);
        Pulse();
        _pit.SetGate(2, false);
        Assert.Equal("0001", Wave(4));

        // A new count waits for its trigger.
        _pit.SetGate(2, true);
        Pulse();
        WriteCount(2);
        Assert.Equal("0001", Wave(4));
        _pit.SetGate(2, false);
        _pit.SetGate(2, true);
        Assert.Equal("1001", Wave(4));
    }

    [Fact]
    public void Mode2()
    {
        _pit.SetGate(2, true);
        Program(2, 3);
        Assert.Equal("1110110110", Wave(10));
        Program(2, 3);
        Pulse();
        Assert.Equal("3 2 1 3 2 1 3", Counts(7));

        // Now it shows 2. A new count is taken at the end of the cycle.
        WriteCount(4);
        Assert.Equal("2 1 4 3 2 1 4", Counts(7));
    }

    [Fact]
    public void Mode2Gate()
    {
        _pit.SetGate(2, true);
        Program(2, 3);
        Pulse(3);
        Assert.False(_pit.Output(2));
        _pit.SetGate(2, false);
        Assert.True(_pit.Output(2));                // at once
        Assert.Equal("1 1 1", Counts(3));
        _pit.SetGate(2, true);
        Pulse();
        Assert.Equal("3 2 1 3", Counts(4));
        _pit.SetGate(2, false);
        WriteCount(5);
        _pit.SetGate(2, true);
        Pulse();
        Assert.Equal("5 4 3", Counts(3));
    }

    [Fact]
    public void Mode3()
    {
        _pit.SetGate(2, true);
        Program(3, 4);
        Assert.Equal("1110011001", Wave(10));
        Program(3, 5);
        Assert.Equal("1111001110011", Wave(13));    // odd: a pulse longer high than low
        Program(3, 4);
        Pulse();
        Assert.Equal("4 2 4 2 4", Counts(5));
        Program(3, 5);
        Pulse();
        Assert.Equal("4 2 0 4 2 4 2 0", Counts(8));
    }

    [Fact]
    public void Mode3TakesANewCountAfterTheHalfCycle()
    {
        _pit.SetGate(2, true);
        Program(3, 8);
        Pulse(2);                                   // one pulse into the high half
        WriteCount(4);
        Assert.Equal("11100110011", Wave(11));
        Program(3, 4);
        Pulse(3);                                   // the low half begins
        WriteCount(6);
        Assert.Equal("001110001", Wave(9));
    }

    [Fact]
    public void Mode3Gate()
    {
        _pit.SetGate(2, true);
        Program(3, 6);
        Pulse(5);
        Assert.False(_pit.Output(2));
        _pit.SetGate(2, false);
        Assert.True(_pit.Output(2));                // at once
        Pulse(10);
        Assert.True(_pit.Output(2));
        _pit.SetGate(2, true);
        Assert.Equal("1111000111", Wave(10));
        _pit.SetGate(2, true);                      // no edge
        Assert.Equal("000111", Wave(6));
    }

    [Fact]
    public void Mode4()
    {
        _pit.SetGate(2, true);
        Program(4, 3);
        Assert.Equal("1111011111", Wave(10));       // one pulse, N + 1 after the write
        Program(4, 3);
        Pulse(2);
        _pit.SetGate(2, false);
        Pulse(5);
        _pit.SetGate(2, true);
        Assert.Equal("1101", Wave(4));

        // A new count is loaded with the next pulse.
        Program(4, 9);
        Pulse(4);
        WriteCount(2);
        Assert.Equal("11101", Wave(5));
    }

    [Fact]
    public void Mode5()
    {
        Program(5, 3);
        Assert.Equal("11111", Wave(5));
        _pit.SetGate(2, true);
        Assert.Equal("111101", Wave(6));
        _pit.SetGate(2, false);
        _pit.SetGate(2, true);
        Pulse(2);
        _pit.SetGate(2, false);
        _pit.SetGate(2, true);                      // again, before the end
        Assert.Equal("111101", Wave(6));
    }

    [Fact]
    public void ZeroIsTheGreatestCount()
    {
        _pit.SetGate(2, true);
        Program(2, 0);
        Pulse(2);
        Assert.Equal(0xFFFF, Count());
        Program(0, 0);
        Pulse(0x10000);
        Assert.False(_pit.Output(2));
        Pulse();
        Assert.True(_pit.Output(2));
        Program(0, 0, isBcd: true);
        Pulse(2);
        Assert.Equal(0x9999, Count());
        Pulse(9_999);
        Assert.Equal(0x0000, Count());
        Assert.True(_pit.Output(2));
        Pulse();
        Assert.Equal(0x9999, Count());
        Program(0, 0x1234, isBcd: true);
        Pulse(36);
        Assert.Equal(0x1199, Count());
    }

    [Fact]
    public void ACountOfOneIsIllegalButHarmless()
    {
        _pit.SetGate(2, true);
        Program(2, 1);
        Assert.Equal("1000", Wave(4));
        Program(3, 1);
        Assert.Equal("1111", Wave(4));
        _pit.Out(0x43, 0x34);
        _pit.Out(0x40, 1);
        _pit.Out(0x40, 0);
        _rises.Clear();
        Pulse(1000);
        Assert.Empty(_rises);
    }

    [Fact]
    public void LatchesHoldUntilRead()
    {
        _pit.SetGate(2, true);
        Program(2, 1000);
        Pulse(11);
        _pit.Out(0x43, 0x80);
        Pulse(100);
        _pit.Out(0x43, 0x80);                       // ignored: the first is not read
        Assert.Equal(990 & 0xFF, _pit.In(0x42));
        Assert.Equal(990 >> 8, _pit.In(0x42));
        Assert.Equal(890 & 0xFF, _pit.In(0x42));    // the running count
        Assert.Equal(890 >> 8, _pit.In(0x42));

        // Status and count by one read-back command: status first.
        _pit.Out(0x43, 0xC8);
        Pulse(50);
        Assert.Equal(0xB4, _pit.In(0x42));
        Assert.Equal(890 & 0xFF, _pit.In(0x42));
        Assert.Equal(890 >> 8, _pit.In(0x42));
        _pit.Out(0x43, 0x80);
        _pit.Out(0x43, 0xB4);                       // a control word drops the latch
        WriteCount(7);
        Pulse(2);
        Assert.Equal(6, _pit.In(0x42));
    }

    [Fact]
    public void StatusTellsOutNullCountAndControlWord()
    {
        _pit.SetGate(2, true);
        _pit.Out(0x43, 0xB0);
        Assert.Equal(0x70, Status());
        WriteCount(3);
        Assert.Equal(0x70, Status());
        Pulse();
        Assert.Equal(0x30, Status());
        Pulse(3);
        Assert.Equal(0xB0, Status());
        _pit.Out(0x43, 0xBE);                       // mode 7 is 3, but the word is shown as written
        WriteCount(4);
        Pulse();
        Assert.Equal(0xBE, Status());
        WriteCount(6);
        Assert.Equal(0xFE, Status());
        Pulse(2);
        Assert.Equal(0x3E, Status());
    }

    [Fact]
    public void OneByteAccess()
    {
        _pit.SetGate(2, true);
        _pit.Out(0x43, 0x94);                       // low byte, mode 2
        _pit.Out(0x42, 5);
        Pulse(2);
        Assert.Equal(4, _pit.In(0x42));
        _pit.Out(0x43, 0xA4);                       // high byte
        _pit.Out(0x42, 5);
        Pulse(2);
        Assert.Equal(4, _pit.In(0x42));
        _pit.Out(0x43, 0x80);
        Assert.Equal(4, _pit.In(0x42));
        Pulse(0x100);
        Assert.Equal(3, _pit.In(0x42));
    }

    [Fact]
    public void Counter0Interrupts()
    {
        _pit.Out(0x43, 0x34);
        _rises.Clear();                             // OUT is high from the control word on
        _pit.Out(0x40, 100);
        _pit.Out(0x40, 0);
        var start = Now + 1;
        Pulse(1000);
        Assert.Equal(Enumerable.Range(1, 9).Select(i => start + 100 * i), _rises);

        _pit.Out(0x43, 0x36);
        _rises.Clear();
        _pit.Out(0x40, 101);
        _pit.Out(0x40, 0);
        start = Now + 1;
        Pulse(51);
        Assert.True(_irq.Level);
        Pulse();
        Assert.False(_irq.Level);
        Pulse(1000);
        Assert.Equal(Enumerable.Range(1, 10).Select(i => start + 101 * i), _rises);

        _pit.Out(0x43, 0x30);
        Assert.False(_irq.Level);
        _rises.Clear();
        _pit.Out(0x40, 50);
        _pit.Out(0x40, 0);
        start = Now + 1;
        Pulse(500);
        Assert.Equal([start + 50], _rises);
        Assert.True(_irq.Level);

        _pit.Out(0x43, 0x18);                       // mode 4, low byte
        _rises.Clear();
        _pit.Out(0x40, 50);
        start = Now + 1;
        Pulse(500);
        Assert.Equal([start + 51], _rises);
    }

    [Fact]
    public void NoEdgeDriftsInAYear()
    {
        _pit.Out(0x43, 0x34);
        _pit.Out(0x40, 0);
        _pit.Out(0x40, 0);
        _rises.Clear();
        for (var hour = 1; hour <= 24 * 365; hour++)
            _clock.Drift(3_600_000_000_000);
        _clock.RunDue();
        _clock.AdvanceTo(_clock.NextDeadline);
        _rises.Clear();                             // the one that makes up for missed ones
        _clock.AdvanceTo(_clock.NextDeadline);
        Assert.Equal(1, _rises[0] % 0x10000);       // loaded by pulse 1
        Assert.InRange(_rises[0], 1_193_182L * 3600 * 24 * 365, 1_193_182L * 3600 * 24 * 365 + 0x10000 + 30);
    }

    [Theory, InlineData(0x34), InlineData(0x36)]
    public void AHostThatFellBehindGetsNoBurst(int control)
    {
        _pit.Out(0x43, control);
        _pit.Out(0x40, 2);
        _pit.Out(0x40, 0);
        _rises.Clear();
        _clock.Drift(1_000_000_000);
        for (var i = 0; i < 5; i++)
            _clock.RunDue();
        Assert.InRange(_rises.Count, 0, 2);
        Assert.InRange(_clock.NextDeadline, _clock.Now + 1, _clock.Now + 50_000);
        _rises.Clear();
        _clock.AdvanceTo(_clock.NextDeadline);
        Assert.Single(_rises);
    }

    [Fact]
    public void AnInterruptThatIsLateComesOnce()
    {
        foreach (var control in (int[])[0x30, 0x38])
        {
            _pit.Out(0x43, control);
            _pit.Out(0x40, 100);
            _pit.Out(0x40, 0);
            _rises.Clear();
            _clock.Jump(1_000_000);
            Assert.Single(_rises);
            Pulse(100_000);
            Assert.Single(_rises);
        }
    }

    [Fact]
    public void Port61()
    {
        var port = new SystemControlPortB(_pit, _clock);
        Assert.Equal(0x00, port.In(0x61) & 0x2F);
        port.Out(0x61, 0xFF);
        Assert.Equal(0x0F, port.In(0x61) & 0xCF);
        Assert.True(port.IsSpeakerOn);
        Assert.True(_pit.Gate(2));
        port.Out(0x61, 0x00);

        // As Linux calibrates: gate up, one shot in mode 0, and wait for OUT.
        port.Out(0x61, 0x01);
        Program(0, 0x1000);
        var reads = 0;
        for (; (port.In(0x61) & 0x20) == 0; reads++)
            Pulse();
        Assert.Equal(0x1001, reads);

        // The refresh bit toggles every 18 pulses.
        var toggles = 0;
        for (var (i, last) = (0, port.In(0x61) & 0x10); i < 1800; i++, last = port.In(0x61) & 0x10)
        {
            Pulse();
            toggles += (port.In(0x61) & 0x10) != last ? 1 : 0;
        }
        Assert.Equal(100, toggles);
    }

    [Fact]
    public void StateIsKept()
    {
        var port = new SystemControlPortB(_pit, _clock);
        port.Out(0x61, 3);
        _pit.Out(0x43, 0x36);
        _pit.Out(0x40, 101);
        _pit.Out(0x40, 0);
        _pit.Out(0x43, 0x75);
        _pit.Out(0x41, 0x12);                       // half a count
        Program(2, 50);
        Pulse(20);
        WriteCount(40);
        _pit.Out(0x43, 0x80);
        _pit.In(0x42);

        var clock = new ManualClock();
        var rises = new List<long>();
        var irq = Chips.Line(() => rises.Add(Intel8254.Pulses(clock.Now)));
        var pit = new Intel8254(clock, irq);
        Chips.Copy([_clock, _pit, port], [clock, pit, new SystemControlPortB(pit, clock)]);
        Assert.True(irq.Level);
        _rises.Clear();
        Pulse(1000);
        clock.AdvanceTo(_clock.Now);
        Assert.Equal(_rises, rises);
        Assert.NotEmpty(rises);
        for (var i = 0; i < 3; i++)
            Assert.Equal(_pit.In(0x42), pit.In(0x42));
        _pit.Out(0x41, 0x34);
        pit.Out(0x41, 0x34);
        Pulse(9);
        clock.AdvanceTo(_clock.Now);
        Assert.Equal(_pit.In(0x41), pit.In(0x41));
    }
}
