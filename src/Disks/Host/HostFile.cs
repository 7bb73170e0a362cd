using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace DynaTrans.Disks.Host;

/// <summary>A file or block device of the host that holds an image: positional access, locks, errors as <see cref="DiskImageException"/>.</summary>
internal sealed class HostFile : IDisposable
{
    private const int NewFileMode = 0x1A4; // rw-r--r--, less the umask
    private static readonly byte[] Zeroes = new byte[1 << 16];
    private readonly SafeFileHandle _handle;

    private HostFile(SafeFileHandle handle, string path, bool writes)
    {
        _handle = handle;
        Path = path;
        IsWritable = writes;
    }

    /// <summary>The name it was opened by.</summary>
    public string Path { get; }

    /// <summary>True when it was opened for writing.</summary>
    public bool IsWritable { get; }

    /// <summary>The name that the kernel has for the open file, without symbolic links.</summary>
    public string RealPath => File.ResolveLinkTarget($"/proc/self/fd/{Descriptor}", returnFinalTarget: false)?.FullName ?? Path;

    /// <summary>The length in bytes, of a block device too.</summary>
    public long Length => Checked(NativeMethods.Seek(Descriptor, 0, NativeMethods.SeekEnd));

    private int Descriptor => (int)_handle.DangerousGetHandle();

    /// <summary>Opens what exists, and locks it.</summary>
    /// <param name="path">The name.</param>
    /// <param name="writes">For writing, too.</param>
    /// <param name="locks">False: whoever else has it open does not matter.</param>
    public static HostFile Open(string path, bool writes, bool locks = true) =>
        Open(path, writes ? NativeMethods.ReadWrite : NativeMethods.ReadOnly, writes, locks);

    /// <summary>Makes an empty file, and locks it.</summary>
    /// <param name="path">The name.</param>
    /// <param name="replaces">What exists is emptied, unless somebody uses it as an image; else it is an error.</param>
    public static HostFile Create(string path, bool replaces)
    {
        var file = Open(path, NativeMethods.ReadWrite | NativeMethods.CreateFile | (replaces ? 0 : NativeMethods.Exclusive), writes: true, locks: true);
        try
        {
            file.SetLength(0);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Reads; what lies behind the end of the file is zero.</summary>
    public void Read(long offset, Span<byte> buffer)
    {
        try
        {
            while (!buffer.IsEmpty)
            {
                var count = RandomAccess.Read(_handle, buffer, offset);
                if (count == 0)
                {
                    buffer.Clear();
                    return;
                }

                buffer = buffer[count..];
                offset += count;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failure(e.Message);
        }
    }

    /// <summary>Writes all of it.</summary>
    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        try
        {
            RandomAccess.Write(_handle, data, offset);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failure(e.Message);
        }
    }

    /// <summary>Writes zeroes.</summary>
    public void WriteZeroes(long offset, long count)
    {
        while (count > 0)
        {
            var part = (int)Math.Min(count, Zeroes.Length);
            Write(offset, Zeroes.AsSpan(0, part));
            offset += part;
            count -= part;
        }
    }

    /// <summary>Gives the room back; it reads as zero then. The length stays.</summary>
    /// <returns>False when the file system cannot, and nothing has changed.</returns>
    public bool TryPunchHole(long offset, long count) =>
        NativeMethods.Allocate(Descriptor, NativeMethods.PunchHole | NativeMethods.KeepSize, offset, count) == 0;

    /// <summary>Waits until what was written is on the medium.</summary>
    public void Flush() => Checked(NativeMethods.DataSync(Descriptor));

    /// <summary>Changes the length; new bytes are zero.</summary>
    public void SetLength(long length)
    {
        try
        {
            RandomAccess.SetLength(_handle, length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw Failure(e.Message);
        }
    }

    /// <summary>How many bytes from an offset on are stored, or are a hole (which reads as zero).</summary>
    public (bool IsHole, long Length) Extent(long offset, long end)
    {
        var data = NativeMethods.Seek(Descriptor, offset, NativeMethods.SeekData);
        if (data < 0)
            return Marshal.GetLastPInvokeError() == NativeMethods.NoSuchDevice ? (true, end - offset) : (false, end - offset);
        if (data > offset)
            return (true, Math.Min(data, end) - offset);
        var hole = NativeMethods.Seek(Descriptor, offset, NativeMethods.SeekHole);
        return (false, (hole > offset ? Math.Min(hole, end) : end) - offset);
    }

    /// <summary>An error of this file.</summary>
    public DiskImageException Failure(string message) => new($"{Path}: {message}");

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    private static HostFile Open(string path, int flags, bool writes, bool locks)
    {
        if (path.Length == 0 || path.Contains('\0'))
            throw new DiskImageException("the name of an image is empty or has a zero byte");
        if (Directory.Exists(path))
            throw new DiskImageException($"{path}: is a directory");

        // Non-blocking: opening a pipe would wait for its other end.
        var descriptor = NativeMethods.Open(path, flags | NativeMethods.NonBlocking | NativeMethods.CloseOnExec | NativeMethods.NoControllingTerminal, NewFileMode);
        if (descriptor < 0)
        {
            var error = Marshal.GetLastPInvokeError();
            throw new DiskImageException($"{path}: {(error == NativeMethods.Exists ? "exists already" : Marshal.GetPInvokeErrorMessage(error))}");
        }

        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        try
        {
            var file = new HostFile(handle, path, writes);
            if (NativeMethods.Seek(descriptor, 0, NativeMethods.SeekEnd) < 0)
                throw file.Failure("neither a file nor a block device");
            if (locks && !ImageLock.TryTake(descriptor, writes))
                throw file.Failure(writes ? "locked: another process has the image open" : "locked: another process has the image open for writing");
            return file;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private long Checked(long result) => result >= 0 ? result : throw Failure(Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError()));
}
