using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Segmentation;

/// <summary>A code segment that a far transfer goes to, checked but not loaded.</summary>
/// <param name="Selector">Selector with the privilege level as its RPL.</param>
/// <param name="Descriptor">Descriptor; unused where selectors name nothing.</param>
public readonly record struct CodeTarget(ushort Selector, SegmentDescriptor Descriptor)
{
    /// <summary>Privilege level of the code there, outside real mode.</summary>
    public int Level => Selector & 3;
}

/// <summary>
/// The checks of far jmp, call, ret and iret, and the load of CS (SDM Vol. 3, 5.8). Gates and tasks, which only a system with its own tables
/// could have, raise the exception of a selector that names no code.
/// </summary>
public static unsafe class CodeTransfers
{
    private const int Cs = 1, Ss = 2;

    /// <summary>The target of a far jmp or call; false with the exception pending.</summary>
    internal static bool TryFind(CpuState* s, ushort selector, out CodeTarget target)
    {
        var level = CodeModes.PrivilegeLevel(s);
        if (!TryFindCode(s, selector, (ushort)((selector & ~3) | level), out target))
            return false;
        if (!HasDescriptors(s))
            return true;
        var descriptor = target.Descriptor;
        var allowed = descriptor.IsConforming ? descriptor.Dpl <= level : (selector & 3) <= level && descriptor.Dpl == level;
        return Finish(s, selector, allowed, descriptor);
    }

    /// <summary>The target of a far ret or an iret; false with the exception pending.</summary>
    internal static bool TryFindReturn(CpuState* s, ushort selector, out CodeTarget target)
    {
        if (!TryFindCode(s, selector, selector, out target))
            return false;
        if (!HasDescriptors(s))
            return true;
        var (descriptor, level) = (target.Descriptor, selector & 3);
        var allowed = level >= CodeModes.PrivilegeLevel(s) && (descriptor.IsConforming ? descriptor.Dpl <= level : descriptor.Dpl == level);
        return Finish(s, selector, allowed, descriptor);
    }

    /// <summary>
    /// True when execution may continue at the offset, which is truncated to what the target's code has; else the exception is pending.
    /// </summary>
    internal static bool CheckOffset(CpuState* s, in CodeTarget target, ref ulong offset)
    {
        var is64 = HasDescriptors(s) ? s->IsLongMode && target.Descriptor.IsLong : CpuAccess.Mode(s).Is64();
        if (!is64)
            offset = (uint)offset;
        var limit = HasDescriptors(s) ? target.Descriptor.Limit : SegmentLoads.IsReal(s) ? s->Cs.Limit : uint.MaxValue;
        if (is64 ? (long)(offset << 16) >> 16 == (long)offset : offset <= limit)
            return true;
        CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
        return false;
    }

    /// <summary>Loads CS. False with a fault pending, when the guest's table could not be written.</summary>
    internal static bool TryLoad(CpuState* s, in CodeTarget target)
    {
        if (SegmentLoads.IsReal(s))
        {
            SegmentLoads.LoadReal(s, Cs, target.Selector);
            return true;
        }

        if (DescriptorLookup.IsFlat(s))
        {
            s->Cs.Selector = (ushort)(CpuAccess.Mode(s).IsUser() ? target.Selector | 3 : target.Selector);
            return true;
        }

        if (!DescriptorLookup.MarkAccessed(s, target.Selector, target.Descriptor))
            return false;
        SegmentLoads.Set(s, Cs, target.Selector, target.Descriptor);
        CodeModes.Update(s);
        return true;
    }

    /// <summary>
    /// Loads CS and, where the transfer changes it, SS, which both have been marked accessed; the mode follows. Not in real mode, nor where selectors name
    /// nothing. The stack pointer is set after it, when its width is known.
    /// </summary>
    internal static void Commit(CpuState* s, in CodeTarget target, ushort stackSelector, SegmentDescriptor stack, bool loadsStack)
    {
        var is64 = CpuAccess.Mode(s).Is64();
        SegmentLoads.Set(s, Cs, target.Selector, target.Descriptor);
        if (loadsStack)
            SegmentLoads.Set(s, Ss, stackSelector, stack);
        CodeModes.Update(s);

        // Upper halves of general registers are undefined after 64-bit code; other code has them zero (see Slot). R8 to R15, which it cannot reach, stay.
        if (is64 && !CpuAccess.Mode(s).Is64())
            for (var i = Slot.Rax; i <= Slot.Rdi; i++)
                s->Slots[i] = (uint)s->Slots[i];
    }

    /// <summary>Loads CS with a selector of the host's tables, as a system does for code of its own choice. It must be one of user code.</summary>
    public static void SetUserCode(CpuState* s, ushort selector)
    {
        if (TryReturnToUser(s, selector) != null)
            throw new InvalidOperationException($"selector 0x{selector:X} is none of user code");
    }

    /// <summary>
    /// Loads CS with what a return to user code finds in its frame.
    /// </summary>
    /// <returns>Vector and error code of the exception, or null.</returns>
    public static (int Vector, uint Error)? TryReturnToUser(CpuState* s, ushort selector)
    {
        return TryFindReturn(s, selector, out var target) && TryLoad(s, target) ? null : TakeFault(s);
    }

    /// <summary>Says whether user code may go on at RIP, and truncates it to what the code segment has.</summary>
    /// <returns>Vector and error code of the exception, or null.</returns>
    public static (int Vector, uint Error)? CheckUserOffset(CpuState* s)
    {
        var is64 = CpuAccess.Mode(s).Is64();
        ref var rip = ref s->Slots[Slot.Rip];
        if (!is64)
            rip = (uint)rip;
        if (is64 ? (long)(rip << 16) >> 16 == (long)rip : rip <= s->Cs.Limit)
            return null;
        return (ExceptionVector.GeneralProtection, 0);
    }

    private static (int Vector, uint Error) TakeFault(CpuState* s)
    {
        var fault = (s->Execution.ExceptionVector, s->Execution.ExceptionError);
        s->Execution.ExceptionVector = -1;
        return fault;
    }

    /// <summary>True where selectors name descriptors: outside real mode and what has no tables.</summary>
    internal static bool HasDescriptors(CpuState* s) => !SegmentLoads.IsReal(s) && !DescriptorLookup.IsFlat(s);

    private static bool TryFindCode(CpuState* s, ushort selector, ushort loaded, out CodeTarget target)
    {
        target = new CodeTarget(selector, default);
        if (!HasDescriptors(s))
            return true;
        if (SegmentLoads.IsNull(selector))
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return false;
        }

        var found = DescriptorLookup.Find(s, selector, out var descriptor);
        if (found == LookupResult.Fault)
            return false;
        target = new CodeTarget(loaded, descriptor);
        var isCode = found == LookupResult.Found && descriptor.IsCode && !(s->IsLongMode && descriptor.IsLong && descriptor.IsBig);
        if (!isCode)
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection, selector & 0xFFFCu);
        return isCode;
    }

    private static bool Finish(CpuState* s, ushort selector, bool allowed, SegmentDescriptor descriptor)
    {
        if (allowed && descriptor.IsPresent)
            return true;
        CpuAccess.Raise(s, allowed ? ExceptionVector.SegmentNotPresent : ExceptionVector.GeneralProtection, selector & 0xFFFCu);
        return false;
    }
}
