using System.Diagnostics;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>
/// Measures the resident memory of all guests of a run together. It can shrink only when memory is given back: so it is looked at right
/// before that, when a memory ends (always) and when a large mapping goes (unless looking has cost more than a twentieth
/// of the time). Thread-safe.
/// </summary>
public sealed class GuestMemoryMeter
{
    private const ulong Large = 1 << 20;
    private const int Patience = 20;

    // A run that is just starting may look, too: its first hundredth of a second of looking is free.
    private static readonly long s_grace = Stopwatch.Frequency / 100 * Patience;

    private readonly Lock _gate = new();
    private readonly HashSet<ProcessMemory> _memories = [];
    private readonly long _start = Stopwatch.GetTimestamp();
    private long _spent;

    /// <summary>Bytes that were resident when it was last looked at: at the end of the run, those of the last program.</summary>
    public ulong Resident { get; private set; }

    /// <summary>The most bytes seen.</summary>
    public ulong Peak { get; private set; }

    internal void Add(ProcessMemory memory)
    {
        lock (_gate)
            _memories.Add(memory);
    }

    /// <summary>A memory is about to end.</summary>
    internal void Remove(ProcessMemory memory)
    {
        lock (_gate)
        {
            Measure();
            _memories.Remove(memory);
        }
    }

    /// <summary>A mapping is about to go. The caller may hold its memory's lock, and no other.</summary>
    internal void BeforeUnmap(ulong length)
    {
        if (length < Large || Interlocked.Read(ref _spent) * Patience > Stopwatch.GetTimestamp() - _start + s_grace || !_gate.TryEnter())
            return;
        try
        {
            Measure();
        }
        finally
        {
            _gate.Exit();
        }
    }

    private void Measure()
    {
        var start = Stopwatch.GetTimestamp();
        ulong pages = 0;
        foreach (var memory in _memories)
            pages += ResidentPages.Of(memory);
        Resident = pages * AddressSpace.PageSize;
        Peak = Math.Max(Peak, Resident);
        Interlocked.Add(ref _spent, Stopwatch.GetTimestamp() - start);
    }
}
