using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Regions;

/// <summary>
/// Chooses what is compiled together: from a hot block along direct jumps, branches and calls, every block that the interpreter has found
/// worth entering. Only blocks in the cache take part: what never ran is not compiled.
/// </summary>
public static unsafe class RegionBuilder
{
    /// <summary>
    /// Weight of the largest region to try. RyuJIT gives up optimising at 8,000 references to locals; an IR op costs about 6 on average, a
    /// memory access 10, an exit up to 40; the emitter counts exactly.
    /// </summary>
    public const int MaxWeight = 5000;

    private const int MaxBlocks = 300;

    /// <summary>Builds a region with a head, of at most <paramref name="maxWeight"/>. Under the memory's lock.</summary>
    public static Region Build(BlockCache cache, Block* head, int maxWeight = MaxWeight)
    {
        var mode = (GuestMode)head->Mode;
        var blocks = new List<RegionBlock>();
        var seen = new HashSet<ulong> { head->Start };
        var queue = new LinkedList<nint>();
        queue.AddLast((nint)head);
        var weight = 0;
        var csBase = head->Linear - head->Start;
        while (queue.First is { } first && blocks.Count < MaxBlocks)
        {
            queue.RemoveFirst();
            var block = (Block*)first.Value;
            weight += WeightOf(block);
            if (weight > maxWeight && blocks.Count > 0)
                break;
            blocks.Add(RegionBlock.CopyOf(block));
            Follow(cache, block, mode, csBase, seen, queue);
        }

        // In address order after the head, loops and their exits lie as the compiler of the guest laid them.
        var tail = blocks.GetRange(1, blocks.Count - 1);
        tail.Sort((a, b) => a.Start.CompareTo(b.Start));
        tail.Insert(0, blocks[0]);
        var region = new Region(mode, tail);
        region.Analyse();
        return region;
    }

    /// <summary>A region of one block.</summary>
    public static Region Single(Block* block)
    {
        var region = new Region((GuestMode)block->Mode, [RegionBlock.CopyOf(block)]);
        region.Analyse();
        return region;
    }

    private static int WeightOf(Block* block)
    {
        var weight = 20;
        var ops = Block.Ops(block);
        for (var i = 0; i < block->OpCount; i++)
            weight += ops[i].HasAddress ? 12 : ops[i].Op == IrOpcode.Call ? 40 : 6;
        return weight;
    }

    // The branch that was taken more often is followed first; a call's return point comes after its target.
    private static void Follow(
        BlockCache cache, Block* block, GuestMode mode, ulong csBase, HashSet<ulong> seen, LinkedList<nint> queue)
    {
        var last = Block.Ops(block)[block->OpCount - 1].Op;
        if (last is IrOpcode.Jump or IrOpcode.JumpCondition or IrOpcode.JumpIf)
            Add(block->Taken);
        if (last is IrOpcode.JumpCondition or IrOpcode.JumpIf || block->EndsWithCall != 0)
            Add(block->Next);

        void Add(ulong rip)
        {
            if (!seen.Add(rip))
                return;
            var next = cache.Find(rip, csBase + rip, mode);
            if (next != null && (next->Heat is > 1 or < 0 || next->CompileState != 0))
                queue.AddLast((nint)next);
        }
    }
}
