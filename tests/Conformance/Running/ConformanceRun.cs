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

    /// <summary>Cases that agreed only when they were run again, by executor (docs/quirks.md, the inexact flag).</summary>
    public int[] Repeated { get; } = new int[executors];

    /// <summary>The first mismatches as text, by executor.</summary>
    public List<string>[] Examples { get; } = [.. Enumerable.Range(0, executors).Select(_ => new List<string>())];
}

/// <summary>Runs the cases of every form on the host CPU and on the executors, and compares.</summary>
internal sealed class ConformanceRun(NativeCpu cpu, IReadOnlyList<IBatchRunner> executors, ConformanceOptions options)
{
    private const int ExamplesKept = 5;
    private const int BatchSize = 64;

    // Of a run and an executor; more are mismatches.
    private const int MaxRepeated = 3;
    private const uint PrecisionFlag = 0x20;

    private readonly NativeRunner _native = new(cpu);
    private readonly CaseData[] _starts = Batch(), _expected = Batch();
    private readonly CaseData[][] _actual = [.. executors.Select(_ => Batch())];
    private readonly CaseData[] _again = [new CaseData()];
    private readonly int[] _repeated = new int[executors.Count];

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
            RunEncoding(encoding, perEncoding, operands, result);
        }
        return result;
    }

    private static CaseData[] Batch() => [.. Enumerable.Range(0, BatchSize).Select(_ => new CaseData())];

    private void RunEncoding(Encoding encoding, int cases, OperandGenerator operands, FormResult result)
    {
        operands.FillBackground(_starts[0]);
        for (var done = 0; done < cases; done += BatchSize)
        {
            var count = 0;
            lock (cpu.Gate)
            {
                _native.Load(encoding);
                for (var i = 0; i < Math.Min(BatchSize, cases - done); i++)
                {
                    var start = _starts[count];
                    var before = _starts[count == 0 ? 0 : count - 1];
                    if (start != before) start.CopyMemory(before);
                    operands.Generate(encoding, start);
                    if (!DefinedState.IsResultDefined(encoding, start)) continue;
                    if (encoding.Is32 && !cpu.HasSegments32 && (start.State.FsBase | start.State.GsBase) != 0) continue;
                    _native.Run(start, _expected[count]);
                    if (AmdHost.IsHost) AmdHost.Translate(encoding, start, _expected[count]);
                    count++;
                }
            }
            Compare(encoding, count, result);
            if (count > 0) _starts[0].CopyMemory(_starts[count - 1]);
        }
    }

    private void Compare(Encoding encoding, int count, FormResult result)
    {
        Parallel.For(0, executors.Count, x => executors[x].Run(encoding, _starts, _actual[x], count));
        for (var i = 0; i < count; i++)
        {
            result.Cases++;
            if (_expected[i].State.Vector is not (-1 or 3)) result.Faults++;
            for (var x = 0; x < executors.Count; x++)
            {
                if (Comparer.FirstDifference(encoding, _starts[i], _expected[i], _actual[x][i]) is not { } difference) continue;
                if (AgreesAgain(encoding, i, x))
                {
                    result.Repeated[x]++;
                    continue;
                }
                result.Mismatches[x]++;
                if (result.Examples[x].Count < ExamplesKept) result.Examples[x].Add($"{encoding}: {difference}");
            }
        }
    }

    // The runtime itself may have set the inexact flag: when nothing else differs, and the case run again does not show it.
    private bool AgreesAgain(Encoding encoding, int i, int x)
    {
        ref var actual = ref _actual[x][i].State;
        if (((actual.Mxcsr & ~_expected[i].State.Mxcsr) & PrecisionFlag) == 0 || _repeated[x] == MaxRepeated) return false;
        actual.Mxcsr &= ~PrecisionFlag;
        if (Comparer.FirstDifference(encoding, _starts[i], _expected[i], _actual[x][i]) is not null) return false;
        _repeated[x]++;
        executors[x].Run(encoding, [_starts[i]], _again, 1);
        return Comparer.FirstDifference(encoding, _starts[i], _expected[i], _again[0]) is null;
    }
}
