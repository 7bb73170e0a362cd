using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Privileged;

/// <summary>The state of a CPU after RESET and INIT (SDM Vol. 3, table 9-1). It makes a state that of a system.</summary>
public static unsafe class CpuReset
{
    private const ulong Cr0AfterReset = Cr0.CacheDisable | Cr0.NotWriteThrough | Cr0.ExtensionType;
    private const ulong PatAfterReset = 0x0007040600070406;
    private const ushort Data = 0x93, LocalTable = 0x82, BusyTask = 0x8B;

    // At FEE00000, enabled, of the bootstrap processor.
    private const ulong ApicBase = 0xFEE00900;

    /// <summary>RESET. What the vCPU's model has goes into EDX; the time-stamp counter goes on.</summary>
    public static void Apply(CpuState* s)
    {
        var vcpu = Vcpu.Of(s);
        s->System = new SystemRegisters
        {
            Cr0 = Cr0AfterReset,
            Pat = vcpu.Model.Has("pat") ? PatAfterReset : 0,
            MiscEnable = 1,
            ApicBase = vcpu.LocalApic == null ? 0 : ApicBase,
        };
        ResetFloatingPoint(s);
        Start(s);
        vcpu.LocalApic?.BaseChanged(s->System.ApicBase);
    }

    /// <summary>INIT: as RESET, but x87, MMX and SSE registers, model-specific registers and the cache bits of CR0 stay.</summary>
    public static void Init(CpuState* s)
    {
        ref var system = ref s->System;
        system.Cr0 = Cr0.ExtensionType | (system.Cr0 & (Cr0.CacheDisable | Cr0.NotWriteThrough));
        system.Cr2 = system.Cr3 = system.Cr4 = system.Efer = 0;
        system.InterruptShadow = 0;
        system.IsHalted = system.IsNmiBlocked = false;
        Start(s);
    }

    // What is the same after both.
    private static void Start(CpuState* s)
    {
        s->Execution.Gdt = null;
        s->Execution.Ldt = null;
        for (var i = 0; i < 16; i++)
            s->Slots[i] = 0;
        s->Slots[Slot.Rdx] = Vcpu.Of(s).Model.Signature;
        s->Slots[Slot.Rip] = 0xFFF0;
        CpuAccess.SetEflags(s, 2);
        for (var i = 0; i < 6; i++)
        {
            *CpuAccess.Segment(s, i) = new SegmentRegister { Attributes = Data, Limit = ushort.MaxValue };
            s->Slots[Slot.EsBase + i] = 0;
        }

        s->Cs.Selector = 0xF000;
        s->Slots[Slot.CsBase] = 0xFFFF0000;
        s->Gdtr = s->System.Idtr = new TableRegister { Limit = ushort.MaxValue };
        s->Ldtr = new SegmentRegister { Attributes = LocalTable, Limit = ushort.MaxValue };
        s->LdtBase = 0;
        s->System.Tr = new SegmentRegister { Attributes = BusyTask, Limit = ushort.MaxValue };
        s->System.TrBase = 0;
        for (var i = 0; i < 4; i++)
            s->System.DebugAddresses[i] = 0;
        s->System.Dr6 = DebugRegisters.Dr6Fixed;
        s->System.Dr7 = DebugRegisters.Dr7Fixed;
        s->IsLongMode = false;
        ControlRegisters.FollowCr0(s);
        TranslationControl.Changed(s);
    }

    private static void ResetFloatingPoint(CpuState* s)
    {
        s->X87 = default;
        s->Fcw = 0x40;
        s->X87.Valid = 0xFF;
        for (var i = 0; i < VSlot.Temp0; i++)
            *CpuAccess.Vector(s, i) = default;
        HostMxcsr.Set(s, HostMxcsr.Default);
    }
}
