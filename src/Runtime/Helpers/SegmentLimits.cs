using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>Limit checks of modes with real segments (SDM Vol. 3, 5.3).</summary>
public static unsafe class SegmentLimits
{
    /// <summary>
    /// True when [offset, offset + size - 1] is inside the segment; else #SS (stack segment) or #GP is pending. In 64-bit mode there is no
    /// limit, but a branch target must be canonical (SDM Vol. 1, 3.3.7.1).
    /// </summary>
    /// <param name="s">The state.</param>
    /// <param name="baseSlot">Slot of the segment's base, which names the segment.</param>
    /// <param name="offset">First offset.</param>
    /// <param name="size">Bytes accessed, at least 1.</param>
    public static bool Check(CpuState* s, int baseSlot, ulong offset, ulong size)
    {
        if (CpuAccess.Mode(s).Is64())
        {
            if ((long)(offset << 16) >> 16 == (long)offset)
                return true;
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return false;
        }

        var segment = CpuAccess.Segment(s, baseSlot - Slot.EsBase);
        var last = offset + size - 1;

        // Expand-down data segments (type bit 2 of a data descriptor) are valid above the limit.
        var expandDown = (segment->Attributes & 0x1C) == 0x14;
        var top = (segment->Attributes & 0x4000) != 0 ? uint.MaxValue : 0xFFFFu;
        var inside = expandDown ? offset > segment->Limit && last <= top : last <= segment->Limit;
        if (inside)
            return true;
        CpuAccess.Raise(s, baseSlot == Slot.SsBase ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection);
        return false;
    }
}
