namespace DynaTrans.Runtime.Memory;

/// <summary>
/// Mapped ranges in parts of an address space that have no window yet, sorted and without overlaps. A reservation of many terabytes is one
/// entry here for as long as nothing in it is touched.
/// </summary>
internal sealed class PendingRanges
{
    private readonly List<Range> _ranges = [];

    /// <summary>Bytes of all ranges.</summary>
    public ulong Length { get; private set; }

    /// <summary>Gives [start, start + length) a permission; <see cref="PagePermission.None"/> takes it out.</summary>
    public void Set(ulong start, ulong length, PagePermission value)
    {
        var end = start + (length - 1);
        var i = Cut(start, end);
        if (value == PagePermission.None)
            return;
        Length += length;
        if (i < _ranges.Count && _ranges[i].First == end + 1 && end + 1 != 0 && _ranges[i].Value == value)
        {
            end = _ranges[i].Last;
            _ranges.RemoveAt(i);
        }

        if (i > 0 && _ranges[i - 1].Last + 1 == start && _ranges[i - 1].Value == value)
            _ranges[i - 1] = _ranges[i - 1] with { Last = end };
        else
            _ranges.Insert(i, new Range(start, end, value));
    }

    /// <summary>The permission of an address.</summary>
    public PagePermission Query(ulong address)
    {
        var i = IndexOf(address);
        return i < _ranges.Count && _ranges[i].First <= address ? _ranges[i].Value : PagePermission.None;
    }

    /// <summary>Bytes of [start, start + length) that are mapped.</summary>
    public ulong LengthIn(ulong start, ulong length)
    {
        var end = start + (length - 1);
        ulong sum = 0;
        for (var i = IndexOf(start); i < _ranges.Count && _ranges[i].First <= end; i++)
            sum += Math.Min(_ranges[i].Last, end) - Math.Max(_ranges[i].First, start) + 1;
        return sum;
    }

    /// <summary>The first part of [start, start + length) that is mapped. False: there is none.</summary>
    public bool TryFind(ulong start, ulong length, out ulong first, out ulong partLength, out PagePermission value)
    {
        var end = start + (length - 1);
        var i = IndexOf(start);
        if (i == _ranges.Count || _ranges[i].First > end)
        {
            (first, partLength, value) = (0, 0, PagePermission.None);
            return false;
        }

        first = Math.Max(_ranges[i].First, start);
        partLength = Math.Min(_ranges[i].Last, end) - first + 1;
        value = _ranges[i].Value;
        return true;
    }

    // Takes [start, end] out. Returns the place where a range that begins at start belongs.
    private int Cut(ulong start, ulong end)
    {
        var i = IndexOf(start);
        if (i < _ranges.Count && _ranges[i].First < start)
        {
            var range = _ranges[i];
            _ranges[i] = range with { Last = start - 1 };
            _ranges.Insert(++i, range with { First = start });
        }

        var from = i;
        while (i < _ranges.Count && _ranges[i].First <= end)
        {
            var range = _ranges[i];
            Length -= Math.Min(range.Last, end) - range.First + 1;
            if (range.Last > end)
            {
                _ranges[i] = range with { First = end + 1 };
                break;
            }

            i++;
        }

        _ranges.RemoveRange(from, i - from);
        return from;
    }

    // The first range that does not end before the address.
    private int IndexOf(ulong address)
    {
        int low = 0, high = _ranges.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_ranges[middle].Last < address)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    private readonly record struct Range(ulong First, ulong Last, PagePermission Value);
}
