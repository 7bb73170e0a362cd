using DynaTrans.Linux.Files;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>
/// Pages that are not there although they are mapped: those behind the end of their file, and those that a stack may still grow to. Such
/// pages have no permissions; an access that fails for that comes here, and either goes on or is a SIGBUS. Permissions are given back late, at
/// the first access after the file has grown, and taken away at once when a guest makes a file shorter (<see cref="CutOff(FileIdentity)"/>).
/// </summary>
public sealed unsafe partial class ProcessMemory
{
    /// <summary>Makes pages of a range accessible whose time has come: the file has grown, or a stack grows.</summary>
    /// <param name="address">First address of an access that was not allowed.</param>
    /// <param name="length">Its bytes, at least 1.</param>
    /// <returns>True when something has changed, so that the access may be tried again.</returns>
    public bool BringIn(ulong address, ulong length)
    {
        lock (Space.Lock)
        {
            var changed = false;
            var end = Math.Max(address + length, address + 1);
            for (var i = List.IndexOf(address); i < List.Count && List[i].Start < end; i++)
                changed |= BringInFile(List[i], Math.Max(address, List[i].Start), Math.Min(end, List[i].End));
            return GrowStack(address & ~(Page - 1)) || changed;
        }
    }

    /// <summary>What an access of guest code that was not allowed comes to, judged at one moment: others may change files and mappings.</summary>
    /// <param name="address">The first byte that was not allowed.</param>
    /// <param name="wanted">The permission that was missing.</param>
    public FaultKind Judge(ulong address, PagePermission wanted)
    {
        lock (Space.Lock)
        {
            if (BringIn(address, 1) || Space.Allows(address, 1, wanted))
                return FaultKind.Gone;

            // The kernel asks for the right to execute only once the page is there.
            var first = wanted == PagePermission.Execute ? PagePermission.Read : wanted;
            var isBehindFile = List.Find(address) is { File: not null } area && (area.Granted & first) != 0 && IsMissing(address);
            return isBehindFile ? FaultKind.BehindFile : FaultKind.NotAllowed;
        }
    }

    /// <summary>Takes the pages behind the end of a file away, wherever it is mapped: it may have become shorter.</summary>
    internal void CutOff(FileIdentity file)
    {
        lock (Space.Lock)
        {
            for (var i = 0; i < List.Count; i++)
                if (List[i].File is { } mapped && file.Equals(mapped.Identity))
                    CutOff(List[i]);
        }
    }

    /// <summary>
    /// The host met the end of a file at a page whose permissions promised memory, and put a page of its own there: the file became shorter
    /// without any guest's doing, or its file system is full. Puts things right.
    /// </summary>
    internal void RepairAt(ulong address)
    {
        lock (Space.Lock)
        {
            if (List.Find(address) is not { File: not null } area)
                return;
            CutOff(area);
            var page = address & ~(Page - 1);
            var fileEnd = HostMapping.FileEnd(area);
            if (area.IsShared)
                HostMapping.Put(Space, area, area.Start, fileEnd);
            else if (page < fileEnd)
                HostMapping.Put(Space, area, page, page + Page);
        }
    }

    private void CutOff(MemoryArea area)
    {
        var fileEnd = HostMapping.FileEnd(area);

        // The rest of the last page has become zero.
        if (fileEnd > area.Start)
            Space.DropCode(fileEnd - Page, Page);
        if (fileEnd < area.End)
            Space.Protect(fileEnd, area.End - fileEnd, PagePermission.None);
    }

    // Pages that have no permission although the area has were behind the end. What the host has there may be a page of its own.
    private bool BringInFile(MemoryArea area, ulong start, ulong end)
    {
        if (area.File == null || area.Protection == PagePermission.None || !HasMissing(start, end))
            return false;
        var fileEnd = HostMapping.FileEnd(area);
        var changed = false;
        for (var page = area.Start; page < fileEnd;)
        {
            var first = page;
            while (page < fileEnd && IsMissing(page))
                page += Page;
            if (page == first)
            {
                page += Page;
                continue;
            }

            HostMapping.Put(Space, area, first, page);
            Space.Protect(first, page - first, area.Granted);
            changed = true;
        }

        return changed && !HasMissing(start, Math.Min(end, fileEnd));
    }

    private bool HasMissing(ulong start, ulong end)
    {
        for (var page = start & ~(Page - 1); page < end; page += Page)
            if (IsMissing(page))
                return true;
        return false;
    }

    private bool IsMissing(ulong page) => (Space.Query(page) & PagePermission.Protection) == 0;

    // The kernel's expand_downwards: within RLIMIT_STACK and with a gap to what lies below, unless that is a stack too or cannot be accessed.
    private bool GrowStack(ulong page)
    {
        var i = List.IndexOf(page);
        if (i == List.Count || List[i].Start <= page || (List[i].Traits & AreaTraits.GrowsDown) == 0 || page < MapRights.DefaultLowest)
            return false;
        var area = List[i];
        var grown = area.Start - page;
        if (i > 0 && (List[i - 1].Traits & AreaTraits.GrowsDown) == 0 && List[i - 1].Protection != PagePermission.None
            && page - List[i - 1].End < AreaList.GuardGap)
            return false;
        var more = area with { Start = page, End = area.Start };
        return area.End - page <= StackLimit && area.Protection != PagePermission.None && MayLock(more, LockLimit) && MayGrow(grown, false)
            && Install(more) == 0;
    }
}

/// <summary>What an access comes to that found no permission.</summary>
public enum FaultKind
{
    /// <summary>It is allowed by now and may be made again.</summary>
    Gone,

    /// <summary>Its page is behind the end of the mapped file: SIGBUS.</summary>
    BehindFile,

    /// <summary>The mapping, if there is one, does not allow it: SIGSEGV.</summary>
    NotAllowed,
}
