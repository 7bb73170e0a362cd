using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>Helpers of the system instructions of a system with tables of its own; what they do is in the Privileged folder.</summary>
internal static unsafe class PrivilegedHelpers
{
    internal static void RegisterHelpers()
    {
        const HelperEffects Reads = HelperEffects.ReadsState;
        const HelperEffects ReadsOrFaults = Reads | HelperEffects.MayFault;
        const HelperEffects Writes = ReadsOrFaults | HelperEffects.WritesState;
        const HelperEffects Changes = Writes | HelperEffects.ChangesContext;

        // They reach devices, the clock, or what the paging unit keeps. The clock may be a count of instructions.
        const HelperEffects Outside = HelperEffects.NotRepeatable | HelperEffects.Recounts;
        Add(HelperId.ReadControl, &ReadControl, nameof(ReadControl), Reads | Outside);
        Add(HelperId.WriteControl, &WriteControl, nameof(WriteControl), Changes | Outside);
        Add(HelperId.LoadMachineStatus, &LoadMachineStatus, nameof(LoadMachineStatus), Changes | Outside);
        Add(HelperId.ClearTaskSwitched, &ClearTaskSwitched, nameof(ClearTaskSwitched), Changes);
        Add(HelperId.ReadDebug, &ReadDebug, nameof(ReadDebug), ReadsOrFaults);
        Add(HelperId.WriteDebug, &WriteDebug, nameof(WriteDebug), Changes);
        Add(HelperId.LoadTableRegister, &LoadTableRegister, nameof(LoadTableRegister), ReadsOrFaults);
        Add(HelperId.StoreTableRegister, &StoreTableRegister, nameof(StoreTableRegister), ReadsOrFaults);
        Add(HelperId.LoadLocalTable, &LoadLocalTable, nameof(LoadLocalTable), ReadsOrFaults);
        Add(HelperId.LoadTask, &LoadTask, nameof(LoadTask), ReadsOrFaults);
        Add(HelperId.TaskSelector, &TaskSelector, nameof(TaskSelector), Reads);
        Add(HelperId.CheckUserInstruction, &CheckUserInstruction, nameof(CheckUserInstruction), ReadsOrFaults);
        Add(HelperId.InvalidatePage, &InvalidatePage, nameof(InvalidatePage), Changes | Outside);
        Add(HelperId.ReadModelRegister, &ReadModelRegister, nameof(ReadModelRegister), ReadsOrFaults | Outside);
        Add(HelperId.WriteModelRegister, &WriteModelRegister, nameof(WriteModelRegister), Changes | Outside);
        Add(HelperId.SwapGs, &SwapGs, nameof(SwapGs), Reads | HelperEffects.WritesState);
        Add(HelperId.CheckFsGsBase, &CheckFsGsBase, nameof(CheckFsGsBase), ReadsOrFaults);
        Add(HelperId.CheckTimeStamp, &CheckTimeStamp, nameof(CheckTimeStamp), ReadsOrFaults);
        Add(HelperId.TimeStampAux, &TimeStampAux, nameof(TimeStampAux), Reads);
        Add(HelperId.SystemCall, &SystemCall, nameof(SystemCall), Changes);
        Add(HelperId.SystemReturn, &SystemReturn, nameof(SystemReturn), Changes);
        Add(HelperId.FastCall, &FastCall, nameof(FastCall), Changes);
        Add(HelperId.FastReturn, &FastReturn, nameof(FastReturn), Changes);
        Add(HelperId.CheckInterruptFlag, &CheckInterruptFlag, nameof(CheckInterruptFlag), ReadsOrFaults);
        Add(HelperId.SetInterruptFlag, &SetInterruptFlag, nameof(SetInterruptFlag), Writes);
        Add(HelperId.PopFlags, &PopFlags, nameof(PopFlags), Reads | HelperEffects.WritesState);
        Add(HelperId.SetAlignmentFlag, &SetAlignmentFlag, nameof(SetAlignmentFlag), Reads | HelperEffects.WritesState | HelperEffects.ChangesContext);
        Add(HelperId.CheckPorts, &CheckPorts, nameof(CheckPorts), ReadsOrFaults);
        Add(HelperId.CheckUnavailable, &CheckUnavailable, nameof(CheckUnavailable), ReadsOrFaults);

        static void Add(HelperId id, delegate*<CpuState*, ulong, ulong, ulong, ulong> pointer, string name, HelperEffects effects) =>
            HelperTable.Add(id, pointer, typeof(PrivilegedHelpers), name, effects);
    }

    // These lead to devices, and to code that is not worth being compiled before it is needed.
    [UnderHostMxcsr]
    private static ulong ReadControl(CpuState* s, ulong number, ulong b, ulong c)
    {
        var mxcsr = HostMxcsr.Suspend();
        var value = ControlRegisters.Read(s, (int)number);
        HostMxcsr.Resume(mxcsr);
        return value;
    }

    [UnderHostMxcsr]
    private static ulong WriteControl(CpuState* s, ulong number, ulong value, ulong c)
    {
        var mxcsr = HostMxcsr.Suspend();
        ControlRegisters.TryWrite(s, (int)number, value);
        HostMxcsr.Resume(mxcsr);
        return 0;
    }

    [UnderHostMxcsr]
    private static ulong LoadMachineStatus(CpuState* s, ulong value, ulong b, ulong c)
    {
        var mxcsr = HostMxcsr.Suspend();
        ControlRegisters.TryLoadMachineStatus(s, value);
        HostMxcsr.Resume(mxcsr);
        return 0;
    }

    private static ulong ClearTaskSwitched(CpuState* s, ulong a, ulong b, ulong c)
    {
        ControlRegisters.ClearTaskSwitched(s);
        return 0;
    }

    private static ulong ReadDebug(CpuState* s, ulong number, ulong b, ulong c)
    {
        DebugRegisters.TryRead(s, (int)number, out var value);
        return value;
    }

    private static ulong WriteDebug(CpuState* s, ulong number, ulong value, ulong c)
    {
        DebugRegisters.TryWrite(s, (int)number, value);
        return 0;
    }

    private static ulong LoadTableRegister(CpuState* s, ulong interrupts, ulong @base, ulong limit)
    {
        DescriptorTableLoads.TryLoadTable(s, interrupts != 0, @base, (ushort)limit);
        return 0;
    }

    private static ulong StoreTableRegister(CpuState* s, ulong linear, ulong interrupts, ulong packed)
    {
        DescriptorTableLoads.TryStoreTable(s, linear, interrupts != 0, (byte)packed, (AccessIntent)(packed >> 8));
        return 0;
    }

    private static ulong LoadLocalTable(CpuState* s, ulong selector, ulong b, ulong c)
    {
        DescriptorTableLoads.TryLoadLocalTable(s, (ushort)selector);
        return 0;
    }

    private static ulong LoadTask(CpuState* s, ulong selector, ulong b, ulong c)
    {
        DescriptorTableLoads.TryLoadTask(s, (ushort)selector);
        return 0;
    }

    private static ulong TaskSelector(CpuState* s, ulong a, ulong b, ulong c) => s->System.Tr.Selector;

    private static ulong CheckUserInstruction(CpuState* s, ulong a, ulong b, ulong c)
    {
        if ((s->System.Cr4 & Cr4.UserInstructionPrevention) != 0)
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
        return 0;
    }

    // An address that is not canonical is no page.
    private static ulong InvalidatePage(CpuState* s, ulong linear, ulong b, ulong c)
    {
        if (SystemCalls.IsCanonical(linear))
            TranslationControl.FlushPage(s, linear);
        return 0;
    }

    [UnderHostMxcsr]
    private static ulong ReadModelRegister(CpuState* s, ulong number, ulong b, ulong c)
    {
        var mxcsr = HostMxcsr.Suspend();
        ModelSpecificRegisters.TryRead(s, (uint)number, out var value);
        HostMxcsr.Resume(mxcsr);
        return value;
    }

    [UnderHostMxcsr]
    private static ulong WriteModelRegister(CpuState* s, ulong number, ulong value, ulong c)
    {
        var mxcsr = HostMxcsr.Suspend();
        ModelSpecificRegisters.TryWrite(s, (uint)number, value);
        HostMxcsr.Resume(mxcsr);
        return 0;
    }

    private static ulong SwapGs(CpuState* s, ulong a, ulong b, ulong c)
    {
        (s->Slots[Slot.GsBase], s->System.KernelGsBase) = (s->System.KernelGsBase, s->Slots[Slot.GsBase]);
        return 0;
    }

    private static ulong CheckFsGsBase(CpuState* s, ulong a, ulong b, ulong c)
    {
        if ((s->System.Cr4 & Cr4.FsGsBase) == 0)
            CpuAccess.Raise(s, ExceptionVector.InvalidOpcode);
        return 0;
    }

    private static ulong CheckTimeStamp(CpuState* s, ulong a, ulong b, ulong c)
    {
        if ((s->System.Cr4 & Cr4.TimeStampDisable) != 0)
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
        return 0;
    }

    private static ulong TimeStampAux(CpuState* s, ulong a, ulong b, ulong c) => s->System.TscAux;

    private static ulong SystemCall(CpuState* s, ulong next, ulong b, ulong c) => SystemCalls.Syscall(s, next);

    private static ulong SystemReturn(CpuState* s, ulong to64, ulong b, ulong c) => SystemCalls.Sysret(s, to64 != 0);

    private static ulong FastCall(CpuState* s, ulong a, ulong b, ulong c) => SystemCalls.Sysenter(s);

    private static ulong FastReturn(CpuState* s, ulong to64, ulong b, ulong c) => SystemCalls.Sysexit(s, to64 != 0);

    private static ulong CheckInterruptFlag(CpuState* s, ulong a, ulong b, ulong c)
    {
        IoPermissions.CheckInterruptFlag(s);
        return 0;
    }

    private static ulong SetInterruptFlag(CpuState* s, ulong a, ulong b, ulong c)
    {
        FlagWrites.SetInterruptFlag(s);
        return 0;
    }

    private static ulong PopFlags(CpuState* s, ulong value, ulong size, ulong c)
    {
        FlagWrites.PopFlags(s, value, (int)size);
        return 0;
    }

    private static ulong SetAlignmentFlag(CpuState* s, ulong isSet, ulong b, ulong c)
    {
        FlagWrites.SetAlignmentFlag(s, isSet != 0);
        return 0;
    }

    private static ulong CheckPorts(CpuState* s, ulong port, ulong size, ulong c)
    {
        IoPermissions.CheckPorts(s, (ushort)port, (int)size);
        return 0;
    }

    // MXCSR and XMM registers need CR4.OSFXSR.
    private static ulong CheckUnavailable(CpuState* s, ulong set, ulong b, ulong c)
    {
        var lacksSystem = (InstructionSet)set == InstructionSet.Sse && (s->System.Cr4 & Cr4.OsFxsr) == 0;
        if (lacksSystem || (s->System.Cr0 & Cr0.Emulation) != 0)
            CpuAccess.Raise(s, ExceptionVector.InvalidOpcode);
        return 0;
    }
}
