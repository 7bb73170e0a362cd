using DynaTrans.Devices.Storage;

namespace DynaTrans.Devices.Pci;

/// <summary>
/// The IDE function of the 82371SB PIIX3 (datasheet 290550), function 1:0.1: two channels at their usual ports and interrupts, which IDETIM switches on, and their bus
/// masters at base address register 4. Timings are registers without effect.
/// </summary>
public sealed class Piix3Ide : PciFunction, IPortDevice
{
    /// <summary>How many channels there are.</summary>
    public const int ChannelCount = 2;

    private const int BusMasterBar = 4, FirstTiming = 0x40;
    private const ushort DecodeEnable = 0x8000;

    private readonly PortBus _ports;
    private readonly IdeChannel[] _channels = new IdeChannel[ChannelCount];
    private readonly bool[] _isMapped = new bool[ChannelCount];

    /// <summary>Makes the function and puts it at its place on the bus.</summary>
    /// <param name="bus">The bus.</param>
    /// <param name="ports">Where the ports appear.</param>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="primary">ISA interrupt 14.</param>
    /// <param name="secondary">ISA interrupt 15.</param>
    /// <param name="drives">Up to four: devices 0 and 1 of the first channel, then of the second; null where there is none.</param>
    public Piix3Ide(PciBus bus, PortBus ports, IDmaMemory memory, InterruptLine primary, InterruptLine secondary, IReadOnlyList<AtaDrive?> drives)
        : base("piix3-ide", new PciIdentity(0x8086, 0x7010, 0x01_0180))
    {
        _ports = ports;
        Define(CommandRegister, 2, 0, writable: CommandPorts | CommandMaster);
        Define(StatusRegister, 2, 0x0280, clearedByOnes: 0x3800);
        Define(FirstTiming, 4, 0, writable: 0xF3FF_F3FF);
        Define(0x44, 1, 0, writable: 0xFF);
        AddPortBar(BusMasterBar, ChannelCount * IdeBusMaster.PortCount, ports, this);
        _channels[0] = new IdeChannel(0x1F0, 0x3F6, primary, Master(), Drive(0), Drive(1));
        _channels[1] = new IdeChannel(0x170, 0x376, secondary, Master(), Drive(2), Drive(3));
        bus.Attach(Piix3IsaBridge.Slot, 1, this);

        IdeBusMaster Master() => new(memory, () => (Command & CommandMaster) != 0);

        AtaDrive? Drive(int index) => index < drives.Count ? drives[index] : null;
    }

    /// <summary>Does what firmware does: switches the channels on, and puts the bus masters at an address, a multiple of 16.</summary>
    public void EnableChannels(ushort address)
    {
        WriteConfiguration(FirstTiming, 4, DecodeEnable | (uint)DecodeEnable << 16);
        WriteConfiguration(0x20, 4, address);
        WriteConfiguration(CommandRegister, 2, CommandPorts | CommandMaster);
    }

    /// <summary>Waits for requests of the drives that are on their way, whose completion may interrupt: before the state of any device is saved.</summary>
    public void Settle()
    {
        foreach (var channel in _channels)
            channel.Settle();
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        foreach (var channel in _channels)
            channel.Reset();
        base.Reset();
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        var offset = port % (ChannelCount * IdeBusMaster.PortCount);
        return _channels[offset / IdeBusMaster.PortCount].BusMaster.Read(offset % IdeBusMaster.PortCount, size);
    }

    /// <inheritdoc/>
    public void Write(ushort port, int size, uint value)
    {
        var offset = port % (ChannelCount * IdeBusMaster.PortCount);
        _channels[offset / IdeBusMaster.PortCount].WriteBusMaster(offset % IdeBusMaster.PortCount, size, value);
    }

    /// <inheritdoc/>
    protected override void ConfigurationWritten(int offset, int size)
    {
        for (var i = 0; i < ChannelCount; i++)
        {
            var isMapped = (Command & CommandPorts) != 0 && (Register(FirstTiming + 2 * i, 2) & DecodeEnable) != 0;
            if (isMapped == _isMapped[i])
                continue;
            _isMapped[i] = isMapped;
            if (isMapped)
                _channels[i].Map(_ports);
            else
                _channels[i].Unmap(_ports);
        }
    }

    /// <inheritdoc/>
    protected override void SaveDevice(StateWriter w)
    {
        foreach (var channel in _channels)
            channel.Save(w);
    }

    /// <inheritdoc/>
    protected override void LoadDevice(StateReader r, int version)
    {
        foreach (var channel in _channels)
            channel.Load(r);
    }
}
