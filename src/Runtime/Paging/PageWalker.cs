using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Paging;

/// <summary>
/// Walks the paging structures of a state in guest-physical memory: 32-bit paging with 4 MiB pages, PAE, and 4-level paging with pages of 2 MiB
/// and 1 GiB (SDM Vol. 3, chapter 4).
/// </summary>
internal static unsafe class PageWalker
{
    /// <summary>Physical address bits that an entry can have: what the main window of an address space can have.</summary>
    public const int PhysicalBits = AddressSpace.WindowSpanBits;

    private const ulong Present = 1, Writable = 2, User = 4, Accessed = 1 << 5, Dirty = 1 << 6, Large = 1 << 7, Global = 1 << 8, NoExecute = 1UL << 63;
    private const ulong PhysicalMask = ((1UL << PhysicalBits) - 1) & ~0xFFFUL;
    private const uint ReservedBit = 8;

    // Bits of an entry of 8 bytes above the physical address, of which PAE reserves all and 4-level paging those below 52.
    private const ulong AbovePhysical4 = ((1UL << 52) - 1) & ~((1UL << PhysicalBits) - 1);
    private const ulong AbovePhysicalPae = ~(1UL << 63) & ~((1UL << PhysicalBits) - 1);

    // Bits between the PAT bit and the address of a large page of 32-bit paging. PSE-36 is not offered.
    private const uint Reserved4M = 0x3FE000;

    /// <summary>
    /// Translates an address and sets accessed bits, and the dirty bit for a write.
    /// </summary>
    /// <param name="s">The state.</param>
    /// <param name="ram">Guest-physical memory.</param>
    /// <param name="mask">Physical address bits that reach memory (A20).</param>
    /// <param name="linear">The address, canonical.</param>
    /// <param name="access">What for.</param>
    /// <param name="view">With which privilege.</param>
    /// <param name="translation">What was found.</param>
    /// <param name="error">The error code of the page fault, without the user bit, when the result is false.</param>
    public static bool TryWalk(
        CpuState* s, AddressSpace ram, ulong mask, ulong linear, PageAccess access, PageView view, out PageTranslation translation, out uint error)
    {
        var cr4 = s->System.Cr4;
        if ((cr4 & Cr4.PhysicalAddressExtension) == 0)
            return TryWalk32(s, ram, mask, (uint)linear, access, view, out translation, out error);
        var isLong = (s->System.Efer & Efer.LongModeActive) != 0;
        var entries = stackalloc ulong*[4];
        var reserved = isLong ? AbovePhysical4 : AbovePhysicalPae;
        if ((s->System.Efer & Efer.NoExecuteEnable) == 0)
            reserved |= NoExecute;
        var rights = Writable | User;
        ulong noExecute = 0;
        var table = s->System.Cr3 & PhysicalMask;
        var depth = 0;
        translation = default;
        for (var level = 3; ; level--)
        {
            ulong entry;
            if (level == 2 && !isLong)
                entry = s->System.PageDirectoryPointers[(linear >> 30) & 3] | rights;
            else if (level == 3 && !isLong)
                continue;
            else
            {
                var place = Entry(ram, (table + (((linear >> (12 + (level * 9))) & 511) * 8)) & mask);
                if (place == null)
                {
                    error = Error(s, access, PageFaults.Present | ReservedBit);
                    return false;
                }

                entries[depth++] = place;
                entry = *place;
            }

            if ((entry & Present) == 0)
            {
                error = Error(s, access, 0);
                return false;
            }

            var isLeaf = level == 0 || (level < 3 && (entry & Large) != 0 && (level == 1 || isLong));
            var bad = reserved;
            if (level == 2 && !isLong)
                bad = 0;
            else if (level == 3)
                bad |= Large;
            else if (isLeaf && level > 0)
                bad |= ((1UL << (12 + (level * 9))) - 1) & ~0x1FFFUL;
            if ((entry & bad) != 0)
            {
                error = Error(s, access, PageFaults.Present | ReservedBit);
                return false;
            }

            rights &= entry;
            noExecute |= entry & NoExecute;
            table = entry & PhysicalMask;
            if (!isLeaf)
                continue;

            if (!Allows(s, rights, noExecute != 0, access, view))
            {
                error = Error(s, access, PageFaults.Present);
                return false;
            }

            for (var i = 0; i < depth - 1; i++)
                Mark(ram, entries[i], Accessed);
            Mark(ram, entries[depth - 1], access == PageAccess.Write ? Accessed | Dirty : Accessed);
            var span = (1UL << (12 + (level * 9))) - 1;
            var physical = ((table & ~span) | (linear & span & ~0xFFFUL)) & mask;
            var isDirty = access == PageAccess.Write || (entry & Dirty) != 0;
            translation = new PageTranslation(
                physical, isDirty && Allows(s, rights, false, PageAccess.Write, view), (entry & Global) != 0 && (cr4 & Cr4.PageGlobalEnable) != 0,
                12 + (level * 9));
            error = 0;
            return true;
        }
    }

    /// <summary>
    /// Loads the four page-directory-pointer registers of PAE paging, as a load of CR3 does (SDM Vol. 3, 4.4.1). False when one of them has a
    /// reserved bit set: #GP, and nothing is changed.
    /// </summary>
    public static bool TryLoadPointers(CpuState* s, AddressSpace ram, ulong mask, ulong cr3)
    {
        const ulong reserved = 0x1E6 | (AbovePhysicalPae | NoExecute);
        var loaded = stackalloc ulong[4];
        for (var i = 0; i < 4; i++)
        {
            var place = Entry(ram, ((cr3 & 0xFFFFFFE0) + (ulong)(i * 8)) & mask);
            loaded[i] = place == null ? ulong.MaxValue : *place;
            if ((loaded[i] & Present) != 0 && (loaded[i] & reserved) != 0)
                return false;
        }

        for (var i = 0; i < 4; i++)
            s->System.PageDirectoryPointers[i] = loaded[i];
        return true;
    }

    private static bool TryWalk32(
        CpuState* s, AddressSpace ram, ulong mask, uint linear, PageAccess access, PageView view, out PageTranslation translation, out uint error)
    {
        translation = default;
        var directory = (uint*)Entry(ram, ((s->System.Cr3 & 0xFFFFF000) + ((linear >> 22) * 4)) & mask);
        var isLarge = directory != null && (*directory & (uint)Large) != 0 && (s->System.Cr4 & Cr4.PageSizeExtensions) != 0;
        var leaf = directory;
        if (directory != null && !isLarge && (*directory & (uint)Present) != 0)
            leaf = (uint*)Entry(ram, ((*directory & 0xFFFFF000) + (((linear >> 12) & 1023) * 4)) & mask);
        if (leaf == null)
        {
            // Where there is no memory, ones are read: an entry that is present and allows everything, of a page where there is none either.
            error = Error(s, access, PageFaults.Present | ReservedBit);
            return false;
        }

        var entry = *leaf;
        if ((*directory & entry & (uint)Present) == 0 || (isLarge && (entry & Reserved4M) != 0))
        {
            error = Error(s, access, (*directory & entry & (uint)Present) == 0 ? 0 : PageFaults.Present | ReservedBit);
            return false;
        }

        ulong rights = *directory & entry;
        if (!Allows(s, rights, false, access, view))
        {
            error = Error(s, access, PageFaults.Present);
            return false;
        }

        if (!isLarge)
            Mark32(ram, directory, (uint)Accessed);
        Mark32(ram, leaf, (uint)(access == PageAccess.Write ? Accessed | Dirty : Accessed));
        var physical = (isLarge ? (entry & 0xFFC00000) | (linear & 0x3FF000) : entry & 0xFFFFF000) & mask;
        var isDirty = access == PageAccess.Write || (entry & (uint)Dirty) != 0;
        translation = new PageTranslation(
            physical, isDirty && Allows(s, rights, false, PageAccess.Write, view),
            (entry & (uint)Global) != 0 && (s->System.Cr4 & Cr4.PageGlobalEnable) != 0, isLarge ? 22 : 12);
        error = 0;
        return true;
    }

    // SDM Vol. 3, 4.6.1.
    private static bool Allows(CpuState* s, ulong rights, bool noExecute, PageAccess access, PageView view)
    {
        var isUserPage = (rights & User) != 0;
        if (view == PageView.User)
            return isUserPage && (access != PageAccess.Write || (rights & Writable) != 0) && !(noExecute && access == PageAccess.Fetch);
        switch (access)
        {
            case PageAccess.Fetch: return !noExecute && !(isUserPage && (s->System.Cr4 & Cr4.SupervisorExecutionPrevention) != 0);
            case PageAccess.Write when (rights & Writable) == 0 && (s->System.Cr0 & Cr0.WriteProtect) != 0: return false;
            default: return !isUserPage || view == PageView.SupervisorAnywhere;
        }
    }

    // The instruction bit is reported only where fetches can be told apart (SDM Vol. 3, 4.7).
    private static uint Error(CpuState* s, PageAccess access, uint cause)
    {
        if (access == PageAccess.Write)
            return cause | PageFaults.Write;
        var tellsFetches = (s->System.Cr4 & Cr4.SupervisorExecutionPrevention) != 0
            || ((s->System.Cr4 & Cr4.PhysicalAddressExtension) != 0 && (s->System.Efer & Efer.NoExecuteEnable) != 0);
        return access == PageAccess.Fetch && tellsFetches ? cause | PageFaults.Fetch : cause;
    }

    // Where an entry is in the host; null where there is no memory. Entries are aligned, so they never cross a page.
    private static ulong* Entry(AddressSpace ram, ulong physical) =>
        (ram.Query(physical) & PagePermission.Read) != 0 ? (ulong*)ram.HostAt(physical) : null;

    private static void Mark(AddressSpace ram, ulong* entry, ulong bits)
    {
        if ((*entry & bits) != bits && PrepareStore(ram, entry))
            Interlocked.Or(ref *entry, bits);
    }

    private static void Mark32(AddressSpace ram, uint* entry, uint bits)
    {
        if ((*entry & bits) != bits && PrepareStore(ram, entry))
            Interlocked.Or(ref *entry, bits);
    }

    // A store to the entry, as far as code made from its page is concerned. False in ROM, which ignores stores.
    private static bool PrepareStore(AddressSpace ram, void* entry)
    {
        var physical = (ulong)((byte*)entry - ram.Base);
        var page = ram.Query(physical);
        if ((page & PagePermission.Write) == 0)
            return false;
        if ((page & PagePermission.HasCode) != 0)
            ram.PrepareWrite(physical, sizeof(ulong));
        return true;
    }
}
