using System.Diagnostics;
using System.Runtime.CompilerServices;
using DynaTrans.Runtime.Host;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>
/// The threads that compile for all translators of the host process: one, and more while there is more to do and the host has
/// processors for them. They work on one region a turn; the next turn has the translator that was served least, so that
/// an address space that asks for thousands of regions does not hold up the others. The threads end when they had nothing to do for long.
/// </summary>
internal sealed class CompileThreads
{
    // After the first a thread without work gives back memory, after the second it ends.
    private static readonly TimeSpan s_rest = TimeSpan.FromSeconds(1), s_patience = TimeSpan.FromSeconds(10);

    private readonly object _gate = new();
    private readonly PriorityQueue<Translator, long> _waiting = new();

    // What the last one to get a turn had been served: who comes anew starts there.
    private long _clock;
    private int _threads, _busy;

    /// <summary>The threads of the host process. At least one processor is left to the guests.</summary>
    public static CompileThreads Shared { get; } = new() { MaxThreads = Math.Clamp(Environment.ProcessorCount - 1, 1, 8) };

    /// <summary>Threads that there may be at a time.</summary>
    public required int MaxThreads { get; init; }

    /// <summary>Enters a translator with requests for a turn; it may have several, up to the number of threads. May be called under a memory's lock.</summary>
    public void Add(Translator translator)
    {
        lock (_gate)
        {
            translator.Served = Math.Max(translator.Served, _clock);
            _waiting.Enqueue(translator, translator.Served);
            Monitor.Pulse(_gate);
            if (_threads - _busy < _waiting.Count && _threads < MaxThreads)
                StartThread();
        }
    }

    // Without another thread those that there are do the work; without any it waits for the next request to try again.
    private void StartThread()
    {
        try
        {
            new Thread(Work) { IsBackground = true, Name = "translator", Priority = ThreadPriority.BelowNormal }.Start();
            _threads++;
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            Debug.WriteLine(e);
        }
    }

    private void Work()
    {
        while (true)
        {
            if (WaitForWork(s_rest))
            {
                ServeNext();
                continue;
            }

            HostHeaps.Trim();
            if (!WaitForWork(s_patience) && End())
                return;
        }
    }

    // A method of its own: a thread that waits must not keep the last translator, and its memory, alive by a local.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ServeNext()
    {
        Translator? translator;
        lock (_gate)
        {
            if (!_waiting.TryDequeue(out translator, out var served))
                return;
            _clock = Math.Max(_clock, served);
            _busy++;
        }

        var start = Stopwatch.GetTimestamp();
        var more = translator.Serve();
        lock (_gate)
        {
            _busy--;
            translator.Served += Stopwatch.GetTimestamp() - start;
            if (more)
                _waiting.Enqueue(translator, translator.Served);
        }
    }

    private bool WaitForWork(TimeSpan patience)
    {
        lock (_gate)
        {
            while (_waiting.Count == 0)
                if (!Monitor.Wait(_gate, patience))
                    return _waiting.Count > 0;
            return true;
        }
    }

    // False: there is work after all.
    private bool End()
    {
        lock (_gate)
        {
            if (_waiting.Count > 0)
                return false;
            _threads--;
            return true;
        }
    }
}
