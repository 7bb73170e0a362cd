using System.Collections.Concurrent;

namespace DynaTrans.Devices;

/// <summary>
/// Work that other threads (host timers, consoles, sockets) have for the machine's thread: the only way by which they reach devices.
/// </summary>
/// <param name="posted">Called on the posting thread after each post: it brings the vCPU out of guest code, or wakes it.</param>
public sealed class MachineQueue(Action? posted = null)
{
    private readonly ConcurrentQueue<Action> _queue = new();

    /// <summary>True where nothing waits.</summary>
    public bool IsEmpty => _queue.IsEmpty;

    /// <summary>Adds work. From any thread.</summary>
    public void Post(Action work)
    {
        _queue.Enqueue(work);
        posted?.Invoke();
    }

    /// <summary>
    /// Runs, in order, what waits when it is called; what is posted meanwhile waits for the next call, so that work that posts itself does not keep the
    /// machine from running. On the machine's thread.
    /// </summary>
    public void RunAll()
    {
        for (var left = _queue.Count; left > 0 && _queue.TryDequeue(out var work); left--)
            work();
    }
}
