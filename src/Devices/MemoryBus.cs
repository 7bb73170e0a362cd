using DynaTrans.Runtime.Execution;

namespace DynaTrans.Devices;

/// <summary>
/// The registers of devices in the guest-physical address space. Addresses that no device has read ones and ignore writes. A device that is mapped
/// over another hides it until it is unmapped, as a guest may place a relocatable device anywhere. An access that does not lie in one device
/// whole is made of byte accesses.
/// </summary>
public sealed class MemoryBus : IMemoryBus
{
    private readonly record struct Mapping(ulong First, ulong Last, IMemoryDevice Device);

    // A part of a mapping that no later one hides.
    private readonly record struct Segment(ulong First, ulong Last, ulong Base, IMemoryDevice Device);

    private readonly List<Mapping> _mappings = [];

    // Sorted and disjoint; worked out anew when mappings change, which is rare.
    private Segment[] _segments = [];

    // Accesses come in runs: where the last one was.
    private int _recent;

    /// <summary>Gives a device addresses; the new mapping lies over older ones.</summary>
    /// <param name="first">Its first address.</param>
    /// <param name="length">Bytes, 1 or more; the range does not wrap.</param>
    /// <param name="device">What answers, by offsets from <paramref name="first"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is empty or wraps.</exception>
    public void Map(ulong first, ulong length, IMemoryDevice device)
    {
        ArgumentOutOfRangeException.ThrowIfZero(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length - 1, ulong.MaxValue - first, nameof(length));
        _mappings.Add(new Mapping(first, first + (length - 1), device));
        Rebuild();
    }

    /// <summary>Takes away a mapping that <see cref="Map"/> made with the same arguments (the newest such); what it hid is seen again.</summary>
    /// <returns>False where there is no such mapping.</returns>
    public bool Unmap(ulong first, ulong length, IMemoryDevice device)
    {
        var index = _mappings.LastIndexOf(new Mapping(first, first + (length - 1), device));
        if (index < 0)
            return false;
        _mappings.RemoveAt(index);
        Rebuild();
        return true;
    }

    /// <inheritdoc/>
    public ulong Read(ulong physical, int size)
    {
        if (Find(physical) is var at && at < 0)
            return NextIsFree(physical, size) ? Ones(size) : ReadBytes(physical, size);
        ref readonly var segment = ref _segments[at];
        return segment.Last - physical >= (ulong)(size - 1)
            ? segment.Device.Read(physical - segment.Base, size) & Ones(size)
            : ReadBytes(physical, size);
    }

    /// <inheritdoc/>
    public void Write(ulong physical, int size, ulong value)
    {
        if (Find(physical) is var at && at >= 0)
        {
            ref readonly var segment = ref _segments[at];
            if (segment.Last - physical >= (ulong)(size - 1))
            {
                segment.Device.Write(physical - segment.Base, size, value & Ones(size));
                return;
            }
        }
        else if (NextIsFree(physical, size))
            return;
        for (var i = 0; i < size; i++)
            Write(physical + (ulong)i, 1, value >> (8 * i) & 0xFF);
    }

    private static ulong Ones(int size) => ulong.MaxValue >> (64 - 8 * size);

    private ulong ReadBytes(ulong physical, int size)
    {
        var value = 0ul;
        for (var i = 0; i < size; i++)
            value |= Read(physical + (ulong)i, 1) << (8 * i);
        return value;
    }

    // Nobody has the access's first byte: nor its other ones?
    private bool NextIsFree(ulong physical, int size)
    {
        for (var i = 1; i < size; i++)
        {
            if (Find(physical + (ulong)i) >= 0)
                return false;
        }
        return true;
    }

    private int Find(ulong physical)
    {
        var segments = _segments;
        if ((uint)_recent < (uint)segments.Length && physical >= segments[_recent].First && physical <= segments[_recent].Last)
            return _recent;
        var low = 0;
        var high = segments.Length - 1;
        while (low <= high)
        {
            var middle = (low + high) >> 1;
            if (physical < segments[middle].First)
                high = middle - 1;
            else if (physical > segments[middle].Last)
                low = middle + 1;
            else
                return _recent = middle;
        }
        return -1;
    }

    private void Rebuild()
    {
        var segments = new List<Segment>();
        foreach (var mapping in _mappings)
        {
            // What is left of older segments on both sides of the new one.
            var kept = new List<Segment>();
            foreach (var old in segments)
            {
                if (old.Last < mapping.First || old.First > mapping.Last)
                {
                    kept.Add(old);
                    continue;
                }
                if (old.First < mapping.First)
                    kept.Add(old with { Last = mapping.First - 1 });
                if (old.Last > mapping.Last)
                    kept.Add(old with { First = mapping.Last + 1 });
            }
            kept.Add(new Segment(mapping.First, mapping.Last, mapping.First, mapping.Device));
            segments = kept;
        }
        segments.Sort((a, b) => a.First.CompareTo(b.First));
        _segments = [.. segments];
        _recent = 0;
    }
}
