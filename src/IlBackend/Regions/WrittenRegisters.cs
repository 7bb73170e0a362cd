using System.Diagnostics;
using System.Numerics;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers;

namespace DynaTrans.IlBackend.Regions;

/// <summary>
/// Which registers may have been written since the region was entered, and so differ from the state in memory: what an exit has to store.
/// A set has bits 0 to 15 for the general registers and 16 to 31 for XMM0 to XMM15. A forward analysis over the region's edges.
/// </summary>
public sealed class WrittenRegisters
{
    /// <summary>The general registers.</summary>
    public const uint General = 0xFFFF;

    /// <summary>The vector registers.</summary>
    public const uint Vectors = 0xFFFF0000;

    // Registers that an exit stores without need, at most, to share the code of another.
    private const int MaxSpareStores = 3;

    private readonly Region _region;
    private readonly uint[] _in;
    private readonly HashSet<RegionBlock> _dispatchTargets = [];
    private readonly List<uint> _exitSets = [];

    /// <summary>Analyses a region.</summary>
    /// <param name="region">The region.</param>
    /// <param name="usesJumpTable">Indirect jumps go through the region's jump table.</param>
    public WrittenRegisters(Region region, bool usesJumpTable)
    {
        _region = region;
        for (var i = 0; usesJumpTable && i < region.JumpTable?.Size; i++)
            _dispatchTargets.UnionWith(region.JumpTable.At(i));
        _in = new uint[region.Blocks.Count];
        var changed = true;
        while (changed)
        {
            changed = false;
            foreach (var block in region.Blocks)
                changed |= Propagate(block);
        }

        ChooseExitSets();
    }

    /// <summary>All registers that the region writes: what rare exits store.</summary>
    public uint All { get; private set; }

    /// <summary>The set where the indirect jumps that go through the jump table meet.</summary>
    public uint AtDispatch { get; private set; }

    /// <summary>The set at the beginning of a block.</summary>
    public uint At(RegionBlock block) => _in[block.Order] | (_dispatchTargets.Contains(block) ? AtDispatch : 0);

    /// <summary>
    /// What an exit stores where a set of registers may have been written: that set, or one with a few registers more that other exits store. To
    /// store a register that was not written is harmless, and each set of its own is code of its own.
    /// </summary>
    public uint ExitSet(uint written)
    {
        if (written == 0)
            return 0;
        for (var i = _exitSets.Count - 1; i >= 0; i--)
            if ((written & ~_exitSets[i]) == 0)
                return _exitSets[i];
        return All;
    }

    /// <summary>Asserts, in debug builds, that no edge brings a register to a block that does not count it as written.</summary>
    [Conditional("DEBUG")]
    public void Verify()
    {
        foreach (var block in _region.Blocks)
            Debug.Assert(!Propagate(block), "the written registers of all ways into a block are known at its beginning");
    }

    /// <summary>The set after an op. A helper that works on the state has had the registers stored before it.</summary>
    public static uint After(in IrOp op, uint set)
    {
        if (op.Op == IrOpcode.Call)
            set &= ~SyncedBy(op);
        if (IrOperands.WritesInteger(op) && Slot.IsGpr(op.Dst))
            set |= 1u << op.Dst;
        if (IrOperands.WritesVector(op) && op.Dst < VSlot.Temp0)
            set |= 0x10000u << op.Dst;
        return set;
    }

    /// <summary>The registers that are the same in the locals and in the state after a helper call.</summary>
    public static uint SyncedBy(in IrOp call)
    {
        var effects = HelperTable.Effects((HelperId)call.Sub);
        return ((effects & (HelperEffects.ReadsState | HelperEffects.WritesState)) != 0 ? General : 0)
            | ((effects & HelperEffects.Vectors) != 0 ? Vectors : 0);
    }

    // The sets at the ends of blocks, the largest first; one that another is hardly larger than is left out.
    private void ChooseExitSets()
    {
        All = AtDispatch;
        var ends = new List<uint> { AtDispatch };
        foreach (var block in _region.Blocks)
        {
            var set = At(block);
            foreach (ref readonly var op in block.Ops.AsSpan())
            {
                set = After(op, set);
                All |= set;
            }

            if (!ends.Contains(set))
                ends.Add(set);
        }

        _exitSets.Add(All);
        ends.Sort((a, b) => BitOperations.PopCount(b).CompareTo(BitOperations.PopCount(a)) is var order and not 0 ? order : a.CompareTo(b));
        foreach (var set in ends)
            if (!_exitSets.Exists(larger => (set & ~larger) == 0 && BitOperations.PopCount(larger & ~set) <= MaxSpareStores))
                _exitSets.Add(set);
    }

    private bool Propagate(RegionBlock block)
    {
        var set = At(block);
        foreach (ref readonly var op in block.Ops.AsSpan())
            set = After(op, set);
        var last = block.Ops[^1].Op;
        var changed = false;
        if (last is IrOpcode.Jump or IrOpcode.JumpCondition or IrOpcode.JumpIf)
            changed |= Add(block.Taken, set);
        if (last is IrOpcode.JumpCondition or IrOpcode.JumpIf)
            changed |= Add(block.Next, set);
        if (last == IrOpcode.JumpIndirect)
            foreach (var target in _region.LikelyTargetsOf(block))
                changed |= Add(target.Start, set);
        if (!_region.Dispatches(block) || (set & ~AtDispatch) == 0)
            return changed;
        AtDispatch |= set;
        return true;
    }

    private bool Add(ulong target, uint set)
    {
        if (_region.Find(target) is not { } to || (set & ~_in[to.Order]) == 0)
            return false;
        _in[to.Order] |= set;
        return true;
    }
}
