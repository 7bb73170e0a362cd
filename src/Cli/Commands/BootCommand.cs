using System.CommandLine;
using DynaTrans.Caching;
using DynaTrans.Devices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Inspection;
using DynaTrans.Pc;
using DynaTrans.Runtime.Execution;

namespace DynaTrans.Cli.Commands;

/// <summary><c>dynatrans boot</c>: a kernel or a ROM on an emulated PC. What it does for a user is in docs/boot.md.</summary>
internal static class BootCommand
{
    /// <summary>Describes the verb.</summary>
    public static Verb Create()
    {
        var options = new BootOptions();
        var command = new Command("boot", "Boots a kernel or a ROM on an emulated PC: boot --kernel FILE [options], boot --bios FILE [options].");
        options.AddTo(command);
        return new Verb(command, (result, _) => Run(options.Read(result)), TakesGuest: false);
    }

    /// <summary>Runs the machine.</summary>
    /// <param name="settings">What was asked for.</param>
    /// <param name="hot">Takes down what is translated, and how often it is executed; or null.</param>
    /// <exception cref="CommandException">The settings are wrong, or what is to be booted cannot be.</exception>
    public static int Run(BootSettings settings, HotRegions? hot = null)
    {
        ExecutorPreparation.Start();
        var statistics = new RunStatistics();
        using var consoles = new BootConsoles();
        var cache = settings.Verify || hot != null || settings.CountsInstructions || settings.Engine != Engines.Auto ? null : CacheSettings.Open(settings.Cache);
        var translations = TranslationsOf(cache, settings);
        try
        {
            MachineEnd end;
            using (var machine = new PcMachine(Options(settings, consoles, statistics, hot, translations)))
            {
                consoles.Quit = machine.Quit;
                consoles.Break = machine.SendBreak;
                consoles.AwaitPeers();
                end = machine.Run();
                statistics.Add(machine.Processor);
                statistics.Add(machine.Processor.Cache);
            }

            consoles.Dispose();
            CacheSettings.Close(cache);
            if (settings.Stats || settings.Verify)
                Console.Error.Write(statistics.Describe(settings.Verify));
            return Status(end);
        }
        catch (BootException e)
        {
            throw new CommandException(ExitStatus.CannotRun, e.Message);
        }
    }

    private static PcOptions Options(BootSettings settings, BootConsoles consoles, RunStatistics statistics, HotRegions? hot, ProgramTranslations? translations)
    {
        var kernel = settings.CheckedKernel();
        var devices = settings.CheckedDevices(code => Console.Error.WriteLine($"dynatrans: POST code {code:x2}"));
        var debugConsoles = settings.CheckedDebugConsoles();
        var options = new PcOptions
        {
            Memory = settings.CheckedMemory(),
            Kernel = kernel,
            Rom = settings.Bios,
            Model = settings.CheckedModel(),
            Clock = settings.CheckedClock(),
            CountsInstructions = settings.CountsInstructions,
            HasAcpi = settings.HasAcpi,
            TranslatorFactory = () => Translator(settings, statistics.Translators, hot, translations),
            VcpuCreated = vcpu =>
            {
                if (settings.Verify)
                    vcpu.DifferenceFound = RunCommand.StopAtDifference;
                else if (settings.Stats)
                    RunStatistics.Watch(vcpu);
                hot?.Watch(vcpu);
            },
        };

        // Nothing is opened on the host before all is checked.
        return options with
        {
            Serial = consoles.Serial(settings.Serial),
            Devices = [.. devices, .. debugConsoles.Select(console => new DebugConsoleDevice(console.Port, consoles.Output(console.File)))],
        };
    }

    // With time counted in instructions nothing may depend on when the host has compiled something.
    private static Translator? Translator(BootSettings settings, TranslatorStatistics statistics, HotRegions? hot, ProgramTranslations? translations)
    {
        var options = new TranslatorOptions(
            CountInstructions: settings.Stats || settings.CountsInstructions, HeatCounter: hot == null ? null : hot.CounterOf, Statistics: statistics,
            Access: AccessForm.Lookaside).With(translations);
        if (settings.Verify)
            return new Translator(options with { Background = false, CountInstructions = true, MaxDeadRegions = int.MaxValue, Verify = true });
        return settings.Engine switch
        {
            Engines.Auto => new Translator(options with { Background = !settings.CountsInstructions }),
            Engines.Translator => new Translator(options with { Threshold = 0, Background = false }),
            _ => null,
        };
    }

    // By the contents of what is booted, and the processor: what kernels do depends on it, and so does what is lifted.
    private static ProgramTranslations? TranslationsOf(TranslationCache? cache, BootSettings settings)
    {
        if (cache == null || (settings.Kernel ?? settings.Bios) is not { } path || !File.Exists(path))
            return null;
        using var file = File.OpenHandle(path);
        return ProgramKey.Of(file, $"pc {settings.Cpu}") is { } key ? cache.For(key, settings.CheckedModel()) : null;
    }

    private static int Status(MachineEnd end) => end.Cause switch
    {
        EndCause.DebugExit => end.Status & 0xFF,
        EndCause.Reset => ExitStatus.Reset,
        EndCause.TripleFault => CommandLine.Fail(ExitStatus.TripleFault, "boot: the processor has shut down after a triple fault"),
        EndCause.Halted => CommandLine.Fail(ExitStatus.Halted, "boot: the processor has halted with interrupts disabled"),
        _ => ExitStatus.Ok,
    };
}
