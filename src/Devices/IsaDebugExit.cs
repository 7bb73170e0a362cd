namespace DynaTrans.Devices;

/// <summary>
/// A device that ends the machine: a write of a value makes an exit status of it that is never 0. The same as QEMU's <c>isa-debug-exit</c>.
/// </summary>
/// <param name="first">Its first port; QEMU's default is 501h.</param>
/// <param name="count">How many ports, 1 or more; QEMU's default is 2.</param>
/// <param name="exit">Called with twice the value, plus 1.</param>
public sealed class IsaDebugExit(ushort first, int count, Action<int> exit) : IPortDevice
{
    /// <summary>Puts it at its ports.</summary>
    public void Map(PortBus ports) => ports.Map(first, count, this);

    /// <inheritdoc/>
    public uint Read(ushort port, int size) => 0;

    /// <inheritdoc/>
    public void Write(ushort port, int size, uint value) => exit((int)(value << 1 | 1));
}
