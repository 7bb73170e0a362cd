using DynaTrans.IlBackend.Precompiled;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>
/// What the accesses of translated code have met so far, by address and code context: it decides the checks that the next translation gets.
/// Thread-safe. (When the numbers of contexts are given out anew, what was kept under one is taken for that of another: the code may be
/// slower for it, and is never wrong.)
/// </summary>
internal sealed unsafe class AccessRecords
{
    // How often a region is recompiled with better checks for some before all its accesses get them.
    private const int WorseningsBeforeAll = 2;

    private readonly Lock _gate = new();
    private readonly Dictionary<(ulong Rip, ushort Context), AccessHistory> _histories = [];
    private readonly HashSet<(ulong Rip, ushort Context)> _refusedLoops = [];
    private readonly Dictionary<(ulong Rip, ushort Context), int> _worsened = [];

    /// <summary>How the accesses of the instruction at an address have fared.</summary>
    public AccessHistory HistoryOf(ulong rip, ushort context)
    {
        lock (_gate)
            return _histories.GetValueOrDefault((rip, context));
    }

    /// <summary>True when tests on the way into the loop with a head at an address have failed too often.</summary>
    public bool IsLoopRefused(ulong rip, ushort context)
    {
        lock (_gate)
            return _refusedLoops.Contains((rip, context));
    }

    /// <summary>
    /// Enters that an access failed too often. What one access of a region met, those relative to the same registers will meet, and in the
    /// end all: they get the better check at once. The call, which costs registers in the whole region, is only for those that did not get
    /// by with it.
    /// </summary>
    /// <param name="cache">The block cache. Its memory's lock is held.</param>
    /// <param name="region">The region.</param>
    /// <param name="links">What its code refers to.</param>
    /// <param name="worst">The site where the code left too often.</param>
    public void Worsen(BlockCache cache, Region region, RegionLinks* links, FaultSite* worst)
    {
        lock (_gate)
        {
            if (worst->IsBeforeLoop != 0)
                _refusedLoops.Add((worst->Rip, region.Context));
            else
                WorsenAccesses(cache, region, links);
        }
    }

    /// <summary>Enters what accesses of a region that was made in another run have met; which others are like them is not known.</summary>
    /// <param name="links">What its code refers to.</param>
    /// <param name="context">Its code context.</param>
    /// <param name="slowExits">A site counts from so many exits on.</param>
    public void Worsen(RegionLinks* links, ushort context, int slowExits)
    {
        lock (_gate)
        {
            var failed = new HashSet<ulong>();
            for (var i = 0; i < links->SiteCount; i++)
            {
                var site = RegionLinks.Site(links, i);
                if (site->SlowExits < slowExits)
                    continue;
                if (site->IsBeforeLoop != 0)
                    _refusedLoops.Add((site->Rip, context));
                else if (failed.Add(site->Rip))
                    _histories[(site->Rip, context)] = _histories.ContainsKey((site->Rip, context)) ? AccessHistory.Slow : AccessHistory.EdgePages;
            }
        }
    }

    /// <summary>Enters what another run has found out.</summary>
    public void Add(in RecordedAccess access)
    {
        lock (_gate)
        {
            if (access.History != AccessHistory.Fast)
                _histories.TryAdd((access.Rip, access.Context), access.History);
            if (access.IsLoopRefused)
                _refusedLoops.Add((access.Rip, access.Context));
        }
    }

    /// <summary>All that is known.</summary>
    public List<RecordedAccess> ToList()
    {
        lock (_gate)
        {
            var all = new List<RecordedAccess>(_histories.Count + _refusedLoops.Count);
            foreach (var ((rip, context), history) in _histories)
                all.Add(new RecordedAccess(context, rip, history, _refusedLoops.Contains((rip, context))));
            foreach (var (rip, context) in _refusedLoops)
                if (!_histories.ContainsKey((rip, context)))
                    all.Add(new RecordedAccess(context, rip, AccessHistory.Fast, true));
            return all;
        }
    }

    private void WorsenAccesses(BlockCache cache, Region region, RegionLinks* links)
    {
        var context = region.Context;
        var failed = new HashSet<ulong>();
        for (var i = 0; i < links->SiteCount; i++)
        {
            var site = RegionLinks.Site(links, i);
            if (site->SlowExits == 0 || site->IsBeforeLoop != 0 || WindowLearning.Learn(cache, region, site->Rip))
                continue;
            failed.Add(site->Rip);
            _histories[(site->Rip, context)] = _histories.ContainsKey((site->Rip, context)) ? AccessHistory.Slow : AccessHistory.EdgePages;
        }

        var head = (region.Blocks[0].Start, context);
        var times = _worsened[head] = _worsened.GetValueOrDefault(head) + 1;
        var keys = new HashSet<AddressKey>();
        foreach (var block in region.Blocks)
            foreach (ref readonly var op in block.Ops.AsSpan())
                if (CheckPlan.IsAccess(op) && failed.Contains(block.Addresses[op.Insn]) && AddressKey.TryOf(op, out var key))
                    keys.Add(key);
        foreach (var block in region.Blocks)
            foreach (ref readonly var op in block.Ops.AsSpan())
                if (CheckPlan.IsAccess(op) && (times > WorseningsBeforeAll || (AddressKey.TryOf(op, out var key) && keys.Contains(key))))
                    _histories.TryAdd((block.Addresses[op.Insn], context), AccessHistory.EdgePages);
    }
}
