namespace DynaTrans.Runtime.Memory;

/// <summary>
/// What several mappings may show: a file or shared memory, in the system VM the guest's RAM. A page of it is a frame: the same bytes wherever
/// it is mapped, in one address space or in many. The object knows where its frames can be written to, and which of them translated code was
/// made from. Its lock is taken last; no other lock is taken while it is held.
/// </summary>
/// <param name="unmapped">Called when nothing maps the object any more, under the lock of the address space that was the last; may be null.</param>
public sealed class MemoryObject(Action? unmapped = null)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, FrameCode> _code = [];
    private readonly HashSet<FrameRun> _shared = [];
    private int _runs;

    /// <summary>True while something maps it.</summary>
    public bool IsMapped => Volatile.Read(ref _runs) != 0;

    /// <summary>
    /// Bytes of the object have changed other than by an address space that maps them (write(2), DMA): drops the code that was made from them.
    /// The caller holds no lock of an address space.
    /// </summary>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes, at least 1; the range ends at the end of all offsets at the latest.</param>
    public void Written(ulong offset, ulong length)
    {
        List<CodeHit>? hits = null;
        AddHits(ref hits, offset, offset + Math.Min(length - 1, ulong.MaxValue - offset), static page => true);
        CodeHit.DropAll(hits);
    }

    /// <summary>A run has been mapped. Under its address space's lock.</summary>
    internal void Add(FrameRun run)
    {
        lock (_lock)
        {
            _runs++;
            if (run.IsShared)
                _shared.Add(run);
        }
    }

    /// <summary>A run is not mapped any more. Under its address space's lock.</summary>
    internal void Remove(FrameRun run)
    {
        lock (_lock)
        {
            _shared.Remove(run);
            if (--_runs != 0)
                return;
        }

        unmapped?.Invoke();
    }

    /// <summary>True when code was made, or is being made, from a frame.</summary>
    internal bool HasCode(ulong frame)
    {
        lock (_lock)
            return _code.ContainsKey(frame);
    }

    /// <summary>Code is about to be made from a page. Under its address space's lock.</summary>
    internal void Enter(PageCode page, ulong frame)
    {
        lock (_lock)
        {
            if (!_code.TryGetValue(frame, out var code))
                _code[frame] = code = new FrameCode(this, frame) { IsMarked = !IsShared(frame) };
            page.Frame = code;
            code.Pages.Add(page);
        }
    }

    /// <summary>A page has no code any more. Under its address space's lock.</summary>
    /// <returns>True when other pages have code of the same frame.</returns>
    internal bool Leave(PageCode page)
    {
        var code = page.Frame!;
        lock (_lock)
        {
            code.Pages.Remove(page);
            if (code.Pages.Count != 0)
                return true;
            _code.Remove(code.Frame);
            return false;
        }
    }

    /// <summary>
    /// Makes stores to a frame take the slow path wherever it is mapped shared, and waits until nobody goes by what he knew before. The caller
    /// holds no lock, and its vCPU is outside.
    /// </summary>
    internal void Mark(FrameCode code)
    {
        var runs = new List<FrameRun>();
        lock (_lock)
        {
            foreach (var run in _shared)
                if (run.Holds(code.Frame))
                    runs.Add(run);
        }

        foreach (var run in runs)
            run.Space.MarkCode(run, code.Frame);

        // Sleeps at last: a waiting thread with a real-time policy would keep the others from going on.
        SpinWait wait = default;
        foreach (var run in runs)
            while (run.Space.KnowsPermissions?.Invoke() == false)
                wait.SpinOnce(sleep1Threshold: 1000);
        code.IsMarked = true;
    }

    /// <summary>Frames between two offsets that have code, in order; null when there are none.</summary>
    internal List<ulong>? FramesWithCode(ulong first, ulong last)
    {
        List<ulong>? frames = null;
        lock (_lock)
        {
            foreach (var frame in _code.Keys)
                if (frame >= first / AddressSpace.PageSize && frame <= last / AddressSpace.PageSize)
                    (frames ??= []).Add(frame);
        }

        frames?.Sort();
        return frames;
    }

    /// <summary>Collects the code that was made from granules that the bytes between two offsets touch.</summary>
    /// <param name="hits">The list; made when there is something to add.</param>
    /// <param name="first">Offset of the first byte.</param>
    /// <param name="last">Offset of the last byte.</param>
    /// <param name="wanted">Whose code.</param>
    internal void AddHits(ref List<CodeHit>? hits, ulong first, ulong last, Predicate<PageCode> wanted)
    {
        // The writer has stored its bytes; who makes code says so, with a barrier, before he reads them.
        Interlocked.MemoryBarrier();
        lock (_lock)
        {
            var (from, to) = (first / AddressSpace.PageSize, last / AddressSpace.PageSize);
            if (to - from >= (ulong)_code.Count)
            {
                foreach (var code in _code.Values)
                    if (code.Frame >= from && code.Frame <= to)
                        AddHits(ref hits, code, first, last, wanted);
            }
            else
            {
                for (var frame = from; frame <= to; frame++)
                    if (_code.TryGetValue(frame, out var code))
                        AddHits(ref hits, code, first, last, wanted);
            }
        }
    }

    private static void AddHits(ref List<CodeHit>? hits, FrameCode code, ulong first, ulong last, Predicate<PageCode> wanted)
    {
        var mask = Granules.Mask(code.Frame, first, last);
        var from = first / AddressSpace.PageSize < code.Frame ? 0 : first % AddressSpace.PageSize;
        var to = last / AddressSpace.PageSize > code.Frame ? AddressSpace.PageSize - 1 : last % AddressSpace.PageSize;
        foreach (var page in code.Pages)
            if ((page.Granules & mask) != 0 && wanted(page))
                (hits ??= []).Add(new CodeHit(page, (page.Page * AddressSpace.PageSize) + from, to - from + 1));
    }

    // Under the lock.
    private bool IsShared(ulong frame)
    {
        foreach (var run in _shared)
            if (run.Holds(frame))
                return true;
        return false;
    }
}
