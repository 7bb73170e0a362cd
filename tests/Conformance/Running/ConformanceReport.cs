using System.Globalization;
using System.Text;
using DynaTrans.Conformance.Cases;
using DynaTrans.Conformance.Native;

namespace DynaTrans.Conformance.Running;

/// <summary>Runs the comparison with the host CPU and prints its table.</summary>
internal static class ConformanceReport
{
    private const int LoopsShown = 10;

    internal static int Run(Dictionary<string, string> options)
    {
        if (NativeCpu.TryGet(out var reason) is not { } cpu) return Program.Fail($"no comparison with the host CPU: {reason}");
        var cases = Program.Number(options, "--cases", 1000);
        var seed = (ulong)Program.Number(options, "--seed", 1);
        var encodings = Program.Number(options, "--encodings", Math.Clamp(cases / 60, 4, 24));
        var engine = options.GetValueOrDefault("--engine", "both");
        using var executors = ExecutorSet.Make(engine);
        Console.WriteLine($"seed {seed}, {cases} cases a form over {encodings} encodings, engines: {string.Join(", ", executors.Names)}");
        var run = new ConformanceRun(cpu, executors.Runners, new ConformanceOptions(cases, seed, options.GetValueOrDefault("--filter"), encodings));
        var table = new StringBuilder(Header(executors.Names));
        var totals = new Totals(executors.Names.Count);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        foreach (var result in run.Run())
        {
            if (result.Cases == 0) continue;
            totals.Add(result);
            var row = Row(result);
            table.AppendLine(row);
            var bad = result.Mismatches.Any(m => m > 0);
            if (bad || options.ContainsKey("--all")) Console.WriteLine(row);
            for (var x = 0; x < executors.Names.Count; x++)
                foreach (var example in result.Examples[x])
                    Console.WriteLine($"    {executors.Names[x]}: {example}");
        }
        var summary = totals.Text(executors.Names);
        var loopFailures = 0;
        foreach (var runner in executors.Runners.Where(r => r.Engine is "regions" or "lookaside"))
        {
            var loops = new LoopRun(cpu, runner, seed, options.GetValueOrDefault("--filter")).Run();
            foreach (var failure in loops.Failures.Take(LoopsShown)) Console.WriteLine($"    {runner.Engine}: {failure}");
            if (loops.Forms > 0) summary += $"; {runner.Engine}, {loops}";
            loopFailures += loops.Failures.Count;
        }

        table.AppendLine(summary);
        AppendLeftOut(table);
        if (options.TryGetValue("--table", out var file)) File.WriteAllText(file, table.ToString());
        Console.WriteLine($"{summary} in {watch.Elapsed.TotalSeconds.ToString("F0", CultureInfo.InvariantCulture)} s");
        return totals.AnyMismatch || loopFailures > 0 ? 1 : 0;
    }

    private static string Header(IReadOnlyList<string> engines) =>
        $"| form | cases | of them raise | {string.Join(" | ", engines.Select(e => $"mismatches {e}"))} |\n|---|---|---|{string.Concat(engines.Select(_ => "---|"))}\n";

    private static string Row(FormResult result) =>
        $"| {result.Form} | {result.Cases} | {result.Faults} | {string.Join(" | ", result.Mismatches)} |";

    private static void AppendLeftOut(StringBuilder table)
    {
        table.AppendLine("\nNot compared:\n");
        foreach (var group in InstructionList.LeftOut().GroupBy(p => p.Reason))
            table.AppendLine($"- {group.Key}: {string.Join(", ", group.Select(p => p.Code))}");
    }

    private sealed class Totals(int engines)
    {
        private readonly int[] _badForms = new int[engines];
        private readonly long[] _mismatches = new long[engines];
        private int _forms;
        private long _cases;
        private int _repeated;

        internal bool AnyMismatch => _mismatches.Any(m => m > 0);

        internal void Add(FormResult result)
        {
            _forms++;
            _cases += result.Cases;
            for (var x = 0; x < engines; x++)
            {
                _mismatches[x] += result.Mismatches[x];
                _repeated += result.Repeated[x];
                if (result.Mismatches[x] > 0) _badForms[x]++;
            }
        }

        internal string Text(IReadOnlyList<string> names) =>
            $"{_forms} forms, {_cases} cases; " + string.Join("; ", names.Select((n, x) => $"{n}: {_mismatches[x]} mismatches in {_badForms[x]} forms"))
                + (_repeated == 0 ? string.Empty : $"; {_repeated} run again");
    }
}
