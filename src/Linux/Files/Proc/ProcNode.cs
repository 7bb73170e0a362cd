using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Files.Proc;

/// <summary>What an open file of the guest's /proc remembers (in <see cref="OpenFile.Tag"/>): the place that it is.</summary>
internal interface IProcPlace
{
    /// <summary>The place.</summary>
    ProcNode Node { get; }
}

/// <summary>
/// A place in the guest's /proc. Nodes are made when a path is looked up, and hold no state: two look-ups give two nodes. What is not
/// made here does not exist for a guest: the host's /proc is never shown but where a <see cref="HostFile"/> says so.
/// </summary>
internal abstract class ProcNode(LinuxKernel kernel, ProcDirectory? parent, string name)
{
    /// <summary>Bits of a mode's three, as in access(2).</summary>
    public const int ReadRight = 4, WriteRight = 2, ExecuteRight = 1;

    /// <summary>Types in a mode.</summary>
    protected const uint FileType = 0x8000, DirectoryType = 0x4000, LinkType = 0xA000;

    /// <summary>The kernel.</summary>
    public LinuxKernel Kernel => kernel;

    /// <summary>The directory that it is in; null for /proc itself.</summary>
    public ProcDirectory? Parent => parent;

    /// <summary>Its name there.</summary>
    public string Name => name;

    /// <summary>Its path.</summary>
    public string Path => parent == null ? "/proc" : $"{parent.Path}/{name}";

    /// <summary>Type and rights.</summary>
    public abstract uint Mode { get; }

    /// <summary>The guest process that it is about, or null.</summary>
    public virtual GuestProcess? Process => parent?.Process;

    // Root owns what is of no process, and the files of one that is not dumpable (prctl(2), PR_SET_DUMPABLE).
    private Credentials? Owner => Process is { } process && (process.IsDumpable || Mode == (DirectoryType | 0x16D)) ? process.Credentials : null;

    /// <summary>DT_* type of a directory entry.</summary>
    public byte EntryType => (byte)(Mode >> 12);

    /// <summary>True when the rights of the node let a process read, write or search it.</summary>
    public bool Allows(in Asker who, int wanted)
    {
        var user = who.Process.Credentials;
        if (user.EffectiveUser == 0)
            return (wanted & ExecuteRight) == 0 || (Mode & 0xF000) == DirectoryType || (Mode & 0x49) != 0;
        var owner = Owner;
        var shift = user.EffectiveUser == (owner?.EffectiveUser ?? 0) ? 6
            : user.EffectiveGroup == (owner?.EffectiveGroup ?? 0) || user.Groups.Contains(owner?.EffectiveGroup ?? 0) ? 3 : 0;
        return ((int)(Mode >> shift) & wanted) == wanted;
    }

    /// <summary>stat(2).</summary>
    public virtual HostStat Status()
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var owner = Owner;
        return new HostStat
        {
            Device = ProcMounts.Device,
            Inode = Inode,
            Links = (Mode & 0xF000) == DirectoryType ? 2UL : 1,
            Mode = Mode,
            User = owner?.EffectiveUser ?? 0,
            Group = owner?.EffectiveGroup ?? 0,
            BlockSize = 1024,
            AccessSeconds = now,
            ModifySeconds = now,
            ChangeSeconds = now,
        };
    }

    /// <summary>Inode number: the same for the same path.</summary>
    public ulong Inode
    {
        get
        {
            if (parent == null)
                return 1;
            var hash = 2166136261u;
            foreach (var c in Path)
                hash = (hash ^ c) * 16777619;
            return hash | 0x8000_0000;
        }
    }

    /// <summary>open(2): checks what is common to all, then opens.</summary>
    /// <returns>0 or a negative error number.</returns>
    public long Open(in Asker who, int flags, out OpenFile? file)
    {
        file = null;
        if ((flags & (OpenFlags.Create | OpenFlags.Exclusive)) == (OpenFlags.Create | OpenFlags.Exclusive))
            return -Errno.EEXIST;
        if ((flags & OpenFlags.Directory) != 0 && this is not ProcDirectory)
            return -Errno.ENOTDIR;
        if ((flags & OpenFlags.PathOnly) != 0)
        {
            file = ProcStorage.Create(this, new ProcPlace(this), flags);
            return file == null ? -Errno.ENFILE : 0;
        }

        if (this is ProcLink)
            return -Errno.ELOOP;
        if ((flags & OpenFlags.TemporaryFile) != 0)
            return -Errno.EOPNOTSUPP;
        var access = flags & OpenFlags.AccessMode;
        if (this is ProcDirectory && (access != 0 || (flags & OpenFlags.Create) != 0))
            return -Errno.EISDIR;
        var wanted = access switch { 0 => ReadRight, OpenFlags.WriteOnly => WriteRight, _ => ReadRight | WriteRight };
        if ((flags & OpenFlags.Truncate) != 0)
            wanted |= WriteRight;
        if (!Allows(who, wanted))
            return -Errno.EACCES;
        return OpenAllowed(who, flags, out file);
    }

    /// <summary>Opens after the rights were checked.</summary>
    protected abstract long OpenAllowed(in Asker who, int flags, out OpenFile? file);
}

/// <summary>A directory.</summary>
internal abstract class ProcDirectory(LinuxKernel kernel, ProcDirectory? parent, string name) : ProcNode(kernel, parent, name)
{
    /// <inheritdoc/>
    public override uint Mode => DirectoryType | 0x16D;

    /// <summary>Whether a process may look up names in it: 0 or a negative error number.</summary>
    public virtual long CheckSearch(in Asker who) => Allows(who, ExecuteRight) ? 0 : -Errno.EACCES;

    /// <summary>True when nobody may write to it, whatever its rights (S_IMMUTABLE): EPERM.</summary>
    public virtual bool IsImmutable => false;

    /// <summary>The node of a name, or null.</summary>
    public abstract ProcNode? Find(in Asker who, string name);

    /// <summary>The names in it, without "." and "..".</summary>
    public abstract IEnumerable<ProcNode> Entries(Asker who);

    /// <inheritdoc/>
    protected override long OpenAllowed(in Asker who, int flags, out OpenFile? file)
    {
        file = ProcStorage.Create(this, new ProcOpenDirectory(this, who), flags);
        return file == null ? -Errno.ENFILE : 0;
    }
}

/// <summary>A symbolic link: one that is text, or a magic one that leads to an object.</summary>
internal abstract class ProcLink(LinuxKernel kernel, ProcDirectory parent, string name) : ProcNode(kernel, parent, name)
{
    /// <inheritdoc/>
    public override uint Mode => LinkType | 0x1FF;

    /// <summary>True when it is followed by <see cref="Jump"/>.</summary>
    public virtual bool IsMagic => false;

    /// <summary>readlink(2).</summary>
    /// <returns>0 or a negative error number.</returns>
    public abstract long Read(in Asker who, out string? text);

    /// <summary>Follows a magic link.</summary>
    /// <param name="who">Who asks.</param>
    /// <param name="file">The object, which the caller releases; empty: see <paramref name="node"/>.</param>
    /// <param name="node">A place in the guest's /proc; null with an empty <paramref name="file"/>: the guest's root.</param>
    /// <returns>0 or a negative error number.</returns>
    public virtual long Jump(in Asker who, out FileRef file, out ProcNode? node) =>
        throw new InvalidOperationException("the link is text");

    /// <inheritdoc/>
    protected override long OpenAllowed(in Asker who, int flags, out OpenFile? file)
    {
        file = null;
        return -Errno.ELOOP;
    }
}

/// <summary>A link that is text.</summary>
internal sealed class TextLink(LinuxKernel kernel, ProcDirectory parent, string name, Func<Asker, string> text) : ProcLink(kernel, parent, name)
{
    /// <inheritdoc/>
    public override long Read(in Asker who, out string? target)
    {
        target = text(who);
        return 0;
    }
}

/// <summary>Only the place (O_PATH).</summary>
internal sealed class ProcPlace(ProcNode node) : IProcPlace
{
    /// <inheritdoc/>
    public ProcNode Node => node;
}

/// <summary>An open directory: the position, and who opened it.</summary>
internal sealed class ProcOpenDirectory(ProcDirectory directory, Asker who) : DirectoryPosition(() => List(directory, who)), IProcPlace
{
    /// <inheritdoc/>
    public ProcNode Node => directory;

    private static IEnumerable<DirectoryEntry> List(ProcDirectory directory, Asker who)
    {
        const byte Directory = 4;
        yield return new DirectoryEntry(directory.Inode, 0, Directory, "."u8.ToArray());
        yield return new DirectoryEntry((directory.Parent ?? directory).Inode, 0, Directory, ".."u8.ToArray());
        foreach (var entry in directory.Entries(who))
            yield return new DirectoryEntry(entry.Inode, 0, entry.EntryType, HostCalls.Path(entry.Name)[..^1]);
    }
}
