using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Files.Proc;

/// <summary>
/// Host descriptors behind open files of the guest's /proc: each has an anonymous file of its own, which holds what the guest reads, and is
/// nothing else of the host's. A call that knows nothing of /proc finds an ordinary small file there.
/// </summary>
internal static unsafe class ProcStorage
{
    private const int MemfdCloseOnExec = 1;

    // Nothing happens to it.
    private static readonly Lazy<int> s_quiet = new(() =>
    {
        fixed (byte* name = "proc"u8)
            return (int)HostCalls.Call(HostSys.MemfdCreate, (nint)name, MemfdCloseOnExec);
    });

    /// <summary>Makes an open file.</summary>
    /// <param name="node">The place.</param>
    /// <param name="tag">See <see cref="OpenFile.Tag"/>.</param>
    /// <param name="flags">O_* that the guest opens with; its descriptor has them too.</param>
    /// <param name="contents">What can be read from it.</param>
    /// <returns>Null: the host has no more descriptors.</returns>
    public static OpenFile? Create(ProcNode node, IProcPlace tag, int flags, ReadOnlySpan<byte> contents = default)
    {
        const int Kept = OpenFlags.AccessMode | OpenFlags.Append | OpenFlags.NonBlocking | OpenFlags.PathOnly | OpenFlags.LargeFile;
        long fd;
        fixed (byte* p = HostCalls.Path(node.Name))
            fd = HostCalls.Call(HostSys.MemfdCreate, (nint)p, MemfdCloseOnExec);
        if (fd < 0)
            return null;
        Put((int)fd, contents);
        var again = HostCalls.OpenAt(
            PathResolver.AtWorkingDirectory, HostFiles.Reopening((int)fd), (flags & Kept) | OpenFlags.CloseOnExec);
        HostCalls.Close((int)fd);
        return again < 0 ? null : new OpenFile(again) { Tag = tag, Path = node.Path };
    }

    /// <summary>inotify_add_watch(2) for a place in the guest's /proc: no event comes, whatever happens in the host's.</summary>
    public static long Watch(int inotify, uint mask)
    {
        fixed (byte* p = HostCalls.Path(HostFiles.Reopening(s_quiet.Value)))
            return HostCalls.Call(HostSys.InotifyAddWatch, inotify, (nint)p, mask);
    }

    /// <summary>Replaces what can be read from an open file.</summary>
    public static void Replace(int hostFd, ReadOnlySpan<byte> contents)
    {
        var fd = HostCalls.OpenAt(
            PathResolver.AtWorkingDirectory, HostFiles.Reopening(hostFd), OpenFlags.WriteOnly | OpenFlags.Truncate | OpenFlags.CloseOnExec);
        if (fd < 0)
            return;
        Put(fd, contents);
        HostCalls.Close(fd);
    }

    private static void Put(int fd, ReadOnlySpan<byte> contents)
    {
        fixed (byte* p = contents)
        {
            for (var done = 0L; done < contents.Length;)
            {
                var n = HostCalls.Call(HostSys.Pwrite64, fd, (nint)(p + done), contents.Length - done, done);
                if (n <= 0)
                    break;
                done += n;
            }
        }
    }
}

/// <summary>An open file of the guest's /proc that is read or written by other means than its host descriptor's.</summary>
internal abstract unsafe class ProcOpenFile(ProcNode node, int flags) : IProcPlace
{
    /// <summary>The offset that means the file's own position.</summary>
    public const long Current = -1;

    /// <inheritdoc/>
    public ProcNode Node => node;

    /// <summary>True when it was opened for reading.</summary>
    public bool MayRead => (flags & OpenFlags.AccessMode) != OpenFlags.WriteOnly;

    /// <summary>True when it was opened for writing.</summary>
    public bool MayWrite => (flags & OpenFlags.AccessMode) != 0;

    /// <summary>read(2) and pread(2).</summary>
    /// <param name="hostFd">The descriptor.</param>
    /// <param name="to">Where to.</param>
    /// <param name="length">Bytes wanted.</param>
    /// <param name="offset">Where from, or <see cref="Current"/>.</param>
    /// <returns>Bytes or a negative error number.</returns>
    public abstract long Read(int hostFd, byte* to, ulong length, long offset);

    /// <summary>write(2) and pwrite(2).</summary>
    /// <param name="who">Who writes.</param>
    /// <param name="from">The bytes.</param>
    /// <param name="length">How many.</param>
    /// <param name="offset">Where to, or <see cref="Current"/>.</param>
    /// <returns>Bytes or a negative error number.</returns>
    public abstract long Write(in Asker who, byte* from, ulong length, long offset);

    /// <summary>lseek(2).</summary>
    public virtual long Seek(int hostFd, long offset, int whence) => HostCalls.Call(HostSys.Lseek, hostFd, offset, whence);
}
