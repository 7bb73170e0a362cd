using DynaTrans.IlBackend.Regions;

namespace DynaTrans.IlBackend.Emission;

/// <summary>The labels that jumps inside a region lead to.</summary>
internal sealed class RegionLabels
{
    private readonly int[] _blocks;
    private readonly int[] _knownHeads;

    public RegionLabels(IlSink il, RegionPlan plan)
    {
        Dispatch = il.DefineLabel();
        EntrySwitch = il.DefineLabel();
        Missed = il.DefineLabel();
        _blocks = new int[plan.Region.Blocks.Count];
        _knownHeads = new int[_blocks.Length];
        for (var i = 0; i < _blocks.Length; i++)
        {
            _knownHeads[i] = _blocks[i] = il.DefineLabel();
            if (plan.LoopChecksOf(plan.Region.Blocks[i]).Count > 0)
                _knownHeads[i] = il.DefineLabel();
        }
    }

    /// <summary>Finds a target in the region's jump table.</summary>
    public int Dispatch { get; }

    /// <summary>Goes to the entry whose number is in a local.</summary>
    public int EntrySwitch { get; }

    /// <summary>The jump table does not have the target.</summary>
    public int Missed { get; }

    /// <summary>The beginning of a block.</summary>
    public int Of(RegionBlock block) => _blocks[block.Order];

    /// <summary>Where a loop's head is entered when the tests before it are not needed.</summary>
    public int KnownHead(RegionBlock block) => _knownHeads[block.Order];
}
