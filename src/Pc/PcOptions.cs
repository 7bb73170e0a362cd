using DynaTrans.Devices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Pc.Consoles;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Pc;

/// <summary>A machine to be made: what is in it and what it starts with.</summary>
public sealed record PcOptions
{
    /// <summary>RAM without an option, in bytes.</summary>
    public const long UsualMemory = 128 << 20;

    /// <summary>Bytes of RAM, a multiple of 1 MiB from <see cref="PhysicalMemory.Smallest"/> to <see cref="PhysicalMemory.Largest"/>.</summary>
    public long Memory { get; init; } = UsualMemory;

    /// <summary>The kernel that is entered directly; null with <see cref="Rom"/>.</summary>
    public KernelOptions? Kernel { get; init; }

    /// <summary>The file of the ROM at the top of 4 GiB, which the processor begins in; null with <see cref="Kernel"/>.</summary>
    public string? Rom { get; init; }

    /// <summary>The far ends of the serial ports COM1 to COM4; null: nobody.</summary>
    public IReadOnlyList<Channel?> Serial { get; init; } = [];

    /// <summary>Devices that are not of every PC.</summary>
    public IReadOnlyList<ExtraDevice> Devices { get; init; } = [];

    /// <summary>There are ACPI tables and what they describe.</summary>
    public bool HasAcpi { get; init; } = true;

    /// <summary>Time is a function of executed instructions: two runs without input are the same.</summary>
    public bool CountsInstructions { get; init; }

    /// <summary>What the real-time clock shows when the machine starts.</summary>
    public RtcBase Clock { get; init; }

    /// <summary>The processor.</summary>
    public CpuModel Model { get; init; } = CpuModel.Max;

    /// <summary>Makes the translator; null interprets everything.</summary>
    public Func<ITranslator?>? TranslatorFactory { get; init; }

    /// <summary>Called with the processor before it runs.</summary>
    public Action<Vcpu>? VcpuCreated { get; init; }
}

/// <summary>A device that a user adds.</summary>
public abstract record ExtraDevice;

/// <summary>A port whose writes go to a file ("debug console").</summary>
/// <param name="Port">The port.</param>
/// <param name="Output">Where bytes go.</param>
public sealed record DebugConsoleDevice(ushort Port, Channel Output) : ExtraDevice;

/// <summary>Ports that end the machine with what is written to them, as QEMU's isa-debug-exit.</summary>
/// <param name="Port">The first port.</param>
/// <param name="Count">How many, 1 to 4.</param>
public sealed record DebugExitDevice(ushort Port, int Count) : ExtraDevice;

/// <summary>A port that takes the progress codes of a power-on self-test.</summary>
/// <param name="Port">The port.</param>
/// <param name="Written">Called with each code.</param>
public sealed record PostCodeDevice(ushort Port, Action<byte> Written) : ExtraDevice;
