using DynaTrans.Linux.Files;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>A mapping: a run of pages with one protection and one source.</summary>
/// <param name="Start">First address.</param>
/// <param name="End">First address behind it.</param>
/// <param name="Protection">Read, write and execute bits.</param>
/// <param name="IsShared">MAP_SHARED.</param>
/// <param name="File">The mapped file (the area holds a reference), or null for anonymous memory.</param>
/// <param name="Offset">Offset of <paramref name="Start"/> in the file.</param>
/// <param name="Name">What /proc/self/maps says: a path, "[heap]", "[stack]" or nothing.</param>
public sealed record MemoryArea(
    ulong Start, ulong End, PagePermission Protection, bool IsShared, OpenFile? File, ulong Offset, string Name)
{
    /// <summary>True when the area counts against <see cref="CommitLimit"/>.</summary>
    public bool Committed { get; init; }

    /// <summary>Length in bytes.</summary>
    public ulong Length => End - Start;

    /// <summary>True when <paramref name="next"/> continues this one, so that both can be one.</summary>
    public bool Joins(MemoryArea next) =>
        End == next.Start && Protection == next.Protection && IsShared == next.IsShared && File == next.File && Name == next.Name
        && Committed == next.Committed
        && (File == null || Offset + Length == next.Offset);
}
