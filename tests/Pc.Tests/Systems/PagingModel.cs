using System.Buffers.Binary;

namespace DynaTrans.Pc.Tests.Systems;

/// <summary>What paging may make of an access: a physical address, or a page fault with an error code.</summary>
/// <param name="IsFault">It faults.</param>
/// <param name="Error">The error code of the fault.</param>
/// <param name="Physical">The address when it does not fault.</param>
internal readonly record struct PagingOutcome(bool IsFault, uint Error, ulong Physical);

/// <summary>The format of the tables.</summary>
public enum PagingFormat
{
    /// <summary>32-bit paging with 4 MiB pages.</summary>
    Bits32,

    /// <summary>PAE with no-execute; its model begins at the page directory, for the registers above it do not change.</summary>
    Pae,

    /// <summary>4-level paging with no-execute.</summary>
    FourLevel,
}

/// <summary>A translation that a processor may keep: what its entries said when it was made.</summary>
/// <param name="Frame">Physical address of the page's first byte.</param>
/// <param name="Rights">W (2), U (4) of all levels, and NX (bit 63).</param>
/// <param name="IsGlobal">It survives loads of CR3.</param>
/// <param name="IsReserved">An entry has a reserved bit set: a fault, which is not kept (SDM Vol. 3, 4.10.2.3).</param>
internal readonly record struct KeptTranslation(ulong Frame, ulong Rights, bool IsGlobal, bool IsReserved);

/// <summary>
/// Paging as the manual tells it (SDM Vol. 3, chapter 4), slow and obvious: walks the tables in a copy of memory, and remembers for each page what a
/// processor may still believe of it because nobody has invalidated it.
/// </summary>
internal sealed class PagingModel(byte[] memory, PagingFormat format, ulong root)
{
    private const ulong Present = 1, Writable = 2, User = 4, Accessed = 0x20, Dirty = 0x40, Large = 0x80, Global = 0x100, NoExecute = 1UL << 63;
    private const ulong AddressBits = 0x000F_FFFF_FFFF_F000;

    // What cpuid 80000008h says is 39 bits; of a large page also the bits between PAT and its address.
    private const ulong Reserved = ((1UL << 52) - 1) & ~((1UL << 39) - 1), ReservedPae = Reserved | (0x7FFUL << 52), ReservedLarge = 0x1F_E000, ReservedLarge32 = 0x3F_E000;

    private readonly Dictionary<ulong, HashSet<KeptTranslation>> _kept = [];

    /// <summary>CR0.WP.</summary>
    public bool ProtectsWrites { get; set; }

    /// <summary>CR4.SMEP.</summary>
    public bool PreventsExecution { get; set; }

    /// <summary>CR4.PGE.</summary>
    public bool HasGlobal { get; set; }

    private bool IsWide => format != PagingFormat.Bits32;

    private int EntrySize => IsWide ? 8 : 4;

    private ulong ReservedBits => format switch { PagingFormat.Pae => ReservedPae, PagingFormat.FourLevel => Reserved, _ => 0 };

    private int Levels => format == PagingFormat.FourLevel ? 4 : 2;

    /// <summary>
    /// The entries on the way to an address: physical addresses, the leaf last, or one with a reserved bit, where the way ends. Empty when a level is not present.
    /// </summary>
    public List<ulong> Path(ulong linear)
    {
        var path = new List<ulong>();
        var table = root;
        for (var level = Levels - 1; level >= 0; level--)
        {
            var bits = IsWide ? 9 : 10;
            var at = table + (((linear >> (12 + (level * bits))) & ((1UL << bits) - 1)) * (ulong)EntrySize);
            var entry = Read(at);
            path.Add(at);
            if ((entry & Present) == 0)
                return [];
            if ((entry & ReservedBits) != 0 || (level == 1 && (entry & Large) != 0))
                return path;
            table = entry & AddressBits;
        }

        return path;
    }

    /// <summary>The translation that the tables give now; null when there is none.</summary>
    public KeptTranslation? Walk(ulong linear)
    {
        var path = Path(linear);
        if (path.Count == 0)
            return null;
        var rights = Writable | User;
        ulong noExecute = 0, reserved = 0;
        foreach (var at in path)
        {
            var entry = Read(at);
            rights &= entry;
            noExecute |= IsWide ? entry & NoExecute : 0;
            reserved |= entry & ReservedBits;
        }

        var leaf = Read(path[^1]);
        var isLarge = path.Count < Levels;
        if (isLarge)
            reserved |= leaf & (IsWide ? ReservedLarge : ReservedLarge32);
        var span = isLarge ? IsWide ? 0x1F_FFFFUL : 0x3F_FFFF : 0xFFF;
        return new KeptTranslation(
            (leaf & AddressBits & ~span) | (linear & span & ~0xFFFUL), rights | noExecute, HasGlobal && (leaf & Global) != 0, reserved != 0);
    }

    /// <summary>To be called before an entry changes, with the pages that it maps: what was true of them may be believed on.</summary>
    public void Remember(IEnumerable<ulong> pages)
    {
        foreach (var page in pages)
            if (Walk(page) is { IsReserved: false } now)
            {
                if (!_kept.TryGetValue(page, out var kept))
                    _kept[page] = kept = [];
                kept.Add(now);
            }
    }

    /// <summary>invlpg, or a fault, of a page.</summary>
    public void Invalidate(ulong page) => _kept.Remove(page);

    /// <summary>A load of CR3 (not of global pages), or a change of CR4 (all).</summary>
    public void InvalidateAll(bool globalToo)
    {
        foreach (var kept in _kept.Values)
            kept.RemoveWhere(k => globalToo || !k.IsGlobal);
    }

    /// <summary>True when the processor must do as the tables say.</summary>
    public bool IsFresh(ulong page) => !_kept.TryGetValue(page, out var kept) || kept.Count == 0;

    /// <summary>All that may come of an access.</summary>
    public HashSet<PagingOutcome> Outcomes(ulong linear, bool isWrite, bool isFetch, bool isUser)
    {
        var error = (isWrite ? 2u : 0) | (isUser ? 4u : 0) | (isFetch && (PreventsExecution || IsWide) ? 16u : 0);
        var outcomes = new HashSet<PagingOutcome> { Walk(linear) is { } now ? Outcome(now) : new PagingOutcome(true, error, 0) };
        if (_kept.TryGetValue(linear & ~0xFFFUL, out var kept))
            foreach (var old in kept)
                outcomes.Add(Outcome(old));
        return outcomes;

        PagingOutcome Outcome(KeptTranslation t)
        {
            if (t.IsReserved)
                return new PagingOutcome(true, error | 9, 0);
            var isUserPage = (t.Rights & User) != 0;
            var isAllowed = isUser
                ? isUserPage && (!isWrite || (t.Rights & Writable) != 0)
                : (!isWrite || !ProtectsWrites || (t.Rights & Writable) != 0) && !(isFetch && PreventsExecution && isUserPage);
            isAllowed &= !isFetch || (t.Rights & NoExecute) == 0;
            return isAllowed ? new PagingOutcome(false, 0, t.Frame | (linear & 0xFFF)) : new PagingOutcome(true, error | 1, 0);
        }
    }

    /// <summary>Which bits an access may, and which it must, set in the entry at an address on the way to a page.</summary>
    public (ulong May, ulong Must) MarksOf(ulong linear, ulong entry, bool isWrite)
    {
        var path = Path(linear);
        if (!path.Contains(entry))
            return (0, 0);
        var marks = Accessed | (isWrite && entry == path[^1] ? Dirty : 0);
        return (marks, IsFresh(linear & ~0xFFFUL) ? marks : 0);
    }

    private ulong Read(ulong at) => at + 8 > (ulong)memory.Length ? 0
        : IsWide ? BinaryPrimitives.ReadUInt64LittleEndian(memory.AsSpan((int)at)) : BinaryPrimitives.ReadUInt32LittleEndian(memory.AsSpan((int)at));
}
