using System.Globalization;
using DynaTrans.Linux.Host;

namespace DynaTrans.Cli.Commands;

/// <summary>What <c>run</c> was asked for.</summary>
internal sealed record RunSettings
{
    /// <summary>Names of the options.</summary>
    public const string EngineName = "--engine", RootName = "--root", EnvironmentName = "--env", StraceName = "--strace", StatsName = "--stats",
        VerifyName = "--verify", StatsFileName = "--stats-file", MemoryName = "--memory", LayoutName = "--layout", TimeoutName = "--timeout",
        InstructionsName = "--instructions";

    /// <summary>Values of <see cref="LayoutName"/>.</summary>
    public static readonly string[] Layouts = ["compact", "native"];

    /// <summary>The guest's program.</summary>
    public required string Program { get; init; }

    /// <summary>Its arguments.</summary>
    public required string[] Arguments { get; init; }

    /// <summary>The executor; null: the usual one.</summary>
    public string? Engine { get; init; }

    /// <summary>The root directory as it was given.</summary>
    public string? Root { get; init; }

    /// <summary>Settings of the environment as they were given.</summary>
    public string[] Environment { get; init; } = [];

    /// <summary>Log system calls.</summary>
    public bool Strace { get; init; }

    /// <summary>Print counters.</summary>
    public bool Stats { get; init; }

    /// <summary>Most memory of the guests, as it was given.</summary>
    public string? Memory { get; init; }

    /// <summary>The layout of address spaces, one of <see cref="Layouts"/>; null: as the program needs it.</summary>
    public string? Layout { get; init; }

    /// <summary>The time after which they are killed, as it was given.</summary>
    public string? Timeout { get; init; }

    /// <summary>The number of instructions after which the run ends, as it was given.</summary>
    public string? Instructions { get; init; }

    /// <summary>Where translations are kept, or off, as it was given.</summary>
    public string? Cache { get; init; }

    /// <summary>Compare the executors.</summary>
    public bool Verify { get; init; }

    /// <summary>Where <c>bench</c> wants the counters of its children, as JSON.</summary>
    public string? StatsFile { get; init; }

    /// <summary>
    /// Reads a command line of <c>run</c> that has nothing unusual in it, without the general parser, which takes longer to start than most
    /// programs to run. Null for everything else: help, mistakes, <c>--option=value</c>, options given twice.
    /// </summary>
    /// <param name="args">All arguments, the verb first.</param>
    public static RunSettings? TryReadPlain(string[] args)
    {
        if (args.Length < 2 || args[0] != "run")
            return null;
        var settings = new RunSettings { Program = string.Empty, Arguments = [] };
        List<string>? environment = null;
        var i = 1;
        for (; i < args.Length && args[i].Length > 1 && args[i][0] == '-'; i++)
        {
            var name = args[i];
            if (name == "--")
            {
                i++;
                break;
            }

            if (name is StraceName or StatsName or VerifyName)
            {
                if (settings.With(name) is not { } more)
                    return null;
                settings = more;
                continue;
            }

            if (++i >= args.Length || args[i].Length == 0 || args[i][0] == '-')
                return null;
            if (name == EnvironmentName)
                (environment ??= []).Add(args[i]);
            else if (settings.With(name, args[i]) is { } more)
                settings = more;
            else
                return null;
        }

        return i >= args.Length
            ? null
            : settings with { Program = args[i], Arguments = args[(i + 1)..], Environment = environment == null ? [] : [.. environment] };
    }

    /// <summary>The root directory, checked.</summary>
    /// <exception cref="CommandException">It is not a directory.</exception>
    public string? CheckedRoot()
    {
        if (Root != null && !HostCalls.IsDirectory(Root))
            throw new CommandException(ExitStatus.Usage, $"--root {Root}: not a directory");
        return Root;
    }

    /// <summary>Most bytes of memory of the guests, or null.</summary>
    /// <exception cref="CommandException">It is no size.</exception>
    public long? CheckedMemory() => Memory == null ? null
        : Quantities.ReadSize(Memory) ?? throw new CommandException(ExitStatus.Usage, $"--memory {Memory}: a size is expected, such as 64M or 2G");

    /// <summary>The time after which the guests are killed, or null.</summary>
    /// <exception cref="CommandException">It is no time.</exception>
    public TimeSpan? CheckedTimeout() => Timeout == null ? null
        : Quantities.ReadTime(Timeout) ?? throw new CommandException(ExitStatus.Usage, $"--timeout {Timeout}: seconds are expected, such as 10, 0.5 or 2m");

    /// <summary>Instructions of one thread after which the run ends, or null.</summary>
    /// <exception cref="CommandException">It is no number, or the executors are to be compared, which takes no budget.</exception>
    public ulong? CheckedInstructions()
    {
        if (Instructions == null)
            return null;
        if (Verify)
            throw new CommandException(ExitStatus.Usage, "--instructions cannot be used with --verify");
        return ulong.TryParse(Instructions, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
            ? number
            : throw new CommandException(ExitStatus.Usage, $"--instructions {Instructions}: a number is expected");
    }

    /// <summary>The environment of the guest: null for ours.</summary>
    /// <exception cref="CommandException">A setting has no name.</exception>
    public List<string>? GuestEnvironment()
    {
        if (Environment.Length == 0)
            return null;
        var variables = new Dictionary<string, string>();
        foreach (System.Collections.DictionaryEntry variable in System.Environment.GetEnvironmentVariables())
            if (RuntimePorts.Original($"{variable.Key}={variable.Value}")?.Split('=', 2) is { Length: 2 } original)
                variables[original[0]] = original[1];
        foreach (var setting in Environment)
        {
            var equals = setting.IndexOf('=', StringComparison.Ordinal);
            if (equals < 1)
                throw new CommandException(ExitStatus.Usage, $"--env {setting}: NAME=VALUE expected");
            variables[setting[..equals]] = setting[(equals + 1)..];
        }

        return [.. variables.Select(v => $"{v.Key}={v.Value}")];
    }

    private RunSettings? With(string name) => name switch
    {
        StraceName when !Strace => this with { Strace = true },
        StatsName when !Stats => this with { Stats = true },
        VerifyName when !Verify => this with { Verify = true },
        _ => null,
    };

    private RunSettings? With(string name, string value) => name switch
    {
        EngineName when Engine == null && Array.IndexOf(Engines.All, value) >= 0 => this with { Engine = value },
        RootName when Root == null => this with { Root = value },
        MemoryName when Memory == null => this with { Memory = value },
        LayoutName when Layout == null && Array.IndexOf(Layouts, value) >= 0 => this with { Layout = value },
        TimeoutName when Timeout == null => this with { Timeout = value },
        InstructionsName when Instructions == null => this with { Instructions = value },
        CacheSettings.Name when Cache == null => this with { Cache = value },
        StatsFileName when StatsFile == null => this with { StatsFile = value },
        _ => null,
    };
}
