using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Syscalls;

/// <summary>What the file calls add to a <see cref="SyscallContext"/>.</summary>
internal static class FileAccess
{
    /// <summary>A counted reference to the open file behind a guest descriptor; see <see cref="IsNone"/>.</summary>
    public static FileRef File(this in SyscallContext c, int fd)
    {
        c.Files.TryGet(fd, out var file);
        return file;
    }

    /// <summary>True when the descriptor was not open: EBADF.</summary>
    public static bool IsNone(this FileRef file) => file.File is null;

    /// <summary>A 64-bit offset: one argument, or two for i386.</summary>
    public static long Offset(this in SyscallContext c, ulong low, ulong high) => c.Is32 ? SyscallContext.Pair(low, high) : (long)low;

    /// <summary>Enters a new host descriptor into the table of the process.</summary>
    /// <param name="c">The call.</param>
    /// <param name="hostFd">A host descriptor, or a negative error number, which is passed on.</param>
    /// <param name="closeOnExec">Close-on-exec flag of the guest descriptor.</param>
    /// <param name="path">Guest path it was opened by.</param>
    /// <param name="tag">See <see cref="OpenFile.Tag"/>.</param>
    /// <returns>The guest descriptor or a negative error number.</returns>
    public static long Install(this in SyscallContext c, long hostFd, bool closeOnExec, string? path = null, object? tag = null) =>
        hostFd < 0 ? (hostFd == -Errno.EMFILE ? -Errno.ENFILE : hostFd) : c.Files.Add(new OpenFile((int)hostFd) { Path = path, Tag = tag }, closeOnExec);

    /// <summary>Who looks up a path.</summary>
    public static Asker Asker(this in SyscallContext c) => new(c.Thread);

    /// <summary>Reads a path argument and finds the object that it names.</summary>
    /// <param name="c">The call.</param>
    /// <param name="directory">Guest descriptor or AT_FDCWD.</param>
    /// <param name="address">Where the path is.</param>
    /// <param name="target">Dispose it after use.</param>
    /// <param name="follow">True when the call follows a symbolic link at the path's end.</param>
    /// <param name="orDescriptor">True when an empty path means the descriptor itself (AT_EMPTY_PATH).</param>
    /// <returns>0 or a negative error number.</returns>
    public static long Find(
        this in SyscallContext c, int directory, ulong address, out PathTarget target, bool follow = true, bool orDescriptor = false)
    {
        target = default;
        long error = c.TryReadPath(address, out var text);
        if (error < 0)
            return error;
        return text.Length > 0 ? PathResolver.Find(c.Asker(), directory, text, follow, out target) : c.FindEmpty(directory, orDescriptor, out target);
    }

    /// <summary>What an empty path names: with AT_EMPTY_PATH the descriptor itself, else nothing.</summary>
    public static long FindEmpty(this in SyscallContext c, int directory, bool orDescriptor, out PathTarget target)
    {
        target = default;
        if (!orDescriptor)
            return -Errno.ENOENT;
        if (directory == PathResolver.AtWorkingDirectory)
        {
            target = PathTarget.Of(c.Process.FileSystem.Acquire());
            return 0;
        }

        var file = c.File(directory);
        if (file.IsNone())
            return -Errno.EBADF;
        target = PathTarget.Of(file);
        return 0;
    }

    /// <summary>Reads a path argument and finds the directory that its last name is in (<see cref="PathResolver.FindParent"/>).</summary>
    public static long FindParent(this in SyscallContext c, int directory, ulong address, out PathTarget parent)
    {
        parent = default;
        long error = c.TryReadPath(address, out var text);
        return error < 0 ? error : PathResolver.FindParent(c.Asker(), directory, text, out parent);
    }

    /// <summary>
    /// Reads or writes through the host. A signal interrupts that only where it can last: a regular file's transfer is made to its end,
    /// as in the kernel.
    /// </summary>
    public static long Transfer(
        this in SyscallContext c, int number, int hostFd, long a1, long a2, long a3 = 0, long a4 = 0, long a5 = 0)
    {
        var result = c.Blocking(number, hostFd, a1, a2, a3, a4, a5);
        if (result != -Errno.ERESTARTSYS)
            return result;
        return HostFiles.IsRegular(hostFd)
            ? HostCalls.Call(number, hostFd, a1, a2, a3, a4, a5)
            : Sockets.Interrupted(result, hostFd, sends: number is HostSys.Write or HostSys.Writev or HostSys.Pwritev or HostSys.Pwritev2);
    }

    /// <summary>True when O_NONBLOCK is set on the open file.</summary>
    public static bool IsNonBlocking(this in SyscallContext c, FileRef file) =>
        (HostCalls.Call(HostSys.Fcntl, file.HostFd, DescriptorCalls.GetStatus) & OpenFlags.NonBlocking) != 0;

    /// <summary>Sends SIGPIPE to the thread when a write found its reader gone.</summary>
    public static long BrokenPipe(this in SyscallContext c, long result)
    {
        if (result == -Errno.EPIPE)
            c.Process.Send(c.Thread, SignalInfo.Sent(Signal.Pipe, SignalInfo.FromUser, c.Process.Pid, c.Process.Credentials.User));
        return result;
    }
}

/// <summary>An open file whose data DynaTrans itself makes, behind a host descriptor that can be polled.</summary>
public interface IReadable
{
    /// <summary>read(2) into guest memory.</summary>
    /// <param name="c">The call.</param>
    /// <param name="address">Guest address.</param>
    /// <param name="length">Bytes wanted.</param>
    /// <param name="nonBlocking">True: -EAGAIN instead of waiting.</param>
    /// <returns>Bytes read or a negative error number.</returns>
    long Read(in SyscallContext c, ulong address, ulong length, bool nonBlocking);
}
