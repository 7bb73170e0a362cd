using System.Runtime.InteropServices;

namespace DynaTrans.Frontend.Ir;

/// <summary>Attributes of an IR op.</summary>
[Flags]
public enum IrAttr : byte
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>The op writes the flags record.</summary>
    SetFlags = 1,

    /// <summary>The address of a vector access must be a multiple of 16, else #GP(0).</summary>
    Aligned = 2,

    /// <summary>A memory access of a region that cannot fault or leave it: its bytes were tested before. Not in blocks of the cache.</summary>
    Proven = 4,

    /// <summary><see cref="AccessIntent.Update"/>.</summary>
    Update = AccessIntent.Update,

    /// <summary><see cref="AccessIntent.Stack"/>.</summary>
    Stack = AccessIntent.Stack,

    /// <summary><see cref="AccessIntent.Supervisor"/>.</summary>
    Supervisor = AccessIntent.Supervisor,

    /// <summary>An exception that the op raises is a trap: the instruction has completed, and RIP is that of the next one.</summary>
    Trap = 64,

    /// <summary>All of <see cref="AccessIntent"/>.</summary>
    Intent = Update | Stack | Supervisor,
}

/// <summary>How an address operand is computed.</summary>
public enum AddressForm : byte
{
    /// <summary>64 bits, segment base 0: slot[A] + (slot[B] &lt;&lt; Scale) + Disp.</summary>
    Flat64,

    /// <summary>The same truncated to 32 bits, in a mode whose linear addresses have 32 bits and with segment base 0.</summary>
    Flat32,

    /// <summary>64-bit mode: 64-bit offset plus the base in slot Seg.</summary>
    Segment64,

    /// <summary>64-bit mode: offset truncated to 32 bits, plus the base in slot Seg (Zero for none), 64-bit sum.</summary>
    Segment64Offset32,

    /// <summary>16- or 32-bit mode: offset truncated to 32 bits, plus the base in slot Seg, the sum truncated to 32 bits.</summary>
    Segment32,

    /// <summary>16- or 32-bit mode: offset truncated to 16 bits, plus the base in slot Seg (Zero for none), the sum truncated to 32 bits.</summary>
    Segment16,
}

/// <summary>
/// One IR operation, 32 bytes, directly executed by the interpreter. Integer operands are <see cref="Slot"/> indices, vector operands
/// <see cref="VSlot"/> indices. An address operand is (A base, B index, Scale, Disp, Seg, Form); the value of a store is slot[C] + Imm.
/// Unused slot operands are <see cref="Slot.Zero"/>, an unused destination is <see cref="Slot.Void"/>.
/// Invariant of the lifter: in one guest instruction no op that can fault follows an op that changes guest-visible state.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct IrOp
{
    /// <summary>The interpreter's dispatch code; set when a block is made ready for it, 0 before.</summary>
    public ushort Dispatch;

    /// <summary>The operation.</summary>
    public IrOpcode Op;

    /// <summary>Size in bytes: 1, 2, 4, 8, or 16 for vector accesses.</summary>
    public byte Size;

    /// <summary>Sub-operation: what the opcode says.</summary>
    public ushort Sub;

    /// <summary>Index in the block of the guest instruction that this op came from.</summary>
    public ushort Insn;

    /// <summary>Destination slot.</summary>
    public ushort Dst;

    /// <summary>First operand, or base of an address.</summary>
    public ushort A;

    /// <summary>Second operand, or index of an address.</summary>
    public ushort B;

    /// <summary>Third operand.</summary>
    public ushort C;

    /// <summary>Displacement of an address.</summary>
    public int Disp;

    /// <summary>Shift of the index: 0..3.</summary>
    public byte Scale;

    /// <summary>Slot of the segment base of an address.</summary>
    public byte Seg;

    /// <summary>How the address is computed.</summary>
    public AddressForm Form;

    /// <summary>Attributes.</summary>
    public IrAttr Attr;

    /// <summary>Constant added to the last integer operand.</summary>
    public long Imm;

    /// <summary>True when the op writes the flags record, by attribute or by nature.</summary>
    public readonly bool WritesFlags => (Attr & IrAttr.SetFlags) != 0 || Op is >= IrOpcode.SetFlags and <= IrOpcode.ProductFlags;

    /// <summary>What a memory access is for.</summary>
    public readonly AccessIntent Intent => (AccessIntent)(Attr & IrAttr.Intent);

    /// <summary>log2 of <see cref="Size"/>.</summary>
    public readonly int SizeLog2 => System.Numerics.BitOperations.TrailingZeroCount(Size);

    /// <summary>True for ops with an address operand.</summary>
    public readonly bool HasAddress => Op is IrOpcode.Load or IrOpcode.LoadSigned or IrOpcode.Store or IrOpcode.VLoad or IrOpcode.VStore
        or IrOpcode.Lea or IrOpcode.LinearAddress;

    /// <summary>True when the op can raise an exception or leave the block: the guest's state must be exact before it.</summary>
    public readonly bool CanFault => Op is IrOpcode.Load or IrOpcode.LoadSigned or IrOpcode.Store or IrOpcode.VLoad or IrOpcode.VStore
        or IrOpcode.Call or IrOpcode.CheckLimit or IrOpcode.Raise && (Attr & IrAttr.Proven) == 0;

    /// <summary>True for ops that end a block.</summary>
    public readonly bool EndsBlock => Op >= IrOpcode.Jump;
}
