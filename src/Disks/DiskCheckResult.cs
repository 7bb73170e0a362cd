namespace DynaTrans.Disks;

/// <summary>What a check of an image has found.</summary>
public sealed class DiskCheckResult
{
    private const int MostProblems = 100;
    private readonly List<string> _problems = [];

    /// <summary>Clusters that are counted more often than they are used: room is lost, data are not.</summary>
    public long Leaks { get; private set; }

    /// <summary>What endangers data: clusters that are used more often than they are counted, positions that cannot be, wrong flags.</summary>
    public long Corruptions { get; private set; }

    /// <summary>The first hundred problems, one line each.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>Clusters that the disk has, of which some are stored.</summary>
    public long Clusters { get; internal set; }

    /// <summary>Clusters of the disk that are stored in the image.</summary>
    public long Allocated { get; internal set; }

    /// <summary>Clusters of the disk that are stored compressed.</summary>
    public long Compressed { get; internal set; }

    /// <summary>True when nothing is wrong.</summary>
    public bool IsClean => Leaks == 0 && Corruptions == 0;

    /// <summary>Notes a leak.</summary>
    internal void Leak(long count, string problem)
    {
        Leaks += count;
        Note(problem);
    }

    /// <summary>Notes a corruption.</summary>
    internal void Corruption(string problem)
    {
        Corruptions++;
        Note(problem);
    }

    private void Note(string problem)
    {
        if (_problems.Count < MostProblems)
            _problems.Add(problem);
    }
}
