using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>Far jmp, call and ret, and the stack frames of pusha and enter. Each gives the new RIP. SDM Vol. 2.</summary>
internal static unsafe class FarTransferHelpers
{
    internal static void RegisterHelpers()
    {
        const HelperEffects Effects = HelperEffects.ReadsState | HelperEffects.WritesState | HelperEffects.MayFault;
        HelperTable.Add(HelperId.FarJump, &FarJump, typeof(FarTransferHelpers), nameof(FarJump), Effects | HelperEffects.ChangesContext);
        HelperTable.Add(HelperId.FarCall, &FarCall, typeof(FarTransferHelpers), nameof(FarCall), Effects | HelperEffects.ChangesContext);
        HelperTable.Add(HelperId.FarReturn, &FarReturn, typeof(FarTransferHelpers), nameof(FarReturn), Effects | HelperEffects.ChangesContext);
        HelperTable.Add(HelperId.PushAll, &PushAll, typeof(FarTransferHelpers), nameof(PushAll), Effects);
        HelperTable.Add(HelperId.PopAll, &PopAll, typeof(FarTransferHelpers), nameof(PopAll), Effects);
        HelperTable.Add(HelperId.Enter, &Enter, typeof(FarTransferHelpers), nameof(Enter), Effects);
    }

    private static ulong FarJump(CpuState* s, ulong selector, ulong offset, ulong next)
    {
        if (GateTransfers.IsTarget(s, (ushort)selector, out var descriptor))
            return GateTransfers.Enter(s, (ushort)selector, descriptor, isCall: false, next);
        if (CodeTransfers.TryFind(s, (ushort)selector, out var target) && CodeTransfers.CheckOffset(s, target, ref offset))
            CodeTransfers.TryLoad(s, target);
        return offset;
    }

    private static ulong FarCall(CpuState* s, ulong packed, ulong offset, ulong next)
    {
        if (GateTransfers.IsTarget(s, (ushort)packed, out var descriptor))
            return GateTransfers.Enter(s, (ushort)packed, descriptor, isCall: true, next);
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

    private static bool IsOuter(CpuState* s, in CodeTarget target) =>
        (CpuAccess.Mode(s) & GuestMode.Real) == 0 && !DescriptorLookup.IsFlat(s) && target.Level > CodeModes.PrivilegeLevel(s);

    // To an outer level: data segments that code there could not have loaded become null (SDM Vol. 3, 5.8.6).
    private static bool TryLeave(CpuState* s, in CodeTarget target, ushort stackSelector)
    {
        var is64 = s->IsLongMode && target.Descriptor.IsLong;
        if (!SegmentLoads.TryFindStack(s, stackSelector, target.Level, is64, out var stack)
            || !DescriptorLookup.MarkAccessed(s, target.Selector, target.Descriptor))
            return false;
        SegmentLoads.DropInner(s, target.Level);
        CodeTransfers.Commit(s, target, stackSelector, stack, loadsStack: true);
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
