using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Privileged;

/// <summary>What makes the processor switch tasks.</summary>
internal enum TaskSwitchCause
{
    /// <summary>A far jmp.</summary>
    Jump,

    /// <summary>A far call, which the new task can return from.</summary>
    Call,

    /// <summary>An interrupt or exception through a task gate; likewise.</summary>
    Interrupt,

    /// <summary>iret with EFLAGS.NT.</summary>
    Return,
}

/// <summary>What became of a task switch.</summary>
internal enum TaskSwitchResult
{
    /// <summary>Not made: an exception is pending, of the old task, and nothing has changed.</summary>
    Refused,

    /// <summary>Made.</summary>
    Done,

    /// <summary>Made, but an exception of the new task is pending, for its first instruction: one of its segments cannot be loaded.</summary>
    Faulted,
}

/// <summary>
/// The task switch of 32- and 16-bit tasks (SDM Vol. 3, 7.3), outside long mode. It stores into several places and is therefore made only between
/// instructions or in one that is executed alone.
/// </summary>
internal static unsafe class TaskSwitch
{
    private const int Es = 0, Cs = 1, Ss = 2, Ds = 3;
    private const ulong LocalBreakpoints = 0x155;
    private const uint Valid = 0x3F7FD7;

    // Types of system segments, and the bits in which those of tasks differ.
    private const int LocalTable = 2, Task = 1, TaskMask = 0x15, Busy = 2, TypeByte = 5;

    /// <summary>True when a descriptor is that of a task, busy or not, 16-bit or 32-bit.</summary>
    public static bool IsTask(SegmentDescriptor descriptor) => ((int)(descriptor.Bits >> 40) & TaskMask) == Task;

    /// <summary>Switches to the task of a TSS selector. The privilege of whoever asks has been checked.</summary>
    /// <param name="s">The state.</param>
    /// <param name="selector">Selector of the new task's TSS.</param>
    /// <param name="cause">What asks for it.</param>
    /// <param name="external">The EXT bit of error codes.</param>
    /// <param name="next">EIP that the old task goes on at.</param>
    /// <param name="flags">EFLAGS of the old task.</param>
    public static TaskSwitchResult Switch(CpuState* s, ushort selector, TaskSwitchCause cause, uint external, uint next, uint flags)
    {
        if (s->Execution.IsStepping == 0)
        {
            s->Execution.ExceptionVector = ExecutionState.RestartAlone;
            return TaskSwitchResult.Refused;
        }

        if (!TryFindTask(s, selector, cause, external, out var task))
            return TaskSwitchResult.Refused;
        var isWide = IsWide(task.Attributes);
        var oldIsWide = IsWide(s->System.Tr.Attributes);
        var old = s->System.Tr.Selector;
        var nests = cause is TaskSwitchCause.Call or TaskSwitchCause.Interrupt;
        if (!TaskImage.CheckSave(s, s->System.TrBase, oldIsWide) || !TaskImage.TryRead(s, task.Base, isWide, out var image)
            || !SystemMemory.CheckWrite(s, TypeAddress(s, selector), 1) || (!nests && !SystemMemory.CheckWrite(s, TypeAddress(s, old), 1))
            || (nests && !SystemMemory.CheckWrite(s, task.Base, 2)))
            return TaskSwitchResult.Refused;

        TaskImage.Save(s, s->System.TrBase, oldIsWide, next, cause == TaskSwitchCause.Return ? flags & ~Eflags.NT : flags);
        if (!nests)
            SetBusy(s, old, false);
        else
        {
            SystemMemory.TryWrite(s, task.Base, 2, old);
            image.Flags |= Eflags.NT;
        }

        if (cause != TaskSwitchCause.Return)
            SetBusy(s, selector, true);
        s->System.Tr = new SegmentRegister { Selector = selector, Attributes = (ushort)(task.Attributes | Busy), Limit = task.Limit };
        s->System.TrBase = task.Base;
        LoadRegisters(s, image, isWide);
        var isLoaded = (!isWide || TryLoadPageDirectory(s, image.PageDirectory)) && TryLoadSegments(s, image, external);
        var result = isLoaded ? TaskSwitchResult.Done : TaskSwitchResult.Faulted;
        CodeModes.Update(s);
        FlagWrites.Changed(s, flags, CpuAccess.GetEflags(s));
        if (image.IsTraced && result == TaskSwitchResult.Done)
        {
            s->System.Dr6 |= DebugRegisters.TaskSwitch;
            CpuAccess.RaiseLater(s, ExceptionVector.Debug);
        }

        return result;
    }

    /// <summary>The selector that EFLAGS.NT makes iret return to; false with a page fault pending.</summary>
    public static bool TryReadLink(CpuState* s, out ushort selector)
    {
        var found = SystemMemory.TryRead(s, s->System.TrBase, 2, out var link);
        selector = (ushort)link;
        return found;
    }

    private static bool TryFindTask(CpuState* s, ushort selector, TaskSwitchCause cause, uint external, out SegmentDescriptor task)
    {
        task = default;
        var error = (selector & 0xFFFCu) | external;
        var isReturn = cause == TaskSwitchCause.Return;
        var vector = isReturn ? ExceptionVector.InvalidTask : ExceptionVector.GeneralProtection;
        if ((selector & 4) != 0 || SegmentLoads.IsNull(selector))
            return Raise(s, vector, error);
        var found = DescriptorLookup.Find(s, selector, out task);
        if (found == LookupResult.Fault)
            return false;
        if (found == LookupResult.Missing || !IsTask(task) || ((task.Type & Busy) != 0) != isReturn)
            return Raise(s, vector, error);
        if (!task.IsPresent)
            return Raise(s, ExceptionVector.SegmentNotPresent, error);
        return task.Limit >= (IsWide(task.Attributes) ? TaskImage.WideSize : TaskImage.NarrowSize) - 1 || Raise(s, ExceptionVector.InvalidTask, error);
    }

    // Everything that cannot fault; segment registers get their selectors and name nothing yet.
    private static void LoadRegisters(CpuState* s, in TaskImage image, bool isWide)
    {
        ControlRegisters.SetTaskSwitched(s);
        s->System.Dr7 &= ~LocalBreakpoints;
        s->Slots[Slot.Rip] = image.InstructionPointer;
        for (var i = 0; i < 8; i++)
            s->Slots[Slot.Rax + i] = image.Registers[i];
        CpuAccess.SetEflags(s, (image.Flags & Valid) | 2);
        for (var i = 0; i < 6; i++)
        {
            SegmentLoads.Set(s, i, image.Selectors[i], default);
            CpuAccess.Segment(s, i)->Attributes = (ushort)(i == Cs ? (image.Selectors[i] & 3) << 5 : 0);
        }

        s->Ldtr = new SegmentRegister { Selector = image.LocalTable };
        s->LdtBase = 0;
    }

    private static bool TryLoadPageDirectory(CpuState* s, uint directory)
    {
        if ((s->System.Cr0 & Cr0.Paging) == 0)
            return true;
        s->System.Cr3 = directory;
        TranslationControl.FlushNonGlobal(s);
        return ControlRegisters.TryLoadPointers(s, directory, s->System.Cr4);
    }

    private static bool TryLoadSegments(CpuState* s, in TaskImage image, uint external)
    {
        if (!TryLoadLocalTable(s, image.LocalTable, external))
            return false;
        if ((image.Flags & Eflags.VM) != 0)
        {
            Span<ushort> selectors = stackalloc ushort[6];
            for (var i = 0; i < 6; i++)
                selectors[i] = image.Selectors[i];
            VirtualMode.Enter(s, selectors);
        }
        else if (!TryLoadCode(s, image.Selectors[Cs], external) || !TryLoadStack(s, image.Selectors[Ss], image.Selectors[Cs] & 3, external)
            || !TryLoadData(s, Ds, image.Selectors[Ds], external) || !TryLoadData(s, Es, image.Selectors[Es], external)
            || !TryLoadData(s, 4, image.Selectors[4], external) || !TryLoadData(s, 5, image.Selectors[5], external))
            return false;
        return image.InstructionPointer <= s->Cs.Limit || Raise(s, ExceptionVector.GeneralProtection, external);
    }

    private static bool TryLoadLocalTable(CpuState* s, ushort selector, uint external)
    {
        if (SegmentLoads.IsNull(selector))
            return true;
        var error = (selector & 0xFFFCu) | external;
        if ((selector & 4) != 0)
            return Raise(s, ExceptionVector.InvalidTask, error);
        var found = DescriptorLookup.Find(s, selector, out var table);
        if (found == LookupResult.Fault)
            return false;
        if (found == LookupResult.Missing || !table.IsSystem || table.Type != LocalTable || !table.IsPresent)
            return Raise(s, ExceptionVector.InvalidTask, error);
        s->Ldtr = new SegmentRegister { Selector = selector, Attributes = table.Attributes, Limit = table.Limit };
        s->LdtBase = table.Base;
        return true;
    }

    private static bool TryLoadCode(CpuState* s, ushort selector, uint external)
    {
        if (!TryFind(s, selector, external, out var code))
            return false;
        var error = (selector & 0xFFFCu) | external;
        if (!code.IsCode || (code.IsConforming ? code.Dpl > (selector & 3) : code.Dpl != (selector & 3)))
            return Raise(s, ExceptionVector.InvalidTask, error);
        return (code.IsPresent || Raise(s, ExceptionVector.SegmentNotPresent, error)) && TrySet(s, Cs, selector, code);
    }

    private static bool TryLoadStack(CpuState* s, ushort selector, int level, uint external) =>
        TaskStacks.TryFindSegment(s, selector, level, external, out var stack) && TrySet(s, Ss, selector, stack);

    private static bool TryLoadData(CpuState* s, int index, ushort selector, uint external)
    {
        if (SegmentLoads.IsNull(selector))
            return true;
        if (!TryFind(s, selector, external, out var data))
            return false;
        var error = (selector & 0xFFFCu) | external;
        var level = Math.Max(s->Cs.Selector & 3, selector & 3);
        if (!data.IsReadable || (!data.IsConforming && data.Dpl < level))
            return Raise(s, ExceptionVector.InvalidTask, error);
        return (data.IsPresent || Raise(s, ExceptionVector.SegmentNotPresent, error)) && TrySet(s, index, selector, data);
    }

    private static bool TryFind(CpuState* s, ushort selector, uint external, out SegmentDescriptor descriptor)
    {
        descriptor = default;
        if (SegmentLoads.IsNull(selector))
            return Raise(s, ExceptionVector.InvalidTask, external);
        var found = DescriptorLookup.Find(s, selector, out descriptor);
        return found == LookupResult.Found || (found == LookupResult.Missing && Raise(s, ExceptionVector.InvalidTask, (selector & 0xFFFCu) | external));
    }

    private static bool TrySet(CpuState* s, int index, ushort selector, SegmentDescriptor descriptor)
    {
        if (!DescriptorLookup.MarkAccessed(s, selector, descriptor))
            return false;
        SegmentLoads.Set(s, index, selector, descriptor);
        return true;
    }

    private static bool IsWide(int attributes) => (attributes & GateDescriptor.Wide) != 0;

    // Of a TSS descriptor, which is in the GDT.
    private static ulong TypeAddress(CpuState* s, ushort selector) => s->Gdtr.Base + (selector & ~7u) + TypeByte;

    private static void SetBusy(CpuState* s, ushort selector, bool isBusy)
    {
        var at = TypeAddress(s, selector);
        if (SystemMemory.TryRead(s, at, 1, out var type))
            SystemMemory.TryWrite(s, at, 1, isBusy ? type | Busy : type & ~(ulong)Busy);
    }

    private static bool Raise(CpuState* s, int vector, uint error)
    {
        CpuAccess.Raise(s, vector, error);
        return false;
    }
}
