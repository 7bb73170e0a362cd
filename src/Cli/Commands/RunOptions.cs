using System.CommandLine;

namespace DynaTrans.Cli.Commands;

/// <summary>The options of <c>run</c> and their values.</summary>
internal sealed class RunOptions
{
    private readonly Option<string> _engine = Engines.Option(Engines.All);

    private readonly Option<string?> _root = new("--root")
    {
        Description = "Look up the interpreter, libraries and absolute paths in this directory first.",
        HelpName = "DIR",
    };

    private readonly Option<string[]> _environment = new("--env")
    {
        Description = "Set a variable of the guest's environment, which else is that of dynatrans.",
        HelpName = "NAME=VALUE",
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };

    private readonly Option<bool> _strace = new("--strace") { Description = "Log system calls to standard error." };

    private readonly Option<bool> _stats = new("--stats") { Description = "Print counters to standard error at the end." };

    private readonly Option<bool> _verify = new("--verify")
    {
        Description = "Run every block by interpreter and translator, compare, and stop at the first difference (status 2).",
    };

    private readonly Option<string?> _statsFile = new("--stats-file") { Hidden = true };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _engine, _root, _environment, _strace, _stats, _verify, _statsFile })
            command.Add(option);
    }

    /// <summary>The executor.</summary>
    public string Engine(ParseResult result) => result.GetValue(_engine)!;

    /// <summary>The root directory, checked.</summary>
    /// <exception cref="CommandException">It is not a directory.</exception>
    public string? Root(ParseResult result)
    {
        var root = result.GetValue(_root);
        if (root != null && !Directory.Exists(root))
            throw new CommandException(ExitStatus.Usage, $"--root {root}: not a directory");
        return root;
    }

    /// <summary>The environment of the guest: null for ours.</summary>
    /// <exception cref="CommandException">A setting has no name.</exception>
    public List<string>? Environment(ParseResult result)
    {
        var settings = result.GetValue(_environment) ?? [];
        if (settings.Length == 0)
            return null;
        var variables = new Dictionary<string, string>();
        foreach (System.Collections.DictionaryEntry variable in System.Environment.GetEnvironmentVariables())
            variables[(string)variable.Key] = (string?)variable.Value ?? string.Empty;
        foreach (var setting in settings)
        {
            var equals = setting.IndexOf('=', StringComparison.Ordinal);
            if (equals < 1)
                throw new CommandException(ExitStatus.Usage, $"--env {setting}: NAME=VALUE expected");
            variables[setting[..equals]] = setting[(equals + 1)..];
        }

        return [.. variables.Select(v => $"{v.Key}={v.Value}")];
    }

    /// <summary>Log system calls.</summary>
    public bool Strace(ParseResult result) => result.GetValue(_strace);

    /// <summary>Print counters.</summary>
    public bool Stats(ParseResult result) => result.GetValue(_stats);

    /// <summary>Compare the executors.</summary>
    public bool Verify(ParseResult result) => result.GetValue(_verify);

    /// <summary>Where <c>bench</c> wants the counters of its children, as JSON.</summary>
    public string? StatsFile(ParseResult result) => result.GetValue(_statsFile);
}
