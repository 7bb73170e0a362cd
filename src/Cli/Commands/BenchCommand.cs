using System.CommandLine;
using DynaTrans.Cli.Guests;
using Spectre.Console;

namespace DynaTrans.Cli.Commands;

/// <summary><c>dynatrans bench</c>: interpreter against translator, and native and qemu-user beside them.</summary>
internal static class BenchCommand
{
    private const string DemoRounds = "100";

    /// <summary>Describes the verb.</summary>
    public static Verb Create()
    {
        var rounds = new Option<int>("--runs") { Description = "Runs of each; the median counts (default 3).", DefaultValueFactory = _ => 3 };
        rounds.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && (!int.TryParse(result.Tokens[0].Value, out var n) || n is < 1 or > 1000))
                result.AddError($"--runs {result.Tokens[0].Value}: a number from 1 to 1000 is expected");
        });
        var root = new Option<string?>("--root") { Description = "As for run; qemu-user gets it too.", HelpName = "DIR" };
        var markdown = new Option<bool>("--markdown") { Description = "Print the table as Markdown." };
        var command = new Command("bench", "Measures interpreter and translator on a guest: bench [options] [PROGRAM [ARG...]].") { rounds, root, markdown };
        return new Verb(
            command,
            (result, guest) => Run(guest, result.GetValue(root), result.GetValue(rounds), result.GetValue(markdown)),
            TakesGuest: true);
    }

    private static int Run(GuestArguments guest, string? root, int rounds, bool markdown)
    {
        if (guest.Program != null)
        {
            Measure(ProgramFinder.Find(guest.Program, root), guest.Arguments, root, rounds, markdown);
            return ExitStatus.Ok;
        }

        foreach (var name in new[] { "demo-i386", "demo-x86_64" })
        {
            using var demo = new DemoGuest(name);
            AnsiConsole.WriteLine(name);
            Measure(demo.Path, [DemoRounds], null, rounds, markdown);
        }

        return ExitStatus.Ok;
    }

    private static void Measure(string program, string[] arguments, string? root, int rounds, bool markdown)
    {
        var benchmark = new Benchmark(program, arguments, root, withOthers: true);
        benchmark.Run(rounds);
        AnsiConsole.Write(benchmark.ToTable(markdown));
    }
}
