using System.Diagnostics;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Regions;

/// <summary>Asserts, in debug builds, what the emitter relies on in a region.</summary>
internal static class RegionAssertions
{
    /// <summary>
    /// Asserts that a region is well formed: its blocks are valid and found by their addresses, the head is an entry, and every entry has a
    /// number that a cell can hold, which entries share only at one place of the jump table.
    /// </summary>
    [Conditional("DEBUG")]
    public static void Hold(Region region)
    {
        var numbers = new Dictionary<int, ulong>();
        Debug.Assert(region.Blocks[0].Entry >= 0 && region.Entries.Contains(region.Blocks[0]), "the head is an entry");
        Debug.Assert(region.EntryNumbers is > 0 and < 1 << EntryCell.EntryBits, $"{region.EntryNumbers} entries do not fit into a cell");
        for (var i = 0; i < region.Blocks.Count; i++)
        {
            var block = region.Blocks[i];
            IrAssertions.Valid(block.Ops, region.Mode, block.Addresses.Length);
            Debug.Assert(block.Order == i && region.Find(block.Start) == block, $"block {block.Start:x} is found at its place");
            Debug.Assert(block.Addresses[0] == block.Start && IsAscending(block.Addresses, block.Next), $"the instructions of block {block.Start:x} follow each other");
            Debug.Assert(block.Entry >= 0 == region.Entries.Contains(block), $"block {block.Start:x} has an entry number when it is an entry");
            if (block.Entry < 0)
                continue;
            var isShared = !numbers.TryAdd(block.Entry, block.Start);
            Debug.Assert(block.Entry < region.EntryNumbers, $"entry {block.Entry} of {region.EntryNumbers}");
            Debug.Assert(
                !isShared || region.JumpTable?.PlaceOf(block.Start) == region.JumpTable?.PlaceOf(numbers[block.Entry]),
                $"blocks {block.Start:x} and {numbers[block.Entry]:x} have entry {block.Entry}");
        }

        foreach (var block in region.Blocks)
            Debug.Assert(!region.Dispatches(block) || region.JumpTable != null && block.Ops[^1].Op == IrOpcode.JumpIndirect, "what dispatches has a table");
    }

    // (Addresses of 16-bit code may wrap around.)
    private static bool IsAscending(ulong[] addresses, ulong next)
    {
        for (var i = 1; i < addresses.Length; i++)
            if (addresses[i] - addresses[i - 1] is 0 or > 15)
                return false;
        return next - addresses[^1] is > 0 and <= 15;
    }
}
