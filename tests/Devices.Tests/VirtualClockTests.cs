using Xunit;

namespace DynaTrans.Devices.Tests;

public sealed class VirtualClockTests
{
    [Fact]
    public void TimersRunInOrderOfDeadline()
    {
        var clock = new ManualClock();
        var log = new List<string>();
        var a = clock.AddTimer(due => log.Add($"a{due}"));
        var b = clock.AddTimer(due => log.Add($"b{due}"));
        var c = clock.AddTimer(due => log.Add($"c{due}"));
        c.Arm(30);
        a.Arm(20);
        b.Arm(20);
        Assert.Equal(20, clock.NextDeadline);
        clock.Jump(19);
        Assert.Empty(log);
        clock.Jump(20);
        Assert.Equal(["a20", "b20", "c30"], log);
        Assert.Equal(long.MaxValue, clock.NextDeadline);
        Assert.False(a.IsArmed);
    }

    [Fact]
    public void ATimerThatFellBehindRunsOnceACall()
    {
        var clock = new ManualClock();
        var runs = 0;
        DeviceTimer? timer = null;
        timer = clock.AddTimer(due =>
        {
            runs++;
            timer!.Arm(due + 1);
        });
        timer.Arm(1);
        clock.Jump(1000);
        Assert.Equal(1, runs);
        Assert.Equal(2, clock.NextDeadline);
        clock.RunDue();
        Assert.Equal(2, runs);
    }

    [Fact]
    public void AnEarlierDeadlineIsTold()
    {
        var clock = new ManualClock();
        var told = new List<long>();
        clock.DeadlineChanged += told.Add;
        DeviceTimer? a = null;
        a = clock.AddTimer(due => a!.Arm(due + 100));
        var b = clock.AddTimer(_ => { });
        a.Arm(100);
        b.Arm(200);
        b.Arm(50);
        b.Disarm();
        Assert.Equal([100, 50], told);
        clock.Jump(100);
        Assert.Equal([100, 50, 200], told);
    }

    [Fact]
    public void InstructionsMakeTime()
    {
        var executed = 0L;
        var clock = new InstructionClock(() => executed, 300_000_000);
        var runs = new List<long>();
        clock.AddTimer(_ => runs.Add(executed)).Arm(1000);
        Assert.Equal(300, clock.InstructionsUntil(clock.NextDeadline));
        executed = 299;
        clock.RunDue();
        Assert.Empty(runs);
        Assert.Equal(1, clock.InstructionsUntil(clock.NextDeadline));
        executed = 300;
        clock.RunDue();
        Assert.Equal([300], runs);
        clock.SkipTo(5000);
        clock.SkipTo(10);
        Assert.Equal(5000, clock.Now);
        executed = 303;
        Assert.Equal(5010, clock.Now);
        Assert.Equal(0, clock.InstructionsUntil(5010));
        Assert.Equal(long.MaxValue, new InstructionClock(() => 0, 1_000_000_000_000).InstructionsUntil(long.MaxValue));
    }

    [Fact]
    public void APausedHostClockStands()
    {
        var clock = new HostClock();
        clock.Pause();
        var now = clock.Now;
        Thread.Sleep(2);
        Assert.Equal(now, clock.Now);
        clock.Resume();
        Assert.True(clock.Now >= now);
    }

    [Fact]
    public void TimeAwaitsTimersThatTheHostRunsLate()
    {
        var host = 5_000_000L;
        var overdue = 0;
        var clock = new HostClock(() => host) { Overdue = () => overdue++ };
        var ran = 0;
        var timer = clock.AddTimer(_ => ran++);
        timer.Arm(1_000_000);
        host += 999_999;
        Assert.Equal((999_999, 0), (clock.Now, overdue));

        // The host has done something else for a second.
        host += 1_000_000_000;
        Assert.InRange(clock.Now, 1_000_000, 1_200_000);
        Assert.Equal(1, overdue);
        clock.RunDue();
        Assert.Equal((1, 1), (ran, overdue));

        // It catches up, and tells when it will be where.
        var before = clock.Now;
        timer.Arm(before + 4_000_000);
        Assert.Equal(host + 2_000_000, clock.HostTimeOf(timer.Deadline));
        host += 2_000_000;
        Assert.Equal((timer.Deadline, 2), (clock.Now, overdue));
        clock.RunDue();
        Assert.Equal(2, ran);
        Assert.Equal(5_000_000 + 3_000_000_000, clock.HostTimeOf(3_000_000_000));
        Assert.Equal(long.MaxValue, clock.HostTimeOf(long.MaxValue));
        host = clock.HostTimeOf(1_100_000_000);
        Assert.InRange(clock.Now, 1_099_999_990, 1_100_000_010);
        host = 5_000_000 + 3_000_000_000;
        Assert.Equal(3_000_000_000, clock.Now);
    }

    [Fact]
    public void TimeNeverFallsAndDoesNotStayBehindForEver()
    {
        var host = 0L;
        var clock = new HostClock(() => host);
        var timer = clock.AddTimer(_ => { });
        host = 1000;
        Assert.Equal(1000, clock.Now);
        timer.Arm(0);
        host = 500_000;
        var late = clock.Now;
        Assert.InRange(late, 1000, 200_000);
        host = 60_000_000_000;
        Assert.Equal(50_000_000_000, clock.Now);
        timer.Disarm();
        clock.Pause();
        host = 90_000_000_000;
        Assert.Equal(50_000_000_000, clock.Now);
        clock.Resume();
        Assert.Equal(50_000_000_000, clock.Now);
        host += 4_000_000_000;
        Assert.Equal(58_000_000_000, clock.Now);
        host += 8_000_000_000;
        Assert.Equal(72_000_000_000, clock.Now);
    }

    // As a kernel looks whether the timer works: it waits for ticks by the time-stamp counter.
    [Theory]
    [InlineData(2_000_000)]
    [InlineData(36_000_000)]
    [InlineData(150_000_000)]
    public void TicksOfABusyHostAreAsManyAsTheyShouldBe(long gap)
    {
        var host = 0L;
        var isOverdue = false;
        var clock = new HostClock(() => host) { Overdue = () => isOverdue = true };
        var ticks = 0;
        var timer = new Intel8254(clock, Chips.Line(() => ticks++));
        timer.Write(0x43, 1, 0x34);
        timer.Write(0x40, 1, 0xA5);
        timer.Write(0x40, 1, 0x12);
        for (var i = 0; clock.Now < 160_000_000; i++)
        {
            host += i % 3000 == 0 ? gap : 1000;
            if (isOverdue)
                clock.RunDue();
            isOverdue = false;
        }
        Assert.InRange(ticks, 38, 41);
    }

    [Fact]
    public void TimeIsSavedAndRestored()
    {
        var clock = new ManualClock();
        var timer = clock.AddTimer(_ => { });
        clock.Jump(77);
        timer.Arm(99);
        var writer = new StateWriter();
        writer.WriteDevices([clock]);
        timer.Save(writer);

        var other = new ManualClock();
        var restored = other.AddTimer(_ => { });
        var reader = new StateReader(writer.Written);
        reader.ReadDevices([other]);
        restored.Load(reader);
        Assert.Equal(77, other.Now);
        Assert.Equal(99, other.NextDeadline);
    }
}
