using System.Diagnostics.CodeAnalysis;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.IlBackend.Regions;

/// <summary>
/// What addresses of accesses are relative to: slot[A] + (slot[B] &lt;&lt; Scale) + base[Seg], everything but the displacement. Two accesses
/// with one key are a constant apart for as long as none of its slots is written.
/// </summary>
/// <remarks>The records of the analysis are classes: generic collections of them share code that is compiled ahead of time.</remarks>
/// <param name="A">Base slot, or <see cref="Slot.Zero"/>.</param>
/// <param name="B">Index slot, or <see cref="Slot.Zero"/>.</param>
/// <param name="Scale">Shift of the index.</param>
/// <param name="Seg">Slot of the segment base, <see cref="Slot.Zero"/> in flat forms.</param>
/// <param name="Form">How the address is computed.</param>
public sealed record AddressKey(ushort A, ushort B, byte Scale, byte Seg, AddressForm Form)
{
    /// <summary>An address without base: the displacement is the offset in its segment.</summary>
    public bool IsAbsolute => A == Slot.Zero && B == Slot.Zero;

    /// <summary>An address relative to the stack pointer alone.</summary>
    public bool IsStack => A == Slot.Rsp && B == Slot.Zero;

    /// <inheritdoc/>
    public bool Equals(AddressKey? other) =>
        other is not null && A == other.A && B == other.B && Scale == other.Scale && Seg == other.Seg && Form == other.Form;

    /// <inheritdoc/>
    public override int GetHashCode() => A | (B << 8) | (Scale << 16) | (Seg << 20) | ((int)Form << 28);

    /// <summary>The key of an address operand.</summary>
    /// <returns>False for forms whose offsets wrap at another width than the mode's slots (16-bit, and 32-bit in 64-bit code).</returns>
    public static bool TryOf(in IrOp op, [NotNullWhen(true)] out AddressKey? key)
    {
        key = null;
        if (op.Form is not (AddressForm.Flat64 or AddressForm.Flat32 or AddressForm.Segment64 or AddressForm.Segment32))
            return false;
        var flat = op.Form is AddressForm.Flat64 or AddressForm.Flat32;
        key = Make(op.A, op.B, op.Scale, flat ? (byte)Slot.Zero : op.Seg, op.Form);
        return true;
    }

    /// <summary>The same key with A and B in a fixed order where they can be swapped.</summary>
    public static AddressKey Make(ushort a, ushort b, byte scale, byte seg, AddressForm form)
    {
        if (b == Slot.Zero)
            return new AddressKey(a, b, 0, seg, form);
        return scale == 0 && (a == Slot.Zero || b < a)
            ? Make(b, a, 0, seg, form)
            : new AddressKey(a, b, scale, seg, form);
    }

    /// <summary>True when the address depends on a slot.</summary>
    public bool Uses(ushort slot) => slot != Slot.Zero && (A == slot || B == slot || Seg == slot);
}
