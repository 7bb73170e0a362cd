namespace DynaTrans.Devices;

/// <summary>
/// A programmable interrupt controller, after Intel's data sheet "8259A Programmable Interrupt Controller" (231468), with the per-input choice of edge
/// or level that later chipsets added (ELCR).
/// </summary>
/// <param name="output">INT: asserted while there is something to acknowledge.</param>
/// <param name="isMaster">The level of SP: true for the chip whose INT goes to the CPU.</param>
public sealed class Intel8259A(InterruptLine output, bool isMaster)
{
    // What the next write to the odd port is: an initialization command word, or the mask (OCW1).
    private enum Expected : byte
    {
        Mask,
        Icw2,
        Icw3,
        Icw4,
    }

    // Registers of the data sheet. A bit of Requests is set by an edge, or follows the input in level mode; it falls with its input in both.
    private byte _requests, _inService, _mask, _inputs;

    private byte _icw1, _icw2, _icw3, _icw4;
    private byte _levelTriggered;
    private Expected _expected;

    // Before the first initialization the chip has no vectors to give, and stays silent.
    private bool _isInitialized;

    // The input of lowest priority; the next one has the highest.
    private int _lowest = 7;
    private bool _rotatesOnAutoEoi, _isSpecialMask, _readsInService, _isPolled;

    /// <summary>Inputs that are level-triggered whatever ICW1 says: the chipset's edge/level control register.</summary>
    public byte LevelTriggered
    {
        get => _levelTriggered;
        set
        {
            _levelTriggered = value;
            _requests |= (byte)(_inputs & LevelMask);
            Update();
        }
    }

    private byte LevelMask => (_icw1 & 0x08) != 0 ? (byte)0xFF : _levelTriggered;

    private bool IsSingle => (_icw1 & 0x02) != 0;

    private bool IsAutoEoi => (_icw4 & 0x02) != 0;

    // In buffered mode SP is an output, and ICW4 says which one the chip is.
    private bool ActsAsMaster => (_icw4 & 0x08) != 0 ? (_icw4 & 0x04) != 0 : isMaster;

    /// <summary>Sets the level of an input.</summary>
    /// <param name="input">0 to 7.</param>
    /// <param name="level">True for high.</param>
    public void SetInput(int input, bool level)
    {
        var bit = (byte)(1 << input);
        if (level)
        {
            if (((_inputs & bit) == 0) || (LevelMask & bit) != 0)
                _requests |= bit;
            _inputs |= bit;
        }
        else
        {
            // "The IR inputs must remain high until after the falling edge of the first INTA."
            _inputs &= (byte)~bit;
            _requests &= (byte)~bit;
        }
        Update();
    }

    /// <summary>True where an input is that of a slave, which gives the vector.</summary>
    public bool IsCascade(int input) => !IsSingle && ActsAsMaster && (_icw3 >> input & 1) != 0;

    /// <summary>True for a slave that answers to the master's cascade lines.</summary>
    public bool AnswersTo(int input) => !IsSingle && !ActsAsMaster && (_icw3 & 7) == input;

    /// <summary>
    /// The interrupt acknowledge sequence: the request of highest priority goes into service. When there is none any more it is a spurious one: input 7,
    /// without its in-service bit.
    /// </summary>
    /// <returns>The input, 0 to 7.</returns>
    public int Acknowledge()
    {
        var input = Pending();
        if (input < 0)
            return 7;
        TakeIntoService(input);
        return input;
    }

    /// <summary>The vector of an input: what the chip puts on the bus in the second acknowledge cycle.</summary>
    public byte Vector(int input)
    {
        if ((_icw4 & 0x01) != 0)
            return (byte)(_icw2 & 0xF8 | input);

        // For an 8080 or 8085 it is the low byte of a CALL's address, at intervals of 4 or 8.
        return (_icw1 & 0x04) != 0 ? (byte)(_icw1 & 0xE0 | input << 2) : (byte)(_icw1 & 0xC0 | input << 3);
    }

    /// <summary>Reads a register.</summary>
    /// <param name="isOdd">The level of A0.</param>
    public byte Read(bool isOdd)
    {
        if (_isPolled)
        {
            _isPolled = false;
            var input = Pending();
            if (input < 0)
                return 0;
            TakeIntoService(input);
            return (byte)(0x80 | input);
        }
        return isOdd ? _mask : _readsInService ? _inService : _requests;
    }

    /// <summary>Writes a command word.</summary>
    /// <param name="isOdd">The level of A0.</param>
    /// <param name="value">An ICW or OCW, as A0, bits 3 and 4 and the state of the initialization say.</param>
    public void Write(bool isOdd, byte value)
    {
        if (isOdd)
            WriteOdd(value);
        else if ((value & 0x10) != 0)
            StartInitialization(value);
        else if ((value & 0x08) != 0)
            WriteOcw3(value);
        else
            WriteOcw2(value);
        Update();
    }

    /// <summary>The state after power-on: silent until it is initialized.</summary>
    public void Reset()
    {
        _requests = _inService = _mask = 0;
        _icw1 = _icw2 = _icw3 = _icw4 = 0;
        _levelTriggered = 0;
        _expected = Expected.Mask;
        _lowest = 7;
        _isInitialized = _rotatesOnAutoEoi = _isSpecialMask = _readsInService = _isPolled = false;
        Update();
    }

    /// <summary>Writes the state; see <see cref="IStatefulDevice.Save"/>.</summary>
    public void Save(StateWriter w)
    {
        w.WriteBytes([_requests, _inService, _mask, _inputs, _icw1, _icw2, _icw3, _icw4, _levelTriggered]);
        w.WriteInt32((int)_expected);
        w.WriteInt32(_lowest);
        w.WriteBoolean(_isInitialized);
        w.WriteBoolean(_rotatesOnAutoEoi);
        w.WriteBoolean(_isSpecialMask);
        w.WriteBoolean(_readsInService);
        w.WriteBoolean(_isPolled);
        w.WriteBoolean(output.Level);
    }

    /// <summary>Reads the state; see <see cref="IStatefulDevice.Load"/>.</summary>
    public void Load(StateReader r)
    {
        Span<byte> registers = stackalloc byte[9];
        r.ReadBytes(registers);
        (_requests, _inService, _mask, _inputs) = (registers[0], registers[1], registers[2], registers[3]);
        (_icw1, _icw2, _icw3, _icw4, _levelTriggered) = (registers[4], registers[5], registers[6], registers[7], registers[8]);
        _expected = (Expected)r.ReadInt32(0, (int)Expected.Icw4);
        _lowest = r.ReadInt32(0, 7);
        _isInitialized = r.ReadBoolean();
        _rotatesOnAutoEoi = r.ReadBoolean();
        _isSpecialMask = r.ReadBoolean();
        _readsInService = r.ReadBoolean();
        _isPolled = r.ReadBoolean();
        output.Restore(r.ReadBoolean());
    }

    private void StartInitialization(byte value)
    {
        _icw1 = value;
        _icw4 = 0;
        _mask = _inService = 0;
        _lowest = 7;
        _isSpecialMask = _readsInService = _isPolled = _rotatesOnAutoEoi = false;
        _isInitialized = false;

        // The edge sense circuit is reset: an input has to rise anew.
        _requests = (byte)(_inputs & LevelMask);
        _expected = Expected.Icw2;
    }

    private void WriteOdd(byte value)
    {
        switch (_expected)
        {
            case Expected.Icw2:
                _icw2 = value;
                _expected = !IsSingle ? Expected.Icw3 : AfterIcw3();
                break;
            case Expected.Icw3:
                _icw3 = value;
                _expected = AfterIcw3();
                break;
            case Expected.Icw4:
                _icw4 = value;
                _expected = Expected.Mask;
                break;
            default:
                _mask = value;
                return;
        }
        _isInitialized = _expected == Expected.Mask;
    }

    private Expected AfterIcw3() => (_icw1 & 0x01) != 0 ? Expected.Icw4 : Expected.Mask;

    private void WriteOcw2(byte value)
    {
        var level = value & 7;
        switch (value >> 5)
        {
            case 0b000:
                _rotatesOnAutoEoi = false;
                break;
            case 0b100:
                _rotatesOnAutoEoi = true;
                break;
            case 0b001:
                EndOfInterrupt(HighestToEnd(), rotates: false);
                break;
            case 0b101:
                EndOfInterrupt(HighestToEnd(), rotates: true);
                break;
            case 0b011:
                EndOfInterrupt(level, rotates: false);
                break;
            case 0b111:
                EndOfInterrupt(level, rotates: true);
                break;
            case 0b110:
                _lowest = level;
                break;
        }
    }

    private void WriteOcw3(byte value)
    {
        if ((value & 0x40) != 0)
            _isSpecialMask = (value & 0x20) != 0;
        _isPolled = (value & 0x04) != 0;
        if ((value & 0x02) != 0)
            _readsInService = (value & 0x01) != 0;
    }

    // A non-specific EOI does not see what is masked in special mask mode.
    private int HighestToEnd() => Highest(_isSpecialMask ? (byte)(_inService & ~_mask) : _inService);

    private void EndOfInterrupt(int input, bool rotates)
    {
        if (input < 0)
            return;
        _inService &= (byte)~(1 << input);
        if (rotates)
            _lowest = input;
    }

    private void TakeIntoService(int input)
    {
        var bit = (byte)(1 << input);
        if ((LevelMask & bit) == 0)
            _requests &= (byte)~bit;
        if (!IsAutoEoi)
            _inService |= bit;
        else if (_rotatesOnAutoEoi)
            _lowest = input;

        // INT falls in the sequence, so that a master sees an edge for what else waits.
        output.Set(false);
        Update();
    }

    private int Highest(byte set)
    {
        for (var i = 1; i <= 8; i++)
        {
            var input = (_lowest + i) & 7;
            if ((set >> input & 1) != 0)
                return input;
        }
        return -1;
    }

    private int Rank(int input) => (input - _lowest - 1) & 7;

    // The input that would be acknowledged now, or -1.
    private int Pending()
    {
        if (!_isInitialized)
            return -1;
        var input = Highest((byte)(_requests & ~_mask));
        if (input < 0)
            return -1;
        var blocking = Highest(_isSpecialMask ? (byte)(_inService & ~_mask) : _inService);
        if (blocking < 0 || Rank(input) < Rank(blocking))
            return input;

        // Special fully nested: a slave with something more urgent gets through while its input is in service.
        return input == blocking && (_icw4 & 0x10) != 0 && IsCascade(input) ? input : -1;
    }

    private void Update() => output.Set(Pending() >= 0);
}
