using System.Numerics;
using System.Runtime.InteropServices;
using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Linux.Memory;

/// <summary>Copying the memory of a process for fork: only pages that were touched.</summary>
public sealed unsafe partial class ProcessMemory
{
    // Bits of an entry of /proc/self/pagemap (Documentation/admin-guide/mm/pagemap.rst).
    private const ulong Present = 1UL << 63, Swapped = 1UL << 62, FileOrShared = 1UL << 61;

    private static readonly int s_pageMap = HostCalls.OpenAt(-100, "/proc/self/pagemap", 0x80000);

    /// <summary>A copy for a new process, or null when there is not enough memory.</summary>
    public ProcessMemory? Fork(ITranslator? translator)
    {
        lock (Space.Lock)
        {
            ulong committed = 0;
            foreach (var area in _areas)
                if (area.Committed)
                    committed += area.Length;
            if (Commit?.TryTake(committed) == false)
                return null;
            ProcessMemory child;
            try
            {
                child = new ProcessMemory(Space.Is32Bit, translator, BitOperations.Log2(Space.WindowSize))
                {
                    Commit = Commit,
                    Ending = Ending,
                    Meter = Meter,
                    AddressLimit = AddressLimit,
                    DataLimit = DataLimit,
                    HeapProtection = HeapProtection,
                    MapEnd = MapEnd,
                    BreakStart = BreakStart,
                    Break = Break,
                    SigreturnPage = SigreturnPage,
                };
            }
            catch (OutOfMemoryException)
            {
                // The host has no room for another window.
                Commit?.Give(committed);
                return null;
            }

            lock (child.Space.Lock)
                foreach (var area in _areas)
                    CopyArea(area, child);
            return child;
        }
    }

    /// <summary>How much of an area has memory of the host: pages of the host are counted, whatever the guest's own bookkeeping says.</summary>
    internal MemoryUse UseOf(MemoryArea area)
    {
        const int Batch = 512;
        var entries = stackalloc ulong[Batch];
        var use = default(MemoryUse);
        if (!TryAddUser())
            return use;
        var pages = area.Length / Page;
        for (ulong done = 0; done < pages && s_pageMap >= 0;)
        {
            var count = (int)Math.Min(Batch, pages - done);
            var at = (long)((((ulong)(Space.Base + area.Start) / Page) + done) * sizeof(ulong));
            if (HostCalls.Call(HostSys.Pread64, s_pageMap, (nint)entries, count * sizeof(ulong), at) != count * sizeof(ulong))
                break;
            foreach (var entry in new ReadOnlySpan<ulong>(entries, count))
            {
                if ((entry & Swapped) != 0)
                    use.Swapped++;
                if ((entry & Present) == 0)
                    continue;
                use.Present++;
                if ((entry & FileOrShared) == 0)
                    use.Anonymous++;
            }

            done += (ulong)count;
        }

        RemoveUser();
        return use;
    }

    private void CopyArea(MemoryArea area, ProcessMemory child)
    {
        area.File?.AddReference();
        child._areas.Add(area);
        child.TotalLength += area.Length;
        var to = child.Space.Base + area.Start;
        if (area.File != null)
            PutFile(to, area.Length, area.IsShared && IsWritable(area.File), area.File, area.Offset);
        if (!area.IsShared)
            CopyTouched(Space.Base + area.Start, to, area.Length, area.File != null);
        child.Space.MapInPlace(area.Start, area.Length, area.Protection);
    }

    // Pages that the host never gave memory to are zero in both (or the file's, in both).
    private static void CopyTouched(byte* from, byte* to, ulong length, bool isFile)
    {
        const int Batch = 512;
        var entries = stackalloc ulong[Batch];
        var pages = length / Page;
        for (ulong done = 0; done < pages;)
        {
            var count = (int)Math.Min(Batch, pages - done);
            var wanted = count * sizeof(ulong);
            var read = s_pageMap < 0
                ? -1
                : HostCalls.Call(HostSys.Pread64, s_pageMap, (nint)entries, wanted, (long)((((ulong)from / Page) + done) * sizeof(ulong)));
            if (read != wanted)
                new Span<ulong>(entries, count).Fill(Present);
            for (var i = 0; i < count; i++)
            {
                var first = i;
                while (i < count && IsTouched(entries[i], isFile))
                    i++;
                if (i > first)
                {
                    var start = (done + (ulong)first) * Page;
                    NativeMemory.Copy(from + start, to + start, (nuint)((ulong)(i - first) * Page));
                }
            }

            done += (ulong)count;
        }
    }

    private static bool IsTouched(ulong entry, bool isFile) =>
        (entry & Swapped) != 0 || ((entry & Present) != 0 && (!isFile || (entry & FileOrShared) == 0));
}

/// <summary>Pages of a mapping that have memory.</summary>
internal struct MemoryUse
{
    /// <summary>Pages in memory.</summary>
    public ulong Present;

    /// <summary>Of these, those that are no file's.</summary>
    public ulong Anonymous;

    /// <summary>Pages in swap.</summary>
    public ulong Swapped;

    /// <summary>Sums.</summary>
    public static MemoryUse operator +(MemoryUse a, MemoryUse b) =>
        new() { Present = a.Present + b.Present, Anonymous = a.Anonymous + b.Anonymous, Swapped = a.Swapped + b.Swapped };
}
