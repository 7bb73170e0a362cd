using System.Runtime.InteropServices;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Cli.Bare;

/// <summary>
/// The memory of a case: put in place before it runs, compared with what it was afterwards. Consecutive cases with the same regions keep their
/// pages, and only bytes that differ are written, so code that stays the same stays translated.
/// </summary>
internal sealed unsafe partial class CaseMemory(AddressSpace space)
{
    private const int PageSize = AddressSpace.PageSize;
    private const ulong PageMask = ~(ulong)(PageSize - 1);

    // Larger layouts are made anew for every case.
    private const ulong KeptBytes = 64 << 20;

    // Of larger regions the host is asked which pages have been touched.
    private const ulong SearchedBytes = 1 << 20;

    // Changes that are closer together than this are reported as one.
    private const int Gap = 16;

    private readonly List<(ulong Address, ulong Length, PagePermission Access)> _mapped = [];
    private readonly Dictionary<ulong, byte[]> _start = [];
    private readonly Stack<byte[]> _spare = [];
    private List<MemoryRegion> _layout = [];

    /// <summary>Maps and fills the regions of a case; all other memory is unmapped.</summary>
    public void Place(List<MemoryRegion> regions)
    {
        foreach (var page in _start.Values)
            _spare.Push(page);
        _start.Clear();
        foreach (var region in regions)
            FillStart(region);
        if (IsLikeBefore(regions))
        {
            // A page that was never touched is zero.
            foreach (var (address, length, _) in _mapped)
            {
                var resident = Resident(address, length);
                for (ulong offset = 0; offset < length; offset += PageSize)
                    if (resident == null || (resident[offset / PageSize] & 1) != 0 || _start.ContainsKey(address + offset))
                        Restore(address + offset);
            }

            return;
        }

        Clear();
        foreach (var region in regions)
            if (region.Length != 0)
                MapPages(region);
        _layout = regions;
        foreach (var page in _start.Keys)
            Restore(page);
    }

    /// <summary>Unmaps everything.</summary>
    public void Clear()
    {
        foreach (var (address, length, _) in _mapped)
            space.Unmap(address, length);
        _mapped.Clear();
        _layout = [];
    }

    /// <summary>The bytes that are not what they were when the case began.</summary>
    public IEnumerable<(ulong Address, byte[] Bytes)> Changes()
    {
        var changes = new List<(ulong, byte[])>();
        foreach (var (address, length, _) in _mapped)
        {
            var resident = Resident(address, length);
            for (ulong offset = 0; offset < length; offset += PageSize)
                if (resident == null || (resident[offset / PageSize] & 1) != 0 || _start.ContainsKey(address + offset))
                    AddChanges(address + offset, changes);
        }

        return changes;
    }

    private static bool IsSame(in MemoryRegion a, in MemoryRegion b) => a.Address == b.Address && a.Length == b.Length && a.Access == b.Access;

    private bool IsLikeBefore(List<MemoryRegion> regions)
    {
        if (regions.Count != _layout.Count)
            return false;
        ulong total = 0;
        for (var i = 0; i < regions.Count; i++)
        {
            total += regions[i].Length;
            if (!IsSame(regions[i], _layout[i]) || total > KeptBytes)
                return false;
        }

        return true;
    }

    private void FillStart(in MemoryRegion region)
    {
        if (region.Bytes == null && region.Fill == 0)
            return;
        for (ulong done = 0; done < region.Length;)
        {
            var at = region.Address + done;
            var chunk = (int)Math.Min(region.Length - done, PageSize - (at & ~PageMask));
            if (!_start.TryGetValue(at & PageMask, out var page))
            {
                page = _start[at & PageMask] = _spare.TryPop(out var spare) ? spare : new byte[PageSize];
                Array.Clear(page);
            }

            var target = page.AsSpan((int)(at & ~PageMask), chunk);
            if (region.Bytes == null)
                target.Fill(region.Fill);
            else
                region.Bytes.AsSpan((int)done, chunk).CopyTo(target);
            done += (uint)chunk;
        }
    }

    // Whole pages, those that another region of the case has brought already left alone.
    private void MapPages(in MemoryRegion region)
    {
        var last = (region.Address + (region.Length - 1)) & PageMask;
        ulong run = 0;
        for (var page = region.Address & PageMask; ; page += PageSize)
        {
            if (space.Query(page) == PagePermission.None)
                run += PageSize;
            else if (run != 0)
            {
                Map(page - run, run, region.Access);
                run = 0;
            }

            if (page != last)
                continue;
            if (run != 0)
                Map(page + PageSize - run, run, region.Access);
            return;
        }
    }

    private void Map(ulong address, ulong length, PagePermission access)
    {
        space.Map(address, length, access);
        _mapped.Add((address, length, access));
    }

    // Brings a page to what it is at the start of the case.
    private void Restore(ulong page)
    {
        var now = Page(page);
        var start = Start(page);
        var first = start.CommonPrefixLength(now);
        if (first == PageSize)
            return;
        var last = PageSize - 1;
        while (start[last] == now[last])
            last--;
        var length = last + 1 - first;
        space.PrepareWrite(page + (uint)first, (uint)length);
        start.Slice(first, length).CopyTo(now[first..]);
    }

    private void AddChanges(ulong page, List<(ulong, byte[])> changes)
    {
        var now = Page(page);
        var start = Start(page);
        for (var at = start.CommonPrefixLength(now); at < PageSize;)
        {
            var end = at + 1;
            for (var i = end; i < PageSize && i - end < Gap; i++)
                if (start[i] != now[i])
                    end = i + 1;
            changes.Add((page + (uint)at, now[at..end].ToArray()));
            at = end + start[end..].CommonPrefixLength(now[end..]);
        }
    }

    private static readonly byte[] s_zeros = new byte[PageSize];

    private ReadOnlySpan<byte> Start(ulong page) => _start.TryGetValue(page, out var bytes) ? bytes : s_zeros;

    private Span<byte> Page(ulong page) => new(space.HostAt(page), PageSize);

    // One byte a page, bit 0 set where the host has memory; null when that is not worth asking.
    private byte[]? Resident(ulong address, ulong length)
    {
        if (length <= SearchedBytes || space.ContiguousAt(address, length) < length || space.ExistingHostAt(address) is var host && host == null)
            return null;
        var pages = new byte[length / PageSize];
        fixed (byte* p = pages)
            return MemoryInCore(host, (nuint)length, p) == 0 ? pages : null;
    }

    [LibraryImport("libc", EntryPoint = "mincore")]
    private static partial int MemoryInCore(byte* address, nuint length, byte* pages);
}
