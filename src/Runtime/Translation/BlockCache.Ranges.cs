using System.Diagnostics;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Paging;

namespace DynaTrans.Runtime.Translation;

/// <content>
/// Translations of code that was never lifted here. Blocks without ops stand for them: one for each piece of code within a page, which is
/// entered under its page only, so that a change of the code is noticed; and one for each entry that the dispatcher was looking for, which is
/// in the table only.
/// </content>
public sealed unsafe partial class BlockCache
{
    // One for all blocks would do: what matters is that it is never reached by counting.
    private const int HeatOfEntry = int.MaxValue / 2;

    /// <summary>
    /// Compares ranges of code with what the guest has at their addresses, and enters them when all are the same. Under the memory's lock.
    /// </summary>
    /// <param name="ranges">The ranges.</param>
    /// <param name="mode">The mode of the code.</param>
    /// <param name="mmu">The vCPU's paging unit, or null.</param>
    /// <param name="owner">What the translator finds the translation by when the code changes (<see cref="Block.Taken"/> of the blocks).</param>
    /// <param name="suspect">
    /// The range that differed last time, or -1: it is compared first, so that a translation that does not apply costs little to refuse again.
    /// </param>
    /// <param name="entered">Receives the blocks.</param>
    /// <param name="pages">Receives linear and physical address of each page, once.</param>
    public CodeRangeResult TryEnter(
        ReadOnlySpan<CodeRange> ranges, GuestMode mode, Mmu? mmu, uint owner, ref int suspect, List<nint> entered, List<(ulong Linear, ulong Physical)> pages)
    {
        Debug.Assert(Memory.Lock.IsHeldByCurrentThread);
        if (suspect >= 0 && !IsSame(ranges[suspect], mode, mmu))
            return CodeRangeResult.Differs;

        // Pages are marked only when their bytes are the same, for a mark makes stores slow; and what counts is what they are after that.
        if (!AreSame(ranges, mode, mmu, ref suspect))
            return CodeRangeResult.Differs;
        var mustWait = false;
        foreach (var range in ranges)
            foreach (var piece in new Pieces(range, mode))
                if (TryLocate(piece.Linear, mmu, out var physical))
                    mustWait |= Protect(physical);
        if (mustWait)
            return CodeRangeResult.MustWait;
        if (!AreSame(ranges, mode, mmu, ref suspect))
        {
            foreach (var range in ranges)
                foreach (var piece in new Pieces(range, mode))
                    if (TryLocate(piece.Linear, mmu, out var physical))
                        Settle(physical);
            return CodeRangeResult.Differs;
        }

        suspect = -1;
        foreach (var range in ranges)
        {
            foreach (var piece in new Pieces(range, mode))
            {
                TryLocate(piece.Linear, mmu, out var physical);
                entered.Add((nint)NewPiece(piece.Linear, physical, piece.Length, owner));
                var page = (piece.Linear & ~(AddressSpace.PageSize - 1UL), physical & ~(AddressSpace.PageSize - 1UL));
                if (pages.Count == 0 || pages[^1] != page)
                    pages.Add(page);
            }
        }

        mmu?.Refresh();
        return CodeRangeResult.Entered;
    }

    /// <summary>Takes out what was entered for a translation that is not used any more. Under the memory's lock.</summary>
    public void Leave(IEnumerable<nint> entered)
    {
        foreach (var piece in entered)
        {
            var block = (Block*)piece;
            if (block->Valid == 0)
                continue;
            block->Valid = 0;
            _pages.Remove(block);
        }
    }

    /// <summary>Makes a block for an entry of a translation whose code is entered. Under the memory's lock.</summary>
    /// <param name="rip">Where the code is entered.</param>
    /// <param name="context">Its context.</param>
    /// <param name="mode">Its mode.</param>
    /// <param name="linear">Linear address of its first byte.</param>
    /// <param name="physical">Its address in the address space.</param>
    /// <param name="code">The entry cell.</param>
    public Block* NewEntry(ulong rip, ushort context, GuestMode mode, ulong linear, ulong physical, EntryCell* code)
    {
        Debug.Assert(Memory.Lock.IsHeldByCurrentThread);
        var block = NewBlock(rip, linear, physical, 1);
        block->Mode = (ushort)mode;
        block->Context = block->Threaded->Context = context;
        block->Code = (nint)code;
        block->CompileState = CompileState.Entry;
        block->Heat = HeatOfEntry;
        _table.Add(block);
        return block;
    }

    /// <summary>Takes an entry without ops out: its translation is gone, or its ops are needed. The address is looked for anew. Under the memory's lock.</summary>
    public void Retire(Block* entry)
    {
        Debug.Assert(Memory.Lock.IsHeldByCurrentThread && !entry->HasOps);
        entry->Valid = 0;
    }

    /// <summary>Where code at a linear address lies in the address space; false when it cannot be fetched from memory.</summary>
    public bool TryLocate(ulong linear, Mmu? mmu, out ulong physical)
    {
        physical = linear;
        return (mmu == null || mmu.TryFindCode(linear, out physical)) && (Memory.Query(physical) & PagePermission.Execute) != 0;
    }

    /// <summary>Calls a function for every valid block with ops. Under the memory's lock.</summary>
    public void ForEach(Action<nint> action)
    {
        Debug.Assert(Memory.Lock.IsHeldByCurrentThread);
        _table.ForEach(block =>
        {
            if (((Block*)block)->HasOps)
                action(block);
        });
    }

    /// <summary>Copies the bytes that a block was made from. They have not changed yet; under the memory's lock.</summary>
    /// <param name="block">The block.</param>
    /// <param name="bytes">Receives <see cref="Block.ByteLength"/> bytes.</param>
    public void CopyBytes(Block* block, Span<byte> bytes)
    {
        var length = block->ByteLength;
        var inFirst = (int)Math.Min((ulong)length, AddressSpace.PageSize - (block->Physical % AddressSpace.PageSize));
        new ReadOnlySpan<byte>(Memory.HostAt(block->Physical), inFirst).CopyTo(bytes);
        if (inFirst < length)
            new ReadOnlySpan<byte>(Memory.HostAt(block->LastPage * AddressSpace.PageSize), length - inFirst).CopyTo(bytes[inFirst..]);
    }

    private bool AreSame(ReadOnlySpan<CodeRange> ranges, GuestMode mode, Mmu? mmu, ref int suspect)
    {
        for (var i = 0; i < ranges.Length; i++)
        {
            if (IsSame(ranges[i], mode, mmu))
                continue;
            suspect = i;
            return false;
        }

        return true;
    }

    private bool IsSame(in CodeRange range, GuestMode mode, Mmu? mmu)
    {
        foreach (var piece in new Pieces(range, mode))
            if (!TryLocate(piece.Linear, mmu, out var physical)
                || !new ReadOnlySpan<byte>(Memory.HostAt(physical), piece.Length).SequenceEqual(new ReadOnlySpan<byte>(piece.Bytes, piece.Length)))
                return false;
        return true;
    }

    private Block* NewPiece(ulong linear, ulong physical, int length, uint owner)
    {
        var block = NewBlock(linear, linear, physical, length);
        block->Taken = owner;
        block->Context = block->Threaded->Context = CodeContexts.None;
        _pages.Add(block);
        return block;
    }

    // Without ops, within a page.
    private Block* NewBlock(ulong start, ulong linear, ulong physical, int length)
    {
        var block = (Block*)Allocate(sizeof(Block));
        *block = default;
        block->Start = start;
        block->Next = start + (ulong)length;
        block->Linear = linear;
        block->Physical = physical;
        block->LastPage = physical / AddressSpace.PageSize;
        Join(block, (ThreadedBlock*)_threaded.Allocate(sizeof(ThreadedBlock)));
        return block;
    }

    // A range page by page.
    private ref struct Pieces(in CodeRange range, GuestMode mode)
    {
        private readonly CodeRange _range = range;
        private readonly bool _is64 = mode.Is64();
        private int _next;
        private CodeRange _piece;

        public readonly CodeRange Current => _piece;

        public readonly Pieces GetEnumerator() => this;

        public bool MoveNext()
        {
            if (_next >= _range.Length)
                return false;
            var linear = _range.Linear + (ulong)_next;
            if (!_is64)
                linear = (uint)linear;
            var length = (int)Math.Min((ulong)(_range.Length - _next), AddressSpace.PageSize - (linear % AddressSpace.PageSize));
            _piece = new CodeRange { Linear = linear, Bytes = _range.Bytes + _next, Length = length };
            _next += length;
            return true;
        }
    }
}
