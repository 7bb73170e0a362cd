using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Segmentation;

/// <summary>
/// Loads of data and stack segment registers (SDM Vol. 3, 5.6 and 5.7). Real mode: base = selector * 16, the limit stays (20.1.1).
/// </summary>
public static unsafe class SegmentLoads
{
    private const int Cs = 1, Ss = 2;
    private const int NoFault = -1;

    /// <summary>
    /// Puts a selector into a segment register as real and virtual-8086 mode do. In real mode limit and rights stay those of the last descriptor.
    /// </summary>
    public static void LoadReal(CpuState* s, int index, ushort selector)
    {
        const ushort Usable = SegmentAttributes.Present | SegmentAttributes.CodeOrData, Data3 = 0xF3;
        var segment = CpuAccess.Segment(s, index);
        segment->Selector = selector;
        segment->Attributes |= Usable;
        if (CpuAccess.Mode(s).IsVirtual8086())
            (segment->Attributes, segment->Limit) = (Data3, ushort.MaxValue);
        s->Slots[Slot.EsBase + index] = (ulong)selector << 4;
        if (index == 1)
            CpuAccess.ContextChanged(s);
    }

    /// <summary>Loads a data or stack segment register; false with the exception pending.</summary>
    internal static bool TryLoad(CpuState* s, int index, ushort selector) => TryLoad(s, index, selector, CodeModes.PrivilegeLevel(s));

    /// <summary>The same as code of a privilege level does it: a return to an outer level loads SS so.</summary>
    internal static bool TryLoad(CpuState* s, int index, ushort selector, int level)
    {
        if (IsReal(s))
        {
            LoadReal(s, index, selector);
            return true;
        }

        if (DescriptorLookup.IsFlat(s))
        {
            CpuAccess.Segment(s, index)->Selector = selector;
            s->Slots[Slot.EsBase + index] = 0;
            return true;
        }

        var fault = Judge(s, index, selector, level, CpuAccess.Mode(s).Is64(), out var descriptor, out var error);
        if (fault != NoFault)
        {
            if (s->Execution.ExceptionVector < 0)
                CpuAccess.Raise(s, fault, error);
            return false;
        }

        if (!IsNull(selector) && !DescriptorLookup.MarkAccessed(s, selector, descriptor))
            return false;
        Set(s, index, selector, descriptor);
        CodeModes.Update(s);
        return true;
    }

    /// <summary>
    /// A stack segment for code of a privilege level that control goes to, checked but not loaded; a null selector gives one that is unusable. False with
    /// the exception pending. Not in real mode, nor where selectors name nothing.
    /// </summary>
    /// <param name="s">The state.</param>
    /// <param name="selector">The selector.</param>
    /// <param name="level">Privilege level of the code.</param>
    /// <param name="is64">It is 64-bit code, which may have no stack segment.</param>
    /// <param name="descriptor">The descriptor.</param>
    internal static bool TryFindStack(CpuState* s, ushort selector, int level, bool is64, out SegmentDescriptor descriptor)
    {
        var fault = Judge(s, Ss, selector, level, is64, out descriptor, out var error);
        if (fault != NoFault)
        {
            if (s->Execution.ExceptionVector < 0)
                CpuAccess.Raise(s, fault, error);
            return false;
        }

        if (!IsNull(selector))
            return DescriptorLookup.MarkAccessed(s, selector, descriptor);
        descriptor = default;
        return true;
    }

    /// <summary>
    /// Puts a selector into a data segment register as a system does before it returns to user code: one that may not be loaded becomes null.
    /// </summary>
    public static void ReloadUser(CpuState* s, int index, ushort selector)
    {
        if (Judge(s, index, selector, 3, false, out var descriptor, out _) != NoFault)
        {
            s->Execution.ExceptionVector = NoFault;
            (selector, descriptor) = (0, default);
        }

        Set(s, index, selector, descriptor);
        CodeModes.Update(s);
    }

    /// <summary>
    /// Loads SS with what a return to user code finds in its frame.
    /// </summary>
    /// <param name="s">The state, with the code segment loaded already.</param>
    /// <param name="selector">The selector.</param>
    /// <returns>Vector and error code of the exception, or null.</returns>
    public static (int Vector, uint Error)? TryLoadUserStack(CpuState* s, ushort selector)
    {
        var fault = Judge(s, Ss, selector, 3, CpuAccess.Mode(s).Is64(), out var descriptor, out var error);
        if (fault != NoFault)
            return (fault, error);
        Set(s, Ss, selector, descriptor);
        CodeModes.Update(s);
        return null;
    }

    /// <summary>Puts selector and descriptor into a register without any check; a null selector makes it unusable.</summary>
    internal static void Set(CpuState* s, int index, ushort selector, SegmentDescriptor descriptor)
    {
        var segment = CpuAccess.Segment(s, index);
        segment->Selector = selector;
        segment->Attributes = descriptor.Attributes;
        segment->Limit = descriptor.Limit;
        s->Slots[Slot.EsBase + index] = descriptor.Base;
    }

    /// <summary>
    /// Makes the data segment registers null that code of an outer privilege level could not have loaded (SDM Vol. 3, 5.8.6). The mode is to be worked out
    /// after it.
    /// </summary>
    internal static void DropInner(CpuState* s, int level)
    {
        for (var i = 0; i < 6; i++)
        {
            var descriptor = new SegmentDescriptor((ulong)CpuAccess.Segment(s, i)->Attributes << 40);
            if (i is not (Cs or Ss) && descriptor.Dpl < level && !descriptor.IsConforming && descriptor.IsPresent)
                Set(s, i, 0, default);
        }
    }

    /// <summary>True for the four selectors that name nothing.</summary>
    public static bool IsNull(ushort selector) => (selector & 0xFFFC) == 0;

    /// <summary>True in real-address mode.</summary>
    internal static bool IsReal(CpuState* s) => (CpuAccess.Mode(s) & GuestMode.Real) != 0;

    // The vector of the exception that the load raises, or NoFault. 64-bit code outside ring 3 may have no stack segment.
    private static int Judge(CpuState* s, int index, ushort selector, int level, bool is64, out SegmentDescriptor descriptor, out uint error)
    {
        descriptor = default;
        error = 0;
        if (IsNull(selector))
            return index != Ss || (is64 && level < 3 && (selector & 3) == level) ? NoFault : ExceptionVector.GeneralProtection;
        error = selector & 0xFFFCu;
        var found = DescriptorLookup.Find(s, selector, out descriptor);
        if (found == LookupResult.Fault)
            return ExceptionVector.PageFault;
        if (found == LookupResult.Missing || !(index == Ss ? SuitsStack(descriptor, selector, level) : SuitsData(descriptor, selector, level)))
            return ExceptionVector.GeneralProtection;
        if (descriptor.IsPresent)
            return NoFault;
        return index == Ss ? ExceptionVector.StackFault : ExceptionVector.SegmentNotPresent;
    }

    private static bool SuitsStack(SegmentDescriptor descriptor, ushort selector, int level) =>
        descriptor.IsWritable && (selector & 3) == level && descriptor.Dpl == level;

    private static bool SuitsData(SegmentDescriptor descriptor, ushort selector, int level) =>
        descriptor.IsReadable && (descriptor.IsConforming || Math.Max(selector & 3, level) <= descriptor.Dpl);
}
