namespace DynaTrans.Devices.Pci;

/// <summary>What a function says it is, in the first registers of its configuration space.</summary>
/// <param name="Vendor">The vendor's number.</param>
/// <param name="Device">The vendor's number of the device.</param>
/// <param name="Class">Class, subclass and programming interface, 24 bits.</param>
/// <param name="Revision">The revision.</param>
/// <param name="IsMultifunction">Whether the device has more functions; function 0 says so.</param>
/// <param name="InterruptPin">1 to 4 for INTA# to INTD#, 0 for none.</param>
public readonly record struct PciIdentity(
    ushort Vendor, ushort Device, uint Class, byte Revision = 0, bool IsMultifunction = false, byte InterruptPin = 0);

/// <summary>
/// A function of a PCI device with its configuration space (PCI Local Bus Specification 3.0, chapter 6, header type 0). A device derives from it, says
/// which bits software can write, and adds its base address registers.
/// </summary>
public abstract partial class PciFunction : IStatefulDevice
{
    /// <summary>Bytes of a configuration space.</summary>
    public const int ConfigurationSize = 256;

    /// <summary>Offset of the command register.</summary>
    protected const int CommandRegister = 0x04;

    /// <summary>Offset of the status register.</summary>
    protected const int StatusRegister = 0x06;

    /// <summary>Command: the function answers to ports.</summary>
    protected const ushort CommandPorts = 1 << 0;

    /// <summary>Command: the function answers to memory addresses.</summary>
    protected const ushort CommandMemory = 1 << 1;

    /// <summary>Command: the function may be a bus master.</summary>
    protected const ushort CommandMaster = 1 << 2;

    // Command: the interrupt pin is not driven. Status: an interrupt waits, whether or not the pin is driven.
    private const ushort CommandInterruptDisable = 1 << 10;
    private const byte StatusInterrupt = 1 << 3;

    private readonly byte[] _configuration = new byte[ConfigurationSize];
    private readonly byte[] _atReset = new byte[ConfigurationSize];
    private readonly byte[] _writable = new byte[ConfigurationSize];
    private readonly byte[] _clearedByOnes = new byte[ConfigurationSize];
    private InterruptLine? _interruptLine;

    /// <summary>Makes the function with its identity, and command and status registers that cannot be written.</summary>
    /// <param name="name">Its name in snapshots.</param>
    /// <param name="identity">What it is.</param>
    protected PciFunction(string name, PciIdentity identity)
    {
        Name = name;
        InterruptPin = identity.InterruptPin;
        Define(0x00, 4, identity.Vendor | (uint)identity.Device << 16);
        Define(0x08, 4, identity.Revision | identity.Class << 8);
        Define(0x0E, 1, identity.IsMultifunction ? 0x80u : 0);
        if (identity.InterruptPin != 0)
        {
            Define(0x3C, 1, 0, writable: 0xFF);
            Define(0x3D, 1, identity.InterruptPin);
        }
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public virtual int Version => 1;

    /// <summary>1 to 4 for INTA# to INTD#, 0 for none.</summary>
    public int InterruptPin { get; }

    /// <summary>The command register.</summary>
    protected ushort Command => (ushort)Register(CommandRegister, 2);

    /// <summary>Reads 1, 2 or 4 bytes of the configuration space, within 4 bytes that are aligned.</summary>
    public uint ReadConfiguration(int offset, int size) => Register(offset, size);

    /// <summary>Writes 1, 2 or 4 bytes of the configuration space, within 4 bytes that are aligned. Bits that are read-only keep their value.</summary>
    public void WriteConfiguration(int offset, int size, uint value)
    {
        for (var i = 0; i < size; i++)
        {
            var at = offset + i;
            var written = (byte)(value >> (8 * i));
            var kept = _configuration[at] & ~_writable[at] & ~(written & _clearedByOnes[at]);
            _configuration[at] = (byte)(kept | written & _writable[at]);
        }

        if (offset < 0x28)
        {
            UpdateBars();
            DriveInterrupt();
        }

        ConfigurationWritten(offset, size);
    }

    /// <summary>RST#: all registers get the values that they have after it.</summary>
    public virtual void Reset()
    {
        _atReset.CopyTo(_configuration, 0);
        UpdateBars();
        DriveInterrupt();
        ConfigurationWritten(0, ConfigurationSize);
    }

    /// <summary>Connects the interrupt pin; called by the bus.</summary>
    internal void ConnectInterrupt(InterruptLine line) => _interruptLine = line;

    /// <summary>Says what a register is: its value after reset, and the bits that software can write, or clear by writing ones.</summary>
    protected void Define(int offset, int size, uint atReset, uint writable = 0, uint clearedByOnes = 0)
    {
        for (var i = 0; i < size; i++)
        {
            _configuration[offset + i] = _atReset[offset + i] = (byte)(atReset >> (8 * i));
            _writable[offset + i] = (byte)(writable >> (8 * i));
            _clearedByOnes[offset + i] = (byte)(clearedByOnes >> (8 * i));
        }
    }

    /// <summary>The value of a register.</summary>
    protected uint Register(int offset, int size)
    {
        var value = 0u;
        for (var i = 0; i < size; i++)
            value |= (uint)_configuration[offset + i] << (8 * i);
        return value;
    }

    /// <summary>Changes a register from the device's side; what bits software can write does not matter.</summary>
    protected void SetRegister(int offset, int size, uint value)
    {
        for (var i = 0; i < size; i++)
            _configuration[offset + i] = (byte)(value >> (8 * i));
    }

    /// <summary>Makes bits of a byte read-only, or writable.</summary>
    protected void SetWritable(int offset, byte bits) => _writable[offset] = bits;

    /// <summary>Asserts or releases the function's interrupt.</summary>
    protected void SetInterrupt(bool level)
    {
        var status = _configuration[StatusRegister];
        _configuration[StatusRegister] = (byte)(level ? status | StatusInterrupt : status & ~StatusInterrupt);
        DriveInterrupt();
    }

    /// <summary>Called after software has written registers, or all have changed. Base address registers have been looked at before.</summary>
    protected virtual void ConfigurationWritten(int offset, int size)
    {
    }

    /// <summary>Writes what the device has beyond its configuration space.</summary>
    protected virtual void SaveDevice(StateWriter w)
    {
    }

    /// <summary>Reads what <see cref="SaveDevice"/> wrote. It is called before the configuration space takes effect.</summary>
    protected virtual void LoadDevice(StateReader r, int version)
    {
    }

    /// <inheritdoc/>
    public void Save(StateWriter w)
    {
        w.WriteBytes(_configuration);
        w.WriteBoolean(_interruptLine?.Level ?? false);
        SaveDevice(w);
    }

    /// <inheritdoc/>
    public void Load(StateReader r, int version)
    {
        var loaded = new byte[ConfigurationSize];
        r.ReadBytes(loaded);
        for (var i = 0; i < ConfigurationSize; i++)
        {
            var changing = _writable[i] | _clearedByOnes[i] | (i == StatusRegister && InterruptPin != 0 ? StatusInterrupt : 0);
            _configuration[i] = (byte)(_atReset[i] & ~changing | loaded[i] & changing);
        }

        var line = r.ReadBoolean();
        _interruptLine?.Restore(line);
        LoadDevice(r, version);
        UpdateBars();
        ConfigurationWritten(0, ConfigurationSize);
    }

    private void DriveInterrupt() =>
        _interruptLine?.Set((_configuration[StatusRegister] & StatusInterrupt) != 0 && (Command & CommandInterruptDisable) == 0);
}
