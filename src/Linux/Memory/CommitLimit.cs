using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Memory;

/// <summary>
/// Bounds the private writable memory of all guests of a kernel to what the host can give, so that a guest that exhausts memory gets
/// ENOMEM instead of the host's out-of-memory killer.
/// </summary>
public sealed class CommitLimit
{
    private long _used;

    /// <summary>Takes the bound from the host: nine tenths of what is available now, within the control group's limit; and from the user.</summary>
    /// <param name="given">The user's bound in bytes, or null.</param>
    public CommitLimit(long? given = null)
    {
        var memory = HostCalls.ReadText("/proc/meminfo");
        var available = Kilobytes(memory, "MemAvailable:") + Kilobytes(memory, "SwapFree:");
        var group = Math.Min(Bytes("/sys/fs/cgroup/memory.max"), Bytes("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
        Limit = available == 0 ? long.MaxValue : Math.Min(available, group) / 10 * 9;
        if (given is not { } bytes)
            return;
        Limit = Math.Min(Limit, bytes);
        IsStrict = true;
    }

    /// <summary>
    /// True when the user has set the bound: then memory counts that MAP_NORESERVE asks not to count, too, as with vm.overcommit_memory=2.
    /// </summary>
    public bool IsStrict { get; }

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

    /// <summary>Takes memory that is given back when the result is disposed. Null: ENOMEM.</summary>
    public IDisposable? TryCharge(ulong bytes) => TryTake(bytes) ? new Charge(this, bytes) : null;

    // Limit of the control group that a container sees as the root, by version 2 or 1.
    private static long Bytes(string path) => long.TryParse(HostCalls.ReadText(path), out var bytes) ? bytes : long.MaxValue;

    private static long Kilobytes(string? text, string name) =>
        HostCalls.LineOf(text, name) is { } line && long.TryParse(line.Replace("kB", string.Empty).Trim(), out var kilobytes) ? kilobytes * 1024 : 0;

    private sealed class Charge(CommitLimit limit, ulong bytes) : IDisposable
    {
        public void Dispose() => limit.Give(bytes);
    }
}
