namespace DynaTrans.Runtime.Paging;

/// <summary>A set of pages that may say yes for a page that is not in it, and never no for one that is.</summary>
internal sealed class PageFilter
{
    // Of a kernel's code there are some thousand pages: hardly another page is taken for one of them.
    private const int Bits = 16;

    private readonly ulong[] _words = new ulong[(1 << Bits) / 64];
    private bool _isEmpty = true;

    /// <summary>Adds a page by its number.</summary>
    public void Add(ulong page)
    {
        var hash = Hash(page);
        _words[hash / 64] |= 1UL << (int)(hash % 64);
        _isEmpty = false;
    }

    /// <summary>False when a page is not in the set.</summary>
    public bool MayContain(ulong page)
    {
        var hash = Hash(page);
        return (_words[hash / 64] & (1UL << (int)(hash % 64))) != 0;
    }

    /// <summary>Takes all pages out.</summary>
    public void Clear()
    {
        if (!_isEmpty)
            Array.Clear(_words);
        _isEmpty = true;
    }

    // Multiplicative hashing by the golden ratio.
    private static ulong Hash(ulong page) => (page * 0x9E3779B97F4A7C15) >> (64 - Bits);
}
