using DynaTrans.Frontend.Ir;

namespace DynaTrans.IlBackend.Regions;

/// <summary>
/// Where a region that runs under an instruction budget looks at what is left of it: at entries, wherever control goes backwards (as for the
/// exit request), and on the way forward where the next such place is too far away. What is left must suffice to the next of these places,
/// on whatever path; else the region is left, and the interpreter executes the exact rest.
/// </summary>
public sealed class BudgetPlan
{
    // So many instructions, and those of a block, are left to the interpreter at most.
    private const int MaxUntested = 512;

    private readonly Region _region;
    private readonly int[] _needed;

    /// <summary>Plans a region.</summary>
    public BudgetPlan(Region region)
    {
        _region = region;
        _needed = new int[region.Blocks.Count];
        for (var i = _needed.Length - 1; i >= 0; i--)
        {
            var block = region.Blocks[i];
            var most = 0;
            foreach (var next in SuccessorsOf(block))
                if (!IsTested(block, next))
                    most = Math.Max(most, _needed[next.Order]);
            _needed[i] = block.Addresses.Length + most;
        }
    }

    /// <summary>Instructions that may be executed from the start of a block up to the next test.</summary>
    public int NeededAt(RegionBlock block) => _needed[block.Order];

    /// <summary>True when the budget is tested on the way from a block to another.</summary>
    public bool IsTested(RegionBlock from, RegionBlock to) => to.Order <= from.Order || _needed[to.Order] > MaxUntested - from.Addresses.Length;

    private IEnumerable<RegionBlock> SuccessorsOf(RegionBlock block)
    {
        var last = block.Ops[^1].Op;
        if (last is IrOpcode.Jump or IrOpcode.JumpCondition or IrOpcode.JumpIf && _region.Find(block.Taken) is { } taken)
            yield return taken;
        if (last is IrOpcode.JumpCondition or IrOpcode.JumpIf && _region.Find(block.Next) is { } next)
            yield return next;
        if (last != IrOpcode.JumpIndirect)
            yield break;
        foreach (var target in _region.LikelyTargetsOf(block))
            yield return target;
    }
}
