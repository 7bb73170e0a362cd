using DynaTrans.IlBackend.Regions;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>How the accesses of a recorded run have fared, for the code of one context.</summary>
internal sealed class RecordedHistory : IAccessHistory
{
    private readonly Dictionary<ulong, AccessHistory> _histories = [];
    private readonly HashSet<ulong> _refusedLoops = [];

    /// <summary>Takes what belongs to a context out of a record.</summary>
    public RecordedHistory(CodeRecord record, ushort context)
    {
        foreach (var access in record.Accesses)
        {
            if (access.Context != context)
                continue;
            if (access.History > _histories.GetValueOrDefault(access.Rip))
                _histories[access.Rip] = access.History;
            if (access.IsLoopRefused)
                _refusedLoops.Add(access.Rip);
        }
    }

    /// <inheritdoc/>
    public AccessHistory History(ulong rip) => _histories.GetValueOrDefault(rip);

    /// <inheritdoc/>
    public bool IsLoopRefused(ulong rip) => _refusedLoops.Contains(rip);
}
