using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Files;

/// <summary>
/// What an open directory remembers when the host's own position does not serve: positions of i386 guests (the host's are 64-bit hashes,
/// which an i386 program cannot hold), and directories whose entries DynaTrans makes.
/// </summary>
public unsafe class DirectoryPosition
{
    private readonly Lock _gate = new();
    private readonly List<long> _cookies = [];
    private readonly Func<IEnumerable<DirectoryEntry>>? _source;
    private List<DirectoryEntry>? _entries;
    private int _position;

    /// <summary>A directory of the host.</summary>
    public DirectoryPosition()
    {
    }

    /// <summary>A directory whose entries are made when it is first read, and again after a rewind; their offsets are set here.</summary>
    public DirectoryPosition(Func<IEnumerable<DirectoryEntry>> source) => _source = source;

    /// <summary>lseek(2) on the directory.</summary>
    public long Seek(int hostFd, long offset, int whence)
    {
        lock (_gate)
        {
            if (whence == 1)
                offset += _position;
            else if (whence != 0)
                return -Errno.EINVAL;
            if (offset < 0 || offset > (_source != null ? Entries.Count : _cookies.Count))
                return -Errno.EINVAL;
            if (_source != null)
            {
                if (offset == 0)
                    _entries = null;
            }
            else
            {
                var error = HostCalls.Call(HostSys.Lseek, hostFd, offset == 0 ? 0 : _cookies[(int)offset - 1], 0);
                if (error < 0)
                    return error;
                if (offset == 0)
                    _cookies.Clear();
            }

            _position = (int)offset;
            return offset;
        }
    }

    /// <summary>getdents(2).</summary>
    /// <param name="hostFd">The host's descriptor.</param>
    /// <param name="layout">Record layout.</param>
    /// <param name="buffer">The guest's buffer.</param>
    /// <returns>Bytes written, 0 at the end, or a negative error number.</returns>
    public long Read(int hostFd, DirectoryLayout layout, Span<byte> buffer)
    {
        lock (_gate)
        {
            if (_source != null)
                return Write(Entries.Skip(_position), layout, buffer);
            Span<byte> host = new byte[Math.Min(buffer.Length, 32768)];
            long read;
            fixed (byte* p = host)
                read = HostCalls.Call(HostSys.Getdents64, hostFd, (nint)p, host.Length);
            if (read <= 0)
                return read;

            // After a seek back the positions behind it are learnt anew.
            _cookies.RemoveRange(_position, _cookies.Count - _position);
            var entries = new List<DirectoryEntry>();
            foreach (var entry in DirectoryLayouts.Parse(host[..(int)read].ToArray()))
            {
                _cookies.Add(entry.Offset);
                entries.Add(entry with { Offset = _cookies.Count });
            }

            return Write(entries, layout, buffer);
        }
    }

    private List<DirectoryEntry> Entries =>
        _entries ??= _source!().Select((entry, index) => entry with { Offset = index + 1 }).ToList();

    private long Write(IEnumerable<DirectoryEntry> entries, DirectoryLayout layout, Span<byte> buffer)
    {
        var done = 0;
        foreach (var entry in entries)
        {
            var size = DirectoryLayouts.SizeOf(entry, layout);
            if (size > buffer.Length - done)
                return done == 0 ? -Errno.EINVAL : done;
            if (!DirectoryLayouts.TryWrite(entry, layout, buffer.Slice(done, size)))
                return done == 0 ? -Errno.EOVERFLOW : done;
            done += size;
            _position++;
        }

        return done;
    }
}
