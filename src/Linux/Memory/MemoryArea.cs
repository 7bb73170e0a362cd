using DynaTrans.Linux.Files;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>What an area is beyond its protection and source.</summary>
[Flags]
public enum AreaTraits
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Its pages stay in memory (mlock).</summary>
    Locked = 1,

    /// <summary>With <see cref="Locked"/>: from their first use on (MLOCK_ONFAULT).</summary>
    LockedOnFault = 2,

    /// <summary>An access below it makes it grow (MAP_GROWSDOWN).</summary>
    GrowsDown = 4,

    /// <summary>A child does not get it (MADV_DONTFORK).</summary>
    NotForked = 8,

    /// <summary>A child gets zeros (MADV_WIPEONFORK).</summary>
    WipedByFork = 16,

    /// <summary>What a child's areas do not have.</summary>
    NotInherited = Locked | LockedOnFault,
}

/// <summary>A mapping: a run of pages with one protection and one source.</summary>
/// <param name="Start">First address.</param>
/// <param name="End">First address behind it.</param>
/// <param name="Protection">Read, write and execute bits, as they were asked for; see <see cref="Granted"/>.</param>
/// <param name="IsShared">MAP_SHARED.</param>
/// <param name="File">The mapped file (the area holds a reference), or null for anonymous memory.</param>
/// <param name="Offset">Offset of <paramref name="Start"/> in the file.</param>
/// <param name="Name">What /proc/self/maps says: a path, "[heap]", "[stack]" or nothing.</param>
public sealed record MemoryArea(
    ulong Start, ulong End, PagePermission Protection, bool IsShared, OpenFile? File, ulong Offset, string Name)
{
    /// <summary>True when the area counts against <see cref="CommitLimit"/>.</summary>
    public bool Committed { get; init; }

    /// <summary>False for a shared mapping of a file that was not open for writing, or is sealed: mprotect cannot make it writable.</summary>
    public bool MayWrite { get; init; } = true;

    /// <summary>What else it is.</summary>
    public AreaTraits Traits { get; init; }

    /// <summary>Length in bytes.</summary>
    public ulong Length => End - Start;

    /// <summary>True when its pages are locked in memory.</summary>
    public bool IsLocked => (Traits & AreaTraits.Locked) != 0;

    /// <summary>True for what RLIMIT_DATA counts: private writable memory that is no stack.</summary>
    public bool IsData => !IsShared && (Protection & PagePermission.Write) != 0 && (Traits & AreaTraits.GrowsDown) == 0;

    /// <summary>What code may do: the processor's pages can be read when they can be written or executed.</summary>
    public PagePermission Granted => Protection == PagePermission.None ? PagePermission.None : Protection | PagePermission.Read;

    /// <summary>True when <paramref name="next"/> continues this one, so that both can be one.</summary>
    public bool Joins(MemoryArea next) =>
        End == next.Start && Protection == next.Protection && IsShared == next.IsShared && File == next.File && Name == next.Name
        && Committed == next.Committed && MayWrite == next.MayWrite && Traits == next.Traits
        && (File == null || Offset + Length == next.Offset);
}
