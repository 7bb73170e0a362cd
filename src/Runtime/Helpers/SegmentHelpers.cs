using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>Helpers of the instructions that load, store and ask about segment registers and descriptor tables.</summary>
internal static unsafe class SegmentHelpers
{

    internal static void RegisterHelpers()
    {
        const HelperEffects Writes = HelperEffects.ReadsState | HelperEffects.WritesState | HelperEffects.MayFault;
        const HelperEffects Reads = HelperEffects.ReadsState | HelperEffects.MayFault;
        HelperTable.Add(HelperId.ReadSelector, &ReadSelector, typeof(SegmentHelpers), nameof(ReadSelector), HelperEffects.ReadsState);
        HelperTable.Add(HelperId.LoadSegment, &LoadSegment, typeof(SegmentHelpers), nameof(LoadSegment), Writes);
        HelperTable.Add(HelperId.LocalTableSelector, &LocalTableSelector, typeof(SegmentHelpers), nameof(LocalTableSelector), HelperEffects.ReadsState);
        HelperTable.Add(HelperId.AccessRights, &AccessRights, typeof(SegmentHelpers), nameof(AccessRights), Reads);
        HelperTable.Add(HelperId.SegmentLimit, &SegmentLimit, typeof(SegmentHelpers), nameof(SegmentLimit), Reads);
        HelperTable.Add(HelperId.VerifySegment, &VerifySegment, typeof(SegmentHelpers), nameof(VerifySegment), Reads);
        HelperTable.Add(HelperId.StoreSelector, &StoreSelector, typeof(SegmentHelpers), nameof(StoreSelector), HelperEffects.MayFault);
        HelperTable.Add(HelperId.WriteBase, &WriteBase, typeof(SegmentHelpers), nameof(WriteBase), Writes);
        HelperTable.Add(HelperId.StoreTable, &StoreTable, typeof(SegmentHelpers), nameof(StoreTable), HelperEffects.MayFault);
    }

    private static ulong ReadSelector(CpuState* s, ulong index, ulong b, ulong c) => CpuAccess.Segment(s, (int)index)->Selector;

    private static ulong LoadSegment(CpuState* s, ulong index, ulong selector, ulong c)
    {
        const int Ss = 2;
        if (SegmentLoads.TryLoad(s, (int)index, (ushort)selector) && index == Ss && CpuAccess.Mode(s).IsSystem())
            s->System.InterruptShadow |= FlagWrites.StackShadow;
        return 0;
    }

    private static ulong LocalTableSelector(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (s->Execution.Gdt == null)
            return s->Ldtr.Selector;
        return s->Execution.Ldt == null || Volatile.Read(ref s->Execution.Ldt->Limit) == 0 ? 0UL : s->Execution.Ldt->Selector;
    }

    private static ulong AccessRights(CpuState* s, ulong selector, ulong b, ulong c) => SegmentQueries.Rights(s, (ushort)selector);

    private static ulong SegmentLimit(CpuState* s, ulong selector, ulong b, ulong c) => SegmentQueries.Limit(s, (ushort)selector);

    private static ulong VerifySegment(CpuState* s, ulong selector, ulong forWrite, ulong c) =>
        SegmentQueries.Allows(s, (ushort)selector, forWrite != 0);

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
    private static ulong StoreTable(CpuState* s, ulong linear, ulong value, ulong packed)
    {
        var size = (byte)packed;
        var bytes = stackalloc byte[10];
        *(ushort*)bytes = size == 2 ? (ushort)value : (ushort)0;
        *(ulong*)(bytes + 2) = value;
        var mode = s->Mode;
        s->Mode = (ushort)(mode & ~(int)GuestMode.AlignmentChecked);
        GuestMemory.TryWrite(s, linear, bytes, size, (AccessIntent)(packed >> 8));
        s->Mode = mode;
        if (((GuestMode)mode).IsUser()
            && s->Execution.ExceptionVector is ExceptionVector.PageFault or ExceptionVector.GeneralProtection or ExceptionVector.StackFault)
        {
            s->Execution.FaultAddress = linear;
            CpuAccess.Raise(s, ExceptionVector.PageFault, PageFaults.User | PageFaults.Write);
        }

        return 0;
    }
}
