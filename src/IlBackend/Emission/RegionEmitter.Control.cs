using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <content>Ends of blocks, and exits of the method.</content>
public sealed unsafe partial class RegionEmitter
{
    // Looking for a target outside, by the registers written up to there.
    private readonly Dictionary<uint, int> _lookupLabels = [];

    // Entered through cells, again and again; not a block by itself, not a listing.
    private bool IsLinked => _options is { RegionNumber: not 0, Alone: false };

    private bool UsesJumpTable => IsLinked && _region.JumpTable != null;

    private void EmitControl(in IrOp op)
    {
        switch (op.Op)
        {
            case IrOpcode.Jump:
                GoTo(_block.Taken);
                break;
            case IrOpcode.JumpCondition:
                BranchTo((Condition)op.Sub, _block.Taken, _block.Next);
                break;
            case IrOpcode.JumpIf:
                var taken = _il.DefineLabel();
                Push(op.A, 8);
                _il.EmitBranch(OpCodes.Brtrue, taken);
                var flags = _flags;
                GoTo(_block.Next);
                _il.MarkLabel(taken);
                _flags = flags;
                GoTo(_block.Taken);
                break;
            case IrOpcode.JumpIndirect:
                EmitIndirect(op);
                break;
            case IrOpcode.Exit:
                StoreRipAndFlags(_block.Next);
                FieldAddress(FieldOffset(nameof(ExecutionState.ExitDetail)));
                Ldc(op.Imm);
                _il.Emit(OpCodes.Stind_I8);
                SetCause((ExitCause)op.Sub);
                GoOut(WayOut.Return);
                break;
            default:
                FieldAddress(FieldOffset(nameof(ExecutionState.ExceptionVector)));
                Ldc4(op.Sub);
                _il.Emit(OpCodes.Stind_I4);
                FieldAddress(FieldOffset(nameof(ExecutionState.ExceptionError)));
                Push(op.A, 4);
                _il.Emit(OpCodes.Stind_I4);
                Leave(LeaveSite());
                break;
        }
    }

    private void BranchTo(Condition condition, ulong taken, ulong next)
    {
        var flags = _flags;
        var takenLabel = _il.DefineLabel();
        EmitBranchIf(condition, takenLabel);
        GoTo(next);
        _il.MarkLabel(takenLabel);
        _flags = flags;
        GoTo(taken);
    }

    // Goes to a guest address: inside the region by a branch, else out through its cell.
    private void GoTo(ulong target)
    {
        if (_options.Alone || _region.Find(target) is not { } block)
        {
            ExitTo(target);
            return;
        }

        if (block.Order <= _block.Order)
            CheckRequest(target);
        Conform(_flow.Entry(block));
        _il.EmitBranch(OpCodes.Br, (_plan!.IsKnown(_block, block) ? _knownLabels : _blockLabels)[block.Order]);
    }

    // Out of the region. Flags that take a call to work out have an exit of their own: after the registers have been stored, a call is cheap.
    private void ExitTo(ulong target)
    {
        if (_options.Alone || !_flags.IsInvolved)
        {
            Materialise();
            _il.EmitBranch(OpCodes.Br, ExitLabel(target));
            return;
        }

        var label = _il.DefineLabel();
        _il.EmitBranch(OpCodes.Br, label);
        Cold(() =>
        {
            _il.MarkLabel(label);
            StoreParts(_flags);
            StoreWritten(_written);
            _written = 0;
            _il.Emit(OpCodes.Ldarg_0);
            _il.EmitFaultSite(NewSite(target, InState(_flags), 0));
            _il.EmitCall(ApplyMethod);
            PickCell(target);
            GoOut(WayOut.Chain);
        });
    }

    private int ExitLabel(ulong target)
    {
        if (!_exitLabels.TryGetValue((target, _written), out var label))
            _exitLabels[(target, _written)] = label = _il.DefineLabel();
        return label;
    }

    // The exit-request word: interrupts, stop requests, invalidation. Checked at entries and wherever control goes backwards.
    private void CheckRequest(ulong rip)
    {
        PushRequest();
        if (_flags.IsMemory)
        {
            if (!_requestLabels.TryGetValue((rip, _written), out var known))
                _requestLabels[(rip, _written)] = known = _il.DefineLabel();
            _il.EmitBranch(OpCodes.Brtrue, known);
            return;
        }

        var label = _il.DefineLabel();
        _il.EmitBranch(OpCodes.Brtrue, label);
        Cold(() =>
        {
            _il.MarkLabel(label);
            StoreRipAndFlags(rip);
            GoOut(WayOut.Return);
        });
    }

    // Volatile, or RyuJIT takes the test out of a loop that stores nothing (and with it the guest's own loads: a loop that waits for
    // another thread would never end).
    private void PushRequest()
    {
        FieldAddress(FieldOffset(nameof(ExecutionState.ExitRequest)));
        _il.Emit(OpCodes.Volatile);
        _il.Emit(OpCodes.Ldind_I4);
    }

    // On a way out at an instruction boundary; what the flags are is worked out when the code has been left.
    private void StoreRipAndFlags(ulong rip)
    {
        if (_flags.IsMemory)
        {
            StoreRip(rip);
            return;
        }

        StoreParts(_flags);
        FieldAddress(FieldOffset(nameof(ExecutionState.FaultSite)));
        _il.EmitFaultSite(NewSite(rip, InState(_flags), 0));
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Stind_I);
    }

    private void EmitIndirect(in IrOp op)
    {
        Push(op.A, 8);
        StLoc(_slow);
        if (_options.Alone)
        {
            Materialise();
            StoreRipFromSlow();
            GoOut(WayOut.Return);
            return;
        }

        EmitTargetTests();
        Materialise();
        if (UsesJumpTable && _region.Dispatches(_block))
            _il.EmitBranch(OpCodes.Br, _dispatch);
        else
            _il.EmitBranch(OpCodes.Br, LookupLabel());
    }

    // The place in the jump table of the target in _slow; then as if entered there.
    private void EmitDispatch()
    {
        var table = _region.JumpTable!;
        _il.MarkLabel(_dispatch);
        LdLoc(_slow);
        _il.Emit(OpCodes.Conv_I4);
        Ldc4((int)table.Multiplier);
        _il.Emit(OpCodes.Mul);
        Ldc4(table.Shift);
        _il.Emit(OpCodes.Shr_Un);
        StLoc(_entry);
        _il.EmitBranch(OpCodes.Br, _entrySwitch);
    }

    private int LookupLabel()
    {
        if (!_lookupLabels.TryGetValue(_written, out var label))
            _lookupLabels[_written] = label = _il.DefineLabel();
        return label;
    }

    // Finds the cell of the target in _slow in the vCPU's entry cache (line = cache + index * 16, { rip, cell }); the flags are in the state.
    private void EmitLookup()
    {
        LoadField(nameof(ExecutionState.EntryCache), OpCodes.Ldind_I);
        LdLoc(_slow);
        Ldc((long)(EntryCacheLine.Count - 1));
        _il.Emit(OpCodes.And);
        Ldc4(4);
        _il.Emit(OpCodes.Shl);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
        StLoc(_cell);
        var miss = _il.DefineLabel();
        LdLoc(_cell);
        _il.Emit(OpCodes.Ldind_I8);
        LdLoc(_slow);
        _il.EmitBranch(OpCodes.Bne_Un, miss);
        LdLoc(_cell);
        Ldc4(8);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldind_I);
        StLoc(_cell);
        if (_options.RegionNumber != 0)
            ReenterIfInside();
        GoOut(WayOut.Chain);
        _il.MarkLabel(miss);
        StoreRipFromSlow();
        GoOut(WayOut.Return);
    }

    // When the cell leads back into this region the code is not left. That is rare, and also tells RyuJIT what it cannot know: that control
    // comes round again to the entry switch. Another thread may give the cell to another region at any time: the word is read once.
    private void ReenterIfInside()
    {
        var outside = _il.DefineLabel();
        LdLoc(_cell);
        Ldc4(LocalOffset);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Volatile);
        _il.Emit(OpCodes.Ldind_I8);
        StLoc(_scratch);
        LdLoc(_scratch);
        Ldc4(EntryCell.EntryBits);
        _il.Emit(OpCodes.Shr_Un);
        Ldc((long)_options.RegionNumber);
        _il.EmitBranch(OpCodes.Bne_Un, outside);
        LdLoc(_scratch);
        Ldc((1L << EntryCell.EntryBits) - 1);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Conv_I4);
        StLoc(_entry);
        GoOut(WayOut.Reenter);
        _il.MarkLabel(outside);
    }

    private void PickCell(ulong target)
    {
        _il.EmitCell(_cells.Cell(target, _region.Mode));
        _il.Emit(OpCodes.Conv_I);
        StLoc(_cell);
    }

    private void StoreRipFromSlow()
    {
        FieldAddress(Slot.Rip * 8);
        LdLoc(_slow);
        _il.Emit(OpCodes.Stind_I8);
    }

    // Compares the target with the places inside the region that it most likely is: the return points of a return, the few known targets of
    // a jump or call.
    private void EmitTargetTests()
    {
        foreach (var place in _region.LikelyTargetsOf(_block))
        {
            LdLoc(_slow);
            Ldc((long)place.Start);
            var next = _il.DefineLabel();
            _il.EmitBranch(OpCodes.Bne_Un, next);
            var flags = _flags;
            if (place.Order <= _block.Order)
                CheckRequest(place.Start);
            Conform(_flow.Entry(place));
            _il.EmitBranch(OpCodes.Br, _blockLabels[place.Order]);
            _flags = flags;
            _il.MarkLabel(next);
        }
    }

    private void StoreRip(ulong rip)
    {
        FieldAddress(Slot.Rip * 8);
        Ldc((long)rip);
        _il.Emit(OpCodes.Stind_I8);
    }

    private void SetCause(ExitCause cause)
    {
        FieldAddress(FieldOffset(nameof(ExecutionState.ExitCauseValue)));
        Ldc4((int)cause);
        _il.Emit(OpCodes.Stind_I4);
    }

    private void EmitExits()
    {
        _il.BeginGlue("exits");
        // Loops are entered from outside, too. RyuJIT sees them when all that is in the region leads back to the entry switch.
        var closesLoop = IsLinked && !UsesJumpTable && _lookupLabels.Count == 0;
        foreach (var ((target, written), label) in _exitLabels)
        {
            _written = written;
            _il.MarkLabel(label);
            if (_options.Alone)
            {
                StoreRip(target);
                GoOut(WayOut.Return);
                continue;
            }

            PickCell(target);
            if (closesLoop)
            {
                Ldc((long)target);
                StLoc(_slow);
                ReenterIfInside();
            }

            GoOut(WayOut.Chain);
        }

        if (UsesJumpTable)
        {
            EmitDispatch();
            _written = _registers.AtDispatch;
            _il.MarkLabel(_missed);
            _il.EmitBranch(OpCodes.Br, LookupLabel());
        }

        foreach (var (written, label) in _lookupLabels)
        {
            _written = written;
            _il.MarkLabel(label);
            EmitLookup();
        }

        foreach (var ((rip, written), label) in _requestLabels)
        {
            _written = written;
            _il.MarkLabel(label);
            StoreRip(rip);
            GoOut(WayOut.Return);
        }

        EmitWaysOut();
    }
}
