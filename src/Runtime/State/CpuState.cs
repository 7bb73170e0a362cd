using System.Runtime.InteropServices;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.Runtime.State;

/// <summary>
/// The whole state of one vCPU, in unmanaged memory; interpreter, helpers and translated code reach it by the same pointer. The layout
/// is fixed: first what is the guest's, which a copy or a snapshot takes (64-bit slots, see <see cref="Slot"/>, the vector file, see
/// <see cref="VSlot"/>, x87, modes and segments), and from <see cref="ExecutionOffset"/> on what is the executors'.
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

    /// <summary>Offset of <see cref="Execution"/>: everything before it is the guest's state.</summary>
    public const int ExecutionOffset = SystemOffset + SystemRegisters.SizeInBytes;

    private const int SegmentOffset = X87Offset + 128;
    private const int TableOffset = SegmentOffset + 128;
    private const int SystemOffset = TableOffset + 64;

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

    /// <summary>The mode that code at RIP is decoded in (GuestMode).</summary>
    [FieldOffset(X87Offset + 64)]
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

    /// <summary>Selector and hidden part of the local descriptor table register, except its base.</summary>
    [FieldOffset(SegmentOffset + 96)]
    public SegmentRegister Ldtr;

    /// <summary>Linear address of the local descriptor table.</summary>
    [FieldOffset(SegmentOffset + 112)]
    public ulong LdtBase;

    /// <summary>True when the processor is in long mode (EFER.LMA): code segments may be of 64-bit code.</summary>
    [FieldOffset(SegmentOffset + 120)]
    public bool IsLongMode;

    /// <summary>Where the guest's global descriptor table is.</summary>
    [FieldOffset(TableOffset)]
    public TableRegister Gdtr;

    /// <summary>Control, debug and model-specific registers, and the rest of what only a system uses.</summary>
    [FieldOffset(SystemOffset)]
    public SystemRegisters System;

    /// <summary>What is not the guest's: pointers, requests and results of the executors.</summary>
    [FieldOffset(ExecutionOffset)]
    public ExecutionState Execution;
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

/// <summary>GDTR.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct TableRegister
{
    /// <summary>Linear address of the table.</summary>
    public ulong Base;

    /// <summary>Last valid byte offset.</summary>
    public ushort Limit;
}
