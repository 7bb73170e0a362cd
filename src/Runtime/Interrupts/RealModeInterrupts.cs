using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Interrupts;

/// <summary>
/// Interrupts and exceptions of real-address mode (SDM Vol. 3, 20.1.4): through the vector table where IDTR says it is or, for hosts whose code has no
/// system registers, at address 0.
/// </summary>
public static unsafe class RealModeInterrupts
{
    private const int EntrySize = 4;
    private const ushort DefaultLimit = 0x3FF;

    /// <summary>
    /// Pushes FLAGS, CS and IP, clears IF, TF and AC, and continues at the vector. The pushed IP is RIP: that of the faulting instruction
    /// after a fault, of the next one after a software interrupt. When the stack has no room, a double fault is tried.
    /// </summary>
    /// <param name="s">The state, in real mode.</param>
    /// <param name="vector">0 to 255.</param>
    /// <returns>False when the double fault could not be delivered either: the CPU shuts down. The state is then unchanged.</returns>
    public static bool Deliver(CpuState* s, int vector) =>
        InterruptDelivery.TryDeliver(s, new CpuEvent((byte)vector, EventKind.Exception), s->Slots[Slot.Rip]);

    /// <summary>Enters the event's handler; false with an exception pending and the state unchanged.</summary>
    internal static bool TryEnter(CpuState* s, CpuEvent e)
    {
        var isSystem = s->Execution.Gdt == null;
        var at = e.Vector * EntrySize;
        if (at + EntrySize - 1 > (isSystem ? s->System.Idtr.Limit : DefaultLimit))
            return InterruptDelivery.Raise(s, ExceptionVector.GeneralProtection, InterruptDelivery.ErrorOf(e));
        if (!SystemMemory.TryRead(s, (isSystem ? s->System.Idtr.Base : 0) + (uint)at, EntrySize, out var entry))
            return false;
        var stack = TargetStack.Present(s);
        if (!stack.TryPush(s, 2, [CpuAccess.GetEflags(s), s->Cs.Selector, s->Slots[Slot.Rip]], e.ExternalBit))
            return false;
        stack.Enter(s, loadsSegment: false);
        s->Slots[Slot.Eflags] &= ~(ulong)(Eflags.IF | Eflags.TF | Eflags.AC | Eflags.RF);
        SegmentLoads.LoadReal(s, 1, (ushort)(entry >> 16));
        s->Slots[Slot.Rip] = (ushort)entry;
        return true;
    }
}
