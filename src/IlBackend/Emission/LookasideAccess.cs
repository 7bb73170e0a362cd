using System.Reflection.Emit;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// Accesses by the vCPU's table of pages (<see cref="TranslationLookaside"/>). The entry is that of the first byte; its tag is compared with the
/// page of the last byte, so that an access that crosses into another page fails the test, and so does one that wraps around. Each access has
/// a test of its own. Where a test fails, the page is entered in the table and the access is done the slow way.
/// </summary>
internal sealed class LookasideAccess(EmitContext context, AddressEmitter addresses) : HostAccess(context)
{
    private const long PageMask = -AddressSpace.PageSize;

    // Of operands that must be aligned (#GP).
    private const int Alignment = 16;

    private static readonly int ReadTag = OffsetOf(nameof(LookasideEntry.ReadTag));
    private static readonly int WriteTag = OffsetOf(nameof(LookasideEntry.WriteTag));
    private static readonly int Addend = OffsetOf(nameof(LookasideEntry.Addend));

    /// <inheritdoc/>
    public override void EmitEntry()
    {
        LoadField(nameof(ExecutionState.Lookaside), OpCodes.Ldind_I);
        StLoc(Locals.Memory);
    }

    /// <inheritdoc/>
    public override bool CallsSlowPath => true;

    /// <inheritdoc/>
    public override bool EmitCheck(in IrOp op, int slow)
    {
        addresses.PushLinear(op);
        StLoc(Locals.Ea);
        var isAligned = (op.Attr & IrAttr.Aligned) != 0;
        EmitTest(CheckPlan.IsWrite(op) ? WriteTag : ReadTag, isAligned ? 0 : op.Size - 1, isAligned ? PageMask | (Alignment - 1) : PageMask, slow);
        return true;
    }

    /// <inheritdoc/>
    public override void PushHostAddress(in IrOp op) => PushReadAddress();

    /// <inheritdoc/>
    public override void EmitLoopCheck(AccessCheck check, int slow) =>
        throw new InvalidOperationException("tests by the lookaside table are not made ahead of time");

    /// <inheritdoc/>
    public override void EmitReadCheck(int size, int slow) => EmitTest(ReadTag, size - 1, PageMask, slow);

    /// <inheritdoc/>
    public override void PushReadAddress()
    {
        PushOfEntry(Addend, OpCodes.Ldind_I);
        LdLoc(Locals.Ea);
        Il.Emit(OpCodes.Conv_I);
        Il.Emit(OpCodes.Add);
    }

    /// <inheritdoc/>
    public override void EmitMiss()
    {
        // A paging unit enters what it translates for the slow access.
        if (Options.IsPaged)
            return;
        Il.Emit(OpCodes.Ldarg_0);
        LdLoc(Locals.Ea);
        Il.EmitCall(EmitSupport.Method(nameof(EmitSupport.FillLookaside)));
    }

    private static int OffsetOf(string field) => (int)Marshal.OffsetOf<LookasideEntry>(field);

    // Compares the tag of the entry of Ea with some bits of Ea + offset. The entry's address stays in Page.
    private void EmitTest(int tag, int offset, long mask, int slow)
    {
        const int bits = TranslationLookaside.EntryBits;
        LdLoc(Locals.Ea);
        Ldc4(TranslationLookaside.PageBits - bits);
        Il.Emit(OpCodes.Shr_Un);
        Ldc(((1L << TranslationLookaside.CountBits) - 1) << bits);
        Il.Emit(OpCodes.And);
        LdLoc(Locals.Memory);
        Il.Emit(OpCodes.Conv_U8);
        Il.Emit(OpCodes.Add);
        StLoc(Locals.Page);
        PushOfEntry(tag, OpCodes.Ldind_I8);
        LdLoc(Locals.Ea);
        if (offset != 0)
        {
            Ldc((long)offset);
            Il.Emit(OpCodes.Add);
        }

        Ldc(mask);
        Il.Emit(OpCodes.And);
        Il.EmitBranch(OpCodes.Bne_Un, slow);
    }

    private void PushOfEntry(int offset, OpCode load)
    {
        LdLoc(Locals.Page);
        Il.Emit(OpCodes.Conv_I);
        if (offset != 0)
        {
            Ldc4(offset);
            Il.Emit(OpCodes.Add);
        }

        Il.Emit(load);
    }
}
