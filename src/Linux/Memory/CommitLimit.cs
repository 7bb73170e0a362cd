namespace DynaTrans.Linux.Memory;

/// <summary>
/// Bounds the private writable memory of all guests of a kernel to what the host can give, so that a guest that exhausts memory gets
/// ENOMEM instead of the host's out-of-memory killer.
/// </summary>
public sealed class CommitLimit
{
    private long _used;

    /// <summary>Takes the bound from the host: nine tenths of what is available now, within the control group's limit.</summary>
    public CommitLimit()
    {
        var available = ReadKilobytes("/proc/meminfo", "MemAvailable:") + ReadKilobytes("/proc/meminfo", "SwapFree:");
        var group = File.Exists("/sys/fs/cgroup/memory.max") && long.TryParse(File.ReadAllText("/sys/fs/cgroup/memory.max"), out var max)
            ? max
            : long.MaxValue;
        Limit = available == 0 ? long.MaxValue : Math.Min(available, group) / 10 * 9;
    }

    /// <summary>The bound in bytes.</summary>
    public long Limit { get; }

    /// <summary>Takes memory. False: ENOMEM.</summary>
    public bool TryTake(ulong bytes)
    {
        if (bytes > (ulong)Limit)
            return false;
        if (Interlocked.Add(ref _used, (long)bytes) <= Limit)
            return true;
        Give(bytes);
        return false;
    }

    /// <summary>Gives memory back.</summary>
    public void Give(ulong bytes) => Interlocked.Add(ref _used, -(long)bytes);

    private static long ReadKilobytes(string file, string name)
    {
        if (!File.Exists(file))
            return 0;
        foreach (var line in File.ReadLines(file))
            if (line.StartsWith(name, StringComparison.Ordinal) && long.TryParse(line[name.Length..].Replace("kB", string.Empty).Trim(), out var kilobytes))
                return kilobytes * 1024;
        return 0;
    }
}
