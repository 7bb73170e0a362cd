using System.Runtime.InteropServices;

namespace DynaTrans.Runtime.State;

/// <summary>
/// The registers of a vCPU that an operating system sets up: control, debug and model-specific registers, IDTR and the task register. A process
/// has them all zero. Bit layouts are those of SDM Vol. 3, chapter 2 and Vol. 4.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
public unsafe struct SystemRegisters
{
    /// <summary>Size of the structure, with room for more.</summary>
    public const int SizeInBytes = 768;

    /// <summary>Variable-range MTRRs: pairs of base and mask.</summary>
    public const int VariableRangeCount = 8;

    /// <summary>Fixed-range MTRRs, in the order of their numbers (250, 258, 259, 268 to 26F).</summary>
    public const int FixedRangeCount = 11;

    /// <summary>CR0.</summary>
    public ulong Cr0;

    /// <summary>CR2: the linear address of the last page fault.</summary>
    public ulong Cr2;

    /// <summary>CR3.</summary>
    public ulong Cr3;

    /// <summary>The page-directory-pointer registers of PAE paging, which a load of CR3 reads from memory.</summary>
    public fixed ulong PageDirectoryPointers[4];

    /// <summary>CR4.</summary>
    public ulong Cr4;

    /// <summary>IA32_EFER.</summary>
    public ulong Efer;

    /// <summary>Where the interrupt descriptor table is.</summary>
    public TableRegister Idtr;

    /// <summary>Selector and hidden part of the task register, except its base.</summary>
    public SegmentRegister Tr;

    /// <summary>Linear address of the task state segment.</summary>
    public ulong TrBase;

    /// <summary>DR0 to DR3.</summary>
    public fixed ulong DebugAddresses[4];

    /// <summary>DR6.</summary>
    public ulong Dr6;

    /// <summary>DR7.</summary>
    public ulong Dr7;

    /// <summary>IA32_STAR.</summary>
    public ulong Star;

    /// <summary>IA32_LSTAR.</summary>
    public ulong LongStar;

    /// <summary>IA32_CSTAR.</summary>
    public ulong CompatibilityStar;

    /// <summary>IA32_FMASK.</summary>
    public ulong SyscallMask;

    /// <summary>IA32_KERNEL_GS_BASE, which swapgs exchanges.</summary>
    public ulong KernelGsBase;

    /// <summary>IA32_SYSENTER_CS.</summary>
    public ulong SysenterCs;

    /// <summary>IA32_SYSENTER_ESP.</summary>
    public ulong SysenterEsp;

    /// <summary>IA32_SYSENTER_EIP.</summary>
    public ulong SysenterEip;

    /// <summary>IA32_TSC_AUX.</summary>
    public ulong TscAux;

    /// <summary>What is added to the clock of the time stamp: written through IA32_TIME_STAMP_COUNTER and IA32_TSC_ADJUST.</summary>
    public ulong TscOffset;

    /// <summary>IA32_PAT.</summary>
    public ulong Pat;

    /// <summary>IA32_MISC_ENABLE.</summary>
    public ulong MiscEnable;

    /// <summary>IA32_APIC_BASE.</summary>
    public ulong ApicBase;

    /// <summary>IA32_MTRR_DEF_TYPE.</summary>
    public ulong MtrrDefaultType;

    /// <summary>The fixed-range MTRRs.</summary>
    public fixed ulong MtrrFixed[FixedRangeCount];

    /// <summary>IA32_MTRR_PHYSBASE0, PHYSMASK0, PHYSBASE1 and so on.</summary>
    public fixed ulong MtrrVariable[VariableRangeCount * 2];

    /// <summary>Not 0: the instruction at RIP runs before any interrupt is taken (bit 0 after sti, bit 1 after a load of SS).</summary>
    public byte InterruptShadow;

    /// <summary>True from the delivery of an NMI to the next iret.</summary>
    public bool IsNmiBlocked;

    /// <summary>True after hlt, until an interrupt comes.</summary>
    public bool IsHalted;
}
