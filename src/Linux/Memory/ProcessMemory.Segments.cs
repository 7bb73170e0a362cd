using System.Globalization;
using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>
/// Segments of System V shared memory in the address space. An attachment of a guest is one of the host, at its place in the window: so the
/// host counts attachments (shm_nattch) by itself, also when a part is unmapped, a child is made or the process ends.
/// </summary>
public sealed unsafe partial class ProcessMemory
{
    /// <summary>shmat, with the errors of the kernel (ipc/shm.c) in its order.</summary>
    /// <param name="id">The segment.</param>
    /// <param name="address">Wanted address, or 0.</param>
    /// <param name="flags">SHM_RDONLY, SHM_RND, SHM_REMAP, SHM_EXEC.</param>
    /// <param name="rights">What the caller may do.</param>
    /// <returns>The address or a negative error number.</returns>
    internal long Attach(int id, ulong address, int flags, MapRights rights)
    {
        const int ReadOnly = 0x1000, Round = 0x2000, Remap = 0x4000, Execute = 0x8000;
        if (id < 0)
            return -Errno.EINVAL;
        var isFixed = address != 0;
        var replaces = (flags & Remap) != 0;
        if (address % Page != 0)
        {
            if ((flags & Round) == 0)
                return -Errno.EINVAL;
            address &= ~(Page - 1);
        }

        if (replaces && address == 0)
            return -Errno.EINVAL;

        flags &= ReadOnly | Execute;
        var (found, size, key) = SharedSegment.Find(id, out var isOwn);
        if (found < 0)
            return found;
        var length = RoundUp(size);
        var permission = PagePermission.Read;
        if ((flags & ReadOnly) == 0)
            permission |= PagePermission.Write;
        if ((flags & Execute) != 0)
            permission |= PagePermission.Execute;
        lock (Space.Lock)
        {
            var isFree = !isFixed || address == 0 || (address + length >= address && List.IsFree(address, address + length));
            var place = isFree || replaces ? Place(address, length, isFixed ? MapFlags.Fixed : 0, rights) : -Errno.EINVAL;
            var error = place;

            // Nothing is replaced by what may not be attached.
            if (place >= 0 && !isFree)
                error = SharedSegment.Try(id, flags);
            if (error >= 0)
                error = EnterSegment(new MemoryArea((ulong)place, (ulong)place + length, permission, true, null, 0, NameOf(key)), id, size, flags, rights);
            if (error >= 0)
                return place;

            // That the caller may not is said first. (A try counts as a use, which the owner need not make.)
            var refusal = isOwn && (flags & Execute) == 0 ? 0 : SharedSegment.Try(id, flags);
            return refusal < 0 ? refusal : error;
        }

        static string NameOf(int key) => string.Create(CultureInfo.InvariantCulture, $"/SYSV{key:x8} (deleted)");
    }

    /// <summary>shmdt: takes what there is of the attachment that begins at an address.</summary>
    /// <param name="address">What <see cref="Attach"/> gave.</param>
    /// <param name="id">The segment.</param>
    /// <returns>0 or -EINVAL.</returns>
    internal long Detach(ulong address, out int id)
    {
        id = -1;
        if (address % Page != 0)
            return -Errno.EINVAL;
        lock (Space.Lock)
        {
            var first = List.IndexOf(address);
            while (first < List.Count && !(List[first].File?.Tag is SharedSegment && List[first].Start - address == List[first].Offset))
                first++;
            if (first == List.Count)
                return -Errno.EINVAL;
            var file = List[first].File!;
            var segment = (SharedSegment)file.Tag!;
            id = segment.Id;
            var end = address + RoundUp(segment.Size);
            var pieces = new List<MemoryArea>();
            for (var i = first; i < List.Count && List[i].End <= end; i++)
                if (List[i].File == file && List[i].Start - address == List[i].Offset)
                    pieces.Add(List[i]);
            foreach (var piece in pieces)
                Remove(piece.Start, piece.Length);
            return 0;
        }
    }

    private long EnterSegment(MemoryArea area, int id, ulong size, int flags, MapRights rights)
    {
        area = area with { Traits = LockFuture, MayWrite = (area.Protection & PagePermission.Write) != 0 };
        if (!MayLock(area, rights.LockLimit))
            return -Errno.EAGAIN;
        if (!MayGrow(area.Length, false, List.LengthIn(area.Start, area.End)) || !IsOnePiece(area.Start, area.Length))
            return -Errno.ENOMEM;
        var charge = Commit?.TryCharge(area.Length);
        if (Commit != null && charge == null)
            return -Errno.ENOMEM;
        var file = new SharedSegment(id, size, flags, charge).AsFile();
        var error = Install(area with { File = file });
        file.Release();
        return error;
    }

    // The host attaches it as a whole.
    private bool IsOnePiece(ulong address, ulong length) =>
        Space.TryMakeWindows(address, length) && Space.ContiguousAt(address, length) >= length;
}
