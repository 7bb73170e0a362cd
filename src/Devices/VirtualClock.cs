namespace DynaTrans.Devices;

/// <summary>
/// The time of a machine, in nanoseconds since its start, and the timers of its devices. All devices of a machine use the one clock, on its thread.
/// </summary>
public abstract class VirtualClock : IStatefulDevice
{
    // Armed timers by deadline, those with the same one in the order in which they were armed. There are about ten.
    private readonly List<DeviceTimer> _armed = [];
    private uint _run;

    /// <summary>Nanoseconds since the machine started; it never falls.</summary>
    public abstract long Now { get; }

    /// <summary>The earliest deadline of all armed timers; <see cref="long.MaxValue"/> when none is armed.</summary>
    public long NextDeadline { get; private set; } = long.MaxValue;

    /// <summary>
    /// Called with <see cref="NextDeadline"/> when it has come earlier, and at the end of <see cref="RunDue"/> when it is another than before: who waits for it
    /// on the host's side sets its alarm anew. A deadline that has moved away (a timer disarmed) is not told: the alarm finds nothing due.
    /// </summary>
    public event Action<long>? DeadlineChanged;

    /// <summary>True within <see cref="RunDue"/>.</summary>
    protected bool IsRunningTimers { get; private set; }

    /// <inheritdoc/>
    public string Name => "clock";

    /// <inheritdoc/>
    public int Version => 1;

    /// <summary>Makes a timer, disarmed.</summary>
    /// <param name="due">
    /// Called once for each time it was armed, with the deadline, when <see cref="Now"/> has reached it. It may arm the timer again: a periodic device adds
    /// its period to the deadline, not to <see cref="Now"/>, so that it does not drift.
    /// </param>
    public DeviceTimer AddTimer(Action<long> due) => new(this, due);

    /// <summary>
    /// Runs the timers that are due, in order of deadline, each at most once: one that arms itself for a time that has passed waits for the next call, so that
    /// the work of a call is bounded. A device that has fallen far behind skips what cannot be told apart.
    /// </summary>
    public void RunDue()
    {
        if (IsRunningTimers)
            return;
        IsRunningTimers = true;
        var before = NextDeadline;
        try
        {
            var now = Now;
            if (before > now)
                return;
            _run++;
            while (NextDue(now) is { } timer)
            {
                timer.Run = _run;
                timer.Disarm();
                timer.Due(timer.Deadline);
            }
        }
        finally
        {
            IsRunningTimers = false;
        }
        if (NextDeadline != before)
            DeadlineChanged?.Invoke(NextDeadline);
    }

    /// <inheritdoc/>
    public void Save(StateWriter w) => w.WriteInt64(Now);

    /// <summary>
    /// Sets the time. Load the clock before the devices, whose timers are then armed by their own records.
    /// </summary>
    public void Load(StateReader r, int version)
    {
        var now = r.ReadInt64();
        if (now is < 0 or > long.MaxValue / 4)
            throw new StateException($"the clock's time cannot be {now} ns");
        SetNow(now);
    }

    /// <summary>Goes on from another time.</summary>
    protected abstract void SetNow(long now);

    internal void Insert(DeviceTimer timer)
    {
        var at = _armed.Count;
        while (at > 0 && _armed[at - 1].Deadline > timer.Deadline)
            at--;
        _armed.Insert(at, timer);
        Update();
    }

    internal void Remove(DeviceTimer timer)
    {
        _armed.Remove(timer);
        Update();
    }

    private void Update()
    {
        var next = _armed.Count > 0 ? _armed[0].Deadline : long.MaxValue;
        var isEarlier = next < NextDeadline;
        NextDeadline = next;
        if (isEarlier && !IsRunningTimers)
            DeadlineChanged?.Invoke(next);
    }

    private DeviceTimer? NextDue(long now)
    {
        foreach (var timer in _armed)
        {
            if (timer.Deadline > now)
                return null;
            if (timer.Run != _run)
                return timer;
        }
        return null;
    }
}
