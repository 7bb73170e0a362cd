using System.CommandLine;
using DynaTrans.Caching;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;

namespace DynaTrans.Cli.Commands;

/// <summary>The executors as <c>--engine</c> names them.</summary>
internal static class Engines
{
    /// <summary>Interpreter, and translation of what is hot on a background thread.</summary>
    public const string Auto = "auto";

    /// <summary>Interpreter only.</summary>
    public const string Interpreter = "interp";

    /// <summary>Everything is translated before it runs.</summary>
    public const string Translator = "jit";

    /// <summary>What has been interpreted a few times is translated at once, blocks that lead to each other together, as for guests.</summary>
    public const string Regions = "regions";

    /// <summary>As <see cref="Regions"/>, with accesses by the lookaside table instead of the window.</summary>
    public const string Lookaside = "lookaside";

    // Enough for the blocks of a small program to be known when the first of them is translated, few enough for a handful of cases.
    private const int RegionThreshold = 4;

    /// <summary>What guests may run by.</summary>
    public static readonly string[] All = [Auto, Interpreter, Translator];

    /// <summary>What bare code may run by.</summary>
    public static readonly string[] Bare = [Interpreter, Translator, Regions, Lookaside];

    /// <summary>The option; its default is the first of <paramref name="names"/>.</summary>
    public static Option<string> Option(string[] names)
    {
        var option = new Option<string>(RunSettings.EngineName)
        {
            Description = "Executor: " + string.Join(", ", names) + ".",
            HelpName = string.Join("|", names),
            DefaultValueFactory = _ => names[0],
        };
        option.Validators.Add(result =>
        {
            var value = result.Tokens.Count == 1 ? result.Tokens[0].Value : null;
            if (value != null && !names.Contains(value))
                result.AddError($"--engine {value}: {string.Join(", ", names)} expected");
        });
        return option;
    }

    /// <summary>Makes the translator of an engine for an address space; null when it has none.</summary>
    /// <param name="engine">One of <see cref="All"/> or <see cref="Bare"/>.</param>
    /// <param name="countInstructions">Translated code counts instructions.</param>
    /// <param name="statistics">Where it counts; null: for itself.</param>
    /// <param name="heatCounter">See <see cref="TranslatorOptions"/>.</param>
    /// <param name="shared">Regions that the address spaces of the run have from each other, or null.</param>
    /// <param name="translations">What is kept of the program between runs, or null.</param>
    public static Translator? Make(
        string engine, bool countInstructions = false, TranslatorStatistics? statistics = null, Func<Region, nint>? heatCounter = null,
        SharedRegions? shared = null, ProgramTranslations? translations = null)
    {
        var options = new TranslatorOptions(CountInstructions: countInstructions, HeatCounter: heatCounter, Statistics: statistics, Shared: shared).With(translations);
        return engine switch
        {
            Auto => new Translator(options),
            Translator => new Translator(options with { Threshold = 0, Background = false }),
            Regions => new Translator(options with { Threshold = RegionThreshold, Background = false }),
            Lookaside => new Translator(options with { Threshold = RegionThreshold, Background = false, Access = AccessForm.Lookaside }),
            _ => null,
        };
    }

    /// <summary>
    /// The options with what is kept between runs. Code from the cache counts no instructions: where there is some, none are counted.
    /// </summary>
    public static TranslatorOptions With(this TranslatorOptions options, ProgramTranslations? translations) => translations == null
        ? options
        : options with
        {
            CountInstructions = options.CountInstructions && translations.Code == null,
            Precompiled = translations.Code is { } code ? [code] : null,
            Recorder = translations.Recorder,
        };
}
