namespace DynaTrans.Caching;

/// <summary>What the cache has of a program.</summary>
/// <param name="Build">The build of DynaTrans that it is for.</param>
/// <param name="Key">The program.</param>
/// <param name="Files">Its files.</param>
public sealed record CacheEntry(string Build, ProgramKey Key, IReadOnlyList<string> Files)
{
    /// <summary>Bytes of the files.</summary>
    public long Size { get; } = Files.Sum(LengthOf);

    /// <summary>When it was read or written last.</summary>
    public DateTime LastUse { get; } = Files.Max(LastUseOf);

    private static long LengthOf(string file)
    {
        var info = new FileInfo(file);
        return info.Exists ? info.Length : 0;
    }

    private static DateTime LastUseOf(string file)
    {
        var (read, written) = (File.GetLastAccessTimeUtc(file), File.GetLastWriteTimeUtc(file));
        return read > written ? read : written;
    }
}
