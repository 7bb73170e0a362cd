using System.CommandLine;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.Linux;
using DynaTrans.Runtime.Execution;

namespace DynaTrans.Cli.Commands;

/// <summary><c>dynatrans run</c>: a Linux program, i386 or x86-64.</summary>
internal static class RunCommand
{
    /// <summary>Describes the verb.</summary>
    public static Verb Create()
    {
        var options = new RunOptions();
        var command = new Command("run", "Runs a Linux program, i386 or x86-64: run [options] PROGRAM [ARG...].");
        options.AddTo(command);
        return new Verb(command, (result, guest) => Run(options, result, guest), TakesGuest: true);
    }

    private static int Run(RunOptions options, ParseResult result, GuestArguments guest)
    {
        if (guest.Program == null)
            return CommandLine.Fail(ExitStatus.Usage, "run: a program is missing");
        var root = options.Root(result);
        var statistics = new RunStatistics();
        var verify = options.Verify(result);
        var linux = new LinuxOptions
        {
            Program = ProgramFinder.Find(guest.Program, root),
            Argument0 = guest.Program,
            Arguments = guest.Arguments,
            Environment = options.Environment(result),
            Root = root,
            Strace = options.Strace(result) ? Console.Error : null,
            TranslatorFactory = verify
                ? Verifying(statistics)
                : Engines.Factory(options.Engine(result), options.Stats(result), statistics.Add),
            VcpuCreated = verify ? vcpu => vcpu.DifferenceFound = StopAtDifference : options.Stats(result) ? RunStatistics.Watch : null,
            VcpuEnding = statistics.Add,
        };
        var status = LinuxHost.Run(linux);
        if (options.Stats(result) || verify)
            Console.Error.Write(statistics.Describe(verify));
        if (options.StatsFile(result) is { } file)
            File.WriteAllText(file, statistics.ToJson());
        return status;
    }

    private static Func<Translator> Verifying(RunStatistics statistics) => () =>
    {
        var translator = new Translator(new TranslatorOptions(Background: false, CountInstructions: true, MaxDeadRegions: int.MaxValue, Verify: true));
        statistics.Add(translator);
        return translator;
    };

    // On the guest's thread, and other threads may be anywhere: nothing can go on from here.
    private static void StopAtDifference(LockStepException difference)
    {
        Console.Error.Write("dynatrans: " + difference.Report);
        Environment.Exit(ExitStatus.Difference);
    }
}
