using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Segmentation;

/// <summary>
/// The mode that code runs in follows from the segment registers and, in a system, from CR0, CR4 and EFLAGS.VM. Whoever changes one of these calls
/// <see cref="Update"/>; nobody else sets the bits of <see cref="CpuState.Mode"/> that come from them.
/// </summary>
public static unsafe class CodeModes
{
    private const GuestMode Independent = GuestMode.SseUnmasked | GuestMode.AlignmentChecked;
    private const int DplShift = 5, DplMask = 3 << DplShift;

    /// <summary>Works out the mode after something that it follows from has changed. Real mode stays in a state that is no system's.</summary>
    public static void Update(CpuState* s)
    {
        var old = CpuAccess.Mode(s);
        if (s->Execution.Gdt == null)
            UpdateSystem(s, old);
        else if ((old & GuestMode.Real) == 0)
            CpuAccess.SetMode(s, OfSegments(s) | ((s->Cs.Selector & 3) == 3 ? GuestMode.User : 0) | (old & Independent));
    }

    /// <summary>
    /// Starts code of a mode: segment registers of which it follows (flat ones or, in real mode, with base 0 and a limit of 64 KiB). Selectors
    /// are left as they are, so that a host may set others; the bases of FS and GS are 0. Privilege levels are 3 in user code and else 0.
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
            if (!mode.IsUser())
                segment->Attributes &= unchecked((ushort)~DplMask);
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
        if (mode.IsSystem())
            return mode.IsPrivileged() ? 0 : CodeLevel(s);
        return (mode & GuestMode.Real) != 0 || DescriptorLookup.IsFlat(s) ? 0 : s->Cs.Selector & 3;
    }

    private static void UpdateSystem(CpuState* s, GuestMode old)
    {
        var cr0 = s->System.Cr0;
        var mode = GuestMode.System | (old & Independent);
        if ((cr0 & (Cr0.TaskSwitched | Cr0.Emulation)) != 0)
            mode |= GuestMode.NoFpu;
        if ((s->System.Cr4 & Cr4.OsFxsr) == 0 || (cr0 & Cr0.Emulation) != 0)
            mode |= GuestMode.NoSse;
        if ((cr0 & Cr0.ProtectionEnable) == 0)
            mode |= GuestMode.Real | OfWidths(s);
        else if ((s->Slots[Slot.Eflags] & Eflags.VM) != 0)
            mode |= GuestMode.Real | GuestMode.User;
        else
        {
            var level = CodeLevel(s);
            mode |= OfSegments(s) | (level == 3 ? GuestMode.User : level == 0 ? 0 : GuestMode.Unprivileged);
        }

        // Where flat, nothing but the mode counts for which translation is executed.
        if (mode != old || (mode & GuestMode.Flat) == 0)
            CpuAccess.SetMode(s, mode);

        // A return may have changed EFLAGS.AC alone.
        else if ((s->System.Cr4 & Cr4.SupervisorAccessPrevention) != 0 && s->Execution.TranslationFlusher != null)
            s->Execution.TranslationFlusher(s, TranslationChange.UserAccess, 0);
    }

    // The level comes from the hidden part, for the selector may still be one of real mode after protected mode was entered. Conforming code runs
    // at the level of its caller, which only the selector has.
    private static int CodeLevel(CpuState* s) =>
        SegmentAttributes.IsConforming(s->Cs.Attributes) ? s->Cs.Selector & 3 : (s->Cs.Attributes & DplMask) >> DplShift;

    private static GuestMode OfSegments(CpuState* s)
    {
        if (s->IsLongMode && (s->Cs.Attributes & SegmentAttributes.Long) != 0)
            return GuestMode.Code64 | GuestMode.Stack32 | GuestMode.Flat;
        var mode = OfWidths(s);
        if (IsFlat(s))
            mode |= GuestMode.Flat;
        if (!IsUnlimited(&s->Fs))
            mode |= GuestMode.CheckedFs;
        if (!IsUnlimited(&s->Gs))
            mode |= GuestMode.CheckedGs;
        return mode;
    }

    private static GuestMode OfWidths(CpuState* s) =>
        ((s->Cs.Attributes & SegmentAttributes.Big) != 0 ? GuestMode.Code32 : GuestMode.Code16)
            | ((s->Ss.Attributes & SegmentAttributes.Big) != 0 ? GuestMode.Stack32 : 0);

    private static bool IsFlat(CpuState* s)
    {
        var bases = s->Slots[Slot.EsBase] | s->Slots[Slot.CsBase] | s->Slots[Slot.SsBase] | s->Slots[Slot.DsBase];
        return bases == 0 && IsUnlimited(&s->Es) && IsUnlimited(&s->Ss) && IsUnlimited(&s->Ds)
            && s->Cs.Limit == uint.MaxValue && SegmentAttributes.IsReadableCode(s->Cs.Attributes);
    }

    private static bool IsUnlimited(SegmentRegister* segment) =>
        segment->Limit == uint.MaxValue && SegmentAttributes.IsPlainData(segment->Attributes);
}
