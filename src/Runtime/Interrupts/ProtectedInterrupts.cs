using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Interrupts;

/// <summary>Interrupt, trap and task gates outside long mode, from protected and virtual-8086 mode (SDM Vol. 2, INT n; Vol. 3, 6.12 and 20.3).</summary>
internal static unsafe class ProtectedInterrupts
{
    private const int GateSize = 8;
    private const int Cs = 1;

    /// <summary>Enters the event's handler; false with an exception pending and the state unchanged.</summary>
    public static bool TryEnter(CpuState* s, CpuEvent e)
    {
        var level = CodeModes.PrivilegeLevel(s);
        if (!TryReadGate(s, e, level, out var gate))
            return false;
        if (gate.Type == GateDescriptor.Task)
            return TrySwitch(s, e, gate.Selector);
        if (!InterruptDelivery.TryFindCode(s, gate.Selector, level, e.ExternalBit, out var code))
            return false;
        var fromVirtual = (s->Slots[Slot.Eflags] & Eflags.VM) != 0;
        var target = code.IsConforming ? level : code.Dpl;
        if (fromVirtual && target != 0)
            return InterruptDelivery.Raise(s, ExceptionVector.GeneralProtection, (gate.Selector & 0xFFFCu) | e.ExternalBit);
        var isInner = target < level;
        TargetStack stack;
        if (!isInner)
            stack = TargetStack.Present(s);
        else if (!TaskStacks.TryFind(s, target, e.ExternalBit, out stack))
            return false;

        // Highest address first: GS FS DS ES of virtual-8086 mode; SS ESP from an outer level; EFLAGS CS EIP; error code.
        Span<ulong> frame = stackalloc ulong[10];
        var count = 0;
        if (fromVirtual)
        {
            frame[count++] = s->Gs.Selector;
            frame[count++] = s->Fs.Selector;
            frame[count++] = s->Ds.Selector;
            frame[count++] = s->Es.Selector;
        }

        if (isInner)
        {
            frame[count++] = s->Ss.Selector;
            frame[count++] = s->Slots[Slot.Rsp];
        }

        frame[count++] = InterruptDelivery.PushedFlags(s, e);
        frame[count++] = s->Cs.Selector;
        frame[count++] = s->Slots[Slot.Rip];
        if (e.HasErrorCode)
            frame[count++] = e.Error;
        if (!DescriptorLookup.MarkAccessed(s, gate.Selector, code) || (isInner && !DescriptorLookup.MarkAccessed(s, stack.Selector, stack.Descriptor)))
            return false;
        if (gate.Offset > code.Limit)
            return InterruptDelivery.Raise(s, ExceptionVector.GeneralProtection, e.ExternalBit);
        if (!stack.TryPush(s, gate.Size, frame[..count], isInner ? (stack.Selector & 0xFFFCu) | e.ExternalBit : e.ExternalBit))
            return false;
        stack.Enter(s, isInner);
        s->Slots[Slot.Rip] = gate.Offset;
        SegmentLoads.Set(s, Cs, (ushort)((gate.Selector & ~3) | target), code);
        if (fromVirtual)
            DropDataSegments(s);
        InterruptDelivery.ClearFlags(s, (gate.Type & ~GateDescriptor.Wide) == GateDescriptor.Interrupt);
        CodeModes.Update(s);
        return true;
    }

    // An error code goes onto the new task's stack. When its segments cannot be loaded the exception is one of the new task.
    private static bool TrySwitch(CpuState* s, CpuEvent e, ushort task)
    {
        var flags = InterruptDelivery.PushedFlags(s, e);
        if (TaskSwitch.Switch(s, task, TaskSwitchCause.Interrupt, e.ExternalBit, (uint)s->Slots[Slot.Rip], flags) != TaskSwitchResult.Done)
            return false;
        if (!e.HasErrorCode)
            return true;
        var size = (s->System.Tr.Attributes & GateDescriptor.Wide) != 0 ? 4 : 2;
        var stack = TargetStack.Present(s);
        if (!stack.TryPush(s, size, [e.Error], e.ExternalBit))
            return false;
        stack.Enter(s, loadsSegment: false);
        return true;
    }

    private static void DropDataSegments(CpuState* s)
    {
        SegmentLoads.Set(s, 0, 0, default);
        for (var i = 3; i < 6; i++)
            SegmentLoads.Set(s, i, 0, default);
    }

    private static bool TryReadGate(CpuState* s, CpuEvent e, int level, out GateDescriptor gate)
    {
        gate = default;
        var at = e.Vector * GateSize;
        var error = InterruptDelivery.ErrorOf(e);
        if (at + GateSize - 1 > s->System.Idtr.Limit)
            return InterruptDelivery.Raise(s, ExceptionVector.GeneralProtection, error);
        if (!SystemMemory.TryRead(s, s->System.Idtr.Base + (uint)at, GateSize, out var bits))
            return false;
        gate = new GateDescriptor(bits);
        var isGate = gate.Type == GateDescriptor.Task || (gate.Type & ~GateDescriptor.Wide) is GateDescriptor.Interrupt or GateDescriptor.Trap;
        if (!isGate || (e.ChecksGate && gate.Dpl < level))
            return InterruptDelivery.Raise(s, ExceptionVector.GeneralProtection, error);
        return gate.IsPresent || InterruptDelivery.Raise(s, ExceptionVector.SegmentNotPresent, error);
    }
}
