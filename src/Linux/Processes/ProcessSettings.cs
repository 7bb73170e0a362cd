using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Processes;

/// <summary>
/// What a process sets of itself through /proc. The values are the guest's own: they start as the host process's, a child inherits them,
/// and the host process keeps what it has.
/// </summary>
internal sealed class ProcessSettings
{
    /// <summary>Least and greatest <see cref="OomScoreAdjust"/>.</summary>
    public const int MinOomScoreAdjust = -1000, MaxOomScoreAdjust = 1000;

    /// <summary>Bits that <see cref="CoredumpFilter"/> can have.</summary>
    public const uint CoredumpFilterMask = 0x1FF;

    /// <summary>oom_score_adj: how much rather (positive) the process is killed when memory runs out.</summary>
    public int OomScoreAdjust { get; set; }

    /// <summary>The least value that was set by a process with the right to lower it.</summary>
    public int OomScoreAdjustFloor { get; set; }

    /// <summary>coredump_filter: which mappings a core dump would have.</summary>
    public uint CoredumpFilter { get; set; }

    /// <summary>The host process's.</summary>
    public static ProcessSettings FromHost()
    {
        const uint Usual = 0x33;
        var filter = HostCalls.ReadText("/proc/self/coredump_filter")?.Trim();
        var adjust = int.TryParse(HostCalls.ReadText("/proc/self/oom_score_adj"), out var value) ? value : 0;
        return new ProcessSettings
        {
            OomScoreAdjust = adjust,
            OomScoreAdjustFloor = adjust,
            CoredumpFilter = uint.TryParse(filter, System.Globalization.NumberStyles.HexNumber, null, out var bits) ? bits : Usual,
        };
    }

    /// <summary>A copy for a new process.</summary>
    public ProcessSettings Copy() => (ProcessSettings)MemberwiseClone();
}
