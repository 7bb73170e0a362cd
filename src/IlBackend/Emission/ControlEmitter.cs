using System.Reflection.Emit;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// Ends of blocks: branches inside the region, jumps out of it, and targets that are known at run time only.
/// </summary>
internal sealed class ControlEmitter(EmitContext context, ValueEmitter values, FlagsEmitter flags, ExitEmitter exits, ColdPaths cold)
    : EmitterPart(context)
{
    private static readonly int LocalOffset = (int)Marshal.OffsetOf<EntryCell>(nameof(EntryCell.Local));

    // Exits to a known target, by the registers written up to there.
    private readonly Dictionary<(ulong Target, uint Written), int> _exitLabels = [];

    // Looking for a target outside, by the registers written up to there, after a far transfer or not.
    private readonly Dictionary<(uint Written, bool Far), int> _lookupLabels = [];

    /// <summary>Emits the last op of a block.</summary>
    public void Emit(in IrOp op)
    {
        switch (op.Op)
        {
            case IrOpcode.Jump:
                GoTo(Block.Taken);
                break;
            case IrOpcode.JumpCondition:
                BranchTo((Condition)op.Sub, Block.Taken, Block.Next);
                break;
            case IrOpcode.JumpIf:
                var taken = Il.DefineLabel();
                values.Push(op.A, 8);
                Il.EmitBranch(OpCodes.Brtrue, taken);
                var form = flags.Form;
                GoTo(Block.Next);
                Il.MarkLabel(taken);
                flags.Form = form;
                GoTo(Block.Taken);
                break;
            case IrOpcode.JumpIndirect:
                EmitIndirect(op);
                break;
            case IrOpcode.Exit:
                exits.StoreRipAndFlags(Block.Next);
                FieldAddress(FieldOffset(nameof(ExecutionState.ExitDetail)));
                Ldc(op.Imm);
                Il.Emit(OpCodes.Stind_I8);
                exits.SetCause((ExitCause)op.Sub);
                exits.JumpToExit(ExitKind.Return);
                break;
            default:
                FieldAddress(FieldOffset(nameof(ExecutionState.ExceptionVector)));
                Ldc4(op.Sub);
                Il.Emit(OpCodes.Stind_I4);
                FieldAddress(FieldOffset(nameof(ExecutionState.ExceptionError)));
                values.Push(op.A, 4);
                Il.Emit(OpCodes.Stind_I4);
                exits.Leave(exits.LeaveSite());
                break;
        }
    }

    private void BranchTo(Condition condition, ulong taken, ulong next)
    {
        var form = flags.Form;
        var takenLabel = Il.DefineLabel();
        if (IsStoredOnWayTo(taken) && IsStoredOnWayTo(next))
        {
            // Once for both; what the branch looks at stays where it is.
            flags.Materialise();
            (form, flags.Form) = (flags.Form, form);
            flags.BranchIf(condition, takenLabel);
            flags.Form = form;
        }
        else
            flags.BranchIf(condition, takenLabel);
        GoTo(next);
        Il.MarkLabel(takenLabel);
        flags.Form = form;
        GoTo(taken);
    }

    private bool IsStoredOnWayTo(ulong target) =>
        flags.IsStoredFor(!Options.Alone && Region.Find(target) is { } block ? Plan.Flags.Entry(block) : FlagsForm.Memory);

    // Goes to a guest address: inside the region by a branch, else out through its cell.
    private void GoTo(ulong target)
    {
        if (Options.Alone || Region.Find(target) is not { } block)
        {
            ExitTo(target);
            return;
        }

        exits.CheckEdge(block);
        flags.Conform(Plan.Flags.Entry(block));
        Il.EmitBranch(OpCodes.Br, Plan.IsKnown(Block, block) ? Labels.KnownHead(block) : Labels.Of(block));
    }

    // Out of the region. Flags that take a call to work out have an exit of their own: after the registers have been stored, a call is cheap.
    private void ExitTo(ulong target)
    {
        if (Options.Alone || !flags.Form.IsInvolved)
        {
            flags.Materialise();
            Il.EmitBranch(OpCodes.Br, ExitLabel(target));
            return;
        }

        var label = Il.DefineLabel();
        Il.EmitBranch(OpCodes.Br, label);
        cold.Here(() =>
        {
            Il.MarkLabel(label);
            flags.StoreParts(flags.Form);
            values.StoreWritten(values.Written);
            values.Written = 0;
            Il.Emit(OpCodes.Ldarg_0);
            PushSite(Context.Links.NewSite(target, flags.InState(flags.Form), 0));
            Il.EmitCall(FlagsEmitter.ApplyMethod);
            PickCell(target);
            exits.JumpToExit(ExitKind.Chain);
        });
    }

    private int ExitLabel(ulong target)
    {
        var written = Plan.Written.ExitSet(values.Written);
        if (!_exitLabels.TryGetValue((target, written), out var label))
            _exitLabels[(target, written)] = label = Il.DefineLabel();
        return label;
    }

    private void EmitIndirect(in IrOp op)
    {
        values.Push(op.A, 8);
        StLoc(Locals.Value);
        if (Options.Alone)
        {
            flags.Materialise();
            exits.StoreRipFromValue();
            exits.JumpToExit(ExitKind.Return);
            return;
        }

        if ((JumpKind)op.Sub == JumpKind.Far)
        {
            flags.Materialise();
            Il.EmitBranch(OpCodes.Br, LookupLabel(far: true));
            return;
        }

        EmitTargetTests();
        flags.Materialise();
        if (Plan.UsesJumpTable && Region.Dispatches(Block))
            Il.EmitBranch(OpCodes.Br, Labels.Dispatch);
        else
            Il.EmitBranch(OpCodes.Br, LookupLabel());
    }

    // Compares the target with the places inside the region that it most likely is: the return points of a return, the few known targets of
    // a jump or call.
    private void EmitTargetTests()
    {
        foreach (var place in Region.LikelyTargetsOf(Block))
        {
            LdLoc(Locals.Value);
            Ldc((long)place.Start);
            var next = Il.DefineLabel();
            Il.EmitBranch(OpCodes.Bne_Un, next);
            var form = flags.Form;
            exits.CheckEdge(place);
            flags.Conform(Plan.Flags.Entry(place));
            Il.EmitBranch(OpCodes.Br, Labels.Of(place));
            flags.Form = form;
            Il.MarkLabel(next);
        }
    }

    // The place in the jump table of the target in Locals.Value; then as if entered there. The table may not have it.
    private void EmitDispatch()
    {
        var table = Region.JumpTable!;
        Il.MarkLabel(Labels.Dispatch);
        LdLoc(Locals.Value);
        Il.Emit(OpCodes.Conv_I4);
        Ldc4((int)table.Multiplier);
        Il.Emit(OpCodes.Mul);
        Ldc4(table.Shift);
        Il.Emit(OpCodes.Shr_Un);
        StLoc(Locals.Entry);
        Il.EmitBranch(OpCodes.Br, Labels.EntrySwitch);
        values.Written = Plan.Written.AtDispatch;
        Il.MarkLabel(Labels.Missed);
        Il.EmitBranch(OpCodes.Br, LookupLabel());
    }

    private int LookupLabel(bool far = false)
    {
        var written = Plan.Written.ExitSet(values.Written);
        if (!_lookupLabels.TryGetValue((written, far), out var label))
            _lookupLabels[(written, far)] = label = Il.DefineLabel();
        return label;
    }

    /// <summary>Emits what jumps out of the region come to, after all blocks and cold paths.</summary>
    public void EmitExits()
    {
        // Loops are entered from outside, too. RyuJIT sees them when all that is in the region leads back to the entry switch.
        var closesLoop = Plan.IsLinked && !Plan.UsesJumpTable && _lookupLabels.Count == 0;
        foreach (var ((target, written), label) in _exitLabels)
        {
            values.Written = written;
            Il.MarkLabel(label);
            if (Options.Alone)
            {
                exits.StoreRip(target);
                exits.JumpToExit(ExitKind.Return);
                continue;
            }

            PickCell(target);
            if (closesLoop)
            {
                Ldc((long)target);
                StLoc(Locals.Value);
                ReenterIfInside();
            }

            exits.JumpToExit(ExitKind.Chain);
        }

        if (Plan.UsesJumpTable)
            EmitDispatch();

        foreach (var ((written, far), label) in _lookupLabels)
        {
            values.Written = written;
            Il.MarkLabel(label);
            EmitLookup(far);
        }
    }

    // Finds the cell of the target in Locals.Value in the vCPU's entry cache (line = cache + index * 16, { tag, cell }); the flags are in the state.
    // The context is the region's own, a constant, or after a far transfer what it has put into the state.
    private void EmitLookup(bool far)
    {
        if (far)
        {
            LoadField(nameof(ExecutionState.CodeContext), OpCodes.Ldind_U2);
            Il.Emit(OpCodes.Conv_U8);
            StLoc(Locals.Scratch);
        }

        LoadField(nameof(ExecutionState.EntryCache), OpCodes.Ldind_I);
        LdLoc(Locals.Value);
        if (far)
        {
            LdLoc(Locals.Scratch);
            Ldc((long)EntryCacheLine.ContextStep);
            Il.Emit(OpCodes.Mul);
            Il.Emit(OpCodes.Add);
        }
        else if (Region.Context != 0)
        {
            Ldc((long)EntryCacheLine.IndexOf(0, Region.Context));
            Il.Emit(OpCodes.Add);
        }

        Ldc((long)(EntryCacheLine.Count - 1));
        Il.Emit(OpCodes.And);
        Ldc4(4);
        Il.Emit(OpCodes.Shl);
        Il.Emit(OpCodes.Conv_I);
        Il.Emit(OpCodes.Add);
        StLoc(Locals.Cell);
        var miss = Il.DefineLabel();
        LdLoc(Locals.Cell);
        Il.Emit(OpCodes.Ldind_I8);
        LdLoc(Locals.Value);
        if (far)
        {
            LdLoc(Locals.Scratch);
            Ldc4(EntryCacheLine.ContextShift);
            Il.Emit(OpCodes.Shl);
            Il.Emit(OpCodes.Xor);
        }
        else if (Region.Context != 0)
        {
            Ldc((long)EntryCacheLine.TagOf(0, Region.Context));
            Il.Emit(OpCodes.Xor);
        }

        Il.EmitBranch(OpCodes.Bne_Un, miss);
        LdLoc(Locals.Cell);
        Ldc4(8);
        Il.Emit(OpCodes.Add);
        Il.Emit(OpCodes.Ldind_I);
        StLoc(Locals.Cell);

        // After a far transfer with paging the entry must look at the pages anew.
        if (Options.IsLinked && !(far && Options.IsPaged))
            ReenterIfInside();
        exits.JumpToExit(ExitKind.Chain);
        Il.MarkLabel(miss);
        exits.StoreRipFromValue();
        exits.JumpToExit(ExitKind.Return);
    }

    // When the cell leads back into this region the code is not left. That is rare, and also tells RyuJIT what it cannot know: that control
    // comes back to the entry switch. Another thread may give the cell to another region at any time: the word is read once.
    private void ReenterIfInside()
    {
        var outside = Il.DefineLabel();
        LdLoc(Locals.Cell);
        Ldc4(LocalOffset);
        Il.Emit(OpCodes.Add);
        Il.Emit(OpCodes.Volatile);
        Il.Emit(OpCodes.Ldind_I8);
        StLoc(Locals.Scratch);
        LdLoc(Locals.Scratch);
        Ldc4(EntryCell.EntryBits);
        Il.Emit(OpCodes.Shr_Un);
        Il.EmitRegionNumber(Locals.Links);
        Il.EmitBranch(OpCodes.Bne_Un, outside);
        LdLoc(Locals.Scratch);
        Ldc((1L << EntryCell.EntryBits) - 1);
        Il.Emit(OpCodes.And);
        Il.Emit(OpCodes.Conv_I4);
        StLoc(Locals.Entry);
        exits.JumpToExit(ExitKind.Reenter);
        Il.MarkLabel(outside);
    }

    private void PickCell(ulong target)
    {
        Il.EmitCell(Locals.Links, Context.Links.Cell(target), target);
        StLoc(Locals.Cell);
    }
}
