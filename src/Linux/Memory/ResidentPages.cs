using System.Runtime.InteropServices;
using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>Counts the pages of guest memory that are in RAM, as the kernel counts a process's resident set.</summary>
internal static unsafe class ResidentPages
{
    // PAGEMAP_SCAN and its categories, Linux 6.7 (Documentation/admin-guide/mm/pagemap.rst).
    private const long PageMapScan = 0xC0606610;
    private const ulong IsPresent = 8, IsZeroPage = 32;
    private const ulong PresentBit = 1UL << 63;
    private const int Batch = 512;

    private static readonly int s_pageMap = HostCalls.OpenAt(-100, "/proc/self/pagemap", 0x80000);

    /// <summary>The pages of a memory's mappings that are resident. The memory must not end meanwhile.</summary>
    public static ulong Of(ProcessMemory memory)
    {
        ulong pages = 0;
        foreach (var (host, length) in memory.Space.HostRanges())
        {
            if (Scan((ulong)host, length) is not { } found)
                return Read(memory);
            pages += found;
        }

        return pages;
    }

    // Skips what has no page tables, so a window of half a terabyte costs what is in it. Null: the host's kernel is older.
    private static ulong? Scan(ulong start, ulong length)
    {
        var found = stackalloc ulong[3 * Batch];
        var argument = new ScanArgument
        {
            Size = (ulong)sizeof(ScanArgument),
            Start = start,
            End = start + length,
            Vector = (ulong)found,
            VectorLength = Batch,
            Inverted = IsZeroPage,
            Mask = IsPresent | IsZeroPage,
            Returned = IsPresent,
        };
        ulong pages = 0;
        while (true)
        {
            var regions = HostCalls.Call(HostSys.Ioctl, s_pageMap, PageMapScan, (nint)(&argument));
            if (regions < 0)
                return null;
            for (var i = 0; i < regions; i++)
                pages += (found[(3 * i) + 1] - found[3 * i]) / AddressSpace.PageSize;
            if (argument.WalkEnd >= argument.End || argument.WalkEnd <= argument.Start)
                return pages;
            argument.Start = argument.WalkEnd;
        }
    }

    private static ulong Read(ProcessMemory memory)
    {
        ulong pages = 0;
        foreach (var area in memory.Areas())
            foreach (var piece in memory.Space.HostPieces(area.Start, area.Length, make: false))
                pages += Read((ulong)piece.Host, piece.Length);

        return pages;
    }

    private static ulong Read(ulong host, ulong length)
    {
        var entries = stackalloc ulong[Batch];
        ulong pages = 0;
        for (ulong at = 0; at < length; at += Batch * AddressSpace.PageSize)
        {
            var count = (long)Math.Min(Batch, (length - at) / AddressSpace.PageSize);
            var offset = (long)((host + at) / AddressSpace.PageSize * sizeof(ulong));
            if (HostCalls.Call(HostSys.Pread64, s_pageMap, (nint)entries, count * sizeof(ulong), offset) != count * sizeof(ulong))
                break;
            for (var i = 0; i < count; i++)
                pages += entries[i] >= PresentBit ? 1u : 0;
        }

        return pages;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct ScanArgument
    {
        public ulong Size, Flags, Start, End, WalkEnd, Vector, VectorLength, MaxPages, Inverted, Mask, AnyOf, Returned;
    }
}
