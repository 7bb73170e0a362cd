using System.CommandLine;
using DynaTrans.Cli.Guests;
using DynaTrans.Inspection;
using DynaTrans.Inspection.HostCode;
using DynaTrans.Inspection.Text;
using DynaTrans.Linux;
using Spectre.Console;

namespace DynaTrans.Cli.Commands;

/// <summary><c>dynatrans demo</c>: the guest that comes with DynaTrans by both executors, and one of its blocks dumped.</summary>
internal static class DemoCommand
{
    private const string Rounds = "20";

    /// <summary>Describes the verb.</summary>
    public static Verb Create()
    {
        var command = new Command("demo", "Runs the guest that comes with DynaTrans by interpreter and translator, and dumps one of its blocks.");
        return new Verb(command, (_, _) => Run(), TakesGuest: false);
    }

    private static int Run()
    {
        using var demo = new DemoGuest("demo-i386");
        AnsiConsole.WriteLine("A 32-bit Linux program (src/Cli/Guests/demo.c), as it runs here:");
        var hot = new HotRegions();
        JitSession.Connect();
        var status = LinuxHost.Run(new LinuxOptions
        {
            Program = demo.Path,
            Arguments = [Rounds],
            TranslatorFactory = static _ => Engines.Make(Engines.Auto),
            VcpuCreated = hot.Watch,
        });
        if (status != 0)
            throw new CommandException(ExitStatus.Failed, $"the guest ended with status {status}");
        AnsiConsole.WriteLine();
        AnsiConsole.WriteLine("The same in a process of its own by each executor, from start to end:");
        var benchmark = new Benchmark(demo.Path, [Rounds], null, withOthers: true);
        benchmark.Run(1);
        AnsiConsole.Write(benchmark.ToTable(Console.IsOutputRedirected));
        ShowBlock(hot.Regions);
        return ExitStatus.Ok;
    }

    // The shortest loop says most on one screen.
    private static void ShowBlock(IReadOnlyList<DumpInput> regions)
    {
        var loops = regions.Where(input => input.Region.Blocks.Any(block => block.Taken == input.Region.Blocks[0].Start));
        if (loops.MinBy(input => input.Region.Blocks.Sum(block => block.Addresses.Length)) is not { } shortest)
            return;
        Console.WriteLine();
        Console.WriteLine("A loop of it: guest instructions, their IR, and the host code that RyuJIT made (dynatrans dump shows the rest):");
        DumpText.WriteBrief(Console.Out, BlockDump.Create([shortest])[0]);
    }
}
