using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Files;

/// <summary>
/// An open file description: a host descriptor, counted by the guest descriptors (and running calls, and mappings) that refer to it, and
/// closed with the last. Pipes, sockets, eventfd, epoll and timerfd are host objects too.
/// </summary>
public sealed class OpenFile
{
    private int _references = 1;
    private FileIdentity? _identity;

    /// <summary>Takes over a host descriptor, with one reference.</summary>
    public OpenFile(int hostFd) => HostFd = hostFd;

    /// <summary>The host's descriptor. Valid while a reference is held.</summary>
    public int HostFd { get; }

    /// <summary>False for descriptors that belong to the embedding program (not closed with the last reference).</summary>
    public bool OwnsHostFd { get; init; } = true;

    /// <summary>Guest path that it was opened by (one char per byte), for /proc/self/fd, /proc/self/maps and strace; may be null.</summary>
    public string? Path { get; set; }

    /// <summary>What a special file (an epoll instance, a generated /proc file) hangs on to; null for plain host files.</summary>
    public object? Tag { get; set; }

    /// <summary>Who gets signals about the file; null: nobody was ever set. Under the kernel's gate.</summary>
    internal FileOwner? Owner { get; set; }

    /// <summary>Which file it is; the same for every way by which it was opened.</summary>
    internal FileIdentity? Identity { get => _identity ??= FileIdentity.Of(HostFd); init => _identity = value; }

    /// <summary>Adds a reference. The caller holds one already.</summary>
    public void AddReference() => Interlocked.Increment(ref _references);

    /// <summary>Adds a reference unless the last is gone.</summary>
    public bool TryAddReference()
    {
        while (true)
        {
            var now = Volatile.Read(ref _references);
            if (now == 0)
                return false;
            if (Interlocked.CompareExchange(ref _references, now + 1, now) == now)
                return true;
        }
    }

    /// <summary>Drops a reference; the last closes the host descriptor.</summary>
    /// <returns>The result of close(2) if it was the last, else 0.</returns>
    public int Release()
    {
        if (Interlocked.Decrement(ref _references) != 0)
            return 0;
        (Tag as IDisposable)?.Dispose();
        Owner?.Dispose();
        return OwnsHostFd ? HostCalls.Close(HostFd) : 0;
    }
}

/// <summary>A file, whatever its names: device and inode.</summary>
internal sealed record FileIdentity(ulong Device, ulong Inode)
{
    /// <summary>That of an open file; null when the host does not tell.</summary>
    public static FileIdentity? Of(int hostFd) => HostFiles.Status(hostFd, out var status) == 0 ? new FileIdentity(status.Device, status.Inode) : null;
}

/// <summary>A counted reference to an open file for the time of one system call: <c>using var file = ...</c>.</summary>
public readonly struct FileRef(OpenFile? file) : IDisposable
{
    /// <summary>The file; null only in a default value.</summary>
    public OpenFile File => file!;

    /// <summary>The host's descriptor.</summary>
    public int HostFd => file!.HostFd;

    /// <inheritdoc/>
    public void Dispose() => file?.Release();
}
