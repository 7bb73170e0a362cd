namespace DynaTrans.IlBackend.Compilation;

/// <summary>Counters of translators. Thread-safe.</summary>
public sealed class TranslatorStatistics
{
    private long _regions, _blocks, _copies, _repeats, _adopted, _discarded, _recompiled, _compared, _parked, _failed, _compileTicks;
    private long _precompiledRegions, _precompiledBytes, _precompiledEntries, _precompiledDiffering, _precompiledDropped;
    private string? _firstFailure;

    /// <summary>Regions compiled.</summary>
    public long Regions => Interlocked.Read(ref _regions);

    /// <summary>Blocks in them.</summary>
    public long Blocks => Interlocked.Read(ref _blocks);

    /// <summary>Of these, those that are copies, within their callers, of functions with code of their own.</summary>
    public long Copies => Interlocked.Read(ref _copies);

    /// <summary>Of the others, those that were in a region already.</summary>
    public long Repeats => Interlocked.Read(ref _repeats);

    /// <summary>Regions that were taken over from other address spaces; they do not count as compiled.</summary>
    public long Adopted => Interlocked.Read(ref _adopted);

    /// <summary>Regions compiled in vain because their bytes changed meanwhile, or their address space ended.</summary>
    public long Discarded => Interlocked.Read(ref _discarded);

    /// <summary>Regions dropped to be compiled again with slow paths for accesses.</summary>
    public long Recompiled => Interlocked.Read(ref _recompiled);

    /// <summary>Times that the pages of a region were compared with those that it was made from, after translations of addresses had changed.</summary>
    public long Compared => Interlocked.Read(ref _compared);

    /// <summary>Times that a region gave way to code of other pages at its addresses.</summary>
    public long Parked => Interlocked.Read(ref _parked);

    /// <summary>Regions lost to an error of the translator itself: their blocks go on being interpreted. Always 0 but for a bug.</summary>
    public long Failed => Interlocked.Read(ref _failed);

    /// <summary>The first such error in one line, with the address of the region; null when there was none.</summary>
    public string? FirstFailure => Volatile.Read(ref _firstFailure);

    /// <summary>Stopwatch ticks spent emitting and compiling.</summary>
    public long CompileTicks => Interlocked.Read(ref _compileTicks);

    /// <summary>Regions from other runs that were put to use; once in each address space, and again when they had been dropped.</summary>
    public long PrecompiledRegions => Interlocked.Read(ref _precompiledRegions);

    /// <summary>Bytes of guest code that they were made from.</summary>
    public long PrecompiledBytes => Interlocked.Read(ref _precompiledBytes);

    /// <summary>Addresses at which the dispatcher has found them.</summary>
    public long PrecompiledEntries => Interlocked.Read(ref _precompiledEntries);

    /// <summary>Times that one was not used because the guest had other bytes.</summary>
    public long PrecompiledDiffering => Interlocked.Read(ref _precompiledDiffering);

    /// <summary>Those dropped because their bytes changed, or their accesses were slow too often.</summary>
    public long PrecompiledDropped => Interlocked.Read(ref _precompiledDropped);

    internal void CountPrecompiled(int bytes)
    {
        Interlocked.Increment(ref _precompiledRegions);
        Interlocked.Add(ref _precompiledBytes, bytes);
    }

    internal void CountPrecompiledEntry() => Interlocked.Increment(ref _precompiledEntries);

    internal void CountPrecompiledDiffering() => Interlocked.Increment(ref _precompiledDiffering);

    internal void CountPrecompiledDropped() => Interlocked.Increment(ref _precompiledDropped);

    internal void CountRegion(int blocks)
    {
        Interlocked.Increment(ref _regions);
        Interlocked.Add(ref _blocks, blocks);
    }

    internal void CountPublished(int copies, int repeats)
    {
        Interlocked.Add(ref _copies, copies);
        Interlocked.Add(ref _repeats, repeats);
    }

    internal void CountAdopted() => Interlocked.Increment(ref _adopted);

    internal void CountDiscarded() => Interlocked.Increment(ref _discarded);

    internal void CountCompared() => Interlocked.Increment(ref _compared);

    internal void CountParked() => Interlocked.Increment(ref _parked);

    internal void CountRecompiled() => Interlocked.Increment(ref _recompiled);

    internal void CountFailure(ulong address, Exception e)
    {
        Interlocked.Increment(ref _failed);
        var text = $"region at 0x{address:x}: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}";
        Interlocked.CompareExchange(ref _firstFailure, text, null);
    }

    internal void AddCompileTicks(long ticks) => Interlocked.Add(ref _compileTicks, ticks);
}
