using System.CommandLine;
using DynaTrans.Cli.Bare;

namespace DynaTrans.Cli.Commands;

/// <summary><c>dynatrans exec</c>: bare machine code, one JSON case a line in, one JSON result a line out. The format is in docs/exec.md.</summary>
internal static class ExecCommand
{
    /// <summary>Describes the verb.</summary>
    public static Verb Create()
    {
        var engine = Engines.Option(Engines.Bare);
        var command = new Command("exec", "Runs bare machine code: reads one JSON case a line on standard input, writes one JSON result a line.")
        {
            engine,
        };
        return new Verb(command, (result, _) => Run(result.GetValue(engine)!), TakesGuest: false);
    }

    private static int Run(string engine)
    {
        using var session = new ExecSession(() => Engines.Make(engine), engine is Engines.Regions or Engines.Lookaside);
        using var input = Console.OpenStandardInput();
        using var output = Console.OpenStandardOutput();
        session.Run(input, output);
        return session.Errors == 0 ? ExitStatus.Ok : ExitStatus.Failed;
    }
}
