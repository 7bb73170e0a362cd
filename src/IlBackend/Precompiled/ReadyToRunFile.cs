using System.Buffers.Binary;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>An assembly file with code compiled ahead of time, as crossgen2 writes it (ReadyToRun; dotnet/runtime, docs/design/coreclr/botr/readytorun-format.md).</summary>
internal sealed class ReadyToRunFile : IDisposable
{
    private const uint Signature = 0x00525452;
    private const int HeaderSize = 16;
    private const int SectionSize = 12;
    private const uint MethodEntryPoints = 103;

    // MethodImplAttributes.AggressiveOptimization, in the second byte of ImplFlags, which follow 4 bytes of RVA.
    private const int OptimisedByte = 5;
    private const byte OptimisedBit = 0x02;

    private readonly byte[] _bytes;
    private readonly PEReader _pe;
    private readonly MetadataReader _metadata;
    private readonly int _entryPoints;

    /// <summary>Reads a file.</summary>
    /// <exception cref="BadImageFormatException">It is no such file.</exception>
    public ReadyToRunFile(byte[] bytes)
    {
        _bytes = bytes;
        _pe = new PEReader(System.Runtime.InteropServices.ImmutableCollectionsMarshal.AsImmutableArray(bytes));
        _metadata = _pe.GetMetadataReader();
        _entryPoints = FindSection(MethodEntryPoints);
    }

    /// <summary>Rows of methods by name. Names that several have are there once.</summary>
    public Dictionary<string, int> MethodRows()
    {
        var rows = new Dictionary<string, int>();
        foreach (var handle in _metadata.MethodDefinitions)
            rows[_metadata.GetString(_metadata.GetMethodDefinition(handle).Name)] = MetadataTokens.GetRowNumber(handle);
        return rows;
    }

    /// <summary>True when the file has code of a method.</summary>
    public bool HasCode(int row) => _entryPoints >= 0 && IsInArray(_entryPoints, (uint)row - 1);

    /// <summary>
    /// Marks a method as one that is optimised at once, so that the runtime takes its code for final. crossgen2 leaves out methods that are
    /// marked before.
    /// </summary>
    public void MarkOptimised(int row)
    {
        var at = _pe.PEHeaders.MetadataStartOffset + _metadata.GetTableMetadataOffset(TableIndex.MethodDef)
            + ((row - 1) * _metadata.GetTableRowSize(TableIndex.MethodDef));
        _bytes[at + OptimisedByte] |= OptimisedBit;
    }

    /// <inheritdoc/>
    public void Dispose() => _pe.Dispose();

    private int FindSection(uint type)
    {
        if (_pe.PEHeaders.CorHeader is not { } cor || !_pe.PEHeaders.TryGetDirectoryOffset(cor.ManagedNativeHeaderDirectory, out var header))
            throw new BadImageFormatException("no code compiled ahead of time");
        if (UInt32At(header) != Signature)
            throw new BadImageFormatException("the header of code compiled ahead of time is unknown");
        for (var i = 0; i < UInt32At(header + 12); i++)
        {
            var section = header + HeaderSize + (i * SectionSize);
            if (UInt32At(section) == type && _pe.PEHeaders.TryGetDirectoryOffset(new DirectoryEntry((int)UInt32At(section + 4), (int)UInt32At(section + 8)), out var offset))
                return offset;
        }

        return -1;
    }

    // A sparse array of the format: blocks of 16 elements, each a binary tree.
    private bool IsInArray(int array, uint index)
    {
        var header = Number(array, out var start);
        if (index >= header >> 2)
            return false;
        var at = start + (int)((header & 3) switch
        {
            0 => _bytes[start + (index / 16)],
            1 => BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan(start + (int)(index / 16 * 2))),
            _ => UInt32At(start + (int)(index / 16 * 4)),
        });
        for (var bit = 8u; bit > 0; bit >>= 1)
        {
            var node = Number(at, out var next);
            if ((index & bit) != 0 && (node & 2) != 0)
                at += (int)(node >> 2);
            else if ((index & bit) == 0 && (node & 1) != 0)
                at = next;
            else
                return (node & 3) == 0 && node >> 2 == (index & 15);
        }

        return true;
    }

    // A number of the format: the low bits of the first byte say how many bytes it has.
    private uint Number(int at, out int next)
    {
        var first = _bytes[at];
        if ((first & 1) == 0)
        {
            next = at + 1;
            return (uint)first >> 1;
        }

        if ((first & 2) == 0)
        {
            next = at + 2;
            return (first | ((uint)_bytes[at + 1] << 8)) >> 2;
        }

        if ((first & 4) == 0)
        {
            next = at + 3;
            return (first | ((uint)_bytes[at + 1] << 8) | ((uint)_bytes[at + 2] << 16)) >> 3;
        }

        if ((first & 8) == 0)
        {
            next = at + 4;
            return UInt32At(at) >> 4;
        }

        next = at + 5;
        return UInt32At(at + 1);
    }

    private uint UInt32At(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(offset));
}
