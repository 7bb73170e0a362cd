using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>Finds out whether accesses have left translated code because they were in another window than it expected.</summary>
internal static unsafe class WindowLearning
{
    /// <summary>
    /// An instruction that has left the code was interpreted then, and its windows noted (<see cref="Block.Windows"/>), with another block
    /// perhaps: enters them where the next translation finds them. Under the memory's lock.
    /// </summary>
    /// <param name="cache">The block cache.</param>
    /// <param name="region">The region that was left.</param>
    /// <param name="rip">The instruction.</param>
    /// <returns>True when the windows are not those that the region expects: that was why it was left.</returns>
    public static bool Learn(BlockCache cache, Region region, ulong rip)
    {
        if (!cache.Memory.HasSeveralWindows || cache.Find(rip, region.Context) is var seen && seen == null)
            return false;
        var learned = false;
        foreach (var block in region.Blocks)
        {
            var insn = Array.IndexOf(block.Addresses, rip);
            if (insn < 0)
                continue;

            // The accesses of one instruction are the same in every block, in the same order.
            var at = 0;
            for (var i = 0; i < block.Ops.Length; i++)
            {
                if (block.Ops[i].Insn != insn || !CheckPlan.IsAccess(block.Ops[i]))
                    continue;
                while (at < seen->OpCount && !CheckPlan.IsAccess(Block.Ops(seen)[at]))
                    at++;
                if (at == seen->OpCount || Block.Ops(seen)[at].Insn != 0)
                    break;
                var (expected, window) = (block.WindowOf(i), Block.Windows(seen)[at++]);
                if (expected == window || expected == Block.SeveralWindows)
                    continue;

                // Accesses of the main window are not noted: an expected window that was not seen is not the only one.
                Block.Windows((Block*)block.Source)[i] = expected == 0 ? window : Block.SeveralWindows;
                learned = true;
            }
        }

        return learned;
    }
}
