using System.Numerics;
using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// Exits of the method, and the sites that tell where it was left. Each exit first stores the registers that may have been written up to
/// there, and only those, so that an entry has to load no more than what the code uses; exits with the same set share the code, and one
/// with a larger set goes on in that of a smaller one.
/// </summary>
internal sealed unsafe class ExitEmitter(EmitContext context, ValueEmitter values, FlagsEmitter flags, CountEmitter counts, ColdPaths cold)
    : EmitterPart(context)
{
    // By kind (upper half) and written registers.
    private readonly Dictionary<ulong, int> _waysOut = [];
    private readonly Dictionary<(ulong Rip, uint Written), int> _requestLabels = [];

    /// <summary>The fault site of the present instruction and flags.</summary>
    public int LeaveSite() =>
        Context.Links.NewSite(Rip, flags.InState(flags.Form), counts.Counts ? Block.Addresses.Length - Insn : 0);

    /// <summary>As <see cref="LeaveSite"/>, for a trap: the present instruction has been executed.</summary>
    public int TrapSite()
    {
        var completed = Insn + 1;
        var rip = completed < Block.Addresses.Length ? Block.Addresses[completed] : Block.Next;
        return Context.Links.NewSite(rip, flags.InState(flags.Form), Options.CountInstructions ? Block.Addresses.Length - completed : 0);
    }

    /// <summary>Leaves at a site with an exception pending. The flags are in the form of the site's instruction.</summary>
    public void Leave(int site)
    {
        flags.StoreParts(flags.Form);
        PickSite(site);
        JumpToExit(ExitKind.Fault);
    }

    /// <summary>As <see cref="Leave"/>, after a helper that has changed registers in the state: those must not be stored.</summary>
    public void LeaveFromHelper(int site)
    {
        flags.StoreParts(flags.Form);
        PickSite(site);
        Il.EmitBranch(OpCodes.Br, LabelOf(ExitKind.Fault, values.Written));
    }

    /// <summary>From the label on: leaves to the interpreter at the present instruction, which has not done anything. Returns the site.</summary>
    public int LeaveSlowly(int slow)
    {
        var site = LeaveSite();
        cold.Here(() =>
        {
            Il.MarkLabel(slow);
            flags.StoreParts(flags.Form);
            PickSite(site);
            JumpToExit(ExitKind.SlowAccess);
        });
        return site;
    }

    /// <summary>Leaves at a site if an exception is pending.</summary>
    public void LeaveIfPending(int site)
    {
        var none = Il.DefineLabel();
        LoadField(nameof(ExecutionState.ExceptionVector), OpCodes.Ldind_I4);
        Ldc4(0);
        Il.EmitBranch(OpCodes.Blt, none);
        Leave(site);
        Il.MarkLabel(none);
    }

    /// <summary>
    /// Tests what may stop the code on the way from the present block to another: the exit-request word (interrupts, stop requests,
    /// invalidation) wherever control goes backwards, and the budget.
    /// </summary>
    public void CheckEdge(RegionBlock target)
    {
        if (target.Order <= Block.Order)
            CheckRequest(target);
        else if (Plan.Budget?.IsTested(Block, target) == true)
            counts.BranchIfShort(target, StopLabel(target.Start));
    }

    /// <summary>Tests what may stop the code before a block.</summary>
    public void CheckRequest(RegionBlock target)
    {
        if (counts.IsBudgeted)
        {
            counts.BranchIfShort(target, StopLabel(target.Start));
            return;
        }

        PushRequest();
        Il.EmitBranch(OpCodes.Brtrue, StopLabel(target.Start));
    }

    // Where the code is left at an address, the flags as they are now.
    private int StopLabel(ulong rip)
    {
        if (flags.Form.IsMemory)
        {
            var written = StoredBy(ExitKind.Return);
            if (!_requestLabels.TryGetValue((rip, written), out var known))
                _requestLabels[(rip, written)] = known = Il.DefineLabel();
            return known;
        }

        var label = Il.DefineLabel();
        cold.Here(() =>
        {
            Il.MarkLabel(label);
            StoreRipAndFlags(rip);
            JumpToExit(ExitKind.Return);
        });
        return label;
    }

    /// <summary>On an exit at an instruction boundary; what the flags are is worked out when the code has been left.</summary>
    public void StoreRipAndFlags(ulong rip)
    {
        if (flags.Form.IsMemory)
        {
            StoreRip(rip);
            return;
        }

        flags.StoreParts(flags.Form);
        FieldAddress(FieldOffset(nameof(ExecutionState.FaultSite)));
        PushSite(Context.Links.NewSite(rip, flags.InState(flags.Form), 0));
        Il.Emit(OpCodes.Stind_I);
    }

    /// <summary>Sets RIP in the state.</summary>
    public void StoreRip(ulong rip)
    {
        FieldAddress(Slot.Rip * 8);
        Ldc((long)rip);
        Il.Emit(OpCodes.Stind_I8);
    }

    /// <summary>Sets RIP in the state to the address in <see cref="RegionLocals.Value"/>.</summary>
    public void StoreRipFromValue()
    {
        FieldAddress(Slot.Rip * 8);
        LdLoc(Locals.Value);
        Il.Emit(OpCodes.Stind_I8);
    }

    /// <summary>Says why the code is left.</summary>
    public void SetCause(ExitCause cause)
    {
        FieldAddress(FieldOffset(nameof(ExecutionState.ExitCauseValue)));
        Ldc4((int)cause);
        Il.Emit(OpCodes.Stind_I4);
    }

    // The label of an exit that stores a set of registers.
    private int LabelOf(ExitKind kind, uint set)
    {
        var key = ((ulong)kind << 32) | set;
        if (!_waysOut.TryGetValue(key, out var label))
            _waysOut[key] = label = Il.DefineLabel();
        return label;
    }

    /// <summary>Goes out, with the registers stored that have been written up to here. All locals of registers are right here.</summary>
    public void JumpToExit(ExitKind kind) => Il.EmitBranch(OpCodes.Br, LabelOf(kind, StoredBy(kind)));

    private uint StoredBy(ExitKind kind)
    {
        var isRare = kind is ExitKind.SlowAccess or ExitKind.Fault;
        return isRare && values.Written != 0 ? Plan.Written.All : Plan.Written.ExitSet(values.Written);
    }

    /// <summary>Emits all exits, after all that branches to them.</summary>
    public void EmitWaysOut()
    {
        foreach (var ((rip, written), label) in _requestLabels)
        {
            values.Written = written;
            Il.MarkLabel(label);
            StoreRip(rip);
            JumpToExit(ExitKind.Return);
        }

        for (var kind = ExitKind.Return; kind <= ExitKind.Chain; kind++)
        {
            var sets = new List<uint>();
            foreach (var key in _waysOut.Keys)
                if (key >> 32 == (ulong)kind)
                    sets.Add((uint)key);
            if (sets.Count == 0)
                continue;
            sets.Sort((a, b) => BitOperations.PopCount(b).CompareTo(BitOperations.PopCount(a)) is var order and not 0 ? order : a.CompareTo(b));
            if (sets[^1] != 0)
                sets.Add(0);
            for (var i = 0; i < sets.Count; i++)
            {
                Il.MarkLabel(LabelOf(kind, sets[i]));
                if (sets[i] == 0)
                    break;
                var smaller = sets.FindIndex(i + 1, set => (set & ~sets[i]) == 0);
                values.StoreWritten(sets[i] & ~sets[smaller]);
                if (smaller == i + 1)
                    continue;
                Il.EmitBranch(OpCodes.Br, LabelOf(kind, sets[smaller]));
            }

            counts.Store();
            EmitEndOf(kind);
        }
    }

    private void EmitEndOf(ExitKind kind)
    {
        switch (kind)
        {
            case ExitKind.SlowAccess:
                StoreSite(ExitCause.SlowAccess);
                break;
            case ExitKind.Fault:
                StoreSite(ExitCause.Exception);
                break;
            case ExitKind.Reenter:
                counts.Begin();
                Il.EmitBranch(OpCodes.Br, Labels.EntrySwitch);
                return;
            case ExitKind.Chain:
                JumpThroughCell();
                return;
        }

        Il.Emit(OpCodes.Ret);
    }

    private void StoreSite(ExitCause cause)
    {
        FieldAddress(FieldOffset(nameof(ExecutionState.FaultSite)));
        LdLoc(Locals.Site);
        Il.EmitSiteAddress(Locals.Links);
        Il.Emit(OpCodes.Stind_I);
        SetCause(cause);
    }

    private void PickSite(int site)
    {
        Il.EmitFaultSite(site, Context.Links.Sites[site]);
        StLoc(Locals.Site);
    }

    private void JumpThroughCell()
    {
        Il.Emit(OpCodes.Ldarg_0);
        LdLoc(Locals.Cell);
        LdLoc(Locals.Cell);
        Il.Emit(OpCodes.Ldind_I8);
        StLoc(Locals.Value);
        LdLoc(Locals.Value);
        Il.Emit(OpCodes.Conv_I);
        LdLoc(Locals.Value);
        Ldc((1L << EntryCell.AddressBits) - 1);
        Il.Emit(OpCodes.And);
        Il.Emit(OpCodes.Conv_I);
        Il.Emit(OpCodes.Ldind_I);
        Il.EmitTailJump();
    }
}
