using DynaTrans.Runtime.Memory;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>
/// Tells which blocks can have been in memory at the same time. A page whose recorded bytes contradict each other, of several programs or of
/// code that was rewritten, has versions; its blocks are divided among them so that each is consistent, the hottest first. All other pages
/// are of version 0. A region is made of blocks of one version: of pages that never changed, or of one page as it was at a time.
/// </summary>
internal sealed class CodeVersions
{
    private readonly int[] _versions;

    /// <summary>Divides blocks.</summary>
    public CodeVersions(CodeRecord record, IReadOnlyList<LiftedBlock> blocks)
    {
        _versions = new int[blocks.Count];
        var ambiguous = FindAmbiguous(record, blocks);
        if (ambiguous.Count == 0)
            return;
        var count = 0;
        var versions = new Dictionary<(uint, ulong), List<(int Number, Dictionary<ulong, byte> Bytes)>>();
        foreach (var block in blocks.OrderByDescending(block => block.Recorded.Hotness).ThenBy(block => block.Index))
        {
            var (space, recorded) = (SpaceOf(record, block), block.Recorded);
            var (first, last) = PagesOf(recorded);
            if (!ambiguous.Contains((space, first)) && !ambiguous.Contains((space, last)))
                continue;
            if (!versions.TryGetValue((space, first), out var known))
                versions[(space, first)] = known = [];
            var version = known.Find(version => Fits(version.Bytes, recorded));
            if (version.Bytes == null)
                known.Add(version = (++count, []));
            for (var i = 0; i < recorded.Bytes.Length; i++)
                version.Bytes[recorded.Linear + (ulong)i] = recorded.Bytes[i];
            _versions[block.Index] = version.Number;
        }
    }

    /// <summary>The version that a block belongs to.</summary>
    public int Of(LiftedBlock block) => _versions[block.Index];

    private static bool Fits(Dictionary<ulong, byte> bytes, RecordedBlock block)
    {
        for (var i = 0; i < block.Bytes.Length; i++)
            if (bytes.TryGetValue(block.Linear + (ulong)i, out var known) && known != block.Bytes[i])
                return false;
        return true;
    }

    private static HashSet<(uint Space, ulong Page)> FindAmbiguous(CodeRecord record, IReadOnlyList<LiftedBlock> blocks)
    {
        var ambiguous = new HashSet<(uint, ulong)>();
        var pages = new Dictionary<(uint, ulong), short[]>();
        foreach (var block in blocks)
        {
            var space = SpaceOf(record, block);
            for (var i = 0; i < block.Recorded.Bytes.Length; i++)
            {
                var linear = block.Recorded.Linear + (ulong)i;
                var page = (space, linear / AddressSpace.PageSize);
                if (!pages.TryGetValue(page, out var bytes))
                {
                    pages[page] = bytes = new short[AddressSpace.PageSize];
                    Array.Fill(bytes, (short)-1);
                }

                ref var known = ref bytes[linear % AddressSpace.PageSize];
                if (known >= 0 && known != block.Recorded.Bytes[i])
                    ambiguous.Add(page);
                known = block.Recorded.Bytes[i];
            }
        }

        return ambiguous;
    }

    private static uint SpaceOf(CodeRecord record, LiftedBlock block) => record.Contexts[block.Recorded.Context].AddressSpace;

    private static (ulong First, ulong Last) PagesOf(RecordedBlock block) =>
        (block.Linear / AddressSpace.PageSize, (block.Linear + (ulong)block.Bytes.Length - 1) / AddressSpace.PageSize);
}
