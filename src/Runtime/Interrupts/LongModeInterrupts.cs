using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Interrupts;

/// <summary>Interrupt and trap gates of long mode: 64-bit code, an aligned stack, SS:RSP always pushed (SDM Vol. 3, 6.14).</summary>
internal static unsafe class LongModeInterrupts
{
    private const int GateSize = 16;
    private const int InterruptGate = GateDescriptor.Interrupt | GateDescriptor.Wide;
    private const int TrapGate = GateDescriptor.Trap | GateDescriptor.Wide;

    /// <summary>Enters the event's handler; false with an exception pending and the state unchanged.</summary>
    public static bool TryEnter(CpuState* s, CpuEvent e)
    {
        var level = CodeModes.PrivilegeLevel(s);
        var external = e.ExternalBit;
        if (!TryReadGate(s, e, level, out var gate) || !InterruptDelivery.TryFindCode(s, gate.Selector, level, external, out var code))
            return false;
        var target = code.IsConforming ? level : code.Dpl;
        var rsp = s->Slots[Slot.Rsp];
        if ((gate.StackIndex != 0 || target < level) && !TaskStacks.TryFindLong(s, target, gate.StackIndex, external, out rsp))
            return false;
        if (!PageFaults.IsCanonical(gate.LongOffset))
            return InterruptDelivery.Raise(s, ExceptionVector.GeneralProtection, external);

        // From the lowest address: error code, RIP, CS, RFLAGS, RSP, SS.
        var frame = stackalloc ulong[6];
        frame[0] = e.Error;
        frame[1] = s->Slots[Slot.Rip];
        frame[2] = s->Cs.Selector;
        frame[3] = InterruptDelivery.PushedFlags(s, e);
        frame[4] = s->Slots[Slot.Rsp];
        frame[5] = s->Ss.Selector;
        var skipped = e.HasErrorCode ? 0 : 1;
        var size = (6 - skipped) * sizeof(ulong);
        rsp = (rsp & ~15UL) - (uint)size;
        if (!DescriptorLookup.MarkAccessed(s, gate.Selector, code) || !TryPush(s, rsp, (byte*)(frame + skipped), size, external, target == 3))
            return false;
        s->Slots[Slot.Rsp] = rsp;
        s->Slots[Slot.Rip] = gate.LongOffset;
        SegmentLoads.Set(s, 1, (ushort)((gate.Selector & ~3) | target), code);
        if (target < level)
            SegmentLoads.Set(s, 2, (ushort)target, default);
        InterruptDelivery.ClearFlags(s, gate.Type == InterruptGate);
        CodeModes.Update(s);
        return true;
    }

    private static bool TryPush(CpuState* s, ulong rsp, byte* frame, int size, uint external, bool asUser)
    {
        if (!PageFaults.IsCanonical(rsp) || !PageFaults.IsCanonical(rsp + (uint)size - 1))
            return InterruptDelivery.Raise(s, ExceptionVector.StackFault, external);
        return SystemMemory.TryWrite(s, rsp, frame, size, asUser);
    }

    private static bool TryReadGate(CpuState* s, CpuEvent e, int level, out GateDescriptor gate)
    {
        gate = default;
        var at = e.Vector * GateSize;
        var error = InterruptDelivery.ErrorOf(e);
        if (at + GateSize - 1 > s->System.Idtr.Limit)
            return InterruptDelivery.Raise(s, ExceptionVector.GeneralProtection, error);
        var bits = stackalloc ulong[2];
        if (!SystemMemory.TryRead(s, s->System.Idtr.Base + (uint)at, (byte*)bits, GateSize))
            return false;
        gate = new GateDescriptor(bits[0], bits[1]);
        if (gate.Type is not (InterruptGate or TrapGate) || (e.ChecksGate && gate.Dpl < level))
            return InterruptDelivery.Raise(s, ExceptionVector.GeneralProtection, error);
        return gate.IsPresent || InterruptDelivery.Raise(s, ExceptionVector.SegmentNotPresent, error);
    }
}
