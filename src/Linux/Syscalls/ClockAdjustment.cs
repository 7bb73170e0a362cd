using System.Buffers.Binary;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Syscalls;

/// <summary>adjtimex and clock_adjtime: how the host's clock is disciplined can be read; it is not the guest's to change.</summary>
internal static unsafe class ClockAdjustment
{
    // struct timex: int, 4 longs, int, 3 longs, a timeval, 3 longs, int, 5 longs, int; then reserved ints.
    private const string Fields = "illllilllllllli" + "llllli";
    private const int HostSize = 208, Size32 = 128, ReservedInts = 11;

    public static void Register(SyscallTable table)
    {
        table.Add("adjtimex", &Adjtimex, "p", i386: 124, x64: 159);
        table.Add("clock_adjtime", &ClockAdjtime, "dp", i386: 343, x64: 305);
        table.Add("clock_adjtime64", &ClockAdjtime64, "dp", i386: 405);
    }

    private static long Adjtimex(in SyscallContext c) => Read(c, 0, c.A0, c.Is32);

    private static long ClockAdjtime(in SyscallContext c) => Read(c, c.I0, c.A1, c.Is32);

    private static long ClockAdjtime64(in SyscallContext c) => Read(c, c.I0, c.A1, false);

    private static long Read(in SyscallContext c, int clock, ulong address, bool narrow)
    {
        if (!c.Memory.TryRead(address, out uint modes))
            return -Errno.EFAULT;
        if (modes != 0)
            return -Errno.EPERM;
        Span<byte> host = stackalloc byte[HostSize];
        host.Clear();
        long result;
        fixed (byte* p = host)
            result = HostCalls.Call(HostSys.ClockAdjtime, clock, (nint)p);
        if (result < 0)
            return result;
        if (!narrow)
            return c.Memory.TryWrite(address, host) ? result : -Errno.EFAULT;
        Span<byte> guest = stackalloc byte[Size32];
        guest.Clear();
        var (from, to) = (0, 0);
        foreach (var field in Fields)
        {
            if (field == 'l')
            {
                from = (from + 7) & ~7;
                BinaryPrimitives.WriteInt32LittleEndian(guest[to..], (int)BinaryPrimitives.ReadInt64LittleEndian(host[from..]));
                from += 8;
            }
            else
            {
                host.Slice(from, 4).CopyTo(guest[to..]);
                from += 4;
            }

            to += 4;
        }

        return c.Memory.TryWrite(address, guest[..(to + (4 * ReservedInts))]) ? result : -Errno.EFAULT;
    }
}
