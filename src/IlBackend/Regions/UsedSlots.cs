using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.IlBackend.Regions;

/// <summary>Which slots and vector cells a region uses: those get locals, and how wide these are.</summary>
public sealed class UsedSlots
{
    private readonly bool _is64;
    private readonly bool[] _used = new bool[Slot.Count];
    private readonly bool[] _isWide = new bool[Slot.Count];
    private readonly bool[] _usedVector = new bool[VSlot.Mm0];

    /// <summary>Analyses a region.</summary>
    /// <param name="region">The region.</param>
    /// <param name="ops">The ops of each block.</param>
    public UsedSlots(Region region, Func<RegionBlock, IrOp[]> ops)
    {
        _is64 = region.Mode.Is64();
        foreach (var block in region.Blocks)
            foreach (ref readonly var op in ops(block).AsSpan())
                Collect(op);
        var anyWide = Array.IndexOf(_isWide, true) >= 0;
        for (ushort i = 0; i < Slot.Count; i++)
            if (HasLocal(i))
                _isWide[i] |= _is64 ? !Slot.IsTemp(i) || i >= Slot.Part0 : anyWide && i >= Slot.Part0;
    }

    /// <summary>True for slots that are kept in a local: general registers and temporaries that are used, and the copies of parts of the flags.</summary>
    public bool HasLocal(ushort slot) => slot >= Slot.Part0 || (_used[slot] && (Slot.IsGpr(slot) || Slot.IsTemp(slot)));

    /// <summary>True when the local of a slot has 8 bytes, false when it has 4.</summary>
    public bool IsWide(ushort slot) => _isWide[slot];

    /// <summary>True for vector cells, below the MMX file, that are used.</summary>
    public bool HasVectorLocal(ushort cell) => _usedVector[cell];

    private void Collect(in IrOp op)
    {
        if (IrOperands.ReadsA(op))
            _used[op.A] = true;
        if (IrOperands.ReadsB(op))
            _used[op.B] = true;
        if (IrOperands.ReadsC(op))
            _used[op.C] = true;
        if (IrOperands.WritesInteger(op))
        {
            _used[op.Dst] = true;
            _isWide[op.Dst] |= Slot.IsTemp(op.Dst) && ResultBytes(op) == 8;
        }

        if (IrOperands.ReadsVectorA(op))
            UseVector(op.A);
        if (IrOperands.ReadsVectorB(op))
            UseVector(op.B);
        if (op.Op == IrOpcode.VStore)
            UseVector(op.C);
        if (IrOperands.WritesVector(op))
            UseVector(op.Dst);
    }

    // The bytes that the result of an integer op is zero-extended from.
    private int ResultBytes(in IrOp op) => op.Op switch
    {
        IrOpcode.SignExtend or IrOpcode.LoadSigned => op.Sub,
        IrOpcode.GetCondition or IrOpcode.GetFlags or IrOpcode.Compare => 4,
        IrOpcode.Insert or IrOpcode.InsertHigh or IrOpcode.LinearAddress => _is64 ? 8 : 4,
        IrOpcode.Call or IrOpcode.VToInt => 8,
        _ => op.Size,
    };

    private void UseVector(ushort cell)
    {
        if (cell < VSlot.Mm0)
            _usedVector[cell] = true;
    }
}
