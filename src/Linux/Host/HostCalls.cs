using System.Text;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Host;

namespace DynaTrans.Linux.Host;

/// <summary>
/// System calls of the host, without libc: the result is the kernel's, a negative error number on failure. Two entries: plain, and
/// <see cref="Interruptible"/> for calls that may block, which a <see cref="Interruption"/> ends with -EINTR with no window in which the
/// wake-up could be lost.
/// </summary>
public static unsafe class HostCalls
{
    private static readonly delegate* unmanaged<long, long, long, long, long, long, long, long> s_plain =
        (delegate* unmanaged<long, long, long, long, long, long, long, long>)NativeCode.Publish("a system call", PlainCode);

    private static readonly delegate* unmanaged[SuppressGCTransition]<long, long, long, long, long, long, long, long> s_fast =
        (delegate* unmanaged[SuppressGCTransition]<long, long, long, long, long, long, long, long>)s_plain;

    // (number, six arguments)
    internal static ReadOnlySpan<byte> PlainCode =>
    [
        0x48, 0x89, 0xF8,                               // mov rax, rdi
        0x48, 0x89, 0xF7,                               // mov rdi, rsi
        0x48, 0x89, 0xD6,                               // mov rsi, rdx
        0x48, 0x89, 0xCA,                               // mov rdx, rcx
        0x4D, 0x89, 0xC2,                               // mov r10, r8
        0x4D, 0x89, 0xC8,                               // mov r8, r9
        0x4C, 0x8B, 0x4C, 0x24, 0x08,                   // mov r9, [rsp + 8]
        0x0F, 0x05,                                     // syscall
        0xC3,                                           // ret
    ];

    /// <summary>Makes a system call that does not block for long.</summary>
    public static long Call(int number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0) =>
        s_plain(number, a0, a1, a2, a3, a4, a5);

    /// <summary>Makes a system call that takes less than a microsecond and never blocks (the collector waits meanwhile).</summary>
    public static long Fast(int number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0) => s_fast(number, a0, a1, a2, a3, 0, 0);

    /// <summary>
    /// Makes a system call that may block. Returns -EINTR at once, without making it, when <paramref name="interrupted"/> is not zero, and
    /// when <see cref="Interruption.Kick"/> comes later.
    /// </summary>
    /// <param name="interrupted">The calling thread's interruption word, in unmanaged memory.</param>
    /// <param name="number">See <see cref="HostSys"/>.</param>
    /// <param name="a0">First argument.</param>
    /// <param name="a1">Second argument.</param>
    /// <param name="a2">Third argument.</param>
    /// <param name="a3">Fourth argument.</param>
    /// <param name="a4">Fifth argument.</param>
    /// <param name="a5">Sixth argument.</param>
    public static long Interruptible(
        int* interrupted, int number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0) =>
        Interruption.Invoke(interrupted, number, a0, a1, a2, a3, a4, a5);

    /// <summary>
    /// A path as the host takes it: bytes with a terminating zero. Paths are kept as strings with one char per byte (Latin-1), so that any
    /// sequence of bytes survives.
    /// </summary>
    public static byte[] Path(string path)
    {
        var bytes = new byte[path.Length + 1];
        ToBytes(path, bytes);
        return bytes;
    }

    /// <summary>
    /// The bytes of a string in the one-char-per-byte form. (<see cref="Encoding.Latin1"/> is vector code that is compiled when it is first
    /// called, and every start needs this.)
    /// </summary>
    public static void ToBytes(string text, Span<byte> bytes)
    {
        for (var i = 0; i < text.Length; i++)
            bytes[i] = text[i] <= 0xFF ? (byte)text[i] : (byte)'?';
    }

    /// <summary>Turns a path of the host's own (UTF-8) into the one-char-per-byte form.</summary>
    public static string FromText(string text)
    {
        foreach (var c in text)
            if (c >= 0x80)
                return Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));
        return text;
    }

    /// <summary>Turns the one-char-per-byte form into readable text.</summary>
    public static string ToText(string bytes) => Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(bytes));

    /// <summary>Fills up to 256 bytes with random ones, without the cryptographic library where the kernel gives them.</summary>
    public static void Random(Span<byte> bytes)
    {
        fixed (byte* p = bytes)
        {
            if (Call(HostSys.Getrandom, (nint)p, bytes.Length) != bytes.Length)
                System.Security.Cryptography.RandomNumberGenerator.Fill(bytes);
        }
    }

    /// <summary>openat(2).</summary>
    public static int OpenAt(int directory, string path, int flags, int mode = 0)
    {
        fixed (byte* p = Path(path))
            return (int)Call(HostSys.Openat, directory, (nint)p, flags, mode);
    }

    /// <summary>
    /// The text of a small file, one char per byte; null when it cannot be opened or read. For what is read at every start: the streams of
    /// .NET take a millisecond to be ready.
    /// </summary>
    public static string? ReadText(string path)
    {
        const int Cloexec = 0x80000;
        var fd = OpenAt(-100, path, Cloexec);
        if (fd < 0)
            return null;
        var buffer = new byte[4096];
        var length = 0;
        long n;
        do
        {
            if (length == buffer.Length)
                Array.Resize(ref buffer, buffer.Length * 2);
            fixed (byte* p = buffer)
                n = Call(HostSys.Read, fd, (nint)(p + length), buffer.Length - length);
            length += (int)Math.Max(0, n);
        }
        while (n > 0 || n == -Errno.EINTR);
        Close(fd);
        return n < 0 ? null : Encoding.Latin1.GetString(buffer, 0, length);
    }

    /// <summary>The rest of the first line of a text that begins with a name, trimmed; null when there is none.</summary>
    public static string? LineOf(string? text, string name)
    {
        for (var at = 0; text != null && at < text.Length;)
        {
            var end = text.IndexOf('\n', at);
            end = end < 0 ? text.Length : end;
            if (text.AsSpan(at).StartsWith(name))
                return text[(at + name.Length)..end].Trim();
            at = end + 1;
        }

        return null;
    }

    /// <summary>True when a path of the host's own names a directory.</summary>
    public static bool IsDirectory(string text)
    {
        const int PathDirectoryCloexec = 0x200000 | 0x10000 | 0x80000;
        var fd = OpenAt(-100, FromText(text), PathDirectoryCloexec);
        if (fd >= 0)
            Close(fd);
        return fd >= 0;
    }

    /// <summary>Another descriptor of the same open file, which is closed at execve (F_DUPFD_CLOEXEC of fcntl(2)).</summary>
    /// <returns>The descriptor, or a negative error number.</returns>
    public static int Duplicate(int fd)
    {
        const int DuplicateCloseOnExec = 1030;
        return (int)Call(HostSys.Fcntl, fd, DuplicateCloseOnExec);
    }

    /// <summary>close(2).</summary>
    public static int Close(int fd) => (int)Call(HostSys.Close, fd);

    /// <summary>pread64(2), repeated until the buffer is full, the file ends, or an error.</summary>
    /// <returns>Bytes read, or a negative error number.</returns>
    public static long ReadAt(int fd, Span<byte> buffer, long offset)
    {
        var done = 0;
        fixed (byte* p = buffer)
        {
            while (done < buffer.Length)
            {
                var n = Call(HostSys.Pread64, fd, (nint)(p + done), buffer.Length - done, offset + done);
                if (n == -Errno.EINTR)
                    continue;
                if (n < 0)
                    return n;
                if (n == 0)
                    break;
                done += (int)n;
            }
        }

        return done;
    }

    /// <summary>readlinkat(2); null when it fails.</summary>
    public static string? ReadLinkAt(int directory, string path)
    {
        Span<byte> buffer = stackalloc byte[4096];
        fixed (byte* p = Path(path))
        fixed (byte* b = buffer)
        {
            var n = Call(HostSys.Readlinkat, directory, (nint)p, (nint)b, buffer.Length);
            return n < 0 ? null : Encoding.Latin1.GetString(buffer[..(int)n]);
        }
    }
}
