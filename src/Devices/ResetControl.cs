namespace DynaTrans.Devices;

/// <summary>
/// The reset control register at port CF9h (82371SB datasheet 290550, "RC"): setting bit 2 resets the processor, with bit 1 the whole machine. The host
/// bridge hands it the byte accesses in the middle of its own ports.
/// </summary>
/// <param name="reset">Called when a reset is asked for: true resets the machine, false the processor only.</param>
public sealed class ResetControl(Action<bool> reset) : IPortDevice, IStatefulDevice
{
    /// <summary>The port.</summary>
    public const ushort Port = 0xCF9;

    /// <summary>The value that resets the machine.</summary>
    public const byte HardReset = SystemReset | ResetProcessor;

    private const byte SystemReset = 1 << 1;
    private const byte ResetProcessor = 1 << 2;

    private byte _value;

    /// <inheritdoc/>
    public string Name => "reset-control";

    /// <inheritdoc/>
    public int Version => 1;

    /// <summary>What a reset makes of the register.</summary>
    public void Reset() => _value = 0;

    /// <inheritdoc/>
    public uint Read(ushort port, int size) => _value;

    /// <inheritdoc/>
    public void Write(ushort port, int size, uint value)
    {
        var rises = (value & ~_value & ResetProcessor) != 0;
        _value = (byte)(value & HardReset);
        if (rises)
            reset((value & SystemReset) != 0);
    }

    /// <inheritdoc/>
    public void Save(StateWriter w) => w.WriteByte(_value);

    /// <inheritdoc/>
    public void Load(StateReader r, int version) => _value = (byte)(r.ReadByte() & HardReset);
}
