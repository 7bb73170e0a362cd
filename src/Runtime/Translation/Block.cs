using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Translation;

/// <summary>What the translator has done with a block.</summary>
public enum CompileState : byte
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Code is requested.</summary>
    Requested,

    /// <summary>It is an entry of translated code.</summary>
    Entry,

    /// <summary>It was an entry of code that is gone.</summary>
    LostEntry,

    /// <summary>To make code of it failed by an error of the translator: it is not tried again.</summary>
    Failed,
}

/// <summary>
/// A lifted block in the block cache, in unmanaged memory: this header, the ops, for each op the window that its accesses were seen in, then
/// one byte per guest instruction (its length). What the interpreter goes by lies apart (<see cref="ThreadedBlock"/>).
/// </summary>
public unsafe struct Block
{
    /// <summary>Stands for more than one window in <see cref="Windows"/>.</summary>
    public const ushort SeveralWindows = ushort.MaxValue;

    /// <summary>RIP of the first instruction (an offset in CS).</summary>
    public ulong Start;

    /// <summary>RIP after the last instruction.</summary>
    public ulong Next;

    /// <summary>Target of the direct jump at the end.</summary>
    public ulong Taken;

    /// <summary>Linear address of the first byte (Start plus the base of CS).</summary>
    public ulong Linear;

    /// <summary>Address of the first byte in the address space: the linear one, or with paging the guest-physical one.</summary>
    public ulong Physical;

    /// <summary>Number of the page, in the address space, of the last byte. A block lies in two pages at most.</summary>
    public ulong LastPage;

    /// <summary>The part that the interpreter goes by.</summary>
    public ThreadedBlock* Threaded;

    /// <summary>The <see cref="EntryCell"/> of translated code for this address, or 0.</summary>
    public nint Code;

    /// <summary>Number of ops.</summary>
    public int OpCount;

    /// <summary>Number of guest instructions.</summary>
    public ushort InstructionCount;

    /// <summary>GuestMode.</summary>
    public ushort Mode;

    /// <summary>Number of its code context (<see cref="CodeContexts"/>).</summary>
    public ushort Context;

    /// <summary>The block ends with a call; <see cref="Next"/> is its return address.</summary>
    public byte EndsWithCall;

    /// <summary>What has become of it in the translator.</summary>
    public CompileState CompileState;

    /// <summary>
    /// The x87 stack when a translation was requested (<see cref="X87State.Stack"/>): what the translation expects. 0, the
    /// empty stack, when it was not.
    /// </summary>
    public uint X87Stack;

    /// <summary>Translated callers enter it so often that it is worth copying into them.</summary>
    public bool IsHotCallee;

    /// <summary>It is executed in runs with an instruction budget (<see cref="CodeContext.IsBudgeted"/>).</summary>
    public bool IsBudgeted;

    /// <summary>Entries counted before <see cref="Heat"/> was set back.</summary>
    public int PastHeat;

    /// <summary>Where its indirect jump or call has gone in the interpreter; null when nothing is known.</summary>
    public IndirectTargets* Targets;

    /// <summary>Times entered by the interpreter since the last decision about compiling it.</summary>
    public readonly int Heat
    {
        get => Threaded->Heat;
        set => Threaded->Heat = value;
    }

    /// <summary>0 when the bytes it was made from have changed: it must not be entered.</summary>
    public readonly byte Valid
    {
        get => Threaded->Valid;
        set => Threaded->Valid = value;
    }

    /// <summary>Times entered by the interpreter so far, about.</summary>
    public readonly int Hotness => PastHeat + Math.Max(0, Heat);

    /// <summary>Sets the counter back, so that the next decision comes later; <see cref="Hotness"/> does not forget.</summary>
    public void SetHeat(int value)
    {
        PastHeat = Math.Min(Hotness, int.MaxValue / 4) - Math.Max(0, value);
        Heat = value;
    }

    /// <summary>
    /// False for one that stands for a translation of code that was not lifted: it must not be interpreted, nor be part of a region.
    /// </summary>
    public readonly bool HasOps => OpCount != 0;

    /// <summary>Number of the page of the first byte.</summary>
    public readonly ulong FirstPage => Physical / Memory.AddressSpace.PageSize;

    /// <summary>Address of the last byte in the address space.</summary>
    public readonly ulong Last => (LastPage * Memory.AddressSpace.PageSize) + ((Linear + (ulong)ByteLength - 1) % Memory.AddressSpace.PageSize);

    /// <summary>Bytes of guest code.</summary>
    public readonly int ByteLength => (int)(Next - Start);

    /// <summary>The ops of a block.</summary>
    public static IrOp* Ops(Block* block) => (IrOp*)(block + 1);

    /// <summary>
    /// For each op the window beyond the main one that its accesses were seen in (the index in <see cref="Memory.AddressSpace.Windows"/>); 0 when
    /// none was seen, <see cref="SeveralWindows"/> when more than one.
    /// </summary>
    public static ushort* Windows(Block* block) => (ushort*)(Ops(block) + block->OpCount);

    /// <summary>Notes the window, beyond the main one, of an access of one of a block's ops.</summary>
    public static void NoteWindow(Block* block, IrOp* op, int window)
    {
        ref var seen = ref Windows(block)[op - Ops(block)];
        seen = JoinWindows(seen, (ushort)window);
    }

    /// <summary>What is noted when accesses were seen in both windows.</summary>
    public static ushort JoinWindows(ushort a, ushort b) => a == 0 || a == b ? b : b == 0 ? a : SeveralWindows;

    /// <summary>Lengths of the guest instructions.</summary>
    public static byte* Lengths(Block* block) => (byte*)(Windows(block) + block->OpCount);

    /// <summary>RIP of instruction <paramref name="index"/>.</summary>
    public static ulong AddressOf(Block* block, int index)
    {
        var address = block->Start;
        for (var i = 0; i < index; i++)
            address += Lengths(block)[i];
        return address;
    }
}
