using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>Far jmp, call, ret and iret, and the stack frames of pusha and enter. Each gives the new RIP. SDM Vol. 2.</summary>
internal static unsafe class FarTransferHelpers
{
    private const int CodeSegment = 1, StackSegment = 2;

    internal static void RegisterHelpers()
    {
        const HelperEffects Effects = HelperEffects.ReadsState | HelperEffects.WritesState | HelperEffects.MayFault;
        HelperTable.Add(HelperId.FarJump, &FarJump, typeof(FarTransferHelpers), nameof(FarJump), Effects | HelperEffects.ChangesContext);
        HelperTable.Add(HelperId.FarCall, &FarCall, typeof(FarTransferHelpers), nameof(FarCall), Effects | HelperEffects.ChangesContext);
        HelperTable.Add(HelperId.FarReturn, &FarReturn, typeof(FarTransferHelpers), nameof(FarReturn), Effects | HelperEffects.ChangesContext);
        HelperTable.Add(HelperId.InterruptReturn, &InterruptReturn, typeof(FarTransferHelpers), nameof(InterruptReturn), Effects | HelperEffects.ChangesContext);
        HelperTable.Add(HelperId.PushAll, &PushAll, typeof(FarTransferHelpers), nameof(PushAll), Effects);
        HelperTable.Add(HelperId.PopAll, &PopAll, typeof(FarTransferHelpers), nameof(PopAll), Effects);
        HelperTable.Add(HelperId.Enter, &Enter, typeof(FarTransferHelpers), nameof(Enter), Effects);
    }

    private static ulong FarJump(CpuState* s, ulong selector, ulong offset, ulong c)
    {
        if (CodeTransfers.TryFind(s, (ushort)selector, out var target) && CodeTransfers.CheckOffset(s, target, ref offset))
            CodeTransfers.TryLoad(s, target);
        return offset;
    }

    private static ulong FarCall(CpuState* s, ulong packed, ulong offset, ulong next)
    {
        var size = (int)(packed >> 16);
        if (CodeTransfers.TryFind(s, (ushort)packed, out var target) && CodeTransfers.CheckOffset(s, target, ref offset)
            && GuestStack.TryPush(s, size, [s->Cs.Selector, next]))
            CodeTransfers.TryLoad(s, target);
        return offset;
    }

    private static ulong FarReturn(CpuState* s, ulong size, ulong drop, ulong c)
    {
        // CS is read first, 16 bits of it, and checked before the offset is read.
        var top = GuestStack.StackPointer(s);
        if (!GuestStack.TryLoad(s, top + size, 2, out var selector) || !CodeTransfers.TryFindReturn(s, (ushort)selector, out var target)
            || !GuestStack.TryLoad(s, top, (int)size, out var offset) || !CodeTransfers.CheckOffset(s, target, ref offset))
            return 0;
        top += (2 * size) + drop;
        if (!IsOuter(s, target))
        {
            if (CodeTransfers.TryLoad(s, target))
                GuestStack.SetStackPointer(s, top);
            return offset;
        }

        if (!GuestStack.TryLoad(s, top, (int)size, out var pointer) || !GuestStack.TryLoad(s, top + size, 2, out var stack)
            || !TryLeave(s, target, (ushort)stack))
            return 0;
        GuestStack.SetStackPointer(s, pointer + drop);
        return offset;
    }

    private static ulong InterruptReturn(CpuState* s, ulong size, ulong b, ulong c)
    {
        var mode = CpuAccess.Mode(s);
        var isReal = (mode & GuestMode.Real) != 0;

        // A task return, which nothing here has set up.
        if (!isReal && (s->Slots[Slot.Eflags] & Eflags.NT) != 0)
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return 0;
        }

        // The flags are read first. In 64-bit code, and on the way to an outer privilege level, SS:RSP is popped as well.
        Span<ulong> values = stackalloc ulong[5];
        var top = GuestStack.StackPointer(s);
        foreach (var i in (ReadOnlySpan<int>)[2, 1, 0])
            if (!GuestStack.TryLoad(s, top + ((ulong)i * size), (int)size, out values[i]))
                return 0;
        if (mode.Is64() && !TryLoadStack(s, top, size, values))
            return 0;
        var offset = values[0];
        if (!CodeTransfers.TryFindReturn(s, (ushort)values[1], out var target) || !CodeTransfers.CheckOffset(s, target, ref offset))
            return 0;
        var isOuter = IsOuter(s, target);
        if (isOuter && !mode.Is64() && !TryLoadStack(s, top, size, values))
            return 0;
        if (isOuter ? !TryLeave(s, target, (ushort)values[4]) : !TryReturn(s, target, (ushort)values[4], mode.Is64()))
            return 0;
        GuestStack.SetStackPointer(s, isOuter || mode.Is64() ? values[3] : top + (3 * size));
        var mask = Eflags.Status | Eflags.TF | Eflags.DF | Eflags.NT | (size == 2 ? 0 : Eflags.AC | Eflags.Id);
        if (!mode.IsUser())
            mask |= Eflags.IF | Eflags.IopL;
        CpuAccess.SetEflags(s, (CpuAccess.GetEflags(s) & ~mask) | ((uint)values[2] & mask));

        // Makes the dispatcher look at TF and AC before the next instruction.
        if ((values[2] & (Eflags.TF | Eflags.AC)) != 0)
            Interlocked.Or(ref s->Execution.ExitRequest, (int)ExitRequests.Invalidation);
        return offset;
    }

    // SS:RSP of an interrupt frame, SS first.
    private static bool TryLoadStack(CpuState* s, ulong top, ulong size, Span<ulong> values) =>
        GuestStack.TryLoad(s, top + (4 * size), (int)size, out values[4]) && GuestStack.TryLoad(s, top + (3 * size), (int)size, out values[3]);

    private static bool IsOuter(CpuState* s, in CodeTarget target) =>
        (CpuAccess.Mode(s) & GuestMode.Real) == 0 && !DescriptorLookup.IsFlat(s) && target.Level > CodeModes.PrivilegeLevel(s);

    // The stack segment is checked before CS changes, and CS is loaded before the width of the stack pointer is asked for.
    private static bool TryReturn(CpuState* s, in CodeTarget target, ushort stack, bool hasStack) =>
        (!hasStack || SegmentLoads.TryLoad(s, StackSegment, stack)) && CodeTransfers.TryLoad(s, target);

    // To an outer level: data segments that code there could not have loaded become null (SDM Vol. 3, 5.8.6).
    private static bool TryLeave(CpuState* s, in CodeTarget target, ushort stack)
    {
        if (!SegmentLoads.TryLoad(s, StackSegment, stack, target.Level) || !CodeTransfers.TryLoad(s, target))
            return false;
        for (var i = 0; i < 6; i++)
            if (i is not (CodeSegment or StackSegment))
                SegmentLoads.DropInner(s, i, target.Level);
        return true;
    }

    private static ulong PushAll(CpuState* s, ulong size, ulong b, ulong c)
    {
        var r = s->Slots;
        GuestStack.TryPush(
            s, (int)size, [r[Slot.Rax], r[Slot.Rcx], r[Slot.Rdx], r[Slot.Rbx], r[Slot.Rsp], r[Slot.Rbp], r[Slot.Rsi], r[Slot.Rdi]]);
        return 0;
    }

    // From the stack pointer up DI SI BP (SP, read and dropped) BX DX CX AX; what was loaded before a fault stays, as on the hardware.
    private static ulong PopAll(CpuState* s, ulong size, ulong b, ulong c)
    {
        var r = s->Slots;
        var top = GuestStack.StackPointer(s);
        for (var i = 0; i < 8; i++)
        {
            if (!GuestStack.TryLoad(s, top + ((ulong)i * size), (int)size, out var value))
                return 0;
            var slot = Slot.Rdi - i;
            if (slot != Slot.Rsp)
                r[slot] = size == 2 ? (r[slot] & ~0xFFFFUL) | value : value;
        }

        GuestStack.SetStackPointer(s, top + (8 * size));
        return 0;
    }

    // With a nesting level the frame pointers of the enclosing procedures are copied, then the new one is pushed. The new stack pointer is
    // probed by a write (SDM Vol. 2, ENTER).
    private static ulong Enter(CpuState* s, ulong allocate, ulong level, ulong operandSize)
    {
        var size = (int)operandSize;
        var r = s->Slots;
        var top = GuestStack.StackPointer(s);
        var frame = top - operandSize;
        if (!GuestStack.TryStore(s, frame, size, r[Slot.Rbp]))
            return 0;
        top = frame;
        for (var i = 1; i < (int)level; i++)
        {
            top -= operandSize;
            if (!GuestStack.TryLoad(s, r[Slot.Rbp] - (ulong)(i * size), size, out var link) || !GuestStack.TryStore(s, top, size, link))
                return 0;
        }

        if (level != 0)
        {
            top -= operandSize;
            if (!GuestStack.TryStore(s, top, size, frame))
                return 0;
        }

        top -= allocate;
        if (!GuestStack.CheckStore(s, top, size))
            return 0;
        GuestStack.SetStackPointer(s, top);
        r[Slot.Rbp] = size switch
        {
            2 => (r[Slot.Rbp] & ~0xFFFFUL) | (ushort)frame,
            4 => (uint)frame,
            _ => frame,
        };
        return 0;
    }
}
