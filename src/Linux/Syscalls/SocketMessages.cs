using System.Runtime.InteropServices;
using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Sending and receiving on sockets, with addresses, vectors and ancillary data (descriptors among it).</summary>
internal static unsafe class SocketMessages
{
    private const int NoSignal = 0x4000;
    private const int DontWait = 0x40;
    private const int WaitForOne = 0x10000;
    private const int MessageCloseOnExec = 0x40000000;
    private const int ControlTruncated = 8;
    private const int MaxMessages = 1024;
    private const int HostHeaderWords = 7;

    /// <summary>send(fd, buffer, length, flags), i386 through socketcall.</summary>
    public static long Send(in SyscallContext c) => SendTo(new SyscallContext(c.Thread, c.Abi, c.A0, c.A1, c.A2, c.A3, 0, 0));

    /// <summary>recv(fd, buffer, length, flags), i386 through socketcall.</summary>
    public static long Receive(in SyscallContext c) => ReceiveFrom(new SyscallContext(c.Thread, c.Abi, c.A0, c.A1, c.A2, c.A3, 0, 0));

    /// <summary>sendto(fd, buffer, length, flags, address, address length).</summary>
    public static long SendTo(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        if (!c.Memory.TryGetReadable(c.A1, Math.Min(c.A2, Vectors.MaxBytes), out var p))
            return -Errno.EFAULT;
        byte[] host = [];
        PathTarget target = default;
        if (c.A4 != 0)
        {
            var error = Sockets.ReadAddress(c, c.A4, c.A5, out host, out target);
            if (error < 0)
            {
                target.Dispose();
                return error;
            }
        }

        using var held = target;
        fixed (byte* address = host)
        {
            var done = c.Blocking(
                HostSys.Sendto, file.HostFd, (nint)p, (long)Math.Min(c.A2, Vectors.MaxBytes), c.I3 | NoSignal, (nint)address, host.Length);
            done = Sockets.Interrupted(done, file.HostFd, sends: true);
            return (c.I3 & NoSignal) != 0 ? done : c.BrokenPipe(done);
        }
    }

    /// <summary>recvfrom(fd, buffer, length, flags, address, address length).</summary>
    public static long ReceiveFrom(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        if (!c.Memory.TryGetPrefix(c.A1, Math.Min(c.A2, Vectors.MaxBytes), true, out var p, out var length))
            return -Errno.EFAULT;
        var address = stackalloc byte[SocketAddresses.MaxSize];
        var addressLength = SocketAddresses.MaxSize;
        var done = c.Blocking(
            HostSys.Recvfrom, file.HostFd, (nint)p, (long)length, c.I3, c.A4 == 0 ? 0 : (nint)address, c.A4 == 0 ? 0 : (nint)(&addressLength));
        if (done < 0)
            return Sockets.Interrupted(done, file.HostFd, sends: false);
        c.Memory.Space.PrepareWrite(c.A1, Math.Min((ulong)done, length));
        if (c.A4 != 0)
        {
            var error = Sockets.WriteAddress(c, new ReadOnlySpan<byte>(address, addressLength), c.A4, c.A5);
            if (error < 0)
                return error;
        }

        return done;
    }

    /// <summary>sendmsg(fd, header, flags).</summary>
    public static long SendMessage(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        return file.IsNone() ? -Errno.EBADF : SendOne(c, file, c.A1, c.I2);
    }

    /// <summary>recvmsg(fd, header, flags).</summary>
    public static long ReceiveMessage(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        return file.IsNone() ? -Errno.EBADF : ReceiveOne(c, file, c.A1, c.I2);
    }

    /// <summary>sendmmsg(fd, headers, count, flags).</summary>
    public static long SendMessages(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        var header = (ulong)(c.Is32 ? 28 : 56);
        var stride = header + (ulong)c.LongSize;
        var count = Math.Min((uint)c.A2, MaxMessages);
        for (uint i = 0; i < count; i++)
        {
            var at = c.A1 + (i * stride);
            var done = SendOne(c, file, at, c.I3);
            if (done < 0)
                return i > 0 ? i : done;
            if (!c.Memory.TryWrite(at + header, (uint)done))
                return i > 0 ? i : -Errno.EFAULT;
        }

        return count;
    }

    /// <summary>recvmmsg(fd, headers, count, flags, timeout).</summary>
    public static long ReceiveMessages(in SyscallContext c) => ReceiveMessages(c, !c.Is32);

    /// <summary>recvmmsg_time64, i386 only.</summary>
    public static long ReceiveMessages64(in SyscallContext c) => ReceiveMessages(c, true);

    private static long ReceiveMessages(in SyscallContext c, bool wide)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        TimeSpec timeout = default;
        if (c.A4 != 0)
        {
            if (!(wide ? TimeLayouts.TryReadTimeSpec64(c, c.A4, out timeout) : TimeLayouts.TryReadTimeSpec(c, c.A4, out timeout)))
                return -Errno.EFAULT;
            if (!timeout.IsValid)
                return -Errno.EINVAL;
        }

        // As in the kernel, the timeout is looked at only after a message has come.
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        var header = (ulong)(c.Is32 ? 28 : 56);
        var stride = header + (ulong)c.LongSize;
        var count = Math.Min((uint)c.A2, MaxMessages);
        var flags = c.I3 & ~WaitForOne;
        for (uint i = 0; i < count; i++)
        {
            var at = c.A1 + (i * stride);
            var done = ReceiveOne(c, file, at, flags);
            if (done < 0)
                return i > 0 ? i : done;
            if (!c.Memory.TryWrite(at + header, (uint)done))
                return i > 0 ? i : -Errno.EFAULT;
            if ((c.I3 & WaitForOne) != 0)
                flags |= DontWait;
            if (c.A4 != 0 && System.Diagnostics.Stopwatch.GetElapsedTime(started).TotalNanoseconds >= timeout.ToNanoseconds())
                return i + 1;
        }

        return count;
    }

    private static long SendOne(in SyscallContext c, FileRef file, ulong at, int flags)
    {
        if (!TryReadHeader(c, at, out var header))
            return -Errno.EFAULT;
        var error = Vectors.Read(c.Memory, c.Is32, header.Vectors, header.VectorCount, false, out var vectors);
        if (error < 0)
            return error == -Errno.EINVAL && header.VectorCount > Vectors.MaxCount ? -Errno.EMSGSIZE : error;
        byte[] name = [];
        PathTarget target = default;
        if (header.Name != 0 && header.NameLength != 0)
        {
            error = Sockets.ReadAddress(c, header.Name, header.NameLength, out name, out target);
            if (error < 0)
            {
                target.Dispose();
                return error;
            }
        }

        using var heldTarget = target;
        byte[] control = [];
        var passed = new List<FileRef>();
        if (header.Control != 0 && header.ControlLength != 0)
        {
            if (header.ControlLength > ControlMessages.MaxBytes)
                return -Errno.ENOBUFS;
            var guest = new byte[header.ControlLength];
            if (!c.Memory.TryRead(header.Control, guest))
                return -Errno.EFAULT;
            error = ControlMessages.ToHost(guest, c.Is32, c.Process.Kernel.HostProcessId, Mapper(c.Process.Kernel, c.Files, passed), out control);
        }

        if (error >= 0)
        {
            fixed (byte* n = name, ctl = control)
            fixed (ulong* v = vectors.Host)
            {
                var host = stackalloc ulong[HostHeaderWords] { (ulong)n, (uint)name.Length, (ulong)v, (uint)vectors.Count, (ulong)ctl, (uint)control.Length, 0 };
                error = Sockets.Interrupted(
                    c.Blocking(HostSys.Sendmsg, file.HostFd, (nint)host, flags | NoSignal), file.HostFd, sends: true);
            }
        }

        foreach (var one in passed)
            one.Dispose();
        return (flags & NoSignal) != 0 ? error : c.BrokenPipe(error);
    }

    private static Func<int, int> Mapper(LinuxKernel kernel, FdTable files, List<FileRef> passed) => fd =>
    {
        if (!files.TryGet(fd, out var file))
            return -1;
        passed.Add(file);
        kernel.PassedFiles.Sent(file.File);
        return file.HostFd;
    };

    private static long ReceiveOne(in SyscallContext c, FileRef file, ulong at, int flags)
    {
        if (!TryReadHeader(c, at, out var header))
            return -Errno.EFAULT;
        var error = Vectors.Read(c.Memory, c.Is32, header.Vectors, header.VectorCount, true, out var vectors);
        if (error < 0)
            return error == -Errno.EINVAL && header.VectorCount > Vectors.MaxCount ? -Errno.EMSGSIZE : error;
        var name = stackalloc byte[SocketAddresses.MaxSize];

        // The host's headers are larger than i386's: room for every message that the guest could hold.
        var control = new byte[header.ControlLength == 0 ? 0 : Math.Min(header.ControlLength, ControlMessages.MaxBytes) * 2];
        long done;
        uint nameLength, controlLength, flagsOut;
        fixed (byte* ctl = control)
        fixed (ulong* v = vectors.Host)
        {
            var host = stackalloc ulong[HostHeaderWords]
            {
                header.Name == 0 ? 0 : (ulong)name, header.Name == 0 ? 0u : SocketAddresses.MaxSize, (ulong)v, (uint)vectors.Count, (ulong)ctl,
                (uint)control.Length, 0,
            };
            done = c.Blocking(HostSys.Recvmsg, file.HostFd, (nint)host, flags | MessageCloseOnExec);
            if (done < 0)
                return Sockets.Interrupted(done, file.HostFd, sends: false);
            nameLength = (uint)host[1];
            controlLength = (uint)host[5];
            flagsOut = (uint)host[6] & ~(uint)MessageCloseOnExec;
        }

        vectors.Changed(c.Memory, done);
        var files = c.Files;
        var who = c.Asker();
        var closeOnExec = (flags & MessageCloseOnExec) != 0;
        var guest = ControlMessages.ToGuest(
            control.AsSpan(0, (int)Math.Min(controlLength, (uint)control.Length)),
            c.Is32,
            (int)Math.Min(header.ControlLength, ControlMessages.MaxBytes),
            fd => who.Process.Kernel.PassedFiles.Received(who, fd) is { } received ? files.Add(received, closeOnExec) : -Errno.EACCES,
            fd => HostCalls.Close(fd),
            out var truncated);
        if (truncated)
            flagsOut |= ControlTruncated;
        if (closeOnExec)
            flagsOut |= unchecked((uint)MessageCloseOnExec);
        if (guest.Length > 0 && !c.Memory.TryWrite(header.Control, guest))
            return -Errno.EFAULT;
        var peer = header.Name == 0 ? [] : SocketAddresses.ToGuest(new ReadOnlySpan<byte>(name, (int)Math.Min(nameLength, SocketAddresses.MaxSize)));
        if (header.Name != 0 && !c.Memory.TryWrite(header.Name, peer.AsSpan(0, (int)Math.Min(header.NameLength, (uint)peer.Length))))
            return -Errno.EFAULT;
        return WriteBack(c, at, header.Name != 0, (uint)peer.Length, (uint)guest.Length, flagsOut) ? done : -Errno.EFAULT;
    }

    private static bool TryReadHeader(in SyscallContext c, ulong at, out Header header)
    {
        header = default;
        if (c.Is32)
        {
            Span<uint> words = stackalloc uint[7];
            if (!c.Memory.TryRead(at, MemoryMarshal.AsBytes(words)))
                return false;
            header = new Header(words[0], words[1], words[2], words[3], words[4], words[5]);
        }
        else
        {
            Span<ulong> words = stackalloc ulong[HostHeaderWords];
            if (!c.Memory.TryRead(at, MemoryMarshal.AsBytes(words)))
                return false;
            header = new Header(words[0], (uint)words[1], words[2], words[3], words[4], words[5]);
        }

        return true;
    }

    // name length, control length and flags go back into the header.
    private static bool WriteBack(in SyscallContext c, ulong at, bool named, uint nameLength, uint controlLength, uint flags)
    {
        var word = (ulong)c.LongSize;
        return (!named || c.Memory.TryWrite(at + word, nameLength))
            && c.TryWriteLong(at + (5 * word), controlLength) && c.Memory.TryWrite(at + (6 * word), flags);
    }

    private readonly record struct Header(
        ulong Name, uint NameLength, ulong Vectors, ulong VectorCount, ulong Control, ulong ControlLength);
}
