namespace DynaTrans.Devices.Storage;

/// <summary>
/// An IDE channel with up to two drives (ATA/ATAPI-6, clause 7): the command block at eight ports, the control block at one, and the interrupt. Both drives take
/// over what is written to the command block; the selected one answers, and for an absent device 1 device 0 does, with status 0.
/// </summary>
public sealed class IdeChannel : IPortDevice
{
    /// <summary>Ports of the command block.</summary>
    public const int CommandPorts = 8;

    private const int Data = 0, Device = 6, Command = 7;
    private const byte ExecuteDiagnostic = 0x90;
    private const byte DeviceBit = 1 << 4;
    private const byte InterruptDisable = 1 << 1, SoftwareReset = 1 << 2, HighOrder = 1 << 7;

    private readonly ushort _controlPort;
    private readonly InterruptLine _interrupt;
    private readonly AtaDrive?[] _drives;
    private byte _control;
    private bool _isSecondSelected;

    /// <summary>Makes the channel.</summary>
    /// <param name="commandPort">The first port of the command block: 1F0h or 170h.</param>
    /// <param name="controlPort">The port of the control block: 3F6h or 376h.</param>
    /// <param name="interrupt">ISA interrupt 14 or 15.</param>
    /// <param name="busMaster">What moves data by DMA.</param>
    /// <param name="first">Device 0, or nothing.</param>
    /// <param name="second">Device 1, or nothing.</param>
    public IdeChannel(ushort commandPort, ushort controlPort, InterruptLine interrupt, IdeBusMaster busMaster, AtaDrive? first, AtaDrive? second)
    {
        CommandPort = commandPort;
        _controlPort = controlPort;
        _interrupt = interrupt;
        BusMaster = busMaster;
        _drives = [first, second];
        first?.Connect(this);
        second?.Connect(this);
    }

    /// <summary>The first port of the command block.</summary>
    public ushort CommandPort { get; }

    /// <summary>What moves data by DMA.</summary>
    public IdeBusMaster BusMaster { get; }

    private AtaDrive? Selected => _drives[_isSecondSelected ? 1 : 0];

    /// <summary>Maps both blocks.</summary>
    public void Map(PortBus ports)
    {
        ports.Map(CommandPort, CommandPorts, this);
        ports.Map(_controlPort, 1, this);
    }

    /// <summary>Unmaps both blocks.</summary>
    public void Unmap(PortBus ports)
    {
        ports.Unmap(CommandPort, CommandPorts, this);
        ports.Unmap(_controlPort, 1, this);
    }

    /// <summary>RESET-.</summary>
    public void Reset()
    {
        _control = 0;
        BusMaster.Reset();
        ResetDrives();
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        if (port == CommandPort + Data && size > 1)
            return Selected?.ReadData(size) ?? 0;
        var value = 0u;
        for (var i = 0; i < size; i++)
            value |= (uint)ReadByte((ushort)(port + i)) << (8 * i);
        return value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, int size, uint value)
    {
        if (port == CommandPort + Data && size > 1)
        {
            Selected?.WriteData(size, value);
            return;
        }

        for (var i = 0; i < size; i++)
            WriteByte((ushort)(port + i), (byte)(value >> (8 * i)));
    }

    /// <summary>Software has written to the bus master's registers.</summary>
    public void WriteBusMaster(int offset, int size, uint value)
    {
        if (!BusMaster.Write(offset, size, value))
            return;
        _drives[0]?.ContinueDma();
        _drives[1]?.ContinueDma();
    }

    /// <summary>Waits for requests of the drives that are on their way: before a state is saved.</summary>
    public void Settle()
    {
        _drives[0]?.Settle();
        _drives[1]?.Settle();
    }

    /// <summary>Writes the state.</summary>
    public void Save(StateWriter w)
    {
        w.WriteByte(_control);
        w.WriteBoolean(_isSecondSelected);
        w.WriteBoolean(_interrupt.Level);
        BusMaster.Save(w);
        _drives[0]?.Save(w);
        _drives[1]?.Save(w);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="StateException">The record holds what cannot be.</exception>
    public void Load(StateReader r)
    {
        _control = r.ReadByte();
        _isSecondSelected = r.ReadBoolean();
        _interrupt.Restore(r.ReadBoolean());
        BusMaster.Load(r);
        _drives[0]?.Load(r);
        _drives[1]?.Load(r);
    }

    /// <summary>A drive has asserted or released its interrupt.</summary>
    internal void InterruptChanged(AtaDrive drive)
    {
        if (drive.IsInterrupting && drive == Selected)
            BusMaster.DriveInterrupted();
        DriveInterrupt();
    }

    private byte ReadByte(ushort port)
    {
        if (port != _controlPort && port - CommandPort == Data)
            return (byte)(Selected?.ReadData(1) ?? 0);
        if (Selected is not { } drive)
            return port == _controlPort || port - CommandPort == Command ? (byte)0 : _drives[0]?.ReadRegister(port - CommandPort, false) ?? 0;
        if (port == _controlPort)
            return drive.Status;
        var register = port - CommandPort;
        if (register != Command)
            return drive.ReadRegister(register, (_control & HighOrder) != 0);
        drive.ClearInterrupt();
        return drive.Status;
    }

    private void WriteByte(ushort port, byte value)
    {
        if (port == _controlPort)
        {
            WriteControl(value);
            return;
        }

        var register = port - CommandPort;
        _control = (byte)(_control & ~HighOrder);
        switch (register)
        {
            case Data:
                Selected?.WriteData(1, value);
                break;
            case Command:
                if (value == ExecuteDiagnostic)
                    ExecuteDiagnostics();
                else
                    Selected?.Execute(value);
                break;
            default:
                foreach (var drive in _drives)
                    drive?.WriteRegister(register, value);
                if (register == Device)
                {
                    _isSecondSelected = (value & DeviceBit) != 0;
                    DriveInterrupt();
                }

                break;
        }
    }

    private void WriteControl(byte value)
    {
        var isReset = (value & SoftwareReset) != 0 && (_control & SoftwareReset) == 0;
        var isOver = (value & SoftwareReset) == 0 && (_control & SoftwareReset) != 0;
        _control = value;
        if (isReset)
        {
            ResetDrives();
            foreach (var drive in _drives)
                drive?.HoldReset();
        }
        else if (isOver)
            ResetDrives();
        DriveInterrupt();
    }

    private void ResetDrives()
    {
        foreach (var drive in _drives)
            drive?.Reset();
        _isSecondSelected = false;
        DriveInterrupt();
    }

    // Both drives do it, whichever is selected; device 0 reports and interrupts.
    private void ExecuteDiagnostics()
    {
        ResetDrives();
        _drives[0]?.Interrupt();
    }

    private void DriveInterrupt() => _interrupt.Set((_control & InterruptDisable) == 0 && (Selected?.IsInterrupting ?? false));
}
