using DynaTrans.IlBackend.Regions;

namespace DynaTrans.Inspection.Assemblies;

/// <summary>How the accesses of a translation that is only looked at or tried out have fared.</summary>
/// <param name="histories">Instructions whose accesses get more than the fast test.</param>
public sealed class KnownHistories(IReadOnlyDictionary<ulong, AccessHistory> histories) : IAccessHistory
{
    /// <inheritdoc/>
    public AccessHistory History(ulong rip) => histories.GetValueOrDefault(rip);
}
