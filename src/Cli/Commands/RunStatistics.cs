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
    private readonly Lock _gate = new();
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly HashSet<CacheStatistics> _caches = [];
    private readonly List<TranslatorStatistics> _translators = [];
    private readonly long[] _exits = new long[Enum.GetValues<ExitCause>().Length];
    private ulong _instructions;

    /// <summary>Remembers a translator, for its counters at the end.</summary>
    public void Add(Translator translator)
    {
        lock (_gate)
            _translators.Add(translator.Statistics);
    }

    /// <summary>Adds the counters of a processor that has ended.</summary>
    public void Add(Vcpu vcpu)
    {
        lock (_gate)
        {
            _instructions += vcpu.State->InstructionCount;
            _caches.Add(vcpu.Cache.Statistics);
            for (var i = 0; i < _exits.Length; i++)
                _exits[i] += vcpu.Exits[i];
        }
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
            Line("instructions", $"{_instructions}");
            Line("speed", $"{_instructions / seconds / 1e6:f1} MIPS");
            Line("blocks", $"{_caches.Sum(c => c.Blocks)} lifted, of {_caches.Sum(c => c.LiftedInstructions)} instructions, in {Milliseconds(_caches.Sum(c => c.LiftTicks))}");
            Line("invalidations", $"{_caches.Sum(c => c.Invalidations)} blocks, {_caches.Sum(c => c.Flushes)} flushes of the cache");
            Line("translations", $"{_translators.Sum(t => t.Regions)}, of {_translators.Sum(t => t.Blocks)} blocks, {_translators.Sum(t => t.Discarded)} discarded");
            Line("compile time", Milliseconds(_translators.Sum(t => t.CompileTicks)));
            for (var i = 0; i < _exits.Length; i++)
                if (_exits[i] != 0)
                    Line("exits", $"{_exits[i]} {(ExitCause)i}");
            if (verified)
                Line("verified", $"{_caches.Sum(c => c.BlocksCompared)} block executions without a difference, {_caches.Sum(c => c.BlocksNotCompared)} not compared");
        }

        return text.ToString();

        void Line(string name, FormattableString value) =>
            text.Append("dynatrans: ").Append(name.PadRight(14)).AppendLine(value.ToString(CultureInfo.InvariantCulture));

        static FormattableString Milliseconds(long ticks) => $"{Stopwatch.GetElapsedTime(0, ticks).TotalMilliseconds:f1} ms";
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
