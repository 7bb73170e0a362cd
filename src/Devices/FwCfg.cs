using System.Buffers.Binary;
using System.Text;

namespace DynaTrans.Devices;

/// <summary>
/// The firmware configuration device of QEMU's PCs (QEMU documentation, specs/fw_cfg): items of bytes behind a selector and a data port, and by DMA.
/// Firmware and Linux know it. Items are added before the machine starts.
/// </summary>
/// <param name="memory">What DMA goes to; null: there is no DMA.</param>
public sealed class FwCfg(IDmaMemory? memory) : IPortDevice, IStatefulDevice
{
    /// <summary>The first port: the selector.</summary>
    public const ushort SelectorPort = 0x510;

    /// <summary>The number of ports.</summary>
    public const int PortCount = 12;

    /// <summary>Most bytes of a file's name.</summary>
    public const int LongestName = 55;

    private const ushort DataPort = 0x511;
    private const ushort DmaHighPort = 0x514;
    private const ushort DmaLowPort = 0x518;

    private const ushort Signature = 0x0000;
    private const ushort Features = 0x0001;
    private const ushort Directory = 0x0019;
    private const ushort FirstFile = 0x0020;
    private const int MostFiles = 0x1000;
    private const int DirectoryEntrySize = 64;

    // Bit 14 of a selector asks for writing.
    private const ushort KeyBits = 0xBFFF;

    private const uint FeatureTraditional = 1;
    private const uint FeatureDma = 2;

    private const uint DmaError = 1 << 0;
    private const uint DmaRead = 1 << 1;
    private const uint DmaSkip = 1 << 2;
    private const uint DmaSelect = 1 << 3;
    private const uint DmaWrite = 1 << 4;

    private static readonly byte[] DmaSignature = "QEMU CFG"u8.ToArray();
    private static readonly byte[] Zeros = new byte[4096];

    private readonly Dictionary<ushort, Item> _items = new()
    {
        [Signature] = new Item("QEMU"u8.ToArray()),
        [Features] = new Item(Little(FeatureTraditional | (memory is null ? 0 : FeatureDma), 4)),
        [Directory] = new Item(new byte[4]),
    };

    private readonly List<(string Name, ushort Key)> _files = [];
    private ushort _selected;
    private long _offset;
    private uint _dmaHigh;

    /// <inheritdoc/>
    public string Name => "fw-cfg";

    /// <inheritdoc/>
    public int Version => 1;

    /// <summary>The names of the files, in the order of the directory.</summary>
    public IEnumerable<string> Files => _files.Select(f => f.Name);

    /// <summary>Sets an item that has a number of its own.</summary>
    public void Set(FwCfgKey key, byte[] content) => _items[(ushort)key] = new Item(content);

    /// <summary>Sets an item that has a number of its own to an integer.</summary>
    /// <param name="key">Which.</param>
    /// <param name="value">The value.</param>
    /// <param name="size">2, 4 or 8 bytes, little-endian.</param>
    public void Set(FwCfgKey key, ulong value, int size) => Set(key, Little(value, size));

    /// <summary>Sets an item that has a number of its own to text with a zero after it.</summary>
    public void Set(FwCfgKey key, string text) => Set(key, [.. Encoding.UTF8.GetBytes(text), 0]);

    /// <summary>Adds a file.</summary>
    /// <param name="name">Its name, such as <c>etc/e820</c>: ASCII, at most <see cref="LongestName"/> characters.</param>
    /// <param name="content">Its content. A guest that writes changes these bytes.</param>
    /// <param name="written">Called after the guest has written to it by DMA; null makes the file read-only.</param>
    /// <exception cref="ArgumentException">The name cannot be, or there is such a file already.</exception>
    public void AddFile(string name, byte[] content, Action? written = null)
    {
        if (name.Length is 0 or > LongestName || !Ascii.IsValid(name))
            throw new ArgumentException($"'{name}' cannot be a file name", nameof(name));
        if (_files.Any(f => f.Name == name))
            throw new ArgumentException($"there is a file '{name}' already", nameof(name));
        if (_files.Count == MostFiles)
            throw new ArgumentException("there are too many files", nameof(name));
        var key = (ushort)(FirstFile + _files.Count);
        _files.Add((name, key));
        _items[key] = new Item(content, written);
        _items[Directory] = new Item(BuildDirectory());
    }

    /// <summary>Adds the file that tells firmware where memory is.</summary>
    /// <param name="ranges">Address, length and type of each range: 1 RAM, 2 reserved, and so on as in the BIOS function E820h.</param>
    public void AddMemoryMap(IEnumerable<(ulong First, ulong Length, uint Type)> ranges) =>
        AddFile("etc/e820", [.. ranges.SelectMany(r => (byte[])[.. Little(r.First, 8), .. Little(r.Length, 8), .. Little(r.Type, 4)])]);

    /// <summary>What a reset makes of the registers; items stay.</summary>
    public void Reset()
    {
        _selected = Signature;
        _offset = 0;
        _dmaHigh = 0;
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        var value = 0u;
        for (var i = 0; i < size; i++)
            value |= (uint)ReadByte(port + i) << (8 * i);
        return value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, int size, uint value)
    {
        switch (port, size)
        {
            case (SelectorPort, 2):
                Select((ushort)value);
                break;
            case (DmaHighPort, 4) when memory is not null:
                _dmaHigh = BinaryPrimitives.ReverseEndianness(value);
                break;
            case (DmaLowPort, 4) when memory is not null:
                Transfer(memory, (ulong)_dmaHigh << 32 | BinaryPrimitives.ReverseEndianness(value));
                _dmaHigh = 0;
                break;
        }
    }

    private void Select(ushort selector)
    {
        _selected = (ushort)(selector & KeyBits);
        _offset = 0;
    }

    private byte ReadByte(int port)
    {
        if (port == DataPort)
            return _items.TryGetValue(_selected, out var item) && _offset < item.Content.Length ? item.Content[_offset++] : (byte)0;
        return port is >= DmaHighPort and < DmaHighPort + 8 && memory is not null ? DmaSignature[port - DmaHighPort] : (byte)0xFF;
    }

    // The request is a structure in memory: control, length, address, all big-endian. Its control word tells the result: 0, or an error.
    private void Transfer(IDmaMemory dma, ulong request)
    {
        Span<byte> bytes = stackalloc byte[16];
        if (!dma.TryRead(request, bytes))
            return;
        var control = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        var length = BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]);
        var address = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        if ((control & DmaSelect) != 0)
            Select((ushort)(control >> 16));
        var isDone = true;
        if ((control & DmaRead) != 0)
            isDone = CopyToMemory(dma, address, length);
        else if ((control & DmaWrite) != 0)
            isDone = CopyFromMemory(dma, address, length);
        else if ((control & DmaSkip) != 0)
            Skip(length);
        Span<byte> result = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(result, isDone ? 0 : DmaError);
        dma.TryWrite(request, result);
    }

    // What an item does not have is read as zeros.
    private bool CopyToMemory(IDmaMemory dma, ulong address, uint length)
    {
        var content = _items.TryGetValue(_selected, out var item) ? item.Content : [];
        var available = (int)Math.Min(length, Math.Max(content.Length - _offset, 0));
        if (available > 0 && !dma.TryWrite(address, content.AsSpan((int)_offset, available)))
            return false;
        for (var done = (ulong)available; done < length;)
        {
            var chunk = (int)Math.Min(length - done, (ulong)Zeros.Length);
            if (!dma.TryWrite(address + done, Zeros.AsSpan(0, chunk)))
                return false;
            done += (ulong)chunk;
        }

        Skip(length);
        return true;
    }

    // Writing neither lengthens an item nor goes over its end.
    private bool CopyFromMemory(IDmaMemory dma, ulong address, uint length)
    {
        if (!_items.TryGetValue(_selected, out var item) || item.Written is not { } written || length > item.Content.Length - _offset)
            return false;
        if (!dma.TryRead(address, item.Content.AsSpan((int)_offset, (int)length)))
            return false;
        Skip(length);
        written();
        return true;
    }

    // Offsets beyond what any item has are all the same.
    private void Skip(uint length) => _offset = Math.Min(_offset + length, int.MaxValue);

    // A count, then for each file size, key and name, integers big-endian.
    private byte[] BuildDirectory()
    {
        var directory = new byte[4 + _files.Count * DirectoryEntrySize];
        BinaryPrimitives.WriteInt32BigEndian(directory, _files.Count);
        for (var i = 0; i < _files.Count; i++)
        {
            var entry = directory.AsSpan(4 + i * DirectoryEntrySize, DirectoryEntrySize);
            BinaryPrimitives.WriteInt32BigEndian(entry, _items[_files[i].Key].Content.Length);
            BinaryPrimitives.WriteUInt16BigEndian(entry[4..], _files[i].Key);
            Encoding.ASCII.GetBytes(_files[i].Name, entry[8..]);
        }

        return directory;
    }

    private static byte[] Little(ulong value, int size)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return bytes[..size];
    }

    /// <inheritdoc/>
    public void Save(StateWriter w)
    {
        w.WriteUInt16(_selected);
        w.WriteInt64(_offset);
        w.WriteUInt32(_dmaHigh);
        foreach (var (_, key) in _files)
            if (_items[key].Written is not null)
                w.WriteBytes(_items[key].Content);
    }

    /// <inheritdoc/>
    public void Load(StateReader r, int version)
    {
        _selected = (ushort)(r.ReadUInt16() & KeyBits);
        _offset = Math.Clamp(r.ReadInt64(), 0, int.MaxValue);
        _dmaHigh = r.ReadUInt32();
        foreach (var (_, key) in _files)
            if (_items[key].Written is not null)
                r.ReadBytes(_items[key].Content);
    }

    private sealed record Item(byte[] Content, Action? Written = null);
}
