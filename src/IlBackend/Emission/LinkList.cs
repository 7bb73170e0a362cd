using System.Runtime.InteropServices;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>What emitted code refers to by its links (<see cref="RegionLinks"/>): fault sites and cells, each by its index.</summary>
public sealed class LinkList
{
    private readonly List<FaultSite> _sites = [];
    private readonly List<ulong> _targets = [];
    private readonly Dictionary<ulong, int> _indices = [];

    /// <summary>The fault sites made so far.</summary>
    public ReadOnlySpan<FaultSite> Sites => CollectionsMarshal.AsSpan(_sites);

    /// <summary>The guest addresses of the cells.</summary>
    public IReadOnlyList<ulong> Targets => _targets;

    /// <summary>Makes a fault site.</summary>
    /// <param name="rip">RIP where the code is left.</param>
    /// <param name="flags">The form of the flags there; all that it names is in the state.</param>
    /// <param name="notExecuted">Instructions that were counted and are not executed.</param>
    internal int NewSite(ulong rip, in FlagsForm flags, int notExecuted)
    {
        _sites.Add(new FaultSite { Rip = rip, Flags = flags, NotExecuted = notExecuted });
        return _sites.Count - 1;
    }

    /// <summary>Says that a site is for what a loop needs: nothing of its block has been counted.</summary>
    internal void SetBeforeLoop(int site)
    {
        ref var entry = ref CollectionsMarshal.AsSpan(_sites)[site];
        (entry.IsBeforeLoop, entry.NotExecuted) = (1, 0);
    }

    /// <summary>The cell of a guest address.</summary>
    internal int Cell(ulong target)
    {
        if (!_indices.TryGetValue(target, out var index))
        {
            _indices[target] = index = _targets.Count;
            _targets.Add(target);
        }

        return index;
    }
}
