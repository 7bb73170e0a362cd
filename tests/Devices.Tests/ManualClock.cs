namespace DynaTrans.Devices.Tests;

/// <summary>A clock that the test sets: time passes deadline by deadline.</summary>
internal sealed class ManualClock : VirtualClock
{
    private long _now;

    public override long Now => _now;

    /// <summary>Lets time pass, stopping at each deadline to run what is due then.</summary>
    public void Advance(long nanoseconds) => AdvanceTo(_now + nanoseconds);

    public void AdvanceTo(long time)
    {
        while (NextDeadline <= time)
        {
            _now = Math.Max(_now, NextDeadline);
            RunDue();
        }
        _now = time;
    }

    /// <summary>Lets time pass in one step, as on a host that was busy: deadlines are run late.</summary>
    public void Jump(long nanoseconds)
    {
        _now += nanoseconds;
        RunDue();
    }

    /// <summary>Lets time pass without running anything.</summary>
    public void Drift(long nanoseconds) => _now += nanoseconds;

    protected override void SetNow(long now) => _now = now;
}
