using System.Runtime.InteropServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Paging;

/// <summary>
/// The memory management unit of one vCPU: from linear to guest-physical addresses, with a table of recent translations for each view
/// (<see cref="PageView"/>), which executors read directly, and one for code. Used on the vCPU's thread.
/// <para>
/// Translations are forgotten when the guest invalidates them, never because it writes to its page tables. What has been translated from
/// guest code is not forgotten then: <see cref="ExecutionState.CodeGeneration"/> changes, and code is entered again only after its pages
/// have been compared.
/// </para>
/// </summary>
public sealed unsafe class Mmu : IDisposable
{
    /// <summary>Physical address bits that an entry of a page table can have; those above are reserved.</summary>
    public const int PhysicalBits = PageWalker.PhysicalBits;

    private const int ViewCount = 3;
    private const int CodeEntries = 512;
    private const int LargeBits = 21, HugeBits = 30;
    private const ulong PageMask = ~(ulong)(AddressSpace.PageSize - 1);

    private readonly CpuState* _state;
    private readonly AddressSpace _ram;
    private readonly TranslationLookaside[] _tables = new TranslationLookaside[ViewCount];

    // While alignment is checked every access is slow.
    private readonly TranslationLookaside _nothing;
    private readonly bool[] _isUsed = new bool[ViewCount];
    private readonly CodeEntry[] _code = new CodeEntry[CodeEntries];
    private readonly PageFilter _codePages = new(), _globalCodePages = new(), _largePages = new();
    private readonly GCHandle _handle;
    private uint _permissionsVersion;
    private ulong _addressMask = ulong.MaxValue;
    private bool _hasHuge;
    private bool _hasUnglobal;

    /// <summary>Makes the unit of a state, without translations.</summary>
    /// <param name="state">The state, which keeps a handle to it.</param>
    /// <param name="ram">Guest-physical memory.</param>
    public Mmu(CpuState* state, AddressSpace ram)
    {
        _state = state;
        _ram = ram;
        for (var i = 0; i < ViewCount; i++)
            _tables[i] = new TranslationLookaside(ram);
        _nothing = new TranslationLookaside(ram);
        _handle = GCHandle.Alloc(this, GCHandleType.Weak);
        state->Execution.Mmu = GCHandle.ToIntPtr(_handle);
        state->Execution.CodeGeneration = 1;
        state->Execution.GlobalCodeGeneration = 1;
        state->Execution.TranslationFlusher = &Flush;
        Array.Fill(_code, CodeEntry.Empty);
        SelectView();
    }

    /// <summary>Called when the code at linear addresses may have changed: look-ups by address must be forgotten, those of supervisor code only when the argument is true.</summary>
    public Action<bool>? CodeMoved { get; set; }

    /// <summary>The physical address bits that reach memory: the A20 gate clears bit 20. A change forgets all translations.</summary>
    public ulong AddressMask
    {
        get => _addressMask;
        set
        {
            if (value == _addressMask)
                return;
            _addressMask = value;
            FlushAll();
        }
    }

    /// <summary>Counters.</summary>
    public MmuStatistics Statistics { get; } = new();

    private bool IsPaging => (_state->System.Cr0 & Cr0.Paging) != 0;

    /// <summary>The unit of a state that has one.</summary>
    public static Mmu Of(CpuState* s) => (Mmu)GCHandle.FromIntPtr(s->Execution.Mmu).Target!;

    /// <summary>
    /// Translates an address for data. The accessed bit, and for a write the dirty bit, are set.
    /// </summary>
    /// <param name="linear">The address. One that is not canonical raises #GP or #SS.</param>
    /// <param name="access">What for.</param>
    /// <param name="intent">What the access is for; see <see cref="AccessIntent"/>.</param>
    /// <param name="physical">The guest-physical address.</param>
    /// <returns>False with the exception pending.</returns>
    public bool TryTranslate(ulong linear, PageAccess access, AccessIntent intent, out ulong physical)
    {
        if ((intent & AccessIntent.Update) != 0)
            access = PageAccess.Write;
        var view = ViewOf(intent);
        if (!TryFind(linear, access, view, out var found, out var error))
        {
            physical = 0;
            ForgetFaulting(linear);
            return PageFaults.Raise(_state, linear, error, intent);
        }

        physical = found.Physical | (linear & ~PageMask);
        Enter(linear, view, found);
        return true;
    }

    /// <summary>Translates an address for the fetch of an instruction; false with the exception pending.</summary>
    public bool TryTranslateFetch(ulong linear, out ulong physical)
    {
        if (TryFindCode(linear, out physical, out var error))
            return true;
        ForgetFaulting(linear);
        return PageFaults.Raise(_state, linear, error, AccessIntent.None);
    }

    /// <summary>Translates an address for the fetch of an instruction; false when that would fault.</summary>
    public bool TryFindCode(ulong linear, out ulong physical) => TryFindCode(linear, out physical, out _);

    /// <summary>
    /// True when code that was made from a page is what lies at its address now.
    /// </summary>
    /// <param name="linear">Linear address of the page.</param>
    /// <param name="physical">Guest-physical page that the code was made from.</param>
    public bool IsCodeAt(ulong linear, ulong physical) => TryFindCode(linear, out var now, out _) && now == physical;

    /// <summary>Forgets all translations (mov to CR0 or CR4 that changes paging, for example).</summary>
    public void FlushAll()
    {
        Statistics.FullFlushes++;
        Forget();
    }

    /// <summary>Forgets the translations of pages that are not global (mov to CR3).</summary>
    public void FlushNonGlobal()
    {
        Statistics.Flushes++;
        Statistics.SupervisorFlushes += _hasUnglobal ? 1 : 0;
        ClearTables(global: false);
        MoveCode(false);
    }

    /// <summary>Forgets the translation of one page (invlpg).</summary>
    public void FlushPage(ulong linear)
    {
        Statistics.PageFlushes++;
        if (_hasHuge || _largePages.MayContain(linear >> LargeBits))
        {
            Forget();
            return;
        }

        foreach (var table in _tables)
            table.Remove(linear);
        var page = linear >> TranslationLookaside.PageBits;
        var global = _globalCodePages.MayContain(page);
        if (global || _codePages.MayContain(page))
            MoveCode(global);
    }

    /// <summary>
    /// Loads the page-directory-pointer registers of PAE paging from the table at a new value of CR3, as loads of CR3 do, and of CR0 or CR4 that turn it on
    /// (SDM Vol. 3, 4.4.1).
    /// </summary>
    /// <returns>False when one of them has a reserved bit set: #GP, and nothing is changed.</returns>
    public bool TryLoadPointers(ulong cr3) => PageWalker.TryLoadPointers(_state, _ram, _addressMask, cr3);

    /// <summary>
    /// Chooses the table that executors read, after the mode, EFLAGS.AC or CR4.SMAP have changed.
    /// </summary>
    public void SelectView()
    {
        var isChecked = (CpuAccess.Mode(_state) & GuestMode.AlignmentChecked) != 0;
        _state->Execution.Lookaside = (isChecked ? _nothing : _tables[(int)ViewOf(AccessIntent.None)]).Address;
    }

    /// <summary>
    /// Chooses the table for accesses that the processor makes for itself, whatever the privilege level: descriptor tables, for example.
    /// </summary>
    public void SelectSystemView()
    {
        Refresh();
        _state->Execution.Lookaside = _tables[(int)ViewOf(AccessIntent.Supervisor)].Address;
    }

    /// <summary>Takes rights from the tables that memory does not grant any more, after code was made from a page.</summary>
    public void Refresh()
    {
        var version = _ram.PermissionsVersion;
        if (version == _permissionsVersion)
            return;
        _permissionsVersion = version;
        for (var i = 0; i < ViewCount; i++)
            if (_isUsed[i])
                _tables[i].RemoveWrites();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var table in _tables)
            table.Dispose();
        _nothing.Dispose();
        _handle.Free();
    }

    private static void Flush(CpuState* s, TranslationChange change, ulong linear)
    {
        var mmu = Of(s);
        switch (change)
        {
            case TranslationChange.NonGlobal:
                mmu.FlushNonGlobal();
                break;
            case TranslationChange.Page:
                mmu.FlushPage(linear);
                break;
            case TranslationChange.UserAccess:
                mmu.SelectView();
                break;
            default:
                mmu.FlushAll();
                mmu.SelectView();
                break;
        }
    }

    private PageView ViewOf(AccessIntent intent)
    {
        if ((intent & AccessIntent.Supervisor) != 0)
            return (_state->System.Cr4 & Cr4.SupervisorAccessPrevention) != 0 ? PageView.Supervisor : PageView.SupervisorAnywhere;
        if (CpuAccess.Mode(_state).IsUser())
            return PageView.User;
        return (_state->System.Cr4 & Cr4.SupervisorAccessPrevention) == 0 || (_state->Slots[Slot.Eflags] & Eflags.AC) != 0 ? PageView.SupervisorAnywhere : PageView.Supervisor;
    }

    private bool TryFind(ulong linear, PageAccess access, PageView view, out PageTranslation found, out uint error)
    {
        if (!IsPaging)
        {
            found = new PageTranslation(linear & PageMask & _addressMask, true, false, TranslationLookaside.PageBits);
            error = 0;
            return true;
        }

        found = default;
        error = 0;
        return PageFaults.IsCanonical(linear) && PageWalker.TryWalk(_state, _ram, _addressMask, linear, access, view, out found, out error);
    }

    private void Enter(ulong linear, PageView view, in PageTranslation found)
    {
        var permission = _ram.Query(found.Physical);
        if ((permission & PagePermission.Read) == 0)
            return;
        _isUsed[(int)view] = true;
        NoteSize(linear, found);
        var isWritable = found.IsWritable && (permission & PagePermission.PlainWrite) != 0;
        _tables[(int)view].Enter(linear & PageMask, (nint)_ram.HostAt(found.Physical), isWritable, found.IsGlobal);
    }

    private bool TryFindCode(ulong linear, out ulong physical, out uint error)
    {
        var isUser = CpuAccess.Mode(_state).IsUser();
        var tag = (linear & PageMask) | (isUser ? 1UL : 0);
        ref var entry = ref _code[(int)(linear >> TranslationLookaside.PageBits) & (CodeEntries - 1)];
        if (entry.Tag != tag)
        {
            if (!TryFind(linear, PageAccess.Fetch, isUser ? PageView.User : PageView.SupervisorAnywhere, out var found, out error))
            {
                physical = 0;
                return false;
            }

            entry = new CodeEntry(tag, found.Physical, found.IsGlobal);
            NoteSize(linear, found);

            // Supervisor code goes by the global generation as long as all of it lies in global pages.
            _hasUnglobal |= !isUser && !found.IsGlobal && IsPaging;
            (found.IsGlobal ? _globalCodePages : _codePages).Add(linear >> TranslationLookaside.PageBits);
        }

        physical = entry.Physical | (linear & ~PageMask);
        error = 0;
        return true;
    }

    // A page fault drops what was known of its address, for other kinds of access too (SDM Vol. 3, 4.10.4.1).
    private void ForgetFaulting(ulong linear)
    {
        foreach (var table in _tables)
            table.Remove(linear);
        ref readonly var entry = ref _code[(int)(linear >> TranslationLookaside.PageBits) & (CodeEntries - 1)];
        if ((entry.Tag & PageMask) == (linear & PageMask) && entry != CodeEntry.Empty)
            MoveCode(entry.IsGlobal);
    }

    private void Forget()
    {
        ClearTables();
        MoveCode(true);
        _largePages.Clear();
        (_hasHuge, _hasUnglobal) = (false, false);
    }

    private void ClearTables(bool global = true)
    {
        for (var i = 0; i < ViewCount; i++)
        {
            if (!_isUsed[i])
                continue;
            if (global)
                _tables[i].Empty();
            else
                _tables[i].EmptyNonGlobal();
        }

        if (global)
            Array.Clear(_isUsed);
    }

    // A page of 4 MiB is entered by both its halves.
    private void NoteSize(ulong linear, in PageTranslation found)
    {
        if (found.SizeBits < LargeBits)
            return;
        _hasHuge |= found.SizeBits >= HugeBits;
        _largePages.Add(linear >> LargeBits);
        if (found.SizeBits > LargeBits)
            _largePages.Add((linear >> LargeBits) ^ 1);
    }

    private void MoveCode(bool global)
    {
        global |= _hasUnglobal;
        for (var i = 0; i < CodeEntries; i++)
            if (global || !_code[i].IsGlobal)
                _code[i] = CodeEntry.Empty;
        Advance(ref _state->Execution.CodeGeneration);
        _codePages.Clear();
        if (global)
        {
            Advance(ref _state->Execution.GlobalCodeGeneration);
            _globalCodePages.Clear();
        }

        CodeMoved?.Invoke(global);
    }

    private static void Advance(ref uint generation)
    {
        if (++generation == 0)
            generation = 1;
    }

    private readonly record struct CodeEntry(ulong Tag, ulong Physical, bool IsGlobal)
    {
        // No page has an odd address beyond bit 0.
        public static readonly CodeEntry Empty = new(2, 0, false);
    }
}

/// <summary>Counters for <c>--stats</c>.</summary>
public sealed class MmuStatistics
{
    /// <summary>Times that all translations were forgotten.</summary>
    public long FullFlushes { get; set; }

    /// <summary>Times that those of pages that are not global were.</summary>
    public long Flushes { get; set; }

    /// <summary>Of these, the times that supervisor code had to be compared, too, because some of it lies in pages that are not global.</summary>
    public long SupervisorFlushes { get; set; }

    /// <summary>Times that one page was.</summary>
    public long PageFlushes { get; set; }
}
