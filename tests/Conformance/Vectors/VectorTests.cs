using Xunit;
using Xunit.Abstractions;

namespace DynaTrans.Conformance.Vectors;

/// <summary>The hardware-captured real-mode vectors: all in the interpreter, a part of them in the translator, a block at a time and in regions.</summary>
public class VectorTests(ITestOutputHelper output)
{
    [SkippableTheory]
    [InlineData("interp", 1)]
    [InlineData("jit", 24)]
    [InlineData("regions", 24)]
    public void VectorsPass(string engine, int oneIn)
    {
        var folder = VectorFile.FindFolder();
        Skip.If(folder is null, "the vectors are not here: ../shared/vectors/i286-real-mode, or DYNATRANS_VECTORS");
        using var runner = new RealModeRunner(engine);
        var problems = new List<string>();
        int forms = 0, cases = 0;
        foreach (var path in Directory.EnumerateFiles(folder!, "*.jsonl.gz").Order(StringComparer.Ordinal))
        {
            var file = VectorFile.Read(path);
            var result = VectorRun.Run(file, [runner], oneIn);
            forms++;
            cases += result.Cases;
            problems.AddRange(result.Examples[0].Select(e => $"{file.Form}: {e}"));
        }
        output.WriteLine($"{engine}: {forms} forms, {cases} cases, {problems.Count} problems");
        Assert.True(problems.Count == 0, string.Join("\n", problems));
    }
}
