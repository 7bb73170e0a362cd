using System.Text.RegularExpressions;
using DynaTrans.Conformance.Cases;
using DynaTrans.Conformance.Native;

namespace DynaTrans.Conformance.Running;

/// <summary>What to run.</summary>
/// <param name="CasesPerForm">Cases for each form.</param>
/// <param name="Seed">Seed of all random choices; each form's cases depend on it and on the form only.</param>
/// <param name="Filter">Regular expression on the form's name; null for all.</param>
/// <param name="EncodingsPerForm">Encodings that the cases of a form are spread over.</param>
public sealed record ConformanceOptions(int CasesPerForm, ulong Seed, string? Filter, int EncodingsPerForm);

/// <summary>One row of the table.</summary>
public sealed class FormResult(Form form, int executors)
{
    /// <summary>The form.</summary>
    public Form Form { get; } = form;

    /// <summary>Cases compared.</summary>
    public int Cases { get; set; }

    /// <summary>Cases in which the host CPU raised an exception.</summary>
    public int Faults { get; set; }

    /// <summary>Mismatches, by executor.</summary>
    public int[] Mismatches { get; } = new int[executors];

    /// <summary>The first mismatches as text, by executor.</summary>
    public List<string>[] Examples { get; } = [.. Enumerable.Range(0, executors).Select(_ => new List<string>())];
}

/// <summary>Runs the cases of every form on the host CPU and on the executors, and compares.</summary>
public sealed class ConformanceRun(NativeCpu cpu, IReadOnlyList<ICaseRunner> executors, ConformanceOptions options)
{
    private const int ExamplesKept = 5;
    private const uint InexactFlag = 0x20;
    private const int SimdException = 19;
    private const int Repetitions = 3;

    private readonly NativeRunner _native = new(cpu);
    private readonly CaseData _start = new(), _expected = new(), _actual = new();

    /// <summary>Runs all forms of the list that the filter admits, in both bitnesses.</summary>
    public IEnumerable<FormResult> Run()
    {
        foreach (var bitness in new[] { 32, 64 })
            foreach (var form in InstructionList.Forms(bitness))
                if (options.Filter is null || Regex.IsMatch(form.ToString(), options.Filter, RegexOptions.IgnoreCase))
                    yield return Run(form);
    }

    private FormResult Run(Form form)
    {
        var rng = new Rng(options.Seed * 0x9E3779B97F4A7C15 ^ ((ulong)form.Code << 8 | (uint)form.Bitness << 1 | (uint)form.Shape));
        var generator = new EncodingGenerator(rng);
        var operands = new OperandGenerator(rng);
        var result = new FormResult(form, executors.Count);
        // Cases whose result is undefined are not counted: more encodings make up for them.
        var perEncoding = (options.CasesPerForm + options.EncodingsPerForm - 1) / options.EncodingsPerForm;
        for (var e = 0; e < 4 * options.EncodingsPerForm && result.Cases < options.CasesPerForm; e++)
        {
            if (generator.Generate(form) is not { } encoding) break;
            lock (cpu.Gate) RunEncoding(encoding, perEncoding, operands, result);
        }
        return result;
    }

    private void RunEncoding(Encoding encoding, int cases, OperandGenerator operands, FormResult result)
    {
        operands.FillBackground(_start);
        _native.Load(encoding);
        foreach (var executor in executors) executor.Load(encoding);
        for (var i = 0; i < cases; i++)
        {
            operands.Generate(encoding, _start);
            if (!DefinedState.IsResultDefined(encoding, _start)) continue;
            if (encoding.Is32 && !cpu.HasSegments32 && (_start.State.FsBase | _start.State.GsBase) != 0) continue;
            RunCase(encoding, result);
        }
    }

    private bool MaySpuriouslyBeInexact() => (_actual.State.Mxcsr & ~_expected.State.Mxcsr & InexactFlag) != 0
        || (_actual.State.Vector == SimdException && _expected.State.Vector != SimdException);

    private void RunCase(Encoding encoding, FormResult result)
    {
        _native.Run(_start, _expected);
        if (AmdHost.IsHost) AmdHost.Translate(encoding, _start, _expected);
        result.Cases++;
        if (_expected.State.Vector is not (-1 or 3)) result.Faults++;
        for (var x = 0; x < executors.Count; x++)
        {
            executors[x].Run(_start, _actual);
            // The inexact flag may come from .NET compiling one of our methods meanwhile (docs/quirks.md); that happens a few times at most.
            for (var again = 0; again < Repetitions && MaySpuriouslyBeInexact(); again++) executors[x].Run(_start, _actual);
            if (Comparer.FirstDifference(encoding, _start, _expected, _actual) is not { } difference) continue;
            result.Mismatches[x]++;
            if (result.Examples[x].Count < ExamplesKept) result.Examples[x].Add($"{encoding}: {difference}");
        }
    }
}
