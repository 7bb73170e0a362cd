using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Files;

/// <summary>A record lock request (<c>struct flock</c>), 64-bit.</summary>
public struct RecordLock
{
    /// <summary>F_RDLCK 0, F_WRLCK 1, F_UNLCK 2.</summary>
    public short Type;

    /// <summary>SEEK_SET, SEEK_CUR, SEEK_END.</summary>
    public short Whence;

    /// <summary>First byte.</summary>
    public long Start;

    /// <summary>Bytes; 0 to the end.</summary>
    public long Length;

    /// <summary>Who holds a conflicting lock.</summary>
    public int Process;
}

/// <summary>
/// POSIX record locks of one guest process. They belong to a process and a file, and any close of the file by the process drops them. All
/// guests are one process to the host, so each guest process locks through an open file description of its own per file, with the
/// host's F_OFD_* locks: guests and programs of the host see each other's locks.
/// </summary>
public sealed unsafe class RecordLocks : IDisposable
{
    private const int OfdGetLock = 36;
    private readonly Lock _gate = new();
    private readonly Dictionary<(ulong Device, ulong Inode), OpenFile> _files = [];

    /// <summary>Makes one request.</summary>
    /// <param name="blocking">Makes the host's call: (descriptor, command, structure).</param>
    /// <param name="hostFd">The file.</param>
    /// <param name="command">0 for get, 1 for set, 2 for set and wait.</param>
    /// <param name="request">The request; the answer of get.</param>
    /// <returns>0 or a negative error number.</returns>
    public long Request(Func<int, int, nint, long> blocking, int hostFd, int command, ref RecordLock request)
    {
        if (request.Type is < 0 or > 2)
            return -Errno.EINVAL;
        var access = HostCalls.Call(HostSys.Fcntl, hostFd, 3);
        if (access < 0)
            return access;
        access &= OpenFlags.AccessMode;
        if (command != 0 && ((request.Type == 0 && access == OpenFlags.WriteOnly) || (request.Type == 1 && access == 0)))
            return -Errno.EBADF;
        var error = TryOpen(hostFd, (int)access, request.Type == 2 && command != 0, out var file);
        if (error < 0)
            return error;
        if (file == null)
        {
            // Nothing locked by this process yet: an unlock has nothing to do.
            request.Type = 2;
            return 0;
        }

        using var held = new FileRef(file);
        var host = request;
        host.Process = 0;
        if (request.Whence == 1)
        {
            host.Start += HostCalls.Call(HostSys.Lseek, hostFd, 0, 1);
            host.Whence = 0;
        }

        var result = blocking(file.HostFd, OfdGetLock + command, (nint)(&host));
        if (result == 0 && command == 0)
            request = host;
        return result;
    }

    /// <summary>True when the process has asked for locks on a file.</summary>
    public bool Knows(in HostStat status)
    {
        lock (_gate)
            return _files.ContainsKey((status.Device, status.Inode));
    }

    /// <summary>The process closes a descriptor of a file: its locks on the file end.</summary>
    public void Closing(int hostFd)
    {
        lock (_gate)
        {
            if (_files.Count == 0 || HostFiles.Status(hostFd, out var status) < 0 || !_files.Remove((status.Device, status.Inode), out var file))
                return;

            // The last reference may be a waiting request's; the lock ends now.
            var all = new RecordLock { Type = 2 };
            HostCalls.Call(HostSys.Fcntl, file.HostFd, OfdGetLock + 1, (nint)(&all));
            file.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            foreach (var file in _files.Values)
                file.Release();
            _files.Clear();
        }
    }

    private long TryOpen(int hostFd, int access, bool onlyIfKnown, out OpenFile? file)
    {
        file = null;
        var error = HostFiles.Status(hostFd, out var status);
        if (error < 0)
            return error;
        lock (_gate)
        {
            if (!_files.TryGetValue((status.Device, status.Inode), out file))
            {
                if (onlyIfKnown)
                    return 0;

                // Read-write where the host grants it: another descriptor of the process may ask for the other kind of lock later.
                var path = $"/proc/self/fd/{hostFd}";
                var fd = HostCalls.OpenAt(PathResolver.AtWorkingDirectory, path, OpenFlags.ReadWrite | OpenFlags.CloseOnExec);
                if (fd < 0)
                    fd = HostCalls.OpenAt(PathResolver.AtWorkingDirectory, path, access | OpenFlags.CloseOnExec);
                if (HostDescriptors.Claim(fd) < 0)
                    return -Errno.ENOLCK;
                _files.Add((status.Device, status.Inode), file = new OpenFile(fd));
            }

            file.AddReference();
            return 0;
        }
    }
}
