using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Helpers.Vector;

namespace DynaTrans.IlBackend.Regions;

/// <summary>
/// Which floating-point operations RyuJIT could drop. To it they are pure: one whose result is not used on any path goes, and the sticky flags
/// that it would have raised in MXCSR with it. Such a result has to be stored, where nobody reads it. A result counts as used only if it is
/// on every path, since RyuJIT may know which way a jump goes, by something that RyuJIT cannot do without: a store to guest memory, an exit
/// of the region that depends on what it cannot know, another operation that is kept.
/// </summary>
public sealed class FloatResults
{
    // One bit a vector cell below the MMX file.
    private const uint Registers = 0xFFFF;

    private readonly Region _region;
    private readonly bool _alone;
    private readonly uint[] _usedAtStart;
    private readonly bool[][] _mustBeStored;

    // Registers that may hold what follows from an operation of the region.
    private readonly uint _computed;

    /// <summary>Analyses a region.</summary>
    /// <param name="region">The region, in layout order.</param>
    /// <param name="ops">The ops of each block.</param>
    /// <param name="alone">All jumps lead out of it.</param>
    public FloatResults(Region region, Func<RegionBlock, IrOp[]> ops, bool alone)
    {
        (_region, _alone) = (region, alone);
        _usedAtStart = new uint[region.Blocks.Count];
        _mustBeStored = new bool[region.Blocks.Count][];
        _computed = Computed(region, ops);

        // Where control goes backwards the code may be left, so one pass from the end finds all.
        for (var i = region.Blocks.Count - 1; i >= 0; i--)
            Analyse(region.Blocks[i], ops(region.Blocks[i]));
    }

    /// <summary>True when the result of the op at an index of a block must be stored lest the operation be dropped.</summary>
    public bool MustBeStored(RegionBlock block, int index) => _mustBeStored[block.Order][index];

    /// <summary>True when an op with an integer result, a conversion or comparison, has no use in its block that RyuJIT surely keeps.</summary>
    public static bool MustBeStored(RegionBlock block, ReadOnlySpan<IrOp> ops, int index) =>
        !(Slot.IsTemp(ops[index].Dst) ? DecidesJump(block, ops, index) : IsStored(ops, index));

    private void Analyse(RegionBlock block, IrOp[] ops)
    {
        var computed = new uint[ops.Length];
        var now = _computed;
        for (var i = 0; i < ops.Length; i++)
        {
            computed[i] = now;
            now = ComputedAfter(ops[i], now);
        }

        var must = _mustBeStored[block.Order] = new bool[ops.Length];
        var used = UsedAtEnd(block);
        for (var i = ops.Length - 1; i >= 0; i--)
            used = Before(ops[i], used, computed[i], out must[i]);
        _usedAtStart[block.Order] = used & Registers;
    }

    private uint UsedAtEnd(RegionBlock block)
    {
        if (_alone)
            return Registers;
        switch (block.Ops[^1].Op)
        {
            case IrOpcode.Jump:
                return UsedAlong(block, block.Taken);
            case IrOpcode.JumpCondition or IrOpcode.JumpIf:
                return UsedAlong(block, block.Taken) & UsedAlong(block, block.Next);
            case IrOpcode.JumpIndirect:
                var used = Registers;
                foreach (var target in _region.LikelyTargetsOf(block))
                    used &= UsedAlong(block, target.Start);
                return used;
            default:
                return Registers;
        }
    }

    // Exits store the registers; one is wherever control goes backwards.
    private uint UsedAlong(RegionBlock from, ulong target) =>
        _region.Find(target) is not { } to || to.Order <= from.Order ? Registers : _usedAtStart[to.Order];

    private static uint Before(in IrOp op, uint used, uint computed, out bool mustBeStored)
    {
        mustBeStored = false;
        if (op.Op == IrOpcode.Call)
            return StoresVectors(op) ? used | Registers : used;
        if (op.Op == IrOpcode.VStore)
            return used | Bit(op.C);
        if (op.Op == IrOpcode.VToInt)
            return VectorTable.MayRaise((VecOp)op.Sub) ? used | Operands(op, computed) : used;
        if (!IrOperands.WritesVector(op))
            return used;
        var isUsed = op.Dst >= VSlot.Mm0 || (used & Bit(op.Dst)) != 0;
        if (!isUsed && IsFloatingPoint(op))
            isUsed = mustBeStored = true;
        used &= ~Bit(op.Dst);
        return isUsed ? used | Operands(op, computed) : used;
    }

    // Through memory, or on the exit that follows a fault: not where the helper may be replaced by code that does neither.
    private static bool StoresVectors(in IrOp call)
    {
        var effects = HelperTable.Effects((HelperId)call.Sub);
        if ((effects & HelperEffects.Vectors) != 0)
            return true;
        return (effects & HelperEffects.MayFault) != 0 && !X87Stack.IsX87(call)
            && (HelperId)call.Sub is not (HelperId.DivU32 or HelperId.DivU64 or HelperId.DivS32 or HelperId.DivS64);
    }

    // What the result of an op surely depends on. RyuJIT knows that some operations of a value with itself are constant, and that it may have
    // the same value in two registers if it computed both.
    private static uint Operands(in IrOp op, uint computed)
    {
        var (a, b) = (TakesFirst(op) ? Bit(op.A) : 0, IrOperands.ReadsVectorB(op) ? Bit(op.B) : 0);
        if (op.Op == IrOpcode.VBinary && MayBeConstant((VecOp)op.Sub) && (a & ~computed) == 0 && (b & ~computed) == 0)
            return 0;
        return op.Op is IrOpcode.VBinary or IrOpcode.VUnary && MayIgnore(op) ? 0 : a | b;
    }

    private static bool MayBeConstant(VecOp op) =>
        op is VecOp.Xor or VecOp.AndNot or (>= VecOp.PSubB and <= VecOp.PSubQ) or VecOp.PSubSB or VecOp.PSubUsB or VecOp.PSubSW or VecOp.PSubUsW
            or (>= VecOp.PCmpEqB and <= VecOp.PCmpGtQ);

    // By their immediate.
    private static bool MayIgnore(in IrOp op) => (VecOp)op.Sub switch
    {
        VecOp.BlendPs or VecOp.BlendPd or VecOp.PBlendW or VecOp.InsertPs => true,
        VecOp.PAlignR => (byte)op.Imm is 0 or > 15,
        >= VecOp.PSllW and <= VecOp.PSrlDq => (byte)op.Imm > 15,
        _ => false,
    };

    /// <summary>True for an op that reads the vector cell A as an operand: some do not look at what they are given.</summary>
    private static bool TakesFirst(in IrOp op)
    {
        if (!IrOperands.ReadsVectorA(op) || (VecOp)op.Sub is VecOp.Zero or VecOp.Ones or VecOp.FromD or VecOp.FromQ or VecOp.PcmpStrMask)
            return false;
        return VectorTable.Kind((VecOp)op.Sub) is not (VecKind.ToInt or VecKind.ToIntImm);
    }

    /// <summary>True for an operation that may raise flags.</summary>
    internal static bool IsFloatingPoint(in IrOp op) =>
        op.Op is IrOpcode.VBinary or IrOpcode.VUnary or IrOpcode.VFromInt or IrOpcode.VToInt && VectorTable.MayRaise((VecOp)op.Sub);

    /// <summary>The vector cells below the MMX file that an op reads, one bit each; for a cell of the MMX file, which is in memory, a bit above.</summary>
    internal static uint TakenOperands(in IrOp op) =>
        (TakesFirst(op) ? Bit(op.A) : 0) | (IrOperands.ReadsVectorB(op) ? op.B < VSlot.Mm0 ? Bit(op.B) : 1u << VSlot.Mm0 : 0);

    private static uint Bit(ushort cell) => cell < VSlot.Mm0 ? 1u << cell : 0;

    private static uint Computed(Region region, Func<RegionBlock, IrOp[]> ops)
    {
        for (var set = 0u; ;)
        {
            var before = set;
            foreach (var block in region.Blocks)
            {
                var now = set;
                foreach (ref readonly var op in ops(block).AsSpan())
                {
                    now = ComputedAfter(op, now);
                    set |= now & Registers;
                }
            }

            if (set == before)
                return set;
        }
    }

    private static uint ComputedAfter(in IrOp op, uint set)
    {
        if (!IrOperands.WritesVector(op))
            return set;
        var operands = (TakesFirst(op) ? Bit(op.A) : 0) | (IrOperands.ReadsVectorB(op) ? Bit(op.B) : 0);
        return IsFloatingPoint(op) || (set & operands) != 0 ? set | Bit(op.Dst) : set & ~Bit(op.Dst);
    }

    // A comparison whose flags decide where the jump at the end of the block goes.
    private static bool DecidesJump(RegionBlock block, ReadOnlySpan<IrOp> ops, int index)
    {
        var isFlags = false;
        for (var i = index + 1; i < ops.Length; i++)
        {
            ref readonly var op = ref ops[i];
            if (op.Op == IrOpcode.SetFlags && op.Insn == ops[index].Insn)
                isFlags = true;
            else if (op.WritesFlags || (op.Op == IrOpcode.Call && (HelperTable.Effects((HelperId)op.Sub) & HelperEffects.WritesState) != 0))
                return false;
        }

        return isFlags && ops[^1].Op == IrOpcode.JumpCondition && block.Taken != block.Next
            && (Condition)ops[^1].Sub is Condition.B or Condition.Ae or Condition.E or Condition.Ne or Condition.Be or Condition.A or Condition.P or Condition.Np;
    }

    // The value goes to memory, or is an address of a store, or an argument of a call.
    private static bool IsStored(ReadOnlySpan<IrOp> ops, int index)
    {
        var slot = ops[index].Dst;
        for (var i = index + 1; i < ops.Length; i++)
        {
            ref readonly var op = ref ops[i];
            var reads = (IrOperands.ReadsA(op) && op.A == slot) || (IrOperands.ReadsB(op) && op.B == slot) || (IrOperands.ReadsC(op) && op.C == slot);
            if (reads && op.Op is IrOpcode.Store)
                return true;
            if (IrOperands.WritesInteger(op) && op.Dst == slot)
                return false;
        }

        return false;
    }
}
