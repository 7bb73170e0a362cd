using System.Diagnostics;

namespace DynaTrans.Devices;

/// <summary>
/// Time that passes as the host's monotonic clock does, except while it is paused, and where the host was too busy to run the machine. A timer that is due
/// is run before time goes on: it falls behind the host's, and makes up for that faster than the host's but not at once. So who waits with one clock of the
/// machine for what another one does (ticks of an interrupt in so many cycles) gets what it waits for, however late the host is.
/// </summary>
public sealed class HostClock : VirtualClock
{
    private const long Second = 1_000_000_000;

    // How far time may go beyond a deadline whose timer has not run: a host that is not busy is as late as that.
    private const long Tolerance = 100_000;

    // How many times as fast as the host's the time goes while it is behind. A kernel must have time to take a tick before the next one comes, which it
    // does not do while it keeps interrupts disabled.
    private const long Speed = 2;

    // The most that it falls behind. More is a host that is too slow for what it is to do, or that has stopped the machine: ticks get lost then.
    private const long MostLag = 10 * Second;

    private readonly Func<long> _host;

    // The last look: the host's time and the one that was given. The latter would be the host's less the origin, were it never behind.
    private long _lookedAt;
    private long _last;
    private long _origin;
    private bool _isPaused;

    /// <summary>Makes a clock that stands at 0 now.</summary>
    /// <param name="host">The host's time in nanoseconds, from any start; it never falls. Null: the system's monotonic clock.</param>
    public HostClock(Func<long>? host = null)
    {
        _host = host ?? SystemTime;
        SetNow(0);
    }

    /// <summary>Called when a look at the time has found that a timer is due and has not run yet: the machine should do so soon.</summary>
    public Action? Overdue { get; set; }

    /// <inheritdoc/>
    public override long Now
    {
        get
        {
            if (_isPaused)
                return _last;
            var host = _host();
            var now = host - _origin;
            if (_lookedAt - _origin != _last || now >= NextDeadline)
                now = Limit(host, now);
            _lookedAt = host;
            _last = now;
            return now;
        }
    }

    /// <summary>The system's monotonic clock, in nanoseconds. From any thread.</summary>
    // On Linux the stopwatch counts nanoseconds; a look at the time is part of many a port access.
    public static long SystemTime() => Stopwatch.Frequency == Second
        ? Stopwatch.GetTimestamp()
        : (long)((Int128)Stopwatch.GetTimestamp() * Second / Stopwatch.Frequency);

    /// <summary>When, in the host's time, the machine's reaches a value if nothing holds it up; <see cref="long.MaxValue"/> for <see cref="long.MaxValue"/>.</summary>
    public long HostTimeOf(long time)
    {
        if (time == long.MaxValue)
            return long.MaxValue;
        var ahead = time - _last;

        // At this time it is no longer behind.
        var caughtUp = Math.DivRem(_lookedAt - _origin - _last, Speed - 1, out var rest) + rest;
        return ahead <= caughtUp * Speed ? _lookedAt + ahead / Speed : time + _origin;
    }

    /// <summary>Stops the time: the machine is not running.</summary>
    public void Pause()
    {
        _ = Now;
        _isPaused = true;
    }

    /// <summary>Lets the time go on from where it stopped.</summary>
    public void Resume()
    {
        if (!_isPaused)
            return;
        _isPaused = false;
        var host = _host();
        _origin += host - _lookedAt;
        _lookedAt = host;
    }

    /// <inheritdoc/>
    protected override void SetNow(long now)
    {
        _lookedAt = _host();
        _origin = _lookedAt - now;
        _last = now;
    }

    private long Limit(long host, long now)
    {
        var least = Math.Max(_last, now - MostLag);
        now = Math.Min(now, _last + (host - _lookedAt) * Speed);
        if (now >= NextDeadline)
        {
            now = Math.Min(now, NextDeadline + Tolerance);
            if (!IsRunningTimers)
                Overdue?.Invoke();
        }
        return Math.Max(now, least);
    }
}
