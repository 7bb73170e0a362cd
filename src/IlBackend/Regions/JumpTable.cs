namespace DynaTrans.IlBackend.Regions;

/// <summary>
/// The targets inside a region of its indirect jumps, by a hash of their addresses: generated code finds a target by a multiplication, a
/// shift, a switch and one comparison.
/// </summary>
public sealed class JumpTable
{
    // Twice the targets at least: then some multiplier leaves few or none of them with a common place.
    private const int Sparseness = 2;
    private const int MinBits = 3;
    private const int MaxBits = 10;
    private const int Attempts = 256;

    private readonly List<RegionBlock>[] _places;

    /// <summary>Makes a table.</summary>
    /// <param name="targets">The targets, at least one; their order decides which is compared first at a common place.</param>
    public JumpTable(IReadOnlyList<RegionBlock> targets)
    {
        var bits = MinBits;
        while (bits < MaxBits && 1 << bits < targets.Count * Sparseness)
            bits++;
        Shift = 32 - bits;
        Multiplier = BestMultiplier(targets);
        _places = new List<RegionBlock>[1 << bits];
        for (var i = 0; i < _places.Length; i++)
            _places[i] = [];
        foreach (var target in targets)
            _places[PlaceOf(target.Start)].Add(target);
    }

    /// <summary>Number of places: a power of two, at most 1,024.</summary>
    public int Size => _places.Length;

    /// <summary>An address's low 32 bits, times this, shifted right by <see cref="Shift"/>, are its place.</summary>
    public uint Multiplier { get; private set; }

    /// <summary>See <see cref="Multiplier"/>.</summary>
    public int Shift { get; }

    /// <summary>The targets at a place; may be none.</summary>
    public IReadOnlyList<RegionBlock> At(int place) => _places[place];

    /// <summary>The place of an address.</summary>
    public int PlaceOf(ulong address) => (int)(((uint)address * Multiplier) >> Shift);

    // The multiplier, of a fixed sequence, with which the fewest targets share a place.
    private uint BestMultiplier(IReadOnlyList<RegionBlock> targets)
    {
        var (best, fewest) = (0u, int.MaxValue);
        var candidate = 0x9E3779B1u;
        for (var i = 0; i < Attempts && fewest > 0; i++, candidate = (candidate * 1664525) + 1013904223)
        {
            Multiplier = candidate | 1;
            var taken = new HashSet<int>();
            var shared = targets.Count(target => !taken.Add(PlaceOf(target.Start)));
            if (shared < fewest)
                (best, fewest) = (Multiplier, shared);
        }

        return best;
    }
}
