using System.Buffers.Binary;
using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Opening, closing, duplicating and controlling descriptors; pipes.</summary>
internal static unsafe class DescriptorCalls
{
    /// <summary>F_GETFL.</summary>
    public const int GetStatus = 3;

    private const int SetStatus = 4;
    private const int DuplicateCloseOnExec = 1030;
    private const int SetLease = 1024;
    private const int GetLease = 1025;
    private const short Unlocked = 2;

    /// <summary>open(path, flags, mode).</summary>
    public static long Open(in SyscallContext c) => Open(c, PathResolver.AtWorkingDirectory, c.A0, c.I1, c.I2);

    /// <summary>openat(directory, path, flags, mode).</summary>
    public static long OpenAt(in SyscallContext c) => Open(c, c.I0, c.A1, c.I2, c.I3);

    /// <summary>creat(path, mode).</summary>
    public static long Creat(in SyscallContext c) =>
        Open(c, PathResolver.AtWorkingDirectory, c.A0, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Truncate, c.I1);

    /// <summary>openat2(directory, path, how, size).</summary>
    public static long OpenAt2(in SyscallContext c)
    {
        const int KnownSize = 24;
        if (c.A3 < KnownSize)
            return -Errno.EINVAL;
        if (c.A3 > 4096)
            return -Errno.E2BIG;
        Span<byte> bytes = stackalloc byte[(int)c.A3];
        if (!c.Memory.TryRead(c.A2, bytes))
            return -Errno.EFAULT;
        if (bytes[KnownSize..].IndexOfAnyExcept((byte)0) >= 0)
            return -Errno.E2BIG;
        var flags = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        var mode = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
        var resolve = BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]);
        const ulong KnownResolve = 0x3F, KnownFlags = 0x7FFFC3, PathFlags = OpenFlags.PathOnly | OpenFlags.Directory | OpenFlags.NoFollow | OpenFlags.CloseOnExec;
        var makes = (flags & (OpenFlags.Create | OpenFlags.TemporaryFile)) != 0;
        if ((resolve & ~KnownResolve) != 0 || (flags & ~KnownFlags) != 0 || mode > 0xFFF || (!makes && mode != 0)
            || ((flags & OpenFlags.PathOnly) != 0 && (flags & ~PathFlags) != 0)
            || (resolve & (HostFiles.Beneath | HostFiles.InRoot)) == (HostFiles.Beneath | HostFiles.InRoot))
            return -Errno.EINVAL;
        return Open(c, c.I0, c.A1, (int)flags, (int)mode, resolve);
    }

    /// <summary>close(fd).</summary>
    public static long Close(in SyscallContext c)
    {
        if (c.Files.Remove(c.I0) is not { } file)
            return -Errno.EBADF;
        c.Process.DropRecordLocks(file);
        return file.Release();
    }

    /// <summary>close_range(first, last, flags).</summary>
    public static long CloseRange(in SyscallContext c)
    {
        const int Unshare = 2, CloseOnExec = 4;
        var first = (uint)c.A0;
        var last = (uint)c.A1;
        if (first > last || (c.I2 & ~(Unshare | CloseOnExec)) != 0)
            return -Errno.EINVAL;
        if ((c.I2 & Unshare) != 0 && c.Files.IsShared)
        {
            var old = c.Process.Files;
            c.Process.Files = old.Copy();
            old.RemoveUser();
        }

        if ((c.I2 & CloseOnExec) == 0)
        {
            c.Files.CloseRange(first, last);
            return 0;
        }

        foreach (var fd in c.Files.Numbers())
            if ((uint)fd >= first && (uint)fd <= last)
                c.Files.SetCloseOnExec(fd, true);
        return 0;
    }

    /// <summary>dup(fd).</summary>
    public static long Dup(in SyscallContext c) => Duplicate(c, 0, false);

    /// <summary>dup2(old, new).</summary>
    public static long Dup2(in SyscallContext c)
    {
        if (c.I0 == c.I1)
            return c.Files.GetCloseOnExec(c.I0) == null ? -Errno.EBADF : c.I0;
        return DuplicateTo(c, false);
    }

    /// <summary>dup3(old, new, flags).</summary>
    public static long Dup3(in SyscallContext c)
    {
        if (c.I0 == c.I1 || (c.I2 & ~OpenFlags.CloseOnExec) != 0)
            return -Errno.EINVAL;
        return DuplicateTo(c, c.I2 != 0);
    }

    /// <summary>fcntl and fcntl64 (fd, command, argument).</summary>
    public static long Fcntl(in SyscallContext c)
    {
        switch (c.I1)
        {
            case 0 or DuplicateCloseOnExec:
                return c.A2 >= (ulong)c.Files.Limit ? -Errno.EINVAL : Duplicate(c, c.I2, c.I1 != 0);
            case 1:
                return c.Files.GetCloseOnExec(c.I0) is { } flag ? flag ? 1 : 0 : -Errno.EBADF;
            case 2:
                return c.Files.SetCloseOnExec(c.I0, (c.A2 & 1) != 0) ? 0 : -Errno.EBADF;
        }

        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        switch (c.I1)
        {
            case GetStatus:
            {
                var status = HostCalls.Call(HostSys.Fcntl, file.HostFd, GetStatus);
                return status < 0 || file.File.Owner is not { IsAsynchronous: true } ? status : status | OwnerCalls.Asynchronous;
            }

            case SetStatus:
            {
                var error = HostCalls.Call(
                    HostSys.Fcntl, file.HostFd, SetStatus, (long)(c.A2 & ~(ulong)(OwnerCalls.Asynchronous | OpenFlags.CloseOnExec)));
                if (error == 0)
                    OwnerCalls.SetAsynchronous(c, file.File, (c.A2 & OwnerCalls.Asynchronous) != 0);
                return error;
            }

            case >= 5 and <= 7:
                return Lock(c, file, c.I1 - 5, c.Is32 ? LockLayout.Short32 : LockLayout.Long64, false);
            case >= 12 and <= 14 when c.Is32:
                return Lock(c, file, c.I1 - 12, LockLayout.Packed64, false);
            case >= 36 and <= 38:
                return Lock(c, file, c.I1 - 36, c.Is32 ? LockLayout.Packed64 : LockLayout.Long64, true);
            case (>= 8 and <= 11) or (>= 15 and <= 17):
                return OwnerCalls.Fcntl(c, file.File);
            case SetLease:
                // The host would tell the host process that somebody else opens the file. As on a file system without leases.
                return c.I2 == Unlocked ? -Errno.EAGAIN : -Errno.EINVAL;
            case GetLease:
                return Unlocked;
            case 1031 or 1032 or 1033 or 1034:
                return HostCalls.Call(HostSys.Fcntl, file.HostFd, c.I1, c.I2);
            case >= 1035 and <= 1038:
                return Hint(c, file);
            default:
                return -Errno.EINVAL;
        }
    }

    /// <summary>flock(fd, operation).</summary>
    public static long Flock(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        return file.IsNone() ? -Errno.EBADF : c.Blocking(HostSys.Flock, file.HostFd, c.I1);
    }

    /// <summary>pipe(fds).</summary>
    public static long Pipe(in SyscallContext c) => Pipe(c, 0);

    /// <summary>pipe2(fds, flags).</summary>
    public static long Pipe2(in SyscallContext c) => Pipe(c, c.I1);

    /// <summary>Enters two new host descriptors and writes their numbers to the guest.</summary>
    public static long InstallPair(in SyscallContext c, int first, int second, bool closeOnExec, ulong address)
    {
        var a = c.Files.Add(new OpenFile(first), closeOnExec);
        if (a < 0)
        {
            HostCalls.Close(second);
            return a;
        }

        var b = c.Files.Add(new OpenFile(second), closeOnExec);
        if (b >= 0 && c.Memory.TryWrite(address, (uint)a | ((ulong)b << 32)))
            return 0;
        c.Files.Remove(a)?.Release();
        if (b < 0)
            return b;
        c.Files.Remove(b)?.Release();
        return -Errno.EFAULT;
    }

    // F_GET_RW_HINT, F_SET_RW_HINT and the two for the file: a 64-bit value behind a pointer.
    private static long Hint(in SyscallContext c, FileRef file)
    {
        var gets = (c.I1 & 1) != 0;
        ulong hint = 0;
        if (!gets && !c.Memory.TryRead(c.A2, out hint))
            return -Errno.EFAULT;
        var result = HostCalls.Call(HostSys.Fcntl, file.HostFd, c.I1, (nint)(&hint));
        return result < 0 || !gets || c.Memory.TryWrite(c.A2, hint) ? result : -Errno.EFAULT;
    }

    private static long Pipe(in SyscallContext c, int flags)
    {
        var ends = stackalloc int[2];
        var error = HostCalls.Call(HostSys.Pipe2, (nint)ends, flags | OpenFlags.CloseOnExec);
        if (error == -Errno.EMFILE)
            return -Errno.ENFILE;
        return error < 0 ? error : InstallPair(c, ends[0], ends[1], (flags & OpenFlags.CloseOnExec) != 0, c.A0);
    }

    private static long Duplicate(in SyscallContext c, int from, bool closeOnExec)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        file.File.AddReference();
        return c.Files.Add(file.File, closeOnExec, from);
    }

    private static long DuplicateTo(in SyscallContext c, bool closeOnExec)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        using (var old = c.File(c.I1))
            if (!old.IsNone())
                c.Process.DropRecordLocks(old.File);
        file.File.AddReference();
        return c.Files.Set(c.I1, file.File, closeOnExec);
    }

    private static long Open(in SyscallContext c, int directory, ulong address, int flags, int mode, ulong resolve = 0)
    {
        long error = c.TryReadPath(address, out var text);
        if (error < 0)
            return error;
        if (c.Files.IsFull)
            return -Errno.EMFILE;
        var call = new InterruptibleOpen(c.Thread);
        error = PathResolver.Open(c.Asker(), directory, text, flags, mode & ~c.Process.FileSystem.Umask, resolve, call, out var file);
        if (error < 0)
            return error == -Errno.EMFILE ? -Errno.ENFILE : error;
        if ((flags & OpenFlags.Truncate) != 0 && file!.Tag == null)
            c.Process.Kernel.FileMayBeShorter(file.HostFd);
        if (c.Is32 && (flags & (OpenFlags.LargeFile | OpenFlags.PathOnly)) == 0 && file!.Tag == null
            && HostFiles.Status(file.HostFd, out var status) == 0 && status.Size > int.MaxValue && (status.Mode & 0xf000) == 0x8000)
        {
            file.Release();
            return -Errno.EOVERFLOW;
        }

        file!.Path ??= text.StartsWith('/') ? text : null;
        return c.Files.Add(file, (flags & OpenFlags.CloseOnExec) != 0);
    }

    private static long Lock(in SyscallContext c, FileRef file, int command, LockLayout layout, bool ofDescription)
    {
        Span<byte> bytes = stackalloc byte[32];
        var (size, startAt, wide) = layout switch
        {
            LockLayout.Short32 => (16, 4, false),
            LockLayout.Packed64 => (24, 4, true),
            _ => (32, 8, true),
        };
        bytes = bytes[..size];
        if (!c.Memory.TryRead(c.A2, bytes))
            return -Errno.EFAULT;
        var word = wide ? 8 : 4;
        var request = new RecordLock
        {
            Type = BinaryPrimitives.ReadInt16LittleEndian(bytes),
            Whence = BinaryPrimitives.ReadInt16LittleEndian(bytes[2..]),
            Start = ReadWord(bytes[startAt..], wide),
            Length = ReadWord(bytes[(startAt + word)..], wide),
            Process = BinaryPrimitives.ReadInt32LittleEndian(bytes[(startAt + (2 * word))..]),
        };
        var thread = c.Thread;
        var result = ofDescription
            ? Request(thread, file.HostFd, 36 + command, (nint)(&request))
            : c.Process.Locks.Request((fd, number, p) => Request(thread, fd, number, p), file.HostFd, command, ref request);
        if (result < 0 || command != 0)
            return result;
        if (!ofDescription && request.Type != Unlocked && request.Process < 0)
            request.Process = Holder(c.Process, file.HostFd);
        if (!wide && (request.Start > int.MaxValue || request.Length > int.MaxValue))
            return -Errno.EOVERFLOW;
        BinaryPrimitives.WriteInt16LittleEndian(bytes, request.Type);
        BinaryPrimitives.WriteInt16LittleEndian(bytes[2..], request.Whence);
        WriteWord(bytes[startAt..], request.Start, wide);
        WriteWord(bytes[(startAt + word)..], request.Length, wide);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[(startAt + (2 * word))..], request.Process);
        return c.Memory.TryWrite(c.A2, bytes) ? result : -Errno.EFAULT;
    }

    // The host knows guests' locks by their open files, not by process. Which guest it is follows from who has locks on the file; 0 is none,
    // a program of the host.
    private static int Holder(Processes.GuestProcess asking, int hostFd)
    {
        if (HostFiles.Status(hostFd, out var status) < 0)
            return 0;
        lock (asking.Kernel.Gate)
            return asking.Kernel.Processes.FirstOrDefault(p => p != asking && p.Locks.Knows(status))?.Pid ?? 0;
    }

    private static long Request(Processes.GuestThread thread, int fd, int command, nint request)
    {
        var result = HostCalls.Interruptible(thread.InterruptWord, HostSys.Fcntl, fd, command, request);
        return result == -Errno.EINTR ? -Errno.ERESTARTSYS : result;
    }

    private static long ReadWord(ReadOnlySpan<byte> bytes, bool wide) =>
        wide ? BinaryPrimitives.ReadInt64LittleEndian(bytes) : BinaryPrimitives.ReadInt32LittleEndian(bytes);

    private static void WriteWord(Span<byte> bytes, long value, bool wide)
    {
        if (wide)
            BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        else
            BinaryPrimitives.WriteInt32LittleEndian(bytes, (int)value);
    }

    // An open that waits (for the other end of a FIFO) ends when a signal comes.
    private sealed class InterruptibleOpen(Processes.GuestThread thread) : OpenCall
    {
        public override long Open(int directory, string path, int flags, int mode, ulong resolve)
        {
            const int Size = 24;
            if (!HostFiles.HasOpenat2)
                return HostFiles.Open(directory, path, flags, mode, resolve);
            var how = stackalloc ulong[3] { (uint)flags, (uint)mode, resolve };
            fixed (byte* name = HostCalls.Path(path))
            {
                var fd = HostCalls.Interruptible(thread.InterruptWord, HostSys.Openat2, directory, (nint)name, (nint)how, Size);
                if (fd != -Errno.EINTR)
                    return fd;

                // Only a FIFO lets an open wait; any other is made to its end although a signal waits.
                return HostFiles.NamesFifo(directory, (resolve & HostFiles.InRoot) != 0 ? path.TrimStart('/') : path) ? -Errno.ERESTARTSYS : HostCalls.Call(HostSys.Openat2, directory, (nint)name, (nint)how, Size);
            }
        }
    }

    private enum LockLayout
    {
        Short32,
        Packed64,
        Long64,
    }
}
