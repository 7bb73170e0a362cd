using DynaTrans.IlBackend.Compilation;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Conformance.Running;

/// <summary>The executors that a run compares, with their names.</summary>
internal sealed class ExecutorSet : IDisposable
{
    private ExecutorSet(IReadOnlyList<string> names)
    {
        Names = names;
        Runners = [.. names.Select(n => new EmulatorRunner(MakeTranslator(n)))];
    }

    internal IReadOnlyList<string> Names { get; }

    internal IReadOnlyList<EmulatorRunner> Runners { get; }

    /// <summary>The executors that <paramref name="engine"/> names: interp, jit, both or none.</summary>
    /// <exception cref="FormatException">It is none of these.</exception>
    internal static ExecutorSet Make(string engine) => new(NamesOf(engine));

    /// <summary>The names of the executors that <paramref name="engine"/> stands for.</summary>
    /// <exception cref="FormatException">It is unknown.</exception>
    internal static string[] NamesOf(string engine) => engine switch
    {
        "none" => [],
        "both" => ["interp", "jit"],
        "interp" or "jit" => [engine],
        _ => throw new FormatException($"--engine {engine}: interp, jit, both or none is expected"),
    };

    /// <summary>Makes the translators of an executor, which compile everything before it runs; null for the interpreter.</summary>
    internal static Func<ITranslator>? MakeTranslator(string name) =>
        name == "jit" ? () => new Translator(new TranslatorOptions(Threshold: 0, Background: false)) : null;

    /// <summary>Throws when a translator has lost a region to an error: what was compared was interpreted then.</summary>
    internal static void Check(ITranslator? translator)
    {
        if (translator is Translator { Statistics.FirstFailure: { } failure }) throw new InvalidOperationException("the translator failed: " + failure);
    }

    public void Dispose()
    {
        foreach (var runner in Runners) runner.Dispose();
    }
}
