
namespace DynaTrans.Frontend.Ir;

/// <summary>A block as it was lifted, and optimised, once: it is the same wherever the same bytes lie at the same RIP. Immutable.</summary>
/// <param name="Block">What it was made of: RIP, mode, ends.</param>
/// <param name="Code">Its bytes.</param>
/// <param name="Ops">Its ops.</param>
/// <param name="Lengths">Lengths of its instructions.</param>
public sealed record LiftedBlock(LiftedBlockEnds Block, byte[] Code, IrOp[] Ops, byte[] Lengths)
{
    // Of objects and arrays, in a 64-bit runtime, about.
    private const int Overhead = 200;

    /// <summary>Bytes of memory, about.</summary>
    internal unsafe int Size => Overhead + Code.Length + Lengths.Length + (Ops.Length * sizeof(IrOp));

    /// <summary>The next one at the same RIP, made from other bytes.</summary>
    internal LiftedBlock? Other { get; init; }

    /// <summary>A copy of a block in the lifter's work space.</summary>
    /// <param name="block">The block.</param>
    /// <param name="code">Its bytes.</param>
    public static LiftedBlock Of(IrBlock block, ReadOnlySpan<byte> code)
    {
        var lengths = new byte[block.InstructionCount];
        for (var i = 0; i < lengths.Length; i++)
            lengths[i] = (byte)block.Instructions[i].Length;
        return new LiftedBlock(
            new LiftedBlockEnds(block.Mode, block.Start, block.Next, block.Taken, block.EndsWithCall, block.LacksSse),
            code[..(int)(block.Next - block.Start)].ToArray(), block.Ops.ToArray(), lengths);
    }
}

/// <summary>Where a block begins and ends; see <see cref="IrBlock"/>.</summary>
/// <param name="Mode">Its mode.</param>
/// <param name="Start">RIP of the first instruction.</param>
/// <param name="Next">RIP after the last one.</param>
/// <param name="Taken">Target of its direct jump.</param>
/// <param name="EndsWithCall">It ends with a call.</param>
/// <param name="LacksSse">It was lifted differently because SSE was off.</param>
public readonly record struct LiftedBlockEnds(
    Decoding.GuestMode Mode, ulong Start, ulong Next, ulong Taken, bool EndsWithCall = false, bool LacksSse = false);
