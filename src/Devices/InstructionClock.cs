namespace DynaTrans.Devices;

/// <summary>
/// Time that is a function of executed instructions: two runs of the same guest see the same times. While the CPU is idle the machine skips to the next
/// deadline.
/// </summary>
/// <param name="executed">How many instructions the machine's vCPU has executed so far. Asked at each look at the time; it never falls.</param>
/// <param name="perSecond">Instructions that make a second, 1 to 10^12.</param>
public sealed class InstructionClock(Func<long> executed, long perSecond = 1_000_000_000) : VirtualClock
{
    private const long Second = 1_000_000_000;

    // The time and the count from which instructions are counted: the start, or the last skip.
    private long _origin;
    private long _counted;

    /// <inheritdoc/>
    public override long Now => _origin + (long)((Int128)(executed() - _counted) * Second / perSecond);

    /// <summary>
    /// After how many more instructions <see cref="Now"/> reaches a time: the budget with which to run until then. 0 where it has; at most
    /// <see cref="long.MaxValue"/>.
    /// </summary>
    public long InstructionsUntil(long time)
    {
        if (time <= _origin)
            return 0;
        var count = ((Int128)(time - _origin) * perSecond + (Second - 1)) / Second - (executed() - _counted);
        return count <= 0 ? 0 : count > long.MaxValue ? long.MaxValue : (long)count;
    }

    /// <summary>Goes forward to a time, without instructions: the CPU is idle until then. Times that have passed change nothing.</summary>
    public void SkipTo(long time)
    {
        if (time > Now)
            SetNow(time);
    }

    /// <inheritdoc/>
    protected override void SetNow(long now)
    {
        _origin = now;
        _counted = executed();
    }
}
