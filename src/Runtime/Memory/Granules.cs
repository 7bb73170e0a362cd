namespace DynaTrans.Runtime.Memory;

/// <summary>The bytes of a page in 64 pieces of 64 bytes, one bit for each.</summary>
internal static class Granules
{
    /// <summary>All of a page.</summary>
    public const ulong All = ulong.MaxValue;

    /// <summary>The granules of a page that the bytes from <paramref name="first"/> to <paramref name="last"/> touch.</summary>
    /// <param name="page">Number of the page.</param>
    /// <param name="first">Address of the first byte; may lie before the page.</param>
    /// <param name="last">Address of the last byte; may lie behind it.</param>
    public static ulong Mask(ulong page, ulong first, ulong last)
    {
        var start = page * AddressSpace.PageSize;
        var from = first <= start ? 0 : (int)(first - start) >> 6;
        var to = last >= start + AddressSpace.PageSize - 1 ? 63 : (int)(last - start) >> 6;
        return (All << from) & (All >> (63 - to));
    }
}
