using System.Globalization;
using DynaTrans.Devices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Pc;

namespace DynaTrans.Cli.Commands;

/// <summary>What <c>boot</c> was asked for, as it was given.</summary>
internal sealed record BootSettings
{
    /// <summary>Names of the options.</summary>
    public const string KernelName = "--kernel", RamDiskName = "--initrd", AppendName = "--append", BiosName = "--bios", MemoryName = "-m", CpuName = "--cpu",
        SerialName = "--serial", DebugConsoleName = "--debugcon", DeviceName = "--device", CountName = "--icount", RtcName = "--rtc",
        DecompressName = "--decompress", NoAcpiName = "--no-acpi", StatsName = "--stats", VerifyName = "--verify";

    /// <summary>Values of <see cref="DecompressName"/>, in the order of <see cref="KernelUnpacking"/>.</summary>
    public static readonly string[] Decompressions = ["host", "guest", "real"];

    /// <summary>Values of <see cref="CpuName"/>.</summary>
    public static readonly string[] CpuModels = [.. CpuModel.All.Select(model => model.Name)];

    private const ushort DebugExitPort = 0x501, PostCodePort = 0x80;
    private const int DebugExitPorts = 2;
    private const long Mebibyte = 1 << 20;

    // What a machine that counts instructions shows, so that two runs are the same.
    private static readonly DateTime s_fixedStart = new(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    /// <summary>The kernel.</summary>
    public string? Kernel { get; init; }

    /// <summary>The initial RAM disk, or modules.</summary>
    public string? RamDisk { get; init; }

    /// <summary>The command line.</summary>
    public string? Append { get; init; }

    /// <summary>The ROM.</summary>
    public string? Bios { get; init; }

    /// <summary>The size of the RAM.</summary>
    public string? Memory { get; init; }

    /// <summary>The processor.</summary>
    public string? Cpu { get; init; }

    /// <summary>The executor.</summary>
    public string Engine { get; init; } = Engines.Auto;

    /// <summary>Where translations are kept, or off, as it was given.</summary>
    public string? Cache { get; init; }

    /// <summary>The serial ports.</summary>
    public string[] Serial { get; init; } = [];

    /// <summary>Debug consoles.</summary>
    public string[] DebugConsoles { get; init; } = [];

    /// <summary>Further devices.</summary>
    public string[] Devices { get; init; } = [];

    /// <summary>Time is counted in instructions.</summary>
    public bool CountsInstructions { get; init; }

    /// <summary>The start of the real-time clock.</summary>
    public string? Rtc { get; init; }

    /// <summary>Who unpacks the kernel, one of <see cref="Decompressions"/>; null: the host.</summary>
    public string? Decompress { get; init; }

    /// <summary>There is ACPI.</summary>
    public bool HasAcpi { get; init; } = true;

    /// <summary>Print counters.</summary>
    public bool Stats { get; init; }

    /// <summary>Compare the executors.</summary>
    public bool Verify { get; init; }

    /// <summary>The kernel with what belongs to it; null when a ROM is started.</summary>
    /// <exception cref="CommandException">Options are missing or exclude each other.</exception>
    public KernelOptions? CheckedKernel()
    {
        if ((Kernel == null) == (Bios == null))
            throw Wrong(Kernel == null ? "boot: --kernel or --bios is missing" : "boot: --kernel and --bios exclude each other");
        if (Kernel == null && (RamDisk ?? Append ?? Decompress) != null)
            throw Wrong("boot: --initrd, --append and --decompress need --kernel");
        return Kernel == null ? null : new KernelOptions(Kernel)
        {
            RamDisk = RamDisk,
            CommandLine = Append ?? string.Empty,
            Unpacking = (KernelUnpacking)Math.Max(0, Array.IndexOf(Decompressions, Decompress)),
        };
    }

    /// <summary>Bytes of RAM.</summary>
    /// <exception cref="CommandException">It is no size, or one that a machine cannot have here.</exception>
    public long CheckedMemory()
    {
        if (Memory == null)
            return PcOptions.UsualMemory;

        // A bare number counts MiB, as QEMU has it.
        var size = Memory.All(char.IsAsciiDigit) ? Quantities.ReadSize(Memory + "M") : Quantities.ReadSize(Memory);
        if (size is not { } bytes)
            throw Wrong($"-m {Memory}: a size is expected, such as 256 (MiB) or 2G");
        if (bytes < PhysicalMemory.Smallest || bytes > PhysicalMemory.Largest || bytes % Mebibyte != 0)
            throw Wrong($"-m {Memory}: a machine has 1 MiB to {PhysicalMemory.Largest >> 30} GiB, in whole MiB");
        var host = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return bytes <= host ? bytes : throw Wrong($"-m {Memory}: this host has {host / Mebibyte} MiB of memory");
    }

    /// <summary>What the real-time clock shows at first.</summary>
    /// <exception cref="CommandException">It is no date.</exception>
    public RtcBase CheckedClock()
    {
        if (Rtc == null)
            return CountsInstructions ? RtcBase.Fixed(s_fixedStart) : RtcBase.Utc;
        return RtcBase.TryParse(Rtc.StartsWith("base=", StringComparison.Ordinal) ? Rtc["base=".Length..] : Rtc, out var start)
            ? start
            : throw Wrong($"--rtc {Rtc}: utc, localtime or a date such as 2026-01-31T12:00:00 is expected");
    }

    /// <summary>The processor.</summary>
    /// <exception cref="CommandException">There is no such model.</exception>
    public CpuModel CheckedModel() => Cpu == null
        ? CpuModel.Max
        : CpuModel.All.FirstOrDefault(model => model.Name == Cpu) ?? throw Wrong($"--cpu {Cpu}: {string.Join(", ", CpuModels)} are known");

    /// <summary>Port and file of each debug console.</summary>
    /// <exception cref="CommandException">One is malformed.</exception>
    public List<(ushort Port, string File)> CheckedDebugConsoles()
    {
        var consoles = new List<(ushort, string)>();
        foreach (var console in DebugConsoles)
        {
            var equals = console.IndexOf('=', StringComparison.Ordinal);
            if (equals < 1 || equals == console.Length - 1 || ReadNumber(console[..equals]) is not { } port || port > ushort.MaxValue)
                throw Wrong($"--debugcon {console}: PORT=FILE is expected, such as 0xe9=log");
            consoles.Add(((ushort)port, console[(equals + 1)..]));
        }

        return consoles;
    }

    /// <summary>The further devices.</summary>
    /// <param name="postCode">Called with each code that a post-code device gets.</param>
    /// <exception cref="CommandException">One is unknown or malformed.</exception>
    public List<ExtraDevice> CheckedDevices(Action<byte> postCode)
    {
        var devices = new List<ExtraDevice>();
        foreach (var device in Devices)
        {
            var parts = device.Split(',');
            var values = new Dictionary<string, uint>();
            foreach (var part in parts.Skip(1))
            {
                var equals = part.IndexOf('=', StringComparison.Ordinal);
                if (equals < 1 || ReadNumber(part[(equals + 1)..]) is not { } number || !values.TryAdd(part[..equals], number))
                    throw Wrong($"--device {device}: NAME=NUMBER is expected, not {part}");
            }

            devices.Add(parts[0] switch
            {
                "isa-debug-exit" => new DebugExitDevice(Port("iobase", DebugExitPort), (int)Value("iosize", DebugExitPorts, 1, 4)),
                "post-code" => new PostCodeDevice(Port("iobase", PostCodePort), postCode),
                _ => throw Wrong($"--device {device}: isa-debug-exit and post-code are known"),
            });
            if (values.Count > 0)
                throw Wrong($"--device {device}: {parts[0]} has no property {values.Keys.First()}");

            ushort Port(string name, ushort usual) => (ushort)Value(name, usual, 0, 0xFFFC);

            uint Value(string name, uint usual, uint least, uint most)
            {
                if (!values.Remove(name, out var value))
                    return usual;
                return value >= least && value <= most ? value : throw Wrong($"--device {device}: {name} is from {least} to 0x{most:x}");
            }
        }

        return devices;
    }

    // Decimal, or hexadecimal with 0x before it.
    private static uint? ReadNumber(string text) =>
        text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? uint.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) ? value : null
            : uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) ? value : null;

    private static CommandException Wrong(string message) => new(ExitStatus.Usage, message);
}
