using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>Flags of mmap, the same for both interfaces.</summary>
[Flags]
public enum MapFlags
{
    /// <summary>MAP_SHARED.</summary>
    Shared = 1,

    /// <summary>MAP_PRIVATE.</summary>
    Private = 2,

    /// <summary>Both: MAP_SHARED_VALIDATE.</summary>
    TypeMask = 15,

    /// <summary>MAP_FIXED.</summary>
    Fixed = 0x10,

    /// <summary>MAP_ANONYMOUS.</summary>
    Anonymous = 0x20,

    /// <summary>MAP_32BIT: below 2 GiB.</summary>
    Below2G = 0x40,

    /// <summary>MAP_NORESERVE.</summary>
    NoReserve = 0x4000,

    /// <summary>MAP_FIXED_NOREPLACE.</summary>
    FixedNoReplace = 0x100000,
}

/// <summary>Mapping, unmapping and changing mappings. Results are addresses or negative error numbers.</summary>
public sealed unsafe partial class ProcessMemory
{
    private const ulong Page = AddressSpace.PageSize;
    private const ulong LowestAddress = 0x10000;
    private const int HostReadWrite = 3, HostShared = 1, HostPrivate = 2, HostFixed = 0x10, HostNoReserve = 0x4000;

    /// <summary>Most bytes that mappings may have together (RLIMIT_AS).</summary>
    public ulong AddressLimit { get; set; } = ulong.MaxValue;

    /// <summary>The bound on memory of all guests, or null.</summary>
    public CommitLimit? Commit { get; init; }

    /// <summary>mmap. The file, if any, gets a reference of its own.</summary>
    /// <param name="hint">Wanted address.</param>
    /// <param name="length">Bytes; rounded up to pages.</param>
    /// <param name="protection">Read, write, execute.</param>
    /// <param name="flags">See <see cref="MapFlags"/>.</param>
    /// <param name="file">The file, or null for anonymous memory.</param>
    /// <param name="offset">Offset in the file, a multiple of the page size.</param>
    /// <param name="name">Name for /proc/self/maps.</param>
    public long Map(ulong hint, ulong length, PagePermission protection, MapFlags flags, OpenFile? file, ulong offset, string name = "")
    {
        if (length == 0 || (offset & (Page - 1)) != 0)
            return -Errno.EINVAL;
        if (length > Space.WindowSize)
            return -Errno.ENOMEM;
        length = RoundUp(length);
        lock (Space.Lock)
        {
            var address = Place(hint, length, flags);
            if (address < 0)
                return address;
            if (TotalLength + length > AddressLimit)
                return -Errno.ENOMEM;
            var shared = (flags & MapFlags.TypeMask) != MapFlags.Private;
            OpenFile? memory = null;
            if (file == null && shared)
            {
                var made = CreateShared(length);
                if (made.Error != 0)
                    return -made.Error;
                file = memory = made.File!;
                if ((flags & MapFlags.NoReserve) == 0 || Commit is { IsStrict: true })
                {
                    memory.Tag = Commit?.TryCharge(length);
                    if (Commit != null && memory.Tag == null)
                    {
                        memory.Release();
                        return -Errno.ENOMEM;
                    }
                }

                offset = 0;
                name = "/dev/zero (deleted)";
            }

            var result = Install((ulong)address, length, protection, shared, file, offset, name, (flags & MapFlags.NoReserve) != 0);
            memory?.Release();
            return result < 0 ? result : address;
        }
    }

    /// <summary>munmap.</summary>
    public long Unmap(ulong address, ulong length)
    {
        if ((address & (Page - 1)) != 0 || length == 0 || !InWindow(address, length))
            return -Errno.EINVAL;
        lock (Space.Lock)
        {
            Remove(address, RoundUp(length));
            return 0;
        }
    }

    /// <summary>mprotect.</summary>
    public long Protect(ulong address, ulong length, PagePermission protection)
    {
        if ((address & (Page - 1)) != 0)
            return -Errno.EINVAL;
        if (length == 0)
            return 0;
        if (!InWindow(address, length))
            return -Errno.ENOMEM;
        length = RoundUp(length);
        lock (Space.Lock)
        {
            if (!IsCovered(address, address + length))
                return -Errno.ENOMEM;
            foreach (var area in AreasIn(address, address + length))
                if (area.IsShared && (protection & PagePermission.Write) != 0 && !IsWritable(area.File!))
                    return -Errno.EACCES;
            var pieces = Cut(address, address + length);
            if ((protection & PagePermission.Write) != 0 && !TryCommit(pieces))
            {
                pieces.ForEach(Enter);
                return -Errno.ENOMEM;
            }

            foreach (var piece in pieces)
            {
                var committed = piece.Committed || (!piece.IsShared && (protection & PagePermission.Write) != 0);
                Enter(piece with { Protection = protection, Committed = committed });
            }

            Space.Protect(address, length, protection);
            return 0;
        }
    }

    /// <summary>mremap.</summary>
    /// <param name="old">Old address.</param>
    /// <param name="oldLength">Old length.</param>
    /// <param name="newLength">New length.</param>
    /// <param name="flags">MREMAP_MAYMOVE 1, MREMAP_FIXED 2, MREMAP_DONTUNMAP 4 (refused).</param>
    /// <param name="target">New address, with MREMAP_FIXED.</param>
    public long Remap(ulong old, ulong oldLength, ulong newLength, int flags, ulong target)
    {
        oldLength = RoundUp(oldLength);
        if ((old & (Page - 1)) != 0 || newLength == 0 || (flags & ~3) != 0 || flags == 2 || newLength > Space.WindowSize)
            return -Errno.EINVAL;
        newLength = RoundUp(newLength);
        lock (Space.Lock)
        {
            var area = FindArea(old);
            if (area == null || !InWindow(old, oldLength) || (oldLength != 0 && !IsCovered(old, old + oldLength)))
                return -Errno.EFAULT;
            if (oldLength == 0 || area.End < old + oldLength)
                return oldLength == 0 ? -Errno.EINVAL : -Errno.EFAULT;
            if ((flags & 2) != 0)
            {
                if ((target & (Page - 1)) != 0 || !InWindow(target, newLength) || (target < old + oldLength && old < target + newLength))
                    return -Errno.EINVAL;
                Remove(target, newLength);
                return Move(old, oldLength, newLength, target);
            }

            if (newLength <= oldLength)
            {
                if (newLength < oldLength)
                    Remove(old + newLength, oldLength - newLength);
                return (long)old;
            }

            if (TotalLength + (newLength - oldLength) > AddressLimit)
                return -Errno.ENOMEM;
            if (area.End == old + oldLength && InWindow(old, newLength) && IsFree(area.End, old + newLength))
            {
                var result = Install(
                    area.End, newLength - oldLength, area.Protection, area.IsShared, area.File, area.Offset + area.Length, area.Name, false);
                return result < 0 ? result : (long)old;
            }

            if ((flags & 1) == 0)
                return -Errno.ENOMEM;
            var place = FindGap(newLength, LowestAddress, MapEnd);
            return place == 0 ? -Errno.ENOMEM : Move(old, oldLength, newLength, place);
        }
    }

    /// <summary>madvise. Advice that only concerns speed is accepted and ignored.</summary>
    public long Advise(ulong address, ulong length, int advice)
    {
        const int DontNeed = 4, Free = 8, Remove = 9, WipeOnFork = 18, KeepOnFork = 19;
        if ((address & (Page - 1)) != 0)
            return -Errno.EINVAL;
        length = RoundUp(length);
        if (length == 0)
            return 0;
        if (!InWindow(address, length))
            return -Errno.ENOMEM;
        lock (Space.Lock)
        {
            if (!IsCovered(address, address + length))
                return -Errno.ENOMEM;
            switch (advice)
            {
                case DontNeed or Free:
                    Meter?.BeforeUnmap(length);
                    Space.PrepareWrite(address, length);
                    return HostCalls.Call(HostSys.Madvise, (nint)(Space.Base + address), (long)length, DontNeed);
                case Remove:
                    Space.PrepareWrite(address, length);
                    return HostCalls.Call(HostSys.Madvise, (nint)(Space.Base + address), (long)length, Remove);
                case WipeOnFork or KeepOnFork:
                    return -Errno.EINVAL;
                default:
                    return advice is >= 0 and <= 25 ? 0 : -Errno.EINVAL;
            }
        }
    }

    /// <summary>True when every page of a range is mapped.</summary>
    public bool IsMapped(ulong address, ulong length)
    {
        lock (Space.Lock)
            return length == 0 || (InWindow(address, length) && IsCovered(address, address + length));
    }

    /// <summary>Rounds up to whole pages.</summary>
    public static ulong RoundUp(ulong length) => (length + Page - 1) & ~(Page - 1);

    // Puts pages in place; the range may hold mappings, which go. The file gets a reference of its own.
    private long Install(
        ulong address, ulong length, PagePermission protection, bool shared, OpenFile? file, ulong offset, string name, bool noReserve)
    {
        var writable = file == null || !shared || IsWritable(file);
        if (!writable && (protection & PagePermission.Write) != 0)
            return -Errno.EACCES;
        var committed = !shared && (!noReserve || Commit is { IsStrict: true }) && (protection & PagePermission.Write) != 0;
        if (committed && Commit?.TryTake(length) == false)
            return -Errno.ENOMEM;
        Remove(address, length);
        if (file != null)
        {
            var failure = PutFile(Space.Base + address, length, shared && writable, file, offset);
            if (failure < 0)
            {
                Space.Unmap(address, length);
                if (committed)
                    Commit?.Give(length);
                return failure;
            }
        }

        Space.MapInPlace(address, length, protection);
        file?.AddReference();
        Enter(new MemoryArea(address, address + length, protection, shared, file, offset, name) { Committed = committed });
        return 0;
    }

    // A shared mapping of a file that is not open for writing becomes a private one of the host: the host's pages stay writable (see
    // AddressSpace), and nobody can tell, because the guest cannot write to it.
    private static long PutFile(byte* at, ulong length, bool shared, OpenFile file, ulong offset)
    {
        var flags = (shared ? HostShared : HostPrivate) | HostFixed | HostNoReserve;
        var result = HostCalls.Call(HostSys.Mmap, (nint)at, (long)length, HostReadWrite, flags, file.HostFd, (long)offset);
        return result is < 0 and > -4096 ? result : 0;
    }

    private long Place(ulong hint, ulong length, MapFlags flags)
    {
        if ((flags & (MapFlags.Fixed | MapFlags.FixedNoReplace)) != 0)
        {
            if ((hint & (Page - 1)) != 0)
                return -Errno.EINVAL;
            if (!InWindow(hint, length))
                return -Errno.ENOMEM;
            if (hint < LowestAddress)
                return -Errno.EPERM;
            if ((flags & MapFlags.FixedNoReplace) != 0 && !IsFree(hint, hint + length))
                return -Errno.EEXIST;
            return (long)hint;
        }

        hint &= ~(Page - 1);
        var top = (flags & MapFlags.Below2G) != 0 ? Math.Min(MapEnd, 1UL << 31) : MapEnd;
        if (hint >= LowestAddress && InWindow(hint, length) && hint + length <= top && IsFree(hint, hint + length))
            return (long)hint;
        var place = FindGap(length, LowestAddress, top);
        return place == 0 ? -Errno.ENOMEM : (long)place;
    }

    private long Move(ulong old, ulong oldLength, ulong newLength, ulong target)
    {
        var area = FindArea(old)!;
        var kept = Math.Min(oldLength, newLength);
        var offset = area.File == null ? 0 : area.Offset + (old - area.Start);
        var result = Install(target, newLength, area.Protection, area.IsShared, area.File, offset, area.Name, !area.Committed);
        if (result < 0)
            return result;
        if (area.File == null || !area.IsShared)
        {
            // The host moves its pages when its mapping is in one piece, else they are copied.
            const int MayMoveFixed = 3;
            var from = (nint)(Space.Base + old);
            var to = (nint)(Space.Base + target);
            Space.PrepareWrite(old, kept);
            if (HostCalls.Call(HostSys.Mremap, from, (long)kept, (long)kept, MayMoveFixed, to) < 0)
                Buffer.MemoryCopy((void*)from, (void*)to, kept, kept);
        }

        Remove(old, oldLength);
        return (long)target;
    }

    private void Remove(ulong address, ulong length)
    {
        var pieces = Cut(address, address + length);
        if (pieces.Count == 0)
            return;
        Meter?.BeforeUnmap(length);
        foreach (var piece in pieces)
        {
            if (piece.Committed)
                Commit?.Give(piece.Length);
            piece.File?.Release();
        }

        Space.Unmap(address, length);
    }

    private bool TryCommit(List<MemoryArea> pieces)
    {
        ulong bytes = 0;
        foreach (var piece in pieces)
            if (!piece.Committed && !piece.IsShared)
                bytes += piece.Length;
        return Commit == null || Commit.TryTake(bytes);
    }

    private IEnumerable<MemoryArea> AreasIn(ulong start, ulong end)
    {
        for (var i = IndexOf(start); i < _areas.Count && _areas[i].Start < end; i++)
            yield return _areas[i];
    }

    private bool InWindow(ulong address, ulong length) => address < Space.WindowSize && length <= Space.WindowSize - address;

    private static bool IsWritable(OpenFile file)
    {
        const int FGetFl = 3, AccessMode = 3, ReadWrite = 2;
        return (HostCalls.Call(HostSys.Fcntl, file.HostFd, FGetFl) & AccessMode) == ReadWrite;
    }

    private static (OpenFile? File, int Error) CreateShared(ulong length)
    {
        const int Cloexec = 1;
        fixed (byte* name = "guest"u8)
        {
            var fd = HostDescriptors.Claim(HostCalls.Call(HostSys.MemfdCreate, (nint)name, Cloexec));
            if (fd < 0)
                return (null, (int)-fd);
            var file = new OpenFile((int)fd);
            var error = HostCalls.Call(HostSys.Ftruncate, fd, (long)length);
            if (error == 0)
                return (file, 0);
            file.Release();
            return (null, (int)-error);
        }
    }
}
