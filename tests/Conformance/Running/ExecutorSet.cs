using DynaTrans.Runtime.Translation;

namespace DynaTrans.Conformance.Running;

/// <summary>The executors that a run compares, with their names.</summary>
internal sealed class ExecutorSet : IDisposable
{
    private ExecutorSet(IReadOnlyList<string> names, IReadOnlyList<EmulatorRunner> runners)
    {
        Names = names;
        Runners = runners;
    }

    internal IReadOnlyList<string> Names { get; }

    internal IReadOnlyList<EmulatorRunner> Runners { get; }

    /// <summary>The executors that <paramref name="engine"/> names: interp, jit, both or none.</summary>
    /// <exception cref="FormatException">It is none of these.</exception>
    internal static ExecutorSet Make(string engine) => engine switch
    {
        "none" => new ExecutorSet([], []),
        "interp" or "both" => new ExecutorSet(["interp"], [new EmulatorRunner(null)]),
        _ => throw new FormatException($"--engine {engine}: interp, jit, both or none is expected"),
    };

    /// <summary>Makes the translators of an executor: null for the interpreter.</summary>
    internal static Func<ITranslator>? MakeTranslator(string engine) => null;

    public void Dispose()
    {
        foreach (var runner in Runners) runner.Dispose();
    }
}
