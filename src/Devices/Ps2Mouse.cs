namespace DynaTrans.Devices;

/// <summary>
/// A mouse with two buttons at a PS/2 connector (IBM PS/2 Hardware Interface Technical Reference, auxiliary device): all commands, no movement.
/// </summary>
public sealed class Ps2Mouse : Ps2Device
{
    private const byte SetScaling1 = 0xE6, SetScaling2 = 0xE7, SetResolution = 0xE8, StatusRequest = 0xE9, SetStream = 0xEA, ReadData = 0xEB, ResetWrap = 0xEC,
        SetWrap = 0xEE, SetRemote = 0xF0, Identify = 0xF2, SetRate = 0xF3, Enable = 0xF4, Disable = 0xF5, SetDefaults = 0xF6, ResendLast = 0xFE, ResetAll = 0xFF;

    // The second byte in a row that is not understood.
    private const byte Error = 0xFC;

    private byte _command, _resolution, _rate;
    private bool _isScaled, _isRemote, _isWrapped, _hadError;

    /// <summary>Makes a mouse that has passed its self test.</summary>
    public Ps2Mouse() => Reset();

    /// <summary>True while it would report movement by itself.</summary>
    public bool IsReporting { get; private set; }

    /// <summary>The state after power-on and the self test, with nothing to send.</summary>
    public void Reset()
    {
        Clear();
        SetToDefaults();
        _hadError = false;
    }

    /// <inheritdoc/>
    public override void Receive(byte value)
    {
        if (_isWrapped && value is not (ResetWrap or ResetAll))
        {
            Send(value);
            return;
        }
        var command = _command;
        _command = 0;
        if (!(command switch
        {
            SetResolution => TrySetResolution(value),
            SetRate => TrySetRate(value),
            _ => TryCommand(value),
        }))
        {
            Send(_hadError ? Error : Resend);
            _hadError = !_hadError;
        }
        else
            _hadError = false;
    }

    /// <inheritdoc/>
    public override void Save(StateWriter w)
    {
        base.Save(w);
        w.WriteBytes([_command, _resolution, _rate]);
        foreach (var flag in (ReadOnlySpan<bool>)[_isScaled, _isRemote, _isWrapped, _hadError, IsReporting])
            w.WriteBoolean(flag);
    }

    /// <inheritdoc/>
    public override void Load(StateReader r)
    {
        base.Load(r);
        Span<byte> bytes = stackalloc byte[3];
        r.ReadBytes(bytes);
        (_command, _resolution, _rate) = (bytes[0], bytes[1], bytes[2]);
        _isScaled = r.ReadBoolean();
        _isRemote = r.ReadBoolean();
        _isWrapped = r.ReadBoolean();
        _hadError = r.ReadBoolean();
        IsReporting = r.ReadBoolean();
    }

    private bool TryCommand(byte value)
    {
        switch (value)
        {
            case SetScaling1 or SetScaling2:
                _isScaled = value == SetScaling2;
                break;
            case SetResolution or SetRate:
                _command = value;
                break;
            case StatusRequest:
                Send(Acknowledge, (byte)((_isRemote ? 0x40 : 0) | (IsReporting ? 0x20 : 0) | (_isScaled ? 0x10 : 0)), _resolution, _rate);
                return true;
            case SetStream:
                _isRemote = false;
                break;
            case ReadData:
                Send(Acknowledge, 0x08, 0x00, 0x00);
                return true;
            case ResetWrap:
                _isWrapped = false;
                break;
            case SetWrap:
                _isWrapped = true;
                break;
            case SetRemote:
                _isRemote = true;
                break;
            case Identify:
                Send(Acknowledge, 0x00);
                return true;
            case Enable:
                IsReporting = true;
                break;
            case Disable:
                IsReporting = false;
                break;
            case SetDefaults:
                SetToDefaults();
                break;
            case ResendLast:
                SendAgain();
                return true;
            case ResetAll:
                Reset();
                Send(Acknowledge, SelfTestPassed, 0x00);
                return true;
            default:
                return false;
        }
        Send(Acknowledge);
        return true;
    }

    private bool TrySetResolution(byte value)
    {
        if (value > 3)
            return false;
        _resolution = value;
        Send(Acknowledge);
        return true;
    }

    private bool TrySetRate(byte value)
    {
        if (value is not (10 or 20 or 40 or 60 or 80 or 100 or 200))
            return false;
        _rate = value;
        Send(Acknowledge);
        return true;
    }

    private void SetToDefaults()
    {
        _command = 0;
        _resolution = 2;
        _rate = 100;
        _isScaled = _isRemote = _isWrapped = IsReporting = false;
    }
}
