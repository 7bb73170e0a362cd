using System.CommandLine;

namespace DynaTrans.Cli.Commands;

/// <summary>The options of <c>run</c>.</summary>
internal sealed class RunOptions
{
    private readonly Option<string> _engine = Engines.Option(Engines.All);

    private readonly Option<string?> _root = new(RunSettings.RootName)
    {
        Description = "Look up the interpreter, libraries and absolute paths in this directory first.",
        HelpName = "DIR",
    };

    private readonly Option<string[]> _environment = new(RunSettings.EnvironmentName)
    {
        Description = "Set a variable of the guest's environment, which else is that of dynatrans.",
        HelpName = "NAME=VALUE",
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };

    private readonly Option<string?> _memory = new(RunSettings.MemoryName)
    {
        Description = "Most memory of all guests together (K, M, G); beyond it they get ENOMEM.",
        HelpName = "SIZE",
    };

    private readonly Option<string?> _layout = Layouts();

    private readonly Option<string?> _timeout = new(RunSettings.TimeoutName)
    {
        Description = "Kill all guests after this wall time (status 124); s, m, h behind it for other units.",
        HelpName = "SECONDS",
    };

    private readonly Option<string?> _instructions = new(RunSettings.InstructionsName)
    {
        Description = "Stop all guests when a thread has executed exactly so many instructions of its program (status 124).",
        HelpName = "N",
    };

    private readonly Option<string?> _cache = CacheSettings.Option();

    private readonly Option<bool> _strace = new(RunSettings.StraceName) { Description = "Log system calls to standard error." };

    private readonly Option<bool> _stats = new(RunSettings.StatsName) { Description = "Print counters to standard error at the end." };

    private readonly Option<bool> _verify = new(RunSettings.VerifyName)
    {
        Description = "Run every block by interpreter and translator, compare, and stop at the first difference (status 2).",
    };

    private readonly Option<string?> _statsFile = new(RunSettings.StatsFileName) { Hidden = true };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _engine, _root, _environment, _memory, _layout, _timeout, _instructions, _cache, _strace, _stats, _verify, _statsFile })
            command.Add(option);
    }

    /// <summary>The values, for a guest that is there.</summary>
    public RunSettings Read(ParseResult result, GuestArguments guest) => new()
    {
        Program = guest.Program!,
        Arguments = guest.Arguments,
        Engine = result.GetValue(_engine),
        Root = result.GetValue(_root),
        Environment = result.GetValue(_environment) ?? [],
        Memory = result.GetValue(_memory),
        Layout = result.GetValue(_layout),
        Timeout = result.GetValue(_timeout),
        Instructions = result.GetValue(_instructions),
        Cache = result.GetValue(_cache),
        Strace = result.GetValue(_strace),
        Stats = result.GetValue(_stats),
        Verify = result.GetValue(_verify),
        StatsFile = result.GetValue(_statsFile),
    };

    private static Option<string?> Layouts()
    {
        var option = new Option<string?>(RunSettings.LayoutName)
        {
            Description = "Where 64-bit programs, libraries and stacks go: all together (compact) or as Linux does (native), the default of sanitizers' programs.",
            HelpName = string.Join("|", RunSettings.Layouts),
        };
        option.AcceptOnlyFromAmong(RunSettings.Layouts);
        return option;
    }
}
