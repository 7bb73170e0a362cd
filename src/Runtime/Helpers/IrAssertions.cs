using System.Diagnostics;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.Runtime.Helpers;

/// <summary>Asserts, in debug builds, that ops are what executors rely on (<see cref="IrVerifier"/>). Not while guest code runs.</summary>
public static class IrAssertions
{
    /// <summary>The first violation in a block, by what the helper table says of helpers; null when there is none.</summary>
    public static string? FirstViolation(IrBlock block) => IrVerifier.FirstViolation(block, MayFault, EndsBlock);

    /// <summary>Asserts that a block is valid.</summary>
    [Conditional("DEBUG")]
    public static void Valid(IrBlock block)
    {
        if (FirstViolation(block) is { } violation)
            Debug.Fail(violation, IrPrinter.Block(block));
    }

    /// <summary>Asserts that the ops of a block are valid.</summary>
    /// <param name="ops">The ops.</param>
    /// <param name="mode">The mode of the block.</param>
    /// <param name="instructionCount">Number of its guest instructions.</param>
    [Conditional("DEBUG")]
    public static void Valid(ReadOnlySpan<IrOp> ops, GuestMode mode, int instructionCount)
    {
        if (IrVerifier.FirstViolation(ops, mode, instructionCount, MayFault, EndsBlock) is { } violation)
            Debug.Fail(violation);
    }

    // What MmxEnter raises was found before by MmxClearTop when it follows the store of an MMX register.
    private static bool MayFault(HelperId id) => id != HelperId.MmxEnter && (HelperTable.Effects(id) & HelperEffects.MayFault) != 0;

    private static bool EndsBlock(HelperId id) => (HelperTable.Effects(id) & HelperEffects.ChangesContext) != 0;
}
