using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Compilation;

/// <content>Regions that the address spaces of the host process have from each other (<see cref="SharedRegions"/>).</content>
public sealed unsafe partial class Translator
{
    // Regions that were adopted, or did not apply: what has been dropped since, for its accesses were slow, is not to come back.
    private readonly HashSet<SharedRegion> _tried = [];

    /// <inheritdoc/>
    public void NoteLifted(BlockCache cache, Block* block)
    {
        if (_isDisposed)
            return;
        _cache = cache;
        TryAdopt(cache, block);
    }

    // Without paging, and where nothing in the code is this translator's own.
    private bool Shares(BlockCache cache) =>
        _options is { Shared: not null, HeatCounter: null, Verify: false, Threshold: > 0 } && !cache.IsPaged && LiftedBlocks.Shared.IsWanted;

    // Offers a region that has just been published to others. Under the memory's lock.
    private void Share(CompiledRegion compiled)
    {
        var (cache, region) = (_cache!, compiled.Region);
        if (!Shares(cache) || (region.Mode & GuestMode.Flat) == 0 || region.Blocks.Any(static block => block.Windows.Count > 0))
            return;
        var blocks = new LiftedBlock[region.Blocks.Count];
        for (var i = 0; i < blocks.Length; i++)
            blocks[i] = Lifted(cache.Memory, region, region.Blocks[i]);
        compiled.Shared = new SharedRegion(compiled, blocks, SharedOptions(cache));
        _tried.Add(compiled.Shared);
        _options.Shared!.Add(compiled.Shared);
    }

    // A valid block, whose bytes are what lies in memory.
    private static LiftedBlock Lifted(AddressSpace memory, Region region, RegionBlock block)
    {
        var lengths = new byte[block.Addresses.Length];
        for (var i = 0; i < lengths.Length; i++)
            lengths[i] = (byte)((i + 1 < lengths.Length ? block.Addresses[i + 1] : block.Next) - block.Addresses[i]);
        var code = new byte[(int)(block.Next - block.Start)];
        BlockCache.ReadCode(memory, block.Start, code);
        return new LiftedBlock(
            new LiftedBlockEnds(region.Mode, block.Start, block.Next, block.Taken, block.EndsWithCall), code, block.Ops, lengths);
    }

    // Windows other than the first are constants in the code: no region with accesses there is shared.
    private EmitOptions SharedOptions(BlockCache cache) =>
        OptionsFor(cache.Memory, cache.IsPaged) with { CountInstructions = _options.CountInstructions, Windows = 0 };

    // Gives a block code that another address space has, if its bytes are here, too. Under the memory's lock.
    private bool TryAdopt(BlockCache cache, Block* block)
    {
        if (!Shares(cache) || block->Valid == 0)
            return false;
        foreach (var shared in _options.Shared!.At(block->Start, (GuestMode)block->Mode, block->Context, block->IsBudgeted))
        {
            if (shared.Options != SharedOptions(cache) || !_tried.Add(shared) || TryMakeRegion(cache, shared, block) is not { } region)
                continue;
            Publish(new CompiledRegion(shared.Code, region) { Shared = shared });
            region.DropCode();
            Statistics.CountAdopted();
            if (block->Code != 0)
                return true;
        }

        return false;
    }

    // The region with the blocks of this cache; what has not been executed here yet is put there. Null when other bytes lie somewhere.
    private static Region? TryMakeRegion(BlockCache cache, SharedRegion shared, Block* like)
    {
        var known = shared.Code.Region;
        var blocks = new List<RegionBlock>(known.Blocks.Count);
        for (var i = 0; i < known.Blocks.Count; i++)
        {
            var block = cache.TryInsert(shared.Blocks[i], like->Context, like->IsBudgeted);
            if (block == null)
                return null;
            var copy = known.Blocks[i] with { Source = (nint)block, Entry = -1, Order = 0, Predecessors = 0 };
            copy.TakeCode();
            blocks.Add(copy);
        }

        var region = new Region(known.Mode, blocks)
        {
            Context = known.Context, IsBudgeted = known.IsBudgeted, Weight = known.Weight, Growth = known.Growth,
        };
        region.Analyse();
        return region;
    }
}
