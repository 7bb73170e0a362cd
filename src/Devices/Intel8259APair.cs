namespace DynaTrans.Devices;

/// <summary>
/// The two 8259A of a PC: IRQ 0 to 7 at the master (ports 20h, 21h), 8 to 15 at the slave (A0h, A1h), whose INT is the master's input 2, and the
/// edge/level control registers (4D0h, 4D1h; Intel 82371AB data sheet, ELCR).
/// </summary>
public sealed class Intel8259APair : BytePortDevice, IStatefulDevice
{
    private const int CascadeInput = 2;

    // IRQ 0, 1, 2, 8 and 13 are always edges.
    private const byte MasterLevels = 0xF8;
    private const byte SlaveLevels = 0xDE;

    // Nobody drives the bus.
    private const byte Floating = 0xFF;

    private readonly Intel8259A _master, _slave;

    /// <summary>Makes the pair, not initialized.</summary>
    /// <param name="interrupt">The CPU's INTR.</param>
    public Intel8259APair(InterruptLine interrupt)
    {
        Interrupt = interrupt;
        _master = new Intel8259A(interrupt, isMaster: true);
        _slave = new Intel8259A(new InterruptLine(level => _master.SetInput(CascadeInput, level)), isMaster: false);
    }

    /// <summary>The CPU's INTR.</summary>
    public InterruptLine Interrupt { get; }

    /// <inheritdoc/>
    public string Name => "8259a";

    /// <inheritdoc/>
    public int Version => 1;

    /// <summary>Puts it at its ports.</summary>
    public void Map(PortBus ports)
    {
        ports.Map(0x20, 2, this);
        ports.Map(0xA0, 2, this);
        ports.Map(0x4D0, 2, this);
    }

    /// <summary>Sets the level of an interrupt request line.</summary>
    /// <param name="irq">0 to 15; 2 is the cascade and has no line, a level there is ignored.</param>
    /// <param name="level">True for asserted.</param>
    public void SetInput(int irq, bool level)
    {
        if (irq >= 8)
            _slave.SetInput(irq - 8, level);
        else if (irq != CascadeInput)
            _master.SetInput(irq, level);
    }

    /// <summary>A line that drives an interrupt request.</summary>
    /// <param name="irq">0 to 15.</param>
    public InterruptLine AddLine(int irq) => new(level => SetInput(irq, level));

    /// <summary>The CPU's interrupt acknowledge: takes the most urgent request into service and gives its vector.</summary>
    public byte Acknowledge()
    {
        var input = _master.Acknowledge();
        if (!_master.IsCascade(input))
            return _master.Vector(input);
        return input == CascadeInput && _slave.AnswersTo(input) ? _slave.Vector(_slave.Acknowledge()) : Floating;
    }

    /// <summary>The state after a reset of the machine; lines keep their levels.</summary>
    public void Reset()
    {
        _slave.Reset();
        _master.Reset();
    }

    /// <inheritdoc/>
    public void Save(StateWriter w)
    {
        _master.Save(w);
        _slave.Save(w);
    }

    /// <inheritdoc/>
    public void Load(StateReader r, int version)
    {
        _master.Load(r);
        _slave.Load(r);
    }

    /// <inheritdoc/>
    protected override byte ReadByte(ushort port) => port switch
    {
        0x20 or 0x21 => _master.Read(port == 0x21),
        0xA0 or 0xA1 => _slave.Read(port == 0xA1),
        0x4D0 => _master.LevelTriggered,
        0x4D1 => _slave.LevelTriggered,
        _ => Floating,
    };

    /// <inheritdoc/>
    protected override void WriteByte(ushort port, byte value)
    {
        switch (port)
        {
            case 0x20 or 0x21:
                _master.Write(port == 0x21, value);
                break;
            case 0xA0 or 0xA1:
                _slave.Write(port == 0xA1, value);
                break;
            case 0x4D0:
                _master.LevelTriggered = (byte)(value & MasterLevels);
                break;
            case 0x4D1:
                _slave.LevelTriggered = (byte)(value & SlaveLevels);
                break;
        }
    }
}
