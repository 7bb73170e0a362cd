namespace DynaTrans.Devices;

/// <summary>
/// One counter of an 8254, after Intel's data sheet "8254 Programmable Interval Timer" (231164). It is not stepped: all it shows is a function of the
/// clock pulses since it was loaded, so a look at it costs the same after one pulse and after a million. Times are numbers of pulses of CLK.
/// </summary>
internal sealed class Intel8254Counter
{
    // More than any time that a clock accepts.
    private const long MostPulses = 1L << 52;

    // What is loaded into the counting element and how its output began: counting starts at the pulse that loads.
    private long _start;
    private int _count;

    // Pulses that were counted when the gate went low in a mode where it stops the count.
    private long _held;
    private bool _gate;

    // Nothing is counted: no count was written since the control word, or it waits for its trigger, or (mode 0) for its second byte.
    private bool _isStopped = true;

    // What was written last had not been loaded when this was set.
    private bool _isNull = true;

    // What the output and the counting element show before the pulse that loads, and while nothing is counted.
    private bool _outputBefore;
    private ushort _elementBefore;

    // A count that was written and is not loaded yet: it waits for a trigger or for the end of the cycle.
    private bool _isWaiting;
    private int _waiting;
    private long _boundary;
    private bool _boundaryFalls;

    // The control word's low six bits, and the byte of a two-byte access that is next.
    private byte _control = 0x30;
    private bool _readsHigh, _writesHigh;
    private byte _lowByte;

    private bool _hasLatchedCount, _hasLatchedStatus;
    private ushort _latchedCount;
    private byte _latchedStatus;

    /// <summary>The mode, 0 to 5.</summary>
    public int Mode => (_control >> 1 & 7) is var mode && mode >= 6 ? mode - 4 : mode;

    /// <summary>The level of the gate.</summary>
    public bool Gate => _gate;

    private bool IsBcd => (_control & 1) != 0;

    private int Modulus => IsBcd ? 10_000 : 0x10000;

    private int Access => _control >> 4 & 3;

    /// <summary>A control word for this counter that is no latch command.</summary>
    public void WriteControl(long now, byte value)
    {
        _elementBefore = Element(now);
        _control = (byte)(value & 0x3F);
        _readsHigh = _writesHigh = _hasLatchedCount = _hasLatchedStatus = false;
        _isStopped = _isNull = true;
        _isWaiting = false;

        // "The output is initially low" in mode 0, high in the others.
        _outputBefore = Mode != 0;
    }

    /// <summary>Writes a byte of the count.</summary>
    public void WriteCount(long now, byte value)
    {
        switch (Access)
        {
            case 1:
                SetCount(now, value);
                break;
            case 2:
                SetCount(now, (ushort)(value << 8));
                break;
            default:
                if (_writesHigh)
                    SetCount(now, (ushort)(value << 8 | _lowByte));
                else
                {
                    _lowByte = value;
                    if (Mode == 0)
                        Stop(now);
                }
                _writesHigh = !_writesHigh;
                break;
        }
    }

    /// <summary>Reads the latched status, a byte of the latched count, or one of the running count.</summary>
    public byte Read(long now)
    {
        if (_hasLatchedStatus)
        {
            _hasLatchedStatus = false;
            return _latchedStatus;
        }

        // An access on a PC's bus takes longer than a pulse: software reads once to wait for the one that loads, here it has come.
        var value = _hasLatchedCount ? _latchedCount : Element(Math.Max(now, _start));
        var high = Access == 2 || Access == 3 && _readsHigh;
        if (Access == 3)
            _readsHigh = !_readsHigh;
        if (!_readsHigh)
            _hasLatchedCount = false;
        return (byte)(high ? value >> 8 : value);
    }

    /// <summary>Keeps the running count until it is read; a second latch before that changes nothing.</summary>
    public void LatchCount(long now)
    {
        if (_hasLatchedCount)
            return;
        _hasLatchedCount = true;
        _latchedCount = Element(now);
    }

    /// <summary>Keeps the status byte until it is read.</summary>
    public void LatchStatus(long now)
    {
        if (_hasLatchedStatus)
            return;
        Settle(now);
        _hasLatchedStatus = true;
        _latchedStatus = (byte)((Output(now) ? 0x80 : 0) | (IsNull(now) ? 0x40 : 0) | _control);
    }

    /// <summary>Sets the level of the gate.</summary>
    public void SetGate(long now, bool level)
    {
        if (level == _gate)
            return;
        Settle(now);
        var elapsed = Elapsed(now);
        if (!level)
        {
            _held = Math.Max(elapsed, 0);
            _gate = false;
            return;
        }
        var output = Output(now);
        var element = Element(now);
        _isNull = IsNull(now);
        _gate = true;
        switch (Mode)
        {
            case 0 or 4:
                // It goes on from where it stopped, unless it is still to be loaded.
                if (!_isStopped && now >= _start)
                    _start = now - _held;
                break;
            default:
                // A trigger loads the counter with the next pulse.
                if (_isWaiting)
                    Load(now + 1, _waiting, output, element);
                else if (!_isStopped)
                    Load(now + 1, _count, output, element);
                break;
        }
    }

    /// <summary>The level of OUT.</summary>
    public bool Output(long now)
    {
        Settle(now);
        if (_isStopped)
            return _outputBefore;
        if (!_gate && Mode is 2 or 3)
            return true;
        if (now < _start)
            return _outputBefore;
        var elapsed = Elapsed(now);
        return Mode switch
        {
            0 or 1 => elapsed >= _count,
            2 => _count > 1 && elapsed % _count != _count - 1,
            3 => elapsed % _count < HighHalf(_count),
            _ => elapsed != _count,
        };
    }

    /// <summary>
    /// The next change of OUT after a pulse, as an edge-triggered input sees it: where OUT is low for one pulse (modes 2, 4 and 5) only the rising edge.
    /// </summary>
    /// <returns>The pulse, <see cref="long.MaxValue"/> where there is none, and the level.</returns>
    public (long Pulse, bool Level) NextEdge(long after)
    {
        Settle(after);
        if (_isStopped || (!_gate && Mode is 0 or 2 or 3))
            return (long.MaxValue, false);
        var elapsed = after - _start;
        var end = _start + _count;
        switch (Mode)
        {
            case 0:
                return (elapsed < _count ? end : long.MaxValue, true);
            case 1:
                return elapsed < 0 ? (_start, false) : (elapsed < _count ? end : long.MaxValue, true);
            case 2 or 3:
                if (_count == 1)
                    return (long.MaxValue, false);
                var cycle = elapsed < 0 ? _start : after - elapsed % _count;
                var fall = cycle + HighHalf(_count);
                return Mode == 3 && after < fall ? (fall, false) : (cycle + _count, true);
            default:
                // The pulse that loads ends a strobe, even where the gate is low.
                var counts = (_gate || Mode == 5) && elapsed <= _count;
                return (elapsed < 0 && !_outputBefore ? _start : counts ? end + 1 : long.MaxValue, true);
        }
    }

    /// <summary>Writes the state; see <see cref="IStatefulDevice.Save"/>.</summary>
    public void Save(StateWriter w)
    {
        w.WriteInt64(_start);
        w.WriteInt32(_count);
        w.WriteInt64(_held);
        w.WriteInt32(_waiting);
        w.WriteInt64(_boundary);
        w.WriteBoolean(_boundaryFalls);
        w.WriteUInt16(_elementBefore);
        w.WriteUInt16(_latchedCount);
        w.WriteBytes([_control, _lowByte, _latchedStatus]);
        w.WriteBoolean(_gate);
        w.WriteBoolean(_isStopped);
        w.WriteBoolean(_isNull);
        w.WriteBoolean(_outputBefore);
        w.WriteBoolean(_isWaiting);
        w.WriteBoolean(_readsHigh);
        w.WriteBoolean(_writesHigh);
        w.WriteBoolean(_hasLatchedCount);
        w.WriteBoolean(_hasLatchedStatus);
    }

    /// <summary>Reads the state; see <see cref="IStatefulDevice.Load"/>.</summary>
    public void Load(StateReader r)
    {
        _start = CheckPulse(r.ReadInt64());
        _count = r.ReadInt32(0, 20_000 + 0x10000);
        _held = CheckPulse(r.ReadInt64());
        _waiting = r.ReadInt32(0, 20_000 + 0x10000);
        _boundary = CheckPulse(r.ReadInt64());
        _boundaryFalls = r.ReadBoolean();
        _elementBefore = r.ReadUInt16();
        _latchedCount = r.ReadUInt16();
        Span<byte> bytes = stackalloc byte[3];
        r.ReadBytes(bytes);
        (_control, _lowByte, _latchedStatus) = ((byte)(bytes[0] & 0x3F), bytes[1], bytes[2]);
        _gate = r.ReadBoolean();
        _isStopped = r.ReadBoolean();
        _isNull = r.ReadBoolean();
        _outputBefore = r.ReadBoolean();
        _isWaiting = r.ReadBoolean();
        _readsHigh = r.ReadBoolean();
        _writesHigh = r.ReadBoolean();
        _hasLatchedCount = r.ReadBoolean();
        _hasLatchedStatus = r.ReadBoolean();
        if ((_count == 0 && !_isStopped) || (_waiting == 0 && _isWaiting))
            throw new StateException("a counter of the 8254 counts from 0");
    }

    /// <summary>Refuses a pulse of a state record that no time has.</summary>
    /// <exception cref="StateException">It is such a one.</exception>
    public static long CheckPulse(long pulse) =>
        pulse is > -MostPulses and < MostPulses ? pulse : throw new StateException($"the 8254 cannot have counted {pulse} pulses");

    private static int HighHalf(int count) => (count + 1) >> 1;

    // Pulses counted since the counter was loaded: negative before.
    private long Elapsed(long now)
    {
        if (_gate || Mode is 1 or 5)
            return now - _start;
        return now < _start ? now - _start : _held;
    }

    private void SetCount(long now, ushort written)
    {
        var count = !IsBcd ? written
            : (written >> 12) * 1000 + (written >> 8 & 15) * 100 + (written >> 4 & 15) * 10 + (written & 15);
        if (count == 0)
            count = Modulus;
        Settle(now);
        _isNull = true;
        switch (Mode)
        {
            case 0:
                Load(now + 1, count, output: false, Element(now));
                break;
            case 4:
                Load(now + 1, count, Output(now), Element(now));
                break;
            case 2 or 3 when _isStopped:
                Load(now + 1, count, output: true, Element(now));
                break;
            case not 0 when !_isStopped && now < _start:
                // The pulse that loads finds this count.
                Load(_start, count, _outputBefore, _elementBefore);
                break;
            default:
                if (!_isWaiting && Mode is 2 or 3)
                {
                    var phase = (now - _start) % _count;
                    _boundaryFalls = Mode == 3 && phase < HighHalf(_count);
                    _boundary = now - phase + (_boundaryFalls ? HighHalf(_count) : _count);
                }
                _isWaiting = true;
                _waiting = count;
                break;
        }
    }

    private void Load(long at, int count, bool output, ushort element)
    {
        _start = at;
        _count = count;
        _held = 0;
        _outputBefore = output;
        _elementBefore = element;
        _isStopped = _isWaiting = false;
    }

    // The first byte of a new count in mode 0: counting is disabled, OUT is low at once.
    private void Stop(long now)
    {
        _isNull = IsNull(now);
        _elementBefore = Element(now);
        _outputBefore = false;
        _isStopped = true;
    }

    // The null count flag: what was written is not in the counting element yet.
    private bool IsNull(long now) => _isNull && (_isStopped || _isWaiting || now < _start);

    // Modes 2 and 3 take a new count at the end of the cycle or half-cycle in which it was written.
    private void Settle(long now)
    {
        if (!_isWaiting || !_gate || Mode is not (2 or 3) || now < _boundary)
            return;

        // In mode 3 the count that ends the high half begins with its low half.
        var start = Mode == 3 && _boundaryFalls ? _boundary - HighHalf(_waiting) : _boundary;
        Load(start, _waiting, output: true, element: 0);
    }

    private ushort Element(long now)
    {
        Settle(now);
        if (_isStopped || now < _start)
            return _elementBefore;
        var elapsed = Elapsed(now);
        long value;
        switch (Mode)
        {
            case 2:
                value = _count - elapsed % _count;
                break;
            case 3:
                // By two a pulse in each half; odd counts begin one lower and take a pulse more in the high half.
                var phase = elapsed % _count;
                var high = HighHalf(_count);
                value = (_count & ~1) - 2 * (phase < high ? phase : phase - high);
                break;
            default:
                value = _count - elapsed;
                break;
        }
        value %= Modulus;
        if (value < 0)
            value += Modulus;
        return !IsBcd ? (ushort)value
            : (ushort)(value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10);
    }
}
