using System.Runtime.InteropServices;

namespace DynaTrans.Runtime.Memory;

/// <summary>
/// A vCPU's table of the pages that it has accessed lately, direct-mapped, in unmanaged memory: what translated code reads instead of the
/// permission bytes when the address space is not one dense window. An entry never grants more than its page does, because the table is
/// emptied before code runs again after any permission has changed; it may grant less, then the access takes the slow path, which enters the
/// page anew. Used by the vCPU's thread only.
/// </summary>
public sealed unsafe class TranslationLookaside : IDisposable
{
    /// <summary>log2 of the number of entries, and of their size in bytes.</summary>
    public const int CountBits = 10, EntryBits = 5;

    /// <summary>log2 of <see cref="AddressSpace.PageSize"/>.</summary>
    public const int PageBits = 12;

    /// <summary>Number of entries.</summary>
    internal const int Count = 1 << CountBits;

    private readonly AddressSpace _space;
    private readonly LookasideEntry* _entries;
    private uint _version;

    /// <summary>Makes an empty table.</summary>
    public TranslationLookaside(AddressSpace space)
    {
        _space = space;
        _entries = (LookasideEntry*)NativeMemory.AlignedAlloc((nuint)(Count * sizeof(LookasideEntry)), 64);
        Empty();
    }

    /// <summary>Host address of the first entry; that of page p is number p modulo the number of entries.</summary>
    public nint Address => (nint)_entries;

    /// <summary>
    /// Empties the table if permissions have changed since it was last called. Called before translated code is entered; code that is running
    /// already goes on by what it has found until it notices the request to leave.
    /// </summary>
    public void Refresh()
    {
        var version = _space.PermissionsVersion;
        if (version == _version)
            return;
        _version = version;
        Empty();
    }

    /// <summary>Enters the page of an address with the rights that it has now.</summary>
    public void Fill(ulong address)
    {
        if (_space.Is32Bit)
            address = (uint)address;
        var page = address & ~(ulong)(AddressSpace.PageSize - 1);
        var permission = _space.Query(page);
        if ((permission & (PagePermission.Read | PagePermission.PlainWrite)) == 0)
            return;

        // A page with a permission has a host address.
        ref var entry = ref EntryOf(page);
        entry.Addend = (nint)_space.HostAt(page) - (nint)page;
        entry.ReadTag = (permission & PagePermission.Read) != 0 ? page : LookasideEntry.NoPage;
        entry.WriteTag = (permission & PagePermission.PlainWrite) != 0 ? page : LookasideEntry.NoPage;
    }

    /// <summary>Enters a page whose translation is known: for a paging unit, which also takes it out again.</summary>
    /// <param name="page">Linear address of the page.</param>
    /// <param name="host">Where it is in the host.</param>
    /// <param name="isWritable">It may be written to without further ado.</param>
    /// <param name="isGlobal"><see cref="EmptyNonGlobal"/> leaves it in.</param>
    internal void Enter(ulong page, nint host, bool isWritable, bool isGlobal)
    {
        ref var entry = ref EntryOf(page);
        entry.Addend = host - (nint)page;
        entry.ReadTag = page;
        entry.WriteTag = isWritable ? page : LookasideEntry.NoPage;
        entry.IsGlobal = isGlobal ? 1UL : 0;
    }

    /// <summary>Takes out all pages that are not global.</summary>
    internal void EmptyNonGlobal()
    {
        for (var i = 0; i < Count; i++)
            if (_entries[i].IsGlobal == 0)
                (_entries[i].ReadTag, _entries[i].WriteTag) = (LookasideEntry.NoPage, LookasideEntry.NoPage);
    }

    /// <summary>Takes the page of an address out.</summary>
    internal void Remove(ulong address)
    {
        ref var entry = ref EntryOf(address);
        if ((entry.ReadTag ^ address) >> PageBits == 0)
            (entry.ReadTag, entry.WriteTag) = (LookasideEntry.NoPage, LookasideEntry.NoPage);
    }

    /// <summary>Takes the right to write from all pages.</summary>
    internal void RemoveWrites()
    {
        for (var i = 0; i < Count; i++)
            _entries[i].WriteTag = LookasideEntry.NoPage;
    }

    /// <summary>Empties the table.</summary>
    internal void Empty()
    {
        for (var i = 0; i < Count; i++)
            (_entries[i].ReadTag, _entries[i].WriteTag) = (LookasideEntry.NoPage, LookasideEntry.NoPage);
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_entries);

    private ref LookasideEntry EntryOf(ulong address) => ref _entries[(address >> PageBits) % Count];
}
