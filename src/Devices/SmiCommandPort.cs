using DynaTrans.Devices.Pci;

namespace DynaTrans.Devices;

/// <summary>
/// Advanced power-management control and status, ports B2h and B3h (82371AB datasheet 290562, "APMC", "APMS"). A command would be served by firmware in a
/// system management interrupt; the two that ACPI knows are served here.
/// </summary>
/// <param name="powerManagement">What is switched to ACPI mode and back.</param>
public sealed class SmiCommandPort(Piix4PowerManagement powerManagement) : BytePortDevice, IStatefulDevice
{
    /// <summary>The port for commands; the one after it passes a byte between software and firmware.</summary>
    public const ushort CommandPort = 0xB2;

    /// <summary>The number of ports.</summary>
    public const int PortCount = 2;

    /// <summary>The command after which events give the system control interrupt.</summary>
    public const byte EnableAcpi = 0xF1;

    /// <summary>The command that ends that.</summary>
    public const byte DisableAcpi = 0xF0;

    private byte _command;
    private byte _status;

    /// <inheritdoc/>
    public string Name => "smi-command";

    /// <inheritdoc/>
    public int Version => 1;

    /// <summary>What a reset makes of the ports.</summary>
    public void Reset()
    {
        _command = 0;
        _status = 0;
    }

    /// <inheritdoc/>
    protected override byte ReadByte(ushort port) => port == CommandPort ? _command : _status;

    /// <inheritdoc/>
    protected override void WriteByte(ushort port, byte value)
    {
        if (port != CommandPort)
        {
            _status = value;
            return;
        }

        _command = value;
        if (value is EnableAcpi or DisableAcpi)
            powerManagement.SetAcpiEnabled(value == EnableAcpi);
    }

    /// <inheritdoc/>
    public void Save(StateWriter w)
    {
        w.WriteByte(_command);
        w.WriteByte(_status);
    }

    /// <inheritdoc/>
    public void Load(StateReader r, int version)
    {
        _command = r.ReadByte();
        _status = r.ReadByte();
    }
}
