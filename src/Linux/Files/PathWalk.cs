using DynaTrans.Linux.Files.Proc;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Files;

/// <summary>
/// Looks a path up part by part, by the kernel's rules (path_resolution(7)): symbolic links are read and followed here, the host is only
/// asked for one name in one open directory at a time, and a procfs of the host is never entered, the guest's own is. One look-up each.
/// </summary>
/// <param name="who">Who asks.</param>
/// <param name="follow">True when a symbolic link at the path's end is followed.</param>
/// <param name="resolve">RESOLVE_* of openat2(2).</param>
internal sealed class PathWalk(Asker who, bool follow, ulong resolve)
{
    private const int MaxLinks = 40;
    private const int NoDepth = -1;
    private const int Naming = OpenFlags.PathOnly | OpenFlags.CloseOnExec;

    private readonly Stack<string> _rest = new();
    private readonly bool _confined = (resolve & (HostFiles.Beneath | HostFiles.InRoot)) != 0;

    // Where the walk is: a descriptor that it owns, or one that a file reference holds, or a place in the guest's /proc.
    private int _fd = -1;
    private FileRef _held;
    private bool _owned;
    private ProcNode? _node;

    // The mount by which the guest's /proc was entered, and its place there: the ".." of that leads back to the host's directory.
    private int _entry = -1;
    private ProcNode? _entryNode;

    // Names below the directory that the walk must not leave, or NoDepth.
    private int _depth = NoDepth;
    private FileRef _top;
    private bool _inPrefix;

    // The next start at the guest's root is at the host's.
    private bool _leavesPrefix;
    private int _links;
    private string? _missing;

    /// <summary>Finds the object that a path names.</summary>
    /// <returns>0 or a negative error number.</returns>
    public long Find(in FileRef start, string path, out PathTarget target)
    {
        var error = Walk(start, path, false);
        target = error < 0 ? default : Target();
        Forget();
        return error;
    }

    /// <summary>open(2). -EAGAIN without a file: the name came or went meanwhile, to be tried again.</summary>
    public long Open(in FileRef start, string path, int flags, int mode, OpenCall? caller, out OpenFile? file)
    {
        file = null;
        var creates = (flags & OpenFlags.Create) != 0;
        var asksDirectory = creates && path[^1] == '/';
        var error = Walk(start, asksDirectory ? path.TrimEnd('/') + (path.TrimEnd('/').Length == 0 ? "/" : string.Empty) : path, creates);
        try
        {
            if (error < 0)
                return error;
            if (asksDirectory)
                return -Errno.EISDIR;
            if (_node != null)
                return _missing != null ? -Errno.ENOENT : _node.Open(who, flags, out file);
            return OpenHost(flags, mode, caller, out file);
        }
        finally
        {
            Release();
            Forget();
        }
    }

    private long OpenHost(int flags, int mode, OpenCall? caller, out OpenFile? file)
    {
        file = null;
        long fd;
        if (_missing != null)
        {
            fd = Call(caller, _fd, _missing, flags | OpenFlags.NoFollow, mode);
            if (fd is -Errno.ELOOP && (flags & OpenFlags.NoFollow) == 0)
                return -Errno.EAGAIN;
        }
        else if ((flags & (OpenFlags.Create | OpenFlags.Exclusive)) == (OpenFlags.Create | OpenFlags.Exclusive))
        {
            return -Errno.EEXIST;
        }
        else if ((flags & OpenFlags.Create) != 0 && IsDirectory())
        {
            return -Errno.EISDIR;
        }
        else
        {
            // openat2 takes a mode only with a new file.
            fd = Reopen(flags & ~(OpenFlags.Create | OpenFlags.Exclusive), (flags & OpenFlags.TemporaryFile) == 0 ? 0 : mode, caller);
        }

        if (fd < 0)
            return fd;
        if (HostFiles.IsProc((int)fd))
        {
            HostCalls.Close((int)fd);
            return -Errno.EACCES;
        }

        file = new OpenFile((int)fd);
        return 0;
    }

    private long Reopen(int flags, int mode, OpenCall? caller)
    {
        var isLink = HostFiles.Status(_fd, out var status) == 0 && HostFiles.IsLink(status);
        if ((flags & OpenFlags.PathOnly) != 0)
        {
            if ((flags & OpenFlags.Directory) != 0 && !HostFiles.IsDirectory(status))
                return -Errno.ENOTDIR;
            return _owned
                ? HostCalls.Duplicate(_fd)
                : HostFiles.Open(PathResolver.AtWorkingDirectory, HostFiles.Reopening(_fd), flags & ~OpenFlags.NoFollow, 0, 0);
        }

        if (isLink)
            return -Errno.ELOOP;
        return Call(caller, PathResolver.AtWorkingDirectory, HostFiles.Reopening(_fd), flags & ~OpenFlags.NoFollow, mode);
    }

    private static long Call(OpenCall? caller, int directory, string path, int flags, int mode) =>
        caller == null ? HostFiles.Open(directory, path, flags, mode, 0) : caller.Open(directory, path, flags, mode, 0);

    private long Walk(in FileRef start, string path, bool mayMiss)
    {
        var error = WalkFrom(start, path, mayMiss);
        if (error != -Errno.ENOENT || _confined || path[0] != '/' || who.Process.Kernel.Roots.Prefix == null)
            return error;

        // A link below the root prefix that leads nowhere does not hide what the host has by that name.
        Forget();
        _rest.Clear();
        _links = 0;
        _leavesPrefix = true;
        return WalkFrom(start, path, mayMiss);
    }

    private long WalkFrom(in FileRef start, string path, bool mayMiss)
    {
        Push(path);
        if (_confined)
        {
            if (path[0] == '/' && (resolve & HostFiles.Beneath) != 0)
                return -Errno.EXDEV;
            _top = start;
            _depth = 0;
            Enter(start);
        }
        else if (path[0] == '/')
        {
            EnterTop();
        }
        else
        {
            Enter(start);
        }

        long error = 0;
        while (error == 0 && _rest.Count > 0 && _missing == null)
            error = Step(_rest.Pop(), mayMiss);
        if (error < 0)
            Release();
        return error;
    }

    private long Step(string name, bool mayMiss)
    {
        if (name is "." or "..")
        {
            if (!IsDirectory())
                return -Errno.ENOTDIR;
            return name == "." ? 0 : Up();
        }

        return _node != null ? StepInProc(name, mayMiss) : StepOnHost(name, mayMiss);
    }

    private long StepInProc(string name, bool mayMiss)
    {
        if (_node is not ProcDirectory directory)
            return -Errno.ENOTDIR;
        var error = directory.CheckSearch(who);
        if (error < 0)
            return error;
        var child = directory.Find(who, name);
        if (child == null)
        {
            if (mayMiss && _rest.Count == 0)
                _missing = name;
            return _missing != null ? 0 : -Errno.ENOENT;
        }

        return EnterNode(child);
    }

    // Goes to a place in the guest's /proc, through it if it is a link that is followed.
    private long EnterNode(ProcNode child)
    {
        if (child is not ProcLink link || (_rest.Count == 0 && !follow))
        {
            _node = child;
            if (_depth != NoDepth)
                _depth++;
            return 0;
        }

        if (++_links > MaxLinks || (resolve & HostFiles.NoSymlinks) != 0)
            return -Errno.ELOOP;
        if (!link.IsMagic)
            return Follow(link.Read(who, out var text) is var error and < 0 ? error : 0, text);
        if ((resolve & HostFiles.NoMagicLinks) != 0)
            return -Errno.ELOOP;
        if (_confined || (resolve & HostFiles.NoCrossing) != 0)
            return -Errno.EXDEV;
        var failure = link.Jump(who, out var there, out var place);
        if (failure < 0)
            return failure;
        _depth = NoDepth;
        if (place != null)
            SetNode(place);
        else if (there.File != null)
            Take(there);
        else
            EnterTop();
        return 0;
    }

    private long StepOnHost(string name, bool mayMiss)
    {
        if (_inPrefix && _depth == 0 && name == "proc")
        {
            SetNode(new ProcRoot(who.Process.Kernel));
            _depth = NoDepth;
            return 0;
        }

        var fd = (resolve & HostFiles.NoCrossing) != 0
            ? HostFiles.Open(_fd, name, Naming | OpenFlags.NoFollow, 0, HostFiles.NoCrossing)
            : HostCalls.OpenAt(_fd, name, Naming | OpenFlags.NoFollow);
        if (fd < 0)
        {
            if (fd != -Errno.ENOENT || !mayMiss || _rest.Count > 0)
                return fd;
            _missing = name;
            return 0;
        }

        if (HiddenDirectory.Contains((int)fd))
        {
            HostCalls.Close((int)fd);
            return -Errno.EACCES;
        }

        if (HostFiles.IsProc((int)fd))
            return EnterProc((int)fd);
        if (HostFiles.Status((int)fd, out var status) == 0 && HostFiles.IsLink(status) && (_rest.Count > 0 || follow))
        {
            var text = HostCalls.ReadLinkAt((int)fd, string.Empty);
            HostCalls.Close((int)fd);
            if (++_links > MaxLinks || (resolve & HostFiles.NoSymlinks) != 0)
                return -Errno.ELOOP;
            return Follow(text is { Length: > 0 } ? 0 : -Errno.ENOENT, text);
        }

        Own((int)fd);
        if (_depth != NoDepth)
            _depth++;
        return 0;
    }

    // The host's look-up has come into a procfs: the same place of the guest's.
    private long EnterProc(int fd)
    {
        var node = ProcMounts.Identify(who, fd);
        if (node == null)
        {
            HostCalls.Close(fd);
            return -Errno.ENOENT;
        }

        ReleasePlace();
        _entry = fd;
        _entryNode = node;

        // A link's text starts at the directory that it is in.
        _node = node.Parent;
        return EnterNode(node);
    }

    private long Follow(long error, string? text)
    {
        if (error < 0)
            return error;
        if (text![0] != '/')
        {
            Push(text);
            return 0;
        }

        if (_confined)
        {
            if ((resolve & HostFiles.Beneath) != 0)
                return -Errno.EXDEV;
            Push(text);
            _depth = 0;
            Enter(_top);
            return 0;
        }

        if ((resolve & HostFiles.NoCrossing) != 0 && _node != null)
            return -Errno.EXDEV;
        Push(text);
        EnterTop();
        return 0;
    }

    private long Up()
    {
        if (_depth == 0)
            return (resolve & HostFiles.Beneath) != 0 ? -Errno.EXDEV : 0;
        if (_depth != NoDepth)
            _depth--;
        if (_node?.Parent is { } parent && _node.Path != _entryNode?.Path)
        {
            _node = parent;
            return 0;
        }

        if (_node != null)
        {
            if ((resolve & HostFiles.NoCrossing) != 0)
                return -Errno.EXDEV;
            if (_entry < 0)
            {
                EnterTop();
                return 0;
            }
        }

        var from = _node != null ? _entry : _fd;
        var fd = (resolve & HostFiles.NoCrossing) != 0
            ? HostFiles.Open(from, "..", Naming | OpenFlags.Directory, 0, HostFiles.NoCrossing)
            : HostCalls.OpenAt(from, "..", Naming | OpenFlags.Directory);
        if (fd < 0)
            return fd;
        if (HostFiles.IsProc((int)fd))
            return EnterProc((int)fd);
        Own((int)fd);
        return 0;
    }

    // The guest's root: the prefix, when what follows exists there, else the host's root.
    private void EnterTop()
    {
        ReleasePlace();
        _inPrefix = false;
        _depth = NoDepth;
        var roots = who.Process.Kernel.Roots;
        var leavesPrefix = _leavesPrefix;
        _leavesPrefix = false;
        if (!leavesPrefix && roots.Prefix is { } prefix && _rest.Count > 0 && PathResolver.ExistsIn(prefix, "/" + string.Join('/', _rest)))
        {
            _fd = prefix;
            _inPrefix = true;
            _depth = 0;
            return;
        }

        _fd = roots.Host;
    }

    private bool IsDirectory()
    {
        if (_node != null)
            return _node is ProcDirectory;
        return HostFiles.Status(_fd, out var status) == 0 && HostFiles.IsDirectory(status);
    }

    private void Push(string text)
    {
        // A slash at the end asks for a directory.
        if (text[^1] == '/')
            _rest.Push(".");
        var parts = text.Split('/', StringSplitOptions.RemoveEmptyEntries);
        for (var i = parts.Length - 1; i >= 0; i--)
            _rest.Push(parts[i]);
    }

    // A file that the caller holds.
    private void Enter(in FileRef file)
    {
        ReleasePlace();
        if (file.File.Tag is IProcPlace place)
            _node = place.Node;
        else
            _fd = file.HostFd;
    }

    private void Take(FileRef file)
    {
        Enter(file);
        _held = file;
    }

    private void Own(int fd)
    {
        ReleasePlace();
        _fd = fd;
        _owned = true;
    }

    private void SetNode(ProcNode node)
    {
        ReleasePlace();
        _node = node;
    }

    private PathTarget Target()
    {
        if (_node != null)
        {
            Release();
            return PathTarget.In(_node);
        }

        if (_owned)
            return PathTarget.Owned(_fd);
        if (_held.File != null)
            return PathTarget.Of(_held);

        // Somebody else's descriptor, of which the caller needs his own.
        return PathTarget.Owned(HostCalls.Duplicate(_fd));
    }

    private void ReleasePlace()
    {
        if (_owned)
            HostCalls.Close(_fd);
        _held.Dispose();
        _held = default;
        _owned = false;
        _fd = -1;
        _node = null;
        Forget();
    }

    private void Release()
    {
        var node = _node;
        ReleasePlace();
        _node = node;
    }

    private void Forget()
    {
        if (_entry >= 0)
            HostCalls.Close(_entry);
        _entry = -1;
        _entryNode = null;
    }
}
