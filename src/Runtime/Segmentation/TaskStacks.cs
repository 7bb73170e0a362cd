using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Segmentation;

/// <summary>The stacks of inner privilege levels, and those of the interrupt stack table, as the present task's TSS has them (SDM Vol. 3, 7.2.1 and 7.7).</summary>
internal static unsafe class TaskStacks
{
    private const int LongStacks = 4, InterruptStacks = 28;

    /// <summary>
    /// Selector and pointer of the stack of a level, outside long mode, and its segment; every check of a transfer to the level is made. False with
    /// #TS, #SS or a page fault pending.
    /// </summary>
    /// <param name="s">The state.</param>
    /// <param name="level">The privilege level that the transfer goes to, 0 to 2.</param>
    /// <param name="external">The EXT bit of error codes.</param>
    /// <param name="stack">The stack.</param>
    public static bool TryFind(CpuState* s, int level, uint external, out TargetStack stack)
    {
        stack = default;
        var isWide = (s->System.Tr.Attributes & GateDescriptor.Wide) != 0;
        var size = isWide ? 4 : 2;
        var at = isWide ? (level * 8) + 4 : (level * 4) + 2;
        if (at + size + 1 > s->System.Tr.Limit)
            return Raise(s, ExceptionVector.InvalidTask, (s->System.Tr.Selector & 0xFFFCu) | external);
        if (!SystemMemory.TryRead(s, s->System.TrBase + (uint)at, size, out var pointer)
            || !SystemMemory.TryRead(s, s->System.TrBase + (uint)(at + size), 2, out var selector)
            || !TryFindSegment(s, (ushort)selector, level, external, out var descriptor))
            return false;
        stack = TargetStack.Of((ushort)selector, descriptor, pointer);
        return true;
    }

    /// <summary>
    /// Pointer of the stack of a level, or of one of the interrupt stack table, in long mode. False with #TS, #SS or a page fault pending.
    /// </summary>
    /// <param name="s">The state.</param>
    /// <param name="level">The privilege level that the transfer goes to, 0 to 2.</param>
    /// <param name="interruptStack">1 to 7: this stack of the table, whatever the level.</param>
    /// <param name="external">The EXT bit of error codes.</param>
    /// <param name="pointer">RSP.</param>
    public static bool TryFindLong(CpuState* s, int level, int interruptStack, uint external, out ulong pointer)
    {
        pointer = 0;
        var at = (uint)(interruptStack != 0 ? InterruptStacks + (8 * interruptStack) : LongStacks + (8 * level));
        if (at + 7 > s->System.Tr.Limit)
            return Raise(s, ExceptionVector.InvalidTask, (s->System.Tr.Selector & 0xFFFCu) | external);
        if (!SystemMemory.TryRead(s, s->System.TrBase + at, 8, out pointer))
            return false;
        return PageFaults.IsCanonical(pointer) || Raise(s, ExceptionVector.StackFault, external);
    }

    /// <summary>A stack segment for code of a level; false with #TS (not present: #SS) or a page fault pending.</summary>
    public static bool TryFindSegment(CpuState* s, ushort selector, int level, uint external, out SegmentDescriptor descriptor)
    {
        descriptor = default;
        if (SegmentLoads.IsNull(selector))
            return Raise(s, ExceptionVector.InvalidTask, external);
        var error = (selector & 0xFFFCu) | external;
        switch (DescriptorLookup.Find(s, selector, out descriptor))
        {
            case LookupResult.Fault: return false;
            case LookupResult.Missing: return Raise(s, ExceptionVector.InvalidTask, error);
            default: break;
        }

        if ((selector & 3) != level || descriptor.Dpl != level || !descriptor.IsWritable)
            return Raise(s, ExceptionVector.InvalidTask, error);
        return descriptor.IsPresent || Raise(s, ExceptionVector.StackFault, error);
    }

    private static bool Raise(CpuState* s, int vector, uint error)
    {
        CpuAccess.Raise(s, vector, error);
        return false;
    }
}
