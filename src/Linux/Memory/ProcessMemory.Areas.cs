using DynaTrans.Linux.Files;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>The list of mappings, sorted and without overlaps. All methods are called with the address space's lock held.</summary>
public sealed partial class ProcessMemory
{
    private readonly List<MemoryArea> _areas = [];

    /// <summary>Where mmap's search begins, from above.</summary>
    public ulong MapEnd { get; set; }

    /// <summary>A copy of the list, in address order (/proc/self/maps).</summary>
    public MemoryArea[] Areas()
    {
        lock (Space.Lock)
            return [.. _areas];
    }

    /// <summary>The area that holds an address, or null.</summary>
    public MemoryArea? FindArea(ulong address)
    {
        lock (Space.Lock)
        {
            var i = IndexOf(address);
            return i < _areas.Count && _areas[i].Start <= address ? _areas[i] : null;
        }
    }

    /// <summary>Bytes of all areas together.</summary>
    public ulong TotalLength { get; private set; }

    // Index of the first area that ends above the address.
    private int IndexOf(ulong address)
    {
        int low = 0, high = _areas.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_areas[middle].End <= address)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    private bool IsFree(ulong start, ulong end)
    {
        var i = IndexOf(start);
        return i == _areas.Count || _areas[i].Start >= end;
    }

    private bool IsCovered(ulong start, ulong end)
    {
        for (var i = IndexOf(start); start < end; i++)
        {
            if (i == _areas.Count || _areas[i].Start > start)
                return false;
            start = _areas[i].End;
        }

        return true;
    }

    // The highest gap of a length between two addresses, or 0.
    private ulong FindGap(ulong length, ulong low, ulong high)
    {
        if (high < length || high - length < low)
            return 0;
        var i = IndexOf(high - 1);
        var end = high;
        for (i = Math.Min(i, _areas.Count - 1); i >= 0; i--)
        {
            var area = _areas[i];
            if (area.Start >= end)
                continue;
            if (area.End < end && end - area.End >= length)
                break;
            end = Math.Min(end, area.Start);
            if (end < length || end - length < low)
                return 0;
        }

        return end - length >= low ? end - length : 0;
    }

    // Takes [start, end) out of the list, cutting areas at its borders, and gives the pieces to the caller, who owns their file references.
    private List<MemoryArea> Cut(ulong start, ulong end)
    {
        var taken = new List<MemoryArea>();
        var first = IndexOf(start);
        var i = first;
        var rest = new List<MemoryArea>();
        for (; i < _areas.Count && _areas[i].Start < end; i++)
        {
            var area = _areas[i];
            if (area.Start < start)
                rest.Add(Slice(area, area.Start, start));
            if (area.End > end)
                rest.Add(Slice(area, end, area.End));
            var piece = Slice(area, Math.Max(area.Start, start), Math.Min(area.End, end));
            taken.Add(piece);
            TotalLength -= piece.Length;
            area.File?.Release();
        }

        _areas.RemoveRange(first, i - first);
        _areas.InsertRange(first, rest);
        return taken;
    }

    // A part of an area, with a reference to the file of its own.
    private static MemoryArea Slice(MemoryArea area, ulong start, ulong end)
    {
        area.File?.AddReference();
        return area with { Start = start, End = end, Offset = area.File == null ? 0 : area.Offset + (start - area.Start) };
    }

    // Enters an area into a gap, joining it with its neighbours. Takes over the reference to the file.
    private void Enter(MemoryArea area)
    {
        TotalLength += area.Length;
        var i = IndexOf(area.Start);
        if (i > 0 && _areas[i - 1].Joins(area))
        {
            area = area with { Start = _areas[i - 1].Start, Offset = _areas[i - 1].Offset };
            _areas[--i].File?.Release();
            _areas.RemoveAt(i);
        }

        if (i < _areas.Count && area.Joins(_areas[i]))
        {
            area = area with { End = _areas[i].End };
            _areas[i].File?.Release();
            _areas.RemoveAt(i);
        }

        _areas.Insert(i, area);
    }
}
