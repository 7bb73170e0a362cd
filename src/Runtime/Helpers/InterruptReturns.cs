using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>iret in all modes (SDM Vol. 2, IRET; Vol. 3, 6.12, 6.14.3 and 20.2.1).</summary>
internal static unsafe class InterruptReturns
{
    private const uint Virtual = Eflags.VIF | Eflags.VIP;

    internal static void RegisterHelpers() =>
        HelperTable.Add(
            HelperId.InterruptReturn, &InterruptReturn, typeof(InterruptReturns), nameof(InterruptReturn),
            HelperEffects.ReadsState | HelperEffects.WritesState | HelperEffects.MayFault | HelperEffects.ChangesContext);

    // Gives the new RIP. Nothing has changed when an exception is pending, but that NMIs are no longer blocked (SDM Vol. 3, 6.7.1).
    private static ulong InterruptReturn(CpuState* s, ulong size, ulong next, ulong c)
    {
        if (s->System.IsNmiBlocked)
        {
            s->System.IsNmiBlocked = false;
            Interlocked.Or(ref s->Execution.ExitRequest, (int)ExitRequests.Host);
        }

        if (!CodeTransfers.HasDescriptors(s))
            return ReturnWithoutDescriptors(s, size);
        if ((s->Slots[Slot.Eflags] & Eflags.NT) != 0)
            return ReturnFromTask(s, (uint)next);

        // The flags are read first.
        Span<ulong> values = stackalloc ulong[5];
        var top = GuestStack.StackPointer(s);
        if (!TryLoad(s, top, size, values[..3]))
            return 0;
        var level = CodeModes.PrivilegeLevel(s);
        if ((values[2] & Eflags.VM) != 0 && size == 4 && level == 0 && !s->IsLongMode && s->Execution.Gdt == null)
            return ReturnToVirtual(s, top, values);
        if (!CodeTransfers.TryFindReturn(s, (ushort)values[1], out var target) || !CodeTransfers.CheckOffset(s, target, ref values[0]))
            return 0;

        // In 64-bit code, and on the way to an outer privilege level, SS:RSP is popped as well.
        var isOuter = target.Level > level;
        var hasStack = isOuter || CpuAccess.Mode(s).Is64();
        var is64 = s->IsLongMode && target.Descriptor.IsLong;
        SegmentDescriptor stack = default;
        if (hasStack && (!TryLoad(s, top + (3 * size), size, values[3..]) || !SegmentLoads.TryFindStack(s, (ushort)values[4], target.Level, is64, out stack)))
            return 0;
        if (!DescriptorLookup.MarkAccessed(s, target.Selector, target.Descriptor))
            return 0;
        var mask = Changeable(s, size, level);
        if (isOuter)
            SegmentLoads.DropInner(s, target.Level);
        CodeTransfers.Commit(s, target, (ushort)values[4], stack, hasStack);
        GuestStack.SetStackPointer(s, hasStack ? values[3] : top + (3 * size));
        SetFlags(s, (uint)values[2], mask);
        return values[0];
    }

    // Real and virtual-8086 mode, and code whose selectors name nothing.
    private static ulong ReturnWithoutDescriptors(CpuState* s, ulong size)
    {
        var mode = CpuAccess.Mode(s);
        var isReal = (mode & GuestMode.Real) != 0;
        if (isReal && mode.IsUser() && (s->Slots[Slot.Eflags] & Eflags.IopL) != Eflags.IopL)
            return Raise(s, ExceptionVector.GeneralProtection);

        // A task return, which nothing here has set up.
        if (!isReal && (s->Slots[Slot.Eflags] & Eflags.NT) != 0)
            return Raise(s, ExceptionVector.GeneralProtection);
        Span<ulong> values = stackalloc ulong[5];
        var top = GuestStack.StackPointer(s);
        var count = mode.Is64() ? 5 : 3;
        if (!TryLoad(s, top, size, values[..3]) || !CodeTransfers.TryFindReturn(s, (ushort)values[1], out var target)
            || !CodeTransfers.CheckOffset(s, target, ref values[0]) || !TryLoad(s, top + (3 * size), size, values[3..count])
            || (count > 3 && !SegmentLoads.TryLoad(s, 2, (ushort)values[4])) || !CodeTransfers.TryLoad(s, target))
            return 0;
        GuestStack.SetStackPointer(s, count > 3 ? values[3] : top + (3 * size));
        SetFlags(s, (uint)values[2], Changeable(s, size, CodeModes.PrivilegeLevel(s)));
        return values[0];
    }

    // Long mode and processes have no tasks to return to.
    private static ulong ReturnFromTask(CpuState* s, uint next)
    {
        if (s->IsLongMode || s->Execution.Gdt != null)
            return Raise(s, ExceptionVector.GeneralProtection);
        return TaskSwitch.TryReadLink(s, out var task) ? TaskTransfers.Switch(s, task, TaskSwitchCause.Return, next) : 0;
    }

    // EIP CS EFLAGS ESP SS ES DS FS GS (SDM Vol. 3, 20.2.1): no checks, all flags.
    private static ulong ReturnToVirtual(CpuState* s, ulong top, ReadOnlySpan<ulong> values)
    {
        Span<ulong> rest = stackalloc ulong[6];
        if (!TryLoad(s, top + 12, 4, rest))
            return 0;
        if (values[0] > ushort.MaxValue)
            return Raise(s, ExceptionVector.GeneralProtection);
        SetFlags(s, (uint)values[2], ~0u);
        ReadOnlySpan<ushort> selectors = [(ushort)rest[2], (ushort)values[1], (ushort)rest[1], (ushort)rest[3], (ushort)rest[4], (ushort)rest[5]];
        VirtualMode.Enter(s, selectors);
        s->Slots[Slot.Rsp] = rest[0];
        return values[0];
    }

    // SDM Vol. 2, IRET: IF needs a level of at most IOPL, IOPL level 0. VM changes with the mode only.
    private static uint Changeable(CpuState* s, ulong size, int level)
    {
        var mask = Eflags.Status | Eflags.TF | Eflags.DF | Eflags.NT;
        if (size != 2)
            mask |= Eflags.AC | Eflags.Id | Eflags.RF;
        if (level <= (int)(s->Slots[Slot.Eflags] >> 12 & 3))
            mask |= Eflags.IF;
        if (level == 0)
            mask |= Eflags.IopL | (size == 2 || (CpuAccess.Mode(s) & GuestMode.Real) != 0 ? 0 : Virtual);
        return mask;
    }

    // RF lasts for one instruction, and only with a breakpoint does it do anything.
    private static void SetFlags(CpuState* s, uint value, uint mask) =>
        FlagWrites.Replace(s, mask, DebugBreakpoints.AreActive(s) ? value : value & ~Eflags.RF);

    // From the highest address.
    private static bool TryLoad(CpuState* s, ulong at, ulong size, Span<ulong> values)
    {
        for (var i = values.Length - 1; i >= 0; i--)
            if (!GuestStack.TryLoad(s, at + ((ulong)i * size), (int)size, out values[i]))
                return false;
        return true;
    }

    private static ulong Raise(CpuState* s, int vector)
    {
        CpuAccess.Raise(s, vector);
        return 0;
    }
}
