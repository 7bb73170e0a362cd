using System.Diagnostics;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.Runtime.Execution;

/// <summary>What a guest thread's time goes to.</summary>
public enum VcpuActivity
{
    /// <summary>Anything else: the thread's start and end, signals, faults.</summary>
    Other,

    /// <summary>Choosing what runs next.</summary>
    Dispatching,

    /// <summary>The interpreter, with the helpers that it calls.</summary>
    Interpreting,

    /// <summary>Translated code, with the helpers that it calls.</summary>
    Translated,

    /// <summary>Decoding, lifting, and the passes.</summary>
    Lifting,

    /// <summary>Asking for translations; with a translator that has no thread of its own, making them.</summary>
    CompileWait,

    /// <summary>Dropping blocks whose bytes changed.</summary>
    Invalidating,

    /// <summary>System calls, waiting in them included.</summary>
    SystemCalls,
}

/// <summary>
/// Where the time of one vCPU's thread goes (<c>--stats</c>): a clock that always runs for exactly one <see cref="VcpuActivity"/>, so that the
/// parts add up to the whole. For the thread that runs the vCPU; others may read it once the vCPU has ended.
/// </summary>
public sealed class ActivityTimes
{
    private readonly long[] _ticks = new long[Enum.GetValues<VcpuActivity>().Length];
    private readonly long[] _leaves = new long[ExitCauses.Count];
    private VcpuActivity _current = VcpuActivity.Other;
    private long _since = Stopwatch.GetTimestamp();

    /// <summary>How often translated code returned to the dispatcher, by ExitCause.</summary>
    public ReadOnlySpan<long> Leaves => _leaves;

    /// <summary>Stopwatch ticks by <see cref="VcpuActivity"/>, up to the last <see cref="Enter"/>.</summary>
    public ReadOnlySpan<long> Ticks => _ticks;

    /// <summary>The managed thread that runs the vCPU.</summary>
    internal int ThreadId { get; private set; }

    /// <summary>From now on time is spent on <paramref name="next"/>.</summary>
    /// <returns>What it was spent on until now.</returns>
    public VcpuActivity Enter(VcpuActivity next)
    {
        var now = Stopwatch.GetTimestamp();
        _ticks[(int)_current] += now - _since;
        _since = now;
        var last = _current;
        _current = next;
        return last;
    }

    /// <summary>As <see cref="Enter"/>, and the calling thread is the one that runs the vCPU.</summary>
    internal void EnterOnThread(VcpuActivity next)
    {
        ThreadId = Environment.CurrentManagedThreadId;
        Enter(next);
    }

    internal void CountLeave(int cause) => _leaves[cause]++;
}
