using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>Counts the pages of guest memory that are in RAM, as the kernel counts a process's resident set.</summary>
internal static unsafe class ResidentPages
{
    private const ulong PresentBit = 1UL << 63;
    private const int Batch = 512;

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

    private static ulong? Scan(ulong start, ulong length)
    {
        ulong pages = 0;
        return PageMapScan.TryScan(start, length, (_, bytes, categories) =>
            pages += (categories & PageMapScan.IsPresent) != 0 ? bytes / AddressSpace.PageSize : 0) ? pages : null;
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
            if (HostCalls.Call(HostSys.Pread64, HostMapping.PageMap, (nint)entries, count * sizeof(ulong), offset) != count * sizeof(ulong))
                break;
            for (var i = 0; i < count; i++)
                pages += entries[i] >= PresentBit ? 1u : 0;
        }

        return pages;
    }
}
