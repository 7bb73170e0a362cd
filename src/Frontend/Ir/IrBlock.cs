using DynaTrans.Frontend.Decoding;
using Iced.Intel;

namespace DynaTrans.Frontend.Ir;

/// <summary>
/// A basic block as lifted: one entry, ops in order, the last op ends it. Objects of this class are work space of the lifter, reused
/// from block to block; executors copy what they keep.
/// </summary>
public sealed class IrBlock
{
    /// <summary>The longest block, in guest instructions.</summary>
    public const int MaxInstructions = 64;

    private IrOp[] _ops = new IrOp[512];

    /// <summary>The mode the bytes were decoded in.</summary>
    public GuestMode Mode { get; set; }

    /// <summary>RIP of the first instruction.</summary>
    public ulong Start { get; set; }

    /// <summary>RIP of the byte after the last instruction: where execution goes on when no jump is taken.</summary>
    public ulong Next { get; set; }

    /// <summary>Target of the direct jump that ends the block, if one does.</summary>
    public ulong Taken { get; set; }

    /// <summary>Number of ops.</summary>
    public int Count { get; private set; }

    /// <summary>Number of guest instructions.</summary>
    public int InstructionCount { get; set; }

    /// <summary>The decoded guest instructions; <see cref="InstructionCount"/> are valid.</summary>
    public Instruction[] Instructions { get; } = new Instruction[MaxInstructions];

    /// <summary>The ops.</summary>
    public Span<IrOp> Ops => _ops.AsSpan(0, Count);

    /// <summary>RIP of instruction <paramref name="index"/>.</summary>
    public ulong AddressOf(int index) => Instructions[index].IP;

    /// <summary>True when the block ends with a call: its return address is <see cref="Next"/>.</summary>
    public bool EndsWithCall { get; set; }

    /// <summary>An instruction of it was lifted as #UD because of <see cref="GuestMode.NoSse"/>.</summary>
    public bool LacksSse { get; set; }

    /// <summary>Empties the block.</summary>
    public void Clear()
    {
        Count = 0;
        InstructionCount = 0;
        Taken = 0;
        EndsWithCall = false;
        LacksSse = false;
    }

    /// <summary>Becomes a copy of a block that was lifted before. Of its instructions only lengths and addresses are known.</summary>
    public void Assign(LiftedBlock block)
    {
        Clear();
        (Mode, Start, Next, Taken, EndsWithCall, LacksSse) = block.Block;
        if (_ops.Length < block.Ops.Length)
            Array.Resize(ref _ops, block.Ops.Length);
        block.Ops.CopyTo(_ops, 0);
        Count = block.Ops.Length;
        var next = Start;
        foreach (var length in block.Lengths)
        {
            next += length;
            Instructions[InstructionCount++] = new Instruction { Length = length, NextIP = next };
        }
    }

    /// <summary>Appends an op and returns a reference to it, valid until the next append.</summary>
    public ref IrOp Append()
    {
        if (Count == _ops.Length)
            Array.Resize(ref _ops, _ops.Length * 2);
        ref var op = ref _ops[Count++];
        op = default;
        return ref op;
    }

    /// <summary>Drops ops from <paramref name="count"/> on.</summary>
    public void Truncate(int count) => Count = Math.Min(Count, count);
}
