namespace DynaTrans.Devices;

/// <summary>
/// A port whose bytes are text for the host: E9h as Bochs has it, 402h as SeaBIOS and OVMF use it. A guest finds it by reading E9 from it.
/// </summary>
/// <param name="port">The port.</param>
/// <param name="write">Called with each byte.</param>
public sealed class DebugConsole(ushort port, Action<byte> write) : IPortDevice
{
    private const uint Signature = 0xE9;

    /// <summary>Puts it at its port.</summary>
    public void Map(PortBus ports) => ports.Map(port, 1, this);

    /// <inheritdoc/>
    public uint Read(ushort _, int size) => Signature;

    /// <inheritdoc/>
    public void Write(ushort _, int size, uint value) => write((byte)value);
}
