using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Processes;

/// <summary>
/// RLIMIT_CPU of a process: SIGXCPU at the soft limit and each second after it, SIGKILL at the hard one. CPU time is looked at when so much
/// time has passed that it could have been used up by one thread, at the latest each second near the limit.
/// </summary>
internal sealed class CpuLimit : IDisposable
{
    private const long Second = 1_000_000_000, Step = 20;

    private readonly GuestProcess _process;
    private readonly Timer _timer;
    private ulong _warned;

    /// <summary>Begins to watch the limit of a process.</summary>
    public CpuLimit(GuestProcess process)
    {
        _process = process;
        _timer = new Timer(static self => ((CpuLimit)self!).Look(), this, Step, Timeout.Infinite);
    }

    /// <summary>Looks again: the limit was changed.</summary>
    public void Changed()
    {
        _warned = 0;
        _timer.Change(0, Timeout.Infinite);
    }

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        var (soft, hard) = _process.Limits[ResourceLimits.Cpu];
        var used = _process.CpuTime();
        if (hard != ResourceLimits.Infinity && used >= Nanoseconds(hard))
        {
            _process.Send(SignalInfo.Sent(Signal.Kill, SignalInfo.FromKernel, 0, 0));
            return;
        }

        var next = Math.Max(soft, _warned);
        if (soft != ResourceLimits.Infinity && used >= Nanoseconds(next))
        {
            _process.Send(SignalInfo.Sent(Signal.Xcpu, SignalInfo.FromKernel, 0, 0));
            _warned = next = ((ulong)used / (ulong)Second) + 1;
        }

        if (soft == ResourceLimits.Infinity && hard == ResourceLimits.Infinity)
            return;
        var left = (Math.Min(Nanoseconds(next), Nanoseconds(hard)) - used) / 1_000_000 / Environment.ProcessorCount;
        _timer.Change(Math.Clamp(left, Step, int.MaxValue - 1), Timeout.Infinite);
    }

    private static long Nanoseconds(ulong seconds) => seconds > long.MaxValue / Second ? long.MaxValue : (long)seconds * Second;
}
