using DynaTrans.Linux.Files;
using DynaTrans.Linux.Files.Proc;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Reading, writing and positioning of open files.</summary>
internal static unsafe class FileIo
{
    // The offset of a write at the current position, which others may have moved by the time the call returns.
    private const long Anywhere = -1;

    /// <summary>read(fd, buffer, count).</summary>
    public static long Read(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        if (file.File.Tag is IReadable special)
            return special.Read(c, c.A1, Math.Min(c.A2, Vectors.MaxBytes), c.IsNonBlocking(file));
        if (JobControl.Check(c, file.HostFd, Signal.Ttin) is var refused and < 0)
            return refused;
        if (!c.Memory.TryGetPrefix(c.A1, Math.Min(c.A2, Vectors.MaxBytes), true, out var p, out var length))
            return -Errno.EFAULT;
        if (IsInPieces(c, length, true, out var pieces))
            return Transfer(c, file, pieces, false, 0, -1, HostSys.Readv);
        var done = file.File.Tag is IProcPlace place
            ? ReadProc(place, file.HostFd, p, length, ProcOpenFile.Current)
            : c.Transfer(HostSys.Read, file.HostFd, (nint)p, (long)length);
        if (done > 0)
            c.Memory.Space.PrepareWrite(c.A1, (ulong)done);
        return done;
    }

    /// <summary>write(fd, buffer, count).</summary>
    public static long Write(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        if (!c.Memory.TryGetPrefix(c.A1, Math.Min(c.A2, Vectors.MaxBytes), false, out var p, out var length))
            return -Errno.EFAULT;
        if (IsInPieces(c, length, false, out var pieces))
            return Transfer(c, file, pieces, true, 0, -1, HostSys.Writev);
        if (file.File.Tag is IProcPlace place)
            return WriteProc(c, place, p, length, ProcOpenFile.Current);
        var error = FileSizeLimit.Cut(c, file.HostFd, -1, ref length);
        return error < 0 ? error : c.BrokenPipe(Written(c, file, Anywhere, c.Transfer(HostSys.Write, file.HostFd, (nint)p, (long)length)));
    }

    /// <summary>pread64(fd, buffer, count, offset).</summary>
    public static long Pread(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        if (!c.Memory.TryGetPrefix(c.A1, Math.Min(c.A2, Vectors.MaxBytes), true, out var p, out var length))
            return -Errno.EFAULT;
        var offset = c.Offset(c.A3, c.A4);
        if (offset < 0)
            return -Errno.EINVAL;
        if (IsInPieces(c, length, true, out var pieces))
            return Transfer(c, file, pieces, false, 0, offset, HostSys.Preadv);
        var done = file.File.Tag is IProcPlace place
            ? ReadProc(place, file.HostFd, p, length, offset)
            : HostCalls.Call(HostSys.Pread64, file.HostFd, (nint)p, (long)length, offset);
        if (done > 0)
            c.Memory.Space.PrepareWrite(c.A1, (ulong)done);
        return done;
    }

    /// <summary>pwrite64(fd, buffer, count, offset).</summary>
    public static long Pwrite(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        if (!c.Memory.TryGetPrefix(c.A1, Math.Min(c.A2, Vectors.MaxBytes), false, out var p, out var length))
            return -Errno.EFAULT;
        var offset = c.Offset(c.A3, c.A4);
        if (offset < 0)
            return -Errno.EINVAL;
        if (IsInPieces(c, length, false, out var pieces))
            return Transfer(c, file, pieces, true, 0, offset, HostSys.Pwritev);
        if (file.File.Tag is IProcPlace place)
            return WriteProc(c, place, p, length, offset);
        var error = FileSizeLimit.Cut(c, file.HostFd, offset, ref length);
        return error < 0 ? error : Written(c, file, offset, HostCalls.Call(HostSys.Pwrite64, file.HostFd, (nint)p, (long)length, offset));
    }

    /// <summary>readv(fd, iovec, count).</summary>
    public static long Readv(in SyscallContext c) => Vectored(c, false, 0, -1, HostSys.Readv);

    /// <summary>writev(fd, iovec, count).</summary>
    public static long Writev(in SyscallContext c) => Vectored(c, true, 0, -1, HostSys.Writev);

    /// <summary>preadv(fd, iovec, count, offset low, offset high).</summary>
    public static long Preadv(in SyscallContext c) => Vectored(c, false, 0, c.Offset(c.A3, c.A4), HostSys.Preadv);

    /// <summary>pwritev(fd, iovec, count, offset low, offset high).</summary>
    public static long Pwritev(in SyscallContext c) => Vectored(c, true, 0, c.Offset(c.A3, c.A4), HostSys.Pwritev);

    /// <summary>preadv2: as preadv, with flags; offset -1 is the current position.</summary>
    public static long Preadv2(in SyscallContext c) => Vectored(c, false, c.I5, c.Offset(c.A3, c.A4), HostSys.Preadv2);

    /// <summary>pwritev2: as pwritev, with flags; offset -1 is the current position.</summary>
    public static long Pwritev2(in SyscallContext c) => Vectored(c, true, c.I5, c.Offset(c.A3, c.A4), HostSys.Pwritev2);

    /// <summary>lseek(fd, offset, whence); the offset has the size of a long.</summary>
    public static long Lseek(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        var result = Seek(file, c.Long(c.A1), c.I2);
        if (c.Is32 && result > int.MaxValue)
            return -Errno.EOVERFLOW;
        return result;
    }

    /// <summary>_llseek(fd, high, low, result, whence), i386 only.</summary>
    public static long Llseek(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        var result = Seek(file, (long)((c.A1 << 32) | (uint)c.A2), c.I4);
        if (result < 0)
            return result;
        return c.Memory.TryWrite(c.A3, result) ? 0 : -Errno.EFAULT;
    }

    /// <summary>fsync(fd).</summary>
    public static long Fsync(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        return file.IsNone() ? -Errno.EBADF : HostCalls.Call(HostSys.Fsync, file.HostFd);
    }

    /// <summary>fdatasync(fd).</summary>
    public static long Fdatasync(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        return file.IsNone() ? -Errno.EBADF : HostCalls.Call(HostSys.Fdatasync, file.HostFd);
    }

    /// <summary>syncfs(fd).</summary>
    public static long Syncfs(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        return file.IsNone() ? -Errno.EBADF : HostCalls.Call(HostSys.Syncfs, file.HostFd);
    }

    /// <summary>sync().</summary>
    public static long Sync(in SyscallContext c) => HostCalls.Call(HostSys.Sync);

    /// <summary>sync_file_range(fd, offset, length, flags).</summary>
    public static long SyncFileRange(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        return c.Is32
            ? HostCalls.Call(HostSys.SyncFileRange, file.HostFd, c.Offset(c.A1, c.A2), c.Offset(c.A3, c.A4), c.I5)
            : HostCalls.Call(HostSys.SyncFileRange, file.HostFd, c.Offset(c.A1, c.A2), c.Offset(c.A2, c.A3), c.I3);
    }

    /// <summary>fallocate(fd, mode, offset, length).</summary>
    public static long Fallocate(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        const int KeepsSize = 1;
        var offset = c.Offset(c.A2, c.A3);
        var length = c.Is32 ? c.Offset(c.A4, c.A5) : c.Offset(c.A3, c.A4);
        var error = (c.I1 & KeepsSize) != 0 || offset < 0 || length < 0 ? 0 : FileSizeLimit.Check(c, Saturated(offset, length));
        if (error < 0)
            return error;
        var result = HostCalls.Call(HostSys.Fallocate, file.HostFd, c.I1, offset, length);

        // Mode 0 only makes the file longer; others may cut a piece out.
        if (result == 0 && c.I1 != 0)
        {
            c.Process.Kernel.FileMayBeShorter(file.HostFd);
            Written(c, file, offset, long.MaxValue);
        }

        return result;
    }

    /// <summary>fadvise64(fd, offset, length, advice); the length has the size of a long.</summary>
    public static long Fadvise(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        return c.Is32
            ? HostCalls.Call(HostSys.Fadvise64, file.HostFd, c.Offset(c.A1, c.A2), (uint)c.A3, c.I4)
            : HostCalls.Call(HostSys.Fadvise64, file.HostFd, c.Offset(c.A1, c.A2), c.Offset(c.A2, c.A3), c.I3);
    }

    /// <summary>fadvise64_64(fd, offset, length, advice), i386 only.</summary>
    public static long FadviseLarge(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        return file.IsNone() ? -Errno.EBADF : HostCalls.Call(HostSys.Fadvise64, file.HostFd, c.Offset(c.A1, c.A2), c.Offset(c.A3, c.A4), c.I5);
    }

    /// <summary>readahead(fd, offset, count).</summary>
    public static long Readahead(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        return file.IsNone() ? -Errno.EBADF : HostCalls.Call(HostSys.Readahead, file.HostFd, c.Offset(c.A1, c.A2), (long)(c.Is32 ? c.A3 : c.A2));
    }

    /// <summary>truncate(path, length); the length has the size of a long.</summary>
    public static long Truncate(in SyscallContext c) => Truncate(c, c.Long(c.A1));

    /// <summary>truncate64(path, length low, length high), i386 only.</summary>
    public static long TruncateLarge(in SyscallContext c) => Truncate(c, c.Offset(c.A1, c.A2));

    /// <summary>ftruncate(fd, length); the length has the size of a long.</summary>
    public static long Ftruncate(in SyscallContext c) => Ftruncate(c, c.Long(c.A1));

    /// <summary>ftruncate64(fd, length low, length high), i386 only.</summary>
    public static long FtruncateLarge(in SyscallContext c) => Ftruncate(c, c.Offset(c.A1, c.A2));

    /// <summary>copy_file_range(in, in offset*, out, out offset*, length, flags).</summary>
    public static long CopyFileRange(in SyscallContext c) => Move(c, HostSys.CopyFileRange);

    /// <summary>splice(in, in offset*, out, out offset*, length, flags).</summary>
    public static long Splice(in SyscallContext c) => c.BrokenPipe(Move(c, HostSys.Splice));

    /// <summary>tee(in, out, length, flags).</summary>
    public static long Tee(in SyscallContext c)
    {
        using var from = c.File(c.I0);
        using var to = c.File(c.I1);
        if (from.IsNone() || to.IsNone())
            return -Errno.EBADF;
        return c.BrokenPipe(c.Blocking(HostSys.Tee, from.HostFd, to.HostFd, (long)Math.Min(c.A2, Vectors.MaxBytes), c.I3));
    }

    /// <summary>vmsplice(fd, iovec, count, flags): the bytes are copied, which the interface allows.</summary>
    public static long Vmsplice(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        var writes = (HostCalls.Call(HostSys.Fcntl, file.HostFd, DescriptorCalls.GetStatus) & 3) != 0;
        var error = Vectors.Read(c.Memory, c.Is32, c.A1, c.A2, !writes, out var vectors);
        return error < 0 ? error : Transfer(c, file, vectors, writes, 0, -1, writes ? HostSys.Writev : HostSys.Readv);
    }

    /// <summary>sendfile(out, in, offset*, count); the offset has the size of a long.</summary>
    public static long Sendfile(in SyscallContext c) => Sendfile(c, c.Is32);

    /// <summary>sendfile64(out, in, offset*, count).</summary>
    public static long SendfileLarge(in SyscallContext c) => Sendfile(c, false);

    // Code that was made from the bytes of a file goes when they change, whoever has it mapped.
    private static long Written(in SyscallContext c, FileRef file, long offset, long done)
    {
        c.Process.Kernel.Objects.Written(file.File, offset, done);
        return done;
    }

    private static long Seek(FileRef file, long offset, int whence)
    {
        if (file.File.Tag is DirectoryPosition directory)
            return directory.Seek(file.HostFd, offset, whence);
        if (file.File.Tag is ProcOpenFile proc)
            return proc.Seek(file.HostFd, offset, whence);
        return HostCalls.Call(HostSys.Lseek, file.HostFd, offset, whence);
    }

    private static long Truncate(in SyscallContext c, long length)
    {
        if (length < 0)
            return -Errno.EINVAL;
        var error = c.Find(PathResolver.AtWorkingDirectory, c.A0, out var target);
        if (error < 0)
            return error;
        using var held = target;
        if (target.Node is { } node)
            return node is ProcDirectory ? -Errno.EISDIR : node.Allows(c.Asker(), ProcNode.WriteRight) ? 0 : -Errno.EACCES;
        error = FileSizeLimit.Check(c, length);
        if (error < 0)
            return error;
        fixed (byte* p = HostCalls.Path(HostFiles.Reopening(target.HostFd)))
            error = (int)HostCalls.Call(HostSys.Truncate, (nint)p, length);
        if (error == 0)
            c.Process.Kernel.FileMayBeShorter(target.HostFd);
        return error;
    }

    // What is not a ProcOpenFile has the host's contents (a file of the host that is shown), or none: a directory, or only a place.
    private static long ReadProc(IProcPlace place, int hostFd, byte* to, ulong length, long offset)
    {
        if (place is ProcOpenFile file)
            return file.MayRead ? file.Read(hostFd, to, length, offset) : -Errno.EBADF;
        if (place is DirectoryPosition)
            return -Errno.EISDIR;
        return offset == ProcOpenFile.Current
            ? HostCalls.Call(HostSys.Read, hostFd, (nint)to, (long)length)
            : HostCalls.Call(HostSys.Pread64, hostFd, (nint)to, (long)length, offset);
    }

    private static long WriteProc(in SyscallContext c, IProcPlace place, byte* from, ulong length, long offset) =>
        place is ProcOpenFile { MayWrite: true } file ? file.Write(c.Asker(), from, length, offset) : -Errno.EBADF;

    // One piece after the other, until one is not moved whole.
    private static long TransferProc(in SyscallContext c, IProcPlace place, int hostFd, Vectors vectors, bool write, long offset)
    {
        long total = 0;
        for (var i = 0; i < vectors.Count; i++)
        {
            var buffer = (byte*)vectors.Host[i * 2];
            var length = vectors.Host[(i * 2) + 1];
            var at = offset == ProcOpenFile.Current ? offset : offset + total;
            var done = write ? WriteProc(c, place, buffer, length, at) : ReadProc(place, hostFd, buffer, length, at);
            if (done < 0)
                return total > 0 ? total : done;
            total += done;
            if ((ulong)done < length)
                break;
        }

        return total;
    }

    private static long Ftruncate(in SyscallContext c, long length)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;

        // A file of /proc has no length: its contents stay.
        if (file.File.Tag is ProcOpenFile { MayWrite: true })
            return length < 0 ? -Errno.EINVAL : 0;
        return SetLength(c, file.HostFd, length);
    }

    private static long SetLength(in SyscallContext c, int hostFd, long length)
    {
        var error = FileSizeLimit.Check(c, length);
        if (error < 0)
            return error;
        var result = HostCalls.Call(HostSys.Ftruncate, hostFd, length);
        if (result == 0)
            c.Process.Kernel.FileMayBeShorter(hostFd);
        return result;
    }

    private static long Saturated(long a, long b) => a > long.MaxValue - b ? long.MaxValue : a + b;

    // A buffer of which only so many bytes are contiguous and accessible: true when more is accessible, in other pieces of the host's memory.
    private static bool IsInPieces(in SyscallContext c, ulong length, bool write, out Vectors pieces)
    {
        pieces = default;
        var wanted = Math.Min(c.A2, Vectors.MaxBytes);
        if (length == wanted)
            return false;
        pieces = Vectors.OfBuffer(c.Memory, c.A1, wanted, write);
        return pieces.Count > 1;
    }

    private static long Vectored(in SyscallContext c, bool write, int flags, long offset, int number)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        var error = Vectors.Read(c.Memory, c.Is32, c.A1, c.A2, !write, out var vectors);
        return error < 0 ? error : Transfer(c, file, vectors, write, flags, offset, number);
    }

    private static long Transfer(in SyscallContext c, FileRef file, Vectors vectors, bool write, int flags, long offset, int number)
    {
        if (file.File.Tag is IReadable special && !write)
            return vectors.Count == 0 ? 0 : special.Read(c, vectors.GuestStart, vectors.Host[1], c.IsNonBlocking(file));
        long done;
        if (file.File.Tag is IProcPlace place)
        {
            var positioned = number is HostSys.Preadv or HostSys.Pwritev || (number is HostSys.Preadv2 or HostSys.Pwritev2 && offset != -1);
            if (positioned && offset < 0)
                return -Errno.EINVAL;
            done = TransferProc(c, place, file.HostFd, vectors, write, positioned ? offset : ProcOpenFile.Current);
            if (!write)
                vectors.Changed(c.Memory, done);
            return done;
        }

        if (write && FileSizeLimit.Applies(c))
        {
            var allowed = vectors.Total;
            var error = FileSizeLimit.Cut(c, file.HostFd, offset, ref allowed);
            if (error < 0)
                return error;
            vectors.Shorten(allowed);
        }

        fixed (ulong* p = vectors.Host)
            done = c.Transfer(number, file.HostFd, (nint)p, vectors.Count, offset, offset >> 63, flags);
        if (write)
            return c.BrokenPipe(Written(c, file, offset, done));
        vectors.Changed(c.Memory, done);
        return done;
    }

    // The host moves bytes between its own descriptors: not what is made when it is read. The kernel refuses the same files.
    private static bool CanMove(FileRef from, FileRef to) => to.File.Tag is not IProcPlace && from.File.Tag is not ProcOpenFile;

    private static long Move(in SyscallContext c, int number)
    {
        using var from = c.File(c.I0);
        using var to = c.File(c.I2);
        if (from.IsNone() || to.IsNone())
            return -Errno.EBADF;
        if (!CanMove(from, to))
            return -Errno.EINVAL;
        long fromOffset = 0, toOffset = 0;
        if ((c.A1 != 0 && !c.Memory.TryRead(c.A1, out fromOffset)) || (c.A3 != 0 && !c.Memory.TryRead(c.A3, out toOffset)))
            return -Errno.EFAULT;
        var count = Math.Min(c.A4, Vectors.MaxBytes);
        var error = FileSizeLimit.Cut(c, to.HostFd, c.A3 == 0 ? -1 : toOffset, ref count);
        if (error < 0)
            return error;
        var done = c.Blocking(
            number,
            from.HostFd,
            c.A1 == 0 ? 0 : (nint)(&fromOffset),
            to.HostFd,
            c.A3 == 0 ? 0 : (nint)(&toOffset),
            (long)count,
            c.I5);
        if (done < 0)
            return done;
        Written(c, to, Anywhere, done);
        if ((c.A1 != 0 && !c.Memory.TryWrite(c.A1, fromOffset)) || (c.A3 != 0 && !c.Memory.TryWrite(c.A3, toOffset)))
            return -Errno.EFAULT;
        return done;
    }

    private static long Sendfile(in SyscallContext c, bool shortOffset)
    {
        using var to = c.File(c.I0);
        using var from = c.File(c.I1);
        if (to.IsNone() || from.IsNone())
            return -Errno.EBADF;
        if (!CanMove(from, to))
            return -Errno.EINVAL;
        long offset = 0;
        if (c.A2 != 0)
        {
            if (shortOffset)
            {
                if (!c.Memory.TryRead<int>(c.A2, out var small))
                    return -Errno.EFAULT;
                offset = small;
            }
            else if (!c.Memory.TryRead(c.A2, out offset))
            {
                return -Errno.EFAULT;
            }
        }

        var count = Math.Min(c.A3, Vectors.MaxBytes);
        var error = FileSizeLimit.Cut(c, to.HostFd, -1, ref count);
        if (error < 0)
            return error;
        var done = Written(c, to, Anywhere, c.Blocking(HostSys.Sendfile, to.HostFd, from.HostFd, c.A2 == 0 ? 0 : (nint)(&offset), (long)count));
        if (done >= 0 && c.A2 != 0 && !(shortOffset ? c.Memory.TryWrite(c.A2, (int)offset) : c.Memory.TryWrite(c.A2, offset)))
            return -Errno.EFAULT;
        return c.BrokenPipe(done);
    }
}
