using DynaTrans.Frontend.Ir;

namespace DynaTrans.Frontend.Lifting;

/// <summary>The last integer operand of an IR op: a slot plus a constant. A plain constant is the Zero slot plus itself.</summary>
/// <param name="Slot">The slot.</param>
/// <param name="Imm">The constant added to it.</param>
public readonly record struct Val(ushort Slot, long Imm)
{
    /// <summary>True when no register takes part.</summary>
    public bool IsConst => Slot == Ir.Slot.Zero;

    /// <summary>A constant.</summary>
    public static Val Const(long value) => new(Ir.Slot.Zero, value);

    /// <summary>A slot.</summary>
    public static implicit operator Val(ushort slot) => new(slot, 0);
}

/// <summary>An address operand, ready to be put into several ops.</summary>
/// <param name="Base">Slot of the base.</param>
/// <param name="Index">Slot of the index.</param>
/// <param name="Scale">Shift of the index.</param>
/// <param name="Disp">Displacement.</param>
/// <param name="Seg">Slot of the segment base, or Zero.</param>
/// <param name="Form">How the parts are added.</param>
/// <param name="Intent"><see cref="AccessIntent.Stack"/> when the address is relative to SS.</param>
public readonly record struct Address(
    ushort Base, ushort Index, byte Scale, int Disp, ushort Seg, AddressForm Form, AccessIntent Intent = AccessIntent.None)
{
    /// <summary>The address for a read of what will be written.</summary>
    public Address ForUpdate => this with { Intent = Intent | AccessIntent.Update };
}
