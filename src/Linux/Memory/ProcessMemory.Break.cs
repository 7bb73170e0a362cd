using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>The heap that brk grows.</summary>
public sealed partial class ProcessMemory
{
    /// <summary>Where the heap begins.</summary>
    public ulong BreakStart { get; private set; }

    /// <summary>Where it ends now; not rounded to pages.</summary>
    public ulong Break { get; private set; }

    /// <summary>Most bytes of the heap (RLIMIT_DATA).</summary>
    public ulong DataLimit { get; set; } = ulong.MaxValue;

    /// <summary>Places the empty heap, when a program is loaded.</summary>
    public void StartBreak(ulong address) => BreakStart = Break = address;

    /// <summary>brk: the new end of the heap, or the old one when the request cannot be met.</summary>
    public ulong SetBreak(ulong wanted)
    {
        lock (Space.Lock)
        {
            if (wanted < BreakStart || wanted > Space.WindowSize || wanted - BreakStart > DataLimit)
                return Break;
            var oldEnd = RoundUp(Break);
            var newEnd = RoundUp(wanted);
            if (newEnd < oldEnd)
            {
                Remove(newEnd, oldEnd - newEnd);
            }
            else if (newEnd > oldEnd)
            {
                // One page stays free behind the heap, as a guard.
                if (!IsFree(oldEnd, newEnd + Page) || TotalLength + (newEnd - oldEnd) > AddressLimit
                    || Install(oldEnd, newEnd - oldEnd, HeapProtection, false, null, 0, "[heap]", false) < 0)
                    return Break;
            }

            Break = wanted;
            return Break;
        }
    }

    /// <summary>Protection of new heap pages: executable too for old programs (READ_IMPLIES_EXEC).</summary>
    public PagePermission HeapProtection { get; set; } = PagePermission.Read | PagePermission.Write;
}
