using Xunit;

namespace DynaTrans.Devices.Tests;

public sealed class BusTests
{
    private sealed class Ports(uint value) : IPortDevice
    {
        public readonly List<(ushort Port, int Size, uint Value)> Writes = [];

        public uint Read(ushort port, int size) => value;

        public void Write(ushort port, int size, uint written) => Writes.Add((port, size, written));
    }

    private sealed class Registers(ulong value) : IMemoryDevice
    {
        public readonly List<(ulong Offset, int Size, ulong Value)> Writes = [];

        public ulong Read(ulong offset, int size) => value + offset;

        public void Write(ulong offset, int size, ulong written) => Writes.Add((offset, size, written));
    }

    [Fact]
    public void PortsWithoutDeviceReadOnes()
    {
        var bus = new PortBus();
        Assert.Equal(0xFFu, bus.Read(0x80, 1));
        Assert.Equal(0xFFFFu, bus.Read(0xFFFF, 2));
        Assert.Equal(0xFFFF_FFFFu, bus.Read(0xFFFE, 4));
        bus.Write(0xFFFF, 4, 0);
    }

    [Fact]
    public void AccessesThatLeaveADeviceAreSplit()
    {
        var bus = new PortBus();
        var low = new Ports(0x1234_5678);
        var high = new Ports(0xAB);
        bus.Map(0x10, 4, low);
        bus.Map(0x14, 1, high);
        Assert.Equal(0x5678u, bus.Read(0x10, 2));
        Assert.Equal(0xFFFF_AB78u, bus.Read(0x13, 4));
        bus.Write(0x10, 4, 0xDDCC_BBAA);
        bus.Write(0x13, 2, 0x2211);
        Assert.Equal([(0x10, 4, 0xDDCC_BBAA), (0x13, 1, 0x11u)], low.Writes);
        Assert.Equal([(0x14, 1, 0x22u)], high.Writes);
    }

    [Fact]
    public void UnmappingShowsWhatWasHidden()
    {
        var bus = new PortBus();
        Ports below = new(1), above = new(2);
        bus.Map(0x10, 8, below);
        bus.Map(0x14, 8, above);
        Assert.Equal(2u, bus.Read(0x14, 1));
        Assert.True(bus.Unmap(0x14, 8, above));
        Assert.False(bus.Unmap(0x14, 8, above));
        Assert.Equal(1u, bus.Read(0x14, 1));
        Assert.Equal(0xFFu, bus.Read(0x18, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => bus.Map(0xFFFF, 2, above));
        Assert.Throws<ArgumentOutOfRangeException>(() => bus.Map(0, 0, above));
    }

    [Fact]
    public void MemoryDevicesHideEachOther()
    {
        var bus = new MemoryBus();
        Registers below = new(0x100), above = new(0x200);
        bus.Map(0x1000, 0x100, below);
        bus.Map(0x1040, 0x40, above);
        Assert.Equal(0x003FUL, bus.Read(0x103F, 2));    // 3F of the one, 00 of the other
        Assert.Equal(0x200UL, bus.Read(0x1040, 2));
        Assert.Equal(0x180UL, bus.Read(0x1080, 2));
        Assert.True(bus.Unmap(0x1040, 0x40, above));
        Assert.Equal(0x140UL, bus.Read(0x1040, 2));
        Assert.Equal(0xFFFF_FFFFUL, bus.Read(0xFFC, 4));
        Assert.Equal(0x00FF_FFFFUL, bus.Read(0xFFD, 4));
        bus.Write(0x10FF, 2, 0x1234);
        Assert.Equal([(0xFFUL, 1, 0x34UL)], below.Writes);
        bus.Map(ulong.MaxValue - 7, 8, above);
        Assert.Equal(0x200UL, bus.Read(ulong.MaxValue - 7, 8));
        Assert.Throws<ArgumentOutOfRangeException>(() => bus.Map(ulong.MaxValue, 2, above));
    }
}
