namespace DynaTrans.Devices;

/// <summary>
/// Port 61h: the gate of the 8254's counter 2 (bit 0), the speaker's data (bit 1), the enables of the two NMI sources that a PC once had (bits 2 and 3, kept), and
/// to read the refresh cycle (bit 4) and OUT of counter 2 (bit 5). (Intel 82371AB data sheet, NMI status and control register.) Kernels read it in loops to
/// measure time.
/// </summary>
/// <param name="timer">The timer whose counter 2 it gates.</param>
/// <param name="clock">The machine's time.</param>
public sealed class SystemControlPortB(Intel8254 timer, VirtualClock clock) : IPortDevice, IStatefulDevice
{
    private const int Timer2Gate = 0x01, Writable = 0x0F, RefreshCycle = 0x10, Timer2Output = 0x20;

    // Refresh requests come every 18 pulses (15.1 us) of the timer; the bit toggles with each.
    private const long RefreshPulses = 18;

    private byte _value;

    /// <summary>True while the speaker follows OUT of counter 2.</summary>
    public bool IsSpeakerOn => (_value & 2) != 0;

    /// <inheritdoc/>
    public string Name => "port61";

    /// <inheritdoc/>
    public int Version => 1;

    /// <summary>Puts it at its port.</summary>
    public void Map(PortBus ports) => ports.Map(0x61, 1, this);

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        var pulses = Intel8254.Pulses(clock.Now);
        var refresh = pulses / RefreshPulses & 1;
        return (uint)(_value | (refresh != 0 ? RefreshCycle : 0) | (timer.OutputAt(2, pulses) ? Timer2Output : 0));
    }

    /// <inheritdoc/>
    public void Write(ushort port, int size, uint value)
    {
        _value = (byte)(value & Writable);
        timer.SetGate(2, (value & Timer2Gate) != 0);
    }

    /// <summary>The state after a reset of the machine.</summary>
    public void Reset() => Write(0x61, 1, 0);

    /// <inheritdoc/>
    public void Save(StateWriter w) => w.WriteByte(_value);

    /// <inheritdoc/>
    public void Load(StateReader r, int version) => _value = (byte)(r.ReadByte() & Writable);
}
