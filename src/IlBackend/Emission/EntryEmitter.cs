using System.Reflection.Emit;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// Ways into the blocks of a region: from outside, and from jumps that find their target at run time.
/// </summary>
internal sealed class EntryEmitter(EmitContext context, ValueEmitter values, FlagsEmitter flags, HostAccess host, ExitEmitter exits, ColdPaths cold)
    : EmitterPart(context)
{
    private static readonly int RipOffset = (int)Marshal.OffsetOf<EntryCell>(nameof(EntryCell.Rip));

    /// <summary>Emits the beginning of the method.</summary>
    public void Emit()
    {
        Il.BeginGlue("entry");
        host.EmitEntry();
        values.LoadRegisters();
        values.LoadVectors();
        exits.ClearCount();
        CountEntry();
        if (Options.RegionNumber == 0)
            exits.CheckRequest(Region.Blocks[0].Start);
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
        Il.Emit(OpCodes.Conv_I4);
        StLoc(Locals.Entry);
        Il.MarkLabel(Labels.EntrySwitch);
        LeaveIfRequested();
        if (Region.EntryNumbers == 1)
            return;
        if (!Plan.UsesJumpTable)
        {
            // Most often it is the head: a branch is predicted better than the switch.
            LdLoc(Locals.Entry);
            Il.EmitBranch(OpCodes.Brfalse, Labels.Of(Region.Blocks[0]));
        }

        LdLoc(Locals.Entry);
        Il.EmitSwitch(EntryLabels());
        if (Plan.UsesJumpTable)
            Il.EmitBranch(OpCodes.Br, Labels.Missed);
    }

    private void LeaveIfRequested()
    {
        var requested = Il.DefineLabel();
        exits.PushRequest();
        Il.EmitBranch(OpCodes.Brtrue, requested);
        cold.Add(() =>
        {
            Il.BeginGlue("exit request");
            Il.MarkLabel(requested);
            values.Written = Plan.UsesJumpTable ? Plan.Written.AtDispatch : 0;
            exits.StoreRipFromValue();
            exits.GoOut(WayOut.Return);
        });
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

    // Counts entries from outside; one in so many leaves as a sample of what is entered most.
    private void CountEntry()
    {
        if (Options.RegionNumber == 0)
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
            exits.GoOut(WayOut.Return);
        });
    }

    private void EmitSideEntry(int label, RegionBlock block)
    {
        Il.BeginGlue("entry");
        flags.Form = FlagsForm.Memory;
        Il.MarkLabel(label);
        if (!Plan.UsesJumpTable || block.Entry >= Region.JumpTable!.Size)
        {
            Il.EmitBranch(OpCodes.Br, Labels.Of(block));
            return;
        }

        foreach (var target in Region.JumpTable.At(block.Entry))
        {
            LdLoc(Locals.Value);
            Ldc((long)target.Start);
            Il.EmitBranch(OpCodes.Beq, Labels.Of(target));
        }

        Il.EmitBranch(OpCodes.Br, Labels.Missed);
    }
}
