using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>
/// Far jmp and call through call gates and to tasks (SDM Vol. 2, CALL and JMP; Vol. 3, 5.8.3 to 5.8.5 and 7.3). Each gives the new RIP; nothing has changed when
/// an exception is pending.
/// </summary>
internal static unsafe class GateTransfers
{
    private const int LongGate = GateDescriptor.Call | GateDescriptor.Wide;

    /// <summary>True when a selector names a system descriptor in the guest's tables.</summary>
    public static bool IsTarget(CpuState* s, ushort selector, out SegmentDescriptor descriptor)
    {
        descriptor = default;
        return s->Execution.Gdt == null && !SegmentLoads.IsReal(s) && !SegmentLoads.IsNull(selector)
            && DescriptorLookup.Find(s, selector, out descriptor) == LookupResult.Found && descriptor.IsSystem;
    }

    /// <summary>Goes through the descriptor.</summary>
    /// <param name="s">The state.</param>
    /// <param name="selector">Its selector.</param>
    /// <param name="descriptor">What it names.</param>
    /// <param name="isCall">A call, which can be returned from.</param>
    /// <param name="next">RIP behind the instruction.</param>
    public static ulong Enter(CpuState* s, ushort selector, SegmentDescriptor descriptor, bool isCall, ulong next)
    {
        var level = CodeModes.PrivilegeLevel(s);
        var gate = new GateDescriptor(descriptor.Bits);
        var error = selector & 0xFFFCu;
        var isTask = !s->IsLongMode && TaskSwitch.IsTask(descriptor);
        var isTaskGate = !s->IsLongMode && gate.Type == GateDescriptor.Task;
        var isCallGate = gate.Type == LongGate || (gate.Type == GateDescriptor.Call && !s->IsLongMode);
        if (!(isTask || isTaskGate || isCallGate) || descriptor.Dpl < Math.Max(level, selector & 3))
            return Raise(s, ExceptionVector.GeneralProtection, error);
        var cause = isCall ? TaskSwitchCause.Call : TaskSwitchCause.Jump;
        if (isTask)
            return TaskTransfers.Switch(s, selector, cause, next);
        if (s->IsLongMode && !TryReadUpper(s, selector, ref gate))
            return 0;
        if (!gate.IsPresent)
            return Raise(s, ExceptionVector.SegmentNotPresent, error);
        if (isTaskGate)
            return TaskTransfers.Switch(s, gate.Selector, cause, next);
        if (!TryFindCode(s, gate.Selector, level, isCall, out var code))
            return 0;
        var target = new CodeTarget((ushort)((gate.Selector & ~3) | (isCall && !code.IsConforming ? code.Dpl : level)), code);
        var offset = s->IsLongMode ? gate.LongOffset : gate.Offset;
        if (!CodeTransfers.CheckOffset(s, target, ref offset) || !DescriptorLookup.MarkAccessed(s, gate.Selector, code))
            return 0;
        if (!isCall)
            CodeTransfers.Commit(s, target, 0, default, loadsStack: false);
        else if (!(s->IsLongMode ? TryCallLong(s, target, level, next) : TryCall(s, target, gate, level, next)))
            return 0;
        return offset;
    }

    // Pushes CS:EIP and, on the stack of an inner level, first SS:ESP and the parameters.
    private static bool TryCall(CpuState* s, in CodeTarget target, GateDescriptor gate, int level, ulong next)
    {
        Span<ulong> frame = stackalloc ulong[35];
        var isInner = target.Level < level;
        var (count, size) = (0, gate.Size);
        TargetStack stack;
        if (isInner)
        {
            if (!TaskStacks.TryFind(s, target.Level, 0, out stack) || !DescriptorLookup.MarkAccessed(s, stack.Selector, stack.Descriptor))
                return false;
            frame[count++] = s->Ss.Selector;
            frame[count++] = s->Slots[Slot.Rsp];
            var top = GuestStack.StackPointer(s);
            for (var i = gate.ParameterCount - 1; i >= 0; i--)
                if (!GuestStack.TryLoad(s, top + (uint)(i * size), size, out frame[count++]))
                    return false;
        }
        else
            stack = TargetStack.Present(s);
        frame[count++] = s->Cs.Selector;
        frame[count++] = next;
        if (!stack.TryPush(s, size, frame[..count], isInner ? stack.Selector & 0xFFFCu : 0))
            return false;
        CodeTransfers.Commit(s, target, stack.Selector, stack.Descriptor, isInner);
        stack.Enter(s, loadsSegment: false);
        return true;
    }

    // No parameters; SS of an inner level is null.
    private static bool TryCallLong(CpuState* s, in CodeTarget target, int level, ulong next)
    {
        var isInner = target.Level < level;
        var rsp = s->Slots[Slot.Rsp];
        if (isInner && !TaskStacks.TryFindLong(s, target.Level, 0, 0, out rsp))
            return false;
        var frame = stackalloc ulong[4];
        frame[0] = next;
        frame[1] = s->Cs.Selector;
        frame[2] = s->Slots[Slot.Rsp];
        frame[3] = s->Ss.Selector;
        var size = isInner ? 32 : 16;
        rsp -= (uint)size;
        if (!PageFaults.IsCanonical(rsp) || !PageFaults.IsCanonical(rsp + (uint)size - 1))
            return Raise(s, ExceptionVector.StackFault, 0) != 0;
        if (!SystemMemory.TryWrite(s, rsp, (byte*)frame, size, target.Level == 3))
            return false;
        CodeTransfers.Commit(s, target, (ushort)target.Level, default, isInner);
        s->Slots[Slot.Rsp] = rsp;
        return true;
    }

    // The second half of a gate of long mode, which looks like a descriptor of type 0.
    private static bool TryReadUpper(CpuState* s, ushort selector, ref GateDescriptor gate)
    {
        var found = DescriptorLookup.FindUpper(s, selector, out var upper);
        if (found == LookupResult.Fault)
            return false;
        if (found == LookupResult.Missing || (upper >> 40 & 0x1F) != 0)
            return Raise(s, ExceptionVector.GeneralProtection, selector & 0xFFFCu) != 0;
        gate = new GateDescriptor(gate.Low, upper);
        return true;
    }

    private static bool TryFindCode(CpuState* s, ushort selector, int level, bool isCall, out SegmentDescriptor code)
    {
        code = default;
        if (SegmentLoads.IsNull(selector))
            return Raise(s, ExceptionVector.GeneralProtection, 0) != 0;
        var found = DescriptorLookup.Find(s, selector, out code);
        if (found == LookupResult.Fault)
            return false;
        var allowed = found == LookupResult.Found && code.IsCode && (isCall || code.IsConforming ? code.Dpl <= level : code.Dpl == level);
        if (!allowed || (s->IsLongMode && (!code.IsLong || code.IsBig)))
            return Raise(s, ExceptionVector.GeneralProtection, selector & 0xFFFCu) != 0;
        return code.IsPresent || Raise(s, ExceptionVector.SegmentNotPresent, selector & 0xFFFCu) != 0;
    }

    private static ulong Raise(CpuState* s, int vector, uint error)
    {
        CpuAccess.Raise(s, vector, error);
        return 0;
    }
}
