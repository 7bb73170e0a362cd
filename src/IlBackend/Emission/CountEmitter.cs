using System.Reflection;
using System.Reflection.Emit;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.State;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// Counts executed instructions, in a local from the entry to the exit: upwards for statistics; downwards under a budget, from a slice of
/// what is left of it. At the end of a slice the code is left, and comes back with the next one, so the exit request need not be looked at
/// wherever control goes backwards: a jump costs one test, as without a budget.
/// </summary>
internal sealed class CountEmitter(EmitContext context) : EmitterPart(context)
{
    // Instructions that may pass until an exit request is noticed: some twenty microseconds, against which leaving and coming back is little.
    // More than BudgetPlan lets pass without a test.
    private const long Slice = 1 << 16;

    /// <summary>Instructions are counted.</summary>
    public bool Counts => IsBudgeted || Options.CountInstructions;

    private static readonly MethodInfo Min = typeof(Math).GetMethod(nameof(Math.Min), [typeof(ulong), typeof(ulong)])!;

    /// <summary>The code stops at <see cref="ExecutionState.InstructionLimit"/>.</summary>
    public bool IsBudgeted => Plan.Budget != null;

    /// <summary>Begins to count, at an entry and where the state's count may have changed.</summary>
    public void Begin()
    {
        if (!Counts)
            return;
        if (!IsBudgeted)
        {
            Ldc(0L);
            StLoc(Locals.Count);
            return;
        }

        LoadField(nameof(ExecutionState.InstructionLimit), OpCodes.Ldind_I8);
        LoadField(nameof(ExecutionState.InstructionCount), OpCodes.Ldind_I8);
        Il.Emit(OpCodes.Sub);
        StLoc(Locals.Scratch);
        LdLoc(Locals.Scratch);
        Ldc(Slice);
        Il.EmitCall(Min);
        StLoc(Locals.Count);
        FieldAddress(FieldOffset(nameof(ExecutionState.SliceEnd)));
        LoadField(nameof(ExecutionState.InstructionLimit), OpCodes.Ldind_I8);
        LdLoc(Locals.Scratch);
        Il.Emit(OpCodes.Sub);
        LdLoc(Locals.Count);
        Il.Emit(OpCodes.Add);
        Il.Emit(OpCodes.Stind_I8);
    }

    /// <summary>Counts the instructions of a block, at its beginning.</summary>
    public void Add(RegionBlock block)
    {
        if (!Counts)
            return;
        LdLoc(Locals.Count);
        Ldc((long)block.Addresses.Length);
        Il.Emit(IsBudgeted ? OpCodes.Sub : OpCodes.Add);
        StLoc(Locals.Count);
    }

    /// <summary>Branches if what is left of the slice does not suffice from the start of a block on.</summary>
    public void BranchIfShort(RegionBlock block, int label)
    {
        LdLoc(Locals.Count);
        Ldc((long)Plan.Budget!.NeededAt(block));
        Il.EmitBranch(OpCodes.Blt_Un, label);
    }

    /// <summary>Stores the count in the state. <see cref="Begin"/> must follow before the next block.</summary>
    public void Store()
    {
        if (!Counts)
            return;
        if (Options.HeatCounter != 0)
            AddToHeat();
        FieldAddress(FieldOffset(nameof(ExecutionState.InstructionCount)));
        if (IsBudgeted)
            PushCount();
        else
        {
            LoadField(nameof(ExecutionState.InstructionCount), OpCodes.Ldind_I8);
            LdLoc(Locals.Count);
            Il.Emit(OpCodes.Add);
        }

        Il.Emit(OpCodes.Stind_I8);
    }

    private void AddToHeat()
    {
        Ldc(Options.HeatCounter);
        Il.Emit(OpCodes.Conv_I);
        Ldc(Options.HeatCounter);
        Il.Emit(OpCodes.Conv_I);
        Il.Emit(OpCodes.Ldind_I8);
        if (IsBudgeted)
        {
            PushCount();
            LoadField(nameof(ExecutionState.InstructionCount), OpCodes.Ldind_I8);
            Il.Emit(OpCodes.Sub);
        }
        else
            LdLoc(Locals.Count);
        Il.Emit(OpCodes.Add);
        Il.Emit(OpCodes.Stind_I8);
    }

    // The instructions executed so far, under a budget.
    private void PushCount()
    {
        LoadField(nameof(ExecutionState.SliceEnd), OpCodes.Ldind_I8);
        LdLoc(Locals.Count);
        Il.Emit(OpCodes.Sub);
    }
}
