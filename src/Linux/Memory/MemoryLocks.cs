using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>mlock and its like. The guest's own limit decides first; then the host locks the pages, within its own limit.</summary>
internal static unsafe class MemoryLocks
{
    private const AreaTraits Both = AreaTraits.Locked | AreaTraits.LockedOnFault;

    /// <summary>mlock and mlock2.</summary>
    public static long Lock(ProcessMemory memory, ulong address, ulong length, bool onFault, ulong limit)
    {
        if (limit == 0)
            return -Errno.EPERM;
        length = ProcessMemory.RoundUp(length + (address % AddressSpace.PageSize));
        address -= address % AddressSpace.PageSize;
        lock (memory.Space.Lock)
        {
            memory.LockLimit = limit;
            if (limit != ulong.MaxValue)
            {
                // What is locked already counts once.
                var locked = memory.List.LengthOf(static area => area.IsLocked) - LockedIn(memory, address, address + length);
                if (length > limit || locked > limit - length)
                    return -Errno.ENOMEM;
            }

            var error = Set(memory, address, length, onFault ? Both : AreaTraits.Locked);
            return error < 0 ? error : Hold(memory, address, address + length);
        }
    }

    /// <summary>munlock.</summary>
    public static long Unlock(ProcessMemory memory, ulong address, ulong length)
    {
        length = ProcessMemory.RoundUp(length + (address % AddressSpace.PageSize));
        address -= address % AddressSpace.PageSize;
        lock (memory.Space.Lock)
            return Set(memory, address, length, AreaTraits.None);
    }

    /// <summary>mlockall.</summary>
    public static long LockAll(ProcessMemory memory, ulong flags, ulong limit)
    {
        const ulong Current = 1, Future = 2, OnFault = 4;
        if (flags is 0 or OnFault || (flags & ~(Current | Future | OnFault)) != 0)
            return -Errno.EINVAL;
        if (limit == 0)
            return -Errno.EPERM;
        lock (memory.Space.Lock)
        {
            memory.LockLimit = limit;
            if ((flags & Current) != 0 && memory.List.TotalLength > limit)
                return -Errno.ENOMEM;
            var traits = (flags & OnFault) != 0 ? Both : AreaTraits.Locked;
            memory.LockFuture = (flags & Future) != 0 ? traits : AreaTraits.None;
            if ((flags & Current) == 0)
                return 0;
            foreach (var area in memory.List.ToArray())
            {
                memory.Change(area.Start, area.End, piece => piece with { Traits = (piece.Traits & ~Both) | traits });
                HoldInHost(memory, area with { Traits = area.Traits | traits }, area.Start, area.End);
            }

            return 0;
        }
    }

    /// <summary>munlockall.</summary>
    public static long UnlockAll(ProcessMemory memory)
    {
        lock (memory.Space.Lock)
        {
            memory.LockFuture = AreaTraits.None;
            foreach (var area in memory.List.ToArray())
                if (area.IsLocked)
                    Set(memory, area.Start, area.Length, AreaTraits.None);
            return 0;
        }
    }

    /// <summary>Has the host hold the pages of a locked area; what cannot be accessed is not brought in.</summary>
    /// <returns>0 or a negative error number.</returns>
    public static long HoldInHost(ProcessMemory memory, MemoryArea area, ulong start, ulong end)
    {
        const int OnFault = 1;
        if (area.Protection == PagePermission.None)
            return -Errno.ENOMEM;
        var flags = (area.Traits & AreaTraits.LockedOnFault) != 0 ? OnFault : 0;
        if (!memory.Space.TryMakeWindows(start, end - start))
            return -Errno.ENOMEM;
        foreach (var piece in memory.Space.HostPieces(start, end - start, make: true))
        {
            var error = HostCalls.Call(HostSys.Mlock2, piece.Host, (long)piece.Length, flags);
            if (error < 0)
                return error;
        }

        return 0;
    }

    private static ulong LockedIn(ProcessMemory memory, ulong start, ulong end)
    {
        ulong length = 0;
        for (var i = memory.List.IndexOf(start); i < memory.List.Count && memory.List[i].Start < end; i++)
            if (memory.List[i].IsLocked)
                length += Math.Min(memory.List[i].End, end) - Math.Max(memory.List[i].Start, start);
        return length;
    }

    // Areas before a hole are changed, as the kernel does.
    private static long Set(ProcessMemory memory, ulong address, ulong length, AreaTraits traits)
    {
        var end = address + length;
        if (end < address)
            return -Errno.EINVAL;
        while (address < end)
        {
            if (memory.List.Find(address) is not { } area)
                return -Errno.ENOMEM;
            var pieceEnd = Math.Min(area.End, end);
            if ((area.Traits & Both) != traits)
                memory.Change(address, pieceEnd, piece => piece with { Traits = (piece.Traits & ~Both) | traits });
            if (traits == AreaTraits.None && area.IsLocked)
                foreach (var piece in memory.Space.HostPieces(address, pieceEnd - address, make: false))
                    HostCalls.Call(HostSys.Munlock, piece.Host, (long)piece.Length);
            address = pieceEnd;
        }

        return 0;
    }

    // The first failure is the result; a page that cannot be had is ENOMEM.
    private static long Hold(ProcessMemory memory, ulong start, ulong end)
    {
        for (var i = memory.List.IndexOf(start); i < memory.List.Count && memory.List[i].Start < end; i++)
        {
            var area = memory.List[i];
            var error = HoldInHost(memory, area, Math.Max(area.Start, start), Math.Min(area.End, end));
            if (error < 0 && ((area.Traits & AreaTraits.LockedOnFault) == 0 || area.Protection != PagePermission.None))
                return error;
        }

        return 0;
    }
}
