using System.CommandLine;
using DynaTrans.Linux;
using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Execution;

namespace DynaTrans.Cli.Commands;

/// <summary>The command line of <c>dynatrans</c>: its verbs, and how errors are reported (one line on standard error).</summary>
internal static class CommandLine
{
    /// <summary>Runs a command line and returns the exit status. Never throws.</summary>
    public static int Run(string[] args)
    {
        // Of threads other than this one.
        AppDomain.CurrentDomain.UnhandledException += static (_, e) =>
            Environment.Exit(Fail(ExitStatus.Usage, e.ExceptionObject is Exception exception ? Describe(exception) : "internal error"));
        try
        {
            if (RuntimePorts.HasFurtherPorts)
                return Fail(ExitStatus.Usage, $"the runtime's diagnostic ports cannot be closed: {Errno.Message((int)-RuntimePorts.Restart())}");
            return RunSettings.TryReadPlain(args) is { } settings && HostRequirements.Missing() == null ? RunCommand.Run(settings) : Invoke(args);
        }
        catch (IOException e) when (IsBrokenPipe(e))
        {
            // Whoever read our output has gone.
            return ExitStatus.Usage;
        }
        catch (Exception e)
        {
            return Fail(e is CommandException known ? known.Status : ExitStatus.Usage, e is CommandException ? e.Message : Describe(e));
        }
    }

    /// <summary>Prints one line and gives the status back.</summary>
    public static int Fail(int status, string message)
    {
        Console.Error.WriteLine($"dynatrans: {message.ReplaceLineEndings(" ")}");
        return status;
    }

    private static int Invoke(string[] args)
    {
        var verbs = new Verb[] { RunCommand.Create(), BootCommand.Create(), ExecCommand.Create(), DumpCommand.Create(), BenchCommand.Create(), CacheCommand.Create(), DiskCommand.Create(), DemoCommand.Create() };
        var guest = GuestArguments.None;
        var own = args;
        if (args.Length > 0 && Array.Find(verbs, v => v.Command.Name == args[0]) is { TakesGuest: true } verb)
            (own, guest) = GuestArguments.Split(verb.Command, args);
        var root = new RootCommand("Runs x86 programs and machine code by an interpreter and by translation to .NET code.");
        foreach (var v in verbs)
        {
            v.Command.SetAction(result => v.Action(result, guest));
            root.Add(v.Command);
        }

        var result = root.Parse(own, new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
        if (args.Length == 0)
            return Fail(ExitStatus.Usage, "a command is missing; dynatrans --help lists them");
        if (result.UnmatchedTokens.Count > 0)
            return Fail(ExitStatus.Usage, $"unknown command, option or argument: {result.UnmatchedTokens[0]}");
        if (result.Errors.Count > 0)
            return Fail(ExitStatus.Usage, result.Errors[0].Message);
        if (HostRequirements.Missing() is { } missing)
            return Fail(ExitStatus.Usage, missing);
        return result.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
    }

    private static bool IsBrokenPipe(IOException e) => e.HResult == 32 || e.Message.Contains("Broken pipe", StringComparison.Ordinal);

    private static string Describe(Exception e) => e switch
    {
        OutOfMemoryException => $"out of memory: {e.Message}",
        UnauthorizedAccessException or IOException => e.Message,
        _ => $"internal error: {e.GetType().Name}: {e.Message}",
    };
}

/// <summary>An error that ends the command with a message for the user and an exit status.</summary>
internal sealed class CommandException(int status, string message) : Exception(message)
{
    /// <summary>The exit status.</summary>
    public int Status { get; } = status;
}

/// <summary>One verb of the command line.</summary>
/// <param name="Command">Name, options and arguments.</param>
/// <param name="Action">What it does; the guest's program and arguments are not among the parsed ones.</param>
/// <param name="TakesGuest">True when everything from the first argument that is no option on is the guest's command line.</param>
internal sealed record Verb(Command Command, Func<ParseResult, GuestArguments, int> Action, bool TakesGuest);
