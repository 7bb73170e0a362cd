using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>madvise, msync and mincore: what a range of mappings should do, or tells. Errors and partial effects in the kernel's order.</summary>
internal static unsafe class MemoryAdvice
{
    private const ulong Page = AddressSpace.PageSize;
    private const ulong UserEnd = 0x7FFF_FFFF_F000;
    private const int DontNeed = 4, Free = 8, Remove = 9, DontFork = 10, DoFork = 11, WipeOnFork = 18, KeepOnFork = 19;
    private const int Cold = 20, PageOut = 21, PopulateRead = 22, PopulateWrite = 23, DontNeedLocked = 24, LastKnown = 25;
    private const int HardwarePoison = 100, SoftOffline = 101;

    /// <summary>madvise.</summary>
    public static long Advise(ProcessMemory memory, ulong address, ulong length, int advice)
    {
        if (advice is HardwarePoison or SoftOffline)
            return -Errno.EPERM;
        if (advice is < 0 or 5 or 6 or 7 or > LastKnown || address % Page != 0)
            return -Errno.EINVAL;
        var rounded = ProcessMemory.RoundUp(length);
        var end = address + rounded;
        if ((length != 0 && rounded == 0) || end < address)
            return -Errno.EINVAL;
        var done = AdviseAreas(memory, address, end, advice);

        // A hole in a file is one for all who map it.
        if (advice == Remove)
            memory.Space.PrepareWrite(address, rounded);
        return done;
    }

    private static long AdviseAreas(ProcessMemory memory, ulong address, ulong end, int advice)
    {
        lock (memory.Space.Lock)
        {
            long result = 0;
            while (address < end)
            {
                var i = memory.List.IndexOf(address);
                if (i == memory.List.Count || memory.List[i].Start >= end)
                    return -Errno.ENOMEM;
                var area = memory.List[i];
                if (area.Start > address)
                {
                    // Holes are an error, but what is mapped gets the advice.
                    if (advice is PopulateRead or PopulateWrite)
                        return -Errno.ENOMEM;
                    result = -Errno.ENOMEM;
                    address = area.Start;
                }

                var pieceEnd = Math.Min(area.End, end);
                var error = Advise(memory, area, address, pieceEnd, advice);
                if (error < 0)
                    return error;
                address = pieceEnd;
            }

            return result;
        }
    }

    /// <summary>msync.</summary>
    public static long Sync(ProcessMemory memory, ulong address, ulong length, ulong flags)
    {
        const ulong Asynchronous = 1, Invalidate = 2, Synchronous = 4;
        if ((flags & ~7UL) != 0 || address % Page != 0 || (flags & (Asynchronous | Synchronous)) == (Asynchronous | Synchronous))
            return -Errno.EINVAL;
        var end = address + ProcessMemory.RoundUp(length);
        if (end < address)
            return -Errno.ENOMEM;
        lock (memory.Space.Lock)
        {
            long result = 0;
            while (address < end)
            {
                var i = memory.List.IndexOf(address);
                if (i == memory.List.Count || memory.List[i].Start >= end)
                    return -Errno.ENOMEM;
                var area = memory.List[i];
                if (area.Start > address)
                {
                    result = -Errno.ENOMEM;
                    if (flags == Asynchronous)
                        return result;
                    address = area.Start;
                }

                var pieceEnd = Math.Min(area.End, end);
                if ((flags & Invalidate) != 0 && area.IsLocked)
                    return -Errno.EBUSY;
                if ((flags & Synchronous) != 0 && area is { IsShared: true, File: not null, MayWrite: true })
                    foreach (var piece in memory.Space.HostPieces(address, pieceEnd - address, make: false))
                    {
                        var error = HostCalls.Call(HostSys.Msync, piece.Host, (long)piece.Length, (long)Synchronous);
                        if (error < 0)
                            return error;
                    }

                address = pieceEnd;
            }

            return result;
        }
    }

    /// <summary>mincore: one byte a page, bit 0 set when it is in memory.</summary>
    public static long Residence(ProcessMemory memory, ulong address, ulong length, ulong result)
    {
        if (address % Page != 0)
            return -Errno.EINVAL;
        if (length > UserEnd || address > UserEnd - length)
            return -Errno.ENOMEM;
        var pages = (length / Page) + (length % Page == 0 ? 0UL : 1);
        if (result > UserEnd - pages)
            return -Errno.EFAULT;
        var buffer = stackalloc byte[(int)Page];
        while (pages > 0)
        {
            var count = Math.Min(pages, Page);
            lock (memory.Space.Lock)
            {
                if (memory.List.Find(address) is not { } area)
                    return -Errno.ENOMEM;
                count = Math.Min(count, (area.End - address) / Page);
                new Span<byte>(buffer, (int)count).Clear();
                foreach (var piece in memory.Space.HostPieces(address, count * Page, make: false))
                {
                    var error = HostCalls.Call(HostSys.Mincore, piece.Host, (long)piece.Length, (nint)(buffer + ((piece.Address - address) / Page)));
                    if (error < 0)
                        return error;
                }
            }

            if (!memory.User.TryWrite(result, new ReadOnlySpan<byte>(buffer, (int)count)))
                return -Errno.EFAULT;
            address += count * Page;
            result += count;
            pages -= count;
        }

        return 0;
    }

    private static long Advise(ProcessMemory memory, MemoryArea area, ulong start, ulong end, int advice)
    {
        switch (advice)
        {
            case DontNeed or Cold or PageOut when area.IsLocked:
                return -Errno.EINVAL;
            case Free when area.File != null || area.IsLocked:
                return -Errno.EINVAL;
            case DontNeed or DontNeedLocked or Free:
                // (The host may take its time with MADV_FREE.)
                memory.Meter?.BeforeUnmap(end - start);
                memory.Space.DropCode(start, end - start);
                return Host(memory, start, end, advice);
            case Remove:
                if (area.IsLocked || area.File == null)
                    return -Errno.EINVAL;
                if (!area.IsShared || !area.MayWrite)
                    return -Errno.EACCES;
                return Host(memory, start, end, advice);
            case DontFork:
                return Mark(memory, start, end, AreaTraits.NotForked, AreaTraits.None);
            case DoFork:
                return Mark(memory, start, end, AreaTraits.None, AreaTraits.NotForked);
            case WipeOnFork:
                return area.File != null ? -Errno.EINVAL : Mark(memory, start, end, AreaTraits.WipedByFork, AreaTraits.None);
            case KeepOnFork:
                return Mark(memory, start, end, AreaTraits.None, AreaTraits.WipedByFork);
            case PopulateRead or PopulateWrite:
                if ((area.Protection & (advice == PopulateRead ? PagePermission.Read : PagePermission.Write)) == 0)
                    return -Errno.EINVAL;
                return Host(memory, start, end, advice);
            default:
                return Host(memory, start, end, advice);
        }
    }

    // Of what was never touched there is nothing that advice could be about, unless it is to be brought in.
    private static long Host(ProcessMemory memory, ulong start, ulong end, int advice) =>
        HostMapping.Advise(memory.Space, start, end - start, advice, advice is PopulateRead or PopulateWrite);

    private static long Mark(ProcessMemory memory, ulong start, ulong end, AreaTraits set, AreaTraits cleared)
    {
        memory.Change(start, end, piece => piece with { Traits = (piece.Traits | set) & ~cleared });
        return 0;
    }
}
