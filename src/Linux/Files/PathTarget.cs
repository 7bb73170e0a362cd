using DynaTrans.Linux.Files.Proc;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Files;

/// <summary>Who looks up a path: decides what <c>/proc/self</c> is, and what may be seen.</summary>
/// <param name="Process">The process.</param>
/// <param name="Tid">The thread's number.</param>
public readonly record struct Asker(GuestProcess Process, int Tid)
{
    /// <summary>The thread that makes a system call.</summary>
    public Asker(GuestThread thread)
        : this(thread.Process, thread.Tid)
    {
    }
}

/// <summary>
/// What a guest path leads to: an object of the host, held by a descriptor (what was judged is what is used), or a place in the guest's
/// /proc. For calls that make or remove a name it is the directory, and <see cref="Name"/> the name in it. Dispose it after use.
/// </summary>
public readonly struct PathTarget : IDisposable
{
    private readonly FileRef _held;
    private readonly bool _owned;

    private PathTarget(int hostFd, bool owned, FileRef held, ProcNode? node, string name)
    {
        HostFd = hostFd;
        _owned = owned;
        _held = held;
        Node = node;
        Name = name;
    }

    /// <summary>The host's descriptor; most often one that only names the object (O_PATH). -1 when <see cref="Node"/> is set.</summary>
    public int HostFd { get; }

    /// <summary>The place in the guest's /proc, or null.</summary>
    internal ProcNode? Node { get; }

    /// <summary>The name in the directory, one char per byte, with the slashes that followed it; empty: the object itself.</summary>
    public string Name { get; }

    /// <summary>A descriptor that is closed with the target.</summary>
    internal static PathTarget Owned(int hostFd, string name = "") => new(hostFd, true, default, null, name);

    /// <summary>An open file of the guest, or its working directory.</summary>
    internal static PathTarget Of(FileRef file, string name = "") =>
        file.File.Tag is IProcPlace place ? new(-1, false, file, place.Node, name) : new(file.HostFd, false, file, null, name);

    /// <summary>A place in the guest's /proc.</summary>
    internal static PathTarget In(ProcNode node, string name = "") => new(-1, false, default, node, name);

    /// <inheritdoc/>
    public void Dispose()
    {
        _held.Dispose();
        if (_owned)
            HostCalls.Close(HostFd);
    }
}
