namespace DynaTrans.Conformance.Vectors;

/// <summary>What became of the vectors of one form.</summary>
internal sealed class VectorResult(int executors)
{
    internal int Cases { get; set; }

    /// <summary>Cases judged by a documented difference of later CPUs instead of the captured state.</summary>
    internal int Quirks { get; set; }

    internal int[] Mismatches { get; } = new int[executors];

    internal List<string>[] Examples { get; } = [.. Enumerable.Range(0, executors).Select(_ => new List<string>())];
}

/// <summary>Runs the vectors of a file on executors and compares with what the hardware did.</summary>
internal static class VectorRun
{
    private const int ExamplesKept = 3;

    internal static VectorResult Run(VectorFile file, IReadOnlyList<RealModeRunner> runners, int oneIn = 1)
    {
        var result = new VectorResult(runners.Count);
        var expectations = new List<Expectation>();
        foreach (var vector in file.Vectors.Where((_, i) => i % oneIn == 0))
        {
            result.Cases++;
            var instead = Differences286.ExpectedVector(file, vector);
            var flags = (ushort)(file.FlagsMask & ~Differences286.UndefinedFlags(file, vector));
            var movedOn = Differences286.MovedOn(file, vector);
            if (instead is not null || movedOn || flags != file.FlagsMask) result.Quirks++;
            expectations.Add(new Expectation(vector, instead, flags, movedOn));
        }
        var differences = new List<string?>[runners.Count];
        Parallel.For(0, runners.Count, x => differences[x] = runners[x].Run(expectations));
        for (var x = 0; x < runners.Count; x++)
            for (var i = 0; i < expectations.Count; i++)
            {
                if (differences[x][i] is not { } difference) continue;
                result.Mismatches[x]++;
                if (result.Examples[x].Count < ExamplesKept) result.Examples[x].Add($"{expectations[i].Vector.Name} ({expectations[i].Vector.Bytes}): {difference}");
            }
        return result;
    }
}
