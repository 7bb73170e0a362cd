using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>The heap that brk grows.</summary>
public sealed partial class ProcessMemory
{
    /// <summary>Where the heap begins.</summary>
    public ulong BreakStart { get; private set; }

    /// <summary>Where it ends now; not rounded to pages.</summary>
    public ulong Break { get; private set; }

    /// <summary>Protection of new heap pages: executable too for old programs (READ_IMPLIES_EXEC).</summary>
    public PagePermission HeapProtection { get; set; } = PagePermission.Read | PagePermission.Write;

    /// <summary>Places the empty heap, when a program is loaded.</summary>
    public void StartBreak(ulong address) => BreakStart = Break = address;

    /// <summary>brk: the new end of the heap, or the old one when the request cannot be met.</summary>
    /// <param name="wanted">The end asked for.</param>
    /// <param name="lockLimit">Most bytes that may be locked, when mlockall locks the heap too.</param>
    public ulong SetBreak(ulong wanted, ulong lockLimit = ulong.MaxValue)
    {
        lock (Space.Lock)
        {
            if (wanted < BreakStart || wanted > End - Page || wanted - BreakStart > DataLimit)
                return Break;
            var oldEnd = RoundUp(Break);
            var newEnd = RoundUp(wanted);
            if (newEnd < oldEnd)
                Remove(newEnd, oldEnd - newEnd);
            else if (newEnd > oldEnd && !TryGrowBreak(oldEnd, newEnd, lockLimit))
                return Break;
            Break = wanted;
            return Break;
        }
    }

    // One page stays free behind the heap, as a guard.
    private bool TryGrowBreak(ulong oldEnd, ulong newEnd, ulong lockLimit)
    {
        var area = new MemoryArea(oldEnd, newEnd, HeapProtection, false, null, 0, "[heap]") { Committed = true, Traits = LockFuture };
        return List.IsFree(oldEnd, newEnd + Page) && MayLock(area, lockLimit) && MayGrow(area.Length, area.IsData) && Install(area) == 0;
    }
}
