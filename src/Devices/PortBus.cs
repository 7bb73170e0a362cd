using DynaTrans.Runtime.Execution;

namespace DynaTrans.Devices;

/// <summary>
/// The I/O ports of a machine: a table from port to device. Ports that no device has read ones and ignore writes. A device that is mapped over another
/// hides it until it is unmapped, as a guest may place a relocatable device anywhere. An access that does not lie in one device's ports whole is
/// made of byte accesses, as a bus does it; port numbers wrap at 64 K.
/// </summary>
public sealed class PortBus : IPortBus
{
    // Null where nobody answers: pages of the table that are never written cost no memory.
    private readonly IPortDevice?[] _devices = new IPortDevice?[0x10000];
    private readonly List<(int First, int End, IPortDevice Device)> _mappings = [];

    /// <summary>Gives a device ports; the new mapping lies over older ones.</summary>
    /// <param name="first">Its first port.</param>
    /// <param name="count">How many ports, 1 or more; the last is at most FFFF.</param>
    /// <param name="device">What answers. It gets port numbers as they are, not relative to the first.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is empty or leaves the 64 K ports.</exception>
    public void Map(ushort first, int count, IPortDevice device)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, 0x10000 - first);
        _mappings.Add((first, first + count, device));
        _devices.AsSpan(first, count).Fill(device);
    }

    /// <summary>Takes away a mapping that <see cref="Map"/> made with the same arguments (the newest such); what it hid is seen again.</summary>
    /// <returns>False where there is no such mapping.</returns>
    public bool Unmap(ushort first, int count, IPortDevice device)
    {
        var index = _mappings.LastIndexOf((first, first + count, device));
        if (index < 0)
            return false;
        _mappings.RemoveAt(index);
        _devices.AsSpan(first, count).Clear();
        foreach (var (start, end, below) in _mappings)
        {
            var from = Math.Max(start, first);
            var to = Math.Min(end, first + count);
            if (from < to)
                _devices.AsSpan(from, to - from).Fill(below);
        }
        return true;
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        var device = _devices[port];
        if (size == 1)
            return device is null ? 0xFF : device.Read(port, 1) & 0xFF;
        if (IsWhole(port, size))
            return device is null ? Ones(size) : device.Read(port, size) & Ones(size);
        var value = 0u;
        for (var i = 0; i < size; i++)
            value |= Read((ushort)(port + i), 1) << (8 * i);
        return value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, int size, uint value)
    {
        var device = _devices[port];
        if (size == 1 || IsWhole(port, size))
        {
            device?.Write(port, size, value & Ones(size));
            return;
        }
        for (var i = 0; i < size; i++)
            Write((ushort)(port + i), 1, value >> (8 * i) & 0xFF);
    }

    private static uint Ones(int size) => uint.MaxValue >> (32 - 8 * size);

    private bool IsWhole(ushort port, int size)
    {
        if (port + size > 0x10000)
            return false;
        for (var i = 1; i < size; i++)
        {
            if (!ReferenceEquals(_devices[port + i], _devices[port]))
                return false;
        }
        return true;
    }
}
