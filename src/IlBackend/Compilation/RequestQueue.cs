using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>What a translator has been requested to compile, the most useful first. All under the memory's lock.</summary>
internal sealed unsafe class RequestQueue
{
    // Heat goes on rising while a block waits, so requests cannot be kept sorted. To look at all of them for each that is taken would cost
    // more than compiling once thousands wait: then so many are chosen at a time.
    private const int Share = 32, MaxChosen = 64;

    private readonly List<Request> _waiting = [];

    // The last is the next.
    private readonly List<Request> _chosen = [];

    /// <summary>True when nothing is requested.</summary>
    public bool IsEmpty => _waiting.Count == 0 && _chosen.Count == 0;

    /// <summary>Enters a request.</summary>
    /// <param name="block">The block.</param>
    /// <param name="grow">It has code, which is to be recompiled with more around it.</param>
    public void Add(Block* block, bool grow) => _waiting.Add(new Request((nint)block, grow));

    /// <summary>Takes out what is to be compiled next. False when nothing is requested.</summary>
    public bool TryTake(out Block* block, out bool grow)
    {
        if (_chosen.Count == 0)
            Choose(Math.Clamp(_waiting.Count / Share, 1, MaxChosen));
        if (_chosen.Count == 0)
        {
            block = null;
            grow = false;
            return false;
        }

        var next = _chosen[^1];
        _chosen.RemoveAt(_chosen.Count - 1);
        block = (Block*)next.Block;
        grow = next.Grow;
        return true;
    }

    /// <summary>Forgets all requests.</summary>
    public void Clear()
    {
        _waiting.Clear();
        _chosen.Clear();
    }

    // What has no code at all, and is interpreted meanwhile, comes first; then the hottest.
    private static long Urgency(Request request) =>
        (request.Grow || ((Block*)request.Block)->Code != 0 ? 0 : 1L << 40) + ((Block*)request.Block)->Hotness;

    private void Choose(int count)
    {
        if (count == 1)
        {
            ChooseOne();
            return;
        }

        // The least urgent of the chosen on top; of equals those that came first are kept.
        var best = new PriorityQueue<int, (long Urgency, int Order)>(count + 1);
        for (var i = 0; i < _waiting.Count; i++)
        {
            best.Enqueue(i, (Urgency(_waiting[i]), -i));
            if (best.Count > count)
                best.Dequeue();
        }

        var taken = new List<int>(count);
        while (best.TryDequeue(out var index, out _))
        {
            _chosen.Add(_waiting[index]);
            taken.Add(index);
        }

        taken.Sort();
        for (var i = taken.Count - 1; i >= 0; i--)
            _waiting.RemoveAt(taken[i]);
    }

    private void ChooseOne()
    {
        if (_waiting.Count == 0)
            return;
        var best = 0;
        for (var i = 1; i < _waiting.Count; i++)
            if (Urgency(_waiting[i]) > Urgency(_waiting[best]))
                best = i;
        _chosen.Add(_waiting[best]);
        _waiting.RemoveAt(best);
    }

    private readonly record struct Request(nint Block, bool Grow);
}
