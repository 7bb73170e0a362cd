using System.Buffers.Binary;
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
    private const uint Masks = 0x1F80;

    private readonly CaseData[] _starts = Batch(), _expected = Batch(), _actual = Batch();

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
    public void ProgramsEndAsOnTheHost(string engine, int bitness, string family)
    {
        var cpu = NativeCpu.TryGet(out var reason);
        Skip.If(cpu is null, reason);
        var seed = ulong.TryParse(Environment.GetEnvironmentVariable("DYNATRANS_SEED"), out var s) ? s : 1;
        var count = int.TryParse(Environment.GetEnvironmentVariable("DYNATRANS_PROGRAMS"), out var n) ? n : Programs;
        var rng = new Rng(seed ^ (ulong)bitness << 32 ^ (ulong)family.Length << 40);
        var generator = new ProgramGenerator(rng, bitness, family);
        var operands = new OperandGenerator(rng);
        using var executors = ExecutorSet.Make(engine);
        var native = new NativeRunner(cpu!);
        var failures = new List<string>();
        var faults = 0;
        for (var i = 0; i < count && failures.Count < 10; i++)
        {
            var program = generator.Next();
            var unmasked = rng.OneIn(8) ? (uint)rng.Next() & Masks : 0;
            operands.FillBackground(_starts[0]);
            lock (cpu!.Gate)
            {
                native.Load(program.Encoding);
                for (var k = 0; k < Starts; k++)
                {
                    if (k > 0) _starts[k].CopyMemory(_starts[k - 1]);
                    operands.Generate(program.Encoding, _starts[k]);
                    Arrange(_starts[k], rng, unmasked, family);
                    native.Run(_starts[k], _expected[k]);
                    if (_expected[k].State.Vector >= 0) faults++;
                }
            }
            executors.Runners[0].Run(program.Encoding, _starts, _actual, Starts);
            for (var k = 0; k < Starts; k++)
            {
                Forgive(program, generator.UndefinedConditionCodes, _expected[k], _actual[k]);
                if (Comparer.FirstDifference(program.Encoding, _starts[k], _expected[k], _actual[k]) is not { } difference) continue;
                failures.Add($"seed {seed}, program {i}, start {k}: {difference}, mxcsr {_starts[k].State.Mxcsr:x}\n    {string.Join("\n    ", program.Text)}");
                break;
            }
        }
        output.WriteLine($"{engine}, {bitness} bits, {family}: seed {seed}, {count * Starts} cases, {faults} of them fault");
        Assert.True(failures.Count == 0, string.Join("\n", failures));
    }

    private static CaseData[] Batch() => [.. Enumerable.Range(0, Starts).Select(_ => new CaseData())];

    // All starts of a program have the same exceptions unmasked, mostly none: blocks are translated for that.
    private static void Arrange(CaseData start, Rng rng, uint unmasked, string family)
    {
        ref var s = ref start.State;
        s.Mxcsr = (s.Mxcsr | Masks) & ~unmasked;
        s.Fcw |= 0x3F;
        s.Fsw &= 0x7F7F;
        s.Rflags &= ~0x400UL;
        if (rng.OneIn(2)) s.Mxcsr &= ~0x3Fu;
        if (family == "nan") SequenceTests.FillWithNans(start, rng);
        for (var i = 0; i < ProgramGenerator.Values; i++)
        {
            start.Put(ProgramGenerator.MxcsrValues + (uint)(4 * i), 4, (ulong)(Masks & ~unmasked | (uint)rng.Below(4) << 13 | (rng.OneIn(2) ? rng.Next() & 0x807F : 0)));
            start.Put(ProgramGenerator.ControlWords + (uint)(2 * i), 2, (ulong)(0x7F | (rng.OneIn(2) ? 3 : rng.Below(4)) << 8 | rng.Below(4) << 10));
        }
        start.Put(ProgramGenerator.OuterCount, 4, (ulong)(1 + rng.Below(3)));
    }

    private static void Forgive(Sequence program, ushort codes, CaseData expected, CaseData actual)
    {
        ref var e = ref expected.State;
        ref var a = ref actual.State;
        a.Rflags = (a.Rflags & ~program.UndefinedFlags) | (e.Rflags & program.UndefinedFlags);
        a.Fsw = (ushort)((a.Fsw & ~codes) | (e.Fsw & codes));
    }
}
