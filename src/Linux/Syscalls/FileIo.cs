using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Reading, writing and positioning of open files.</summary>
internal static unsafe class FileIo
{
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
        var done = c.Transfer(HostSys.Read, file.HostFd, (nint)p, (long)length);
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
        var error = FileSizeLimit.Cut(c, file.HostFd, -1, ref length);
        return error < 0 ? error : c.BrokenPipe(c.Transfer(HostSys.Write, file.HostFd, (nint)p, (long)length));
    }

    /// <summary>pread64(fd, buffer, count, offset).</summary>
    public static long Pread(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        if (!c.Memory.TryGetPrefix(c.A1, Math.Min(c.A2, Vectors.MaxBytes), true, out var p, out var length))
            return -Errno.EFAULT;
        var done = HostCalls.Call(HostSys.Pread64, file.HostFd, (nint)p, (long)length, c.Offset(c.A3, c.A4));
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
        var error = offset < 0 ? 0 : FileSizeLimit.Cut(c, file.HostFd, offset, ref length);
        return error < 0 ? error : HostCalls.Call(HostSys.Pwrite64, file.HostFd, (nint)p, (long)length, offset);
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
        return error < 0 ? error : HostCalls.Call(HostSys.Fallocate, file.HostFd, c.I1, offset, length);
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

    private static long Seek(FileRef file, long offset, int whence)
    {
        if (file.File.Tag is DirectoryPosition directory)
            return directory.Seek(file.HostFd, offset, whence);
        return HostCalls.Call(HostSys.Lseek, file.HostFd, offset, whence);
    }

    private static long Truncate(in SyscallContext c, long length)
    {
        var error = c.Path(PathResolver.AtWorkingDirectory, c.A0, out var path);
        if (error < 0)
            return error;
        using var held = path;
        var fd = HostCalls.OpenAt(path.Directory, path.Path, OpenFlags.WriteOnly | OpenFlags.CloseOnExec | OpenFlags.NonBlocking);
        if (fd < 0)
            return length < 0 ? -Errno.EINVAL : fd;
        var result = FileSizeLimit.Check(c, length);
        if (result == 0)
            result = HostCalls.Call(HostSys.Ftruncate, fd, length);
        HostCalls.Close(fd);
        return result;
    }

    private static long Ftruncate(in SyscallContext c, long length)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        var error = FileSizeLimit.Check(c, length);
        return error < 0 ? error : HostCalls.Call(HostSys.Ftruncate, file.HostFd, length);
    }

    private static long Saturated(long a, long b) => a > long.MaxValue - b ? long.MaxValue : a + b;

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
        if (!write)
            vectors.Changed(c.Memory, done);
        return write ? c.BrokenPipe(done) : done;
    }

    private static long Move(in SyscallContext c, int number)
    {
        using var from = c.File(c.I0);
        using var to = c.File(c.I2);
        if (from.IsNone() || to.IsNone())
            return -Errno.EBADF;
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
        var done = c.Blocking(HostSys.Sendfile, to.HostFd, from.HostFd, c.A2 == 0 ? 0 : (nint)(&offset), (long)count);
        if (done >= 0 && c.A2 != 0 && !(shortOffset ? c.Memory.TryWrite(c.A2, (int)offset) : c.Memory.TryWrite(c.A2, offset)))
            return -Errno.EFAULT;
        return c.BrokenPipe(done);
    }
}
