namespace DynaTrans.Linux.Syscalls;

/// <summary>A time or interval: seconds and nanoseconds, in the layout that the host kernel takes.</summary>
public struct TimeSpec
{
    /// <summary>Seconds.</summary>
    public long Seconds;

    /// <summary>Nanoseconds.</summary>
    public long Nanoseconds;

    /// <summary>From nanoseconds.</summary>
    public static TimeSpec FromNanoseconds(long ns) => new() { Seconds = ns / 1_000_000_000, Nanoseconds = ns % 1_000_000_000 };

    /// <summary>True when the nanoseconds are in range and the seconds are not negative.</summary>
    public readonly bool IsValid => Seconds >= 0 && (ulong)Nanoseconds < 1_000_000_000;

    /// <summary>In nanoseconds, saturated.</summary>
    public readonly long ToNanoseconds() => Seconds > long.MaxValue / 1_000_000_000 - 1 ? long.MaxValue : (Seconds * 1_000_000_000) + Nanoseconds;
}

/// <summary>
/// <c>timespec</c> and <c>timeval</c> in guest memory: two C longs, or (the i386 *_time64 calls) two 64-bit values. A pair of longs has
/// the same layout for both; only the second's unit differs.
/// </summary>
public static class TimeLayouts
{
    /// <summary>Reads a timespec of the caller's <c>long</c>. False: EFAULT.</summary>
    public static bool TryReadTimeSpec(in SyscallContext c, ulong address, out TimeSpec value) => TryReadPair(c, address, c.Is32, out value);

    /// <summary>Reads a 64-bit timespec (the upper half of a 32-bit caller's nanoseconds is padding). False: EFAULT.</summary>
    public static bool TryReadTimeSpec64(in SyscallContext c, ulong address, out TimeSpec value)
    {
        if (!TryReadPair(c, address, false, out value))
            return false;
        if (c.Is32)
            value.Nanoseconds = (uint)value.Nanoseconds;
        return true;
    }

    /// <summary>Reads a timeval of the caller's <c>long</c>; microseconds out of range give nanoseconds out of range. False: EFAULT.</summary>
    public static bool TryReadTimeVal(in SyscallContext c, ulong address, out TimeSpec value)
    {
        if (!TryReadPair(c, address, c.Is32, out value))
            return false;
        value.Nanoseconds = (ulong)value.Nanoseconds < 1_000_000 ? value.Nanoseconds * 1000 : -1;
        return true;
    }

    /// <summary>Writes a timespec of the caller's <c>long</c>. False: EFAULT.</summary>
    public static bool TryWriteTimeSpec(in SyscallContext c, ulong address, TimeSpec value) => TryWritePair(c, address, c.Is32, value);

    /// <summary>Writes a 64-bit timespec. False: EFAULT.</summary>
    public static bool TryWriteTimeSpec64(in SyscallContext c, ulong address, TimeSpec value) => TryWritePair(c, address, false, value);

    /// <summary>Writes a timeval of the caller's <c>long</c>. False: EFAULT.</summary>
    public static bool TryWriteTimeVal(in SyscallContext c, ulong address, TimeSpec value)
    {
        value.Nanoseconds /= 1000;
        return TryWritePair(c, address, c.Is32, value);
    }

    private static bool TryReadPair(in SyscallContext c, ulong address, bool narrow, out TimeSpec value)
    {
        value = default;
        if (!narrow)
            return c.Memory.TryRead(address, out value);
        if (!c.Memory.TryRead(address, out ulong both))
            return false;
        value = new TimeSpec { Seconds = (int)both, Nanoseconds = (int)(both >> 32) };
        return true;
    }

    private static bool TryWritePair(in SyscallContext c, ulong address, bool narrow, TimeSpec value) =>
        narrow
            ? c.Memory.TryWrite(address, (uint)value.Seconds | ((ulong)value.Nanoseconds << 32))
            : c.Memory.TryWrite(address, value);
}
