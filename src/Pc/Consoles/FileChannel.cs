namespace DynaTrans.Pc.Consoles;

/// <summary>Output into a file; nothing ever comes from it.</summary>
public sealed class FileChannel : Channel
{
    private readonly FileStream _file;

    /// <summary>Makes the file, or empties it.</summary>
    /// <exception cref="BootException">It cannot be written.</exception>
    public FileChannel(string path)
    {
        try
        {
            // Unbuffered: whoever watches the file sees each byte.
            _file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new BootException($"{path}: {e.Message}");
        }
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> bytes)
    {
        try
        {
            _file.Write(bytes);
        }
        catch (IOException)
        {
            // The disk is full, or nobody reads the pipe any more: the guest goes on.
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => _file.Dispose();
}
