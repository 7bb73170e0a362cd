using System.Buffers.Binary;

namespace DynaTrans.Pc.Boot;

/// <summary>The bytes of a file that a machine is started with. Every read is checked: what lies outside is an error of the file.</summary>
/// <param name="name">The file's name, for messages.</param>
/// <param name="bytes">Its contents.</param>
public readonly struct ImageBytes(string name, ReadOnlyMemory<byte> bytes)
{
    // Nothing that is started directly is larger; initial RAM disks may be.
    private const long LargestFile = int.MaxValue;

    /// <summary>The file's name.</summary>
    public string Name { get; } = name;

    /// <summary>The contents.</summary>
    public ReadOnlyMemory<byte> Bytes { get; } = bytes;

    /// <summary>Bytes in the file.</summary>
    public int Length => Bytes.Length;

    /// <summary>Reads a whole file.</summary>
    /// <exception cref="BootException">It cannot be read, or is empty.</exception>
    public static ImageBytes Read(string path)
    {
        try
        {
            using var file = File.OpenRead(path);

            // A device or a pipe has no length to trust.
            using var contents = new MemoryStream(file.CanSeek ? (int)Math.Min(file.Length, LargestFile) : 0);
            var buffer = new byte[1 << 16];
            for (int count; (count = file.Read(buffer)) > 0;)
            {
                if (contents.Length + count > LargestFile)
                    throw new BootException($"{path}: the file is too large");
                contents.Write(buffer, 0, count);
            }

            return contents.Length > 0
                ? new ImageBytes(path, contents.GetBuffer().AsMemory(0, (int)contents.Length))
                : throw new BootException($"{path}: the file is empty");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException or OutOfMemoryException)
        {
            throw new BootException(e is FileNotFoundException or DirectoryNotFoundException ? $"{path}: no such file" : $"{path}: {e.Message}");
        }
    }

    /// <summary>A part of the file.</summary>
    /// <param name="offset">Its first byte.</param>
    /// <param name="length">Its bytes.</param>
    /// <param name="what">What it is, for the message.</param>
    /// <exception cref="BootException">It is not inside the file.</exception>
    public ReadOnlyMemory<byte> Slice(ulong offset, ulong length, string what) =>
        offset <= (ulong)Length && length <= (ulong)Length - offset
            ? Bytes.Slice((int)offset, (int)length)
            : throw Damaged($"{what} (offset {offset}, {length} bytes) lies outside the file of {Length} bytes");

    /// <summary>True when the file has all bytes of a range.</summary>
    public bool Has(ulong offset, ulong length) => offset <= (ulong)Length && length <= (ulong)Length - offset;

    /// <summary>One byte.</summary>
    /// <exception cref="BootException">It is not inside the file.</exception>
    public byte U8(ulong offset) => Slice(offset, 1, "a field").Span[0];

    /// <summary>A 16-bit field, little-endian.</summary>
    /// <exception cref="BootException">It is not inside the file.</exception>
    public ushort U16(ulong offset) => BinaryPrimitives.ReadUInt16LittleEndian(Slice(offset, 2, "a field").Span);

    /// <summary>A 32-bit field, little-endian.</summary>
    /// <exception cref="BootException">It is not inside the file.</exception>
    public uint U32(ulong offset) => BinaryPrimitives.ReadUInt32LittleEndian(Slice(offset, 4, "a field").Span);

    /// <summary>A 64-bit field, little-endian.</summary>
    /// <exception cref="BootException">It is not inside the file.</exception>
    public ulong U64(ulong offset) => BinaryPrimitives.ReadUInt64LittleEndian(Slice(offset, 8, "a field").Span);

    /// <summary>An exception that says what is wrong with the file.</summary>
    public BootException Damaged(string what) => new($"{Name}: {what}");
}
