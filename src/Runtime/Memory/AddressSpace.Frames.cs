namespace DynaTrans.Runtime.Memory;

/// <content>
/// Pages that are frames of objects. The host says so before it maps them; all others are frames by themselves. A page of a shared frame has
/// <see cref="PagePermission.HasCode"/> when code was made from the frame at whatever address, in whatever address space.
/// </content>
public sealed unsafe partial class AddressSpace
{
    // Sorted by address, without overlaps. Under the lock.
    private readonly List<FrameRun> _runs = [];

    // Of these, the shared ones: most address spaces have none, and their stores to code ask no further.
    private int _sharedRuns;

    /// <summary>Called, under <see cref="Lock"/>, when another address space needs all vCPUs of this one to forget the permissions they know.</summary>
    public Action? RecallPermissions { get; set; }

    /// <summary>Asked without <see cref="Lock"/>: true when no vCPU goes by permissions from before the last change.</summary>
    public Func<bool>? KnowsPermissions { get; set; }

    /// <summary>
    /// Says which frames the pages of a range are, before they are mapped in place. Nothing is mapped there. The caller holds
    /// <see cref="Lock"/>.
    /// </summary>
    /// <param name="address">First address.</param>
    /// <param name="length">Bytes, a multiple of the page size.</param>
    /// <param name="source">The object.</param>
    /// <param name="offset">Offset of the first page in it.</param>
    /// <param name="isShared">Stores change the frames; false for pages that are copied when they are written to.</param>
    public void SetFrames(ulong address, ulong length, MemoryObject source, ulong offset, bool isShared)
    {
        if (length != 0)
            Enter(new FrameRun(this, address, address + length, source, offset, isShared));
    }

    /// <summary>
    /// Drops the code of this address space that was made from bytes of pages, at these addresses and at all others where they are mapped.
    /// Under <see cref="Lock"/>; what other address spaces have is found by <see cref="CodeElsewhere"/>.
    /// </summary>
    public void DropCode(ulong address, ulong length)
    {
        if (length == 0)
            return;
        NotifyCode(address, length);
        if (!HasShared(address, length) || FrameHits(address, length, hit => hit.Space == this) is not { } hits)
            return;
        foreach (var hit in hits)
            hit.Drop();
    }

    /// <summary>
    /// The code that other address spaces have made from bytes of pages that have been, or will be, written to; null when there is none. Under
    /// <see cref="Lock"/>. It is to be dropped when that is not held any more.
    /// </summary>
    public List<CodeHit>? CodeElsewhere(ulong address, ulong length) =>
        HasShared(address, length) ? FrameHits(address, length, hit => hit.Space != this) : null;

    /// <summary>The frames that a page belongs to, or null when it is one by itself. Under <see cref="Lock"/>.</summary>
    internal FrameRun? FrameAt(ulong address)
    {
        var i = RunIndex(address);
        return i < _runs.Count && _runs[i].Start <= address ? _runs[i] : null;
    }

    /// <summary>The code at other addresses of this address space that was made from bytes of a page; null when there is none. Under <see cref="Lock"/>.</summary>
    internal List<CodeHit>? CodeAtAliases(ulong address, ulong length) =>
        HasShared(address, length) ? AliasHits(address, length) : null;

    /// <summary>A frame of a run holds code from now on: stores to it must look for that. By another address space, without a lock.</summary>
    internal void MarkCode(FrameRun run, ulong frame)
    {
        lock (Lock)
        {
            // The run may have been cut or moved since the caller saw it. What was mapped later has the mark from the start.
            var address = run.AddressOf(frame);
            if (FrameAt(address) is not { IsShared: true } now || now.Source != run.Source || now.OffsetOf(address) / PageSize != frame)
                return;
            SetHasCode(address, true);
            RecallPermissions?.Invoke();
        }
    }

    /// <summary>Takes the mark of code from a page of a shared frame that nobody has code of any more. Under <see cref="Lock"/>.</summary>
    internal void UnmarkUnused(ulong address)
    {
        if (_sharedRuns != 0 && (Query(address) & PagePermission.HasCode) != 0 && FrameAt(address) is { IsShared: true } run
            && !run.Source.HasCode(run.OffsetOf(address) / PageSize))
            SetHasCode(address, false);
    }

    // Place of the first run that ends above the address.
    private int RunIndex(ulong address)
    {
        int low = 0, high = _runs.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_runs[middle].End <= address)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    private void Enter(FrameRun run)
    {
        _runs.Insert(RunIndex(run.Start), run);
        _sharedRuns += run.IsShared ? 1 : 0;
        run.Source.Add(run);
    }

    private void RemoveFrames(ulong address, ulong length)
    {
        if (length == 0)
            return;
        var last = address + (length - 1);
        var first = RunIndex(address);
        var i = first;
        while (i < _runs.Count && _runs[i].Start <= last)
            i++;
        if (i == first)
            return;
        var removed = _runs.GetRange(first, i - first);
        _runs.RemoveRange(first, i - first);
        if (removed[0].Start < address)
            Enter(removed[0].Slice(removed[0].Start, address));
        if (removed[^1].End - 1 > last)
            Enter(removed[^1].Slice(last + 1, removed[^1].End));
        foreach (var run in removed)
        {
            _sharedRuns -= run.IsShared ? 1 : 0;
            run.Source.Remove(run);
        }
    }

    private bool HasShared(ulong address, ulong length)
    {
        if (_sharedRuns == 0 || length == 0)
            return false;
        for (var i = RunIndex(address); i < _runs.Count && _runs[i].Start <= address + (length - 1); i++)
            if (_runs[i].IsShared)
                return true;
        return false;
    }

    // Code that was made from the frames of a range that are shared.
    private List<CodeHit>? FrameHits(ulong address, ulong length, Predicate<PageCode> wanted)
    {
        List<CodeHit>? hits = null;
        var last = address + (length - 1);
        for (var i = RunIndex(address); i < _runs.Count && _runs[i].Start <= last; i++)
        {
            var run = _runs[i];
            if (run.IsShared)
                run.Source.AddHits(ref hits, run.OffsetOf(Math.Max(address, run.Start)), run.OffsetOf(Math.Min(last, run.End - 1)), wanted);
        }

        return hits;
    }

    // (By itself: what a lambda captures is allocated at the beginning of its method.)
    private List<CodeHit>? AliasHits(ulong address, ulong length) =>
        FrameHits(address, length, hit => hit.Space == this && hit.Page != address / PageSize);

    // Pages of a range whose frames have code, in order; null when there are none, which is usual.
    private List<ulong>? SharedCodePages(ulong address, ulong length)
    {
        if (_sharedRuns == 0 || length == 0)
            return null;
        List<ulong>? pages = null;
        var last = address + (length - 1);
        for (var i = RunIndex(address); i < _runs.Count && _runs[i].Start <= last; i++)
        {
            var run = _runs[i];
            if (!run.IsShared)
                continue;
            var from = run.OffsetOf(Math.Max(address, run.Start));
            if (run.Source.FramesWithCode(from, run.OffsetOf(Math.Min(last, run.End - 1))) is not { } frames)
                continue;
            foreach (var frame in frames)
                (pages ??= []).Add(run.AddressOf(frame));
        }

        return pages;
    }

    // Gives mapped pages their protection. Pages of frames with code are never without the mark in between.
    private void SetMapped(ulong address, ulong length, PagePermission protection)
    {
        var value = (protection & PagePermission.Protection) | PagePermission.Mapped;
        ulong done = 0;
        if (SharedCodePages(address, length) is { } pages)
        {
            foreach (var page in pages)
            {
                var before = page - address;
                if (before > done)
                    SetProtection(address + done, before - done, value);
                SetProtection(page, PageSize, value | PagePermission.HasCode);
                done = before + PageSize;
            }
        }

        if (done < length)
            SetProtection(address + done, length - done, value);
    }
}
