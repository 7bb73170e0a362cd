using System.Collections.Concurrent;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>
/// The regions that a translator's threads are compiling, by their blocks: so that no two threads compile the same, and what is requested
/// meanwhile waits for what comes. Questions take no lock.
/// </summary>
internal sealed unsafe class RegionsUnderWay
{
    private readonly ConcurrentDictionary<nint, Region> _regionOf = [];

    // Requested blocks of them, under the memory's lock.
    private readonly List<nint> _waiting = [];

    /// <summary>The region under way that a block is in, or null. What it has copied from called functions is not its own.</summary>
    public Region? RegionOf(Block* block) => _regionOf.GetValueOrDefault((nint)block);

    /// <summary>Enters a region.</summary>
    public void Add(Region region)
    {
        foreach (var block in region.Blocks)
            if (!block.Copied)
                _regionOf.TryAdd(block.Source, region);
    }

    /// <summary>Takes out a region that has been compiled, or will not be.</summary>
    public void Remove(Region region)
    {
        foreach (var block in region.Blocks)
            _regionOf.TryRemove(new KeyValuePair<nint, Region>(block.Source, region));
    }

    /// <summary>A block that is requested, and under way, waits for what becomes of it. Under the memory's lock.</summary>
    public void Wait(Block* block) => _waiting.Add((nint)block);

    /// <summary>Gives the blocks that waited for a region that is no longer under way to <paramref name="queue"/>. Under the memory's lock.</summary>
    public void Release(RequestQueue queue)
    {
        for (var i = _waiting.Count - 1; i >= 0; i--)
        {
            if (_regionOf.ContainsKey(_waiting[i]))
                continue;
            queue.Add((Block*)_waiting[i], false);
            _waiting.RemoveAt(i);
        }
    }

    /// <summary>Forgets what waits: the blocks are gone. Under the memory's lock.</summary>
    public void Forget() => _waiting.Clear();
}
