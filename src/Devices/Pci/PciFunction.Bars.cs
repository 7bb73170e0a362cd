using System.Numerics;

namespace DynaTrans.Devices.Pci;

/// <summary>Base address registers (6.2.5): where software puts the ports and memory of a function.</summary>
public abstract partial class PciFunction
{
    private const int FirstBar = 0x10;
    private const int BarCount = 6;

    private readonly Bar?[] _bars = new Bar?[BarCount];

    /// <summary>Where a base address register has its range now; null while the function does not answer to it.</summary>
    public ulong? BarAddress(int index) => _bars[index]?.Address;

    /// <summary>Adds a register for ports.</summary>
    /// <param name="index">Which of the registers, 0 to 5.</param>
    /// <param name="size">How many ports, a power of two of 4 to 256.</param>
    /// <param name="bus">Where they appear.</param>
    /// <param name="device">What answers; it gets whole port numbers, see <see cref="BarAddress"/>.</param>
    protected void AddPortBar(int index, int size, PortBus bus, IPortDevice device)
    {
        if (size is < 4 or > 256 || !BitOperations.IsPow2(size))
            throw new ArgumentOutOfRangeException(nameof(size));
        Define(FirstBar + 4 * index, 4, 1, writable: (uint)-size);
        _bars[index] = new Bar((uint)size, IsPorts: true, IsWide: false,
            address => bus.Map((ushort)address, size, device),
            address => bus.Unmap((ushort)address, size, device));
    }

    /// <summary>Adds a register for memory.</summary>
    /// <param name="index">Which of the registers, 0 to 5; a wide one takes the next one, too.</param>
    /// <param name="size">How many bytes, a power of two of 16 or more.</param>
    /// <param name="isWide">Whether it may be above 4 GiB.</param>
    /// <param name="isPrefetchable">Whether reads have no effects.</param>
    /// <param name="bus">Where it appears.</param>
    /// <param name="device">What answers.</param>
    protected void AddMemoryBar(int index, ulong size, bool isWide, bool isPrefetchable, MemoryBus bus, IMemoryDevice device)
    {
        const uint wideType = 2 << 1;
        const uint prefetchable = 1 << 3;
        if (size < 16 || !BitOperations.IsPow2(size) || (!isWide && size > 1u << 31))
            throw new ArgumentOutOfRangeException(nameof(size));
        var mask = ~(size - 1);
        Define(FirstBar + 4 * index, 4, (isWide ? wideType : 0) | (isPrefetchable ? prefetchable : 0), writable: (uint)mask);
        if (isWide)
            Define(FirstBar + 4 * index + 4, 4, 0, writable: (uint)(mask >> 32));
        _bars[index] = new Bar(size, IsPorts: false, isWide, address => bus.Map(address, size, device), address => bus.Unmap(address, size, device));
    }

    private void UpdateBars()
    {
        for (var i = 0; i < BarCount; i++)
        {
            if (_bars[i] is not { } bar || DecodedAddress(i, bar) is var address && address == bar.Address)
                continue;
            if (bar.Address is { } old)
                bar.Unmap(old);
            bar.Address = address;
            if (address is { } now)
                bar.Map(now);
        }
    }

    // Address 0 is what a register has before it is set. All ones, at the end of the address space, are written to learn the size.
    private ulong? DecodedAddress(int index, Bar bar)
    {
        if ((Command & (bar.IsPorts ? CommandPorts : CommandMemory)) == 0)
            return null;
        ulong address = Register(FirstBar + 4 * index, 4);
        if (bar.IsWide)
            address |= (ulong)Register(FirstBar + 4 * index + 4, 4) << 32;
        address &= ~(bar.Size - 1);
        var last = address + (bar.Size - 1);
        var isOutside = bar.IsPorts ? last > ushort.MaxValue : bar.IsWide ? last == ulong.MaxValue : last == uint.MaxValue;
        return address == 0 || isOutside ? null : address;
    }

    private sealed record Bar(ulong Size, bool IsPorts, bool IsWide, Action<ulong> Map, Action<ulong> Unmap)
    {
        public ulong? Address { get; set; }
    }
}
