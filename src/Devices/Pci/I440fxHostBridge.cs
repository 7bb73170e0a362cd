namespace DynaTrans.Devices.Pci;

/// <summary>
/// The host bridge of the 82441FX PMC (datasheet 290549): configuration mechanism 1 at ports CF8h to CFFh, and the registers of function 0:0.0, of which
/// those for shadow memory (PAM) have an effect.
/// </summary>
public sealed class I440fxHostBridge : PciFunction, IPortDevice
{
    /// <summary>The first port.</summary>
    public const ushort FirstPort = 0xCF8;

    /// <summary>How many ports there are.</summary>
    public const int PortCount = 8;

    private const ushort DataPort = 0xCFC;
    private const uint AddressBits = 0x80FF_FFFC;
    private const uint AddressEnable = 0x8000_0000;

    // PAM0 to PAM6 have 4 bits for each of 13 areas; the first 4 bits are not used.
    private const int FirstPam = 0x59;
    private const int PamCount = 7;
    private const int AreaCount = 13;
    private const int PamReads = 1;
    private const int PamWrites = 2;

    // SMRAM control: bit 4 locks the bits, until reset.
    private const int SmramRegister = 0x72;
    private const byte SmramWritable = 0x78;
    private const byte SmramLock = 0x10;

    private readonly PciBus _bus;
    private readonly IPortDevice _resetControl;
    private readonly byte[] _areas = new byte[AreaCount];
    private uint _address;

    /// <summary>Makes the bridge and puts it at its place on the bus, slot 0.</summary>
    /// <param name="bus">The bus behind it.</param>
    /// <param name="resetControl">What is at port CF9h, in the middle of the bridge's ports.</param>
    public I440fxHostBridge(PciBus bus, IPortDevice resetControl)
        : base("i440fx", new PciIdentity(0x8086, 0x1237, 0x06_0000, Revision: 2))
    {
        _bus = bus;
        _resetControl = resetControl;
        Define(CommandRegister, 2, CommandMemory | CommandMaster, writable: 0x0140);
        Define(StatusRegister, 2, 0x0280, clearedByOnes: 0x7000);
        Define(0x0D, 1, 0, writable: 0xF8);
        Define(0x50, 2, 0, writable: 0x9F70);
        Define(0x53, 1, 0x80, writable: 0xE8);
        Define(0x54, 4, 0, writable: 0xFFFF_FF02);
        Define(0x57, 1, 0x01, writable: 0x7F);
        Define(0x58, 1, 0x10, writable: 0x7F);
        Define(FirstPam, 1, 0, writable: 0x30);
        for (var i = 1; i < PamCount; i++)
            Define(FirstPam + i, 1, 0, writable: 0x33);
        for (var i = 0x60; i < 0x68; i++)
            Define(i, 1, 1, writable: 0xFF);
        Define(0x68, 1, 0, writable: 0xF0);
        Define(0x70, 2, 0x1000, writable: 0xFFF8);
        Define(SmramRegister, 1, 0x02, writable: SmramWritable);
        Define(0x90, 1, 0, writable: 0xFF);
        Define(0x91, 2, 0, clearedByOnes: 0x0011);
        bus.Attach(0, 0, this);
    }

    /// <summary>
    /// Called when an area of the shadow memory between C0000h and FFFFFh changes: first address, length, and whether reads and writes go to RAM; the
    /// others go to the bus, where ROMs are. All areas go to the bus after reset.
    /// </summary>
    public Action<uint, uint, bool, bool>? ShadowChanged { get; set; }

    /// <summary>Says which areas of shadow memory there are (first address, length), in the order of the registers.</summary>
    public static (uint First, uint Length) ShadowArea(int index) =>
        index == 0 ? (0xF_0000u, 0x1_0000u) : (0xC_0000u + (uint)(index - 1) * 0x4000, 0x4000u);

    /// <summary>
    /// Does what firmware does when it has put itself into RAM: reads of all shadow areas go to RAM, and writes if they are not to be protected.
    /// </summary>
    public void ShadowAll(bool isWritable)
    {
        var bits = (uint)(isWritable ? PamReads | PamWrites : PamReads);
        WriteConfiguration(FirstPam, 1, bits << 4);
        for (var i = 1; i < PamCount; i++)
            WriteConfiguration(FirstPam + i, 1, bits | bits << 4);
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        if (port == FirstPort && size == 4)
            return _address;
        if (port == ResetControl.Port && size == 1)
            return _resetControl.Read(port, size);
        return port >= DataPort && (_address & AddressEnable) != 0 ? _bus.ReadConfiguration(_address | port & 3u, size) : uint.MaxValue;
    }

    /// <inheritdoc/>
    public void Write(ushort port, int size, uint value)
    {
        if (port == FirstPort && size == 4)
            _address = value & AddressBits;
        else if (port == ResetControl.Port && size == 1)
            _resetControl.Write(port, size, value);
        else if (port >= DataPort && (_address & AddressEnable) != 0)
            _bus.WriteConfiguration(_address | port & 3u, size, value);
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        _address = 0;
        base.Reset();
    }

    /// <inheritdoc/>
    protected override void ConfigurationWritten(int offset, int size)
    {
        SetWritable(SmramRegister, (Register(SmramRegister, 1) & SmramLock) != 0 ? (byte)0 : SmramWritable);
        for (var i = 0; i < AreaCount; i++)
        {
            var nibble = i + 1;
            var bits = (byte)(Register(FirstPam + nibble / 2, 1) >> (nibble % 2 * 4) & (PamReads | PamWrites));
            if (bits == _areas[i])
                continue;
            _areas[i] = bits;
            var (first, length) = ShadowArea(i);
            ShadowChanged?.Invoke(first, length, (bits & PamReads) != 0, (bits & PamWrites) != 0);
        }
    }

    /// <inheritdoc/>
    protected override void SaveDevice(StateWriter w) => w.WriteUInt32(_address);

    /// <inheritdoc/>
    protected override void LoadDevice(StateReader r, int version) => _address = r.ReadUInt32() & AddressBits;
}
