using DynaTrans.Disks.Host;
using DynaTrans.Disks.Qcow2;

namespace DynaTrans.Disks;

/// <summary>An image that is the bytes of the disk.</summary>
internal sealed class RawImage : DiskImage
{
    private readonly HostFile _file;
    private readonly bool _isGuessed;
    private long _length;

    /// <summary>Takes an open file, which becomes this one's.</summary>
    /// <param name="file">The file.</param>
    /// <param name="isGuessed">
    /// The format was not given. The guest must not make the image one of another format then: next time, its bytes would be believed.
    /// </param>
    public RawImage(HostFile file, bool isGuessed)
    {
        _file = file;
        _isGuessed = isGuessed;
        _length = file.Length;
    }

    /// <inheritdoc/>
    public override string Path => _file.Path;

    /// <inheritdoc/>
    public override DiskFormat Format => DiskFormat.Raw;

    /// <inheritdoc/>
    public override long Length => _length;

    /// <inheritdoc/>
    public override bool IsReadOnly => !_file.IsWritable;

    /// <inheritdoc/>
    public override long FileLength => _length;

    /// <inheritdoc/>
    protected override void ReadCore(long offset, Span<byte> buffer) => _file.Read(offset, buffer);

    /// <inheritdoc/>
    protected override void WriteCore(long offset, ReadOnlySpan<byte> data)
    {
        if (_isGuessed && offset < Qcow2Header.MagicLength && !data.IsEmpty)
        {
            Span<byte> start = stackalloc byte[Qcow2Header.MagicLength];
            _file.Read(0, start);
            data[..Math.Min(data.Length, start.Length - (int)offset)].CopyTo(start[(int)offset..]);
            if (Qcow2Header.HasMagic(start))
                throw _file.Failure("the disk would begin like a qcow2 image; give the format raw to allow that");
        }

        _file.Write(offset, data);
    }

    /// <inheritdoc/>
    protected override void WriteZeroesCore(long offset, long count)
    {
        if (count > 0 && !_file.TryPunchHole(offset, count))
            _file.WriteZeroes(offset, count);
    }

    /// <inheritdoc/>
    protected override void DiscardCore(long offset, long count)
    {
        if (count > 0)
            _file.TryPunchHole(offset, count);
    }

    /// <inheritdoc/>
    protected override void FlushCore() => _file.Flush();

    /// <inheritdoc/>
    protected override void ResizeCore(long length)
    {
        _file.SetLength(length);
        _length = length;
    }

    /// <inheritdoc/>
    protected override (bool IsZero, long Length) ExtentCore(long offset) => _file.Extent(offset, _length);

    /// <inheritdoc/>
    protected override void CloseCore() => _file.Flush();

    /// <inheritdoc/>
    protected override void Release() => _file.Dispose();
}
