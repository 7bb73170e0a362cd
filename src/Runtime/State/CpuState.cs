using System.Runtime.InteropServices;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers.X87;

namespace DynaTrans.Runtime.State;

/// <summary>
/// The whole state of one vCPU, in unmanaged memory; interpreter, helpers and translated code reach it by the same pointer. The layout
/// is fixed: 64-bit slots first (<see cref="Slot"/>), then the vector file (<see cref="VSlot"/>), then the rest.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = CpuState.SizeInBytes)]
public unsafe struct CpuState
{
    /// <summary>Size of the structure.</summary>
    public const int SizeInBytes = 4096;

    /// <summary>Offset of the vector file.</summary>
    public const int VectorOffset = Slot.Count * 8;

    /// <summary>Offset of the x87 state that follows the vector file (its registers are the file's last eight cells).</summary>
    public const int X87Offset = VectorOffset + (VSlot.Count * 16);

    /// <summary>
    /// Stands in <see cref="ExceptionVector"/> when an instruction changed nothing and must be executed alone by the interpreter because it
    /// stores into translated code.
    /// </summary>
    public const int RestartAlone = 256;

    private const int MemoryOffset = X87Offset + 64;
    private const int ControlOffset = MemoryOffset + 64;
    private const int SegmentOffset = ControlOffset + 128;
    private const int HostOffset = SegmentOffset + 128;

    /// <summary>Index in the GDT of the first TLS descriptor of a 32-bit Linux process.</summary>
    public const int FirstTlsEntry = 12;

    /// <summary>Number of TLS descriptors.</summary>
    public const int TlsEntryCount = 3;

    /// <summary>The integer slots.</summary>
    [FieldOffset(0)]
    public fixed ulong Slots[Slot.Count];

    /// <summary>The x87 state: its registers are the last eight cells of the vector file, its other fields those at <see cref="X87Offset"/>.</summary>
    [FieldOffset(X87Offset - X87State.ControlOffset)]
    public X87State X87;

    /// <summary>x87 control word (<see cref="X87State.Fcw"/>).</summary>
    [FieldOffset(X87Offset)]
    public ushort Fcw;

    /// <summary>x87 status word, TOP in bits 13:11 (<see cref="X87State.Fsw"/>).</summary>
    public ushort Fsw
    {
        readonly get => X87.Fsw;
        set => X87.Fsw = value;
    }

    /// <summary>One bit per physical x87 register: 1 is not empty (<see cref="X87State.Valid"/>).</summary>
    [FieldOffset(X87Offset + 4)]
    public byte FpuValid;

    /// <summary>
    /// MXCSR. While guest code runs, the host's own MXCSR holds the guest's rounding and flag bits (exceptions masked) and collects sticky
    /// flags; this field is exact only after they were read back.
    /// </summary>
    [FieldOffset(X87Offset + 32)]
    public uint Mxcsr;

    /// <summary>Host address of guest address 0 of the flat window (see AddressSpace).</summary>
    [FieldOffset(MemoryOffset)]
    public byte* MemoryBase;

    /// <summary>One permission byte per page of the window (see PagePermission).</summary>
    [FieldOffset(MemoryOffset + 8)]
    public byte* Permissions;

    /// <summary>Pages in the window: a page number at or above this takes the slow path.</summary>
    [FieldOffset(MemoryOffset + 16)]
    public ulong WindowPages;

    /// <summary>Handle of the managed Vcpu that owns this state.</summary>
    [FieldOffset(MemoryOffset + 24)]
    public nint VcpuHandle;

    /// <summary>Not zero: leave translated code or the interpreter at the next check (block entry, loop back-edge). See ExitRequest.</summary>
    [FieldOffset(ControlOffset)]
    public int ExitRequest;

    /// <summary>Why the executor returned.</summary>
    [FieldOffset(ControlOffset + 4)]
    public int ExitCauseValue;

    /// <summary>Detail of the exit (interrupt vector).</summary>
    [FieldOffset(ControlOffset + 8)]
    public ulong ExitDetail;

    /// <summary>Vector of the pending exception, -1 for none, or <see cref="RestartAlone"/>.</summary>
    [FieldOffset(ControlOffset + 16)]
    public int ExceptionVector;

    /// <summary>Error code of the pending exception.</summary>
    [FieldOffset(ControlOffset + 20)]
    public uint ExceptionError;

    /// <summary>Guest-virtual address of a pending page fault (what CR2 would hold).</summary>
    [FieldOffset(ControlOffset + 24)]
    public ulong FaultAddress;

    /// <summary>Guest instructions executed (counted per block, exact when the executor has returned).</summary>
    [FieldOffset(ControlOffset + 32)]
    public ulong InstructionCount;

    /// <summary>The executor leaves before a block that would take <see cref="InstructionCount"/> above this.</summary>
    [FieldOffset(ControlOffset + 48)]
    public ulong InstructionLimit;

    /// <summary>Where translated code met a fault: what is needed to make the state exact (see FaultSite).</summary>
    [FieldOffset(ControlOffset + 56)]
    public nint FaultSite;

    /// <summary>The vCPU's table from guest address to entry cell for indirect jumps of translated code (see EntryCell).</summary>
    [FieldOffset(ControlOffset + 64)]
    public nint EntryCache;

    /// <summary>
    /// Entries of translated code from outside until the next one is a sample: it leaves with <see cref="ExitCause.HotEntry"/>.
    /// </summary>
    [FieldOffset(ControlOffset + 72)]
    public int EntriesToSample;

    /// <summary>The mode that code at RIP is decoded in (GuestMode).</summary>
    [FieldOffset(ControlOffset + 40)]
    public ushort Mode;

    /// <summary>Segment registers in encoding order ES CS SS DS FS GS; their bases are slots.</summary>
    [FieldOffset(SegmentOffset)]
    public SegmentRegister Es;

    /// <summary>CS.</summary>
    [FieldOffset(SegmentOffset + 16)]
    public SegmentRegister Cs;

    /// <summary>SS.</summary>
    [FieldOffset(SegmentOffset + 32)]
    public SegmentRegister Ss;

    /// <summary>DS.</summary>
    [FieldOffset(SegmentOffset + 48)]
    public SegmentRegister Ds;

    /// <summary>FS.</summary>
    [FieldOffset(SegmentOffset + 64)]
    public SegmentRegister Fs;

    /// <summary>GS.</summary>
    [FieldOffset(SegmentOffset + 80)]
    public SegmentRegister Gs;

    /// <summary>TLS descriptors (set_thread_area), as in a GDT; 0 is empty. Used with <see cref="SelectorRules.Linux32"/>.</summary>
    [FieldOffset(HostOffset)]
    public fixed ulong TlsDescriptors[TlsEntryCount];

    /// <summary>Which selectors protected-mode code may load.</summary>
    [FieldOffset(HostOffset + 24)]
    public SelectorRules Selectors;

    /// <summary>Reads a port: (state, port, bytes); null without a bus.</summary>
    [FieldOffset(HostOffset + 32)]
    public delegate*<CpuState*, ushort, int, uint> PortReader;

    /// <summary>Writes a port: (state, port, bytes, value); null without a bus.</summary>
    [FieldOffset(HostOffset + 40)]
    public delegate*<CpuState*, ushort, int, uint, void> PortWriter;
}

/// <summary>The visible selector and the hidden part of a segment register, except the base, which is a slot.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct SegmentRegister
{
    /// <summary>The selector.</summary>
    public ushort Selector;

    /// <summary>Access rights: descriptor bits 55:40 (type, S, DPL, P, AVL, L, D/B, G).</summary>
    public ushort Attributes;

    /// <summary>Last valid offset.</summary>
    public uint Limit;
}

/// <summary>Which selectors may be loaded outside real mode; every segment that can be loaded is flat, but FS and GS of TLS entries have a base.</summary>
public enum SelectorRules : byte
{
    /// <summary>Any selector.</summary>
    Any,

    /// <summary>What a 32-bit Linux process has under a 64-bit kernel: null, 23, 2B, 33, 7B and the TLS entries; else #GP(selector).</summary>
    Linux32,

    /// <summary>What a 64-bit Linux process has: null, 23, 2B, 33, 7B; else #GP(selector).</summary>
    Linux64,
}
