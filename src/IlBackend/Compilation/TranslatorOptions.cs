using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Precompiled;
using DynaTrans.IlBackend.Regions;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>How a <see cref="Translator"/> works.</summary>
/// <param name="Threshold">Interpreted entries of a block before it is compiled; 0 compiles everything before it runs.</param>
/// <param name="Background">Compile on the threads of <see cref="CompileThreads"/> while the interpreter goes on.</param>
/// <param name="CountInstructions">Translated code counts instructions (statistics).</param>
/// <param name="MaxDeadRegions">Dropped regions kept before the cache is flushed to free them.</param>
/// <param name="Verify">Run every block in lock-step with the interpreter and compare.</param>
/// <param name="MaxWeight">Size limit of a region; with 1 each block is a region by itself.</param>
/// <param name="HeatCounter">Gives each region a 64-bit counter of its executed instructions (profiles); it outlives the translator.</param>
/// <param name="Statistics">Counters to add to, which several translators may share; null: the translator's own.</param>
/// <param name="Access">How translated code finds guest memory in the host.</param>
/// <param name="Shared">Regions that address spaces have from each other; null: each has its own.</param>
/// <param name="Precompiled">Code from other runs, used where it applies; see <see cref="UsesPrecompiled"/>.</param>
/// <param name="Recorder">Receives what is executed, so that it can be compiled ahead of later runs; null records nothing.</param>
public sealed record TranslatorOptions(
    int Threshold = 600, bool Background = true, bool CountInstructions = false, int MaxDeadRegions = 4096, bool Verify = false,
    int MaxWeight = RegionBuilder.MaxWeight, Func<Region, nint>? HeatCounter = null, TranslatorStatistics? Statistics = null,
    AccessForm Access = AccessForm.Window, SharedRegions? Shared = null,
    IReadOnlyList<PrecompiledCode>? Precompiled = null, CodeRecorder? Recorder = null)
{
    /// <summary>
    /// Whether code from other runs may be used: it is compared with nothing and counts no instructions. (Runs with a budget have code contexts
    /// of their own, which no such code is for.)
    /// </summary>
    public bool UsesPrecompiled => !Verify && !CountInstructions && HeatCounter == null;
}
