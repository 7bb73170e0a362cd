using System.Runtime.InteropServices;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.Runtime.State;

/// <summary>
/// The part of a vCPU's state that is the executors' and not the guest's: where memory is, what is asked of the vCPU, why it stopped, and
/// what translated code needs at hand. It is not saved or copied with the guest's state.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct ExecutionState
{
    /// <summary>
    /// Stands in <see cref="ExceptionVector"/> when an instruction changed nothing and must be executed alone by the interpreter because it
    /// stores into translated code or needs what only the interpreter has.
    /// </summary>
    public const int RestartAlone = 256;

    /// <summary>
    /// Stands in <see cref="ExceptionVector"/> when an instruction has been executed (a call with IrAttr.Trap) after which the dispatcher must
    /// look at the state and at requests.
    /// </summary>
    public const int LeaveAfter = 257;

    /// <summary>Host address of guest address 0 of the flat window (see AddressSpace).</summary>
    public byte* MemoryBase;

    /// <summary>One permission byte per page of the window (see PagePermission).</summary>
    public byte* Permissions;

    /// <summary>Pages in the window: a page number at or above this takes the slow path.</summary>
    public ulong WindowPages;

    /// <summary>The table of windows of a 64-bit address space (WindowEntry, by bits 46:39 of the address); 0 when there is one window.</summary>
    public nint Windows;

    /// <summary>The vCPU's table of pages (TranslationLookaside); 0 when translated code goes by the permission bytes.</summary>
    public nint Lookaside;

    /// <summary>
    /// Handle of the managed Mmu; 0 when linear addresses are those of the address space. With it there is no window: executors go by
    /// <see cref="Lookaside"/>.
    /// </summary>
    public nint Mmu;

    /// <summary>
    /// Changes whenever code at some linear address may have become other code: translations are checked against the page tables before they are
    /// entered under a new number. Never 0.
    /// </summary>
    public uint CodeGeneration;

    /// <summary>The same for supervisor code, as far as it lies in global pages.</summary>
    public uint GlobalCodeGeneration;

    /// <summary>
    /// Number of the present code context (see CodeContexts). It follows from the mode, CS and <see cref="AddressSpaceGeneration"/>: who
    /// changes one of them calls <see cref="CpuAccess.ContextChanged"/>.
    /// </summary>
    public ushort CodeContext;

    /// <summary>Which of the address spaces that the guest switches between is in force; always 0 in a process.</summary>
    public uint AddressSpaceGeneration;

    /// <summary>Finds <see cref="CodeContext"/> anew; null in a state without a vCPU.</summary>
    public delegate*<CpuState*, void> ContextFinder;

    /// <summary>Handle of the managed Vcpu that owns this state.</summary>
    public nint VcpuHandle;

    /// <summary>Not zero: leave translated code or the interpreter at the next check (block entry, loop back-edge). See ExitRequest.</summary>
    public int ExitRequest;

    /// <summary>Vector of the exception of <see cref="CpuAccess.RaiseLater"/>.</summary>
    public int TrapVector;

    /// <summary>Its error code.</summary>
    public uint TrapError;

    /// <summary>
    /// Not 0: an interrupt waits that EFLAGS.IF or the interrupt shadow holds back. Who sets IF requests an exit then
    /// (<see cref="CpuAccess.InterruptsAllowed"/>), so that it is taken at the next boundary.
    /// </summary>
    public int InterruptPending;

    /// <summary>Why the executor returned.</summary>
    public int ExitCauseValue;

    /// <summary>Detail of the exit (a <see cref="Frontend.Ir.SoftwareInterrupt"/>).</summary>
    public ulong ExitDetail;

    /// <summary>Vector of the pending exception, -1 for none, <see cref="RestartAlone"/> or <see cref="LeaveAfter"/>.</summary>
    public int ExceptionVector;

    /// <summary>Error code of the pending exception.</summary>
    public uint ExceptionError;

    /// <summary>Guest-virtual address of a pending page fault (what CR2 would hold).</summary>
    public ulong FaultAddress;

    /// <summary>Guest instructions executed (counted per block, exact when the executor has returned).</summary>
    public ulong InstructionCount;

    /// <summary>The executor leaves before a block that would take <see cref="InstructionCount"/> above this.</summary>
    public ulong InstructionLimit;

    /// <summary>
    /// Translated code under a budget counts down to this value of <see cref="InstructionCount"/>: the limit, or a slice of the way there.
    /// </summary>
    public ulong SliceEnd;

    /// <summary>Where translated code met a fault: what is needed to make the state exact (see FaultSite).</summary>
    public nint FaultSite;

    /// <summary>The vCPU's table from guest address to entry cell for indirect jumps of translated code (see EntryCell).</summary>
    public nint EntryCache;

    /// <summary>
    /// Entries of translated code from outside until the next one is a sample: it leaves with <see cref="ExitCause.HotEntry"/>.
    /// </summary>
    public int EntriesToSample;

    /// <summary>The host's global descriptor table; null when the guest has its own, in its memory (<see cref="CpuState.Gdtr"/>).</summary>
    public DescriptorTable* Gdt;

    /// <summary>The host's local descriptor table, which vCPUs may share; null: none. Counts when <see cref="Gdt"/> is not null.</summary>
    public DescriptorTable* Ldt;

    /// <summary>Not 0 while one instruction is executed alone: its stores may drop translations.</summary>
    public int IsStepping;

    /// <summary>Not 0: a repeated string instruction ends after one element, for a debug exception that may follow.</summary>
    public int StepsRepetitions;

    /// <summary>Handle of the managed AddressSpace that the vCPU is in.</summary>
    public nint AddressSpaceHandle;

    /// <summary>Reads a port: (state, port, bytes); null without a bus.</summary>
    public delegate*<CpuState*, ushort, int, uint> PortReader;

    /// <summary>Writes a port: (state, port, bytes, value); null without a bus.</summary>
    public delegate*<CpuState*, ushort, int, uint, void> PortWriter;

    /// <summary>
    /// Told of changes to the translation of addresses: (state, which, linear address of <see cref="TranslationChange.Page"/>); null without paging.
    /// </summary>
    public delegate*<CpuState*, TranslationChange, ulong, void> TranslationFlusher;

    /// <summary>Block entries after which the interpreter leaves to the dispatcher.</summary>
    public int HeatThreshold;

    /// <summary>The interpreter's stack of calls.</summary>
    public nint ReturnStack;

    /// <summary>Where the interpreter's handlers stopped: the block.</summary>
    public nint StoppedBlock;

    /// <summary>The op.</summary>
    public nint StoppedOp;

    /// <summary>The target of the indirect jump before which they stopped.</summary>
    public ulong StoppedTarget;

    /// <summary>Reads the clock of the time-stamp counter, in ticks of its frequency; null: that of the host.</summary>
    public delegate*<CpuState*, ulong> TimeStampReader;
}
