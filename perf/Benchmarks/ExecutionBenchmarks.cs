using BenchmarkDotNet.Attributes;
using Iced.Intel;

namespace DynaTrans.Benchmarks;

/// <summary>Guest loops by both executors; a derived class has one benchmark for each loop. Times are per round of the loop.</summary>
public abstract class ExecutionBenchmarks
{
    private readonly Dictionary<string, Guest> _guests = [];

    /// <summary>Who executes.</summary>
    [Params(Executor.Interpreter, Executor.Translator)]
    public Executor Executor { get; set; }

    /// <summary>Frees the guests.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (var guest in _guests.Values)
            guest.Dispose();
        _guests.Clear();
    }

    /// <summary>Runs a loop, which is assembled and warmed up the first time.</summary>
    /// <param name="name">Its name within the class.</param>
    /// <param name="prepare">Code before the loop.</param>
    /// <param name="body">Code of a round.</param>
    /// <param name="alone">See <see cref="Guest"/>.</param>
    protected void RunLoop(string name, Action<Assembler> prepare, Action<Assembler> body, bool alone = false)
    {
        if (!_guests.TryGetValue(name, out var guest))
            _guests[name] = guest = new Guest(Executor, a => Snippets.Loop(a, prepare, body), alone).WarmUp();
        guest.Run();
    }
}
