using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>Mapping, unmapping and changing mappings. Results are addresses or negative error numbers, found in the kernel's order.</summary>
public sealed unsafe partial class ProcessMemory
{
    private const ulong Page = AddressSpace.PageSize;

    // MAP_32BIT and the mappings of 32-bit calls in a 64-bit process.
    private const ulong Low32 = 0x4000_0000, High32 = 0x8000_0000;

    /// <summary>mmap. The file, if any, gets a reference of its own.</summary>
    /// <param name="hint">Wanted address.</param>
    /// <param name="length">Bytes; rounded up to pages.</param>
    /// <param name="protection">Read, write, execute.</param>
    /// <param name="flags">See <see cref="MapFlags"/>.</param>
    /// <param name="file">The file, or null for anonymous memory.</param>
    /// <param name="offset">Offset in the file, a multiple of the page size.</param>
    /// <param name="name">Name for /proc/self/maps.</param>
    /// <param name="rights">What the caller may do; null: the program loader's.</param>
    public long Map(
        ulong hint, ulong length, PagePermission protection, MapFlags flags, OpenFile? file, ulong offset, string name = "",
        MapRights? rights = null)
    {
        var may = rights ?? MapRights.Loader;
        if (length == 0 || (offset & (Page - 1)) != 0)
            return -Errno.EINVAL;
        length = RoundUp(length);
        if (length == 0)
            return -Errno.ENOMEM;
        lock (Space.Lock)
        {
            var place = Place(hint, length, flags, may);
            if (place < 0)
                return place;
            var address = (ulong)place;
            var area = new MemoryArea(address, address + length, protection, (flags & MapFlags.Shared) != 0, file, file == null ? 0 : offset, name)
            {
                Traits = LockFuture,
            };
            if ((flags & MapFlags.Locked) != 0)
                area = area with { Traits = area.Traits | AreaTraits.Locked };
            if ((flags & MapFlags.Locked) != 0 && may.LockLimit == 0)
                return -Errno.EPERM;
            if (!MayLock(area, may.LockLimit))
                return -Errno.EAGAIN;
            var error = file == null ? PrepareAnonymous(ref area, flags, out var source) : PrepareFile(ref area, flags, out source);
            if (error < 0)
                return error;
            var reserves = (flags & (MapFlags.NoReserve | MapFlags.Droppable)) == 0 || Commit is { IsStrict: true };
            var commits = !area.IsShared && reserves && (protection & PagePermission.Write) != 0;
            area = area with { Committed = commits };
            error = MayGrow(length, area.IsData, List.LengthIn(area.Start, area.End)) ? Install(area, source) : Refuse(area, source);

            // Only the area holds the file of shared anonymous memory.
            if (area.File != file)
                area.File?.Release();
            if (error < 0)
                return error;
            if ((flags & (MapFlags.Populate | MapFlags.NonBlocking)) == MapFlags.Populate)
                Populate(area);
            return place;
        }
    }

    /// <summary>remap_file_pages: other pages of the file for a part of a shared mapping.</summary>
    /// <param name="address">First address; rounded down to a page.</param>
    /// <param name="length">Bytes; rounded down.</param>
    /// <param name="page">First page of the file.</param>
    /// <param name="nonBlocking">MAP_NONBLOCK: the pages are not brought in.</param>
    /// <param name="rights">What the caller may do.</param>
    public long RemapFile(ulong address, ulong length, ulong page, bool nonBlocking, MapRights rights)
    {
        address &= ~(Page - 1);
        length &= ~(Page - 1);
        if (address + length <= address || page + (length / Page) < page)
            return -Errno.EINVAL;
        lock (Space.Lock)
        {
            if (List.Find(address) is not { IsShared: true, MayWrite: true, File: { } file } area)
                return -Errno.EINVAL;
            for (var end = area.End; end < address + length;)
            {
                if (List.Find(end) is not { } next || next.File != file || next.Protection != area.Protection || next.Traits != area.Traits)
                    return -Errno.EINVAL;
                end = next.End;
            }

            if (page > ulong.MaxValue / Page)
                return -Errno.EOVERFLOW;
            var flags = MapFlags.Shared | MapFlags.Fixed | MapFlags.Populate;
            if (nonBlocking)
                flags |= MapFlags.NonBlocking;
            if (area.IsLocked)
                flags |= MapFlags.Locked;
            var result = Map(address, length, area.Protection, flags, file, page * Page, area.Name, rights);
            return result < 0 ? result : 0;
        }
    }

    /// <summary>munmap.</summary>
    public long Unmap(ulong address, ulong length)
    {
        if ((address & (Page - 1)) != 0 || length == 0 || address > TaskSize || length > TaskSize - address)
            return -Errno.EINVAL;
        lock (Space.Lock)
        {
            Remove(address, RoundUp(length));
            return 0;
        }
    }

    /// <summary>mprotect. Areas before the first that refuses are changed, as the kernel does.</summary>
    /// <param name="address">First address.</param>
    /// <param name="length">Bytes; rounded up to pages.</param>
    /// <param name="protection">Read, write, execute.</param>
    /// <param name="growsDown">PROT_GROWSDOWN: from the beginning of the stack area on.</param>
    /// <param name="growsUp">PROT_GROWSUP, which no area of this processor has.</param>
    public long Protect(ulong address, ulong length, PagePermission protection, bool growsDown = false, bool growsUp = false)
    {
        if ((growsDown && growsUp) || (address & (Page - 1)) != 0)
            return -Errno.EINVAL;
        if (length == 0)
            return 0;
        var end = address + RoundUp(length);
        if (end <= address)
            return -Errno.ENOMEM;
        lock (Space.Lock)
        {
            var i = List.IndexOf(address);
            if (i == List.Count || List[i].Start >= end || (!growsDown && List[i].Start > address))
                return -Errno.ENOMEM;
            if (growsUp || (growsDown && (List[i].Traits & AreaTraits.GrowsDown) == 0))
                return -Errno.EINVAL;
            if (growsDown)
                address = List[i].Start;
            while (address < end)
            {
                if (List.Find(address) is not { } area)
                    return -Errno.ENOMEM;
                var pieceEnd = Math.Min(area.End, end);
                var error = area.Protection == protection ? 0 : Protect(area, address, pieceEnd, protection);
                if (error < 0)
                    return error;
                address = pieceEnd;
            }

            return 0;
        }
    }

    /// <summary>Rounds up to whole pages; what wraps around gives 0.</summary>
    public static ulong RoundUp(ulong length) => (length + Page - 1) & ~(Page - 1);

    /// <summary>True when an area may become locked as it says (EAGAIN).</summary>
    internal bool MayLock(MemoryArea area, ulong lockLimit) =>
        !area.IsLocked || lockLimit == ulong.MaxValue || List.LengthOf(static a => a.IsLocked) + area.Length <= lockLimit;

    /// <summary>True when the limits allow more memory (ENOMEM).</summary>
    /// <param name="length">Bytes to come.</param>
    /// <param name="isData">True when they count as data.</param>
    /// <param name="replaced">Bytes that go.</param>
    internal bool MayGrow(ulong length, bool isData, ulong replaced = 0)
    {
        if (AddressLimit != ulong.MaxValue && List.TotalLength - replaced + length > AddressLimit)
            return false;
        return !isData || MayHaveData(length);
    }

    /// <summary>Puts an area in place; what is there goes. The file gets a reference of its own.</summary>
    /// <param name="area">The area.</param>
    /// <param name="source">A mapping of the host made for it, which moves there, or 0.</param>
    /// <returns>0 or a negative error number.</returns>
    internal long Install(MemoryArea area, nint source = 0)
    {
        if (area.Committed && Commit?.TryTake(area.Length) == false)
            return Refuse(area, source);
        Remove(area.Start, area.Length);
        var error = source != 0 ? HostMapping.Place(source, Space, area.Start, area.Length)
            : area.File != null ? HostMapping.Put(Space, area, area.Start, area.End) : 0;
        if (error < 0)
        {
            Space.Unmap(area.Start, area.Length);
            if (area.Committed)
                Commit?.Give(area.Length);
            return error;
        }

        EnterNew(area);
        return 0;
    }

    /// <summary>Enters an area whose host pages are in place.</summary>
    internal void EnterNew(MemoryArea area)
    {
        PermitNew(area, HostMapping.FileEnd(area));
        area.File?.AddReference();
        List.Enter(area);
        if (area.IsLocked)
            MemoryLocks.HoldInHost(this, area, area.Start, area.End);
    }

    /// <summary>Takes areas, or parts of areas, away.</summary>
    internal void Remove(ulong address, ulong length)
    {
        if (length == 0)
            return;
        Meter?.BeforeUnmap(length);
        var pieces = List.Cut(address, address + length);
        for (var i = 0; i < pieces.Count; i++)
        {
            var start = pieces[i].Start;
            while (i + 1 < pieces.Count && pieces[i + 1].Start == pieces[i].End)
                i++;
            Space.Unmap(start, pieces[i].End - start);
        }

        foreach (var piece in pieces)
        {
            if (piece.Committed)
                Commit?.Give(piece.Length);
            piece.File?.Release();
        }
    }

    /// <summary>Replaces areas, or parts of areas, by what they become.</summary>
    internal void Change(ulong start, ulong end, Func<MemoryArea, MemoryArea> change)
    {
        foreach (var piece in List.Cut(start, end))
            List.Enter(change(piece));
    }

    /// <summary>An address for a mapping, or a negative error number.</summary>
    internal long Place(ulong hint, ulong length, MapFlags flags, MapRights rights)
    {
        if (length > TaskSize)
            return -Errno.ENOMEM;
        if ((flags & (MapFlags.Fixed | MapFlags.FixedNoReplace)) != 0)
        {
            if (hint > TaskSize - length)
                return -Errno.ENOMEM;
            if ((hint & (Page - 1)) != 0)
                return -Errno.EINVAL;
            if (hint < rights.Lowest)
                return -Errno.EPERM;
            if (hint > End || length > End - hint)
                return -Errno.ENOMEM;
            if ((flags & MapFlags.FixedNoReplace) != 0 && !List.IsFree(hint, hint + length))
                return -Errno.EEXIST;
            return (long)hint;
        }

        const ulong Lowest = MapRights.DefaultLowest;
        hint &= ~(Page - 1);
        if (hint != 0)
            hint = Math.Max(hint, Lowest);
        var below2G = (flags & MapFlags.Below2G) != 0 && !Space.Is32Bit;
        var end = Math.Min(End, below2G ? High32 : rights.Highest);
        if (hint != 0 && hint <= end && length <= end - hint && IsFreeForHint(hint, hint + length))
            return (long)hint;
        var place = below2G ? List.FindLowestGap(length, Low32, High32) : List.FindGap(length, Lowest, Math.Min(end, MapEnd));

        // What has no place below the stack may lie above it.
        if (place == 0 && !below2G)
            place = List.FindGap(length, Lowest, end);
        return place == 0 ? -Errno.ENOMEM : (long)place;
    }

    /// <summary>Gives the pages of a new area their frames and permissions: behind the end of its file they have none.</summary>
    internal void PermitNew(MemoryArea area, ulong fileEnd)
    {
        Objects.Enter(Space, area);
        Space.MapInPlace(area.Start, fileEnd - area.Start, area.Granted);
        Space.MapInPlace(fileEnd, area.End - fileEnd, PagePermission.None);
    }

    private bool MayHaveData(ulong length) => DataLimit == ulong.MaxValue || List.LengthOf(static a => a.IsData) + length <= DataLimit;

    // An area that grows wants its distance kept.
    private bool IsFreeForHint(ulong start, ulong end)
    {
        if (!List.IsFree(start, end))
            return false;
        var i = List.IndexOf(start);
        return i == List.Count || end <= AreaList.Floor(List[i]);
    }

    private static long Refuse(MemoryArea area, nint source)
    {
        HostMapping.Drop(source, area.Length);
        return -Errno.ENOMEM;
    }

    private long PrepareAnonymous(ref MemoryArea area, MapFlags flags, out nint source)
    {
        source = 0;
        var grows = (flags & MapFlags.GrowsDown) != 0;
        switch (flags & MapFlags.TypeMask)
        {
            case MapFlags.Shared:
                return grows ? -Errno.EINVAL : MakeShared(ref area, "/dev/zero (deleted)", flags);
            case MapFlags.Droppable:
                if (grows || area.IsLocked)
                    return -Errno.EINVAL;
                area = area with { Traits = AreaTraits.WipedByFork };
                return 0;
            case MapFlags.Private:
                if (grows)
                    area = area with { Traits = area.Traits | AreaTraits.GrowsDown };
                return 0;
            default:
                return -Errno.EINVAL;
        }
    }

    private long MakeShared(ref MemoryArea area, string name, MapFlags flags)
    {
        var (memory, error) = HostMapping.CreateShared(area.Length);
        if (error != 0)
            return -error;
        if (Commit != null && ((flags & MapFlags.NoReserve) == 0 || Commit.IsStrict))
        {
            memory!.Tag = Commit.TryCharge(area.Length);
            if (memory.Tag == null)
            {
                memory.Release();
                return -Errno.ENOMEM;
            }
        }

        area = area with { File = memory, Offset = 0, Name = name };
        return 0;
    }

    private long PrepareFile(ref MemoryArea area, MapFlags flags, out nint source)
    {
        source = 0;
        switch (flags & MapFlags.TypeMask)
        {
            case MapFlags.SharedValidate when (flags & ~MapFlags.Known) != 0:
                return -Errno.EOPNOTSUPP;
            case MapFlags.Shared or MapFlags.SharedValidate or MapFlags.Private:
                break;
            default:
                return -Errno.EINVAL;
        }

        var result = HostMapping.Make(area, (flags & MapFlags.Synchronous) != 0, out var mayWrite);
        if (HostMapping.IsError(result))
            return result;
        area = area with { MayWrite = mayWrite };
        var isZero = area.IsShared && HostFiles.Status(area.File!.HostFd, out var status) == 0 && HostFiles.IsZeroDevice(status);
        if ((flags & MapFlags.GrowsDown) != 0 || isZero)
        {
            // Shared memory of /dev/zero is anonymous.
            HostMapping.Drop((nint)result, area.Length);
            return isZero ? MakeShared(ref area, area.Name, flags) : -Errno.EINVAL;
        }

        source = (nint)result;
        return 0;
    }

    private void Populate(MemoryArea area)
    {
        const int PopulateRead = 22, PopulateWrite = 23;
        if (area.Protection == PagePermission.None)
            return;
        var writes = !area.IsShared && (area.Protection & PagePermission.Write) != 0;
        HostMapping.Advise(Space, area.Start, HostMapping.FileEnd(area) - area.Start, writes ? PopulateWrite : PopulateRead, make: true);
    }

    // Changes one area's part.
    private long Protect(MemoryArea area, ulong start, ulong end, PagePermission protection)
    {
        var writes = (protection & PagePermission.Write) != 0;
        var executes = (protection & PagePermission.Execute) != 0;
        if (writes && !area.MayWrite)
            return -Errno.EACCES;
        if (executes && (area.Protection & PagePermission.Execute) == 0 && area.File != null && !HostMapping.MayExecute(area.File))
            return -Errno.EACCES;
        if (!area.IsData && (area with { Protection = protection }).IsData && !MayHaveData(end - start))
            return -Errno.ENOMEM;
        var commits = writes && !area.IsShared && !area.Committed;
        if (commits && Commit?.TryTake(end - start) == false)
            return -Errno.ENOMEM;
        Change(start, end, piece => piece with { Protection = protection, Committed = piece.Committed || commits });
        var fileEnd = Math.Clamp(HostMapping.FileEnd(area), start, end);
        var granted = (area with { Protection = protection }).Granted;
        if (fileEnd > start)
            Space.Protect(start, fileEnd - start, granted);
        if (end > fileEnd)
            Space.Protect(fileEnd, end - fileEnd, PagePermission.None);
        return 0;
    }
}
