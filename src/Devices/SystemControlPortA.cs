namespace DynaTrans.Devices;

/// <summary>
/// Port 92h: bit 0 resets the CPU when it is set, bit 1 is the PS/2's fast way to the A20 gate. The other bits are kept. (IBM PS/2 Hardware Interface Technical
/// Reference, system control port A.)
/// </summary>
/// <param name="a20">This port's part of the gate: the address line is enabled where this or the keyboard controller enables it.</param>
/// <param name="reset">Called when bit 0 goes from 0 to 1.</param>
public sealed class SystemControlPortA(InterruptLine a20, Action reset) : IPortDevice, IStatefulDevice
{
    private byte _value;

    /// <inheritdoc/>
    public string Name => "port92";

    /// <inheritdoc/>
    public int Version => 1;

    /// <summary>Puts it at its port.</summary>
    public void Map(PortBus ports) => ports.Map(0x92, 1, this);

    /// <inheritdoc/>
    public uint Read(ushort port, int size) => _value;

    /// <inheritdoc/>
    public void Write(ushort port, int size, uint value)
    {
        var isReset = (value & ~_value & 1) != 0;
        _value = (byte)value;
        a20.Set((value & 2) != 0);
        if (isReset)
            reset();
    }

    /// <summary>The state after a reset of the machine.</summary>
    public void Reset()
    {
        _value = 0;
        a20.Set(false);
    }

    /// <inheritdoc/>
    public void Save(StateWriter w) => w.WriteByte(_value);

    /// <inheritdoc/>
    public void Load(StateReader r, int version)
    {
        _value = r.ReadByte();
        a20.Restore((_value & 2) != 0);
    }
}
