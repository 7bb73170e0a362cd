using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Memory;

/// <summary>
/// A guest-virtual address space of a process VM (or of bare code). It is made of windows: host reservations that are always mapped readable
/// and writable in the host, so that a race with an unmap can never fault in the host; what the guest may do is in one
/// <see cref="PagePermission"/> byte a page. Guest addresses below <see cref="WindowSize"/> are the main window: host address =
/// <see cref="Base"/> + guest address. 64-bit addresses have further windows of <see cref="WindowSpan"/> bytes each, made when something
/// there is first touched; until then what is mapped there is only noted. Changes are made under <see cref="Lock"/>; reads of permissions in
/// a window need no lock.
/// </summary>
public sealed unsafe partial class AddressSpace : IDisposable
{
    /// <summary>Guest page size in bytes.</summary>
    public const int PageSize = 4096;

    /// <summary>log2 of the bytes in a window of a space that has several, and bits of an address that are looked at.</summary>
    public const int WindowSpanBits = 39, AddressBits = 48;

    /// <summary>Bytes in a window of a space that has several.</summary>
    public const ulong WindowSpan = 1UL << WindowSpanBits;

    /// <summary>Entries of <see cref="Windows"/>; the index is bits 47:39 of an address.</summary>
    public const int WindowCount = 1 << (AddressBits - WindowSpanBits);

    // Host addresses of windows: those of one space lie as the guest's do, where there is room, and those of another space elsewhere.
    private const ulong HostStride = 37 * WindowSpan, HostOffset = WindowSpan / 4;
    private const int HostWindows = 240;

    private static readonly Lock s_gate = new();
    private static byte* s_noPermissions;
    private static int s_spaces;

    private readonly MemoryWindow?[] _windows;
    private readonly PendingRanges _pending = new();
    private readonly nuint _reservation;
    private readonly nuint _tableSize;
    private readonly ulong _hostShift;
    private uint _permissionsVersion;

    /// <summary>Reserves an address space.</summary>
    /// <param name="addressBits">log2 of the main window: 32 for 16- and 32-bit guests, up to 39 for 64-bit guests.</param>
    /// <exception cref="OutOfMemoryException">The host has no room for the reservation.</exception>
    public AddressSpace(int addressBits)
        : this(addressBits, addressBits <= 32)
    {
    }

    /// <summary>Reserves an address space whose main window may be small although addresses have 64 bits.</summary>
    /// <param name="addressBits">log2 of the main window; 32 for addresses of 32 bits. With less than 39 there are no other windows.</param>
    /// <param name="is32Bit">Linear addresses have 32 bits.</param>
    /// <exception cref="OutOfMemoryException">The host has no room for the reservation.</exception>
    public AddressSpace(int addressBits, bool is32Bit)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(addressBits, is32Bit ? 32 : WindowSpanBits);
        WindowSize = 1UL << addressBits;
        Is32Bit = is32Bit;
        HasSeveralWindows = addressBits == WindowSpanBits;
        var none = HasSeveralWindows ? NoPermissions() : null;

        // The table lies right below the main window, so that translated code reaches both by one register.
        _tableSize = TableSize(addressBits);
        _reservation = Reservation(addressBits);
        Permissions = HostMemory.Reserve(_reservation);
        Base = Permissions + _tableSize;
        _windows = new MemoryWindow?[HasSeveralWindows ? WindowCount : 1];
        _windows[0] = new MemoryWindow(0, WindowSize, Base, Permissions);
        _hostShift = (ulong)(Interlocked.Increment(ref s_spaces) % HostWindows) * HostStride;
        if (!HasSeveralWindows)
            return;
        Windows = (WindowEntry*)NativeMemory.AllocZeroed(WindowCount, (nuint)sizeof(WindowEntry));
        for (var i = 1; i < WindowCount; i++)
            Windows[i].Permissions = (nint)none - (nint)(StartOf(i) / PageSize);
        Windows[0] = _windows[0]!.Entry;
    }

    /// <summary>The address space that the vCPU of a state is in.</summary>
    internal static AddressSpace Of(CpuState* s) => (AddressSpace)GCHandle.FromIntPtr(s->Execution.AddressSpaceHandle).Target!;

    /// <summary>
    /// Distance from <see cref="Base"/> to <see cref="Permissions"/>: the same for all address spaces of a size; 0 when it is too great for
    /// an address operand of the host.
    /// </summary>
    public int PermissionsOffset => _tableSize <= int.MaxValue ? -(int)_tableSize : 0;

    /// <summary>Host address of guest address 0.</summary>
    public byte* Base { get; }

    /// <summary>Permission bytes of the main window's pages.</summary>
    public byte* Permissions { get; }

    /// <summary>Bytes in the main window.</summary>
    public ulong WindowSize { get; }

    /// <summary>True when addresses beyond the main window can be mapped.</summary>
    public bool HasSeveralWindows { get; }

    /// <summary>
    /// The windows by bits 47:39 of the address; null for a space with one. An entry changes once, when its window is made: whoever has found
    /// a permission may use the host address that he reads afterwards.
    /// </summary>
    public WindowEntry* Windows { get; }

    /// <summary>True when linear addresses have 32 bits and wrap around.</summary>
    public bool Is32Bit { get; }

    /// <summary>Held while mappings or permissions change.</summary>
    public Lock Lock { get; } = new();

    /// <summary>Called, under <see cref="Lock"/>, before bytes of pages that hold translated code change or lose their permission: (address, length).</summary>
    public Action<ulong, ulong>? CodeChanged { get; set; }

    /// <summary>Called, under <see cref="Lock"/>, after permissions of pages have changed: vCPUs may go on for a while by those they have seen.</summary>
    public Action? PermissionsChanged { get; set; }

    /// <summary>Another number after each change of permissions.</summary>
    public uint PermissionsVersion => Volatile.Read(ref _permissionsVersion);

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
    /// <exception cref="ArgumentOutOfRangeException">The space has no such addresses (<see cref="CanMap"/>).</exception>
    public void Map(ulong address, ulong length, PagePermission protection)
    {
        lock (Lock)
        {
            Forget(address, length);
            MapInPlace(address, length, protection);
        }
    }

    /// <summary>
    /// Marks pages as mapped whose host pages the caller has put in place itself (a shared file mapping at <see cref="HostAt"/>), or that are
    /// zero. The caller holds <see cref="Lock"/> over both steps.
    /// </summary>
    public void MapInPlace(ulong address, ulong length, PagePermission protection)
    {
        if (!CanMap(address, length))
            throw new ArgumentOutOfRangeException(nameof(address), $"{address:x} has no place in the address space");
        lock (Lock)
        {
            SetMapped(address, length, protection);
            MappedPages += length / PageSize;
        }
    }

    /// <summary>True when the space has all addresses of a range.</summary>
    public bool CanMap(ulong address, ulong length) => length == 0
        || (address + (length - 1) >= address && (HasSeveralWindows
            ? IsCanonical(address) && IsCanonical(address + (length - 1)) && (long)(address ^ (address + (length - 1))) >= 0
            : address + (length - 1) < WindowSize));

    /// <summary>Gives pages new zeroed memory. The caller holds <see cref="Lock"/>.</summary>
    public void MakeZero(ulong address, ulong length)
    {
        for (ulong done = 0; done < length;)
        {
            var window = Piece(address + done, length - done, out var piece);
            if (window != null)
                HostMemory.MakeZero(window.Host + (address + done - window.Start), (nuint)piece);
            done += piece;
        }
    }

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
            var mapped = MappedPrefix(address, length);
            if (mapped != 0)
                SetMapped(address, mapped, protection);
            return mapped == length;
        }
    }

    /// <summary>The permission byte of the page that holds <paramref name="address"/>.</summary>
    public PagePermission Query(ulong address)
    {
        if (address < WindowSize)
            return (PagePermission)Permissions[address / PageSize];
        if (!HasSeveralWindows || !IsCanonical(address))
            return PagePermission.None;
        if (Volatile.Read(ref _windows[IndexOf(address)]) is { } window)
            return window.Query(address);
        lock (Lock)
            return _windows[IndexOf(address)] is { } now ? now.Query(address) : _pending.Query(address);
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
    /// Host address of a guest address in one of the space's windows, whatever its permission; its window is made if need be. Contiguous up
    /// to the end of the window only (<see cref="ContiguousAt"/>). Null for addresses that the space does not have.
    /// </summary>
    /// <exception cref="OutOfMemoryException">The host has no room for the window.</exception>
    public byte* HostAt(ulong address)
    {
        if (address < WindowSize)
            return Base + address;
        if (!HasSeveralWindows || !IsCanonical(address))
            return null;
        var window = Volatile.Read(ref _windows[IndexOf(address)]) ?? MakeWindow(address);
        return window.Host + (address - window.Start);
    }

    /// <summary>As <see cref="HostAt"/>, but makes no window: null when there is none. No memory of the host stands behind such addresses.</summary>
    public byte* ExistingHostAt(ulong address)
    {
        var window = Piece(address, 1, out _);
        return window == null ? null : window.Host + (address - window.Start);
    }

    /// <summary>Bytes from an address on that are contiguous in the host, at most <paramref name="length"/>: for calls of the host about a range.</summary>
    public ulong ContiguousAt(ulong address, ulong length)
    {
        if (address < WindowSize && length <= WindowSize - address)
            return length;
        var first = Piece(address, length, out var done);
        while (done < length && Piece(address + done, length - done, out var piece) is var next
            && ((first == null && next == null) || (first != null && next != null && next.Host - first.Host == (nint)(next.Start - first.Start))))
            done += piece;
        return done;
    }

    /// <summary>
    /// The pieces of a range that are contiguous in the host, for calls of the host about a range: one, but where windows meet.
    /// </summary>
    /// <param name="address">First address.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="make">Make windows that do not exist yet; else what lies in them is left out: it has no memory of the host.</param>
    /// <exception cref="OutOfMemoryException">The host has no room for a window.</exception>
    public IEnumerable<HostPiece> HostPieces(ulong address, ulong length, bool make)
    {
        if (make && !InMainWindow(address, length))
            MakeWindows(address, length);
        for (ulong done = 0; done < length;)
        {
            var piece = ContiguousAt(address + done, length - done);
            if (ExistingHostAddress(address + done) is var host and not 0)
                yield return new HostPiece(address + done, host, piece);
            done += piece;
        }
    }

    /// <summary>Makes the windows of a range, for a host that is about to put something there. False: the host has no room.</summary>
    public bool TryMakeWindows(ulong address, ulong length)
    {
        try
        {
            MakeWindows(address, length);
            return true;
        }
        catch (OutOfMemoryException)
        {
            return false;
        }
    }

    /// <summary>The guest address that a host address stands for. False: none.</summary>
    public bool TryGuestAddress(nint host, out ulong address)
    {
        foreach (var candidate in _windows)
        {
            if (candidate is not { } window || (ulong)(host - (nint)window.Host) >= window.Size)
                continue;
            address = window.Start + (ulong)(host - (nint)window.Host);
            return true;
        }

        address = 0;
        return false;
    }

    /// <summary>The host ranges of the windows that exist.</summary>
    public IEnumerable<(nint Host, ulong Length)> HostRanges()
    {
        foreach (var window in _windows)
            if (window != null)
                yield return (window.HostAddress, window.Size);
    }

    /// <summary>
    /// Host pointer to [address, address + length) for a host that reads or (after <see cref="PrepareWrite"/>) writes guest memory.
    /// </summary>
    /// <returns>False when a page does not grant the access, or the range is not contiguous in the host (from one window to the next).</returns>
    public bool TryGetPointer(ulong address, ulong length, PagePermission access, out byte* pointer)
    {
        pointer = null;
        if (length == 0)
            return true;
        if (!Allows(address, length, access) && (PagesMissing?.Invoke(address, length) != true || !Allows(address, length, access)))
            return false;
        if (!InMainWindow(address, length) && (!TryMakeWindows(address, length) || ContiguousAt(address, length) < length))
            return false;
        if ((access & PagePermission.Write) != 0)
            PrepareWrite(address, length);
        pointer = HostAt(address);
        return true;
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
            PrepareWrite(address + (uint)done, (uint)chunk);
            done += chunk;
        }

        return done;
    }

    /// <summary>
    /// Drops the code that was made from bytes of pages, at whatever address and in whatever address space, because the host is about to write
    /// to them, or has written. The caller does not hold <see cref="Lock"/>.
    /// </summary>
    public void PrepareWrite(ulong address, ulong length)
    {
        if (!HasCode(address, length))
            return;
        List<CodeHit>? elsewhere;
        lock (Lock)
        {
            DropCode(address, length);
            elsewhere = CodeElsewhere(address, length);
        }

        Debug.Assert(elsewhere == null || !Lock.IsHeldByCurrentThread, "two address spaces would be locked at a time");
        CodeHit.DropAll(elsewhere);
    }

    /// <summary>Sets or clears <see cref="PagePermission.HasCode"/> on the page that holds <paramref name="address"/>. Under <see cref="Lock"/>.</summary>
    public void SetHasCode(ulong address, bool value)
    {
        var page = address & ~(ulong)(PageSize - 1);
        var now = Query(page);
        SetProtection(page, PageSize, value ? now | PagePermission.HasCode : now & ~PagePermission.HasCode);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (Lock)
            RemoveFrames(0, ulong.MaxValue);
        HostMemory.Release(Permissions, _reservation);
        for (var i = 1; i < _windows.Length; i++)
        {
            if (_windows[i] is not { } window)
                continue;
            HostMemory.Release(window.Host, (nuint)window.Size);
            HostMemory.Release(window.Permissions, TableSize(WindowSpanBits));
        }

        Array.Clear(_windows);
        NativeMemory.Free(Windows);
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

    private static bool IsCanonical(ulong address) => (long)(address << (64 - AddressBits)) >> (64 - AddressBits) == (long)address;

    private static int IndexOf(ulong address) => (int)(address >> WindowSpanBits) & (WindowCount - 1);

    // First address of a window: the upper half of the indices stands for the upper half of the canonical addresses.
    private static ulong StartOf(int index) => (ulong)((long)index << (64 - AddressBits + WindowSpanBits) >> (64 - AddressBits));

    // What parts of address spaces without a window have; never written to.
    private static byte* NoPermissions()
    {
        lock (s_gate)
        {
            if (s_noPermissions == null)
                s_noPermissions = HostMemory.Reserve(TableSize(WindowSpanBits));
            return s_noPermissions;
        }
    }

    private MemoryWindow MakeWindow(ulong address)
    {
        lock (Lock)
        {
            var index = IndexOf(address);
            if (_windows[index] is { } known)
                return known;
            var table = HostMemory.Reserve(TableSize(WindowSpanBits));
            var host = ReserveWindow(index);
            if (host == null)
            {
                HostMemory.Release(table, TableSize(WindowSpanBits));
                throw new OutOfMemoryException($"the host refused to reserve {WindowSpan} bytes of address space");
            }

            var window = new MemoryWindow(StartOf(index), WindowSpan, host, table);
            while (_pending.TryFind(window.Start, WindowSpan, out var start, out var length, out var value))
            {
                window.Set(start, length, value, WatchWrites);
                _pending.Set(start, length, PagePermission.None);
            }

            Volatile.Write(ref _windows[index], window);
            var entry = window.Entry;
            Windows[index].Host = entry.Host;
            Volatile.Write(ref Windows[index].Permissions, entry.Permissions);
            return window;
        }
    }

    private void MakeWindows(ulong address, ulong length)
    {
        for (ulong done = 0; done < length;)
        {
            HostAt(address + done);
            Piece(address + done, length - done, out var piece);
            done += piece;
        }
    }

    private nint ExistingHostAddress(ulong address) => (nint)ExistingHostAt(address);

    // Beside its neighbours where there is room: then a buffer that goes on in the next window is one in the host, too.
    private byte* ReserveWindow(int index)
    {
        var size = (nuint)WindowSize;
        var below = index > 1 ? _windows[index - 1] : null;
        var above = index + 1 < WindowCount ? _windows[index + 1] : null;
        byte* host = null;
        if (below != null)
            host = HostMemory.TryReserveAt(below.Host + WindowSpan, size);
        if (host == null && above != null)
            host = HostMemory.TryReserveAt(above.Host - WindowSpan, size);
        if (host == null && below == null && above == null)
        {
            var at = ((((ulong)index % HostWindows) + 1) * WindowSpan) + _hostShift;
            host = HostMemory.TryReserveAt((byte*)((at % (HostWindows * WindowSpan)) + HostOffset), size);
        }

        return host != null ? host : HostMemory.TryReserve(size);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool InMainWindow(ulong address, ulong length) => address < WindowSize && length <= WindowSize - address;

    // The window at an address, or null, and how much of a range lies in it, or in what could be it.
    private MemoryWindow? Piece(ulong address, ulong length, out ulong piece)
    {
        if (!HasSeveralWindows)
        {
            var isInside = address < WindowSize;
            piece = isInside ? Math.Min(length, WindowSize - address) : length;
            return isInside ? _windows[0] : null;
        }

        piece = Math.Min(length, WindowSpan - (address % WindowSpan));
        return IsCanonical(address) ? Volatile.Read(ref _windows[IndexOf(address)]) : null;
    }

    private bool HasCode(ulong address, ulong length)
    {
        for (ulong done = 0; done < length;)
        {
            if (Piece(address + done, length - done, out var piece)?.Any(address + done, piece, PagePermission.HasCode) == true)
                return true;
            done += piece;
        }

        return false;
    }

    private void NotifyCode(ulong address, ulong length)
    {
        if (HasCode(address, length))
            CodeChanged?.Invoke(address, length);
    }

    private ulong MappedIn(ulong address, ulong length)
    {
        ulong pages = 0;
        for (ulong done = 0; done < length;)
        {
            var window = Piece(address + done, length - done, out var piece);
            pages += window == null ? _pending.LengthIn(address + done, piece) / PageSize : window.Count(address + done, piece, PagePermission.Mapped);
            done += piece;
        }

        return pages;
    }

    // Bytes at the beginning of a range that are mapped.
    private ulong MappedPrefix(ulong address, ulong length)
    {
        if (MappedIn(address, length) == length / PageSize)
            return length;
        ulong done = 0;
        while ((Query(address + done) & PagePermission.Mapped) != 0)
            done += PageSize;
        return done;
    }

    private void Forget(ulong address, ulong length)
    {
        NotifyCode(address, length);
        RemoveFrames(address, length);
        MappedPages -= MappedIn(address, length);
        SetProtection(address, length, PagePermission.None);
        MakeZero(address, length);
    }

    private void SetProtection(ulong address, ulong length, PagePermission value)
    {
        for (ulong done = 0; done < length;)
        {
            if (Piece(address + done, length - done, out var piece) is { } window)
                window.Set(address + done, piece, value, WatchWrites);
            else
                _pending.Set(address + done, piece, value);
            done += piece;
        }

        Volatile.Write(ref _permissionsVersion, _permissionsVersion + 1);
        PermissionsChanged?.Invoke();
    }
}
