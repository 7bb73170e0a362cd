using DynaTrans.Cli.Tests.Tools;

namespace DynaTrans.Cli.Tests.Faults;

/// <summary>
/// Traps and faults as a program sees them: signal, code, address, vector, error code and registers of some thousand pieces of machine code,
/// compared with those of the same program run natively. What depends on the make of the host is left out here, and tested by value elsewhere.
/// </summary>
public sealed class FaultTests : IDisposable
{
    // Redundant prefixes, and how many of them bring an instruction to its longest and beyond.
    private static readonly string[] s_prefixes = ["66", "2E", "F3", "F2", "67", "40", "48", "F0"];
    private static readonly int[] s_floods = [0, 1, 10, 11, 12, 13, 14, 15, 16];

    // Complete, incomplete and undefined instructions whose length no maker disputes.
    private static readonly string[] s_instructions =
    [
        "", "90", "0F", "0F0B", "0F0A", "0F04", "0F36", "0F7A", "0FA6", "06", "60", "8B", "8B04", "8B0425", "8B8000", "8B8000000000", "81C0", "81C000000000",
        "C6C8", "C6C800", "C7C8000000", "F6", "F6C0", "F7C0000000", "FFF8", "FEF8", "FF3D", "B800", "48B80000", "A00000", "C80000", "C2",
        "0F38FF", "0F3AFF", "0F3AFFC0", "0F71C0", "0FBA", "0FBAC0", "0F20C8", "0FC700", "D9", "D9D1", "DF", "F4", "CD", "6A", "68", "69C0", "82C0", "9A00", "D4",
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("faults").FullName;

    public static TheoryData<string, string> Runs => new()
    {
        { "-m64", "interp" }, { "-m64", "jit" }, { "-m64", "auto" }, { "-m32", "interp" }, { "-m32", "jit" }, { "-m32", "auto" },
    };

    [SkippableTheory]
    [MemberData(nameof(Runs))]
    public void EveryCaseEndsAsNatively(string machine, string engine)
    {
        var program = Compile(machine);
        var other = machine == "-m64" ? ".32.txt" : ".64.txt";
        var answers = File.ReadAllText("/proc/cpuinfo").Contains(" umip");
        foreach (var file in Directory.GetFiles(Repository.At("tests", "Cli.Tests", "Faults"), "*.txt").Order())
            if (!file.EndsWith(other, StringComparison.Ordinal) && (answers || !Path.GetFileName(file).StartsWith("answered", StringComparison.Ordinal)))
                Compare(program, engine, file);
    }

    [SkippableTheory]
    [InlineData("-m64")]
    [InlineData("-m32")]
    public void UndefinedInstructionsAtTheEndOfAPageEndAsNatively(string machine)
    {
        var program = Compile(machine);
        var file = Path.Join(_folder, "decoding.txt");
        File.WriteAllLines(file, DecodingCases());
        Compare(program, "auto", file);
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, true);

    private static IEnumerable<string> DecodingCases()
    {
        foreach (var prefix in s_prefixes)
            foreach (var flood in s_floods)
                foreach (var instruction in s_instructions)
                {
                    var code = string.Concat(Enumerable.Repeat(prefix, flood)) + instruction;
                    if (code.Length == 0 || (flood == 0 && prefix != s_prefixes[0]))
                        continue;
                    foreach (var next in new[] { "none", "nx" })
                        yield return $"{code}@{next} {code} at={code.Length / 2} next={next}";
                }
    }

    private static void Compare(string program, string engine, string cases)
    {
        var native = Command.Run(null, null, program, cases);
        var guest = Cli.Run("run", "--engine", engine, program, cases);
        Assert.Equal((0, native.Status), (guest.Status, native.Status));
        var expected = native.Output.Split('\n');
        var actual = guest.Output.Split('\n');
        Assert.Equal(expected.Length, actual.Length);
        var different = expected.Zip(actual).Where(p => p.First != p.Second).Select(p => $"natively {p.First}\nguest    {p.Second}").ToList();
        Assert.True(different.Count == 0, $"{Path.GetFileName(cases)}, {different.Count} of {expected.Length - 1}:\n{string.Join('\n', different.Take(20))}");
    }

    private string Compile(string machine)
    {
        Skip.IfNot(Command.Exist("gcc"), "gcc is missing");
        var program = Path.Join(_folder, "probe");
        var compiled = Command.Run(null, null, "gcc", "-O1", "-static", machine, "-o", program, Repository.At("tests", "Cli.Tests", "Faults", "probe.c"));
        Skip.IfNot(compiled.Status == 0, $"gcc {machine} -static does not work: {compiled.Error}");
        return program;
    }
}
