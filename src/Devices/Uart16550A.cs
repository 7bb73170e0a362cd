namespace DynaTrans.Devices;

/// <summary>
/// A serial port, after National Semiconductor's data sheet "PC16550D Universal Asynchronous Receiver/Transmitter with FIFOs" as a PC wires it:
/// 1.8432 MHz, the interrupt gated by OUT2. Characters leave in no time, so the transmitter is always empty again; they arrive as fast as they are read.
/// What the line settings say decides only the receiver's timeout. On the other side is a terminal that is always ready (CTS, DSR and DCD on).
/// </summary>
public sealed class Uart16550A : BytePortDevice, IStatefulDevice
{
    /// <summary>What <see cref="Receive"/> takes at once with the FIFOs on.</summary>
    public const int FifoSize = 16;

    private const int Crystal = 1_843_200;

    // Interrupt enable register.
    private const int ReceivedEnable = 0x01, TransmitterEnable = 0x02, LineEnable = 0x04, ModemEnable = 0x08;

    // Interrupt identification register.
    private const byte NoInterrupt = 0x01, ModemInterrupt = 0x00, TransmitterInterrupt = 0x02, ReceivedInterrupt = 0x04, LineInterrupt = 0x06,
        TimeoutInterrupt = 0x0C, FifosAreOn = 0xC0;

    // Line status register. A character in the FIFO carries its own flags in the high byte.
    private const int DataReady = 0x01, Overrun = 0x02, Break = 0x10, TransmitterEmpty = 0x60, FifoHasError = 0x80, LineErrors = 0x1E;

    // Modem control register.
    private const int Dtr = 0x01, Rts = 0x02, Out1 = 0x04, Out2 = 0x08, Loop = 0x10;

    // Modem status register: the inputs; their changes are four bits below.
    private const int Cts = 0x10, Dsr = 0x20, Ring = 0x40, Dcd = 0x80, TrailingEdgeOfRing = 0x04;

    private static readonly int[] Triggers = [1, 4, 8, 14];

    private readonly InterruptLine _interrupt;
    private readonly Action<byte> _transmit;
    private readonly VirtualClock _clock;
    private readonly DeviceTimer _timeout;
    private readonly ushort _first;

    // The receiver: a ring. Without FIFOs it holds one character.
    private readonly ushort[] _received = new ushort[FifoSize];
    private int _firstReceived, _receivedCount;

    private byte _interruptEnable, _fifoControl, _lineControl, _modemControl, _lineStatus, _modemStatus, _scratch;
    private ushort _divisor;

    // Set when the transmitter becomes empty, until that is told or a character is written.
    private bool _transmitterPending;

    // No character came or was read for the time of four.
    private bool _timedOut;

    /// <summary>Makes a port, reset.</summary>
    /// <param name="name">Its name in a snapshot: com1.</param>
    /// <param name="first">The first of its eight ports: 3F8, 2F8, 3E8, 2E8.</param>
    /// <param name="clock">The machine's time.</param>
    /// <param name="interrupt">Its interrupt request: IRQ 4 or 3.</param>
    /// <param name="transmit">Called with each character that is sent.</param>
    public Uart16550A(string name, ushort first, VirtualClock clock, InterruptLine interrupt, Action<byte> transmit)
    {
        Name = name;
        _first = first;
        _clock = clock;
        _interrupt = interrupt;
        _transmit = transmit;
        _timeout = clock.AddTimer(_ =>
        {
            _timedOut = true;
            Update();
        });
        Reset();
    }

    /// <summary>
    /// Raised when <see cref="CanReceive"/> has become true, in the middle of an access of the guest: a source may call <see cref="Receive"/> in it.
    /// </summary>
    public event Action? ReceiveReady;

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int Version => 1;

    /// <summary>True while there is room for a character. A source keeps what it has until then, as with hardware flow control.</summary>
    public bool CanReceive => (_modemControl & Loop) == 0 && _receivedCount < Capacity;

    private bool HasFifos => (_fifoControl & 1) != 0;

    private int Capacity => HasFifos ? FifoSize : 1;

    private bool IsDivisorAccess => (_lineControl & 0x80) != 0;

    /// <summary>Puts it at its ports.</summary>
    public void Map(PortBus ports) => ports.Map(_first, 8, this);

    /// <summary>
    /// A character arrives. Without <see cref="CanReceive"/> it is lost: in loopback mode without a trace, else as an overrun.
    /// </summary>
    public void Receive(byte character)
    {
        if ((_modemControl & Loop) == 0)
            Put(character);
    }

    /// <summary>A break arrives: a zero character with its flag (Linux: the key for SysRq).</summary>
    public void ReceiveBreak()
    {
        if ((_modemControl & Loop) == 0)
            Put(Break << 8);
    }

    /// <summary>The state after master reset.</summary>
    public void Reset()
    {
        _interruptEnable = _fifoControl = _lineControl = _modemControl = _lineStatus = _scratch = 0;
        _modemStatus = Cts | Dsr | Dcd;
        _divisor = 12;
        _transmitterPending = false;
        ClearReceiver();
        Update();
    }

    /// <inheritdoc/>
    public void Save(StateWriter w)
    {
        w.WriteBytes([_interruptEnable, _fifoControl, _lineControl, _modemControl, _lineStatus, _modemStatus, _scratch]);
        w.WriteUInt16(_divisor);
        w.WriteInt32(_receivedCount);
        for (var i = 0; i < _receivedCount; i++)
            w.WriteUInt16(_received[(_firstReceived + i) % FifoSize]);
        w.WriteBoolean(_transmitterPending);
        w.WriteBoolean(_timedOut);
        w.WriteBoolean(_interrupt.Level);
        _timeout.Save(w);
    }

    /// <inheritdoc/>
    public void Load(StateReader r, int version)
    {
        Span<byte> registers = stackalloc byte[7];
        r.ReadBytes(registers);
        (_interruptEnable, _fifoControl, _lineControl, _modemControl) = (registers[0], registers[1], registers[2], registers[3]);
        (_lineStatus, _modemStatus, _scratch) = (registers[4], registers[5], registers[6]);
        _divisor = r.ReadUInt16();
        _firstReceived = 0;
        _receivedCount = r.ReadInt32(0, Capacity);
        for (var i = 0; i < _receivedCount; i++)
            _received[i] = (ushort)(r.ReadUInt16() & (LineErrors << 8 | 0xFF));
        _transmitterPending = r.ReadBoolean();
        _timedOut = r.ReadBoolean();
        _interrupt.Restore(r.ReadBoolean());
        _timeout.Load(r);
    }

    /// <inheritdoc/>
    protected override byte ReadByte(ushort port)
    {
        switch (port - _first)
        {
            case 0:
                return IsDivisorAccess ? (byte)_divisor : ReadReceived();
            case 1:
                return IsDivisorAccess ? (byte)(_divisor >> 8) : _interruptEnable;
            case 2:
                return ReadIdentification();
            case 3:
                return _lineControl;
            case 4:
                return _modemControl;
            case 5:
                return ReadLineStatus();
            case 6:
                var status = _modemStatus;
                _modemStatus &= 0xF0;
                Update();
                return status;
            default:
                return _scratch;
        }
    }

    /// <inheritdoc/>
    protected override void WriteByte(ushort port, byte value)
    {
        switch (port - _first)
        {
            case 0 when IsDivisorAccess:
                _divisor = (ushort)(_divisor & 0xFF00 | value);
                return;
            case 0:
                Transmit(value);
                break;
            case 1 when IsDivisorAccess:
                _divisor = (ushort)(value << 8 | _divisor & 0xFF);
                return;
            case 1:
                // Enabling it tells that the transmitter is empty, which it always is.
                if ((value & ~_interruptEnable & TransmitterEnable) != 0)
                    _transmitterPending = true;
                _interruptEnable = (byte)(value & 0x0F);
                break;
            case 2:
                WriteFifoControl(value);
                break;
            case 3:
                _lineControl = value;
                return;
            case 4:
                WriteModemControl(value);
                break;
            case 7:
                _scratch = value;
                return;
        }
        Update();
    }

    private void Transmit(byte value)
    {
        _transmitterPending = false;
        Update();
        if ((_modemControl & Loop) != 0)
            Put(value);
        else
            _transmit(value);
        _transmitterPending = true;
    }

    private void Put(int character)
    {
        if (_receivedCount == Capacity)
        {
            // Without FIFOs the new character takes the place of the old one; with them it is the new one that is lost.
            _lineStatus |= Overrun;
            if (!HasFifos)
                _received[_firstReceived] = (ushort)character;
        }
        else
            _received[(_firstReceived + _receivedCount++) % FifoSize] = (ushort)character;
        if (_receivedCount == 1)
            ShowErrors();
        RestartTimeout();
        Update();
    }

    private byte ReadReceived()
    {
        if (_receivedCount == 0)
            return (byte)_received[_firstReceived];
        var wasReady = CanReceive;
        var character = _received[_firstReceived];
        if (HasFifos)
            _firstReceived = (_firstReceived + 1) % FifoSize;
        _receivedCount--;
        if (_receivedCount > 0)
            ShowErrors();
        RestartTimeout();
        Update();
        if (!wasReady && CanReceive)
            ReceiveReady?.Invoke();
        return (byte)character;
    }

    // The flags of a character are seen when it is the next to be read.
    private void ShowErrors()
    {
        _lineStatus |= (byte)(_received[_firstReceived] >> 8 & LineErrors);
        _received[_firstReceived] &= 0xFF;
    }

    private void RestartTimeout()
    {
        _timedOut = false;
        if (HasFifos && _receivedCount > 0)
            _timeout.Arm(_clock.Now + 4 * CharacterTime());
        else
            _timeout.Disarm();
    }

    // Nanoseconds of a start bit, data bits, parity and stop bits.
    private long CharacterTime()
    {
        var bits = 1 + 5 + (_lineControl & 3) + (_lineControl >> 3 & 1) + 1 + (_lineControl >> 2 & 1);
        return bits * 16L * Math.Max(1, (int)_divisor) * 1_000_000_000 / Crystal;
    }

    private byte ReadLineStatus()
    {
        var status = _lineStatus | TransmitterEmpty | (_receivedCount > 0 ? DataReady : 0) | (HasFifos && HasErrors() ? FifoHasError : 0);
        if ((_lineStatus & LineErrors) != 0)
        {
            _lineStatus &= unchecked((byte)~LineErrors);
            Update();
        }
        return (byte)status;
    }

    private bool HasErrors()
    {
        if ((_lineStatus & Break) != 0)
            return true;
        for (var i = 0; i < _receivedCount; i++)
        {
            if (_received[(_firstReceived + i) % FifoSize] > 0xFF)
                return true;
        }
        return false;
    }

    private byte ReadIdentification()
    {
        var cause = Cause();
        if (cause == TransmitterInterrupt)
        {
            _transmitterPending = false;
            Update();
        }
        return (byte)(cause | (HasFifos ? FifosAreOn : 0));
    }

    private void WriteFifoControl(byte value)
    {
        var wasReady = CanReceive;
        if (((value ^ _fifoControl) & 1) != 0)
            ClearReceiver();
        if ((value & 1) == 0)
            _fifoControl = 0;
        else
        {
            // Both FIFOs can be emptied; the transmitter's always is.
            if ((value & 2) != 0)
                ClearReceiver();
            _fifoControl = (byte)(value & 0xC9);
        }
        Update();
        if (!wasReady && CanReceive)
            ReceiveReady?.Invoke();
    }

    private void ClearReceiver()
    {
        _firstReceived = _receivedCount = 0;
        _timedOut = false;
        _timeout.Disarm();
    }

    private void WriteModemControl(byte value)
    {
        var wasReady = CanReceive;
        _modemControl = (byte)(value & 0x1F);
        var inputs = (_modemControl & Loop) == 0 ? Cts | Dsr | Dcd
            : ((_modemControl & Rts) != 0 ? Cts : 0) | ((_modemControl & Dtr) != 0 ? Dsr : 0)
                | ((_modemControl & Out1) != 0 ? Ring : 0) | ((_modemControl & Out2) != 0 ? Dcd : 0);
        var changes = (_modemStatus ^ inputs) >> 4;
        if ((inputs & Ring) != 0)
            changes &= ~TrailingEdgeOfRing;
        _modemStatus = (byte)(inputs | _modemStatus & 0x0F | changes & 0x0F);
        Update();
        if (!wasReady && CanReceive)
            ReceiveReady?.Invoke();
    }

    // The most urgent interrupt that is enabled.
    private byte Cause()
    {
        if ((_interruptEnable & LineEnable) != 0 && (_lineStatus & LineErrors) != 0)
            return LineInterrupt;
        if ((_interruptEnable & ReceivedEnable) != 0)
        {
            if (_receivedCount >= (HasFifos ? Triggers[_fifoControl >> 6] : 1))
                return ReceivedInterrupt;
            if (_timedOut)
                return TimeoutInterrupt;
        }
        if ((_interruptEnable & TransmitterEnable) != 0 && _transmitterPending)
            return TransmitterInterrupt;
        return (_interruptEnable & ModemEnable) != 0 && (_modemStatus & 0x0F) != 0 ? ModemInterrupt : NoInterrupt;
    }

    // OUT2 drives the gate to the bus; in loopback mode it is off.
    private void Update() => _interrupt.Set(Cause() != NoInterrupt && (_modemControl & (Out2 | Loop)) == Out2);
}
