using DynaTrans.Conformance.Cases;
using DynaTrans.Conformance.Native;
using Xunit;
using Xunit.Abstractions;

namespace DynaTrans.Conformance.Running;

/// <summary>
/// Runs random programs of several blocks on the host CPU and, interpreted and as regions, in the shipped command, and compares all state:
/// registers, flags, x87 with its status word, XMM, MXCSR, memory, faults. Each program runs from so many starts that its blocks are
/// translated on the way, at different times.
/// </summary>
public class RegionTests(ITestOutputHelper output)
{
    private const int Programs = 60;
    private const int Starts = 12;
    private const ulong Seed = 30;

    [SkippableTheory]
    [InlineData("interp", 64, "sse")]
    [InlineData("regions", 64, "sse")]
    [InlineData("regions", 32, "sse")]
    [InlineData("regions", 64, "nan")]
    [InlineData("regions", 32, "nan")]
    [InlineData("regions", 64, "mmx")]
    [InlineData("regions", 32, "mmx")]
    [InlineData("interp", 32, "x87")]
    [InlineData("regions", 32, "x87")]
    [InlineData("regions", 64, "x87")]
    [InlineData("regions", 64, "integer")]
    [InlineData("regions", 32, "integer")]
    [InlineData("regions", 64, "all")]
    [InlineData("regions", 32, "all")]
    [InlineData("lookaside", 64, "all")]
    [InlineData("lookaside", 32, "all")]
    public void ProgramsEndAsOnTheHost(string engine, int bitness, string family)
    {
        var cpu = NativeCpu.TryGet(out var reason);
        Skip.If(cpu is null, reason);
        var seed = ulong.TryParse(Environment.GetEnvironmentVariable("DYNATRANS_SEED"), out var s) ? s : 1;
        var count = int.TryParse(Environment.GetEnvironmentVariable("DYNATRANS_PROGRAMS"), out var n) ? n : Programs;
        var rng = new Rng(seed ^ (ulong)bitness << 32 ^ (ulong)family.Length << 40);
        var generator = new ProgramGenerator(rng, bitness, family);
        using var executors = ExecutorSet.Make(engine);
        var run = new ProgramRun(cpu!, executors.Runners[0], rng, Starts);
        var failures = new List<string>();
        for (var i = 0; i < count && failures.Count < 10; i++)
        {
            var program = generator.Next();
            if (run.FirstDifference(program, generator.UndefinedConditionCodes, family) is { } difference) failures.Add($"seed {seed}, program {i}, {difference}");
        }
        output.WriteLine($"{engine}, {bitness} bits, {family}: seed {seed}, {count * Starts} cases, {run.Faults} of them fault");
        Assert.True(failures.Count == 0, string.Join("\n", failures));
    }

    // All forms that are fit for it, a third of them each time.
    [SkippableTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void LoopsOfEveryFormEndAsOnTheHost(int part)
    {
        var cpu = NativeCpu.TryGet(out var reason);
        Skip.If(cpu is null, reason);
        using var executors = ExecutorSet.Make("regions");
        var loops = new LoopRun(cpu!, executors.Runners[0], Seed, null, part, 3).Run();
        output.WriteLine($"regions: seed {Seed}, {loops}");
        Assert.True(loops.Failures.Count == 0, string.Join("\n", loops.Failures));
    }
}
