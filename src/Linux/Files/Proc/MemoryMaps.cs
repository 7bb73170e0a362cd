using System.Globalization;
using System.Text;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Processes;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Files.Proc;

/// <summary>maps, smaps and smaps_rollup: the mappings of a guest process.</summary>
internal static class MemoryMaps
{
    private const ulong KiB = 1024;

    /// <summary>/proc/N/maps.</summary>
    public static string Maps(GuestProcess process)
    {
        var text = new StringBuilder();
        foreach (var area in AreasOf(process))
            AppendLine(text, area);
        return text.ToString();
    }

    /// <summary>/proc/N/smaps.</summary>
    public static string Detailed(GuestProcess process)
    {
        var text = new StringBuilder();
        foreach (var area in AreasOf(process))
        {
            AppendLine(text, area);
            text.Append(CultureInfo.InvariantCulture, $"Size:           {area.Length / KiB,8} kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n");
            AppendUse(text, process.Memory.UseOf(area), false);
            text.Append("THPeligible:           0\nVmFlags:");
            foreach (var (bit, letters) in new[] { (PagePermission.Read, " rd"), (PagePermission.Write, " wr"), (PagePermission.Execute, " ex") })
                if ((area.Protection & bit) != 0)
                    text.Append(letters);
            text.Append(area.IsShared ? " sh mr mw me ms" : " mr mw me");
            text.Append((area.Traits & AreaTraits.GrowsDown) != 0 ? " gd" : string.Empty).Append(area.IsLocked ? " lo \n" : " \n");
        }

        return text.ToString();
    }

    /// <summary>/proc/N/smaps_rollup.</summary>
    public static string Sum(GuestProcess process)
    {
        var areas = process.Memory.Areas();
        if (areas.Length == 0)
            return string.Empty;
        var sum = default(MemoryUse);
        foreach (var area in areas)
            sum += process.Memory.UseOf(area);
        var text = new StringBuilder();
        text.Append(string.Create(CultureInfo.InvariantCulture, $"{areas[0].Start:x8}-{areas[^1].End:x8} ---p 00000000 00:00 0 ").PadRight(73)).Append("[rollup]\n");
        AppendUse(text, sum, true);
        return text.ToString();
    }

    // With the page that belongs to every x86-64 process without being mapped.
    private static IEnumerable<MemoryArea> AreasOf(GuestProcess process) =>
        process.Is32 ? process.Memory.Areas() : process.Memory.Areas().Append(Vsyscall.Area);

    private static void AppendUse(StringBuilder text, in MemoryUse use, bool isSum)
    {
        var file = use.Present - use.Anonymous;
        Append("Rss", use.Present);
        Append("Pss", use.Present);
        Append("Pss_Dirty", use.Anonymous);
        if (isSum)
        {
            Append("Pss_Anon", use.Anonymous);
            Append("Pss_File", file);
            Append("Pss_Shmem", 0);
        }

        Append("Shared_Clean", 0);
        Append("Shared_Dirty", 0);
        Append("Private_Clean", file);
        Append("Private_Dirty", use.Anonymous);
        Append("Referenced", use.Present);
        Append("Anonymous", use.Anonymous);
        foreach (var name in new[]
        {
            "KSM", "LazyFree", "AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb",
        })
            Append(name, 0);
        Append("Swap", use.Swapped);
        Append("SwapPss", use.Swapped);
        Append("Locked", use.Locked);

        void Append(string name, ulong pages) =>
            text.Append((name + ":").PadRight(16)).Append(CultureInfo.InvariantCulture, $"{pages * AddressSpace.PageSize / KiB,8} kB\n");
    }

    private static void AppendLine(StringBuilder text, MemoryArea area)
    {
        // The kernel's own file system of shared memory, with the segments' numbers.
        const ulong SharedMemory = 1;
        ulong device = 0, inode = 0;
        if (area.File?.Tag is SharedSegment segment)
            (device, inode) = (SharedMemory, (uint)segment.Id);
        else if (area.File is { } file && HostFiles.Status(file.HostFd, out var status) == 0)
        {
            device = status.Device;
            inode = status.Inode;
        }

        var major = (device >> 8) & 0xfff;
        var minor = (device & 0xff) | ((device >> 12) & 0xfff00);
        var line = string.Create(
            CultureInfo.InvariantCulture,
            $"{area.Start:x8}-{area.End:x8} {Flag(area, PagePermission.Read, 'r')}{Flag(area, PagePermission.Write, 'w')}"
            + $"{Flag(area, PagePermission.Execute, 'x')}{(area.IsShared ? 's' : 'p')} {area.Offset:x8} {major:x2}:{minor:x2} {inode} ");
        text.Append(area.Name.Length == 0 ? line : line.PadRight(73) + area.Name).Append('\n');
    }

    private static char Flag(MemoryArea area, PagePermission bit, char letter) => (area.Protection & bit) != 0 ? letter : '-';
}
