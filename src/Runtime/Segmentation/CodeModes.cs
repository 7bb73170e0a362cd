using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Segmentation;

/// <summary>
/// The mode that code runs in follows from the segment registers. Whoever changes one outside real mode calls <see cref="Update"/>; nobody
/// else sets the bits of <see cref="CpuState.Mode"/> that come from segments.
/// </summary>
public static unsafe class CodeModes
{
    private const GuestMode Independent = GuestMode.SseUnmasked | GuestMode.AlignmentChecked;

    /// <summary>Works out the mode after segment registers have changed. Real mode stays.</summary>
    public static void Update(CpuState* s)
    {
        var old = CpuAccess.Mode(s);
        if ((old & GuestMode.Real) == 0)
            CpuAccess.SetMode(s, Of(s) | (old & Independent));
    }

    /// <summary>
    /// Starts code of a mode: segment registers of which it follows (flat ones or, in real mode, with base 0 and a limit of 64 KiB). Selectors
    /// are left as they are, so that a host may set others; the bases of FS and GS are 0.
    /// </summary>
    public static void Start(CpuState* s, GuestMode mode)
    {
        var isReal = (mode & GuestMode.Real) != 0;
        var code = mode.Bitness() switch
        {
            16 => SegmentDescriptor.FlatCode16,
            32 => SegmentDescriptor.FlatCode32,
            _ => SegmentDescriptor.FlatCode64,
        };
        for (var i = 0; i < 6; i++)
        {
            var segment = CpuAccess.Segment(s, i);
            segment->Attributes = (i == 1 ? code : i == 2 && mode.StackBytes() == 2 ? SegmentDescriptor.FlatData16 : SegmentDescriptor.FlatData).Attributes;
            segment->Limit = isReal ? ushort.MaxValue : uint.MaxValue;
            s->Slots[Slot.EsBase + i] = 0;
        }

        s->IsLongMode = mode.Is64();
        CpuAccess.SetMode(s, mode | ((GuestMode)s->Mode & Independent));
    }

    /// <summary>Current privilege level.</summary>
    public static int PrivilegeLevel(CpuState* s)
    {
        var mode = CpuAccess.Mode(s);
        if (mode.IsUser())
            return 3;
        return (mode & GuestMode.Real) != 0 || DescriptorLookup.IsFlat(s) ? 0 : s->Cs.Selector & 3;
    }

    private static GuestMode Of(CpuState* s)
    {
        var mode = (s->Cs.Selector & 3) == 3 ? GuestMode.User : GuestMode.Code16;
        if (s->IsLongMode && (s->Cs.Attributes & SegmentAttributes.Long) != 0)
            return mode | GuestMode.Code64 | GuestMode.Stack32 | GuestMode.Flat;
        if ((s->Cs.Attributes & SegmentAttributes.Big) != 0)
            mode |= GuestMode.Code32;
        if ((s->Ss.Attributes & SegmentAttributes.Big) != 0)
            mode |= GuestMode.Stack32;
        if (IsFlat(s))
            mode |= GuestMode.Flat;
        if (!IsUnlimited(&s->Fs))
            mode |= GuestMode.CheckedFs;
        if (!IsUnlimited(&s->Gs))
            mode |= GuestMode.CheckedGs;
        return mode;
    }

    private static bool IsFlat(CpuState* s)
    {
        var bases = s->Slots[Slot.EsBase] | s->Slots[Slot.CsBase] | s->Slots[Slot.SsBase] | s->Slots[Slot.DsBase];
        return bases == 0 && IsUnlimited(&s->Es) && IsUnlimited(&s->Ss) && IsUnlimited(&s->Ds)
            && s->Cs.Limit == uint.MaxValue && SegmentAttributes.IsReadableCode(s->Cs.Attributes);
    }

    private static bool IsUnlimited(SegmentRegister* segment) =>
        segment->Limit == uint.MaxValue && SegmentAttributes.IsPlainData(segment->Attributes);
}
