namespace DynaTrans.Devices;

/// <summary>The 82093AA I/O APIC (datasheet 290566): 24 inputs, each with an entry that says which message it sends.</summary>
/// <remarks>
/// Input lines say whether an interrupt is asserted, not whether a wire is high: the polarity bit is kept but has no effect. Inputs 0 to 15 are the
/// ISA interrupts, but the timer (ISA interrupt 0) is at input 2 and the INTR of the 8259 pair at input 0, as on PCs; 16 to 19 are PIRQA to PIRQD.
/// </remarks>
public sealed class IoApic : IMemoryDevice, IStatefulDevice
{
    /// <summary>Bytes of the register page.</summary>
    public const int PageSize = 0x1000;

    /// <summary>The number of inputs.</summary>
    public const int InputCount = 24;

    /// <summary>The input of the 8254's channel 0.</summary>
    public const int TimerInput = 2;

    // Offsets in the page.
    private const int IndexRegister = 0x00;
    private const int DataRegister = 0x10;

    // Registers behind them.
    private const int IdRegister = 0x00;
    private const int VersionRegister = 0x01;
    private const int ArbitrationRegister = 0x02;
    private const int FirstEntry = 0x10;
    private const uint VersionValue = 0x11 | (InputCount - 1) << 16;
    private const uint IdBits = 0x0F00_0000;

    // The low half of an entry.
    private const uint Logical = 1 << 11;
    private const uint Pending = 1 << 12;
    private const uint RemoteIrr = 1 << 14;
    private const uint Level = 1 << 15;
    private const uint Masked = 1 << 16;
    private const uint WritableLow = 0x1_AFFF;
    private const uint WritableHigh = 0xFF00_0000;

    private readonly LocalApic _localApic;
    private readonly InterruptLine[] _inputs = new InterruptLine[InputCount];
    private readonly uint[] _low = new uint[InputCount];
    private readonly uint[] _high = new uint[InputCount];
    private byte _index;
    private uint _id;

    /// <summary>Makes the chip as after reset, all inputs masked.</summary>
    /// <param name="localApic">Who takes the messages. The chip listens to its ends of interrupts.</param>
    public IoApic(LocalApic localApic)
    {
        _localApic = localApic;
        for (var i = 0; i < InputCount; i++)
        {
            var input = i;
            _inputs[i] = new InterruptLine(level => InputChanged(input, level));
        }

        localApic.LevelInterruptEnded += InterruptEnded;
        localApic.AcceptanceChanged += Retry;
        Reset();
    }

    /// <summary>The input lines.</summary>
    public IReadOnlyList<InterruptLine> Inputs => _inputs;

    /// <inheritdoc/>
    public string Name => "io-apic";

    /// <inheritdoc/>
    public int Version => 1;

    /// <summary>RESET: all inputs are masked.</summary>
    public void Reset()
    {
        _index = 0;
        _id = 0;
        Array.Fill(_low, Masked);
        Array.Clear(_high);
    }

    /// <inheritdoc/>
    public ulong Read(ulong offset, int size) => offset switch
    {
        IndexRegister => _index,
        DataRegister => size >= 4 ? ReadRegister() : ReadRegister() & ((1u << (8 * size)) - 1),
        _ => 0,
    };

    /// <inheritdoc/>
    public void Write(ulong offset, int size, ulong value)
    {
        if (offset == IndexRegister)
            _index = (byte)value;
        else if (offset == DataRegister && size >= 4)
            WriteRegister((uint)value);
    }

    private uint ReadRegister()
    {
        switch (_index)
        {
            case IdRegister or ArbitrationRegister:
                // The arbitration identifier is loaded from the identifier.
                return _id;
            case VersionRegister:
                return VersionValue;
            case >= FirstEntry and < FirstEntry + 2 * InputCount:
                var input = (_index - FirstEntry) / 2;
                return (_index & 1) == 0 ? _low[input] : _high[input];
            default:
                return 0;
        }
    }

    private void WriteRegister(uint value)
    {
        if (_index == IdRegister)
            _id = value & IdBits;
        if (_index is < FirstEntry or >= FirstEntry + 2 * InputCount)
            return;
        var input = (_index - FirstEntry) / 2;
        if ((_index & 1) != 0)
        {
            _high[input] = value & WritableHigh;
            return;
        }

        // An entry that becomes edge-triggered forgets that a level was not ended: software without another way to end one uses that.
        var kept = (value & Level) != 0 ? RemoteIrr | Pending : (_low[input] & Level) == 0 ? Pending : 0;
        _low[input] = value & WritableLow | _low[input] & kept;
        SendLevel(input);
    }

    private void InputChanged(int input, bool level)
    {
        if ((_low[input] & Level) != 0)
        {
            // A level that has gone before anybody took it leaves nothing behind.
            if (!level)
                _low[input] &= ~Pending;
            SendLevel(input);
        }
        else if (level && (_low[input] & Masked) == 0)
        {
            // An edge while the input is masked is ignored.
            Send(input);
        }
    }

    private void InterruptEnded(byte vector)
    {
        for (var i = 0; i < InputCount; i++)
        {
            if ((_low[i] & (RemoteIrr | Level)) != (RemoteIrr | Level) || (byte)_low[i] != vector)
                continue;
            _low[i] &= ~RemoteIrr;
            SendLevel(i);
        }
    }

    // Messages that nobody accepted are sent until somebody does.
    private void Retry()
    {
        for (var i = 0; i < InputCount; i++)
            if ((_low[i] & (Pending | Masked)) == Pending)
                Send(i);
    }

    private void SendLevel(int input)
    {
        if (_inputs[input].Level && (_low[input] & (Level | Masked | RemoteIrr)) == Level)
            Send(input);
    }

    private void Send(int input)
    {
        var low = _low[input];
        var mode = (DeliveryMode)(low >> 8 & 7);

        // Of the modes only these two have a vector that is ended; the others are edges whatever the entry says.
        var isLevel = (low & Level) != 0 && mode is DeliveryMode.Fixed or DeliveryMode.LowestPriority;
        var message = new InterruptMessage((byte)(_high[input] >> 24), (low & Logical) != 0, mode, (byte)low, isLevel);
        _low[input] = low & ~Pending;
        if (isLevel)
            _low[input] |= RemoteIrr;
        if (!_localApic.Deliver(message))
            _low[input] = _low[input] & ~RemoteIrr | Pending;
    }

    /// <inheritdoc/>
    public void Save(StateWriter w)
    {
        w.WriteByte(_index);
        w.WriteUInt32(_id);
        for (var i = 0; i < InputCount; i++)
        {
            w.WriteUInt32(_low[i]);
            w.WriteUInt32(_high[i]);
            w.WriteBoolean(_inputs[i].Level);
        }
    }

    /// <inheritdoc/>
    public void Load(StateReader r, int version)
    {
        _index = r.ReadByte();
        _id = r.ReadUInt32() & IdBits;
        for (var i = 0; i < InputCount; i++)
        {
            _low[i] = r.ReadUInt32() & (WritableLow | Pending | RemoteIrr);
            _high[i] = r.ReadUInt32() & WritableHigh;
            _inputs[i].Restore(r.ReadBoolean());
        }
    }
}
