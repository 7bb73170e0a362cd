using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Execution;

/// <summary>
/// Interrupts and exceptions of real-address mode through the vector table at address 0 (SDM Vol. 3, 20.1.4), for hosts to call when
/// <see cref="Vcpu.Run(ITraps, ulong)"/> returned an exception or a software interrupt.
/// </summary>
public static unsafe class RealModeInterrupts
{
    private const int EntrySize = 4;

    /// <summary>
    /// Pushes FLAGS, CS and IP, clears IF, TF and AC, and continues at the vector. The pushed IP is RIP: that of the faulting instruction
    /// after a fault, of the next one after a software interrupt. When the stack has no room, a double fault is tried.
    /// </summary>
    /// <param name="s">The state, in real mode.</param>
    /// <param name="vector">0 to 255.</param>
    /// <returns>False when the double fault could not be delivered either: the CPU shuts down. The state is then unchanged.</returns>
    public static bool Deliver(CpuState* s, int vector)
    {
        s->Execution.ExceptionVector = -1;
        if (TryDeliver(s, vector) || TryDeliver(s, ExceptionVector.DoubleFault))
            return true;
        s->Execution.ExceptionVector = -1;
        return false;
    }

    private static bool TryDeliver(CpuState* s, int vector)
    {
        if (!GuestMemory.TryRead(s, (ulong)(vector * EntrySize), EntrySize, out var entry, AccessIntent.Supervisor))
            return false;
        var flags = CpuAccess.GetEflags(s);
        DropCodeUnderStack(s);
        if (!GuestStack.TryPush(s, 2, [flags, s->Cs.Selector, s->Slots[Slot.Rip]]))
            return false;
        s->Execution.ExceptionVector = -1;
        s->Slots[Slot.Eflags] &= ~(ulong)(Eflags.IF | Eflags.TF | Eflags.AC | Eflags.RF);
        SegmentLoads.LoadReal(s, 1, (ushort)(entry >> 16));
        s->Slots[Slot.Rip] = (ushort)entry;
        return true;
    }

    // No instruction is under way that could be executed alone, so translations of the bytes that are pushed over go first.
    private static void DropCodeUnderStack(CpuState* s)
    {
        for (var i = 1; i <= 3; i++)
        {
            var offset = (ushort)(s->Slots[Slot.Rsp] - (ulong)(2 * i));
            Vcpu.Of(s).Cache.Memory.PrepareWrite((uint)(s->Slots[Slot.SsBase] + offset), 2);
        }
    }
}
