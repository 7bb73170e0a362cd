using DynaTrans.Linux.Files;
using DynaTrans.Linux.Files.Proc;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Syscalls;

/// <summary>The xattr family. Each call has three forms: by path, by path without following a link, by descriptor.</summary>
internal static unsafe class ExtendedAttributes
{
    private const int MaxName = 256;

    /// <summary>setxattr(path, name, value, size, flags).</summary>
    public static long Set(in SyscallContext c) => Named(c, Form.Path, Operation.Set);

    /// <summary>lsetxattr.</summary>
    public static long SetLink(in SyscallContext c) => Named(c, Form.Link, Operation.Set);

    /// <summary>fsetxattr.</summary>
    public static long SetOpen(in SyscallContext c) => Named(c, Form.Open, Operation.Set);

    /// <summary>getxattr(path, name, value, size).</summary>
    public static long Get(in SyscallContext c) => Named(c, Form.Path, Operation.Get);

    /// <summary>lgetxattr.</summary>
    public static long GetLink(in SyscallContext c) => Named(c, Form.Link, Operation.Get);

    /// <summary>fgetxattr.</summary>
    public static long GetOpen(in SyscallContext c) => Named(c, Form.Open, Operation.Get);

    /// <summary>removexattr(path, name).</summary>
    public static long Remove(in SyscallContext c) => Named(c, Form.Path, Operation.Remove);

    /// <summary>lremovexattr.</summary>
    public static long RemoveLink(in SyscallContext c) => Named(c, Form.Link, Operation.Remove);

    /// <summary>fremovexattr.</summary>
    public static long RemoveOpen(in SyscallContext c) => Named(c, Form.Open, Operation.Remove);

    /// <summary>listxattr(path, list, size).</summary>
    public static long List(in SyscallContext c) => On(c, Form.Path, Operation.List, 0, c.A1, c.A2, 0);

    /// <summary>llistxattr.</summary>
    public static long ListLink(in SyscallContext c) => On(c, Form.Link, Operation.List, 0, c.A1, c.A2, 0);

    /// <summary>flistxattr.</summary>
    public static long ListOpen(in SyscallContext c) => On(c, Form.Open, Operation.List, 0, c.A1, c.A2, 0);

    private static long Named(in SyscallContext c, Form form, Operation operation)
    {
        long error = c.Memory.TryReadString(c.A1, out var name, MaxName);
        if (error < 0)
            return error == -Errno.ENAMETOOLONG ? -Errno.ERANGE : error;
        fixed (byte* p = HostCalls.Path(name))
            return On(c, form, operation, (nint)p, c.A2, operation == Operation.Remove ? 0 : c.A3, c.I4);
    }

    private static long On(in SyscallContext c, Form form, Operation operation, nint name, ulong value, ulong size, int flags)
    {
        const ulong MaxValue = 65536;
        if (operation == Operation.Set && size > MaxValue)
            return -Errno.E2BIG;
        size = Math.Min(size, MaxValue);
        byte* pointer = null;
        var ok = operation == Operation.Set ? c.Memory.TryGetReadable(value, size, out pointer) : c.Memory.TryGetWritable(value, size, out pointer);
        if (operation != Operation.Remove && !ok)
            return -Errno.EFAULT;
        if (form == Form.Open)
        {
            using var file = c.File(c.I0);
            if (file.IsNone())
                return -Errno.EBADF;
            return file.File.Tag is IProcPlace ? OfProc(operation) : Call(operation, 2, file.HostFd, name, pointer, size, flags);
        }

        var error = c.Find(PathResolver.AtWorkingDirectory, c.A0, out var target, form == Form.Path);
        if (error < 0)
            return error;
        using var held = target;
        if (target.Node != null)
            return OfProc(operation);

        // The host's calls take no descriptor that only names a file; /proc finds it, the link itself when it is one.
        return CallPath(operation, Form.Path, HostFiles.Reopening(target.HostFd), name, pointer, size, flags);
    }

    private static long OfProc(Operation operation) => operation == Operation.List ? 0 : -Errno.EOPNOTSUPP;

    private static long CallPath(Operation operation, Form form, string path, nint name, byte* pointer, ulong size, int flags)
    {
        fixed (byte* p = HostCalls.Path(path))
            return Call(operation, form == Form.Link ? 1 : 0, (nint)p, name, pointer, size, flags);
    }

    private static long Call(Operation operation, int form, long target, nint name, byte* pointer, ulong size, int flags) => operation switch
    {
        Operation.Set => HostCalls.Call(HostSys.Setxattr + form, target, name, (nint)pointer, (long)size, flags),
        Operation.Get => HostCalls.Call(HostSys.Getxattr + form, target, name, (nint)pointer, (long)size),
        Operation.List => HostCalls.Call(HostSys.Listxattr + form, target, (nint)pointer, (long)size),
        _ => HostCalls.Call(HostSys.Removexattr + form, target, name),
    };

    private enum Form
    {
        Path,
        Link,
        Open,
    }

    private enum Operation
    {
        Set,
        Get,
        List,
        Remove,
    }
}
