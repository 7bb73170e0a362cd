namespace DynaTrans.Runtime.Translation;

/// <summary>
/// What the interpreter touches of a block in the cache: this header, and the ops behind it. It lies apart from the rest (<see cref="Block"/>),
/// so that more of the code that a program goes through fits the host's caches.
/// </summary>
public unsafe struct ThreadedBlock
{
    /// <summary>
    /// The block last found at <see cref="Block.Taken"/>, or that an indirect jump last went to; to be entered only while it is <see cref="Valid"/>. Never null.
    /// </summary>
    public ThreadedBlock* TakenLink;

    /// <summary>The block last found at <see cref="Block.Next"/>. Never null.</summary>
    public ThreadedBlock* NextLink;

    /// <summary>The rest of the block.</summary>
    public Block* Block;

    /// <summary>RIP of the first instruction.</summary>
    public ulong Start;

    /// <summary>Times entered by the interpreter since the last decision about compiling it.</summary>
    public int Heat;

    /// <summary>Number of its code context (<see cref="CodeContexts"/>).</summary>
    public ushort Context;

    /// <summary>Number of guest instructions.</summary>
    public byte InstructionCount;

    /// <summary>0 when the bytes it was made from have changed: it must not be entered.</summary>
    public byte Valid;

    /// <summary>A block that is never valid: where links lead that are not made yet.</summary>
    public static ThreadedBlock* None { get; } = MakeNone();

    /// <summary>The first op of a block.</summary>
    public static ThreadedOp* Ops(ThreadedBlock* block) => (ThreadedOp*)(block + 1);

    private static ThreadedBlock* MakeNone()
    {
        var none = (ThreadedBlock*)System.Runtime.InteropServices.NativeMemory.AllocZeroed((nuint)sizeof(ThreadedBlock));
        none->TakenLink = none->NextLink = none;
        return none;
    }
}
