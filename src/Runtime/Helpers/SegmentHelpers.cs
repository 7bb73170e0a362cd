using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>
/// Segment registers. Real mode: base = selector * 16, the limit stays (SDM Vol. 3, 20.1.1). The other modes are flat, and
/// <see cref="CpuState.Selectors"/> says which selectors may be loaded; none changes the code size.
/// </summary>
public static unsafe class SegmentHelpers
{
    private const uint UserWrite = 6;
    private const int Cs = 1;
    private const int Ss = 2;
    private const ulong FlatData = 0x00CFF3000000FFFF;
    private const ulong FlatCode32 = 0x00CFFB000000FFFF;
    private const ulong FlatCode64 = 0x00AFFB000000FFFF;

    // The segment whose limit is the processor's number, which getcpu asks for; processor 0 of node 0.
    private const ulong ProcessorNumber = 0x0040F50000000000;
    private const int ProcessorNumberEntry = 15;

    internal static void RegisterHelpers()
    {
        const HelperEffects Writes = HelperEffects.ReadsState | HelperEffects.WritesState | HelperEffects.MayFault;
        HelperTable.Add(HelperId.ReadSelector, &ReadSelector, typeof(SegmentHelpers), nameof(ReadSelector), HelperEffects.ReadsState);
        HelperTable.Add(HelperId.LoadSegment, &LoadSegment, typeof(SegmentHelpers), nameof(LoadSegment), Writes);
        HelperTable.Add(HelperId.AccessRights, &AccessRights, typeof(SegmentHelpers), nameof(AccessRights), HelperEffects.ReadsState);
        HelperTable.Add(HelperId.SegmentLimit, &SegmentLimit, typeof(SegmentHelpers), nameof(SegmentLimit), HelperEffects.ReadsState);
        HelperTable.Add(HelperId.VerifySegment, &VerifySegment, typeof(SegmentHelpers), nameof(VerifySegment), HelperEffects.ReadsState);
        HelperTable.Add(HelperId.StoreSelector, &StoreSelector, typeof(SegmentHelpers), nameof(StoreSelector), HelperEffects.MayFault);
        HelperTable.Add(HelperId.WriteBase, &WriteBase, typeof(SegmentHelpers), nameof(WriteBase), Writes);
        HelperTable.Add(HelperId.StoreTable, &StoreTable, typeof(SegmentHelpers), nameof(StoreTable), HelperEffects.MayFault);
    }

    /// <summary>Puts a selector into a segment register as real mode does.</summary>
    public static void LoadReal(CpuState* s, int index, ushort selector)
    {
        CpuAccess.Segment(s, index)->Selector = selector;
        s->Slots[Slot.EsBase + index] = (ulong)selector << 4;
        if (index == Cs)
            CpuAccess.ContextChanged(s);
    }

    /// <summary>
    /// Loads CS for a far transfer to <paramref name="offset"/>. Call <see cref="CheckCode"/> first.
    /// </summary>
    internal static void LoadCode(CpuState* s, ushort selector)
    {
        if (IsReal(s))
            LoadReal(s, Cs, selector);
        else
            CpuAccess.Segment(s, Cs)->Selector = CpuAccess.Mode(s).IsUser() ? (ushort)(selector | 3) : selector;
    }

    /// <summary>True when CS may be loaded with the selector and execution may continue at the offset; else the exception is pending.</summary>
    internal static bool CheckCode(CpuState* s, ushort selector, ulong offset)
    {
        if (IsReal(s))
        {
            if (offset <= CpuAccess.Segment(s, Cs)->Limit)
                return true;
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return false;
        }

        var own = CpuAccess.Mode(s).Is64() ? FlatCode64 : FlatCode32;
        if (s->Selectors != SelectorRules.Any && !(TryDescriptor(s, selector, out var descriptor) && descriptor == own))
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection, selector & 0xFFFCu);
            return false;
        }

        if ((long)(offset << 16) >> 16 == (long)offset)
            return true;
        CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
        return false;
    }

    /// <summary>Loads a data or stack segment register; false with the exception pending.</summary>
    internal static bool TryLoad(CpuState* s, int index, ushort selector)
    {
        if (IsReal(s))
        {
            LoadReal(s, index, selector);
            return true;
        }

        ulong @base = 0;
        if (s->Selectors != SelectorRules.Any && !IsLoadable(s, index, selector, out @base))
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection, selector & 0xFFFCu);
            return false;
        }

        CpuAccess.Segment(s, index)->Selector = selector;
        s->Slots[Slot.EsBase + index] = @base;
        return true;
    }

    /// <summary>
    /// Puts a selector into a data segment register as a return to user code does: one that may not be loaded becomes null.
    /// </summary>
    public static void ReloadUser(CpuState* s, int index, ushort selector)
    {
        if (!IsLoadable(s, index, selector, out var @base))
            selector = 0;
        CpuAccess.Segment(s, index)->Selector = selector;
        s->Slots[Slot.EsBase + index] = @base;
    }

    /// <summary>True when user code may load a segment register with the selector.</summary>
    public static bool CanLoadUser(CpuState* s, int index, ushort selector) => IsLoadable(s, index, selector, out _);

    /// <summary>The base in an 8-byte segment descriptor (SDM Vol. 3, 3.4.5).</summary>
    public static uint DescriptorBase(ulong descriptor) => (uint)((descriptor >> 16 & 0xFFFFFF) | (descriptor >> 32 & 0xFF000000));

    private static ulong ReadSelector(CpuState* s, ulong index, ulong b, ulong c) => CpuAccess.Segment(s, (int)index)->Selector;

    private static ulong LoadSegment(CpuState* s, ulong index, ulong selector, ulong c)
    {
        TryLoad(s, (int)index, (ushort)selector);
        return 0;
    }

    // ES, DS and SS are flat by definition of the mode, so only FS and GS may have a base.
    private static bool IsLoadable(CpuState* s, int index, ushort selector, out ulong @base)
    {
        @base = 0;
        if ((selector & 0xFFFC) == 0)
            return index != Ss;
        if (!TryDescriptor(s, selector, out var descriptor))
            return false;
        @base = DescriptorBase(descriptor);
        var isCode = (descriptor >> 43 & 1) != 0;
        var readable = !isCode || (descriptor >> 41 & 1) != 0;
        var writable = !isCode && (descriptor >> 41 & 1) != 0;
        if (index < 4 && @base != 0)
            return false;
        return index == Ss ? writable && (selector & 3) == 3 : readable;
    }

    // The descriptors that a Linux process can name: the kernel's flat user segments (of a 64-bit kernel) and its own TLS entries.
    private static bool TryDescriptor(CpuState* s, ushort selector, out ulong descriptor)
    {
        descriptor = 0;
        if ((selector & 4) != 0)
            return false;
        var entry = selector >> 3;
        if (s->Selectors == SelectorRules.Any)
            descriptor = entry == 0 ? 0 : FlatData;
        else if (entry == 4)
            descriptor = FlatCode32;
        else if (entry == 5)
            descriptor = FlatData;
        else if (entry == 6)
            descriptor = FlatCode64;
        else if (entry == ProcessorNumberEntry)
            descriptor = ProcessorNumber;
        else if (s->Selectors == SelectorRules.Linux32 && entry is >= CpuState.FirstTlsEntry and < CpuState.FirstTlsEntry + CpuState.TlsEntryCount)
            descriptor = s->TlsDescriptors[entry - CpuState.FirstTlsEntry];
        return (descriptor >> 47 & 1) != 0;
    }

    private static ulong AccessRights(CpuState* s, ulong selector, ulong b, ulong c) =>
        TryDescriptor(s, (ushort)selector, out var descriptor) ? (1UL << 32) | (descriptor >> 32 & 0x00FFFF00) : 0;

    private static ulong SegmentLimit(CpuState* s, ulong selector, ulong b, ulong c)
    {
        if (!TryDescriptor(s, (ushort)selector, out var descriptor))
            return 0;
        var limit = (uint)((descriptor & 0xFFFF) | (descriptor >> 32 & 0xF0000));
        return (1UL << 32) | ((descriptor >> 55 & 1) != 0 ? (limit << 12) | 0xFFF : limit);
    }

    private static ulong VerifySegment(CpuState* s, ulong selector, ulong forWrite, ulong c)
    {
        if (!TryDescriptor(s, (ushort)selector, out var descriptor))
            return 0;
        var isCode = (descriptor >> 43 & 1) != 0;
        var bit = (descriptor >> 41 & 1) != 0;
        return (forWrite != 0 ? !isCode && bit : !isCode || bit) ? 1UL : 0;
    }

    private static ulong StoreSelector(CpuState* s, ulong linear, ulong selector, ulong differs)
    {
        if (differs != 0)
            GuestMemory.TryWrite(s, linear, 2, selector);
        return 0;
    }

    private static ulong WriteBase(CpuState* s, ulong index, ulong value, ulong c)
    {
        if ((long)(value << 16) >> 16 != (long)value)
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
        else
            s->Slots[Slot.EsBase + (int)index] = value;
        return 0;
    }

    // What sgdt and sidt (6 or 10 bytes: limit 0 and a base), sldt, str and smsw (2 bytes) store. For user code the kernel does it (UMIP):
    // alignment is not checked, and a fault is a page fault at the operand's start.
    private static ulong StoreTable(CpuState* s, ulong linear, ulong value, ulong size)
    {
        var bytes = stackalloc byte[10];
        *(ushort*)bytes = size == 2 ? (ushort)value : (ushort)0;
        *(ulong*)(bytes + 2) = value;
        var mode = s->Mode;
        s->Mode = (ushort)(mode & ~(int)GuestMode.AlignmentChecked);
        GuestMemory.TryWrite(s, linear, new ReadOnlySpan<byte>(bytes, (int)size));
        s->Mode = mode;
        if (((GuestMode)mode).IsUser() && s->Execution.ExceptionVector is ExceptionVector.PageFault or ExceptionVector.GeneralProtection)
        {
            s->Execution.FaultAddress = linear;
            CpuAccess.Raise(s, ExceptionVector.PageFault, UserWrite);
        }

        return 0;
    }

    private static bool IsReal(CpuState* s) => (CpuAccess.Mode(s) & GuestMode.Real) != 0;
}
