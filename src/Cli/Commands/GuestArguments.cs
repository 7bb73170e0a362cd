using System.CommandLine;

namespace DynaTrans.Cli.Commands;

/// <summary>A guest's command line: the program and its arguments, exactly as given.</summary>
/// <param name="Program">The program, or null when none was given.</param>
/// <param name="Arguments">Its arguments, without the program.</param>
internal sealed record GuestArguments(string? Program, string[] Arguments)
{
    /// <summary>No guest.</summary>
    public static GuestArguments None { get; } = new(null, []);

    /// <summary>
    /// Divides <paramref name="args"/> (verb first) at the first argument that is neither an option nor the value of one, or behind
    /// <c>--</c>: what follows belongs to the guest and is not looked at.
    /// </summary>
    public static (string[] Own, GuestArguments Guest) Split(Command verb, string[] args)
    {
        var i = 1;
        while (i < args.Length)
        {
            var arg = args[i];
            if (arg == "--")
                return (args[..i], From(args[(i + 1)..]));
            if (arg.Length < 2 || arg[0] != '-')
                break;
            i += arg.Contains('=') || !TakesValue(verb, arg) ? 1 : 2;
        }

        i = Math.Min(i, args.Length);
        return (args[..i], From(args[i..]));
    }

    private static GuestArguments From(string[] rest) => rest.Length == 0 ? None : new GuestArguments(rest[0], rest[1..]);

    private static bool TakesValue(Command verb, string name)
    {
        foreach (var option in verb.Options)
            if (option.Name == name || option.Aliases.Contains(name))
                return option.Arity.MaximumNumberOfValues > 0 && option.ValueType != typeof(bool);
        return false;
    }
}
