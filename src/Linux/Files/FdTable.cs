namespace DynaTrans.Linux.Files;

/// <summary>
/// A descriptor table: guest number to open file, with the close-on-exec flag. Shared by threads (CLONE_FILES), copied on fork.
/// </summary>
public sealed class FdTable
{
    private readonly Lock _lock = new();
    private Slot[] _slots = new Slot[16];

    // No number below is free.
    private int _firstFree;
    private int _users = 1;

    /// <summary>Numbers are below this (RLIMIT_NOFILE).</summary>
    public int Limit { get; set; } = 1024;

    /// <summary>One more process or thread uses this table.</summary>
    public void AddUser() => Interlocked.Increment(ref _users);

    /// <summary>One user less; the last closes everything.</summary>
    public void RemoveUser()
    {
        if (Interlocked.Decrement(ref _users) == 0)
            CloseWhere(static (_, _) => true);
    }

    /// <summary>True when more than one process or thread uses it.</summary>
    public bool IsShared => Volatile.Read(ref _users) > 1;

    /// <summary>True when there is no number for another file: EMFILE, before the call has any effect.</summary>
    public bool IsFull
    {
        get
        {
            lock (_lock)
                return NextFree(0) >= Limit;
        }
    }

    /// <summary>A copy for a new process; each open file has one reference more.</summary>
    public FdTable Copy()
    {
        lock (_lock)
        {
            var copy = new FdTable { Limit = Limit, _slots = (Slot[])_slots.Clone(), _firstFree = _firstFree };
            foreach (var slot in _slots)
                slot.File?.AddReference();
            return copy;
        }
    }

    /// <summary>A reference to the file behind a number, to be disposed after use.</summary>
    /// <returns>False: EBADF.</returns>
    public bool TryGet(int fd, out FileRef file)
    {
        lock (_lock)
        {
            var found = (uint)fd < (uint)_slots.Length ? _slots[fd].File : null;
            found?.AddReference();
            file = new FileRef(found);
            return found != null;
        }
    }

    /// <summary>Enters a file (taking over the caller's reference) at the lowest free number from <paramref name="from"/> on.</summary>
    /// <returns>The number; or -EMFILE, or -ENFILE when the host's descriptors are used up, with the reference released.</returns>
    public int Add(OpenFile file, bool closeOnExec, int from = 0)
    {
        int fd;
        lock (_lock)
        {
            fd = NextFree(from);
            if (fd >= Limit)
            {
                fd = -Errno.EMFILE;
            }
            else if (HostDescriptors.IsReserved(file.HostFd))
            {
                fd = -Errno.ENFILE;
            }
            else
            {
                Grow(fd);
                _slots[fd] = new Slot(file, closeOnExec);
                return fd;
            }
        }

        file.Release();
        return fd;
    }

    /// <summary>Enters a file at a given number (dup2), closing what was there. Takes over the reference.</summary>
    /// <returns>The number; or -EBADF, with the reference released.</returns>
    public int Set(int fd, OpenFile file, bool closeOnExec)
    {
        if ((uint)fd >= (uint)Limit)
        {
            file.Release();
            return -Errno.EBADF;
        }

        OpenFile? old;
        lock (_lock)
        {
            Grow(fd);
            old = _slots[fd].File;
            _slots[fd] = new Slot(file, closeOnExec);
        }

        old?.Release();
        return fd;
    }

    /// <summary>Takes a number out of the table; the caller gets its reference. Null: EBADF.</summary>
    public OpenFile? Remove(int fd)
    {
        lock (_lock)
        {
            if ((uint)fd >= (uint)_slots.Length)
                return null;
            var file = _slots[fd].File;
            _slots[fd] = default;
            _firstFree = Math.Min(_firstFree, fd);
            return file;
        }
    }

    /// <summary>The close-on-exec flag; null: EBADF.</summary>
    public bool? GetCloseOnExec(int fd)
    {
        lock (_lock)
            return (uint)fd < (uint)_slots.Length && _slots[fd].File != null ? _slots[fd].CloseOnExec : null;
    }

    /// <summary>Sets the close-on-exec flag. False: EBADF.</summary>
    public bool SetCloseOnExec(int fd, bool value)
    {
        lock (_lock)
        {
            if ((uint)fd >= (uint)_slots.Length || _slots[fd].File == null)
                return false;
            _slots[fd].CloseOnExec = value;
            return true;
        }
    }

    /// <summary>Closes what execve closes.</summary>
    public void CloseOnExecve() => CloseWhere(static (_, slot) => slot.CloseOnExec);

    /// <summary>Closes the numbers of a range (close_range).</summary>
    public void CloseRange(uint first, uint last) => CloseWhere((fd, _) => (uint)fd >= first && (uint)fd <= last);

    /// <summary>The numbers in use, in order.</summary>
    public int[] Numbers()
    {
        var numbers = new List<int>();
        lock (_lock)
        {
            for (var fd = 0; fd < _slots.Length; fd++)
                if (_slots[fd].File != null)
                    numbers.Add(fd);
        }

        return [.. numbers];
    }

    private void CloseWhere(Func<int, Slot, bool> chosen)
    {
        var closed = new List<OpenFile>();
        lock (_lock)
        {
            for (var fd = 0; fd < _slots.Length; fd++)
            {
                if (_slots[fd].File is not { } file || !chosen(fd, _slots[fd]))
                    continue;
                closed.Add(file);
                _slots[fd] = default;
                _firstFree = Math.Min(_firstFree, fd);
            }
        }

        foreach (var file in closed)
            file.Release();
    }

    // The lowest free number from one on. Under the lock.
    private int NextFree(int from)
    {
        var fd = Math.Max(from, _firstFree);
        while (fd < _slots.Length && _slots[fd].File != null)
            fd++;
        if (from <= _firstFree)
            _firstFree = fd;
        return fd;
    }

    private void Grow(int fd)
    {
        if (fd >= _slots.Length)
            Array.Resize(ref _slots, Math.Max(fd + 1, _slots.Length * 2));
    }

    private record struct Slot(OpenFile? File, bool CloseOnExec);
}
