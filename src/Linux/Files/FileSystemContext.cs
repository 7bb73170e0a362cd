using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Files;

/// <summary>
/// Working directory and file mode mask of a process (shared with CLONE_FS). The host's own working directory and mask are never used: the
/// directory is a host descriptor, the host's mask is 0, and whoever creates a file applies <see cref="Umask"/>.
/// </summary>
public sealed class FileSystemContext
{
    private const int OPath = 0x200000, ODirectory = 0x10000, OCloexec = 0x80000;

    private OpenFile _directory;
    private int _users = 1;

    /// <summary>Starts in a directory.</summary>
    /// <param name="directory">Takes over the reference.</param>
    /// <param name="umask">File mode mask.</param>
    public FileSystemContext(OpenFile directory, int umask)
    {
        _directory = directory;
        Umask = umask;
    }

    /// <summary>The file mode mask.</summary>
    public int Umask { get; set; }

    /// <summary>Starts in the host's working directory.</summary>
    public static FileSystemContext FromHost(int umask)
    {
        var fd = HostCalls.OpenAt(-100, ".", OPath | ODirectory | OCloexec);
        return new FileSystemContext(new OpenFile(fd), umask);
    }

    /// <summary>A copy for a new process.</summary>
    public FileSystemContext Copy() => new(Acquire().File, Umask);

    /// <summary>A counted reference to the working directory (an O_PATH descriptor).</summary>
    public FileRef Acquire()
    {
        while (true)
        {
            var now = Volatile.Read(ref _directory);
            if (now.TryAddReference())
                return new FileRef(now);
        }
    }

    /// <summary>As <see cref="Acquire"/>, for another process, which may end meanwhile. False: it has.</summary>
    public bool TryAcquire(out FileRef directory)
    {
        directory = default;
        while (Volatile.Read(ref _users) > 0)
        {
            var now = Volatile.Read(ref _directory);
            if (!now.TryAddReference())
                continue;
            directory = new FileRef(now);
            return true;
        }

        return false;
    }

    /// <summary>Changes the working directory; takes over the reference.</summary>
    public void SetDirectory(OpenFile directory) => Interlocked.Exchange(ref _directory, directory).Release();

    /// <summary>One more process uses this context.</summary>
    public void AddUser() => Interlocked.Increment(ref _users);

    /// <summary>One process less; the last drops the directory.</summary>
    public void RemoveUser()
    {
        if (Interlocked.Decrement(ref _users) == 0)
            Volatile.Read(ref _directory).Release();
    }

    /// <summary>True when more than one process uses it.</summary>
    public bool IsShared => Volatile.Read(ref _users) > 1;
}
