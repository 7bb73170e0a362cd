namespace DynaTrans.Runtime.Memory;

/// <summary>
/// A dense part of an address space: a reservation of the host, always mapped readable and writable there, and one
/// <see cref="PagePermission"/> byte a page. All changes are made under the address space's lock.
/// </summary>
internal sealed unsafe class MemoryWindow
{
    private const ulong PageSize = AddressSpace.PageSize;
    private const PagePermission ReadWrite = PagePermission.Read | PagePermission.Write;

    private readonly ulong _pages;

    /// <summary>Describes a window.</summary>
    /// <param name="start">Its first guest address.</param>
    /// <param name="size">Its bytes.</param>
    /// <param name="host">Host address of <paramref name="start"/>.</param>
    /// <param name="permissions">Permission bytes of its pages, followed by some that stay zero.</param>
    public MemoryWindow(ulong start, ulong size, byte* host, byte* permissions)
    {
        Start = start;
        Size = size;
        Host = host;
        Permissions = permissions;
        _pages = size / PageSize;
    }

    /// <summary>First guest address.</summary>
    public ulong Start { get; }

    /// <summary>Bytes.</summary>
    public ulong Size { get; }

    /// <summary>Host address of <see cref="Start"/>.</summary>
    public byte* Host { get; }

    /// <summary><see cref="Host"/> as a number.</summary>
    public nint HostAddress => (nint)Host;

    /// <summary>Permission bytes of its pages.</summary>
    public byte* Permissions { get; }

    /// <summary>The entry for <see cref="AddressSpace.Windows"/>.</summary>
    public WindowEntry Entry => new() { Host = (nint)Host - (nint)Start, Permissions = (nint)Permissions - (nint)(Start / PageSize) };

    /// <summary>The permission byte of an address's page.</summary>
    public PagePermission Query(ulong address) => (PagePermission)Permissions[(address - Start) / PageSize];

    /// <summary>How many pages have a flag.</summary>
    public ulong Count(ulong address, ulong length, PagePermission flag) =>
        PermissionBytes.Count(Permissions + ((address - Start) / PageSize), PagesOf(address, length), flag);

    /// <summary>True when a page has a flag.</summary>
    public bool Any(ulong address, ulong length, PagePermission flag) =>
        PermissionBytes.Any(Permissions + ((address - Start) / PageSize), PagesOf(address, length), flag);

    /// <summary>Gives pages a permission byte; the derived bits are computed.</summary>
    /// <param name="address">First address, of a page.</param>
    /// <param name="length">Bytes, of whole pages.</param>
    /// <param name="value">The byte.</param>
    /// <param name="watchWrites">No page gets a bit that lets stores go the fast way.</param>
    public void Set(ulong address, ulong length, PagePermission value, bool watchWrites)
    {
        var fill = (byte)(value & ~PagePermission.Derived);
        var first = (address - Start) / PageSize;
        var last = first + (length / PageSize) - 1;
        if (last > first)
        {
            // All pages but the last have a neighbour like themselves.
            Permissions[first] = Permissions[first + 1] = fill;
            Derive(first, watchWrites);
            PermissionBytes.Fill(Permissions + first, last - first, Permissions[first]);
        }

        Permissions[last] = fill;
        Derive(last, watchWrites);
        if (first > 0)
            Derive(first - 1, watchWrites);
        PermissionInvariants.Hold(Permissions, _pages, first, last, watchWrites);
    }

    // Invariant: the derived bits of a page follow from its own byte and the next page's; whoever changes a byte calls this for the page and
    // the one before it. The last page of a window has no neighbour: what crosses its end takes the slow path.
    private void Derive(ulong page, bool watchWrites)
    {
        var here = (PagePermission)Permissions[page];
        var next = page + 1 < _pages ? (PagePermission)Permissions[page + 1] : PagePermission.None;
        var both = here & next;
        var derived = PagePermission.None;
        if ((both & PagePermission.Read) != 0)
            derived |= PagePermission.FastRead;
        if (!watchWrites && (both & ReadWrite) == ReadWrite && ((here | next) & PagePermission.HasCode) == 0)
            derived |= PagePermission.FastWrite;
        if (!watchWrites && (here & (ReadWrite | PagePermission.HasCode)) == ReadWrite)
            derived |= PagePermission.PlainWrite;
        Permissions[page] = (byte)((here & ~PagePermission.Derived) | derived);
    }

    private static ulong PagesOf(ulong address, ulong length) => ((address % PageSize) + length + PageSize - 1) / PageSize;
}
