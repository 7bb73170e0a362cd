using System.Diagnostics;

namespace DynaTrans.Devices;

/// <summary>Time that passes as the host's monotonic clock does, except while it is paused.</summary>
public sealed class HostClock : VirtualClock
{
    private const long Second = 1_000_000_000;

    // Now is the host's time less this, or stands still.
    private long _origin = Host;
    private long _paused = -1;

    /// <inheritdoc/>
    public override long Now => _paused >= 0 ? _paused : Host - _origin;

    // On Linux the stopwatch counts nanoseconds; a look at the time is part of many a port access.
    private static long Host => Stopwatch.Frequency == Second
        ? Stopwatch.GetTimestamp()
        : (long)((Int128)Stopwatch.GetTimestamp() * Second / Stopwatch.Frequency);

    /// <summary>Stops the time: the machine is not running.</summary>
    public void Pause()
    {
        if (_paused < 0)
            _paused = Now;
    }

    /// <summary>Lets the time go on from where it stopped.</summary>
    public void Resume()
    {
        if (_paused < 0)
            return;
        _origin = Host - _paused;
        _paused = -1;
    }

    /// <inheritdoc/>
    protected override void SetNow(long now)
    {
        _origin = Host - now;
        if (_paused >= 0)
            _paused = now;
    }
}
