using System.Globalization;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Counts the system calls that guests made and that are not implemented (they gave ENOSYS). Thread-safe.</summary>
public sealed class UnknownCalls
{
    // The numbers are the guest's: any 64-bit number may come.
    private const int MaxKinds = 256;

    private readonly Dictionary<(Abi Abi, ulong Number), long> _counts = [];
    private long _others;

    /// <summary>Counts one call. Returns what the guest gets: -ENOSYS.</summary>
    public long Note(Abi abi, ulong number)
    {
        lock (_counts)
        {
            if (_counts.Count < MaxKinds || _counts.ContainsKey((abi, number)))
                _counts[(abi, number)] = _counts.GetValueOrDefault((abi, number)) + 1;
            else
                _others++;
        }

        return -Errno.ENOSYS;
    }

    /// <summary>The calls, the most frequent first, in one line ("fanotify_init (300, x86-64) 2 times, ..."); null when there was none.</summary>
    public string? Describe()
    {
        lock (_counts)
        {
            if (_counts.Count == 0)
                return null;
            var calls = _counts.OrderByDescending(c => c.Value).ThenBy(c => c.Key)
                .Select(c => $"{SyscallNames.Of(c.Key.Abi, c.Key.Number)} ({Number(c.Key.Number)}, {Name(c.Key.Abi)}) {Times(c.Value)}").ToList();
            if (_others > 0)
                calls.Add($"others {Times(_others)}");
            return string.Join(", ", calls);
        }
    }

    private static string Name(Abi abi) => abi == Abi.I386 ? "i386" : "x86-64";

    private static string Number(ulong number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Times(long count) => count == 1 ? "once" : string.Create(CultureInfo.InvariantCulture, $"{count} times");
}
