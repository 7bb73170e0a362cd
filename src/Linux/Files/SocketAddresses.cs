using System.Buffers.Binary;
using System.Text;
using DynaTrans.Linux.Files.Proc;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Files;

/// <summary>
/// Socket addresses. Their layouts are the same for i386 and x86-64. A path in an AF_UNIX address is a guest path: it is looked up as any
/// other, and the host is given the object that was found, by the name that its descriptor has in the host's /proc.
/// </summary>
internal static unsafe class SocketAddresses
{
    /// <summary>Bytes of the largest address (struct sockaddr_storage).</summary>
    public const int MaxSize = 128;

    private const int Unix = 1;
    private const int UnixPathAt = 2;
    private const int UnixPathMax = 108;
    private const string Through = "/proc/self/fd/";

    /// <summary>Turns the guest's address of somebody else's socket into the host's.</summary>
    /// <param name="who">Who asks.</param>
    /// <param name="guest">The guest's bytes.</param>
    /// <param name="host">The host's bytes.</param>
    /// <param name="target">What <paramref name="host"/> names: to be disposed after the call.</param>
    /// <returns>0 or a negative error number.</returns>
    public static long ToHost(in Asker who, ReadOnlySpan<byte> guest, out byte[] host, out PathTarget target)
    {
        host = guest.ToArray();
        target = default;
        if (PathOf(guest) is not { } path)
            return 0;
        var error = PathResolver.Find(who, PathResolver.AtWorkingDirectory, path, true, out target);
        if (error < 0)
            return error;
        if (target.Node != null)
            return -Errno.ECONNREFUSED;
        host = Make(HostFiles.Reopening(target.HostFd));
        return 0;
    }

    /// <summary>Turns the guest's address of a new socket into the host's.</summary>
    /// <param name="who">Who asks.</param>
    /// <param name="guest">The guest's bytes.</param>
    /// <param name="host">The host's bytes.</param>
    /// <param name="parent">The directory that the socket's file will be in, and its name: to be disposed after the call.</param>
    /// <returns>0 or a negative error number.</returns>
    public static long ToHostForBinding(in Asker who, ReadOnlySpan<byte> guest, out byte[] host, out PathTarget parent)
    {
        host = guest.ToArray();
        parent = default;
        if (PathOf(guest) is not { } path)
            return 0;
        var error = PathResolver.FindParent(who, PathResolver.AtWorkingDirectory, path, out parent);
        if (error < 0)
            return error;
        if (parent.Node != null)
            return -Errno.ENOENT;

        // The name is kept by the host, for others to see: the guest's own where the host understands it as the guest does.
        using var here = who.Process.FileSystem.Acquire();
        var named = path[0] == '/' ? path : $"{Through}{here.HostFd}/{path}";
        host = Make(named.Length < UnixPathMax && LeadsTo(here, path, parent) ? named : $"{Through}{parent.HostFd}/{parent.Name}");
        return host.Length > UnixPathAt + UnixPathMax ? -Errno.ENAMETOOLONG : 0;
    }

    // An absolute path that is below the root prefix for the guest, or leads through a magic link, does not.
    private static bool LeadsTo(FileRef here, string path, in PathTarget parent)
    {
        const int Flags = OpenFlags.PathOnly | OpenFlags.Directory | OpenFlags.CloseOnExec;
        if (path[0] != '/' && here.File.Tag is IProcPlace)
            return false;
        var above = path[..(path.TrimEnd('/').LastIndexOf('/') + 1)];
        var fd = HostFiles.Open(here.HostFd, above.Length == 0 ? "." : above, Flags, 0, HostFiles.NoMagicLinks);
        if (fd < 0)
            return false;
        var same = HostFiles.Status((int)fd, out var a) == 0 && HostFiles.Status(parent.HostFd, out var b) == 0
            && a.Device == b.Device && a.Inode == b.Inode;
        HostCalls.Close((int)fd);
        return same;
    }

    private static string? PathOf(ReadOnlySpan<byte> guest)
    {
        if (guest.Length <= UnixPathAt || BinaryPrimitives.ReadUInt16LittleEndian(guest) != Unix || guest[UnixPathAt] == 0)
            return null;
        var name = guest[UnixPathAt..];
        var end = name.IndexOf((byte)0);
        return Encoding.Latin1.GetString(end < 0 ? name : name[..end]);
    }

    private static byte[] Make(string path)
    {
        var host = new byte[UnixPathAt + path.Length + 1];
        BinaryPrimitives.WriteUInt16LittleEndian(host, Unix);
        Encoding.Latin1.GetBytes(path, host.AsSpan(UnixPathAt));
        return host;
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
