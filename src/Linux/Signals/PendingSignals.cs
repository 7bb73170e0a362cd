using System.Numerics;

namespace DynaTrans.Linux.Signals;

/// <summary>
/// Signals that wait for a thread or a process. A standard signal waits once, a real-time signal as often as it was sent. Guarded by the
/// kernel's gate.
/// </summary>
public sealed class PendingSignals
{
    private const int MaxQueued = 4096;

    private static readonly ulong s_synchronous =
        Signal.Bit(Signal.Segv) | Signal.Bit(Signal.Bus) | Signal.Bit(Signal.Ill) | Signal.Bit(Signal.Trap) | Signal.Bit(Signal.Fpe)
        | Signal.Bit(Signal.Sys);

    private readonly List<SignalInfo> _queue = [];

    /// <summary>The set.</summary>
    public ulong Set { get; private set; }

    /// <summary>Adds a signal. False (EAGAIN): the queue is full.</summary>
    public bool Add(in SignalInfo info)
    {
        var bit = Signal.Bit(info.Number);
        if (info.Number < Signal.FirstRealTime && (Set & bit) != 0)
            return true;
        if (_queue.Count >= MaxQueued)
            return false;
        Set |= bit;
        _queue.Add(info);
        return true;
    }

    /// <summary>Takes the next signal of a set: those that the program's own faults raise first, then by number.</summary>
    public bool TryTake(ulong allowed, out SignalInfo info)
    {
        var candidates = Set & allowed;
        if (candidates == 0)
        {
            info = default;
            return false;
        }

        if ((candidates & s_synchronous) != 0)
            candidates &= s_synchronous;
        var number = BitOperations.TrailingZeroCount(candidates) + 1;
        var at = _queue.FindIndex(i => i.Number == number);
        info = _queue[at];
        _queue.RemoveAt(at);
        if (!_queue.Exists(i => i.Number == number))
            Set &= ~Signal.Bit(number);
        return true;
    }

    /// <summary>Forgets the signals of a set.</summary>
    public void Remove(ulong set)
    {
        if ((Set & set) == 0)
            return;
        _queue.RemoveAll(i => (Signal.Bit(i.Number) & set) != 0);
        Set &= ~set;
    }
}
