using DynaTrans.Disks.Host;
using DynaTrans.Disks.Qcow2;

namespace DynaTrans.Disks;

/// <summary>
/// A disk image: bytes at positions, whatever the file looks like. All members may be called from any thread; calls are served one after the other.
/// Writes are durable when <see cref="Flush"/> has returned. Any member throws <see cref="DiskImageException"/> when the file is malformed or the host
/// reports an error, and <see cref="ArgumentOutOfRangeException"/> for positions outside of the disk.
/// </summary>
public abstract class DiskImage : IDisposable
{
    private readonly Lock _gate = new();
    private bool _isClosed;

    /// <summary>The image's file name.</summary>
    public abstract string Path { get; }

    /// <summary>The image's format.</summary>
    public abstract DiskFormat Format { get; }

    /// <summary>The length of the disk in bytes.</summary>
    public abstract long Length { get; }

    /// <summary>True when nothing can be written.</summary>
    public abstract bool IsReadOnly { get; }

    /// <summary>The room that the image's file has taken, up to its end, in bytes.</summary>
    public abstract long FileLength { get; }

    /// <summary>The image that has what this one does not have, or null.</summary>
    public virtual DiskImage? Backing => null;

    /// <summary>What else is to be said about the image: names and values, for people.</summary>
    public virtual IReadOnlyList<(string Name, string Value)> Properties => [];

    /// <summary>The internal snapshots.</summary>
    public virtual IReadOnlyList<DiskSnapshot> Snapshots => [];

    /// <summary>Opens an image and locks it: any number of readers, or one writer.</summary>
    /// <exception cref="DiskImageException">It is missing, locked, malformed, or needs a backing file that is not allowed.</exception>
    public static DiskImage Open(string path, DiskOpenOptions? options = null) => BackingChain.Open(path, options ?? new DiskOpenOptions());

    /// <summary>Makes a file with an image of a disk of zeroes, and opens it.</summary>
    /// <param name="path">The file's name.</param>
    /// <param name="length">The length of the disk in bytes.</param>
    /// <param name="format">The format.</param>
    /// <param name="options">More about a qcow2 image; of a raw one, only <see cref="Qcow2CreateOptions.Replaces"/> matters.</param>
    /// <param name="allowedBacking">See <see cref="DiskOpenOptions.AllowedBacking"/>.</param>
    public static DiskImage Create(string path, long length, DiskFormat format, Qcow2CreateOptions? options = null, IReadOnlyList<string>? allowedBacking = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        options ??= new Qcow2CreateOptions();
        if (format == DiskFormat.Qcow2)
            return Qcow2Creator.Create(path, length, options, new DiskOpenOptions { AllowedBacking = allowedBacking ?? [] });
        if (options.BackingName != null)
            throw new DiskImageException($"{path}: a raw image has no backing file");
        var image = new RawImage(HostFile.Create(path, options.Replaces), isGuessed: false);
        try
        {
            image.Resize(length);
            return image;
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    /// <summary>Makes an internal snapshot.</summary>
    /// <param name="name">Its name, 1 to 255 bytes.</param>
    /// <param name="date">When it is made.</param>
    public virtual DiskSnapshot CreateSnapshot(string name, DateTimeOffset date) => throw NoSnapshots();

    /// <summary>Makes the disk what it was when a snapshot was made. What it is now is lost.</summary>
    /// <param name="idOrName">The snapshot's name or number.</param>
    public virtual void ApplySnapshot(string idOrName) => throw NoSnapshots();

    /// <summary>Removes a snapshot.</summary>
    /// <param name="idOrName">The snapshot's name or number.</param>
    public virtual void DeleteSnapshot(string idOrName) => throw NoSnapshots();

    /// <summary>Reads.</summary>
    /// <param name="offset">The first byte's position.</param>
    /// <param name="buffer">Filled wholly.</param>
    public void Read(long offset, Span<byte> buffer)
    {
        lock (_gate)
        {
            Require(offset, buffer.Length, writes: false);
            ReadCore(offset, buffer);
        }
    }

    /// <summary>Writes.</summary>
    /// <param name="offset">The first byte's position.</param>
    /// <param name="data">The bytes.</param>
    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        lock (_gate)
        {
            Require(offset, data.Length, writes: true);
            WriteCore(offset, data);
        }
    }

    /// <summary>Makes bytes zero, if possible without storing them.</summary>
    /// <param name="offset">The first byte's position.</param>
    /// <param name="count">How many.</param>
    public void WriteZeroes(long offset, long count)
    {
        lock (_gate)
        {
            Require(offset, count, writes: true);
            WriteZeroesCore(offset, count);
        }
    }

    /// <summary>Says that bytes are no longer needed: their room may be given back, they are zero or unchanged then.</summary>
    /// <param name="offset">The first byte's position.</param>
    /// <param name="count">How many.</param>
    public void Discard(long offset, long count)
    {
        lock (_gate)
        {
            Require(offset, count, writes: true);
            DiscardCore(offset, count);
        }
    }

    /// <summary>Returns when everything that was written is on the host's medium.</summary>
    public void Flush()
    {
        lock (_gate)
        {
            Require(0, 0, writes: false);
            if (!IsReadOnly)
                FlushCore();
        }
    }

    /// <summary>Changes the length of the disk; new bytes are zero, what lies behind the new end is lost.</summary>
    /// <param name="length">The new length in bytes, not negative.</param>
    public void Resize(long length)
    {
        lock (_gate)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(length);
            Require(0, 0, writes: true);
            ResizeCore(length);
        }
    }

    /// <summary>What is known about the bytes from a position on without reading them.</summary>
    /// <param name="offset">A position on the disk.</param>
    /// <returns>True when they are known to be zero; and for how many bytes, at least 1, this is so.</returns>
    public (bool IsZero, long Length) Extent(long offset)
    {
        lock (_gate)
        {
            Require(offset, 1, writes: false);
            return ExtentCore(offset);
        }
    }

    /// <summary>Flushes, and closes the file. Throws when the flush fails; the file is closed in any case.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_isClosed)
                return;
            _isClosed = true;
            try
            {
                if (!IsReadOnly)
                    CloseCore();
            }
            finally
            {
                Release();
                Backing?.Dispose();
            }
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>Runs something that no other call may overlap.</summary>
    private protected T Exclusively<T>(bool writes, Func<T> action)
    {
        lock (_gate)
        {
            Require(0, 0, writes);
            return action();
        }
    }

    /// <summary>See <see cref="Read"/>.</summary>
    protected abstract void ReadCore(long offset, Span<byte> buffer);

    /// <summary>See <see cref="Write"/>.</summary>
    protected abstract void WriteCore(long offset, ReadOnlySpan<byte> data);

    /// <summary>See <see cref="WriteZeroes"/>.</summary>
    protected abstract void WriteZeroesCore(long offset, long count);

    /// <summary>See <see cref="Discard"/>.</summary>
    protected abstract void DiscardCore(long offset, long count);

    /// <summary>See <see cref="Flush"/>.</summary>
    protected abstract void FlushCore();

    /// <summary>See <see cref="Resize"/>.</summary>
    protected abstract void ResizeCore(long length);

    /// <summary>See <see cref="Extent"/>.</summary>
    protected abstract (bool IsZero, long Length) ExtentCore(long offset);

    /// <summary>The last flush before the file is closed.</summary>
    protected abstract void CloseCore();

    /// <summary>Closes the file.</summary>
    protected abstract void Release();

    private DiskImageException NoSnapshots() => new($"{Path}: only qcow2 images have snapshots");

    private void Require(long offset, long count, bool writes)
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Length - Math.Min(offset, Length), nameof(offset));
        if (writes && IsReadOnly)
            throw new DiskImageException($"{Path}: opened read-only");
    }
}
