using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Syscalls;

/// <summary><c>struct rusage</c>: two timevals and fourteen longs.</summary>
internal static class UsageLayout
{
    private const int Words = 18;

    /// <summary>Writes CPU time and the largest resident size; the rest is 0. False: EFAULT.</summary>
    public static bool TryWrite(in SyscallContext c, ulong address, CpuUsage time, long residentKilobytes)
    {
        Span<byte> bytes = stackalloc byte[Words * 8];
        bytes.Clear();
        var word = c.LongSize;
        Put(bytes, word, 0, time.User / 1_000_000_000);
        Put(bytes, word, 1, time.User % 1_000_000_000 / 1000);
        Put(bytes, word, 2, time.System / 1_000_000_000);
        Put(bytes, word, 3, time.System % 1_000_000_000 / 1000);
        Put(bytes, word, 4, residentKilobytes);
        return c.Memory.TryWrite(address, bytes[..(Words * word)]);
    }

    private static void Put(Span<byte> bytes, int word, int index, long value)
    {
        if (word == 4)
            BitConverter.TryWriteBytes(bytes[(index * 4)..], (int)value);
        else
            BitConverter.TryWriteBytes(bytes[(index * 8)..], value);
    }
}
