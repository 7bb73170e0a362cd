using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>The list of a process's mappings, sorted and without overlaps. All methods are called with the address space's lock held.</summary>
internal sealed class AreaList
{
    /// <summary>Bytes that stay free below an area that grows (the kernel's stack_guard_gap).</summary>
    internal const ulong GuardGap = 256UL * AddressSpace.PageSize;

    private readonly List<MemoryArea> _areas = [];

    /// <summary>Number of areas.</summary>
    public int Count => _areas.Count;

    /// <summary>Bytes of all areas together.</summary>
    public ulong TotalLength { get; private set; }

    /// <summary>An area by its place in the order of addresses.</summary>
    public MemoryArea this[int index] => _areas[index];

    /// <summary>A copy of the list.</summary>
    public MemoryArea[] ToArray() => [.. _areas];

    /// <summary>The area that holds an address, or null.</summary>
    public MemoryArea? Find(ulong address)
    {
        var i = IndexOf(address);
        return i < _areas.Count && _areas[i].Start <= address ? _areas[i] : null;
    }

    /// <summary>Bytes of a range that are mapped.</summary>
    public ulong LengthIn(ulong start, ulong end)
    {
        ulong length = 0;
        for (var i = IndexOf(start); i < _areas.Count && _areas[i].Start < end; i++)
            length += Math.Min(_areas[i].End, end) - Math.Max(_areas[i].Start, start);
        return length;
    }

    /// <summary>Bytes of the areas that have a property.</summary>
    public ulong LengthOf(Predicate<MemoryArea> property)
    {
        ulong length = 0;
        foreach (var area in _areas)
            if (property(area))
                length += area.Length;
        return length;
    }

    /// <summary>Adds an area behind all others. Takes over the reference to the file.</summary>
    public void Append(MemoryArea area)
    {
        _areas.Add(area);
        TotalLength += area.Length;
    }

    /// <summary>Empties the list and drops the references to files.</summary>
    public void Clear()
    {
        foreach (var area in _areas)
            area.File?.Release();
        _areas.Clear();
        TotalLength = 0;
    }

    /// <summary>Place of the first area that ends above the address.</summary>
    public int IndexOf(ulong address)
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

    /// <summary>True when nothing is mapped in a range.</summary>
    public bool IsFree(ulong start, ulong end)
    {
        var i = IndexOf(start);
        return i == _areas.Count || _areas[i].Start >= end;
    }

    /// <summary>True when every page of a range is mapped.</summary>
    public bool IsCovered(ulong start, ulong end)
    {
        for (var i = IndexOf(start); start < end; i++)
        {
            if (i == _areas.Count || _areas[i].Start > start)
                return false;
            start = _areas[i].End;
        }

        return true;
    }

    /// <summary>The highest gap of a length between two addresses, or 0. Areas that grow keep a distance below them.</summary>
    public ulong FindGap(ulong length, ulong low, ulong high)
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
            end = Math.Min(end, Floor(area));
            if (end < length || end - length < low)
                return 0;
        }

        return end - length >= low ? end - length : 0;
    }

    /// <summary>The lowest gap of a length between two addresses, or 0.</summary>
    public ulong FindLowestGap(ulong length, ulong low, ulong high)
    {
        for (var i = IndexOf(low); ; i++)
        {
            var end = i < _areas.Count ? Math.Min(Floor(_areas[i]), high) : high;
            if (low <= end && end - low >= length)
                return low;
            if (i >= _areas.Count || _areas[i].End >= high)
                return 0;
            low = Math.Max(low, _areas[i].End);
        }
    }

    /// <summary>
    /// Takes [start, end) out of the list, cutting areas at its borders, and gives the pieces to the caller, who owns their file references.
    /// </summary>
    public List<MemoryArea> Cut(ulong start, ulong end)
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

    /// <summary>Enters an area into a gap, joining it with its neighbours. Takes over the reference to the file.</summary>
    public void Enter(MemoryArea area)
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

    /// <summary>Up to where others may come without being asked to by MAP_FIXED.</summary>
    public static ulong Floor(MemoryArea area) =>
        (area.Traits & AreaTraits.GrowsDown) == 0 ? area.Start : area.Start - Math.Min(area.Start, GuardGap);

    // A part of an area, with a reference to the file of its own.
    private static MemoryArea Slice(MemoryArea area, ulong start, ulong end)
    {
        area.File?.AddReference();
        return area with { Start = start, End = end, Offset = area.File == null ? 0 : area.Offset + (start - area.Start) };
    }
}
