namespace DynaTrans.Devices;

/// <summary>
/// A device at a PS/2 connector: takes bytes, and has bytes to send (IBM PS/2 Hardware Interface Technical Reference, keyboard and auxiliary device).
/// </summary>
public abstract class Ps2Device
{
    /// <summary>The answer to a byte that is understood.</summary>
    protected const byte Acknowledge = 0xFA;

    /// <summary>The answer to a byte that is not.</summary>
    protected const byte Resend = 0xFE;

    /// <summary>What follows a reset: the self test passed.</summary>
    protected const byte SelfTestPassed = 0xAA;

    // What the device's buffer holds; more is lost.
    private readonly byte[] _toSend = new byte[16];
    private int _first, _count;
    private byte _last;

    /// <summary>True while there is something to send.</summary>
    public bool HasByte => _count > 0;

    /// <summary>Takes the next byte from the device; there must be one.</summary>
    public byte Take()
    {
        _last = _toSend[_first];
        _first = (_first + 1) % _toSend.Length;
        _count--;
        return _last;
    }

    /// <summary>Gives the device a byte: a command or its argument.</summary>
    public abstract void Receive(byte value);

    /// <summary>Writes the state; see <see cref="IStatefulDevice.Save"/>.</summary>
    public virtual void Save(StateWriter w)
    {
        var bytes = new byte[_count];
        for (var i = 0; i < _count; i++)
            bytes[i] = _toSend[(_first + i) % _toSend.Length];
        w.WriteBytes(bytes);
        w.WriteByte(_last);
    }

    /// <summary>Reads the state; see <see cref="IStatefulDevice.Load"/>.</summary>
    public virtual void Load(StateReader r)
    {
        var bytes = r.ReadBytes(_toSend.Length);
        bytes.CopyTo(_toSend, 0);
        _first = 0;
        _count = bytes.Length;
        _last = r.ReadByte();
    }

    /// <summary>Queues bytes to send; what does not fit is lost.</summary>
    protected void Send(params ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
        {
            if (_count < _toSend.Length)
                _toSend[(_first + _count++) % _toSend.Length] = value;
        }
    }

    /// <summary>Sends the last byte once more.</summary>
    protected void SendAgain() => Send(_last);

    /// <summary>Drops what was to be sent.</summary>
    protected void Clear() => _count = 0;
}
