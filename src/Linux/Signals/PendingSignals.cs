using System.Numerics;

namespace DynaTrans.Linux.Signals;

/// <summary>
/// Signals that wait for a thread or a process. A standard signal waits once, a real-time signal as often as it was sent. Guarded by the
/// kernel's gate.
/// </summary>
public sealed class PendingSignals
{
    /// <summary>The signals that a program's own faults raise: they are taken first.</summary>
    private static readonly ulong s_synchronous =
        Signal.Bit(Signal.Segv) | Signal.Bit(Signal.Bus) | Signal.Bit(Signal.Ill) | Signal.Bit(Signal.Trap) | Signal.Bit(Signal.Fpe)
        | Signal.Bit(Signal.Sys);

    // Made when the first signal comes: most threads never get one.
    private Queue<SignalInfo>?[]? _queues;

    /// <summary>The set.</summary>
    public ulong Set { get; private set; }

    /// <summary>Adds a signal.</summary>
    public void Add(in SignalInfo info)
    {
        var bit = Signal.Bit(info.Number);
        if (info.Number < Signal.FirstRealTime && (Set & bit) != 0)
            return;
        Set |= bit;
        _queues ??= new Queue<SignalInfo>?[Signal.Count + 1];
        (_queues[info.Number] ??= new Queue<SignalInfo>()).Enqueue(info);
        info.Account?.Add(1);
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
        var queue = _queues![number]!;
        info = queue.Dequeue();
        if (queue.Count == 0)
            Set &= ~Signal.Bit(number);
        info.Account?.Add(-1);
        return true;
    }

    /// <summary>Forgets the signals of a set.</summary>
    public void Remove(ulong set)
    {
        for (set &= Set; set != 0; set &= set - 1)
        {
            var queue = _queues![BitOperations.TrailingZeroCount(set) + 1]!;
            foreach (var info in queue)
                info.Account?.Add(-1);
            queue.Clear();
            Set &= ~(set & (0 - set));
        }
    }
}

/// <summary>How many signals are queued on account of a user (RLIMIT_SIGPENDING). Guarded by the kernel's gate.</summary>
public sealed class QueuedSignals
{
    /// <summary>The number.</summary>
    public int Count { get; private set; }

    internal void Add(int change) => Count += change;
}
