using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Privileged;

/// <summary>
/// Reads and writes of CR0, CR2, CR3, CR4 and CR8 with the checks of the processor (SDM Vol. 2, MOV to/from control registers; Vol. 3, 2.5). A
/// write that fails leaves #GP(0) pending and changes nothing.
/// </summary>
public static unsafe class ControlRegisters
{
    private const ulong Cr4Paging = Cr4.PageSizeExtensions | Cr4.PhysicalAddressExtension | Cr4.PageGlobalEnable
        | Cr4.SupervisorExecutionPrevention | Cr4.SupervisorAccessPrevention;

    private const ulong Cr0Paging = Cr0.Paging | Cr0.ProtectionEnable | Cr0.WriteProtect;

    // What lmsw can change.
    private const ulong MachineStatus = Cr0.ProtectionEnable | Cr0.MonitorCoprocessor | Cr0.Emulation | Cr0.TaskSwitched;

    /// <summary>The value of a control register that exists.</summary>
    public static ulong Read(CpuState* s, int number) => number switch
    {
        0 => s->System.Cr0,
        2 => s->System.Cr2,
        3 => s->System.Cr3,
        4 => s->System.Cr4,
        _ => Vcpu.Of(s).Interrupts?.TaskPriority ?? 0UL,
    };

    /// <summary>Writes a control register that exists.</summary>
    public static bool TryWrite(CpuState* s, int number, ulong value)
    {
        switch (number)
        {
            case 0:
                return TryWriteCr0(s, value);
            case 2:
                s->System.Cr2 = value;
                return true;
            case 3:
                return TryWriteCr3(s, value);
            case 4:
                return TryWriteCr4(s, value);
            default:
                return TryWriteTaskPriority(s, value);
        }
    }

    /// <summary>lmsw: the low four bits of CR0; PE can be set and not cleared.</summary>
    public static bool TryLoadMachineStatus(CpuState* s, ulong value)
    {
        var kept = s->System.Cr0 & (~MachineStatus | Cr0.ProtectionEnable);
        return TryWriteCr0(s, kept | (value & MachineStatus));
    }

    /// <summary>clts.</summary>
    public static void ClearTaskSwitched(CpuState* s)
    {
        s->System.Cr0 &= ~Cr0.TaskSwitched;
        FollowCr0(s);
    }

    /// <summary>Sets CR0.TS, as a task switch does.</summary>
    public static void SetTaskSwitched(CpuState* s)
    {
        s->System.Cr0 |= Cr0.TaskSwitched;
        FollowCr0(s);
    }

    /// <summary>Works out what follows from CR0: the mode, and what the x87 must not do. For whoever has set it without a check.</summary>
    public static void FollowCr0(CpuState* s)
    {
        var cr0 = s->System.Cr0;
        var isSwitched = (cr0 & Cr0.TaskSwitched) != 0;
        s->X87.Guard = (byte)((isSwitched || (cr0 & Cr0.Emulation) != 0 ? X87State.GuardInstructions : 0)
            | (isSwitched && (cr0 & Cr0.MonitorCoprocessor) != 0 ? X87State.GuardWait : 0));
        CodeModes.Update(s);
    }

    /// <summary>The bits of CR4 that a CPU has.</summary>
    public static ulong Cr4Bits(CpuState* s)
    {
        var model = Vcpu.Of(s).Model;
        return Bit("tsc", Cr4.TimeStampDisable) | Bit("de", Cr4.DebuggingExtensions) | Bit("pse", Cr4.PageSizeExtensions)
            | Bit("pae", Cr4.PhysicalAddressExtension) | Bit("mce", Cr4.MachineCheckEnable) | Bit("pge", Cr4.PageGlobalEnable)
            | Bit("mmx", Cr4.PerformanceCounterEnable) | Bit("fxsr", Cr4.OsFxsr) | Bit("sse", Cr4.OsXmmExceptions)
            | Bit("umip", Cr4.UserInstructionPrevention) | Bit("fsgsbase", Cr4.FsGsBase)
            | Bit("smep", Cr4.SupervisorExecutionPrevention) | Bit("smap", Cr4.SupervisorAccessPrevention);

        ulong Bit(string feature, ulong bit) => model.Has(feature) ? bit : 0;
    }

    private static bool TryWriteCr0(CpuState* s, ulong value)
    {
        var old = s->System.Cr0;
        var isPaging = (value & Cr0.Paging) != 0;
        if (value > uint.MaxValue || (isPaging && (value & Cr0.ProtectionEnable) == 0)
            || (value & (Cr0.NotWriteThrough | Cr0.CacheDisable)) == Cr0.NotWriteThrough)
            return Refuse(s);
        if (isPaging != ((old & Cr0.Paging) != 0) && !TrySwitchLongMode(s, isPaging))
            return false;
        if (isPaging && ((old ^ value) & (Cr0.Paging | Cr0.CacheDisable | Cr0.NotWriteThrough)) != 0 && !TryLoadPointers(s, s->System.Cr3, s->System.Cr4))
            return false;
        s->System.Cr0 = (value & Cr0.Writable) | Cr0.ExtensionType;
        if (((old ^ value) & Cr0Paging) != 0)
            TranslationControl.Changed(s);
        FollowCr0(s);
        return true;
    }

    // Paging turns long mode on and off when EFER.LME is set (SDM Vol. 3, 9.8.5). Not in 64-bit code, and not without PAE.
    private static bool TrySwitchLongMode(CpuState* s, bool isPaging)
    {
        if ((s->System.Efer & Efer.LongModeEnable) == 0)
            return true;
        var is64 = (s->Cs.Attributes & SegmentAttributes.Long) != 0;
        if (isPaging ? is64 || (s->System.Cr4 & Cr4.PhysicalAddressExtension) == 0 : CpuAccess.Mode(s).Is64())
            return Refuse(s);
        s->IsLongMode = isPaging;
        s->System.Efer = isPaging ? s->System.Efer | Efer.LongModeActive : s->System.Efer & ~Efer.LongModeActive;
        return true;
    }

    // Bits above the physical addresses are reserved where CR3 has them.
    private static bool TryWriteCr3(CpuState* s, ulong value)
    {
        if (s->IsLongMode && value >> Vcpu.Of(s).Model.PhysicalAddressBits != 0)
            return Refuse(s);
        if ((s->System.Cr0 & Cr0.Paging) != 0 && !TryLoadPointers(s, value, s->System.Cr4))
            return false;
        s->System.Cr3 = value;
        TranslationControl.FlushNonGlobal(s);
        return true;
    }

    private static bool TryWriteCr4(CpuState* s, ulong value)
    {
        var old = s->System.Cr4;
        if ((value & ~Cr4Bits(s)) != 0 || (s->IsLongMode && (value & Cr4.PhysicalAddressExtension) == 0))
            return Refuse(s);
        if ((s->System.Cr0 & Cr0.Paging) != 0 && ((old ^ value) & Cr4Paging) != 0 && !TryLoadPointers(s, s->System.Cr3, value))
            return false;
        s->System.Cr4 = value;
        if (((old ^ value) & Cr4Paging) != 0)
            TranslationControl.Changed(s);
        CodeModes.Update(s);
        return true;
    }

    /// <summary>
    /// With PAE paging, loads the page-directory-pointer registers from the table at a value of CR3 (SDM Vol. 3, 4.4.1); false with #GP pending when one has
    /// a reserved bit set.
    /// </summary>
    public static bool TryLoadPointers(CpuState* s, ulong cr3, ulong cr4)
    {
        if ((cr4 & Cr4.PhysicalAddressExtension) == 0 || s->IsLongMode || Vcpu.Of(s).Mmu is not { } mmu || mmu.TryLoadPointers(cr3))
            return true;
        return Refuse(s);
    }

    private static bool TryWriteTaskPriority(CpuState* s, ulong value)
    {
        if (value > 15)
            return Refuse(s);
        if (Vcpu.Of(s).Interrupts is { } interrupts)
            interrupts.TaskPriority = (byte)value;
        return true;
    }

    private static bool Refuse(CpuState* s)
    {
        CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
        return false;
    }
}
