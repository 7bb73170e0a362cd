using System.CommandLine;
using DynaTrans.Caching;
using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.Linux;
using DynaTrans.Linux.Loading;
using DynaTrans.Runtime.Execution;
using Microsoft.Win32.SafeHandles;

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
        return new Verb(command, (result, guest) => guest.Program == null ? NoProgram() : Run(options.Read(result, guest)), TakesGuest: true);
    }

    /// <summary>Runs the program.</summary>
    /// <exception cref="CommandException">The settings are wrong.</exception>
    public static int Run(RunSettings settings)
    {
        ExecutorPreparation.Start();
        var root = settings.CheckedRoot();
        var statistics = new RunStatistics();
        var engine = settings.Engine ?? Engines.Auto;
        var cache = settings.Verify || engine != Engines.Auto ? null : CacheSettings.Open(settings.Cache, root);
        CacheSettings.HideAll(settings.Cache);
        var shared = new SharedRegions();
        var linux = new LinuxOptions
        {
            Program = ProgramFinder.Find(settings.Program, root),
            Argument0 = settings.Program,
            Arguments = settings.Arguments,
            Environment = settings.GuestEnvironment(),
            Root = root,
            MemoryLimit = settings.CheckedMemory(),
            Layout = settings.Layout switch { null => null, "native" => AddressLayout.Native, _ => AddressLayout.Compact },
            Timeout = settings.CheckedTimeout(),
            InstructionLimit = settings.CheckedInstructions(),
            MemoryMeter = settings.Stats ? statistics.Memory : null,
            Strace = settings.Strace ? Console.Error : null,
            TranslatorFactory = settings.Verify
                ? _ => Verifying(statistics)
                : program => Engines.Make(engine, settings.Stats, statistics.Translators, shared: shared, translations: TranslationsOf(cache, program)),
            VcpuCreated = settings.Verify ? vcpu => vcpu.DifferenceFound = StopAtDifference : settings.Stats ? RunStatistics.Watch : null,
            VcpuEnding = statistics.Add,
            MemoryEnding = statistics.Add,
        };
        var status = LinuxHost.Run(linux);
        CacheSettings.Close(cache);
        if ((settings.Stats || settings.Strace) && linux.UnknownCalls.Describe() is { } calls)
            Console.Error.WriteLine($"dynatrans: not implemented {calls}");
        if (settings.Stats || settings.Verify)
            Console.Error.Write(statistics.Describe(settings.Verify));
        if (settings.StatsFile is { } file)
            File.WriteAllText(file, statistics.ToJson());
        return status;
    }

    /// <summary>
    /// Says what differs and ends the process. On the guest's thread, and other threads may be anywhere: nothing can go on from here.
    /// </summary>
    public static void StopAtDifference(LockStepException difference)
    {
        Console.Error.Write("dynatrans: " + difference.Report);
        Environment.Exit(ExitStatus.Difference);
    }

    // Copies of an address space have what the program has.
    private static ProgramTranslations? TranslationsOf(TranslationCache? cache, GuestProgram program)
    {
        if (cache == null)
            return null;
        if (program.Translations is ProgramTranslations known)
            return known;
        using var file = new SafeFileHandle(program.HostFd, ownsHandle: false);
        if (ProgramKey.Of(file, $"linux {program.Is32} {program.Layout}") is not { } key)
            return null;
        var translations = cache.For(key, CpuModel.Process);
        program.Translations = translations;
        return translations;
    }

    private static int NoProgram() => CommandLine.Fail(ExitStatus.Usage, "run: a program is missing");

    private static Translator Verifying(RunStatistics statistics) => new(new TranslatorOptions(
        Background: false, CountInstructions: true, MaxDeadRegions: int.MaxValue, Verify: true, Statistics: statistics.Translators));
}
