using System.Buffers.Binary;
using System.Text;
using Xunit;

namespace DynaTrans.Devices.Tests;

/// <summary>The firmware configuration device against its documentation.</summary>
public sealed class FwCfgTests
{
    private const uint Read = 2;
    private const uint Skip = 4;
    private const uint Select = 8;
    private const uint Write = 16;
    private const ulong Request = 0x100;

    private readonly TestMemory _memory = new(0x10000);
    private readonly PortBus _ports = new();
    private readonly FwCfg _device;

    public FwCfgTests()
    {
        _device = new FwCfg(_memory);
        _ports.Map(FwCfg.SelectorPort, FwCfg.PortCount, _device);
    }

    [Fact]
    public void SignatureAndFeatures()
    {
        Assert.Equal("QEMU"u8, Item(0, 4));
        Assert.Equal([3, 0, 0, 0, 0], Item(1, 5));
        Assert.Equal(BinaryPrimitives.ReadUInt32LittleEndian("QEMU"u8), _ports.Read(0x514, 4));
        Assert.Equal(BinaryPrimitives.ReadUInt32LittleEndian(" CFG"u8), _ports.Read(0x518, 4));
        var withoutDma = new FwCfg(null);
        withoutDma.Write(0x510, 2, 1);
        Assert.Equal(1u, withoutDma.Read(0x511, 1));
        Assert.Equal(uint.MaxValue, withoutDma.Read(0x514, 4));
        withoutDma.Write(0x518, 4, 0);
    }

    [Fact]
    public void NumberedItemsAreLittleEndian()
    {
        _device.Set(FwCfgKey.RamSize, 0x1_2345_6789, 8);
        _device.Set(FwCfgKey.ProcessorCount, 1, 2);
        _device.Set(FwCfgKey.CommandLineData, "quiet");
        Assert.Equal([0x89, 0x67, 0x45, 0x23, 1, 0, 0, 0, 0], Item(3, 9));
        Assert.Equal([1, 0, 0], Item(5, 3));
        Assert.Equal("quiet\0\0"u8, Item(0x15, 7));
        Assert.Equal([0, 0], Item(0x2222, 2));
    }

    [Fact]
    public void FilesAreInTheDirectory()
    {
        _device.AddFile("etc/a", [1, 2, 3]);
        _device.AddFile("opt/" + new string('x', 51), new byte[0x1234]);
        var directory = Item(0x19, 4 + 2 * 64);
        Assert.Equal(2, BinaryPrimitives.ReadInt32BigEndian(directory));
        Assert.Equal([0, 0, 0, 3, 0, 0x20, 0, 0], directory[4..12]);
        Assert.Equal("etc/a\0"u8, directory[12..18]);
        Assert.Equal([0, 0, 0x12, 0x34, 0, 0x21, 0, 0], directory[68..76]);
        Assert.Equal([1, 2, 3, 0], Item(0x20, 4));
        Assert.Throws<ArgumentException>(() => _device.AddFile("etc/a", []));
        Assert.Throws<ArgumentException>(() => _device.AddFile(new string('x', 56), []));
        Assert.Throws<ArgumentException>(() => _device.AddFile("", []));
        Assert.Throws<ArgumentException>(() => _device.AddFile("ä", []));
    }

    [Fact]
    public void MemoryMapHasEntriesOf20Bytes()
    {
        _device.AddMemoryMap([(0, 0xA_0000, 1), (0x1_0000_0000, 0x8000_0000, 2)]);
        Assert.Equal("etc/e820", _device.Files.Single());
        Assert.Equal(
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0A, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 2, 0, 0, 0],
            Item(0x20, 40));
    }

    [Fact]
    public void DmaReadsSkipsAndSelects()
    {
        _device.AddFile("etc/a", "abcdefgh"u8.ToArray());
        Assert.Equal(0u, Dma(0x20 << 16 | Select | Read, 3, 0x2000));
        Assert.Equal("abc\0"u8, _memory.Bytes.AsSpan(0x2000, 4));
        Assert.Equal(0u, Dma(Skip, 2, 0));
        Assert.Equal((uint)'f', _ports.Read(0x511, 1));
        _memory.Bytes.AsSpan(0x2000, 8).Fill(0xEE);
        Assert.Equal(0u, Dma(Read, 6, 0x2000));
        Assert.Equal("gh\0\0\0\0\xEE\xEE", Encoding.Latin1.GetString(_memory.Bytes, 0x2000, 8));
        Assert.Equal(0u, Dma(Read, 3, 0x2000));
        Assert.Equal([0, 0, 0], _memory.Bytes[0x2000..0x2003]);
        Assert.Equal(0u, Dma(0x20 << 16 | Select, 100, 0));
        Assert.Equal((uint)'a', _ports.Read(0x511, 1));
        Assert.Equal(0u, Dma(Skip, uint.MaxValue, 0));
        Assert.Equal(0u, Dma(Skip, uint.MaxValue, 0));
        Assert.Equal(0u, _ports.Read(0x511, 1));
    }

    [Fact]
    public void OnlyWritableFilesAreWritten()
    {
        byte[] readOnly = [1, 2, 3, 4];
        byte[] writable = [1, 2, 3, 4];
        var writes = 0;
        _device.AddFile("etc/a", readOnly);
        _device.AddFile("etc/b", writable, () => writes++);
        "wxyz"u8.CopyTo(_memory.Bytes.AsSpan(0x2000));
        Assert.Equal(1u, Dma(0x20 << 16 | Select | Write, 4, 0x2000));
        Assert.Equal([1, 2, 3, 4], readOnly);
        Assert.Equal(1u, Dma(0x21 << 16 | Select | Write, 5, 0x2000));
        Assert.Equal(0, writes);
        Assert.Equal(0u, Dma(0x4021 << 16 | Select | Write, 3, 0x2000));
        Assert.Equal("wxy\x04"u8, writable);
        Assert.Equal(1u, Dma(Write, 2, 0x2000));
        Assert.Equal(1u, Dma(0x21 << 16 | Select | Write, 4, 0xFFFF));
        Assert.Equal(1, writes);
        Assert.Equal(1u, Dma(0x0001 << 16 | Select | Write, 1, 0x2000));
    }

    [Fact]
    public void DmaOutsideOfMemoryIsAnError()
    {
        _device.AddFile("etc/a", new byte[100]);
        Assert.Equal(1u, Dma(0x20 << 16 | Select | Read, 100, 0xFFF0));
        Assert.Equal(1u, Dma(0x20 << 16 | Select | Read, 100, ulong.MaxValue - 10));
        Assert.Equal(1u, Dma(0x20 << 16 | Select | Read, uint.MaxValue, 0x1000));

        // Nor is there anywhere to tell of an error where the request itself is not in memory.
        Submit(0xFFFF_FFFF_FFFF_FFF8);
        Submit(0x10000 - 8);
    }

    [Fact]
    public void StateIsSavedWhole()
    {
        byte[] writable = [1, 2, 3, 4];
        _device.AddFile("etc/a", "abcd"u8.ToArray());
        _device.AddFile("etc/b", writable, () => { });
        Dma(0x21 << 16 | Select | Write, 1, 0x2000);
        _ports.Write(0x510, 2, 0x20);
        _ports.Read(0x511, 1);
        var other = new FwCfg(_memory);
        byte[] copy = [9, 9, 9, 9];
        other.AddFile("etc/a", "abcd"u8.ToArray());
        other.AddFile("etc/b", copy, () => { });
        States.Copy(_device, other);
        Assert.Equal((uint)'b', other.Read(0x511, 1));
        Assert.Equal([0, 2, 3, 4], copy);
    }

    private byte[] Item(ushort key, int count)
    {
        _ports.Write(0x510, 2, key);
        return [.. Enumerable.Range(0, count).Select(_ => (byte)_ports.Read(0x511, 1))];
    }

    // The control word after a request.
    private uint Dma(uint control, uint length, ulong address)
    {
        var request = _memory.Bytes.AsSpan((int)Request);
        BinaryPrimitives.WriteUInt32BigEndian(request, control);
        BinaryPrimitives.WriteUInt32BigEndian(request[4..], length);
        BinaryPrimitives.WriteUInt64BigEndian(request[8..], address);
        Submit(Request);
        return BinaryPrimitives.ReadUInt32BigEndian(request);
    }

    private void Submit(ulong address)
    {
        _ports.Write(0x514, 4, BinaryPrimitives.ReverseEndianness((uint)(address >> 32)));
        _ports.Write(0x518, 4, BinaryPrimitives.ReverseEndianness((uint)address));
    }
}
