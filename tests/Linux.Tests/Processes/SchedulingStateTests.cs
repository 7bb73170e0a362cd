using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Tests.Processes;

/// <summary>What RLIMIT_NICE and RLIMIT_RTPRIO allow a thread of a user without rights.</summary>
public sealed class SchedulingStateTests
{
    [Theory]
    [InlineData(5, 5, 0, true)]
    [InlineData(5, 4, 0, false)]
    [InlineData(5, 0, 20, true)]
    [InlineData(5, -1, 20, false)]
    [InlineData(5, -20, 40, true)]
    public void NiceValues(int now, int wanted, int limit, bool allowed) =>
        Assert.Equal(allowed, SchedulingState.AllowsNice(now, wanted, Limits(limit, 0)));

    [Theory]
    [InlineData(SchedulingState.FirstIn, 2, 2, true)]
    [InlineData(SchedulingState.FirstIn, 3, 2, false)]
    [InlineData(SchedulingState.RoundRobin, 1, 0, false)]
    [InlineData(SchedulingState.Batch, 0, 0, true)]
    [InlineData(SchedulingState.Idle, 0, 0, true)]
    [InlineData(SchedulingState.Deadline, 0, 99, false)]
    public void Policies(int policy, int priority, int limit, bool allowed) =>
        Assert.Equal(allowed, default(SchedulingState).MayBecome(
            new SchedulingState { Policy = policy, Priority = (uint)priority }, Limits(0, limit)));

    [Fact]
    public void WhatIsGivenUpComesBackByALimitOnly()
    {
        var idle = new SchedulingState { Policy = SchedulingState.Idle };
        Assert.False(idle.MayBecome(default, Limits(19, 0)));
        Assert.True(idle.MayBecome(default, Limits(20, 0)));
        Assert.False(new SchedulingState { IsResetOnFork = true }.MayBecome(default, Limits(40, 99)));
    }

    private static ResourceLimits Limits(int nice, int realTime)
    {
        var limits = new ResourceLimits();
        limits[ResourceLimits.Nice] = ((ulong)nice, (ulong)nice);
        limits[ResourceLimits.RealTimePriority] = ((ulong)realTime, (ulong)realTime);
        return limits;
    }
}
