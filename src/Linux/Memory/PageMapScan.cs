using System.Runtime.InteropServices;
using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>
/// Asks the host which of its pages are in memory (PAGEMAP_SCAN, Linux 6.7; Documentation/admin-guide/mm/pagemap.rst). It skips what has no page
/// tables, so a window of half a terabyte costs what is in it.
/// </summary>
internal static unsafe class PageMapScan
{
    /// <summary>Categories of pages.</summary>
    public const ulong IsFile = 4, IsPresent = 8, IsSwapped = 16, IsZeroPage = 32;

    private const long PageMapScanRequest = 0xC0606610;
    private const int Batch = 512;

    /// <summary>Calls back with each run of pages that are present or swapped out and not the zero page: (host address, bytes, categories).</summary>
    /// <returns>False: the host's kernel is older.</returns>
    public static bool TryScan(ulong start, ulong length, Action<ulong, ulong, ulong> found)
    {
        var regions = stackalloc ulong[3 * Batch];
        var argument = new ScanArgument
        {
            Size = (ulong)sizeof(ScanArgument),
            Start = start,
            End = start + length,
            Vector = (ulong)regions,
            VectorLength = Batch,
            Inverted = IsZeroPage,
            Mask = IsZeroPage,
            AnyOf = IsPresent | IsSwapped,
            Returned = IsFile | IsPresent | IsSwapped,
        };
        while (true)
        {
            var count = HostCalls.Call(HostSys.Ioctl, HostMapping.PageMap, PageMapScanRequest, (nint)(&argument));
            if (count < 0)
                return false;
            for (var i = 0; i < count; i++)
                found(regions[3 * i], regions[(3 * i) + 1] - regions[3 * i], regions[(3 * i) + 2]);
            if (argument.WalkEnd >= argument.End || argument.WalkEnd <= argument.Start)
                return true;
            argument.Start = argument.WalkEnd;
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct ScanArgument
    {
        public ulong Size, Flags, Start, End, WalkEnd, Vector, VectorLength, MaxPages, Inverted, Mask, AnyOf, Returned;
    }
}
