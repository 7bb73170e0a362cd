using System.Diagnostics.CodeAnalysis;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.IlBackend.Regions;

/// <summary>The bytes that an access touches, or that it may touch: those at offsets [Lo, Hi) from a key.</summary>
/// <param name="Key">What the offsets are relative to.</param>
/// <param name="Lo">First offset.</param>
/// <param name="Hi">Offset after the last.</param>
public sealed record AccessRange(AddressKey Key, long Lo, long Hi)
{
    /// <summary>The bytes of an access.</summary>
    /// <returns>False when the address has no key.</returns>
    public static bool TryOf(in IrOp op, [NotNullWhen(true)] out AccessRange? range)
    {
        range = AddressKey.TryOf(op, out var key) ? new AccessRange(key, op.Disp, (long)op.Disp + op.Size) : null;
        return range != null;
    }

    /// <summary>
    /// What an access with a bounded index may touch, relative to the rest of the address: a table is checked as a whole, wherever in it
    /// the access goes.
    /// </summary>
    public static bool TryBounded(in IrOp op, SlotBounds bounds, [NotNullWhen(true)] out AccessRange? range)
    {
        range = null;
        if (!TryOf(op, out var exact))
            return false;
        var key = exact.Key;
        var (index, rest, scale) = (key.B, key.A, key.Scale);
        if (scale == 0 && bounds[key.A] < bounds[key.B])
            (index, rest) = (key.A, key.B);
        if (key.B == Slot.Zero)
            (index, rest, scale) = (key.A, Slot.Zero, 0);
        if (index == Slot.Zero || index == rest || bounds[index] >= AddressSpace.PageSize)
            return false;
        var hi = exact.Hi + (long)(bounds[index] << scale);
        if (hi - exact.Lo > AddressSpace.PageSize)
            return false;
        range = new AccessRange(AddressKey.Make(rest, Slot.Zero, 0, key.Seg, key.Form), exact.Lo, hi);
        return true;
    }
}
