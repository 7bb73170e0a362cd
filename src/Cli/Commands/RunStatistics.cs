using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Memory;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Paging;
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
    private long[] _exits = [];
    private long[] _leaves = [];
    private long[] _ticks = [];
    private ulong _instructions, _interpreted;
    private MmuStatistics? _paging;
    private long _blocks, _liftedInstructions, _invalidations, _flushes, _compared, _notCompared, _lookUps, _fills, _contexts;

    /// <summary>The counters of all translators of the run.</summary>
    public TranslatorStatistics Translators { get; } = new();

    /// <summary>The resident memory of the guests.</summary>
    public GuestMemoryMeter Memory { get; } = new();

    /// <summary>Makes a new processor note where its time goes.</summary>
    public static void Watch(Vcpu vcpu) => vcpu.Times = new ActivityTimes();

    /// <summary>Adds the counters of a processor that has ended.</summary>
    public void Add(Vcpu vcpu)
    {
        lock (_gate)
        {
            _instructions += vcpu.State->Execution.InstructionCount;
            Add(ref _exits, vcpu.Exits);
            if (vcpu.Mmu is { } mmu)
                _paging = mmu.Statistics;
            if (vcpu.Times is not { } times)
                return;
            times.End();
            _interpreted += times.Interpreted;
            Add(ref _ticks, times.Ticks);
            Add(ref _leaves, times.Leaves);
        }
    }

    /// <summary>Adds the counters of a block cache that ends.</summary>
    public void Add(ProcessMemory memory) => Add(memory.Cache);

    /// <summary>Adds the counters of a block cache that ends.</summary>
    public void Add(BlockCache blocks)
    {
        var cache = blocks.Statistics;
        lock (_gate)
        {
            _blocks += cache.Blocks;
            _liftedInstructions += cache.LiftedInstructions;
            _invalidations += cache.Invalidations;
            _flushes += cache.Flushes;
            _lookUps += cache.JumpCacheMisses;
            _fills += cache.EntryCacheFills;
            _contexts += blocks.Contexts.Count;
            _compared += cache.BlocksCompared;
            _notCompared += cache.BlocksNotCompared;
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
            Line("instructions", $"{_instructions}, {_interpreted} of them interpreted");
            Line("speed", $"{_instructions / seconds / 1e6:f1} MIPS");
            Line("blocks", $"{_blocks} lifted, of {_liftedInstructions} instructions");
            Line("look-ups", $"{_lookUps} of blocks, {_fills} of entries of code; code contexts: {_contexts}");
            Line("invalidations", $"{_invalidations} blocks, {_flushes} flushes of the cache");
            Line("translations", $"{Translators.Regions} regions, of {Translators.Blocks} blocks ({Translators.Copies} copied, {Translators.Repeats} again), {Translators.Discarded} discarded, {Translators.Recompiled} recompiled for slow accesses");
            if (Translators.PrecompiledRegions + Translators.PrecompiledDiffering > 0)
                Line("from the cache", $"{Translators.PrecompiledRegions} regions, of {Translators.PrecompiledBytes} bytes; {Translators.PrecompiledEntries} entries; {Translators.PrecompiledDiffering} times other bytes, {Translators.PrecompiledDropped} dropped; their instructions are not counted");
            Line("shared", $"{Translators.Adopted} regions of other address spaces; {LiftedBlocks.Shared.Count} blocks kept for several");
            if (_paging is { } paging)
            {
                Line("paging", $"{paging.FullFlushes} flushes, {paging.Flushes} of what is not global ({paging.SupervisorFlushes} with supervisor code), {paging.PageFlushes} of a page");
                Line("code pages", $"{Translators.Compared} comparisons of a region, {Translators.Parked} gave way to other code");
            }

            if (Translators.FirstFailure is { } failure)
                Line("lost regions", $"{Translators.Failed}, interpreted instead; the first: {failure}");
            Line("compiling", $"{Seconds(Translators.CompileTicks):f3} s, by all threads");
            Line("left code", $"{Causes(_leaves)}");
            Line("exits", $"{Causes(_exits)}");
            if (Memory.Peak > 0)
                Line("guest memory", $"{Mebibytes(Memory.Resident)} MiB resident at the end, {Mebibytes(Memory.Peak)} MiB at the peak");
            var heap = GC.GetGCMemoryInfo();
            Line("managed heap", $"{Mebibytes((ulong)GC.GetTotalMemory(false))} MiB, {Mebibytes((ulong)heap.TotalCommittedBytes)} MiB committed; {GC.CollectionCount(0)} collections");
            Line("host process", $"{Mebibytes(HostMemory("VmRSS:"))} MiB resident at the end, {Mebibytes(HostMemory("VmHWM:"))} MiB at the peak");
            if (verified)
                Line("verified", $"{_compared} block executions without a difference, {_notCompared} not compared");
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

    private static string Mebibytes(ulong bytes) => (bytes / 1048576.0).ToString("f1", CultureInfo.InvariantCulture);

    // Of proc_pid_status(5), in KiB there; with the guests' memory in it.
    private static ulong HostMemory(string name) =>
        HostCalls.LineOf(HostCalls.ReadText("/proc/self/status"), name) is { } line
            && ulong.TryParse(line.Replace("kB", string.Empty, StringComparison.Ordinal).Trim(), out var kibibytes) ? kibibytes * 1024 : 0;

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
                    _instructions, Translators.Regions, Stopwatch.GetElapsedTime(0, Translators.CompileTicks).TotalSeconds),
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
