using System.Reflection.Emit;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// Ways into the blocks of a region: from outside, and from jumps that find their target at run time.
/// </summary>
internal sealed class EntryEmitter(EmitContext context, ValueEmitter values, FlagsEmitter flags, HostAccess host, CountEmitter counts, ExitEmitter exits, ColdPaths cold)
    : EmitterPart(context)
{
    private static readonly int RipOffset = (int)Marshal.OffsetOf<EntryCell>(nameof(EntryCell.Rip));

    private static readonly int GenerationOffset = (int)Marshal.OffsetOf<EntryCell>(nameof(EntryCell.Generation));

    private readonly Dictionary<RegionBlock, int> _tested = [];
    private int? _short;

    /// <summary>Emits the beginning of the method.</summary>
    public void Emit()
    {
        Il.BeginGlue("entry");
        Il.Emit(OpCodes.Ldarg_2);
        Ldc((1L << EntryCell.AddressBits) - 1);
        Il.Emit(OpCodes.And);
        Il.Emit(OpCodes.Conv_I);
        StLoc(Locals.Links);
        host.EmitEntry();
        values.LoadRegisters();
        values.LoadVectors();
        counts.Begin();
        CheckGeneration();
        CountEntry();
        if (!Options.IsEntered)
            exits.CheckRequest(Region.Blocks[0]);
        else
            EmitEntrySwitch();
    }

    // All entries, and all jumps that find their target at run time, go through one switch: it is the head of the loop that they make, so
    // that RyuJIT sees a loop with one entrance and lays slow paths out of it. The exit request is looked at here, too, so that regions
    // that jump to each other in a ring stop. The address that control goes to is in Locals.Value.
    private void EmitEntrySwitch()
    {
        Il.Emit(OpCodes.Ldarg_1);
        Ldc4(RipOffset);
        Il.Emit(OpCodes.Add);
        Il.Emit(OpCodes.Ldind_I8);
        StLoc(Locals.Value);
        Il.Emit(OpCodes.Ldarg_2);
        Ldc4(EntryCell.AddressBits);
        Il.Emit(OpCodes.Shr_Un);
        Il.Emit(OpCodes.Conv_I4);
        StLoc(Locals.Entry);
        Il.MarkLabel(Labels.EntrySwitch);
        LeaveIfRequested();
        if (Region.EntryNumbers == 1)
        {
            if (counts.IsBudgeted)
                counts.BranchIfShort(Region.Blocks[0], ShortLabel());
            return;
        }

        if (!Plan.UsesJumpTable)
        {
            // Most often it is the head: a branch is predicted better than the switch.
            LdLoc(Locals.Entry);
            Il.EmitBranch(OpCodes.Brfalse, InsideLabel(Region.Blocks[0]));
        }

        LdLoc(Locals.Entry);
        Il.EmitSwitch(EntryLabels());
        if (Plan.UsesJumpTable)
            Il.EmitBranch(OpCodes.Br, Labels.Missed);
    }

    private void LeaveIfRequested()
    {
        var requested = Il.DefineLabel();
        PushRequest();
        Il.EmitBranch(OpCodes.Brtrue, requested);
        cold.Add(() =>
        {
            Il.BeginGlue("exit request");
            Il.MarkLabel(requested);
            values.Written = Plan.UsesJumpTable ? Plan.Written.AtDispatch : 0;
            exits.StoreRipFromValue();
            exits.JumpToExit(ExitKind.Return);
        });
    }

    // A block as it is entered at run time: under a budget what is left of it is tested first.
    private int InsideLabel(RegionBlock block)
    {
        if (!counts.IsBudgeted)
            return Labels.Of(block);
        if (_tested.TryGetValue(block, out var known))
            return known;
        var label = _tested[block] = Il.DefineLabel();
        cold.Add(() =>
        {
            Il.BeginGlue("budget");
            Il.MarkLabel(label);
            counts.BranchIfShort(block, ShortLabel());
            Il.EmitBranch(OpCodes.Br, Labels.Of(block));
        });
        return label;
    }

    // What is left does not suffice at the address in Locals.Value: the dispatcher has another slice, or the interpreter execute the rest.
    private int ShortLabel()
    {
        if (_short is { } known)
            return known;
        var label = Il.DefineLabel();
        _short = label;
        cold.Add(() =>
        {
            Il.BeginGlue("budget");
            Il.MarkLabel(label);
            values.Written = Plan.UsesJumpTable ? Plan.Written.AtDispatch : 0;
            exits.StoreRipFromValue();
            exits.SetCause(ExitCause.Budget);
            exits.JumpToExit(ExitKind.Return);
        });
        return label;
    }

    private int[] EntryLabels()
    {
        var labels = new int[Region.EntryNumbers];
        Array.Fill(labels, Labels.Missed);
        foreach (var block in Region.Entries)
        {
            if (labels[block.Entry] != Labels.Missed)
                continue;
            var label = labels[block.Entry] = Il.DefineLabel();
            cold.Add(() => EmitSideEntry(label, block));
        }

        return labels;
    }

    private void StoreRipOfCell()
    {
        FieldAddress(Slot.Rip * 8);
        Il.Emit(OpCodes.Ldarg_1);
        Ldc4(RipOffset);
        Il.Emit(OpCodes.Add);
        Il.Emit(OpCodes.Ldind_I8);
        Il.Emit(OpCodes.Stind_I8);
    }

    // With paging, code whose pages have not been compared since the last change of translations is not executed: the dispatcher compares them.
    private void CheckGeneration()
    {
        if (!Options.IsEntered || !Options.IsPaged)
            return;
        var stale = Il.DefineLabel();
        Il.Emit(OpCodes.Ldarg_1);
        Ldc4(GenerationOffset);
        Il.Emit(OpCodes.Add);
        Il.Emit(OpCodes.Ldind_U4);
        LoadField(Region.Mode.IsUser() ? nameof(ExecutionState.CodeGeneration) : nameof(ExecutionState.GlobalCodeGeneration), OpCodes.Ldind_U4);
        Il.EmitBranch(OpCodes.Bne_Un, stale);
        cold.Add(() =>
        {
            Il.BeginGlue("stale code");
            Il.MarkLabel(stale);
            StoreRipOfCell();
            values.Written = 0;
            exits.JumpToExit(ExitKind.Return);
        });
    }

    // Counts entries from outside; one in so many leaves as a sample of what is entered most.
    private void CountEntry()
    {
        if (!Options.IsEntered)
            return;
        var hot = Il.DefineLabel();
        var offset = FieldOffset(nameof(ExecutionState.EntriesToSample));
        FieldAddress(offset);
        FieldAddress(offset);
        Il.Emit(OpCodes.Ldind_I4);
        Ldc4(1);
        Il.Emit(OpCodes.Sub);
        Il.Emit(OpCodes.Stind_I4);
        FieldAddress(offset);
        Il.Emit(OpCodes.Ldind_I4);
        Il.EmitBranch(OpCodes.Brfalse, hot);
        cold.Add(() =>
        {
            Il.BeginGlue("hot entry");
            Il.MarkLabel(hot);
            StoreRipOfCell();
            exits.SetCause(ExitCause.HotEntry);
            values.Written = 0;
            exits.JumpToExit(ExitKind.Return);
        });
    }

    private void EmitSideEntry(int label, RegionBlock block)
    {
        Il.BeginGlue("entry");
        flags.Form = FlagsForm.Memory;
        Il.MarkLabel(label);
        if (!Plan.UsesJumpTable || block.Entry >= Region.JumpTable!.Size)
        {
            Il.EmitBranch(OpCodes.Br, InsideLabel(block));
            return;
        }

        foreach (var target in Region.JumpTable.At(block.Entry))
        {
            LdLoc(Locals.Value);
            Ldc((long)target.Start);
            Il.EmitBranch(OpCodes.Beq, InsideLabel(target));
        }

        Il.EmitBranch(OpCodes.Br, Labels.Missed);
    }
}
