using System.CommandLine;
using DynaTrans.Cli.Commands;

namespace DynaTrans.Cli.Tests;

public sealed class RunSettingsTests
{
    private static readonly string[] Pieces =
    [
        "--engine", "auto", "interp", "jit", "--root", "/", "--env", "A=1", "B=", "--strace", "--stats", "--verify", "--stats-file", "file", "--memory", "1M", "--timeout", "5", "--instructions", "9",
        "--", "-", "--help", "-h", "-x", "--root=/", "--stats=false", "--engine=jit", "run", "program", "true", "", "[x]", "@y",
    ];

    // What the quick reader accepts, the general parser must accept and understand in the same way.
    [Fact]
    public void QuickReaderAgreesWithTheParser()
    {
        const int Seed = 20261;
        var random = new Random(Seed);
        var read = 0;
        for (var i = 0; i < 20_000; i++)
        {
            var args = new string[1 + random.Next(7)];
            args[0] = "run";
            for (var k = 1; k < args.Length; k++)
                args[k] = Pieces[random.Next(Pieces.Length)];
            if (RunSettings.TryReadPlain(args) is not { } quick)
                continue;
            read++;
            var line = $"seed {Seed}: {string.Join(' ', args)}";
            var slow = Parse(args);
            Assert.True(slow != null, line);
            Assert.True(Describe(slow) == Describe(quick), $"{line}: {Describe(slow)} and {Describe(quick)}");
        }

        Assert.True(read > 1000, $"only {read} were read");
    }

    [Theory]
    [InlineData("dump", "program")]
    [InlineData("run")]
    [InlineData("run", "--help")]
    [InlineData("run", "--root")]
    [InlineData("run", "--root", "/")]
    [InlineData("run", "--engine", "other", "program")]
    [InlineData("run", "--engine", "jit", "--engine", "auto", "program")]
    [InlineData("run", "--stats", "--stats", "program")]
    [InlineData("run", "--memory", "1M", "--memory", "2M", "program")]
    [InlineData("run", "--timeout", "-1", "program")]
    [InlineData("run", "--unknown", "program")]
    public void TheRestIsForTheParser(params string[] args) => Assert.Null(RunSettings.TryReadPlain(args));

    private static RunSettings? Parse(string[] args)
    {
        var options = new RunOptions();
        var command = new Command("run");
        options.AddTo(command);
        var (own, guest) = GuestArguments.Split(command, args);
        var root = new RootCommand();
        root.Add(command);
        var result = root.Parse(own, new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
        return result.Errors.Count > 0 || result.UnmatchedTokens.Count > 0 || guest.Program == null ? null : options.Read(result, guest);
    }

    private static string Describe(RunSettings s) =>
        $"{s.Program} ({string.Join('|', s.Arguments)}) {s.Engine ?? Engines.Auto} {s.Root} ({string.Join('|', s.Environment)}) " +
        $"{s.Strace} {s.Stats} {s.Verify} {s.StatsFile} {s.Memory} {s.Timeout}";
}
