using DynaTrans.Conformance.Native;
using Xunit;
using Xunit.Abstractions;

namespace DynaTrans.Conformance.Running;

/// <summary>A short comparison of every instruction form with the host CPU; <c>eng/conformance</c> runs the long one.</summary>
public class ConformanceTests(ITestOutputHelper output)
{
    private const ulong Seed = 20;

    [SkippableTheory]
    [InlineData("interp", 60, 3)]
    [InlineData("regions", 16, 1)]
    [InlineData("lookaside", 8, 1)]
    public void EveryFormAgreesWithTheHostCpu(string engine, int cases, int encodings)
    {
        var cpu = NativeCpu.TryGet(out var reason);
        Skip.If(cpu is null, reason);
        using var executors = ExecutorSet.Make(engine);
        var run = new ConformanceRun(cpu!, executors.Runners, new ConformanceOptions(cases, Seed, null, encodings));
        var problems = new List<string>();
        int forms = 0, total = 0;
        foreach (var result in run.Run())
        {
            forms++;
            total += result.Cases;
            if (result.Mismatches[0] != 0) problems.Add($"{result.Form}: {result.Mismatches[0]} of {result.Cases}, {string.Join("; ", result.Examples[0].Take(2))}");
        }
        output.WriteLine($"{engine}: seed {Seed}, {forms} forms, {total} cases, {problems.Count} forms with mismatches");
        Assert.True(problems.Count == 0, string.Join("\n", problems));
    }
}
