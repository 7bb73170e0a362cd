using System.Collections.Concurrent;
using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Precompiled;

namespace DynaTrans.Caching;

/// <summary>
/// Translations that outlive the run, as the host process sees them: for each program what earlier runs have left, and a recorder of what this
/// one executes. Thread-safe.
/// </summary>
/// <param name="directory">Where they are.</param>
/// <param name="report">Receives one line about each file that is not used because it was damaged or cannot be trusted.</param>
public sealed class TranslationCache(CacheDirectory directory, Action<string> report)
{
    private readonly ConcurrentDictionary<ProgramKey, Lazy<ProgramTranslations>> _programs = new();

    /// <summary>Where they are.</summary>
    public CacheDirectory Directory { get; } = directory;

    /// <summary>What there is of a program.</summary>
    /// <param name="key">The program.</param>
    /// <param name="model">The processor that it runs on; part of what the key was made of.</param>
    public ProgramTranslations For(ProgramKey key, CpuModel model) =>
        _programs.GetOrAdd(key, k => new Lazy<ProgramTranslations>(() => new ProgramTranslations(k, Open(k), model.Name))).Value;

    /// <summary>
    /// Writes down what was executed and is not precompiled, at the end of the run.
    /// </summary>
    /// <returns>The programs whose code is now worth compiling.</returns>
    public IReadOnlyList<ProgramKey> Save()
    {
        var worth = new List<ProgramKey>();
        foreach (var program in _programs.Values)
        {
            if (!program.IsValueCreated)
                continue;
            try
            {
                if (program.Value.Save(Directory))
                    worth.Add(program.Value.Key);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                report($"translation cache: {e.Message}");
            }
        }

        return worth;
    }

    private PrecompiledCode? Open(ProgramKey key)
    {
        var path = Directory.PathOf(key, CacheDirectory.ImageExtension);
        if (!File.Exists(path))
            return null;
        var reason = HostOwner.ProblemOfFile(path);
        var code = reason == null ? PrecompiledCode.Open(path, out reason) : null;
        if (code != null && HostOwner.ProblemOfFile(code.AssemblyPath) is { } problem)
            (code, reason) = (null, $"its assembly {problem}");
        if (code == null)
            report($"{path}: not used: {reason}");
        else
            Directory.Touch(key);
        return code;
    }
}
