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
/// Where the time of one vCPU's thread goes (<c>--stats</c>). What it is doing is a field that it sets, which costs next to nothing; a thread that looks
/// at it every so often (<see cref="ActivitySampler"/>) enters the time between two looks under what it finds. So the parts add up to the
/// whole, and each is exact up to chance: of a part with n looks some square root of n. For the thread that runs the vCPU.
/// </summary>
public sealed class ActivityTimes
{
    private readonly long[] _ticks = new long[Enum.GetValues<VcpuActivity>().Length];
    private readonly long[] _leaves = new long[ExitCauses.Count];
    private int _current = (int)VcpuActivity.Other;
    private long _since = Stopwatch.GetTimestamp();

    /// <summary>Begins to count.</summary>
    public ActivityTimes() => ActivitySampler.Add(this);

    /// <summary>How often translated code returned to the dispatcher, by ExitCause.</summary>
    public ReadOnlySpan<long> Leaves => _leaves;

    /// <summary>Stopwatch ticks by <see cref="VcpuActivity"/>; complete after <see cref="End"/>.</summary>
    public ReadOnlySpan<long> Ticks => _ticks;

    /// <summary>The managed thread that runs the vCPU.</summary>
    internal int ThreadId { get; private set; }

    /// <summary>From now on time is spent on <paramref name="next"/>.</summary>
    /// <returns>What it was spent on until now.</returns>
    public VcpuActivity Enter(VcpuActivity next)
    {
        var last = (VcpuActivity)_current;
        Volatile.Write(ref _current, (int)next);
        return last;
    }

    /// <summary>The vCPU has ended, and no more is counted.</summary>
    public void End() => ActivitySampler.Remove(this);

    /// <summary>As <see cref="Enter"/>, and the calling thread is the one that runs the vCPU.</summary>
    internal void EnterOnThread(VcpuActivity next)
    {
        ThreadId = Environment.CurrentManagedThreadId;
        Enter(next);
    }

    /// <summary>Instructions that the interpreter has executed, but for those that it executes one by one.</summary>
    public ulong Interpreted { get; internal set; }

    internal void CountLeave(int cause) => _leaves[cause]++;

    /// <summary>Enters the time since the last look. By one thread at a time.</summary>
    internal void Look()
    {
        var now = Stopwatch.GetTimestamp();
        _ticks[Volatile.Read(ref _current)] += now - _since;
        _since = now;
    }
}
