using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Interpretation;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Execution;

/// <summary>Makes blocks that were lifted elsewhere ready for the interpreter of an address space without paging. Not thread-safe.</summary>
internal sealed class BlockEncoder
{
    private readonly ThreadedEncoder _encoder = new(HandlerTable.Windowed);

    /// <summary>Prepares the ops, and gives what the interpreter executes for them; valid until the next call.</summary>
    public ReadOnlySpan<ThreadedOp> Encode(IrBlock block)
    {
        DispatchSelector.Prepare(block.Ops);
        return _encoder.Encode(block);
    }
}
