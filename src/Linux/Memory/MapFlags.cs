using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Memory;

/// <summary>Flags of mmap, the same for both interfaces.</summary>
[Flags]
public enum MapFlags
{
    /// <summary>MAP_SHARED.</summary>
    Shared = 1,

    /// <summary>MAP_PRIVATE.</summary>
    Private = 2,

    /// <summary>MAP_SHARED_VALIDATE: unknown flags are refused.</summary>
    SharedValidate = 3,

    /// <summary>MAP_DROPPABLE: private memory that need not be kept; a child gets zeros.</summary>
    Droppable = 8,

    /// <summary>What kind of mapping it is.</summary>
    TypeMask = 15,

    /// <summary>MAP_FIXED.</summary>
    Fixed = 0x10,

    /// <summary>MAP_ANONYMOUS.</summary>
    Anonymous = 0x20,

    /// <summary>MAP_32BIT: in the second GiB, for 64-bit calls.</summary>
    Below2G = 0x40,

    /// <summary>MAP_GROWSDOWN.</summary>
    GrowsDown = 0x100,

    /// <summary>MAP_LOCKED.</summary>
    Locked = 0x2000,

    /// <summary>MAP_NORESERVE.</summary>
    NoReserve = 0x4000,

    /// <summary>MAP_POPULATE.</summary>
    Populate = 0x8000,

    /// <summary>MAP_NONBLOCK: takes the effect from MAP_POPULATE.</summary>
    NonBlocking = 0x10000,

    /// <summary>MAP_HUGETLB.</summary>
    HugePages = 0x40000,

    /// <summary>MAP_SYNC.</summary>
    Synchronous = 0x80000,

    /// <summary>MAP_FIXED_NOREPLACE.</summary>
    FixedNoReplace = 0x100000,

    /// <summary>
    /// The flags that MAP_SHARED_VALIDATE knows on every file system: these and MAP_ABOVE4G, MAP_DENYWRITE, MAP_EXECUTABLE, MAP_STACK,
    /// MAP_UNINITIALIZED and the sizes of huge pages of 2 MiB and 1 GiB.
    /// </summary>
    Known = TypeMask | Fixed | Anonymous | Below2G | 0x80 | GrowsDown | 0x800 | 0x1000 | Locked | NoReserve | Populate | NonBlocking | 0x20000
        | HugePages | 0x4000000 | (21 << 26) | (30 << 26),
}

/// <summary>What the caller of a mapping call may do.</summary>
/// <param name="Lowest">Lowest address that may be mapped (vm.mmap_min_addr; 0 with CAP_SYS_RAWIO).</param>
/// <param name="LockLimit">Most bytes that may be locked (RLIMIT_MEMLOCK; no limit with CAP_IPC_LOCK).</param>
/// <param name="Highest">End of the addresses that it can name, for mappings without a wish.</param>
public readonly record struct MapRights(ulong Lowest, ulong LockLimit, ulong Highest = ulong.MaxValue)
{
    /// <summary>vm.mmap_min_addr as distributions set it, and where mappings without a wish begin.</summary>
    public const ulong DefaultLowest = 0x10000;

    private static readonly Lazy<ulong> s_hostLowest =
        new(static () => ulong.TryParse(HostCalls.ReadText("/proc/sys/vm/mmap_min_addr"), out var lowest) ? lowest : DefaultLowest);

    /// <summary>vm.mmap_min_addr of the host.</summary>
    public static ulong HostLowest => s_hostLowest.Value;

    /// <summary>Those of the program loader.</summary>
    public static MapRights Loader { get; } = new(DefaultLowest, ulong.MaxValue);
}
