namespace DynaTrans.Devices;

/// <summary>A timer of a device, made by <see cref="VirtualClock.AddTimer"/>. It runs once for each time it is armed.</summary>
public sealed class DeviceTimer
{
    private readonly VirtualClock _clock;

    internal DeviceTimer(VirtualClock clock, Action<long> due)
    {
        _clock = clock;
        Due = due;
    }

    /// <summary>True from arming to the run or to disarming.</summary>
    public bool IsArmed { get; private set; }

    /// <summary>When it is due, in nanoseconds of the clock; the last one when it is not armed.</summary>
    public long Deadline { get; private set; }

    internal Action<long> Due { get; }

    // The call of RunDue in which it ran last.
    internal uint Run { get; set; }

    /// <summary>Sets the deadline, in nanoseconds of the clock, in place of an earlier one. One that has passed is due at once.</summary>
    public void Arm(long deadlineNs)
    {
        if (IsArmed)
        {
            if (deadlineNs == Deadline)
                return;
            Disarm();
        }
        IsArmed = true;
        Deadline = deadlineNs;
        _clock.Insert(this);
    }

    /// <summary>Takes the deadline away; nothing happens when there is none.</summary>
    public void Disarm()
    {
        if (!IsArmed)
            return;
        IsArmed = false;
        _clock.Remove(this);
    }

    /// <summary>Writes whether it is armed, and for when.</summary>
    public void Save(StateWriter w)
    {
        w.WriteBoolean(IsArmed);
        w.WriteInt64(IsArmed ? Deadline : 0);
    }

    /// <summary>Arms or disarms it as it was saved.</summary>
    public void Load(StateReader r)
    {
        Disarm();
        var isArmed = r.ReadBoolean();
        var deadline = r.ReadInt64();
        if (isArmed)
            Arm(deadline);
    }
}
