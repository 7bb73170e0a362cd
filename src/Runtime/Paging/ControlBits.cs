namespace DynaTrans.Runtime.Paging;

/// <summary>Bits of the control registers and of EFER that paging goes by (SDM Vol. 3, 2.5 and 4.1).</summary>
internal static class ControlBits
{
    /// <summary>CR0: supervisor writes respect read-only pages, and paging is on.</summary>
    public const ulong WriteProtect = 1UL << 16, Paging = 1UL << 31;

    /// <summary>CR4: 4 MiB pages, entries of 8 bytes, global pages, and what supervisors may not do with user pages.</summary>
    public const ulong PageSizeExtension = 1UL << 4, PhysicalAddressExtension = 1UL << 5, GlobalPages = 1UL << 7, Smep = 1UL << 20, Smap = 1UL << 21;

    /// <summary>EFER: long mode is active, and entries may forbid execution.</summary>
    public const ulong LongModeActive = 1UL << 10, NoExecuteEnable = 1UL << 11;
}
