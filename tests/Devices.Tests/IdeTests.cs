using System.Buffers.Binary;
using DynaTrans.Devices.Pci;
using DynaTrans.Devices.Storage;
using Xunit;

namespace DynaTrans.Devices.Tests;

/// <summary>A disk at the first IDE channel, by ATA/ATAPI-6 and the bus master specification; and a hostile driver.</summary>
public sealed class IdeTests
{
    private const int Sectors = 2048;

    private readonly MemoryMedium _medium = new(Sectors * 512);
    private readonly PortBus _ports = new();
    private readonly TestMemory _memory = new(0x40000);
    private readonly InterruptLine _line = Chips.Line();
    private readonly Piix3Ide _ide;

    public IdeTests()
    {
        new Random(1).NextBytes(_medium.Bytes);
        _ide = new Piix3Ide(new PciBus(), _ports, _memory, _line, Chips.Line(), [new AtaDrive(new BlockQueue(_medium, null), "1")]);
        _ide.EnableChannels(0xC000);
    }

    [Fact]
    public void IdentifyAndRead()
    {
        Command(0xEC, 0, 0);
        var words = Read(256);
        Assert.Equal(Sectors, words[60] | words[61] << 16);
        Assert.True(_line.Level);
        Assert.Equal(0x50, _ports.In(0x1F7));
        Assert.False(_line.Level);
        Command(0x20, 7, 2);
        Assert.Equal(_medium.Bytes[(7 * 512)..(9 * 512)], Bytes(Read(512)));
        Command(0x20, Sectors - 1, 2);
        Assert.Equal(0x51, _ports.In(0x1F7));
        Assert.Equal(0x10, _ports.In(0x1F1));
    }

    [Fact]
    public void WriteSectors()
    {
        Command(0x30, 3, 2);
        for (var i = 0; i < 512; i++)
            _ports.Write(0x1F0, 2, (uint)i);
        Assert.Equal(0x50, _ports.In(0x1F7));
        Assert.Equal(511, BinaryPrimitives.ReadUInt16LittleEndian(_medium.Bytes.AsSpan(5 * 512 - 2)));
    }

    [Fact]
    public void DmaByRegions()
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_memory.Bytes.AsSpan(0x100), 0x2000 | 512ul << 32);
        BinaryPrimitives.WriteUInt64LittleEndian(_memory.Bytes.AsSpan(0x108), 0x3000 | (0x8000_0000ul | 512) << 32);
        _ports.Write(0xC004, 4, 0x100);
        Command(0xC8, 20, 2);
        _ports.Out(0xC000, 9);
        Assert.Equal(4, _ports.In(0xC002));
        Assert.True(_line.Level);
        Assert.Equal(_medium.Bytes[(21 * 512)..(22 * 512)], _memory.Bytes[0x3000..0x3200]);
    }

    [Fact]
    public void HostileDriver()
    {
        var random = new Random(5);
        for (var i = 0; i < 200_000; i++)
        {
            var port = (ushort)(random.Next(3) switch { 0 => 0xC000 + random.Next(16), 1 => 0x3F6, _ => 0x1F0 + random.Next(8) });
            if (port == 0x3F6 && random.Next(20) != 0)
                continue;
            if (random.Next(3) == 0)
                _ports.Read(port, 1 << random.Next(3));
            else
                _ports.Write(port, 1 << random.Next(3), (uint)random.Next());
            _memory.Bytes[random.Next(0x1000)] = (byte)random.Next();
        }
    }

    private void Command(int command, int lba, int count)
    {
        _ports.Out(0x1F6, 0xE0);
        _ports.Out(0x1F2, count);
        _ports.Out(0x1F3, lba);
        _ports.Out(0x1F4, lba >> 8);
        _ports.Out(0x1F5, 0);
        _ports.Out(0x1F7, command);
    }

    private ushort[] Read(int words) => [.. Enumerable.Range(0, words).Select(_ => (ushort)_ports.Read(0x1F0, 2))];

    private static byte[] Bytes(ushort[] words) => [.. words.SelectMany(BitConverter.GetBytes)];

    private sealed class MemoryMedium(int size) : IBlockMedium
    {
        public byte[] Bytes { get; } = new byte[size];

        public long Length => Bytes.Length;

        public bool IsReadOnly => false;

        public bool TryRead(long offset, Span<byte> to) => Bytes.AsSpan((int)offset, to.Length).TryCopyTo(to);

        public bool TryWrite(long offset, ReadOnlySpan<byte> from) => from.TryCopyTo(Bytes.AsSpan((int)offset));

        public bool TryFlush() => true;

        public bool TryDiscard(long offset, long length) => true;
    }
}
