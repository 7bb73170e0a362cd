using System.Diagnostics;

namespace DynaTrans.Pc.Tests.Systems;

/// <summary>A program of <c>tests/SystemPrograms</c>: assembled by nasm, and its output compared with the expectations beside it.</summary>
internal static class SystemProgram
{
    private const string Begin = "begin\n";

    private static readonly string s_source = FindSource();

    /// <summary>Their names.</summary>
    public static IEnumerable<string> Names => Directory.GetFiles(s_source, "*.asm").Select(f => Path.GetFileNameWithoutExtension(f)).Order();

    /// <summary>True when there is a nasm to assemble them with.</summary>
    public static bool CanAssemble { get; } =
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(d => d.Length > 0 && File.Exists(Path.Combine(d, "nasm")));

    /// <summary>Assembles a program to its ROM.</summary>
    public static byte[] Assemble(string name)
    {
        var rom = Path.GetTempFileName();
        try
        {
            var start = new ProcessStartInfo("nasm") { RedirectStandardError = true };
            foreach (var argument in (string[])["-f", "bin", "-i", s_source + "/include/", "-o", rom, Path.Combine(s_source, name + ".asm")])
                start.ArgumentList.Add(argument);
            using var nasm = Process.Start(start)!;
            var errors = nasm.StandardError.ReadToEnd();
            nasm.WaitForExit();
            return nasm.ExitCode == 0 ? File.ReadAllBytes(rom) : throw new InvalidOperationException(errors);
        }
        finally
        {
            File.Delete(rom);
        }
    }

    /// <summary>What differs from the expectations: one line each, empty when nothing does.</summary>
    public static List<string> Compare(string name, string output)
    {
        var begin = output.IndexOf(Begin, StringComparison.Ordinal);
        var lines = begin < 0 ? [] : output[(begin + Begin.Length)..].Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var got = new Dictionary<string, string[]>();
        foreach (var line in lines)
        {
            var words = Words(line);
            got[words[0]] = words;
        }

        var differences = new List<string>();
        foreach (var line in File.ReadLines(Path.Combine(s_source, name + ".expected")))
        {
            var comment = line.IndexOf(" ;", StringComparison.Ordinal);
            var expected = Words(comment < 0 ? line : line[..comment]);
            if (expected.Length == 0 || expected[0].StartsWith('#'))
                continue;
            if (!got.Remove(expected[0], out var words))
                differences.Add($"{expected[0]}: not reached");
            else if (!Matches(expected, words))
                differences.Add($"{string.Join(' ', words)}; expected {string.Join(' ', expected)}");
        }

        differences.AddRange(got.Values.Select(words => $"{string.Join(' ', words)}; not expected"));
        return differences;
    }

    // A word of an expectation is the value, any (*), or one of several (a|b).
    private static bool Matches(string[] expected, string[] words) =>
        expected.Length == words.Length && expected.Zip(words).All(p => p.First == "*" || p.First.Split('|').Contains(p.Second));

    private static string[] Words(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static string FindSource()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory != null; directory = directory.Parent)
        {
            var source = Path.Combine(directory.FullName, "tests", "SystemPrograms");
            if (Directory.Exists(source))
                return source;
        }

        throw new DirectoryNotFoundException("tests/SystemPrograms is not above the tests");
    }
}
