using System.Diagnostics;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Privileged;

/// <summary>The time-stamp counter: the host's time, or that of the machine's clock, at 1 GHz (SDM Vol. 3, 17.17).</summary>
public static unsafe class TimeStamps
{
    /// <summary>Ticks a second. The clock of a local APIC's timer has the same, which cpuid leaf 15H tells.</summary>
    public const ulong Frequency = 1_000_000_000;

    /// <summary>The counter.</summary>
    public static ulong Read(CpuState* s) => (s->Execution.TimeStampReader == null ? Host() : OfMachine(s)) + s->System.TscOffset;

    // In integers: guest code is running, and the host's MXCSR collects its flags.
    private static ulong Host()
    {
        var (seconds, rest) = Math.DivRem((ulong)Stopwatch.GetTimestamp(), (ulong)Stopwatch.Frequency);
        return (seconds * Frequency) + (rest * Frequency / (ulong)Stopwatch.Frequency);
    }

    [UnderHostMxcsr]
    private static ulong OfMachine(CpuState* s)
    {
        var mxcsr = HostMxcsr.Suspend();
        var value = s->Execution.TimeStampReader(s);
        HostMxcsr.Resume(mxcsr);
        return value;
    }
}
