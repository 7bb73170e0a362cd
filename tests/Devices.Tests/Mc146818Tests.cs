using Xunit;

namespace DynaTrans.Devices.Tests;

/// <summary>The real-time clock against the data sheet of the MC146818A.</summary>
public sealed class Mc146818Tests
{
    private const long Second = 1_000_000_000;
    private const int A = 0x0A, B = 0x0B, C = 0x0C, D = 0x0D;

    private readonly ManualClock _clock = new();
    private readonly List<bool> _nmi = [];
    private readonly InterruptLine _irq;
    private Mc146818 _rtc;
    private int _interrupts;

    public Mc146818Tests()
    {
        _irq = Chips.Line(() => _interrupts++);
        _rtc = Make(new DateTime(2026, 12, 31, 23, 59, 58));
        Write(5, 0x24);                             // no alarm at midnight
    }

    private Mc146818 Make(DateTime start) => _rtc = new Mc146818(_clock, start, _irq, _nmi.Add);

    private byte Read(int register)
    {
        _rtc.Out(0x70, register);
        return _rtc.In(0x71);
    }

    private void Write(int register, int value)
    {
        _rtc.Out(0x70, register);
        _rtc.Out(0x71, value);
    }

    private string Time() => $"{Read(0x32):X2}{Read(9):X2}-{Read(8):X2}-{Read(7):X2} {Read(6):X} {Read(4):X2}:{Read(2):X2}:{Read(0):X2}";

    [Fact]
    public void TimePasses()
    {
        Assert.Equal("2026-12-31 5 23:59:58", Time());
        _clock.Advance(Second - 1);
        Assert.Equal("2026-12-31 5 23:59:58", Time());
        _clock.Advance(1);
        Assert.Equal("2026-12-31 5 23:59:59", Time());
        _clock.Advance(Second);
        Assert.Equal("2027-01-01 6 00:00:00", Time());
        _clock.Advance(Second * 3600 * 24 * 365);
        Assert.Equal("2028-01-01 7 00:00:00", Time());
        _clock.Advance(Second * 3600 * 24 * 59);
        Assert.Equal("2028-02-29 3 00:00:00", Time());
        Make(new DateTime(2099, 12, 31, 23, 59, 59, 750));
        _clock.Advance(Second / 4);
        Assert.Equal("2100-01-01 6 00:00:00", Time());
    }

    [Fact]
    public void Formats()
    {
        Make(new DateTime(2026, 5, 17, 13, 45, 59));
        Write(B, 0x00);                             // 12 hours, BCD
        Write(4, 0x81);
        Assert.Equal("2026-05-17 1 81:45:59", Time());
        _clock.Advance(Second * 3600 * 11);
        Assert.Equal("2026-05-18 2 12:45:59", Time());
        _clock.Advance(Second * 3600 * 12);
        Assert.Equal("2026-05-18 2 92:45:59", Time());
        Write(B, 0x06);                             // 24 hours, binary: bytes are not converted
        foreach (var (register, value) in ((int, int)[])[(9, 26), (8, 12), (7, 31), (6, 5), (4, 23), (2, 59), (0, 59), (0x32, 20)])
            Write(register, value);
        _clock.Advance(Second);
        Assert.Equal("141B-01-01 6 00:00:00", Time());
        Write(B, 0x04);
        Write(4, 0x80 | 11);
        Write(2, 59);
        Write(0, 59);
        _clock.Advance(Second);
        Assert.Equal(12, Read(4));
    }

    [Fact]
    public void UpdateInProgress()
    {
        Assert.Equal(0x26, Read(A));
        _clock.Advance(Second - 2_228_001);
        Assert.Equal(0x26, Read(A));
        _clock.Advance(1);
        Assert.Equal(0xA6, Read(A));
        _clock.Advance(2_227_999);
        Assert.Equal(0xA6, Read(A));
        Assert.Equal(0x58, Read(0));
        _clock.Advance(1);
        Assert.Equal(0x26, Read(A));
        Assert.Equal(0x59, Read(0));
        _clock.Advance(Second - 1000);
        Assert.Equal(0xA6, Read(A));
        Write(B, 0x82);
        Assert.Equal(0x26, Read(A));
    }

    [Fact]
    public void SetStopsUpdates()
    {
        Write(B, 0x92);
        Assert.Equal(0x82, Read(B));                // SET clears UIE
        _clock.Advance(Second * 10);
        Assert.Equal("2026-12-31 5 23:59:58", Time());
        Assert.Equal(0x40, Read(C));                // the divider goes on
        Write(0, 0x10);
        Write(B, 0x02);
        _clock.Advance(Second);
        Assert.Equal(0x11, Read(0));
    }

    [Fact]
    public void TheDividerBeginsHalfASecondBeforeAnUpdate()
    {
        _clock.Advance(Second / 4);
        Write(A, 0x76);
        Read(C);
        _clock.Advance(Second * 5);
        Assert.Equal(0x58, Read(0));
        Assert.Equal(0, Read(C));
        Write(A, 0x26);
        _clock.Advance(Second / 2 - 1);
        Assert.Equal(0x58, Read(0));
        _clock.Advance(1);
        Assert.Equal(0x59, Read(0));
    }

    [Fact]
    public void UpdateInterrupts()
    {
        Write(B, 0x12);
        _clock.Advance(Second - 1);
        Assert.False(_irq.Level);
        _clock.Advance(1);
        Assert.True(_irq.Level);
        _clock.Advance(Second * 3);
        Assert.Equal(1, _interrupts);               // until register C is read
        Assert.Equal(0xD0, Read(C));
        Assert.False(_irq.Level);
        Assert.Equal(0x00, Read(C));
        for (var i = 0; i < 5; i++)
        {
            _clock.Advance(Second);
            Assert.Equal(0x90, Read(C) & 0xB0);
        }
        Assert.Equal(6, _interrupts);
        Write(B, 0x02);
        _clock.Advance(Second);
        Assert.Equal(0x10, Read(C) & 0xB0);         // the flag without the interrupt
        Assert.Equal(6, _interrupts);
    }

    [Theory, InlineData(1, 256), InlineData(2, 128), InlineData(3, 8192), InlineData(6, 1024), InlineData(15, 2)]
    public void PeriodicInterrupts(int rate, int perSecond)
    {
        Write(A, 0x20 | rate);
        Read(C);
        Write(B, 0x42);
        for (var i = 0; i < perSecond * 2; i++)
        {
            _clock.AdvanceTo(_clock.NextDeadline);
            Assert.Equal(0xC0, Read(C) & 0xE0);
        }
        Assert.Equal(2 * Second, _clock.Now);
        Assert.Equal(2 * perSecond, _interrupts);
        Write(A, 0x20);
        _clock.Advance(Second);
        Assert.Equal(0x10, Read(C));
    }

    [Fact]
    public void AFlagThatWasSetInterruptsWhenItIsEnabled()
    {
        _clock.Advance(Second);
        Write(B, 0x12);
        Assert.True(_irq.Level);
        Assert.Equal(0xD0, Read(C));
    }

    [Theory]
    [InlineData(0x23, 0x59, 0x59, 1)]
    [InlineData(0x23, 0x59, 0x58, 24 * 3600)]
    [InlineData(0x00, 0x00, 0x30, 32)]
    [InlineData(0xFF, 0x00, 0x00, 2)]
    [InlineData(0xC0, 0xFF, 0x10, 12)]
    [InlineData(0xFF, 0xFF, 0xFF, 1)]
    [InlineData(0x05, 0xD0, 0xFF, 5 * 3600 + 2)]
    [InlineData(0x24, 0x00, 0x00, 0)]
    [InlineData(0xFF, 0x60, 0xFF, 0)]
    [InlineData(0xFF, 0xFF, 0x5A, 0)]
    public void Alarms(int hour, int minute, int second, int expected)
    {
        Write(5, hour);
        Write(3, minute);
        Write(1, second);
        Write(B, 0x22);
        if (expected == 0)
        {
            Assert.Equal(long.MaxValue, _clock.NextDeadline);
            _clock.Advance(Second * 3600 * 48);
            Assert.Equal(0, Read(C) & 0x20);
            return;
        }
        Assert.Equal(expected * Second, _clock.NextDeadline);
        _clock.AdvanceTo(expected * Second - 1);
        Assert.False(_irq.Level);
        _clock.Advance(1);
        Assert.True(_irq.Level);
        Assert.Equal(0xA0, Read(C) & 0xA0);
    }

    [Fact]
    public void AlarmsOfTwelveHours()
    {
        Make(new DateTime(2026, 1, 1, 11, 59, 59));
        Write(B, 0x00);
        Write(4, 0x11);
        Write(5, 0x92);
        Write(3, 0x00);
        Write(1, 0x00);
        _clock.Advance(Second);
        Assert.Equal(0x92, Read(4));
        Assert.Equal(0x20, Read(C) & 0x20);
    }

    [Fact]
    public void RegistersThatAreReadOnly()
    {
        Write(A, 0xFF);
        Assert.Equal(0x7F, Read(A));
        Write(C, 0xFF);
        Assert.Equal(0x00, Read(C));
        Write(D, 0x00);
        Assert.Equal(0x80, Read(D));
        Assert.Equal(0xFF, _rtc.In(0x70));
    }

    [Fact]
    public void Port70MasksNmi()
    {
        Write(0x80 | 0x20, 0x77);
        Write(0x80 | 0x21, 0x78);
        Assert.Equal(0x77, Read(0x20));
        Assert.Equal([true, false], _nmi);
    }

    [Fact]
    public void CmosDescribesTheMachine()
    {
        CmosMemory.Describe(_rtc, 0xC000_0000, 0x1_4000_0000);
        Assert.Equal(0x80, Read(0x15));
        Assert.Equal(0x02, Read(0x16));
        Assert.Equal(0xFF, Read(0x17));
        Assert.Equal(0xFF, Read(0x31));
        Assert.Equal(0xBF00, Read(0x35) << 8 | Read(0x34));
        Assert.Equal(0x14000, Read(0x5D) << 16 | Read(0x5C) << 8 | Read(0x5B));
        Assert.Equal(0x06, Read(0x14));
        Assert.Equal(0x00, Read(0x10));
        Assert.Equal(Enumerable.Range(0x10, 0x1E).Sum(i => Read(i)), Read(0x2E) << 8 | Read(0x2F));
        CmosMemory.Describe(_rtc, 8 << 20, 0);
        Assert.Equal(7 * 1024, Read(0x18) << 8 | Read(0x17));
        Assert.Equal(0, Read(0x35) << 8 | Read(0x34));
        Assert.Throws<ArgumentOutOfRangeException>(() => _rtc[0x0D]);
        Assert.Throws<ArgumentOutOfRangeException>(() => _rtc[0x80] = 0);
    }

    [Fact]
    public void ResetTurnsInterruptsOff()
    {
        Write(B, 0x7A);
        Write(0x40, 0x99);
        _clock.Advance(Second);
        Assert.True(_irq.Level);
        _rtc.Reset();
        Assert.False(_irq.Level);
        Assert.Equal(0x02, Read(B));
        Assert.Equal(0x99, Read(0x40));
        Assert.Equal(0x59, Read(0));
    }

    [Fact]
    public void TimesThatDoNotExistDoNoHarm()
    {
        foreach (var value in (int[])[0xFF, 0x7A, 0x00, 0x99])
        {
            for (var register = 0; register < 10; register++)
                Write(register, value);
            Write(0x32, value);
            _clock.Advance(Second * 3600 * 25);
            Time();
        }
    }

    [Theory, InlineData(1), InlineData(null)]
    public void ItDoesNotMatterHowOftenItIsLookedAt(int? fixedSeed)
    {
        var seed = fixedSeed ?? Random.Shared.Next();
        var random = new Random(seed);
        var (often, seldom) = (new ManualClock(), new ManualClock());
        var start = new DateTime(2027, 12, 31, 23, 50, 0, 300);
        var watched = new Mc146818(often, start, Chips.Line(), _ => { });
        var alone = new Mc146818(seldom, start, Chips.Line(), _ => { });
        for (var i = 0; i < 3000; i++)
        {
            if (random.Next(3) == 0)
            {
                var register = random.Next(12);
                var value = register switch
                {
                    A => (random.Next(8) == 0 ? 0x70 : 0x20) | random.Next(16),
                    B => random.Next(256) & (random.Next(4) == 0 ? 0xFF : 0x7F),
                    _ => random.Next(4) == 0 ? random.Next(256) : random.Next(10),
                };
                foreach (var rtc in (Mc146818[])[watched, alone])
                {
                    rtc.Out(0x70, register);
                    rtc.Out(0x71, value);
                }
            }
            var time = random.NextInt64(1L << random.Next(20, 43));
            var steps = random.Next(1, 20);
            for (var step = 0; step < steps; step++)
            {
                often.Drift(time / steps);
                watched.Out(0x70, random.Next(12));
                watched.In(0x71);
                often.RunDue();
            }
            seldom.Drift(time / steps * steps);
            for (var register = 0; register < 14; register++)
            {
                watched.Out(0x70, register);
                alone.Out(0x70, register);
                Assert.True(watched.In(0x71) == alone.In(0x71), $"seed {seed}, step {i}: register {register}");
            }
        }
    }

    [Theory]
    [InlineData("utc", true)]
    [InlineData("localtime", true)]
    [InlineData("2026-01-31", true)]
    [InlineData("2026-01-31T12:34:56", true)]
    [InlineData("2026-02-30", false)]
    [InlineData("", false)]
    [InlineData("now", false)]
    public void Bases(string text, bool isValid)
    {
        Assert.Equal(isValid, RtcBase.TryParse(text, out var value));
        if (text.StartsWith("2026-01"))
            Assert.Equal(new DateTime(2026, 1, 31), value.Start().Date);
    }

    [Fact]
    public void StateIsKept()
    {
        Write(B, 0x52);
        _clock.Advance(Second * 5 / 2);
        Read(C);
        Write(0x33, 0x44);
        var clock = new ManualClock();
        var irq = Chips.Line();
        var rtc = new Mc146818(clock, new DateTime(1999, 1, 1), irq, _ => { });
        Chips.Copy([_clock, _rtc], [clock, rtc]);
        Assert.Equal(_clock.NextDeadline, clock.NextDeadline);
        clock.Advance(Second);
        Assert.True(irq.Level);
        _rtc = rtc;
        Assert.Equal("2027-01-01 6 00:00:01", Time());
        Assert.Equal(0x44, Read(0x33));
    }
}
