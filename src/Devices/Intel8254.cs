namespace DynaTrans.Devices;

/// <summary>
/// The interval timer of a PC (ports 40h to 43h), after Intel's data sheet "8254 Programmable Interval Timer" (231164): three counters at 1,193,182 Hz. OUT of
/// counter 0 is an interrupt request; the gates of counters 0 and 1 are tied high, that of counter 2 is a bit of port 61h (<see cref="SystemControlPortB"/>).
/// </summary>
public sealed class Intel8254 : BytePortDevice, IStatefulDevice
{
    /// <summary>Pulses of CLK in a second: a third of the colour carrier of NTSC over four.</summary>
    public const long Frequency = 1_193_182;

    private const long Second = 1_000_000_000;

    // How far ahead, in pulses (25 us), an interrupt is set that makes up for missed ones. A guest may ask for more edges than a host can run: what it
    // executes between them is then the host's measure.
    private const long Respite = 30;

    private readonly Intel8254Counter[] _counters = [new(), new(), new()];
    private readonly VirtualClock _clock;
    private readonly InterruptLine _output;
    private readonly DeviceTimer _timer;

    // The edge of counter 0 for which the timer is armed.
    private long _edge;
    private bool _edgeLevel;

    /// <summary>Makes the timer; no counter counts until it is programmed.</summary>
    /// <param name="clock">The machine's time.</param>
    /// <param name="output">Follows OUT of counter 0: IRQ 0.</param>
    public Intel8254(VirtualClock clock, InterruptLine output)
    {
        _clock = clock;
        _output = output;
        _timer = clock.AddTimer(Due);
        Reset();
    }

    /// <inheritdoc/>
    public string Name => "8254";

    /// <inheritdoc/>
    public int Version => 1;

    private long Now => Pulses(_clock.Now);

    /// <summary>How many pulses of CLK there have been at a time.</summary>
    /// <param name="nanoseconds">The time, 0 or more; any: there is no drift.</param>
    public static long Pulses(long nanoseconds) =>
        nanoseconds / Second * Frequency + nanoseconds % Second * Frequency / Second;

    /// <summary>The first time, in nanoseconds, at which there have been so many pulses of CLK.</summary>
    public static long TimeOf(long pulses) =>
        pulses / Frequency * Second + (pulses % Frequency * Second + (Frequency - 1)) / Frequency;

    /// <summary>Puts it at its ports.</summary>
    public void Map(PortBus ports) => ports.Map(0x40, 4, this);

    /// <summary>The level of a counter's OUT.</summary>
    /// <param name="counter">0 to 2.</param>
    public bool Output(int counter) => OutputAt(counter, Now);

    /// <summary>The level of a counter's OUT.</summary>
    /// <param name="counter">0 to 2.</param>
    /// <param name="pulses">How many pulses of CLK there have been: the present, for who has looked at the clock already.</param>
    public bool OutputAt(int counter, long pulses) => _counters[counter].Output(pulses);

    /// <summary>The level of a counter's gate.</summary>
    /// <param name="counter">0 to 2.</param>
    public bool Gate(int counter) => _counters[counter].Gate;

    /// <summary>Sets the level of a counter's gate.</summary>
    /// <param name="counter">0 to 2.</param>
    /// <param name="level">True for high.</param>
    public void SetGate(int counter, bool level)
    {
        if (counter == 0)
            Follow();
        _counters[counter].SetGate(Now, level);
        if (counter == 0)
            Follow();
    }

    /// <summary>The state after a reset of the machine.</summary>
    public void Reset()
    {
        foreach (var counter in _counters)
            counter.WriteControl(Now, 0x30);
        _counters[0].SetGate(Now, true);
        _counters[1].SetGate(Now, true);
        _counters[2].SetGate(Now, false);
        Follow();
    }

    /// <inheritdoc/>
    public void Save(StateWriter w)
    {
        foreach (var counter in _counters)
            counter.Save(w);
        w.WriteInt64(_edge);
        w.WriteBoolean(_edgeLevel);
        w.WriteBoolean(_output.Level);
    }

    /// <inheritdoc/>
    public void Load(StateReader r, int version)
    {
        foreach (var counter in _counters)
            counter.Load(r);
        var edge = r.ReadInt64();
        if (edge != long.MaxValue)
            Intel8254Counter.CheckPulse(edge);
        Arm((edge, r.ReadBoolean()));
        _output.Restore(r.ReadBoolean());
    }

    /// <inheritdoc/>
    protected override byte ReadByte(ushort port) => (port & 3) is var counter && counter < 3 ? _counters[counter].Read(Now) : (byte)0xFF;

    /// <inheritdoc/>
    protected override void WriteByte(ushort port, byte value)
    {
        var isCount = (port & 3) < 3;
        var counter = isCount ? port & 3 : value >> 6;
        if (counter == 3)
        {
            ReadBack(value);
            return;
        }

        // The request line is brought up to date before, too: it is not told of a strobe until that ends.
        if (counter == 0)
            Follow();
        if (isCount)
            _counters[counter].WriteCount(Now, value);
        else if ((value & 0x30) == 0)
            _counters[counter].LatchCount(Now);
        else
            _counters[counter].WriteControl(Now, value);
        if (counter == 0)
            Follow();
    }

    private void ReadBack(byte value)
    {
        for (var i = 0; i < 3; i++)
        {
            if ((value >> (i + 1) & 1) == 0)
                continue;
            if ((value & 0x20) == 0)
                _counters[i].LatchCount(Now);
            if ((value & 0x10) == 0)
                _counters[i].LatchStatus(Now);
        }
    }

    // What counter 0 shows now, and when that changes next.
    private void Follow()
    {
        var now = Now;
        _output.Set(_counters[0].Output(now));
        Arm(_counters[0].NextEdge(now));
    }

    private void Arm((long Pulse, bool Level) edge)
    {
        (_edge, _edgeLevel) = edge;
        if (_edge == long.MaxValue)
            _timer.Disarm();
        else
            _timer.Arm(TimeOf(_edge));
    }

    private void Due(long deadline)
    {
        // The one pulse for which OUT is low in modes 2, 4 and 5 is not timed by itself.
        if (_edgeLevel)
            _output.Set(false);
        _output.Set(_edgeLevel);

        // On a host that was busy whole cycles may be past. A falling edge is done late, so that the rising one before it is seen; of the rising ones that
        // were missed one is made up for.
        var now = Now;
        var next = _counters[0].NextEdge(_edge);
        if (next.Level && next.Pulse <= now)
        {
            next = _counters[0].NextEdge(now);
            next = (Math.Min(next.Level ? next.Pulse : long.MaxValue, now + Respite), true);
        }
        Arm(next);
    }
}
