namespace DynaTrans.Devices.Storage;

/// <summary>
/// What a drive keeps its data on. Offsets and lengths are in bytes; the drive asks for nothing beyond <see cref="Length"/>. Called by one thread at a time,
/// not always the same. False is the answer to any failure of the host's; none is an exception.
/// </summary>
public interface IBlockMedium
{
    /// <summary>How many bytes there are.</summary>
    long Length { get; }

    /// <summary>Whether writes are refused.</summary>
    bool IsReadOnly { get; }

    /// <summary>Reads bytes.</summary>
    bool TryRead(long offset, Span<byte> to);

    /// <summary>Writes bytes. They may be lost by a failure of the host's power until <see cref="TryFlush"/>.</summary>
    bool TryWrite(long offset, ReadOnlySpan<byte> from);

    /// <summary>Returns when all that was written is safe.</summary>
    bool TryFlush();

    /// <summary>The bytes are no longer needed: they read as before or as zeros, until they are written.</summary>
    bool TryDiscard(long offset, long length);
}
