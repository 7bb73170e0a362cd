using System.CommandLine;

namespace DynaTrans.Cli.Commands;

/// <summary>The options of <c>boot</c>.</summary>
internal sealed class BootOptions
{
    private readonly Option<string?> _kernel = Text(BootSettings.KernelName, "FILE", "Start this kernel: a bzImage, an ELF vmlinux, or a multiboot kernel.");

    private readonly Option<string?> _ramDisk = Text(
        BootSettings.RamDiskName, "FILE", "Give the kernel this initial RAM disk; for multiboot: modules, FILE[ ARGUMENTS] separated by commas.");

    private readonly Option<string?> _append = Text(BootSettings.AppendName, "TEXT", "The kernel's command line.");

    private readonly Option<string?> _bios = Text(BootSettings.BiosName, "FILE", "Start this ROM, which ends at 4 GiB, at the reset vector.");

    private readonly Option<string?> _memory = Memories();

    private readonly Option<string?> _cpu = Text(BootSettings.CpuName, "MODEL", "The processor: " + string.Join(", ", BootSettings.CpuModels) + ".");

    private readonly Option<string> _engine = Engines.Option(Engines.All);

    private readonly Option<string[]> _serial = Texts(
        BootSettings.SerialName, "WHERE", "Connect a serial port to stdio, a FILE (output only), tcp:PORT, unix:PATH or none; again for the next port.");

    private readonly Option<string[]> _debugConsole = Texts(BootSettings.DebugConsoleName, "PORT=FILE", "Write what the guest sends to an I/O port to a file (-: standard error).");

    private readonly Option<string[]> _device = Texts(
        BootSettings.DeviceName, "DEVICE", "Add a device: isa-debug-exit[,iobase=PORT][,iosize=N] or post-code[,iobase=PORT].");

    private readonly Option<bool> _countsInstructions = new(BootSettings.CountName)
    {
        Description = "Let time be a function of executed instructions: two runs are the same.",
    };

    private readonly Option<string?> _rtc = Text(BootSettings.RtcName, "BASE", "What the real-time clock starts with: utc, localtime, or a date as 2026-01-31T12:00:00.");

    private readonly Option<string?> _decompress = Decompressions();

    private readonly Option<bool> _noAcpi = new(BootSettings.NoAcpiName) { Description = "Leave out ACPI tables and power management." };

    private readonly Option<string?> _cache = CacheSettings.Option();

    private readonly Option<bool> _stats = new(BootSettings.StatsName) { Description = "Print counters to standard error at the end." };

    private readonly Option<bool> _verify = new(BootSettings.VerifyName)
    {
        Description = "Run every block by interpreter and translator, compare, and stop at the first difference (status 2).",
    };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in new Option[]
        {
            _kernel, _ramDisk, _append, _bios, _memory, _cpu, _engine, _serial, _debugConsole, _device, _countsInstructions, _rtc, _decompress, _noAcpi, _cache, _stats, _verify,
        })
            command.Add(option);
    }

    /// <summary>The values of options that were given for a kernel to another command.</summary>
    /// <exception cref="CommandException">They are wrong.</exception>
    public static BootSettings Parse(string kernel, string[] arguments)
    {
        var options = new BootOptions();
        var command = new Command("boot");
        options.AddTo(command);
        var result = command.Parse([BootSettings.KernelName, kernel, .. arguments]);
        return result.Errors.Count == 0 ? options.Read(result) : throw new CommandException(ExitStatus.Usage, result.Errors[0].Message);
    }

    /// <summary>The values.</summary>
    public BootSettings Read(ParseResult result) => new()
    {
        Kernel = result.GetValue(_kernel),
        RamDisk = result.GetValue(_ramDisk),
        Append = result.GetValue(_append),
        Bios = result.GetValue(_bios),
        Memory = result.GetValue(_memory),
        Cpu = result.GetValue(_cpu),
        Engine = result.GetValue(_engine) ?? Engines.Auto,
        Cache = result.GetValue(_cache),
        Serial = result.GetValue(_serial) ?? [],
        DebugConsoles = result.GetValue(_debugConsole) ?? [],
        Devices = result.GetValue(_device) ?? [],
        CountsInstructions = result.GetValue(_countsInstructions),
        Rtc = result.GetValue(_rtc),
        Decompress = result.GetValue(_decompress),
        HasAcpi = !result.GetValue(_noAcpi),
        Stats = result.GetValue(_stats),
        Verify = result.GetValue(_verify),
    };

    private static Option<string?> Text(string name, string value, string description) => new(name) { Description = description, HelpName = value };

    private static Option<string[]> Texts(string name, string value, string description) => new(name)
    {
        Description = description,
        HelpName = value,
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };

    private static Option<string?> Memories()
    {
        var option = Text(BootSettings.MemoryName, "SIZE", "RAM: a number of MiB, or with K, M, G behind it; 128M without the option.");
        option.Aliases.Add("--memory");
        return option;
    }

    private static Option<string?> Decompressions()
    {
        var option = Text(
            BootSettings.DecompressName, string.Join("|", BootSettings.Decompressions),
            "Who unpacks a bzImage: the host (default), or its own code, entered in protected mode (guest) or in real mode (real).");
        option.AcceptOnlyFromAmong(BootSettings.Decompressions);
        return option;
    }
}
