using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>mremap, with the errors of the kernel (mm/mremap.c) in its order. Called with the address space's lock held.</summary>
internal sealed unsafe class Remapping(ProcessMemory memory, MapRights rights)
{
    private const ulong Page = AddressSpace.PageSize;
    private const ulong MayMove = 1, Fixed = 2, DontUnmap = 4;

    /// <summary>mremap.</summary>
    /// <param name="old">Old address.</param>
    /// <param name="oldLength">Old length; 0 makes a second mapping of shared memory.</param>
    /// <param name="newLength">New length.</param>
    /// <param name="flags">MREMAP_MAYMOVE 1, MREMAP_FIXED 2, MREMAP_DONTUNMAP 4.</param>
    /// <param name="target">New address, with MREMAP_FIXED; a hint with MREMAP_DONTUNMAP.</param>
    /// <returns>The new address or a negative error number.</returns>
    public long Remap(ulong old, ulong oldLength, ulong newLength, ulong flags, ulong target)
    {
        oldLength = ProcessMemory.RoundUp(oldLength);
        newLength = ProcessMemory.RoundUp(newLength);
        if ((flags & ~(MayMove | Fixed | DontUnmap)) != 0 || old % Page != 0 || newLength == 0 || newLength > memory.TaskSize)
            return -Errno.EINVAL;
        var moves = (flags & (Fixed | DontUnmap)) != 0;
        if (moves)
        {
            if (target > memory.TaskSize - newLength || target % Page != 0 || (flags & MayMove) == 0)
                return -Errno.EINVAL;
            if ((flags & DontUnmap) != 0 && oldLength != newLength)
                return -Errno.EINVAL;
            if (old + oldLength > target && target + newLength > old)
                return -Errno.EINVAL;
        }

        if ((flags & Fixed) != 0 && oldLength == newLength)
            return MoveAll(old, oldLength, flags, target);
        var area = memory.List.Find(old);
        var error = Check(area, old, oldLength, newLength, moves);
        if (error < 0)
            return error;
        return moves ? MoveTo(old, oldLength, newLength, flags, target) : Resize(area!, old, oldLength, newLength, flags);
    }

    // Several areas may be moved at once when nothing changes its size; gaps between them stay.
    private long MoveAll(ulong old, ulong length, ulong flags, ulong target)
    {
        var end = old + length;
        var first = true;
        for (var at = old; at < end;)
        {
            var i = memory.List.IndexOf(at);
            if (i == memory.List.Count || memory.List[i].Start >= end)
                return first ? -Errno.EFAULT : (long)target;
            var area = memory.List[i];
            if (first && area.Start > at)
                return -Errno.EFAULT;
            first = false;
            at = Math.Max(at, area.Start);
            var piece = Math.Min(area.End, end) - at;
            var error = Check(area, at, piece, piece, true);
            if (error == 0)
                error = MoveTo(at, piece, piece, flags, target + (at - old));
            if (error < 0)
                return error;
            at += piece;
        }

        return (long)target;
    }

    private long Check(MemoryArea? area, ulong old, ulong oldLength, ulong newLength, bool moves)
    {
        if (area == null)
            return -Errno.EFAULT;
        if (!moves && newLength <= oldLength)
            return 0;
        if (oldLength == 0 && !area.IsShared)
            return -Errno.EINVAL;
        if (Math.Min(oldLength, newLength) > area.End - old)
            return -Errno.EFAULT;
        if (newLength <= oldLength)
            return 0;
        var grown = newLength - oldLength;
        if (area.IsLocked && rights.LockLimit != ulong.MaxValue && memory.LockedLength + grown > rights.LockLimit)
            return -Errno.EAGAIN;
        return memory.MayGrow(grown, area.IsData) ? 0 : -Errno.ENOMEM;
    }

    private long MoveTo(ulong old, ulong oldLength, ulong newLength, ulong flags, ulong target)
    {
        if ((flags & Fixed) != 0)
            memory.Remove(target, newLength);
        if (memory.List.Find(old) is not { } area)
            return -Errno.EFAULT;
        if (oldLength > newLength)
        {
            memory.Remove(old + newLength, oldLength - newLength);
            oldLength = newLength;
            area = memory.List.Find(old)!;
        }

        if ((flags & DontUnmap) != 0 && !memory.MayGrow(newLength, area.IsData))
            return -Errno.ENOMEM;
        var place = memory.Place(target, newLength, (flags & Fixed) != 0 ? MapFlags.Fixed : 0, rights);
        return place < 0 ? place : Move(area, old, oldLength, newLength, (ulong)place, (flags & DontUnmap) != 0);
    }

    private long Resize(MemoryArea area, ulong old, ulong oldLength, ulong newLength, ulong flags)
    {
        if (newLength <= oldLength)
        {
            if (newLength < oldLength)
                memory.Remove(old + newLength, oldLength - newLength);
            return (long)old;
        }

        var end = old + newLength;
        if (old + oldLength == area.End && oldLength != 0 && end > old && end <= memory.End && memory.List.IsFree(area.End, end))
        {
            var more = area with { Start = area.End, End = end, Offset = area.File == null ? 0 : area.Offset + area.Length };
            var error = memory.Install(more);
            return error < 0 ? error : (long)old;
        }

        if ((flags & MayMove) == 0)
            return -Errno.ENOMEM;
        var place = memory.Place(0, newLength, 0, rights);
        return place < 0 ? place : Move(area, old, oldLength, newLength, (ulong)place, false);
    }

    private long Move(MemoryArea area, ulong old, ulong oldLength, ulong newLength, ulong target, bool keep)
    {
        if (area.Committed && memory.Commit?.TryTake(newLength) == false)
            return -Errno.ENOMEM;
        var moved = area with
        {
            Start = target,
            End = target + newLength,
            Offset = area.File == null ? 0 : area.Offset + (old - area.Start),
            Name = area.Name.StartsWith('[') ? string.Empty : area.Name,
        };
        var space = memory.Space;

        // What holds translations here and there goes.
        space.DropCode(old, oldLength);
        var isThere = oldLength != 0 && HostMapping.TryMove(space, old, target, oldLength);
        if (area.File != null)
        {
            var error = HostMapping.Put(space, moved, isThere ? target + oldLength : target, moved.End);
            if (error < 0 && (!area.IsShared || !HostMapping.TryDuplicate(space, old, space, target, newLength)))
            {
                // (TryMove leaves the source as it was for shared memory; private memory of a file can always be mapped.)
                space.Unmap(target, newLength);
                if (area.Committed)
                    memory.Commit?.Give(newLength);
                return error;
            }
        }

        // The host does not move what it has in more than one piece.
        if (!isThere && !area.IsShared)
        {
            HostMapping.CopyTouched(space, old, space, target, oldLength, area.File != null);
            if (keep)
                Renew(area, old, oldLength);
        }

        memory.EnterNew(moved);
        if (!keep)
            memory.Remove(old, oldLength);
        else if (area.IsLocked)
            MemoryLocks.Unlock(memory, area.Start, area.Length);
        return (long)target;
    }

    // What MREMAP_DONTUNMAP leaves behind: zeros, or the file's bytes.
    private void Renew(MemoryArea area, ulong start, ulong length)
    {
        if (area.File == null)
            memory.Space.MakeZero(start, length);
        else
            HostMapping.Put(memory.Space, area, start, start + length);
    }
}
