using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Cli.Commands;

/// <summary>Gathers the counters of all processors, caches and translators of a run. Thread-safe.</summary>
internal sealed unsafe class RunStatistics
{
    private static readonly (VcpuActivity Activity, string Name)[] Names =
    [
        (VcpuActivity.Translated, "translated"), (VcpuActivity.Interpreting, "interpreting"), (VcpuActivity.Dispatching, "dispatching"),
        (VcpuActivity.Lifting, "lifting"), (VcpuActivity.CompileWait, "compile wait"), (VcpuActivity.Invalidating, "invalidating"),
        (VcpuActivity.SystemCalls, "system calls"), (VcpuActivity.Other, "other"),
    ];

    private readonly Lock _gate = new();
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly HashSet<CacheStatistics> _caches = [];
    private readonly List<TranslatorStatistics> _translators = [];
    private long[] _exits = [];
    private long[] _leaves = [];
    private long[] _ticks = [];
    private ulong _instructions;

    /// <summary>Remembers a translator, for its counters at the end.</summary>
    public void Add(Translator translator)
    {
        lock (_gate)
            _translators.Add(translator.Statistics);
    }

    /// <summary>Makes a new processor note where its time goes.</summary>
    public static void Watch(Vcpu vcpu) => vcpu.Times = new ActivityTimes();

    /// <summary>Adds the counters of a processor that has ended.</summary>
    public void Add(Vcpu vcpu)
    {
        lock (_gate)
        {
            _instructions += vcpu.State->InstructionCount;
            _caches.Add(vcpu.Cache.Statistics);
            Add(ref _exits, vcpu.Exits);
            if (vcpu.Times is not { } times)
                return;
            times.Enter(VcpuActivity.Other);
            Add(ref _ticks, times.Ticks);
            Add(ref _leaves, times.Leaves);
        }
    }

    private static void Add(ref long[] sums, ReadOnlySpan<long> counts)
    {
        if (sums.Length == 0)
            sums = new long[counts.Length];
        for (var i = 0; i < sums.Length; i++)
            sums[i] += counts[i];
    }

    /// <summary>The counters as text of several lines.</summary>
    /// <param name="verified">Say what was compared too.</param>
    public string Describe(bool verified)
    {
        var text = new StringBuilder();
        lock (_gate)
        {
            var seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
            Line("time", $"{seconds:f3} s");
            DescribeTimes(Line);
            Line("instructions", $"{_instructions}");
            Line("speed", $"{_instructions / seconds / 1e6:f1} MIPS");
            Line("blocks", $"{_caches.Sum(c => c.Blocks)} lifted, of {_caches.Sum(c => c.LiftedInstructions)} instructions");
            Line("invalidations", $"{_caches.Sum(c => c.Invalidations)} blocks, {_caches.Sum(c => c.Flushes)} flushes of the cache");
            Line("translations", $"{_translators.Sum(t => t.Regions)} regions, of {_translators.Sum(t => t.Blocks)} blocks, {_translators.Sum(t => t.Discarded)} discarded, {_translators.Sum(t => t.Recompiled)} made again for slow accesses");
            Line("compiling", $"{Seconds(_translators.Sum(t => t.CompileTicks)):f3} s, by all threads");
            Line("left code", $"{Causes(_leaves)}");
            Line("exits", $"{Causes(_exits)}");
            if (verified)
                Line("verified", $"{_caches.Sum(c => c.BlocksCompared)} block executions without a difference, {_caches.Sum(c => c.BlocksNotCompared)} not compared");
        }

        return text.ToString();

        void Line(string name, FormattableString value) =>
            text.Append("dynatrans: ").Append(name.PadRight(16)).AppendLine(value.ToString(CultureInfo.InvariantCulture));
    }

    // The time of all guest threads; the parts add up to it.
    private void DescribeTimes(Action<string, FormattableString> line)
    {
        var total = Math.Max(1, _ticks.Sum());
        if (_ticks.Sum() == 0)
            return;
        line("guest threads", $"{Seconds(total):f3} s, of that");
        foreach (var (activity, name) in Names)
            line("  " + name, $"{Seconds(_ticks[(int)activity]),8:f3} s {100.0 * _ticks[(int)activity] / total,5:f1} %");
    }

    private static double Seconds(long ticks) => (double)ticks / Stopwatch.Frequency;

    private static string Causes(long[] counts)
    {
        var seen = counts.Select((count, cause) => (count, cause)).Where(c => c.count != 0).OrderByDescending(c => c.count)
            .Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.count} {(ExitCause)c.cause}"));
        return string.Join(", ", seen) is { Length: > 0 } text ? text : "none";
    }

    /// <summary>The counters that <c>bench</c> wants of its children.</summary>
    public string ToJson()
    {
        lock (_gate)
            return JsonSerializer.Serialize(
                new RunCounters(
                    _instructions, _translators.Sum(t => t.Regions),
                    Stopwatch.GetElapsedTime(0, _translators.Sum(t => t.CompileTicks)).TotalSeconds),
                CounterContext.Default.RunCounters);
    }
}

/// <summary>Counters handed from a child process to <c>bench</c>.</summary>
/// <param name="Instructions">Guest instructions executed.</param>
/// <param name="Translations">Regions compiled.</param>
/// <param name="CompileSeconds">Time spent emitting and compiling.</param>
internal sealed record RunCounters(ulong Instructions, long Translations, double CompileSeconds);

/// <summary>Serialisation without reflection: it is quicker to start.</summary>
[System.Text.Json.Serialization.JsonSerializable(typeof(RunCounters))]
internal sealed partial class CounterContext : System.Text.Json.Serialization.JsonSerializerContext;
