namespace DynaTrans.Devices;

/// <summary>
/// A keyboard with 101 keys at a PS/2 connector (IBM PS/2 Hardware Interface Technical Reference, 101- and 102-key keyboard): all commands, no keys pressed.
/// </summary>
public sealed class Ps2Keyboard : Ps2Device
{
    private const byte SetLeds = 0xED, Echo = 0xEE, SelectSet = 0xF0, Identify = 0xF2, SetRate = 0xF3, Enable = 0xF4, Disable = 0xF5, SetDefaults = 0xF6,
        FirstAllKeys = 0xF7, LastAllKeys = 0xFA, FirstOneKey = 0xFB, LastOneKey = 0xFD, ResendLast = 0xFE, ResetAll = 0xFF;

    // The command that waits for its argument; 0: none.
    private byte _command;
    private byte _set, _rate;

    /// <summary>Makes a keyboard that has passed its self test.</summary>
    public Ps2Keyboard() => Reset();

    /// <summary>The lamps: bit 0 scroll lock, 1 num lock, 2 caps lock.</summary>
    public byte Leds { get; private set; }

    /// <summary>True while it would send keys.</summary>
    public bool IsScanning { get; private set; }

    /// <summary>The state after power-on and the self test, with nothing to send.</summary>
    public void Reset()
    {
        Clear();
        SetToDefaults();
        Leds = 0;
        IsScanning = true;
    }

    /// <inheritdoc/>
    public override void Receive(byte value)
    {
        // A byte that can only be a command ends the one that waited.
        var command = _command;
        _command = 0;
        if (command != 0 && value < SetLeds)
            ReceiveArgument(command, value);
        else
            ReceiveCommand(value);
    }

    /// <inheritdoc/>
    public override void Save(StateWriter w)
    {
        base.Save(w);
        w.WriteBytes([_command, _set, _rate, Leds]);
        w.WriteBoolean(IsScanning);
    }

    /// <inheritdoc/>
    public override void Load(StateReader r)
    {
        base.Load(r);
        Span<byte> bytes = stackalloc byte[4];
        r.ReadBytes(bytes);
        (_command, _set, _rate, Leds) = (bytes[0], bytes[1], bytes[2], bytes[3]);
        IsScanning = r.ReadBoolean();
    }

    private void ReceiveCommand(byte value)
    {
        switch (value)
        {
            case Echo:
                Send(Echo);
                break;
            case SetLeds or SelectSet or SetRate or (>= FirstOneKey and <= LastOneKey):
                _command = value;
                Send(Acknowledge);
                break;
            case Identify:
                Send(Acknowledge, 0xAB, 0x83);
                break;
            case Enable:
                Clear();
                IsScanning = true;
                Send(Acknowledge);
                break;
            case Disable or SetDefaults:
                Clear();
                SetToDefaults();
                IsScanning = value == SetDefaults && IsScanning;
                Send(Acknowledge);
                break;
            case >= FirstAllKeys and <= LastAllKeys:
                // How keys repeat in set 3: there is no key that would.
                Send(Acknowledge);
                break;
            case ResendLast:
                SendAgain();
                break;
            case ResetAll:
                Reset();
                Send(Acknowledge, SelfTestPassed);
                break;
            default:
                Send(Resend);
                break;
        }
    }

    private void ReceiveArgument(byte command, byte value)
    {
        switch (command)
        {
            case SetLeds:
                Leds = (byte)(value & 7);
                break;
            case SelectSet when value == 0:
                Send(Acknowledge, _set);
                return;
            case SelectSet when value > 3:
                Send(Resend);
                return;
            case SelectSet:
                _set = value;
                break;
            case SetRate:
                _rate = value;
                break;
            default:
                // One key of set 3: more may follow, until a command comes.
                _command = command;
                break;
        }
        Send(Acknowledge);
    }

    private void SetToDefaults()
    {
        _command = 0;
        _set = 2;
        _rate = 0x2B;
    }
}
