using DynaTrans.Conformance.Native;
using DynaTrans.Conformance.Running;
using Xunit;
using Xunit.Abstractions;

namespace DynaTrans.Conformance.Cases;

/// <summary>Checks that cases can be made for every form and that the host CPU runs them.</summary>
public class GeneratorTests(ITestOutputHelper output)
{
    private static readonly string[] s_notDecoded = ["Fstcw", "Fstenv", "Fsave", "Fstsw", "Fclex", "Finit", "Feni", "Fdisi", "Fsetpm"];

    [SkippableTheory]
    [InlineData(32)]
    [InlineData(64)]
    public void EveryFormHasCasesThatMostlyComplete(int bitness)
    {
        var cpu = NativeCpu.TryGet(out var reason);
        Skip.If(cpu is null, reason);
        var rng = new Rng((ulong)bitness);
        var encodings = new EncodingGenerator(rng);
        var operands = new OperandGenerator(rng);
        var native = new NativeRunner(cpu!);
        CaseData start = new(), end = new();
        int forms = 0, cases = 0;
        List<string> missing = [], faulting = [];
        lock (cpu!.Gate)
        {
            foreach (var form in InstructionList.Forms(bitness))
            {
                forms++;
                int runs = 0, faults = 0;
                for (var e = 0; e < 3; e++)
                {
                    if (encodings.Generate(form) is not { } encoding) break;
                    native.Load(encoding);
                    operands.FillBackground(start);
                    for (var i = 0; i < 8; i++)
                    {
                        operands.Generate(encoding, start);
                        if (encoding.Is32 && !cpu.HasSegments32 && (start.State.FsBase | start.State.GsBase) != 0) continue;
                        native.Run(start, end);
                        runs++;
                        if (end.State.Vector is not (-1 or 3)) faults++;
                    }
                }
                cases += runs;
                if (runs == 0 && !s_notDecoded.Any(n => form.Code.ToString().StartsWith(n, StringComparison.Ordinal))) missing.Add(form.ToString());
                if (faults > runs / 2) faulting.Add($"{form}:{end.State.Vector}");
            }
        }
        output.WriteLine($"{forms} forms, {cases} cases; without cases: {string.Join(' ', missing)}; mostly faulting: {string.Join(' ', faulting)}");
        Assert.True(forms > 1000);
        Assert.True(missing.Count < 20, string.Join(' ', missing));
    }
}
