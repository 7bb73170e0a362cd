using System.Reflection.Emit;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <content>
/// Memory accesses. The fast path is inline: one test of the permission byte of the first page (and, in 64-bit code, one compare with the
/// window), which accesses of the same neighbourhood share (<see cref="CheckPlan"/>). Everything else leaves the code and is interpreted:
/// a region without calls keeps all its locals in registers. Only an instruction that was seen to need more gets more
/// (<see cref="AccessHistory"/>).
/// </content>
public sealed unsafe partial class RegionEmitter
{
    private static int WidthOf(AddressForm form) => form is AddressForm.Flat64 or AddressForm.Segment64 ? 8 : 4;

    /// <summary>Pushes the offset of an address operand, of width <see cref="WidthOf"/>; 16-bit offsets are truncated.</summary>
    private void EmitOffset(in IrOp op)
    {
        var width = WidthOf(op.Form);
        var pushed = false;
        if (op.A != Slot.Zero)
        {
            Push(op.A, width);
            pushed = true;
        }

        if (op.B != Slot.Zero)
        {
            Push(op.B, width);
            if (op.Scale != 0)
            {
                Ldc4(op.Scale);
                _il.Emit(OpCodes.Shl);
            }

            if (pushed)
                _il.Emit(OpCodes.Add);
            pushed = true;
        }

        if (!pushed)
            LdcWidth(op.Disp, width);
        else if (op.Disp != 0)
        {
            LdcWidth(op.Disp, width);
            _il.Emit(OpCodes.Add);
        }

        if (op.Form == AddressForm.Segment16)
            _il.Emit(OpCodes.Conv_U2);
    }

    /// <summary>Pushes the linear address as int64.</summary>
    private void EmitLinear(in IrOp op)
    {
        EmitOffset(op);
        switch (op.Form)
        {
            case AddressForm.Flat64:
                break;
            case AddressForm.Segment64:
                Push(op.Seg, 8);
                _il.Emit(OpCodes.Add);
                break;
            case AddressForm.Segment64Offset32:
                _il.Emit(OpCodes.Conv_U8);
                if (op.Seg == Slot.Zero)
                    break;
                Push(op.Seg, 8);
                _il.Emit(OpCodes.Add);
                break;
            case AddressForm.Flat32:
                _il.Emit(OpCodes.Conv_U8);
                break;
            default:
                if (op.Seg != Slot.Zero)
                {
                    Push(op.Seg, 4);
                    _il.Emit(OpCodes.Add);
                }

                _il.Emit(OpCodes.Conv_U8);
                break;
        }
    }

    // Tests what the plan says and branches to slow if the access may not be done. Afterwards PushHostAddress gives the host address. Returns
    // false when there is nothing to test.
    private bool EmitAccessCheck(in IrOp op, int slow)
    {
        var check = _plan?.Check(_block, _opIndex) ?? new AccessCheck(CheckForm.Own, CheckPlan.IsWrite(op), 0, 0, null);
        var aligned = (op.Attr & IrAttr.Aligned) != 0;
        _fromChecked = 0;
        var planned = check.Form is CheckForm.FastBit or CheckForm.Edges;
        if (planned)
            EmitCheck(check, slow);
        else if (check.Form == CheckForm.Own)
        {
            EmitLinear(op);
            StLoc(_ea);
            EmitTwoPageCheck(op.Size, check.Write ? PagePermission.PlainWrite : PagePermission.Read, slow);
        }

        // The checked bytes do not wrap around: from the address of the check on it is plain addition.
        var fromCheck = planned && AddressKey.TryOf(op, out var key) && check.Key == key;
        _direct = check.Form != CheckForm.Own && !fromCheck;
        if (fromCheck)
            _fromChecked = op.Disp - check.Lo;
        if (!aligned)
            return check.Form != CheckForm.None;
        PushLinear(op);
        Ldc(15L);
        _il.Emit(OpCodes.And);
        _il.EmitBranch(OpCodes.Brtrue, slow);
        return true;
    }

    // Tests memory relative to a key, leaves the address of the test in _ea.
    private void EmitCheck(AccessCheck check, int slow)
    {
        var key = check.Key!;
        EmitLinear(new IrOp { A = key.A, B = key.B, Scale = key.Scale, Seg = key.Seg, Form = key.Form, Disp = (int)check.Lo });
        StLoc(_ea);
        if (check.Form == CheckForm.FastBit)
            EmitFastBitCheck(check.Write ? PagePermission.FastWrite : PagePermission.FastRead, slow);
        else
            EmitTwoPageCheck((int)(check.Hi - check.Lo), check.Write ? PagePermission.PlainWrite : PagePermission.Read, slow);
    }

    // What a loop needs, on the way into it. Where a test fails the interpreter goes on from the head.
    private void EmitLoopChecks(RegionBlock head)
    {
        if (_plan == null || _plan.LoopChecksOf(head).Count == 0)
            return;
        _insn = 0;
        _il.BeginInstruction(head.Start);
        var slow = _il.DefineLabel();
        foreach (var check in _plan.LoopChecksOf(head))
            EmitCheck(check, slow);
        var site = (FaultSite*)LeaveSlowly(slow);
        site->IsBeforeLoop = 1;
        site->NotExecuted = 0;
        _insn = -1;
        _il.MarkLabel(_knownLabels[head.Order]);
    }

    private void EmitFastBitCheck(PagePermission bit, int slow)
    {
        if (!_region.Mode.Is64())
        {
            BeginPermission();
            LdLoc(_ea);
            Ldc4(12);
            _il.Emit(OpCodes.Shr_Un);
        }
        else
        {
            LdLoc(_ea);
            Ldc4(12);
            _il.Emit(OpCodes.Shr_Un);
            StLoc(_page);
            LdLoc(_page);
            if (_options.WindowPages != 0)
                Ldc((long)_options.WindowPages);
            else
                LoadField(nameof(ExecutionState.WindowPages), OpCodes.Ldind_I8);
            _il.EmitBranch(OpCodes.Bge_Un, slow);
            BeginPermission();
            LdLoc(_page);
        }

        EndPermission();
        Ldc4((int)bit);
        _il.Emit(OpCodes.And);
        _il.EmitBranch(OpCodes.Brfalse, slow);
    }

    // True when the access at an op of a block cannot leave the code.
    private bool IsProven(RegionBlock block, int index)
    {
        ref readonly var op = ref block.Ops[index];
        return _plan != null && CheckPlan.IsAccess(op) && (op.Attr & IrAttr.Aligned) == 0 && _plan.Check(block, index).Form == CheckForm.None;
    }

    // The address space's table of permissions goes on for a few pages behind the window, all zero.
    private void EmitTwoPageCheck(int size, PagePermission bit, int slow)
    {
        if (_region.Mode.Is64())
        {
            LdLoc(_ea);
            Ldc4(12);
            _il.Emit(OpCodes.Shr_Un);
            LoadField(nameof(ExecutionState.WindowPages), OpCodes.Ldind_I8);
            _il.EmitBranch(OpCodes.Bge_Un, slow);
        }

        PushPermission(0);
        if (size > 1)
        {
            PushPermission(size - 1);
            _il.Emit(OpCodes.And);
        }

        Ldc4((int)bit);
        _il.Emit(OpCodes.And);
        _il.EmitBranch(OpCodes.Brfalse, slow);
    }

    // The permission byte of the page whose number is pushed between the two. The table lies at a fixed distance below the window.
    private void BeginPermission()
    {
        if (_options.PermissionsOffset != 0)
            LdLoc(_memory);
        else
            LoadField(nameof(ExecutionState.Permissions), OpCodes.Ldind_I);
    }

    private void EndPermission()
    {
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
        if (_options.PermissionsOffset != 0)
        {
            Ldc4(_options.PermissionsOffset);
            _il.Emit(OpCodes.Conv_I);
            _il.Emit(OpCodes.Add);
        }

        _il.Emit(OpCodes.Ldind_U1);
    }

    private void PushPermission(int offset)
    {
        BeginPermission();
        LdLoc(_ea);
        if (offset != 0)
        {
            Ldc((long)offset);
            _il.Emit(OpCodes.Add);
        }

        Ldc4(12);
        _il.Emit(OpCodes.Shr_Un);
        EndPermission();
    }

    // After EmitAccessCheck.
    private void PushHostAddress(in IrOp op)
    {
        LdLoc(_memory);
        PushLinear(op);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
    }

    // After EmitAccessCheck.
    private void PushLinear(in IrOp op)
    {
        if (_direct)
        {
            EmitLinear(op);
            return;
        }

        LdLoc(_ea);
        if (_fromChecked == 0)
            return;
        Ldc(_fromChecked);
        _il.Emit(OpCodes.Add);
    }

    // Before a load without a test: in a loop without tests nothing else keeps RyuJIT from taking it out of the loop, though another thread
    // may change the memory.
    private void KeepInLoop()
    {
        if (_plan!.IsInKnownLoop(_block))
            _il.Emit(OpCodes.Volatile);
    }

    private void EmitLoad(in IrOp op)
    {
        var slow = _il.DefineLabel();
        var resume = _il.DefineLabel();
        var signed = op.Op == IrOpcode.LoadSigned;
        var tested = EmitAccessCheck(op, slow);
        PushHostAddress(op);
        if (!tested)
            KeepInLoop();
        _il.Emit(op.Size switch
        {
            1 => signed ? OpCodes.Ldind_I1 : OpCodes.Ldind_U1,
            2 => signed ? OpCodes.Ldind_I2 : OpCodes.Ldind_U2,
            4 => signed ? OpCodes.Ldind_I4 : OpCodes.Ldind_U4,
            _ => OpCodes.Ldind_I8,
        });
        FinishLoad(op, signed);
        _il.MarkLabel(resume);
        if (!tested)
            return;
        if (!HasSlowPath())
        {
            LeaveSlowly(slow);
            return;
        }

        var copy = op;
        var leave = LeaveSite();
        Cold(() =>
        {
            _il.MarkLabel(slow);
            _il.Emit(OpCodes.Ldarg_0);
            LdLoc(_ea);
            Ldc4(copy.Size);
            _il.EmitCall(EmitSupport.Method(nameof(EmitSupport.Load)));
            StLoc(_slow);
            LeaveIfPending(leave);
            LdLoc(_slow);
            if (copy.Size < 8)
                _il.Emit(OpCodes.Conv_I4);
            if (signed)
                SignExtend(copy.Size);
            FinishLoad(copy, signed);
            _il.EmitBranch(OpCodes.Br, resume);
        });
    }

    private void FinishLoad(in IrOp op, bool signed)
    {
        var width = Width(op.Size);
        if (signed && op.Sub == 8 && width == 4)
        {
            _il.Emit(OpCodes.Conv_I8);
            width = 8;
        }

        StoreDst(op.Dst, signed ? op.Sub : Math.Max((int)op.Size, 4), width);
        if (!signed)
            NoteExtended(op.Dst, op.Size);
    }

    private void EmitStore(in IrOp op)
    {
        var slow = _il.DefineLabel();
        var resume = _il.DefineLabel();
        var tested = EmitAccessCheck(op, slow);
        PushHostAddress(op);
        Push(op.C, op.Imm, Width(op.Size));
        _il.Emit(op.Size switch { 1 => OpCodes.Stind_I1, 2 => OpCodes.Stind_I2, 4 => OpCodes.Stind_I4, _ => OpCodes.Stind_I8 });
        _il.MarkLabel(resume);
        if (!tested)
            return;
        if (!HasSlowPath())
        {
            LeaveSlowly(slow);
            return;
        }

        var copy = op;
        var leave = LeaveSite();
        Cold(() =>
        {
            _il.MarkLabel(slow);
            _il.Emit(OpCodes.Ldarg_0);
            LdLoc(_ea);
            Ldc4(copy.Size);
            Push(copy.C, copy.Imm, 8);
            _il.EmitCall(EmitSupport.Method(nameof(EmitSupport.Store)));
            _il.EmitBranch(OpCodes.Brtrue, resume);
            Leave(leave);
        });
    }

    private void EmitCheckLimit(in IrOp op)
    {
        if (_region.Mode.Is64() && !HasSlowPath())
        {
            EmitCanonicalCheck(op.A);
            return;
        }

        var fail = _il.DefineLabel();
        CallCheckLimit(op);
        _il.EmitBranch(OpCodes.Brfalse, fail);
        var leave = LeaveSite();
        Cold(() =>
        {
            _il.MarkLabel(fail);
            Leave(leave);
        });
    }

    // The lower half of the canonical addresses passes by one test. What is not canonical (bits 63:47 differ) leaves to the interpreter,
    // which raises the exception: a call here would cost registers in the whole region.
    private void EmitCanonicalCheck(ushort slot)
    {
        var upper = _il.DefineLabel();
        var slow = _il.DefineLabel();
        var done = _il.DefineLabel();
        Push(slot, 8);
        Ldc4(47);
        _il.Emit(OpCodes.Shr_Un);
        _il.EmitBranch(OpCodes.Brtrue, upper);
        _il.MarkLabel(done);
        Cold(() =>
        {
            _il.MarkLabel(upper);
            Push(slot, 8);
            Ldc4(16);
            _il.Emit(OpCodes.Shl);
            Ldc4(16);
            _il.Emit(OpCodes.Shr);
            Push(slot, 8);
            _il.EmitBranch(OpCodes.Beq, done);
            _il.EmitBranch(OpCodes.Br, slow);
        });
        LeaveSlowly(slow);
    }

    private void CallCheckLimit(in IrOp op)
    {
        _il.Emit(OpCodes.Ldarg_0);
        Ldc4(op.Seg);
        Push(op.A, 8);
        Ldc(op.Imm);
        _il.EmitCall(typeof(SegmentLimits).GetMethod(nameof(SegmentLimits.Check))!);
    }

    /// <summary>The fault site of the present instruction and flags.</summary>
    private nint LeaveSite() =>
        (nint)NewSite(_block.Addresses[_insn], InState(_flags), _options.CountInstructions ? _block.Addresses.Length - _insn : 0);

    private FaultSite* NewSite(ulong rip, in FlagsForm flags, int notExecuted)
    {
        var site = (FaultSite*)NativeMemory.AllocZeroed((nuint)sizeof(FaultSite));
        (site->Rip, site->Flags, site->NotExecuted) = (rip, flags, notExecuted);
        _sites.Add((nint)site);
        return site;
    }

    // With the flags' form of the site's instruction.
    private void Leave(nint site)
    {
        StoreParts(_flags);
        _il.EmitFaultSite((FaultSite*)site);
        StLoc(_site);
        GoOut(WayOut.Fault);
    }

    private bool HasSlowPath() => _plan == null || _plan.History(_block.Addresses[_insn]) == AccessHistory.Slow;

    private nint LeaveSlowly(int slow)
    {
        var site = LeaveSite();
        Cold(() =>
        {
            _il.MarkLabel(slow);
            StoreParts(_flags);
            _il.EmitFaultSite((FaultSite*)site);
            StLoc(_site);
            GoOut(WayOut.SlowAccess);
        });
        return site;
    }

    private void LeaveIfPending(nint site)
    {
        var none = _il.DefineLabel();
        LoadField(nameof(ExecutionState.ExceptionVector), OpCodes.Ldind_I4);
        Ldc4(0);
        _il.EmitBranch(OpCodes.Blt, none);
        Leave(site);
        _il.MarkLabel(none);
    }

    // A path out of the way, emitted after the blocks with the flags knowledge of this point.
    private void Cold(Action emit)
    {
        var flags = _flags;
        var (block, insn, written) = (_block, _insn, _written);
        _coldPaths.Add(() =>
        {
            (_flags, _block, _insn, _written) = (flags, block, insn, written);
            ForgetValues();
            _il.BeginInstruction(block.Addresses[insn]);
            emit();
        });
    }
}
