using System.Reflection.Emit;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// Accesses through the window: one test of the permission byte of the first page (and, in 64-bit code, one compare with the window), which
/// accesses of the same neighbourhood share (<see cref="CheckPlan"/>).
/// </summary>
internal sealed class WindowAccess(EmitContext context, AddressEmitter addresses) : HostAccess(context)
{
    // Of the access that was checked last: nothing is in a local, or the offset from the address of the check.
    private bool _direct;
    private long _fromChecked;

    /// <inheritdoc/>
    public override void EmitEntry()
    {
        LoadField(nameof(ExecutionState.MemoryBase), OpCodes.Ldind_I);
        StLoc(Locals.Memory);
    }

    /// <inheritdoc/>
    public override bool CallsSlowPath => false;

    /// <inheritdoc/>
    public override void EmitMiss()
    {
        // Nothing is kept that could be renewed.
    }

    /// <inheritdoc/>
    public override bool EmitCheck(in IrOp op, int slow)
    {
        var check = Plan.Check(Block, OpIndex);
        var aligned = (op.Attr & IrAttr.Aligned) != 0;
        _fromChecked = 0;
        var planned = check.Form is CheckForm.FastBit or CheckForm.Edges;
        if (planned)
            EmitShared(check, slow);
        else if (check.Form == CheckForm.Own)
        {
            addresses.PushLinear(op);
            StLoc(Locals.Ea);
            EmitTwoPageCheck(op.Size, check.Write ? PagePermission.PlainWrite : PagePermission.Read, slow);
        }

        // The checked bytes do not wrap around: from the address of the check on it is plain addition.
        var fromCheck = planned && AddressKey.TryOf(op, out var key) && check.Key == key;
        _direct = check.Form != CheckForm.Own && !fromCheck;
        if (fromCheck)
            _fromChecked = op.Disp - check.Lo;
        if (!aligned)
            return check.Form != CheckForm.None;
        PushCheckedLinear(op);
        Ldc(15L);
        Il.Emit(OpCodes.And);
        Il.EmitBranch(OpCodes.Brtrue, slow);
        return true;
    }

    /// <inheritdoc/>
    public override void EmitLoopCheck(AccessCheck check, int slow) => EmitShared(check, slow);

    /// <inheritdoc/>
    public override void EmitReadCheck(int size, int slow) => EmitFastBitCheck(PagePermission.FastRead, slow);

    /// <inheritdoc/>
    public override void PushHostAddress(in IrOp op)
    {
        LdLoc(Locals.Memory);
        PushCheckedLinear(op);
        Il.Emit(OpCodes.Conv_I);
        Il.Emit(OpCodes.Add);
    }

    /// <inheritdoc/>
    public override void PushReadAddress()
    {
        LdLoc(Locals.Memory);
        LdLoc(Locals.Ea);
        Il.Emit(OpCodes.Conv_I);
        Il.Emit(OpCodes.Add);
    }

    // Tests memory relative to a key.
    private void EmitShared(AccessCheck check, int slow)
    {
        var key = check.Key!;
        addresses.PushLinear(new IrOp { A = key.A, B = key.B, Scale = key.Scale, Seg = key.Seg, Form = key.Form, Disp = (int)check.Lo });
        StLoc(Locals.Ea);
        if (check.Form == CheckForm.FastBit)
            EmitFastBitCheck(check.Write ? PagePermission.FastWrite : PagePermission.FastRead, slow);
        else
            EmitTwoPageCheck((int)(check.Hi - check.Lo), check.Write ? PagePermission.PlainWrite : PagePermission.Read, slow);
    }

    private void EmitFastBitCheck(PagePermission bit, int slow)
    {
        if (!Plan.Is64)
        {
            BeginPermission();
            LdLoc(Locals.Ea);
            Ldc4(12);
            Il.Emit(OpCodes.Shr_Un);
        }
        else
        {
            LdLoc(Locals.Ea);
            Ldc4(12);
            Il.Emit(OpCodes.Shr_Un);
            StLoc(Locals.Page);
            LdLoc(Locals.Page);
            if (Options.WindowPages != 0)
                Ldc((long)Options.WindowPages);
            else
                LoadField(nameof(ExecutionState.WindowPages), OpCodes.Ldind_I8);
            Il.EmitBranch(OpCodes.Bge_Un, slow);
            BeginPermission();
            LdLoc(Locals.Page);
        }

        EndPermission();
        Ldc4((int)bit);
        Il.Emit(OpCodes.And);
        Il.EmitBranch(OpCodes.Brfalse, slow);
    }

    // The address space's table of permissions goes on for a few pages behind the window, all zero.
    private void EmitTwoPageCheck(int size, PagePermission bit, int slow)
    {
        if (Plan.Is64)
        {
            LdLoc(Locals.Ea);
            Ldc4(12);
            Il.Emit(OpCodes.Shr_Un);
            LoadField(nameof(ExecutionState.WindowPages), OpCodes.Ldind_I8);
            Il.EmitBranch(OpCodes.Bge_Un, slow);
        }

        PushPermission(0);
        if (size > 1)
        {
            PushPermission(size - 1);
            Il.Emit(OpCodes.And);
        }

        Ldc4((int)bit);
        Il.Emit(OpCodes.And);
        Il.EmitBranch(OpCodes.Brfalse, slow);
    }

    // The permission byte of the page whose number is pushed between the two. The table lies at a fixed distance below the window.
    private void BeginPermission()
    {
        if (Options.PermissionsOffset != 0)
            LdLoc(Locals.Memory);
        else
            LoadField(nameof(ExecutionState.Permissions), OpCodes.Ldind_I);
    }

    private void EndPermission()
    {
        Il.Emit(OpCodes.Conv_I);
        Il.Emit(OpCodes.Add);
        if (Options.PermissionsOffset != 0)
        {
            Ldc4(Options.PermissionsOffset);
            Il.Emit(OpCodes.Conv_I);
            Il.Emit(OpCodes.Add);
        }

        Il.Emit(OpCodes.Ldind_U1);
    }

    private void PushPermission(int offset)
    {
        BeginPermission();
        LdLoc(Locals.Ea);
        if (offset != 0)
        {
            Ldc((long)offset);
            Il.Emit(OpCodes.Add);
        }

        Ldc4(12);
        Il.Emit(OpCodes.Shr_Un);
        EndPermission();
    }

    // After EmitCheck.
    private void PushCheckedLinear(in IrOp op)
    {
        if (_direct)
        {
            addresses.PushLinear(op);
            return;
        }

        LdLoc(Locals.Ea);
        if (_fromChecked == 0)
            return;
        Ldc(_fromChecked);
        Il.Emit(OpCodes.Add);
    }
}
