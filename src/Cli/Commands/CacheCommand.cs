using System.CommandLine;
using System.Globalization;
using DynaTrans.Caching;
using DynaTrans.IlBackend.Precompiled;

namespace DynaTrans.Cli.Commands;

/// <summary><c>dynatrans cache</c>: what is kept of translations between runs. See docs/translation-cache.md.</summary>
internal static class CacheCommand
{
    /// <summary>Describes the verb.</summary>
    public static Verb Create()
    {
        var directory = CacheSettings.Option();
        var program = new Argument<string[]>("KEY") { Description = "Programs, as list shows them; none: all.", Arity = ArgumentArity.ZeroOrMore };
        var background = new Option<bool>(CacheSettings.BackgroundName) { Hidden = true };
        var command = new Command("cache", "Translations that are kept between runs: cache list|build|clear|verify.");
        Add(command, "list", "Lists the programs.", directory, result => List(Open(result, directory)));
        var build = Add(command, "build", "Compiles what runs have recorded.", directory, result => Build(Open(result, directory), result.GetValue(program)!, result.GetValue(background)));
        build.Add(program);
        build.Add(background);
        Add(command, "clear", "Removes everything.", directory, result => Clear(Open(result, directory)));
        Add(command, "verify", "Reads everything, and says what is damaged (status 1).", directory, result => Verify(Open(result, directory)));
        return new Verb(command, (_, _) => CommandLine.Fail(ExitStatus.Usage, "cache: list, build, clear or verify expected"), TakesGuest: false);
    }

    private static Command Add(Command parent, string name, string description, Option<string?> directory, Func<ParseResult, int> action)
    {
        var command = new Command(name, description);
        command.Add(directory);
        command.SetAction(action);
        parent.Add(command);
        return command;
    }

    private static CacheDirectory Open(ParseResult result, Option<string?> directory)
    {
        if (CacheSettings.PathOf(result.GetValue(directory)) is not { } path)
            throw new CommandException(ExitStatus.Usage, "cache: turned off, or there is no home directory; --cache DIR names one");
        try
        {
            return CacheDirectory.Open(path);
        }
        catch (CacheException e)
        {
            throw new CommandException(ExitStatus.Usage, e.Message);
        }
    }

    private static int List(CacheDirectory directory)
    {
        foreach (var entry in directory.Entries())
        {
            var built = entry.Files.Any(file => file.EndsWith(CacheDirectory.ImageExtension, StringComparison.Ordinal));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{entry.Key.Text}  {entry.Size / 1024,8} KiB  {entry.LastUse:yyyy-MM-dd HH:mm}  {(built ? "compiled" : "recorded")}"));
        }

        return ExitStatus.Ok;
    }

    private static int Build(CacheDirectory directory, string[] programs, bool inBackground)
    {
        if (Crossgen2.Find() is not { } compiler)
            return CommandLine.Fail(ExitStatus.CannotRun, $"cache build: {Crossgen2.HowToGet}");
        if (Array.Find(programs, program => !ProgramKey.IsKey(program)) is { } wrong)
            return CommandLine.Fail(ExitStatus.Usage, $"cache build {wrong}: no key of a program");
        CacheBuilder.GiveWay();
        var status = ExitStatus.Ok;
        using var background = inBackground ? directory.TryLockBackground() : null;
        if (inBackground && background == null)
            return status;
        foreach (var key in programs.Length == 0 ? CacheBuilder.Pending(directory) : [.. programs.Select(program => new ProgramKey(program))])
        {
            var result = CacheBuilder.Build(directory, key, compiler, waits: !inBackground);
            if (result.Statistics is { } made)
            {
                if (!inBackground)
                    Console.WriteLine(Describe(key, made));
            }
            else if (result.Reason != null)
                status = inBackground ? ExitStatus.Failed : CommandLine.Fail(ExitStatus.Failed, $"cache build {key.Text}: {result.Reason}");
        }

        return status;
    }

    private static string Describe(ProgramKey key, PrecompileStatistics made)
    {
        var time = made.EmitTime + made.CompileTime;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{key.Text}  {made.Regions} regions, {made.Instructions} instructions, {made.Bytes / 1024} KiB, {time.TotalSeconds:0.0} s of CPU time ({time.TotalMicroseconds / Math.Max(1, made.Instructions):0} us an instruction){(made.Refused == 0 ? "" : $", {made.Refused} left out")}");
    }

    private static int Clear(CacheDirectory directory)
    {
        Console.WriteLine($"{directory.Clear()} programs removed");
        return ExitStatus.Ok;
    }

    private static int Verify(CacheDirectory directory)
    {
        var (good, bad) = (0, 0);
        foreach (var entry in directory.Entries())
        {
            foreach (var problem in CacheBuilder.Problems(directory, entry.Key))
            {
                Console.WriteLine($"{entry.Key.Text}  {problem}");
                bad++;
            }

            good++;
        }

        Console.WriteLine($"{good} programs read, {bad} problems");
        return bad == 0 ? ExitStatus.Ok : ExitStatus.Failed;
    }
}
