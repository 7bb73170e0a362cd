using System.Buffers.Binary;
using System.Runtime.InteropServices;
using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Making, naming and connecting sockets, and their options. Messages are in <see cref="SocketMessages"/>.</summary>
internal static unsafe class Sockets
{
    private const int CloseOnExec = OpenFlags.CloseOnExec;
    private const int SolSocket = 1;
    private const int ReceiveTimeout = 20, SendTimeout = 21;
    private const int MaxOption = 65536;

    /// <summary>socket(domain, type, protocol).</summary>
    public static long Socket(in SyscallContext c) => SocketOptions.IsFamily(c.I0)
        ? c.Install(HostCalls.Call(HostSys.Socket, c.I0, c.I1 | CloseOnExec, c.I2), (c.I1 & CloseOnExec) != 0)
        : -Errno.EAFNOSUPPORT;

    /// <summary>socketpair(domain, type, protocol, fds).</summary>
    public static long SocketPair(in SyscallContext c)
    {
        if (!SocketOptions.IsFamily(c.I0))
            return -Errno.EAFNOSUPPORT;
        var ends = stackalloc int[2];
        var error = HostCalls.Call(HostSys.Socketpair, c.I0, c.I1 | CloseOnExec, c.I2, (nint)ends);
        return error < 0 ? error : DescriptorCalls.InstallPair(c, ends[0], ends[1], (c.I1 & CloseOnExec) != 0, c.A3);
    }

    /// <summary>bind(fd, address, length).</summary>
    public static long Bind(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        long error = ReadGuestAddress(c, c.A1, c.A2, out var guest);
        if (error < 0)
            return error;
        error = SocketAddresses.ToHostForBinding(c.Asker(), guest, out var host, out var parent);
        using var held = parent;
        if (error < 0)
            return error;
        fixed (byte* p = host)
            error = HostCalls.Call(HostSys.Bind, file.HostFd, (nint)p, host.Length);
        if (error == 0 && parent.Name is { Length: > 0 } && c.Process.FileSystem.Umask != 0)
            ApplyMask(parent, c.Process.FileSystem.Umask);
        return error;
    }

    // The host made the socket's file with its own mask, 0.
    private static void ApplyMask(in PathTarget parent, int umask)
    {
        const int SocketType = 0xC000, TypeMask = 0xF000;
        var fd = HostCalls.OpenAt(parent.HostFd, parent.Name, OpenFlags.PathOnly | OpenFlags.NoFollow | OpenFlags.CloseOnExec);
        if (fd < 0)
            return;
        if (HostFiles.Status(fd, out var status) == 0 && (status.Mode & TypeMask) == SocketType)
            fixed (byte* name = HostCalls.Path(HostFiles.Reopening(fd)))
                HostCalls.Call(HostSys.Fchmodat, PathResolver.AtWorkingDirectory, (nint)name, 0x1ff & ~umask);
        HostCalls.Close(fd);
    }

    /// <summary>connect(fd, address, length).</summary>
    public static long Connect(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        var error = ReadAddress(c, c.A1, c.A2, out var host, out var target);
        using var held = target;
        if (error < 0)
            return error;
        fixed (byte* p = host)
            return Interrupted(c.Blocking(HostSys.Connect, file.HostFd, (nint)p, host.Length), file.HostFd, sends: true);
    }

    /// <summary>listen(fd, backlog).</summary>
    public static long Listen(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        return file.IsNone() ? -Errno.EBADF : HostCalls.Call(HostSys.Listen, file.HostFd, c.I1);
    }

    /// <summary>accept(fd, address, length).</summary>
    public static long Accept(in SyscallContext c) => Accept(c, 0);

    /// <summary>accept4: accept with flags.</summary>
    public static long Accept4(in SyscallContext c) => Accept(c, c.I3);

    /// <summary>getsockname(fd, address, length).</summary>
    public static long GetName(in SyscallContext c) => GetName(c, HostSys.Getsockname);

    /// <summary>getpeername(fd, address, length).</summary>
    public static long GetPeer(in SyscallContext c) => GetName(c, HostSys.Getpeername);

    /// <summary>shutdown(fd, how).</summary>
    public static long Shutdown(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        return file.IsNone() ? -Errno.EBADF : HostCalls.Call(HostSys.Shutdown, file.HostFd, c.I1);
    }

    /// <summary>setsockopt(fd, level, option, value, length).</summary>
    public static long SetOption(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        if (c.I4 is < 0 or > MaxOption)
            return -Errno.EINVAL;
        if (!SocketOptions.HoldsValues(c.I1, c.I2))
            return -Errno.ENOPROTOOPT;
        var value = new byte[Math.Max(c.I4, 1)];
        if (!c.Memory.TryRead(c.A3, value.AsSpan(0, c.I4)))
            return -Errno.EFAULT;
        var length = c.I4;
        if (IsShortTime(c) && length >= 8)
        {
            var wide = new long[2] { BinaryPrimitives.ReadInt32LittleEndian(value), BinaryPrimitives.ReadInt32LittleEndian(value.AsSpan(4)) };
            value = MemoryMarshal.AsBytes(wide.AsSpan()).ToArray();
            length = value.Length;
        }

        fixed (byte* p = value)
            return HostCalls.Call(HostSys.Setsockopt, file.HostFd, c.I1, c.I2, (nint)p, length);
    }

    /// <summary>getsockopt(fd, level, option, value, length).</summary>
    public static long GetOption(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        if (!c.Memory.TryRead(c.A4, out int room))
            return -Errno.EFAULT;
        if (room < 0)
            return -Errno.EINVAL;
        if (!SocketOptions.HoldsValues(c.I1, c.I2))
            return -Errno.ENOPROTOOPT;
        var shortTime = IsShortTime(c);
        var value = new byte[shortTime ? 16 : Math.Clamp(room, 1, MaxOption)];
        var length = shortTime ? 16 : Math.Min(room, MaxOption);
        long error;
        fixed (byte* p = value)
            error = HostCalls.Call(HostSys.Getsockopt, file.HostFd, c.I1, c.I2, (nint)p, (nint)(&length));
        if (error < 0)
            return error;
        if (shortTime)
        {
            BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(4), (int)BinaryPrimitives.ReadInt64LittleEndian(value.AsSpan(8)));
            length = Math.Min(room, 8);
        }

        return c.Memory.TryWrite(c.A3, value.AsSpan(0, Math.Min(length, value.Length))) && c.Memory.TryWrite(c.A4, length) ? error : -Errno.EFAULT;
    }

    /// <summary>socketcall(number, arguments): all socket calls of old i386 programs.</summary>
    public static long SocketCall(in SyscallContext c)
    {
        ReadOnlySpan<byte> counts = [0, 3, 3, 3, 2, 3, 3, 3, 4, 4, 4, 6, 6, 2, 5, 5, 3, 3, 4, 5, 4];
        if (c.I0 < 1 || c.I0 >= counts.Length)
            return -Errno.EINVAL;
        Span<uint> a = stackalloc uint[6];
        a.Clear();
        if (!c.Memory.TryRead(c.A1, MemoryMarshal.AsBytes(a[..counts[c.I0]])))
            return -Errno.EFAULT;
        var inner = new SyscallContext(c.Thread, c.Abi, a[0], a[1], a[2], a[3], a[4], a[5]);
        return c.I0 switch
        {
            1 => Socket(inner),
            2 => Bind(inner),
            3 => Connect(inner),
            4 => Listen(inner),
            5 => Accept(inner),
            6 => GetName(inner),
            7 => GetPeer(inner),
            8 => SocketPair(inner),
            9 => SocketMessages.Send(inner),
            10 => SocketMessages.Receive(inner),
            11 => SocketMessages.SendTo(inner),
            12 => SocketMessages.ReceiveFrom(inner),
            13 => Shutdown(inner),
            14 => SetOption(inner),
            15 => GetOption(inner),
            16 => SocketMessages.SendMessage(inner),
            17 => SocketMessages.ReceiveMessage(inner),
            18 => Accept4(inner),
            19 => SocketMessages.ReceiveMessages(inner),
            _ => SocketMessages.SendMessages(inner),
        };
    }

    /// <summary>Reads an address argument and turns it into the host's. See <see cref="SocketAddresses.ToHost"/>.</summary>
    internal static long ReadAddress(in SyscallContext c, ulong address, ulong length, out byte[] host, out PathTarget target)
    {
        host = [];
        target = default;
        var error = ReadGuestAddress(c, address, length, out var guest);
        return error < 0 ? error : SocketAddresses.ToHost(c.Asker(), guest, out host, out target);
    }

    private static long ReadGuestAddress(in SyscallContext c, ulong address, ulong length, out byte[] guest)
    {
        guest = [];
        if ((uint)length > SocketAddresses.MaxSize)
            return -Errno.EINVAL;
        guest = new byte[(uint)length];
        return c.Memory.TryRead(address, guest) || guest.Length == 0 ? 0 : -Errno.EFAULT;
    }

    /// <summary>Writes an address and its full length; what has no room is cut.</summary>
    internal static long WriteAddress(in SyscallContext c, ReadOnlySpan<byte> host, ulong address, ulong lengthAddress)
    {
        if (!c.Memory.TryRead(lengthAddress, out int room))
            return -Errno.EFAULT;
        if (room < 0)
            return -Errno.EINVAL;
        var guest = SocketAddresses.ToGuest(host);
        return c.Memory.TryWrite(address, guest.AsSpan(0, Math.Min(room, guest.Length))) && c.Memory.TryWrite(lengthAddress, guest.Length)
            ? 0
            : -Errno.EFAULT;
    }

    /// <summary>
    /// What an interrupted call on a socket becomes: with a time-out (SO_RCVTIMEO, SO_SNDTIMEO) it is not made again, whatever the handler
    /// asks (the kernel's sock_intr_errno). Other results, and other files, are left as they are.
    /// </summary>
    internal static long Interrupted(long result, int hostFd, bool sends)
    {
        if (result != -Errno.ERESTARTSYS)
            return result;
        var time = stackalloc long[2];
        var length = 2 * sizeof(long);
        var known = HostCalls.Call(
            HostSys.Getsockopt, hostFd, SolSocket, sends ? SendTimeout : ReceiveTimeout, (nint)time, (nint)(&length)) == 0;
        return known && (time[0] | time[1]) != 0 ? -Errno.EINTR : result;
    }

    // struct timeval of a 32-bit long.
    private static bool IsShortTime(in SyscallContext c) => c.Is32 && c.I1 == SolSocket && c.I2 is ReceiveTimeout or SendTimeout;

    private static long Accept(in SyscallContext c, int flags)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        if (c.Files.IsFull)
            return -Errno.EMFILE;
        var address = stackalloc byte[SocketAddresses.MaxSize];
        var length = SocketAddresses.MaxSize;
        var fd = Interrupted(
            c.Blocking(HostSys.Accept4, file.HostFd, (nint)address, (nint)(&length), flags | CloseOnExec), file.HostFd, sends: false);
        if (fd < 0)
            return fd == -Errno.EMFILE ? -Errno.ENFILE : fd;
        if (c.A1 != 0)
        {
            var error = WriteAddress(c, new ReadOnlySpan<byte>(address, length), c.A1, c.A2);
            if (error < 0)
            {
                HostCalls.Close((int)fd);
                return error;
            }
        }

        return c.Install(fd, (flags & CloseOnExec) != 0);
    }

    private static long GetName(in SyscallContext c, int number)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        var address = stackalloc byte[SocketAddresses.MaxSize];
        var length = SocketAddresses.MaxSize;
        var error = HostCalls.Call(number, file.HostFd, (nint)address, (nint)(&length));
        return error < 0 ? error : WriteAddress(c, new ReadOnlySpan<byte>(address, length), c.A1, c.A2);
    }
}
