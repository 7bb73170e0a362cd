namespace DynaTrans.Devices;

/// <summary>
/// The keyboard controller of a PC (ports 60h and 64h): an Intel 8042 with the firmware of IBM's PS/2 (PS/2 Hardware Interface Technical Reference,
/// keyboard and auxiliary device controller), a keyboard and a mouse behind it, the A20 gate and the CPU's reset at its output port. It answers at once,
/// so its input buffer is never full. Commands that the firmware does not know, and those for a password, which it does not have, change nothing.
/// </summary>
public sealed class I8042 : BytePortDevice, IStatefulDevice
{
    private const int DataPort = 0x60, CommandPort = 0x64;

    // Status register.
    private const byte OutputFull = 0x01, SystemFlag = 0x04, CommandWritten = 0x08, NotLocked = 0x10, AuxiliaryFull = 0x20;

    // Command byte: byte 0 of the controller's memory.
    private const byte KeyboardInterrupt = 0x01, AuxiliaryInterrupt = 0x02, KeyboardDisabled = 0x10, AuxiliaryDisabled = 0x20, Translates = 0x40;

    // Output port.
    private const byte NoReset = 0x01, A20 = 0x02, KeyboardOutputFull = 0x10, AuxiliaryOutputFull = 0x20, Lines = 0xC0;

    // Commands.
    private const byte ReadMemory = 0x20, WriteMemory = 0x60, TestPassword = 0xA4, LoadPassword = 0xA5, DisableAuxiliary = 0xA7, EnableAuxiliary = 0xA8,
        TestAuxiliary = 0xA9, SelfTest = 0xAA, TestKeyboard = 0xAB, DisableKeyboard = 0xAD, EnableKeyboard = 0xAE, ReadInputPort = 0xC0, ReadOutputPort = 0xD0,
        WriteOutputPort = 0xD1, WriteKeyboardOutput = 0xD2, WriteAuxiliaryOutput = 0xD3, WriteAuxiliary = 0xD4, DisableA20 = 0xDD, EnableA20 = 0xDF,
        ReadTestInputs = 0xE0, PulseOutputPort = 0xF0;

    // Answers.
    private const byte NoPassword = 0xF1, SelfTestPassed = 0x55, TestPassed = 0x00, InputPort = 0x80;

    private const int MostReplies = 16;

    private readonly InterruptLine _keyboardInterrupt, _auxiliaryInterrupt, _a20;
    private readonly Action _reset;

    private readonly byte[] _memory = new byte[32];

    // What the controller itself has to say, ahead of its devices; in the high byte the flag of the status that goes with it.
    private readonly Queue<ushort> _replies = new();

    private byte _output, _status;

    // The command that waits for its data; 0: none.
    private byte _command;

    // Translation has swallowed the prefix of a released key.
    private bool _isReleased;

    /// <summary>Makes a controller, reset, with a keyboard and a mouse.</summary>
    /// <param name="keyboardInterrupt">IRQ 1.</param>
    /// <param name="auxiliaryInterrupt">IRQ 12.</param>
    /// <param name="a20">Its part of the A20 gate: see <see cref="SystemControlPortA"/>. Asserted after a reset.</param>
    /// <param name="reset">Called for a reset of the CPU.</param>
    public I8042(InterruptLine keyboardInterrupt, InterruptLine auxiliaryInterrupt, InterruptLine a20, Action reset)
    {
        _keyboardInterrupt = keyboardInterrupt;
        _auxiliaryInterrupt = auxiliaryInterrupt;
        _a20 = a20;
        _reset = reset;
        Reset();
    }

    /// <summary>The keyboard.</summary>
    public Ps2Keyboard Keyboard { get; } = new();

    /// <summary>The mouse.</summary>
    public Ps2Mouse Mouse { get; } = new();

    /// <summary>
    /// The command byte: interrupts (bits 0 and 1), system flag (2), clocks off (4 and 5), translation (6). 0 after a reset; firmware leaves 65h: a machine
    /// that starts a kernel without firmware sets it.
    /// </summary>
    public byte CommandByte
    {
        get => _memory[0];
        set
        {
            _memory[0] = value;
            _status = (byte)(_status & ~SystemFlag | value & SystemFlag);
            Pump();
        }
    }

    /// <inheritdoc/>
    public string Name => "i8042";

    /// <inheritdoc/>
    public int Version => 1;

    /// <summary>Puts it at its ports.</summary>
    public void Map(PortBus ports)
    {
        ports.Map(DataPort, 1, this);
        ports.Map(CommandPort, 1, this);
    }

    /// <summary>The state after a reset of the machine, devices included.</summary>
    public void Reset()
    {
        Array.Clear(_memory);
        _replies.Clear();
        Keyboard.Reset();
        Mouse.Reset();
        _output = _command = 0;
        _status = NotLocked;
        _isReleased = false;
        _a20.Set(true);
        Pump();
    }

    /// <inheritdoc/>
    public void Save(StateWriter w)
    {
        w.WriteBytes(_memory);
        w.WriteInt32(_replies.Count);
        foreach (var reply in _replies)
            w.WriteUInt16(reply);
        w.WriteBytes([_output, _status, _command]);
        w.WriteBoolean(_isReleased);
        w.WriteBoolean(_a20.Level);
        w.WriteBoolean(_keyboardInterrupt.Level);
        w.WriteBoolean(_auxiliaryInterrupt.Level);
        Keyboard.Save(w);
        Mouse.Save(w);
    }

    /// <inheritdoc/>
    public void Load(StateReader r, int version)
    {
        r.ReadBytes(_memory);
        _replies.Clear();
        for (var left = r.ReadInt32(0, MostReplies); left > 0; left--)
            _replies.Enqueue(r.ReadUInt16());
        Span<byte> bytes = stackalloc byte[3];
        r.ReadBytes(bytes);
        (_output, _status, _command) = (bytes[0], bytes[1], bytes[2]);
        _isReleased = r.ReadBoolean();
        _a20.Restore(r.ReadBoolean());
        _keyboardInterrupt.Restore(r.ReadBoolean());
        _auxiliaryInterrupt.Restore(r.ReadBoolean());
        Keyboard.Load(r);
        Mouse.Load(r);
    }

    /// <inheritdoc/>
    protected override byte ReadByte(ushort port)
    {
        if (port == CommandPort)
            return _status;
        var value = _output;
        _status &= unchecked((byte)~(OutputFull | AuxiliaryFull));

        // The request falls before what comes next raises it: an edge each.
        SetInterrupts();
        Pump();
        return value;
    }

    /// <inheritdoc/>
    protected override void WriteByte(ushort port, byte value)
    {
        if (port == CommandPort)
        {
            _status |= CommandWritten;
            _command = 0;
            WriteCommand(value);
        }
        else
        {
            _status &= unchecked((byte)~CommandWritten);
            WriteData(value);
        }
        Pump();
    }

    private void WriteCommand(byte value)
    {
        switch (value)
        {
            case >= ReadMemory and < ReadMemory + 32:
                Reply(_memory[value - ReadMemory]);
                break;
            case (>= WriteMemory and < WriteMemory + 32) or LoadPassword or WriteOutputPort or WriteKeyboardOutput or WriteAuxiliaryOutput or WriteAuxiliary:
                _command = value;
                break;
            case TestPassword:
                Reply(NoPassword);
                break;
            case DisableAuxiliary:
                _memory[0] |= AuxiliaryDisabled;
                break;
            case EnableAuxiliary:
                _memory[0] &= unchecked((byte)~AuxiliaryDisabled);
                break;
            case SelfTest:
                _status |= SystemFlag;
                _memory[0] |= SystemFlag;
                Reply(SelfTestPassed);
                break;
            case TestAuxiliary or TestKeyboard:
                Reply(TestPassed);
                break;
            case DisableKeyboard:
                _memory[0] |= KeyboardDisabled;
                break;
            case EnableKeyboard:
                _memory[0] &= unchecked((byte)~KeyboardDisabled);
                break;
            case ReadInputPort:
                Reply(InputPort);
                break;
            case ReadOutputPort:
                Reply((byte)(NoReset | Lines | (_a20.Level ? A20 : 0) | (_keyboardInterrupt.Level ? KeyboardOutputFull : 0)
                    | (_auxiliaryInterrupt.Level ? AuxiliaryOutputFull : 0)));
                break;
            case DisableA20 or EnableA20:
                _a20.Set(value == EnableA20);
                break;
            case ReadTestInputs:
                // The clock lines of keyboard and mouse, held low where they are off.
                Reply((byte)(((_memory[0] & KeyboardDisabled) == 0 ? 1 : 0) | ((_memory[0] & AuxiliaryDisabled) == 0 ? 2 : 0)));
                break;
            case >= PulseOutputPort when (value & NoReset) == 0:
                _reset();
                break;
        }
    }

    private void WriteData(byte value)
    {
        var command = _command;
        _command = 0;
        switch (command)
        {
            case WriteMemory:
                CommandByte = value;
                break;
            case > WriteMemory and < WriteMemory + 32:
                _memory[command - WriteMemory] = value;
                break;
            case LoadPassword:
                // Until its end, a zero.
                _command = value != 0 ? command : (byte)0;
                break;
            case WriteOutputPort:
                _a20.Set((value & A20) != 0);
                if ((value & NoReset) == 0)
                    _reset();
                break;
            case WriteKeyboardOutput:
                Reply(value);
                break;
            case WriteAuxiliaryOutput:
                Reply(value, AuxiliaryFull);
                break;
            case WriteAuxiliary:
                _memory[0] &= unchecked((byte)~AuxiliaryDisabled);
                Mouse.Receive(value);
                break;
            default:
                _memory[0] &= unchecked((byte)~KeyboardDisabled);
                Keyboard.Receive(value);
                break;
        }
    }

    private void Reply(byte value, byte flag = 0)
    {
        if (_replies.Count < MostReplies)
            _replies.Enqueue((ushort)(flag << 8 | value));
    }

    // Moves the next byte into the output buffer, if that is empty: the controller's own, the keyboard's, the mouse's.
    private void Pump()
    {
        while ((_status & OutputFull) == 0)
        {
            if (_replies.TryDequeue(out var reply))
                Fill((byte)reply, (byte)(reply >> 8));
            else if (Keyboard.HasByte && (_memory[0] & KeyboardDisabled) == 0)
                FillFromKeyboard(Keyboard.Take());
            else if (Mouse.HasByte && (_memory[0] & AuxiliaryDisabled) == 0)
                Fill(Mouse.Take(), AuxiliaryFull);
            else
                break;
        }
        SetInterrupts();
    }

    private void FillFromKeyboard(byte value)
    {
        if ((_memory[0] & Translates) == 0)
            Fill(value, 0);
        else if (value == ScanCodes.Released)
            _isReleased = true;
        else
        {
            Fill((byte)(ScanCodes.Translate(value) | (_isReleased ? 0x80 : 0)), 0);
            _isReleased = false;
        }
    }

    private void Fill(byte value, byte flag)
    {
        _output = value;
        _status |= (byte)(OutputFull | flag & AuxiliaryFull);
    }

    private void SetInterrupts()
    {
        var isAuxiliary = (_status & AuxiliaryFull) != 0;
        var isFull = (_status & OutputFull) != 0;
        _keyboardInterrupt.Set(isFull && !isAuxiliary && (_memory[0] & KeyboardInterrupt) != 0);
        _auxiliaryInterrupt.Set(isFull && isAuxiliary && (_memory[0] & AuxiliaryInterrupt) != 0);
    }
}
