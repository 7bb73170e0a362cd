using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Files;

/// <summary>
/// Shares the host process's descriptors between the guests and the runtime. The host gives out the lowest free number, so a number near
/// the host's limit says that nearly all are in use: those belong to the runtime (assemblies, /proc), never to a guest's table.
/// </summary>
internal static unsafe class HostDescriptors
{
    private const int LargestReserve = 256, MostOfTable = 1 << 20, DuplicateFrom = 0;

    private static ulong s_guestSoft = ResourceLimits.Infinity;

    /// <summary>Host descriptors from this number on are not for guests: ENFILE.</summary>
    public static int FirstReserved { get; private set; } = int.MaxValue;

    /// <summary>The largest RLIMIT_NOFILE of a guest, so that a guest on its own always meets its limit before the host's.</summary>
    public static ulong MostForGuest { get; private set; } = MostOfTable;

    /// <summary>Raises the host's soft limit to the hard one (all guests share it) and sets the reserve aside. Idempotent.</summary>
    public static void Prepare()
    {
        var limits = stackalloc ulong[2];
        if (s_guestSoft != ResourceLimits.Infinity || HostCalls.Call(HostSys.Prlimit64, 0, ResourceLimits.Files, 0, (nint)limits) != 0)
            return;
        var soft = limits[0];
        limits[0] = limits[1];
        if (HostCalls.Call(HostSys.Prlimit64, 0, ResourceLimits.Files, (nint)limits, 0) != 0)
            limits[0] = soft;
        var all = (int)Math.Min(limits[0], int.MaxValue);
        FirstReserved = all - Math.Min(all / 4, LargestReserve);

        // What is open now stays open, and mappings and working directories hold files that are in no table.
        var next = Math.Max(0, (int)HostCalls.Call(HostSys.Fcntl, 0, DuplicateFrom, 0));
        if (next > 0)
            HostCalls.Close(next);
        MostForGuest = (ulong)Math.Clamp(FirstReserved - next - Math.Min(all / 8, LargestReserve / 2), 0, MostOfTable);
        s_guestSoft = Math.Min(soft, MostForGuest);
    }

    /// <summary>
    /// Takes a new host descriptor for something of a guest that is in no table: a lock, shared memory.
    /// </summary>
    /// <returns>The descriptor; a negative error number is passed on, -ENFILE when the host's are used up.</returns>
    public static long Claim(long hostFd)
    {
        if (hostFd < FirstReserved)
            return hostFd == -Errno.EMFILE ? -Errno.ENFILE : hostFd;
        HostCalls.Close((int)hostFd);
        return -Errno.ENFILE;
    }

    /// <summary>True for a host descriptor that guests must give back: ENFILE.</summary>
    public static bool IsReserved(int hostFd) => hostFd >= FirstReserved;

    /// <summary>The limit that the first process starts with, from the host's.</summary>
    public static (ulong Soft, ulong Hard) FirstLimit((ulong Soft, ulong Hard) host) =>
        (Math.Min(Math.Min(host.Soft, s_guestSoft), MostForGuest), Math.Min(host.Hard, MostForGuest));
}
