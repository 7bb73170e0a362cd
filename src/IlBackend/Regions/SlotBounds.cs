using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers;

namespace DynaTrans.IlBackend.Regions;

/// <summary>
/// Upper bounds of slots, unsigned, at a point of a block: what an index from a byte or from a masked value can be at most.
/// </summary>
public sealed class SlotBounds
{
    private readonly ulong[] _max = new ulong[Slot.Count];

    /// <summary>Nothing is known.</summary>
    public SlotBounds() => Clear();

    /// <summary>The largest value a slot may have.</summary>
    public ulong this[ushort slot] => slot == Slot.Zero ? 0 : _max[slot];

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        for (var i = 0; i < _max.Length; i++)
            _max[i] = ulong.MaxValue;
    }

    /// <summary>Carries the bounds over an op.</summary>
    public void Apply(in IrOp op)
    {
        if (op.Op == IrOpcode.Call && (HelperTable.Effects((HelperId)op.Sub) & HelperEffects.WritesState) != 0)
            Clear();
        if (IrOperands.WritesInteger(op))
            _max[op.Dst] = BoundOf(op);
    }

    private ulong BoundOf(in IrOp op)
    {
        var all = op.Size >= 8 ? ulong.MaxValue : (1UL << (op.Size * 8)) - 1;
        switch (op.Op)
        {
            case IrOpcode.Load:
                return all;
            case IrOpcode.Mov:
                return Math.Min(all, BoundOfB(op, all));
            case IrOpcode.And:
                return Math.Min(all, Math.Min(this[op.A], BoundOfB(op, all)));
            case IrOpcode.ExtractHigh:
                return 0xFF;
            case IrOpcode.Compare or IrOpcode.GetCondition:
                return 1;
            case IrOpcode.Insert:
                return this[op.A] | all;
            case IrOpcode.Shr when op.B == Slot.Zero:
                return Math.Min(all, this[op.A]) >> (int)(op.Imm & (op.Size == 8 ? 63 : 31));
            case IrOpcode.Shl when op.B == Slot.Zero:
                var count = (int)(op.Imm & (op.Size == 8 ? 63 : 31));
                return this[op.A] <= all >> count ? this[op.A] << count : all;
            case IrOpcode.Add when op.B == Slot.Zero && op.Imm >= 0:
                return this[op.A] <= all && (ulong)op.Imm <= all - this[op.A] ? this[op.A] + (ulong)op.Imm : all;
            default:
                return ulong.MaxValue;
        }
    }

    private ulong BoundOfB(in IrOp op, ulong all)
    {
        if (op.B == Slot.Zero)
            return (ulong)op.Imm & all;
        return op.Imm == 0 ? this[op.B] : all;
    }
}
