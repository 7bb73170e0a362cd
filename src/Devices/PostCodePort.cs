namespace DynaTrans.Devices;

/// <summary>
/// A port to which firmware writes how far it has come: port 80h of every PC, or another one of a test ROM. It reads back what was written.
/// </summary>
/// <param name="port">The port.</param>
/// <param name="shown">Called with each code, as a diagnostic card would show it; null where nobody looks.</param>
public sealed class PostCodePort(ushort port, Action<byte>? shown = null) : IPortDevice, IStatefulDevice
{
    private byte _code;

    /// <inheritdoc/>
    public string Name => $"post-code-{port:x}";

    /// <inheritdoc/>
    public int Version => 1;

    /// <summary>Puts it at its port.</summary>
    public void Map(PortBus ports) => ports.Map(port, 1, this);

    /// <inheritdoc/>
    public uint Read(ushort _, int size) => _code;

    /// <inheritdoc/>
    public void Write(ushort _, int size, uint value)
    {
        _code = (byte)value;
        shown?.Invoke(_code);
    }

    /// <inheritdoc/>
    public void Save(StateWriter w) => w.WriteByte(_code);

    /// <inheritdoc/>
    public void Load(StateReader r, int version) => _code = r.ReadByte();
}
