namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// Which kinds of sockets and which options go to the host. An option's value must hold values only: where the kernel finds a pointer or a
/// descriptor in it, it would use the host process's memory or descriptors.
/// </summary>
internal static class SocketOptions
{
    private const int Socket = 1, Tcp = 6, Packet = 263, Multipath = 284;

    /// <summary>True for families whose calls take no pointers inside their data: AF_UNIX, INET, INET6, NETLINK, PACKET, ALG, VSOCK.</summary>
    public static bool IsFamily(int family) => family is 1 or 2 or 10 or 16 or 17 or 38 or 40;

    /// <summary>True when an option's value holds values only.</summary>
    public static bool HoldsValues(int level, int option) => level switch
    {
        // Filters (pointers), programs (descriptors); the peer's and passed pidfds are descriptors of the host.
        Socket => option is not (26 or 50 or 51 or 52 or 76 or 77),

        // TCP_ZEROCOPY_RECEIVE: addresses that the host writes to.
        Tcp => option != 35,

        // PACKET_FANOUT_DATA and the rings, which are mapped.
        Packet => option is not (5 or 13 or 22),

        // MPTCP_FULL_INFO.
        Multipath => option != 4,

        // IP and IPv6, without the tables of netfilter (pointers to counters and entries).
        0 or 41 => option is not (64 or 65 or 96 or 97 or >= 128),

        // ICMPv6 and raw sockets, UDP, UDP-Lite, netlink, ALG, VSOCK, TLS.
        58 or 255 or 17 or 136 or 270 or 279 or 40 or 282 => true,
        _ => false,
    };
}
