using System.Collections.Concurrent;

namespace DynaTrans.Devices.Storage;

/// <summary>
/// Runs a drive's requests for its medium, one at a time, on a thread of their own, so that a slow host does not stop the processor; their completion comes by the
/// machine's queue. Without such a queue requests are done at once: then two runs are the same.
/// </summary>
public sealed class BlockQueue : IDisposable
{
    private readonly IBlockMedium _medium;
    private readonly MachineQueue? _machine;
    private readonly BlockingCollection<Request> _requests = [];
    private readonly Thread? _thread;
    private Request? _pending;

    /// <summary>Makes the queue of a medium.</summary>
    /// <param name="medium">The medium.</param>
    /// <param name="machine">Where completions are posted; null: requests are done at once.</param>
    public BlockQueue(IBlockMedium medium, MachineQueue? machine)
    {
        _medium = medium;
        _machine = machine;
        if (machine == null)
            return;
        _thread = new Thread(Run) { IsBackground = true, Name = "disk" };
        _thread.Start();
    }

    /// <summary>The medium, for what does not change.</summary>
    public IBlockMedium Medium => _medium;

    /// <summary>True while a request is on its way.</summary>
    public bool IsBusy => _pending != null;

    /// <summary>Has a request done. On the machine's thread, as all but the request itself.</summary>
    /// <param name="work">The request: whether it was done.</param>
    /// <param name="completed">Called with the answer, on the machine's thread; it may submit the next request.</param>
    /// <exception cref="InvalidOperationException">Another request is on its way.</exception>
    public void Submit(Func<IBlockMedium, bool> work, Action<bool> completed)
    {
        if (_pending != null)
            throw new InvalidOperationException("a drive has one request at a time");
        if (_machine == null)
        {
            completed(work(_medium));
            return;
        }

        _pending = new Request(work, completed);
        _requests.Add(_pending);
    }

    /// <summary>Waits until no request is on its way, those included that completions submit: before a state is saved.</summary>
    public void Settle()
    {
        while (_pending is { } request)
        {
            request.Done.Wait();
            Finish(request);
        }
    }

    /// <summary>Waits for the request that is on its way, and forgets its completion: a reset.</summary>
    public void Cancel()
    {
        _pending?.Done.Wait();
        _pending = null;
    }

    /// <summary>Waits for the request that is on its way and ends the thread.</summary>
    public void Dispose()
    {
        _requests.CompleteAdding();
        _thread?.Join();
        _requests.Dispose();
    }

    private void Run()
    {
        foreach (var request in _requests.GetConsumingEnumerable())
        {
            request.Answer = request.Work(_medium);
            request.Done.Set();
            _machine!.Post(() => Finish(request));
        }
    }

    // What was settled or cancelled before its turn came is another request by now.
    private void Finish(Request request)
    {
        if (_pending != request)
            return;
        _pending = null;
        request.Completed(request.Answer);
    }

    private sealed class Request(Func<IBlockMedium, bool> work, Action<bool> completed)
    {
        public Func<IBlockMedium, bool> Work => work;

        public Action<bool> Completed => completed;

        public ManualResetEventSlim Done { get; } = new();

        public bool Answer { get; set; }
    }
}
