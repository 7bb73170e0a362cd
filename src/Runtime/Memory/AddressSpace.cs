using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace DynaTrans.Runtime.Memory;

/// <summary>
/// A guest-virtual address space of a process VM (or of bare code). Guest addresses below <see cref="WindowSize"/> are one host reservation
/// (the window): host address = <see cref="Base"/> + guest address, always mapped readable and writable in the host, so that a race with
/// an unmap can never fault in the host; what the guest may do is in <see cref="Permissions"/>, one <see cref="PagePermission"/> byte a
/// page. Pages beyond the window (64-bit addresses that somebody insists on) are kept in a sorted list of outlier ranges and always take
/// the slow path. Changes are made under <see cref="Lock"/>; reads of permissions need no lock.
/// </summary>
public sealed unsafe class AddressSpace : IDisposable
{
    /// <summary>Guest page size in bytes.</summary>
    public const int PageSize = 4096;

    private const PagePermission ReadWrite = PagePermission.Read | PagePermission.Write;

    private readonly SortedDictionary<ulong, nint> _outliers = [];
    private readonly nuint _reservation;
    private readonly nuint _tableSize;

    /// <summary>Reserves an address space.</summary>
    /// <param name="addressBits">log2 of the window: 32 for 16- and 32-bit guests, up to 44 for 64-bit guests (39 is usual).</param>
    /// <exception cref="OutOfMemoryException">The host has no room for the reservation.</exception>
    public AddressSpace(int addressBits)
        : this(addressBits, addressBits <= 32)
    {
    }

    /// <summary>Reserves an address space whose window may be small although addresses have 64 bits.</summary>
    /// <param name="addressBits">log2 of the window; 32 for addresses of 32 bits.</param>
    /// <param name="is32Bit">Linear addresses have 32 bits.</param>
    /// <exception cref="OutOfMemoryException">The host has no room for the reservation.</exception>
    public AddressSpace(int addressBits, bool is32Bit)
    {
        WindowSize = 1UL << addressBits;
        Is32Bit = is32Bit;

        // The table lies right below the window, so that translated code reaches both by one register.
        _tableSize = TableSize(addressBits);
        _reservation = Reservation(addressBits);
        Permissions = HostMemory.Reserve(_reservation);
        Base = Permissions + _tableSize;
    }

    /// <summary>
    /// Distance from <see cref="Base"/> to <see cref="Permissions"/>: the same for all address spaces of a size; 0 when it is too great for
    /// an address operand of the host.
    /// </summary>
    public int PermissionsOffset => _tableSize <= int.MaxValue ? -(int)_tableSize : 0;

    /// <summary>Host address of guest address 0.</summary>
    public byte* Base { get; }

    /// <summary>Permission bytes of the window's pages.</summary>
    public byte* Permissions { get; }

    /// <summary>Bytes in the window.</summary>
    public ulong WindowSize { get; }

    /// <summary>True when linear addresses have 32 bits and wrap around.</summary>
    public bool Is32Bit { get; }

    /// <summary>Held while mappings or permissions change.</summary>
    public Lock Lock { get; } = new();

    /// <summary>Called, under <see cref="Lock"/>, before bytes of pages that hold translated code change or lose their permission: (address, length).</summary>
    public Action<ulong, ulong>? CodeChanged { get; set; }

    /// <summary>Called, under <see cref="Lock"/>, after permissions of pages have changed: vCPUs may go on for a while by those they have seen.</summary>
    public Action? PermissionsChanged { get; set; }

    /// <summary>
    /// Asked, without <see cref="Lock"/>, when pages do not grant what the host needs, (address, length): true when the pages have come into
    /// being, so that the question may be asked again.
    /// </summary>
    public Func<ulong, ulong, bool>? PagesMissing { get; init; }

    /// <summary>True to send every store through the slow path, where it can be logged. Set before anything is mapped.</summary>
    public bool WatchWrites { get; set; }

    /// <summary>Pages mapped now.</summary>
    public ulong MappedPages { get; private set; }

    /// <summary>
    /// Maps zeroed pages, replacing what was there. Addresses and lengths are multiples of <see cref="PageSize"/>.
    /// </summary>
    public void Map(ulong address, ulong length, PagePermission protection)
    {
        lock (Lock)
        {
            Forget(address, length);
            var inWindow = InWindow(address, length);
            for (ulong offset = 0; !inWindow && offset < length; offset += PageSize)
                if (address + offset >= WindowSize)
                    _outliers[(address + offset) / PageSize] = (nint)NativeMemory.AllocZeroed(PageSize + 16);
            SetProtection(address, length, (protection & PagePermission.Protection) | PagePermission.Mapped);
            MappedPages += length / PageSize;
        }
    }

    /// <summary>
    /// Marks pages of the window as mapped whose host pages the caller has put in place itself (a shared file mapping over
    /// <see cref="Base"/> + address). The caller holds <see cref="Lock"/> over both steps.
    /// </summary>
    public void MapInPlace(ulong address, ulong length, PagePermission protection)
    {
        lock (Lock)
        {
            SetProtection(address, length, (protection & PagePermission.Protection) | PagePermission.Mapped);
            MappedPages += length / PageSize;
        }
    }

    /// <summary>Gives pages of the window new zeroed memory. The caller holds <see cref="Lock"/>.</summary>
    public void MakeZero(ulong address, ulong length) => HostMemory.MakeZero(Base + address, (nuint)length);

    /// <summary>Unmaps pages and gives their memory back to the host. Pages not mapped are skipped.</summary>
    public void Unmap(ulong address, ulong length)
    {
        lock (Lock)
            Forget(address, length);
    }

    /// <summary>Changes the protection of mapped pages.</summary>
    /// <returns>False, with the pages before the first hole changed, when a page is not mapped.</returns>
    public bool Protect(ulong address, ulong length, PagePermission protection)
    {
        lock (Lock)
        {
            NotifyCode(address, length);
            if (InWindow(address, length)
                && PermissionBytes.Count(Permissions + (address / PageSize), length / PageSize, PagePermission.Mapped) == length / PageSize)
            {
                SetProtection(address, length, (protection & PagePermission.Protection) | PagePermission.Mapped);
                return true;
            }

            for (ulong offset = 0; offset < length; offset += PageSize)
            {
                if ((Query(address + offset) & PagePermission.Mapped) == 0)
                    return false;
                SetProtection(address + offset, PageSize, (protection & PagePermission.Protection) | PagePermission.Mapped);
            }

            return true;
        }
    }

    /// <summary>The permission byte of the page that holds <paramref name="address"/>.</summary>
    public PagePermission Query(ulong address)
    {
        if (address < WindowSize)
            return (PagePermission)Permissions[address / PageSize];
        lock (Lock)
            return _outliers.TryGetValue(address / PageSize, out var page) ? (PagePermission)((byte*)page)[PageSize] : PagePermission.None;
    }

    /// <summary>True when every page of [address, address + length) grants <paramref name="access"/>. Length 0 is true.</summary>
    public bool Allows(ulong address, ulong length, PagePermission access)
    {
        if (length == 0)
            return true;
        var last = address + (length - 1);
        if (last < address)
            return false;
        for (var page = address / PageSize; page <= last / PageSize; page++)
            if ((Query(page * PageSize) & access) != access)
                return false;
        return true;
    }

    /// <summary>
    /// Host pointer to [address, address + length) for a host that reads or (after <see cref="PrepareWrite"/>) writes guest memory.
    /// </summary>
    /// <returns>False when a page does not grant the access, or the range is not contiguous in the host (beyond the window, across a page).</returns>
    public bool TryGetPointer(ulong address, ulong length, PagePermission access, out byte* pointer)
    {
        pointer = null;
        if (length == 0)
            return true;
        if (!Allows(address, length, access) && (PagesMissing?.Invoke(address, length) != true || !Allows(address, length, access)))
            return false;
        if (InWindow(address, length))
        {
            if ((access & PagePermission.Write) != 0)
                PrepareWrite(address, length);
            pointer = Base + address;
            return true;
        }

        if ((address % PageSize) + length > PageSize || address < WindowSize)
            return false;
        lock (Lock)
        {
            if (!_outliers.TryGetValue(address / PageSize, out var page))
                return false;
            pointer = (byte*)page + (address % PageSize);
            return true;
        }
    }

    /// <summary>Copies guest memory out. Returns the bytes copied: fewer than asked when a page is not readable.</summary>
    public int Read(ulong address, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length)
        {
            var chunk = ChunkAt(address + (uint)done, destination.Length - done);
            if (!TryGetPointer(address + (uint)done, (uint)chunk, PagePermission.Read, out var p))
                break;
            new ReadOnlySpan<byte>(p, chunk).CopyTo(destination[done..]);
            done += chunk;
        }

        return done;
    }

    /// <summary>Copies into guest memory, telling the translator. Returns the bytes copied: fewer when a page is not writable.</summary>
    public int Write(ulong address, ReadOnlySpan<byte> source)
    {
        var done = 0;
        while (done < source.Length)
        {
            var chunk = ChunkAt(address + (uint)done, source.Length - done);
            if (!TryGetPointer(address + (uint)done, (uint)chunk, PagePermission.Write, out var p))
                break;
            source.Slice(done, chunk).CopyTo(new Span<byte>(p, chunk));
            done += chunk;
        }

        return done;
    }

    /// <summary>Tells the translator that the host is about to write to pages, if any of them holds translated code.</summary>
    public void PrepareWrite(ulong address, ulong length)
    {
        if (length == 0)
            return;
        for (var page = address / PageSize; page <= (address + length - 1) / PageSize; page++)
        {
            if ((Query(page * PageSize) & PagePermission.HasCode) == 0)
                continue;
            lock (Lock)
                NotifyCode(address, length);
            return;
        }
    }

    /// <summary>Sets or clears <see cref="PagePermission.HasCode"/> on the page that holds <paramref name="address"/>. Under <see cref="Lock"/>.</summary>
    public void SetHasCode(ulong address, bool value)
    {
        var page = address & ~(ulong)(PageSize - 1);
        var now = Query(page);
        SetProtection(page, PageSize, value ? now | PagePermission.HasCode : now & ~PagePermission.HasCode);
    }

    /// <summary>Host pointer to a byte beyond the window, or null when its page is not mapped. Valid until the page is unmapped.</summary>
    public byte* OutlierPointer(ulong address)
    {
        lock (Lock)
            return _outliers.TryGetValue(address / PageSize, out var page) ? (byte*)page + (address % PageSize) : null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        HostMemory.Release(Permissions, _reservation);
        foreach (var page in _outliers.Values)
            NativeMemory.Free((void*)page);
        _outliers.Clear();
    }

    /// <summary>True when the host has room for the reservation of an address space now.</summary>
    /// <param name="addressBits">log2 of the window.</param>
    public static bool CanReserve(int addressBits)
    {
        var start = HostMemory.TryReserve(Reservation(addressBits));
        if (start == null)
            return false;
        HostMemory.Release(start, Reservation(addressBits));
        return true;
    }

    private static nuint TableSize(int addressBits) => (nuint)(((1UL << addressBits) / PageSize) + 4096);

    // Slack behind the window: an access at its very end that runs over is checked, but a copy of whole pages may touch it.
    private static nuint Reservation(int addressBits) => TableSize(addressBits) + ((nuint)1 << addressBits) + (1 << 20);

    private static int ChunkAt(ulong address, int length) => (int)Math.Min((uint)length, PageSize - (address % PageSize));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool InWindow(ulong address, ulong length) => address < WindowSize && length <= WindowSize - address;

    private void NotifyCode(ulong address, ulong length)
    {
        if (InWindow(address, length))
        {
            var pages = ((address % PageSize) + length + PageSize - 1) / PageSize;
            if (PermissionBytes.Any(Permissions + (address / PageSize), pages, PagePermission.HasCode))
                CodeChanged?.Invoke(address, length);
            return;
        }

        for (ulong offset = 0; offset < length; offset += PageSize)
        {
            if ((Query(address + offset) & PagePermission.HasCode) == 0 && offset + PageSize < length)
                continue;
            CodeChanged?.Invoke(address, length);
            return;
        }
    }

    private void Forget(ulong address, ulong length)
    {
        NotifyCode(address, length);
        if (InWindow(address, length))
        {
            MappedPages -= PermissionBytes.Count(Permissions + (address / PageSize), length / PageSize, PagePermission.Mapped);
            SetProtection(address, length, PagePermission.None);
            HostMemory.MakeZero(Base + address, (nuint)length);
            return;
        }

        for (ulong offset = 0; offset < length; offset += PageSize)
            if ((Query(address + offset) & PagePermission.Mapped) != 0)
                MappedPages--;
        SetProtection(address, length, PagePermission.None);
        for (ulong offset = 0; offset < length; offset += PageSize)
            if (_outliers.Remove((address + offset) / PageSize, out var page))
                NativeMemory.Free((void*)page);
    }

    // Invariant: the two Fast bits of a page are derived from its own byte and the next page's; whoever changes a byte calls Derive for
    // the page and the one before it.
    private void SetProtection(ulong address, ulong length, PagePermission value)
    {
        SetEachProtection(address, length, value);
        PermissionsChanged?.Invoke();
    }

    private void SetEachProtection(ulong address, ulong length, PagePermission value)
    {
        var fill = (byte)(value & ~PagePermission.Derived);
        if (length > PageSize && InWindow(address, length))
        {
            // All pages but the last have a neighbour like themselves.
            var from = address / PageSize;
            var pages = length / PageSize;
            Permissions[from] = Permissions[from + 1] = fill;
            Derive(from);
            PermissionBytes.Fill(Permissions + from, pages - 1, Permissions[from]);
            Permissions[from + pages - 1] = fill;
            Derive(from + pages - 1);
            if (from > 0)
                Derive(from - 1);
            return;
        }

        for (ulong offset = 0; offset < length; offset += PageSize)
        {
            var a = address + offset;
            if (a < WindowSize)
                Permissions[a / PageSize] = (byte)(value & ~PagePermission.Derived);
            else if (_outliers.TryGetValue(a / PageSize, out var page))
                ((byte*)page)[PageSize] = (byte)(value & ~PagePermission.Derived);
        }

        if (address >= WindowSize)
            return;
        var first = address / PageSize;
        var last = Math.Min((address + length - 1) / PageSize, (WindowSize / PageSize) - 1);
        for (var page = first == 0 ? 0 : first - 1; page <= last; page++)
            Derive(page);
    }

    private void Derive(ulong page)
    {
        var here = (PagePermission)Permissions[page];
        var next = page + 1 < WindowSize / PageSize ? (PagePermission)Permissions[page + 1] : PagePermission.None;
        var both = here & next;
        var fast = PagePermission.None;
        if ((both & PagePermission.Read) != 0)
            fast |= PagePermission.FastRead;
        if (!WatchWrites && (both & ReadWrite) == ReadWrite && ((here | next) & PagePermission.HasCode) == 0)
            fast |= PagePermission.FastWrite;
        if (!WatchWrites && (here & (ReadWrite | PagePermission.HasCode)) == ReadWrite)
            fast |= PagePermission.PlainWrite;
        Permissions[page] = (byte)((here & ~PagePermission.Derived) | fast);
    }
}
