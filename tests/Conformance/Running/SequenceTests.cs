using DynaTrans.Conformance.Cases;
using DynaTrans.Conformance.Native;
using Iced.Intel;
using Xunit;

namespace DynaTrans.Conformance.Running;

/// <summary>
/// Runs random straight-line sequences of instructions on the host CPU and in the executors: what single instructions cannot show, such as
/// flags that go from one instruction to another, operations whose result is overwritten, and MMX code between x87 code.
/// </summary>
public class SequenceTests
{
    private const int Sequences = 250;
    private const int StartsPerSequence = 4;

    private readonly CaseData[] _starts = Batch(), _expected = Batch(), _actual = Batch();

    [SkippableTheory]
    [InlineData("interp", 64, "sse")]
    [InlineData("interp", 32, "sse")]
    [InlineData("regions", 64, "sse")]
    [InlineData("jit", 32, "sse")]
    [InlineData("interp", 32, "mmx")]
    [InlineData("regions", 64, "mmx")]
    [InlineData("interp", 64, "integer")]
    [InlineData("jit", 64, "integer")]
    [InlineData("regions", 32, "integer")]
    [InlineData("regions", 64, "all")]
    [InlineData("interp", 64, "nan")]
    [InlineData("regions", 64, "nan")]
    [InlineData("jit", 32, "nan")]
    public void SequencesEndAsOnTheHost(string engine, int bitness, string family)
    {
        var cpu = NativeCpu.TryGet(out var reason);
        Skip.If(cpu is null, reason);
        var seed = ulong.TryParse(Environment.GetEnvironmentVariable("DYNATRANS_SEED"), out var s) ? s : 1;
        var count = int.TryParse(Environment.GetEnvironmentVariable("DYNATRANS_SEQUENCES"), out var n) ? n : Sequences;
        var rng = new Rng(seed ^ (ulong)bitness << 32 ^ (ulong)family.Length << 40);
        var generator = new SequenceGenerator(rng, bitness, family);
        var operands = new OperandGenerator(rng);
        using var executors = ExecutorSet.Make(engine);
        var native = new NativeRunner(cpu!);
        var failures = new List<string>();
        for (var i = 0; i < count && failures.Count < 10; i++)
        {
            var sequence = generator.Next();
            operands.FillBackground(_starts[0]);
            lock (cpu!.Gate)
            {
                native.Load(sequence.Encoding);
                for (var k = 0; k < StartsPerSequence; k++)
                {
                    if (k > 0) _starts[k].CopyMemory(_starts[k - 1]);
                    operands.Generate(sequence.Encoding, _starts[k]);
                    if (family == "nan") FillWithNans(_starts[k], rng);
                    native.Run(_starts[k], _expected[k]);
                }
            }
            executors.Runners[0].Run(sequence.Encoding, _starts, _actual, StartsPerSequence);
            for (var k = 0; k < StartsPerSequence; k++)
            {
                Forgive(sequence, _expected[k], _actual[k]);
                if (Comparer.FirstDifference(sequence.Encoding, _starts[k], _expected[k], _actual[k]) is not { } difference) continue;
                failures.Add($"seed {seed}, sequence {i}, start {k}: {difference}\n    {string.Join("\n    ", sequence.Text)}");
                break;
            }
        }
        Assert.True(failures.Count == 0, string.Join("\n", failures));
    }

    // Which of two NaNs a result comes from shows the order of the operands.
    internal static void FillWithNans(CaseData start, Rng rng)
    {
        for (var i = 0; i < 16; i++) (start.State.Xmm(i, 0), start.State.Xmm(i, 1)) = (Nan(), Nan());
        var data = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(start.Data.AsSpan());
        for (var i = 0; i < data.Length; i++) data[i] = Nan();

        ulong Nan() => rng.OneIn(6) ? 0x3F8000003F800000 : rng.Next() & 0x807FFFFF807FFFFF | 0x7FC000007FC00000;
    }

    private static CaseData[] Batch() => [.. Enumerable.Range(0, StartsPerSequence).Select(_ => new CaseData())];

    private static void Forgive(Sequence sequence, CaseData expected, CaseData actual)
    {
        ref var e = ref expected.State;
        ref var a = ref actual.State;
        a.Rflags = (a.Rflags & ~sequence.UndefinedFlags) | (e.Rflags & sequence.UndefinedFlags);
    }
}
