using System.Buffers.Binary;
using System.Text;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Files;

/// <summary>
/// Socket addresses. Their layouts are the same for i386 and x86-64. A path in an AF_UNIX address is a guest path: it is resolved, and
/// where the result does not fit into 108 bytes, or starts at the guest's working directory, the directory is named through /proc/self/fd.
/// </summary>
internal static unsafe class SocketAddresses
{
    /// <summary>Bytes of the largest address (struct sockaddr_storage).</summary>
    public const int MaxSize = 128;

    private const int Unix = 1;
    private const int UnixPathAt = 2;
    private const int UnixPathMax = 108;
    private const string Through = "/proc/self/fd/";

    /// <summary>Turns a guest address into the host's.</summary>
    /// <param name="process">The process.</param>
    /// <param name="guest">The guest's bytes.</param>
    /// <param name="host">The host's bytes.</param>
    /// <param name="directory">A descriptor that <paramref name="host"/> names: to be disposed after the call.</param>
    /// <param name="path">The resolved path of an AF_UNIX address, else null.</param>
    /// <returns>0 or a negative error number.</returns>
    public static long ToHost(GuestProcess process, ReadOnlySpan<byte> guest, out byte[] host, out FileRef directory, out string? path)
    {
        host = guest.ToArray();
        directory = default;
        path = null;
        if (guest.Length <= UnixPathAt || BinaryPrimitives.ReadUInt16LittleEndian(guest) != Unix || guest[UnixPathAt] == 0)
            return 0;
        var name = guest[UnixPathAt..];
        var end = name.IndexOf((byte)0);
        var text = Encoding.Latin1.GetString(end < 0 ? name : name[..end]);
        var error = PathResolver.Resolve(process, PathResolver.AtWorkingDirectory, text, out var resolved);
        if (error < 0)
            return error;
        using var held = resolved;
        path = resolved.Path;
        if (!path.StartsWith('/'))
        {
            directory = process.FileSystem.Acquire();
            path = $"{Through}{directory.HostFd}/{path}";
        }

        if (path.Length >= UnixPathMax)
        {
            var slash = path.LastIndexOf('/');
            var fd = HostCalls.OpenAt(PathResolver.AtWorkingDirectory, path[..(slash + 1)], OpenFlags.PathOnly | OpenFlags.CloseOnExec);
            directory.Dispose();
            directory = default;
            if (fd < 0)
                return fd;
            directory = new FileRef(new OpenFile(fd));
            path = $"{Through}{fd}{path[slash..]}";
            if (path.Length >= UnixPathMax)
            {
                directory.Dispose();
                directory = default;
                return -Errno.ENAMETOOLONG;
            }
        }

        host = new byte[UnixPathAt + path.Length + 1];
        BinaryPrimitives.WriteUInt16LittleEndian(host, Unix);
        Encoding.Latin1.GetBytes(path, host.AsSpan(UnixPathAt));
        return 0;
    }

    /// <summary>An address of the host as the guest knows it: what was named through /proc/self/fd becomes the relative path it was.</summary>
    public static byte[] ToGuest(ReadOnlySpan<byte> host)
    {
        if (host.Length <= UnixPathAt || BinaryPrimitives.ReadUInt16LittleEndian(host) != Unix)
            return host.ToArray();
        var name = host[UnixPathAt..];
        var end = name.IndexOf((byte)0);
        var text = Encoding.Latin1.GetString(end < 0 ? name : name[..end]);
        var slash = text.StartsWith(Through, StringComparison.Ordinal) ? text.IndexOf('/', Through.Length) : -1;
        if (slash < 0)
            return host.ToArray();
        return [Unix, 0, .. Encoding.Latin1.GetBytes(text[(slash + 1)..]), 0];
    }
}
