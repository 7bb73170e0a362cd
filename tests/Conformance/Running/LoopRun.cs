using System.Text.RegularExpressions;
using DynaTrans.Conformance.Cases;
using DynaTrans.Conformance.Native;

namespace DynaTrans.Conformance.Running;

/// <summary>What became of the loops.</summary>
/// <param name="Forms">Forms that were in a loop.</param>
/// <param name="Runs">Runs of all loops that were compared.</param>
/// <param name="Failures">The loops that ended differently.</param>
internal sealed record LoopResult(int Forms, int Runs, IReadOnlyList<string> Failures)
{
    /// <summary>For the last line of a run.</summary>
    public override string ToString() => $"loops of {Forms} forms, {Runs} cases: {Failures.Count} mismatches";
}

/// <summary>
/// Glues several encodings of each instruction form into a loop, which becomes a region, and runs it from several starts on the host CPU and on
/// an executor. Left out are forms that branch, use the stack or leave what they write to undefined (<see cref="SequenceGenerator"/>): those are
/// compared one by one only.
/// </summary>
internal sealed class LoopRun(NativeCpu cpu, IBatchRunner executor, ulong seed, string? filter, int part = 0, int parts = 1)
{
    private const int Starts = 6;

    /// <summary>Runs a loop of each form that the filter admits; of these the one in so many that was asked for.</summary>
    internal LoopResult Run()
    {
        var failures = new List<string>();
        int forms = 0, index = 0;
        foreach (var bitness in new[] { 32, 64 })
            foreach (var form in InstructionList.Forms(bitness))
            {
                if (filter is not null && !Regex.IsMatch(form.ToString(), filter, RegexOptions.IgnoreCase)) continue;
                if (SequenceGenerator.FamilyOf(form.Code) is not { } family || index++ % parts != part) continue;
                var rng = new Rng(seed * 0x9E3779B97F4A7C15 ^ ((ulong)form.Code << 8 | (uint)form.Bitness << 1 | (uint)form.Shape));
                var generator = new ProgramGenerator(rng, bitness, family);
                if (generator.NextOf(form) is not { } program) continue;
                forms++;
                var run = new ProgramRun(cpu, executor, rng, Starts);
                if (run.FirstDifference(program, generator.UndefinedConditionCodes, family) is { } difference)
                    failures.Add($"seed {seed}, loop of {form}, {difference}");
            }
        return new LoopResult(forms, forms * Starts, failures);
    }
}
