namespace DynaTrans.Conformance.Running;

/// <summary>The executors that a run compares, each the shipped command in a process of its own.</summary>
internal sealed class ExecutorSet : IDisposable
{
    private ExecutorSet(IEnumerable<string> names) => Runners = [.. names.Select(n => new ExecProcess(n))];

    internal IReadOnlyList<ExecProcess> Runners { get; }

    internal IReadOnlyList<string> Names => [.. Runners.Select(r => r.Engine)];

    /// <summary>The executors that <paramref name="engine"/> names.</summary>
    /// <exception cref="FormatException">It is unknown.</exception>
    internal static ExecutorSet Make(string engine) => new(NamesOf(engine));

    /// <summary>
    /// The names of the executors that <paramref name="engine"/> stands for; both are the interpreter and translated code as guests run by it.
    /// </summary>
    /// <exception cref="FormatException">It is unknown.</exception>
    internal static string[] NamesOf(string engine) => engine switch
    {
        "none" => [],
        "both" => ["interp", "regions"],
        "all" => ["interp", "jit", "regions", "lookaside"],
        "interp" or "jit" or "regions" or "lookaside" => [engine],
        _ => throw new FormatException($"--engine {engine}: interp, jit, regions, lookaside, both, all or none is expected"),
    };

    public void Dispose()
    {
        foreach (var runner in Runners) runner.Dispose();
    }
}
