using System.Runtime.InteropServices;

namespace DynaTrans.Runtime.Translation;

/// <summary>
/// An op of a block as the interpreter reads it: one or several IR ops of the block in eight bytes. The fields overlap; what they mean is
/// said by the handler that the code stands for.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
public struct ThreadedOp
{
    /// <summary>Number of the handler.</summary>
    [FieldOffset(0)]
    public ushort Code;

    /// <summary>Destination slot, or the slot that is stored.</summary>
    [FieldOffset(2)]
    public byte Dst;

    /// <summary>First operand, or base of an address.</summary>
    [FieldOffset(3)]
    public byte A;

    /// <summary>Second operand as a constant, or displacement of an address without an index.</summary>
    [FieldOffset(4)]
    public int Imm;

    /// <summary>Second operand as a slot, or index of an address.</summary>
    [FieldOffset(4)]
    public byte B;

    /// <summary>Third operand as a slot, or shift of the index.</summary>
    [FieldOffset(5)]
    public byte C;

    /// <summary>What a store with a constant writes.</summary>
    [FieldOffset(4)]
    public short Constant;

    /// <summary>Displacement of an address with an index, or of a store with a constant.</summary>
    [FieldOffset(6)]
    public short Disp;
}
