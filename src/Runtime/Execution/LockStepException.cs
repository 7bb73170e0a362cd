using System.Text;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;
using Iced.Intel;

namespace DynaTrans.Runtime.Execution;

/// <summary>Interpreter and translator came to different results for a block (<c>--verify</c>).</summary>
public sealed unsafe class LockStepException : Exception
{
    internal LockStepException(Block* block, AddressSpace memory, IReadOnlyList<LockStepItem> items)
        : base($"interpreter and translator differ in the block at 0x{block->Start:x}")
    {
        Items = [.. items];
        Report = Describe(block, memory);
    }

    /// <summary>What differs.</summary>
    public IReadOnlyList<LockStepItem> Items { get; }

    /// <summary>The block's guest assembly and IR, and what differs, as text of several lines.</summary>
    public string Report { get; }

    private string Describe(Block* block, AddressSpace memory)
    {
        var text = new StringBuilder();
        text.AppendLine($"{Message}:");
        var bytes = new byte[block->ByteLength];
        var length = memory.Read(block->Physical, bytes);
        var mode = (GuestMode)block->Mode;
        var decoder = Iced.Intel.Decoder.Create(mode.Bitness(), new ByteArrayCodeReader(bytes, 0, length));
        decoder.IP = block->Start;
        var formatter = new GuestFormatter();
        var ops = Block.Ops(block);
        var op = 0;
        for (var i = 0; i < block->InstructionCount; i++)
        {
            decoder.Decode(out var instruction);
            text.AppendLine($"  {instruction.IP:x}: {formatter.Format(instruction)}");
            for (; op < block->OpCount && ops[op].Insn <= i; op++)
                text.AppendLine($"      {IrPrinter.Op(ops[op], block->Taken, block->Next)}");
        }

        foreach (var item in Items)
            text.AppendLine($"  {item.Name}: interpreter {item.Interpreted}, translator {item.Translated}");
        return text.ToString();
    }
}
