using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.State;
using EferBits = DynaTrans.Runtime.State.Efer;

namespace DynaTrans.Runtime.Privileged;

/// <summary>
/// rdmsr and wrmsr (SDM Vol. 4). A register that the CPU's model has not, a reserved bit and an address that is not canonical raise #GP(0), and
/// nothing is changed.
/// </summary>
public static unsafe class ModelSpecificRegisters
{
    // Revision in the upper half of 8B; it is read after a write of 0 and cpuid.
    private const ulong Revision = 1UL << 32;

    // Fast strings. Whether cpuid is limited to leaf 3 can be set, and is of no effect but for reading.
    private const ulong MiscEnableWritable = 1 | (1 << 22);

    private const ulong ApicBootstrap = 1 << 8, ApicEnable = 1 << 11;

    /// <summary>Reads a register; false with the exception pending.</summary>
    public static bool TryRead(CpuState* s, uint number, out ulong value)
    {
        var vcpu = Vcpu.Of(s);
        var model = vcpu.Model;
        ref var system = ref s->System;
        value = 0;
        switch (number)
        {
            case Msr.TimeStampCounter when model.Has("tsc"): value = TimeStamps.Read(s); break;
            case Msr.TimeStampAdjust when model.Has("tsc_adjust"): value = system.TscOffset; break;
            case Msr.TimeStampDeadline when HasDeadline(vcpu): value = vcpu.LocalApic!.TimeStampDeadline; break;
            case Msr.TimeStampAux when model.Has("rdtscp"): value = system.TscAux; break;
            case Msr.ApicBase when HasApic(vcpu): value = system.ApicBase; break;
            case Msr.PlatformId when model.Has("sse"): break;
            case Msr.MicrocodeRevision when model.Has("pae"): value = Revision; break;

            // There are no banks, and never a machine check.
            case Msr.MachineCheckCapabilities or Msr.MachineCheckStatus when model.Has("mca"): break;
            case Msr.MiscEnable when model.Has("sse2"): value = system.MiscEnable; break;
            case Msr.SysenterCs when model.Has("sep"): value = system.SysenterCs; break;
            case Msr.SysenterEsp when model.Has("sep"): value = system.SysenterEsp; break;
            case Msr.SysenterEip when model.Has("sep"): value = system.SysenterEip; break;
            case Msr.Pat when model.Has("pat"): value = system.Pat; break;
            case Msr.Efer when model.Has("nx"): value = system.Efer; break;
            case Msr.Star when model.Has("syscall"): value = system.Star; break;
            case Msr.LongStar when model.Has("syscall"): value = system.LongStar; break;
            case Msr.CompatibilityStar when model.Has("syscall"): value = system.CompatibilityStar; break;
            case Msr.SyscallMask when model.Has("syscall"): value = system.SyscallMask; break;
            case Msr.FsBase when model.Has("lm"): value = s->Slots[Slot.FsBase]; break;
            case Msr.GsBase when model.Has("lm"): value = s->Slots[Slot.GsBase]; break;
            case Msr.KernelGsBase when model.Has("lm"): value = system.KernelGsBase; break;
            default: return (model.Has("mtrr") && MemoryTypeRanges.TryRead(s, number, out value)) || Refuse(s);
        }

        return true;
    }

    /// <summary>Writes a register; false with the exception pending.</summary>
    public static bool TryWrite(CpuState* s, uint number, ulong value)
    {
        var vcpu = Vcpu.Of(s);
        var model = vcpu.Model;
        ref var system = ref s->System;
        switch (number)
        {
            case Msr.TimeStampCounter when model.Has("tsc"): system.TscOffset += value - TimeStamps.Read(s); return true;
            case Msr.TimeStampAdjust when model.Has("tsc_adjust"): system.TscOffset = value; return true;
            case Msr.TimeStampDeadline when HasDeadline(vcpu): vcpu.LocalApic!.TimeStampDeadline = value; return true;
            case Msr.TimeStampAux when model.Has("rdtscp"): return Set(s, ref system.TscAux, value, value <= uint.MaxValue);
            case Msr.ApicBase when HasApic(vcpu): return TryWriteApicBase(s, vcpu, value);
            case Msr.MicrocodeRevision when model.Has("pae"): return value == 0 || Refuse(s);
            case Msr.MachineCheckStatus when model.Has("mca"): return value == 0 || Refuse(s);
            case Msr.MiscEnable when model.Has("sse2"): return Set(s, ref system.MiscEnable, value, (value & ~MiscEnableWritable) == 0);
            case Msr.SysenterCs when model.Has("sep"): system.SysenterCs = (uint)value; return true;
            case Msr.SysenterEsp when model.Has("sep"): return SetAddress(s, ref system.SysenterEsp, value);
            case Msr.SysenterEip when model.Has("sep"): return SetAddress(s, ref system.SysenterEip, value);
            case Msr.Pat when model.Has("pat"): return TryWritePat(s, value);
            case Msr.Efer when model.Has("nx"): return TryWriteEfer(s, model, value);
            case Msr.Star when model.Has("syscall"): system.Star = value; return true;
            case Msr.LongStar when model.Has("syscall"): return SetAddress(s, ref system.LongStar, value);
            case Msr.CompatibilityStar when model.Has("syscall"): return SetAddress(s, ref system.CompatibilityStar, value);
            case Msr.SyscallMask when model.Has("syscall"): return Set(s, ref system.SyscallMask, value, value <= uint.MaxValue);
            case Msr.FsBase when model.Has("lm"): return SetAddress(s, ref s->Slots[Slot.FsBase], value);
            case Msr.GsBase when model.Has("lm"): return SetAddress(s, ref s->Slots[Slot.GsBase], value);
            case Msr.KernelGsBase when model.Has("lm"): return SetAddress(s, ref system.KernelGsBase, value);
            default: return (model.Has("mtrr") && MemoryTypeRanges.TryWrite(s, number, value)) || Refuse(s);
        }
    }

    private static bool HasApic(Vcpu vcpu) => vcpu.LocalApic != null && vcpu.Model.Has("apic");

    private static bool HasDeadline(Vcpu vcpu) => vcpu.LocalApic != null && vcpu.Model.Has("tsc_deadline_timer");

    // LMA follows from LME and paging; LME cannot be changed while there is paging (SDM Vol. 3, 9.8.5).
    private static bool TryWriteEfer(CpuState* s, CpuModel model, ulong value)
    {
        var old = s->System.Efer;
        var bits = EferBits.NoExecuteEnable | EferBits.LongModeActive
            | (model.Has("syscall") ? EferBits.SyscallEnable : 0) | (model.Has("lm") ? EferBits.LongModeEnable : 0);
        var isRefused = (value & ~bits) != 0 || (((value ^ old) & EferBits.LongModeEnable) != 0 && (s->System.Cr0 & Cr0.Paging) != 0);
        if (isRefused)
            return Refuse(s);
        s->System.Efer = (value & ~EferBits.LongModeActive) | (old & EferBits.LongModeActive);
        if (((value ^ old) & EferBits.NoExecuteEnable) != 0)
            TranslationControl.Changed(s);
        return true;
    }

    // The bootstrap flag cannot be changed, and an APIC that was disabled comes back only with a reset.
    private static bool TryWriteApicBase(CpuState* s, Vcpu vcpu, ulong value)
    {
        const ulong Fields = ApicBootstrap | ApicEnable;
        var address = ((1UL << vcpu.Model.PhysicalAddressBits) - 1) & ~0xFFFUL;
        if ((value & ~(address | Fields)) != 0)
            return Refuse(s);
        s->System.ApicBase = (value & ~ApicBootstrap) | (s->System.ApicBase & ApicBootstrap);
        vcpu.LocalApic!.BaseChanged(s->System.ApicBase);
        return true;
    }

    // Eight memory types: 0, 1 and 4 to 7.
    private static bool TryWritePat(CpuState* s, ulong value)
    {
        for (var i = 0; i < 64; i += 8)
            if ((byte)(value >> i) is not (0 or 1 or (>= 4 and <= 7)))
                return Refuse(s);
        if (s->System.Pat == value)
            return true;
        s->System.Pat = value;
        TranslationControl.Changed(s);
        return true;
    }

    private static bool SetAddress(CpuState* s, ref ulong register, ulong value) => Set(s, ref register, value, SystemCalls.IsCanonical(value));

    private static bool Set(CpuState* s, ref ulong register, ulong value, bool isValid)
    {
        if (!isValid)
            return Refuse(s);
        register = value;
        return true;
    }

    private static bool Refuse(CpuState* s)
    {
        CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
        return false;
    }
}
