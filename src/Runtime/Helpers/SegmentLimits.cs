using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>Limit checks of modes with real segments (SDM Vol. 3, 5.3).</summary>
public static unsafe class SegmentLimits
{
    /// <summary>
    /// True when [offset, offset + size - 1] is inside the segment and the segment of a type that allows the access; else #SS (stack segment)
    /// or #GP is pending. In 64-bit mode there is no limit, but a branch target must be canonical (SDM Vol. 1, 3.3.7.1).
    /// </summary>
    /// <param name="s">The state.</param>
    /// <param name="baseSlot">Slot of the segment's base, which names the segment.</param>
    /// <param name="offset">First offset.</param>
    /// <param name="access">Bytes accessed, at least 1, and a <see cref="SegmentAccess"/>.</param>
    public static bool Check(CpuState* s, int baseSlot, ulong offset, ulong access)
    {
        if (CpuAccess.Mode(s).Is64())
        {
            if ((long)(offset << 16) >> 16 == (long)offset)
                return true;
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return false;
        }

        var segment = CpuAccess.Segment(s, baseSlot - Slot.EsBase);
        var last = offset + (access & SegmentAccess.SizeMask) - 1;
        if (AllowsType(s, segment->Attributes, access) && IsInside(segment, offset, last))
            return true;
        CpuAccess.Raise(s, baseSlot == Slot.SsBase ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection);
        return false;
    }

    // Of a segment with a limit of 4 GiB, bytes that wrap around are inside.
    private static bool IsInside(SegmentRegister* segment, ulong offset, ulong last)
    {
        if (!SegmentAttributes.IsExpandDown(segment->Attributes))
            return last <= segment->Limit || segment->Limit == uint.MaxValue;
        var top = (segment->Attributes & SegmentAttributes.Big) != 0 ? uint.MaxValue : 0xFFFFu;
        return offset > segment->Limit && last <= top;
    }

    // In real mode any segment can be read and written.
    private static bool AllowsType(CpuState* s, int attributes, ulong access)
    {
        if ((access & SegmentAccess.Execute) != 0 || (CpuAccess.Mode(s) & GuestMode.Real) != 0)
            return true;
        return (access & SegmentAccess.Write) != 0 ? SegmentAttributes.IsWritable(attributes) : SegmentAttributes.IsReadable(attributes);
    }
}
