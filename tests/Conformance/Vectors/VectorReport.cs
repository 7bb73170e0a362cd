using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using DynaTrans.Conformance.Running;

namespace DynaTrans.Conformance.Vectors;

/// <summary>Runs the hardware-captured real-mode vectors and prints their table.</summary>
internal static class VectorReport
{
    internal static int Run(Dictionary<string, string> options)
    {
        if (VectorFile.FindFolder() is not { } folder) return Program.Fail("the vectors are not here: ../shared/vectors/i286-real-mode, or DYNATRANS_VECTORS");
        var filter = options.GetValueOrDefault("--filter");
        var engine = options.GetValueOrDefault("--engine", "both");
        var oneIn = Program.Number(options, "--one-in", 1);
        var engines = ExecutorSet.NamesOf(engine);
        var runners = engines.Select(n => new RealModeRunner(n)).ToArray();
        var table = new StringBuilder($"| form | cases | replaced by quirks | {string.Join(" | ", engines.Select(e => $"mismatches {e}"))} |\n");
        table.AppendLine($"|---|---|---|{string.Concat(engines.Select(_ => "---|"))}");
        var watch = System.Diagnostics.Stopwatch.StartNew();
        int forms = 0, cases = 0, quirks = 0;
        var totals = new int[engines.Length];
        foreach (var path in Directory.EnumerateFiles(folder, "*.jsonl.gz").Order(StringComparer.Ordinal))
        {
            var form = Path.GetFileName(path)[..^".jsonl.gz".Length];
            if (filter is not null && !Regex.IsMatch(form, filter, RegexOptions.IgnoreCase)) continue;
            var file = VectorFile.Read(path);
            var result = VectorRun.Run(file, runners, oneIn);
            forms++;
            cases += result.Cases;
            quirks += result.Quirks;
            for (var x = 0; x < engines.Length; x++) totals[x] += result.Mismatches[x];
            var row = $"| {form} | {result.Cases} | {result.Quirks} | {string.Join(" | ", result.Mismatches)} |";
            table.AppendLine(row);
            if (options.ContainsKey("--all") || result.Mismatches.Any(m => m > 0)) Console.WriteLine(row);
            for (var x = 0; x < engines.Length; x++)
                foreach (var example in result.Examples[x])
                    Console.WriteLine($"    {engines[x]}: {example}");
        }
        if (forms == 0) return Program.Fail($"no vectors (*.jsonl.gz) of that name in {folder}");
        var summary = $"{forms} forms, {cases} cases ({quirks} judged by a documented difference); "
            + string.Join("; ", engines.Select((e, x) => $"{e}: {totals[x]} mismatches"));
        table.AppendLine(summary);
        if (options.TryGetValue("--table", out var output)) File.WriteAllText(output, table.ToString());
        Console.WriteLine($"{summary} in {watch.Elapsed.TotalSeconds.ToString("F0", CultureInfo.InvariantCulture)} s");
        foreach (var runner in runners) runner.Dispose();
        return totals.Any(t => t > 0) ? 1 : 0;
    }
}
