using System.Numerics;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using CachedBlock = DynaTrans.Runtime.Translation.Block;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// Accesses through windows: one test of the permission byte of the first page (and, in 64-bit code, one compare with the window), which
/// accesses of the same neighbourhood share (<see cref="CheckPlan"/>). The window is the one that the access was seen in: its addresses are
/// constants in the code. An access that was seen in several looks its window up.
/// </summary>
internal sealed class WindowAccess(EmitContext context, AddressEmitter addresses) : HostAccess(context)
{
    // Of the access that was checked last: nothing is in a local, or the offset from the address of the check.
    private bool _direct;
    private long _fromChecked;
    private ushort _window;

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
        _window = check.Window;
        var planned = check.Form is CheckForm.FastBit or CheckForm.Edges;
        if (planned)
            EmitShared(check, slow);
        else if (check.Form == CheckForm.Own)
        {
            addresses.PushLinear(op);
            StLoc(Locals.Ea);
            EmitTwoPageCheck(op.Size, check.Write ? PagePermission.PlainWrite : PagePermission.Read, check.Window, slow);
        }

        // The checked bytes do not wrap around: from the address of the check on it is plain addition.
        var fromCheck = planned && !IsShort(check.Key!) && AddressKey.TryOf(op, out var key) && check.Key == key;
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
    public override void EmitReadCheck(int size, int slow) => EmitFastBitCheck(PagePermission.FastRead, 0, slow);

    /// <inheritdoc/>
    public override void PushHostAddress(in IrOp op)
    {
        PushHostBase();
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
        var address = new IrOp { A = key.A, B = key.B, Scale = key.Scale, Seg = key.Seg, Form = key.Form, Disp = (int)check.Lo };
        if (check.Form == CheckForm.FastBit && IsShort(key))
        {
            EmitShortCheck(check, address, slow);
            return;
        }

        addresses.PushLinear(address);
        StLoc(Locals.Ea);
        if (check.Form == CheckForm.FastBit)
            EmitFastBitCheck(check.Write ? PagePermission.FastWrite : PagePermission.FastRead, check.Window, slow);
        else
            EmitTwoPageCheck((int)(check.Hi - check.Lo), check.Write ? PagePermission.PlainWrite : PagePermission.Read, check.Window, slow);
    }

    // A register and a displacement, or a constant, in flat 64-bit code: an address operand of the host, which is cheaper written twice
    // than held in a local.
    private static bool IsShort(AddressKey key) => key is { Form: AddressForm.Flat64, B: Slot.Zero };

    private void EmitShortCheck(AccessCheck check, in IrOp address, int slow)
    {
        var bit = check.Write ? PagePermission.FastWrite : PagePermission.FastRead;
        if (check.Window != 0)
        {
            addresses.PushLinear(address);
            EmitWindowCheck(check.Window, slow);
            PushWindowField(check.Window, nameof(WindowEntry.Permissions));
            addresses.PushLinear(address);
            Ldc4(12);
            Il.Emit(OpCodes.Shr_Un);
            Il.Emit(OpCodes.Conv_I);
            Il.Emit(OpCodes.Add);
            Il.Emit(OpCodes.Ldind_U1);
            EndTest(bit, slow);
            return;
        }

        if (address.A == Slot.Zero && (ulong)address.Disp / AddressSpace.PageSize < Options.WindowPages)
        {
            BeginPermission();
            Ldc((long)address.Disp / AddressSpace.PageSize);
            EndPermission();
            EndTest(bit, slow);
            return;
        }

        addresses.PushLinear(address);
        EmitMainWindowCheck(bit, slow);
    }

    private void EmitFastBitCheck(PagePermission bit, ushort window, int slow)
    {
        if (window != 0)
        {
            LdLoc(Locals.Ea);
            EmitWindowCheck(window, slow);
            PushPermission(0, window);
            EndTest(bit, slow);
            return;
        }

        if (Plan.Is64)
        {
            LdLoc(Locals.Ea);
            EmitMainWindowCheck(bit, slow);
            return;
        }

        BeginPermission();
        LdLoc(Locals.Ea);
        Ldc4(12);
        Il.Emit(OpCodes.Shr_Un);
        EndPermission();
        EndTest(bit, slow);
    }

    // Tests the address on the stack, of 64 bits.
    private void EmitMainWindowCheck(PagePermission bit, int slow)
    {
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
        EndPermission();
        EndTest(bit, slow);
    }

    // The address space's table of permissions goes on for a few pages behind the window, all zero.
    private void EmitTwoPageCheck(int size, PagePermission bit, ushort window, int slow)
    {
        if (window != 0)
        {
            LdLoc(Locals.Ea);
            EmitWindowCheck(window, slow);
        }
        else if (Plan.Is64)
        {
            LdLoc(Locals.Ea);
            Ldc4(12);
            Il.Emit(OpCodes.Shr_Un);
            LoadField(nameof(ExecutionState.WindowPages), OpCodes.Ldind_I8);
            Il.EmitBranch(OpCodes.Bge_Un, slow);
        }

        PushPermission(0, window);
        if (size > 1)
        {
            PushPermission(size - 1, window);
            Il.Emit(OpCodes.And);
        }

        EndTest(bit, slow);
    }

    private void EndTest(PagePermission bit, int slow)
    {
        Ldc4((int)bit);
        Il.Emit(OpCodes.And);
        Il.EmitBranch(OpCodes.Brfalse, slow);
    }

    // Tests that the address on the stack is in a window beyond the main one. Of several it is looked up which.
    private void EmitWindowCheck(ushort window, int slow)
    {
        Ldc4(AddressSpace.WindowSpanBits);
        Il.Emit(OpCodes.Shr_Un);
        if (window != CachedBlock.SeveralWindows)
        {
            Ldc((long)window);
            Il.EmitBranch(OpCodes.Bne_Un, slow);
            return;
        }

        StLoc(Locals.Page);
        LdLoc(Locals.Page);
        Ldc(AddressSpace.WindowCount / 2L);
        Il.EmitBranch(OpCodes.Bge_Un, slow);
        LoadField(nameof(ExecutionState.Windows), OpCodes.Ldind_I);
        LdLoc(Locals.Page);
        Ldc4(BitOperations.Log2((uint)Unsafe.SizeOf<WindowEntry>()));
        Il.Emit(OpCodes.Shl);
        Il.Emit(OpCodes.Conv_I);
        Il.Emit(OpCodes.Add);
        StLoc(Locals.Window);
    }

    // A field of the entry of the window that was tested.
    private void PushWindowField(ushort window, string field)
    {
        var offset = (int)Marshal.OffsetOf<WindowEntry>(field);
        if (window == CachedBlock.SeveralWindows)
            LdLoc(Locals.Window);
        else if (Options.Windows != 0)
        {
            Ldc(ReadConstant(Options.Windows + (window * Unsafe.SizeOf<WindowEntry>()) + offset));
            Il.Emit(OpCodes.Conv_I);
            return;
        }
        else
        {
            LoadField(nameof(ExecutionState.Windows), OpCodes.Ldind_I);
            offset += window * Unsafe.SizeOf<WindowEntry>();
        }

        Ldc4(offset);
        Il.Emit(OpCodes.Conv_I);
        Il.Emit(OpCodes.Add);
        Il.Emit(OpCodes.Ldind_I);
    }

    // (A window that an access was seen in is there, and its entry does not change any more.)
    private static unsafe nint ReadConstant(nint address) => *(nint*)address;

    // What is added to a linear address to give the host address.
    private void PushHostBase()
    {
        if (_window == 0)
            LdLoc(Locals.Memory);
        else
            PushWindowField(_window, nameof(WindowEntry.Host));
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

    private void PushPermission(int offset, ushort window)
    {
        if (window == 0)
            BeginPermission();
        else
            PushWindowField(window, nameof(WindowEntry.Permissions));
        LdLoc(Locals.Ea);
        if (offset != 0)
        {
            Ldc((long)offset);
            Il.Emit(OpCodes.Add);
        }

        Ldc4(12);
        Il.Emit(OpCodes.Shr_Un);
        if (window == 0)
        {
            EndPermission();
            return;
        }

        Il.Emit(OpCodes.Conv_I);
        Il.Emit(OpCodes.Add);
        Il.Emit(OpCodes.Ldind_U1);
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
