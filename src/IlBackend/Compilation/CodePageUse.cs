using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>A page that code of a region was made from.</summary>
/// <param name="Linear">Its linear address.</param>
/// <param name="Physical">Its address in the address space.</param>
public readonly record struct CodePageUse(ulong Linear, ulong Physical)
{
    private const ulong PageMask = ~(ulong)(AddressSpace.PageSize - 1);

    /// <summary>The pages of a region, each once. Its blocks are in the cache.</summary>
    internal static unsafe CodePageUse[] Of(Region region)
    {
        var pages = new HashSet<CodePageUse>();
        foreach (var block in region.Blocks)
        {
            var source = (Block*)block.Source;
            pages.Add(new CodePageUse(source->Linear & PageMask, source->Physical & PageMask));
            if (source->LastPage == source->FirstPage)
                continue;
            var next = (source->Linear & PageMask) + AddressSpace.PageSize;
            pages.Add(new CodePageUse(region.Mode.Is64() ? next : (uint)next, source->LastPage * AddressSpace.PageSize));
        }

        return [.. pages];
    }
}
