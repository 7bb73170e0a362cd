using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>
/// Compiled regions that other address spaces may use, by what can be entered in them: programs that are started again or have forked have the same
/// code at the same addresses. A region is used only where exactly the bytes lie that it was made from. Bounded: when it is full it begins anew. Thread-safe.
/// </summary>
public sealed class SharedRegions
{
    // Of one entry: the latest, for they are compiled again with better checks, or more in them.
    private const int MaxVariants = 2;

    private readonly Lock _gate = new();
    private readonly Dictionary<Key, List<SharedRegion>> _regions = [];
    private int _count;

    /// <summary>Regions that it may hold.</summary>
    public int Capacity { get; init; } = 4096;

    /// <summary>Enters a region.</summary>
    internal void Add(SharedRegion shared)
    {
        var region = shared.Code.Region;
        lock (_gate)
        {
            if (_count == Capacity)
            {
                _regions.Clear();
                _count = 0;
            }

            _count++;
            foreach (var entry in region.Entries)
            {
                if (entry.Copied)
                    continue;
                var key = new Key(entry.Start, region.Mode, region.Context, region.IsBudgeted);
                if (!_regions.TryGetValue(key, out var list))
                    _regions[key] = list = [];
                if (list.Count == MaxVariants)
                    list.RemoveAt(list.Count - 1);
                list.Insert(0, shared);
            }
        }
    }

    /// <summary>Takes out a region that has turned out to be bad: the checks of its accesses fail too often.</summary>
    internal void Remove(SharedRegion shared)
    {
        lock (_gate)
        {
            var region = shared.Code.Region;
            foreach (var entry in region.Entries)
                if (_regions.TryGetValue(new Key(entry.Start, region.Mode, region.Context, region.IsBudgeted), out var list))
                    list.Remove(shared);
        }
    }

    /// <summary>The regions that can be entered at an address, the latest first.</summary>
    internal SharedRegion[] At(ulong rip, GuestMode mode, ushort context, bool isBudgeted)
    {
        lock (_gate)
            return _regions.TryGetValue(new Key(rip, mode, context, isBudgeted), out var list) ? [.. list] : [];
    }

    // The number of the code context is a constant in the code.
    private readonly record struct Key(ulong Rip, GuestMode Mode, ushort Context, bool IsBudgeted);
}

/// <summary>A region for other address spaces.</summary>
/// <param name="code">It, as one address space has it. The cached blocks that it was made of may be gone.</param>
/// <param name="blocks">Its blocks, with their bytes.</param>
/// <param name="options">How it was emitted; it serves where it would be emitted alike.</param>
internal sealed class SharedRegion(CompiledRegion code, IReadOnlyList<LiftedBlock> blocks, EmitOptions options)
{
    public CompiledRegion Code => code;

    public IReadOnlyList<LiftedBlock> Blocks => blocks;

    public EmitOptions Options => options;
}
