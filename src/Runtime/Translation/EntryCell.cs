using System.Diagnostics;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Translation;

/// <summary>
/// One per guest address and code context that translated code may go to: the only thing a direct jump between translations refers to. It holds the
/// region's links and the number of the entry in its code, in one word, so that a vCPU always reads a pair that belongs together; linking, unlinking and
/// replacing are one store. Cells live as long as their block cache.
/// </summary>
public unsafe struct EntryCell
{
    /// <summary>Bits of <see cref="Target"/> that are an address.</summary>
    public const int AddressBits = 48;

    /// <summary>
    /// Address of the <see cref="RegionLinks"/> of the code in bits 47:0 (never 0: <see cref="RegionLinks.Stub"/> returns to the dispatcher), entry
    /// number above. The code gets the word as its third argument.
    /// </summary>
    public ulong Target;

    /// <summary>The guest address (RIP).</summary>
    public ulong Rip;

    /// <summary>Number of its code context (<see cref="CodeContexts"/>).</summary>
    public ushort Context;

    /// <summary>
    /// The same place for jumps from inside the region that holds it: <see cref="Inside"/>, or 0 when there is no code. One word, too: the
    /// entry's number means something only together with the region's.
    /// </summary>
    public ulong Local;

    /// <summary>
    /// With paging: the code generation (<see cref="ExecutionState.CodeGeneration"/>, or the global one for supervisor code) in which the pages of the
    /// code were last compared. The code is left at once in any other.
    /// </summary>
    public uint Generation;

    /// <summary>With paging: the block that the code was made from. Others at the address may come from other pages.</summary>
    public Block* Source;

    /// <summary>Bits of <see cref="Local"/> that are the entry number.</summary>
    public const int EntryBits = 16;

    /// <summary>Number of the region that holds the code; 0 when there is none.</summary>
    public readonly uint Region => (uint)(Local >> EntryBits);

    /// <summary>The value of <see cref="Local"/> for an entry (below 65,536) of a region.</summary>
    public static ulong Inside(uint region, int entry)
    {
        Debug.Assert(entry is >= 0 and < 1 << EntryBits && region != 0, $"entry {entry} of region {region}");
        return ((ulong)region << EntryBits) | (uint)entry;
    }

    /// <summary>Packs a target.</summary>
    public static ulong Pack(RegionLinks* links, int entry)
    {
        Debug.Assert(links != null && (ulong)links >> AddressBits == 0 && entry is >= 0 and < 1 << (64 - AddressBits), $"links 0x{(nint)links:x}, entry {entry}");
        return (ulong)links | ((ulong)(uint)entry << AddressBits);
    }

    /// <summary>Runs code from a cell until it returns to the dispatcher.</summary>
    public static void Enter(CpuState* state, EntryCell* cell)
    {
        var target = Volatile.Read(ref cell->Target);
        var links = (RegionLinks*)(target & ((1UL << AddressBits) - 1));
        Debug.Assert(links != null, "a cell leads to code or to the stub");
        ((delegate*<CpuState*, EntryCell*, nint, void>)links->Code)(state, cell, (nint)target);
    }

    /// <summary>What a cell without code leads to: back to the dispatcher with RIP at the cell's address.</summary>
    public static void ReturnToDispatcher(CpuState* state, EntryCell* cell, nint target) =>
        state->Slots[Frontend.Ir.Slot.Rip] = cell->Rip;
}

/// <summary>A line of a vCPU's cache from guest address and code context to cell, for indirect jumps of translated code.</summary>
public unsafe struct EntryCacheLine
{
    /// <summary>Number of lines; a power of two.</summary>
    public const int Count = 8192;

    /// <summary>Where the code context lies in a tag.</summary>
    public const int ContextShift = 48;

    /// <summary>Times the context gives what is added to an address to find its line: code segments with the same offsets keep apart.</summary>
    public const int ContextStep = 2531;

    /// <summary>
    /// The guest address, with the context in its upper 16 bits (<see cref="TagOf"/>). They are spare in a canonical address, and no other
    /// can be the target of a jump: it faults at the jump. So no two pairs have the same tag.
    /// </summary>
    public ulong Tag;

    /// <summary>Its cell; null when the line is empty.</summary>
    public EntryCell* Cell;

    /// <summary>The line of an address: in context 0 its low bits, which is all that indirect jumps have to work out.</summary>
    public static int IndexOf(ulong rip, ushort context) => (int)((rip + ((ulong)context * ContextStep)) & (Count - 1));

    /// <summary>What a line holds for an address: in context 0 the address.</summary>
    public static ulong TagOf(ulong rip, ushort context) => rip ^ ((ulong)context << ContextShift);
}

/// <summary>
/// What is known beside the code about a place where translated code may leave: together with the registers that the exit stores, it makes
/// the state exact. In unmanaged memory.
/// </summary>
public unsafe struct FaultSite
{
    /// <summary>RIP of the instruction.</summary>
    public ulong Rip;

    /// <summary>Where the flags are; the slots that it names are in the state.</summary>
    public FlagsForm Flags;

    /// <summary>Not 0: the site is for what a loop needs, tested before it; RIP is that of the loop's head.</summary>
    public byte IsBeforeLoop;

    /// <summary>Instructions of the block from this one on: they were counted but not executed.</summary>
    public int NotExecuted;

    /// <summary>Times the code left here because an access needed the slow path.</summary>
    public int SlowExits;

    /// <summary>Number of the region that the site belongs to.</summary>
    public uint Region;

    /// <summary>Makes the state exact after translated code left at this site.</summary>
    public static void Repair(CpuState* s)
    {
        var site = (FaultSite*)s->Execution.FaultSite;
        Debug.Assert(site != null && site->NotExecuted >= 0 && (ulong)site->NotExecuted <= s->Execution.InstructionCount, "what a site says was counted");
        s->Execution.FaultSite = 0;
        s->Slots[Frontend.Ir.Slot.Rip] = site->Rip;
        s->Execution.InstructionCount -= (ulong)site->NotExecuted;
        site->Flags.Apply(s);
    }
}
