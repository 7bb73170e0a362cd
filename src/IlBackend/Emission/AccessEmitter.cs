using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// Memory accesses. The fast path is inline, in one of several forms (<see cref="AccessForm"/>). Everything else leaves the code and is interpreted:
/// a region without calls keeps all its locals in registers. Only an instruction that was seen to need more gets more
/// (<see cref="AccessHistory"/>).
/// </summary>
internal sealed unsafe class AccessEmitter(EmitContext context, ValueEmitter values, HostAccess host, ExitEmitter exits, ColdPaths cold)
    : EmitterPart(context)
{
    private delegate void SlowPathEnd(in IrOp op, int leave, int resume);

    /// <summary>True when the present instruction left the code so often that it gets by without leaving now.</summary>
    public bool IsSlow => Plan.History(Rip) == AccessHistory.Slow;

    /// <summary>Tests what a loop needs, on the way into it. Where a test fails the interpreter goes on from the head.</summary>
    public void EmitLoopChecks(RegionBlock head)
    {
        if (Plan.LoopChecksOf(head).Count == 0)
            return;
        Context.Insn = 0;
        Il.BeginInstruction(head.Start);
        var slow = Il.DefineLabel();
        foreach (var check in Plan.LoopChecksOf(head))
            host.EmitLoopCheck(check, slow);
        Context.Links.SetBeforeLoop(exits.LeaveSlowly(slow));
        Context.Insn = -1;
        Il.MarkLabel(Labels.KnownHead(head));
    }

    /// <summary>Load, LoadSigned.</summary>
    public void Load(in IrOp op)
    {
        var signed = op.Op == IrOpcode.LoadSigned;
        var slow = Il.DefineLabel();
        var tested = host.EmitCheck(op, slow);
        host.PushHostAddress(op);
        if (!tested)
            KeepInLoop();
        Il.Emit(op.Size switch
        {
            1 => signed ? OpCodes.Ldind_I1 : OpCodes.Ldind_U1,
            2 => signed ? OpCodes.Ldind_I2 : OpCodes.Ldind_U2,
            4 => signed ? OpCodes.Ldind_I4 : OpCodes.Ldind_U4,
            _ => OpCodes.Ldind_I8,
        });
        FinishLoad(op, signed);
        EndAccess(op, tested, slow, nameof(EmitSupport.Load), (in IrOp load, int leave, int resume) =>
        {
            StLoc(Locals.Value);
            exits.LeaveIfPending(leave);
            LdLoc(Locals.Value);
            if (load.Size < 8)
                Il.Emit(OpCodes.Conv_I4);
            if (signed)
                values.SignExtend(load.Size);
            FinishLoad(load, signed);
            Il.EmitBranch(OpCodes.Br, resume);
        });
    }

    /// <summary>Store.</summary>
    public void Store(in IrOp op)
    {
        var slow = Il.DefineLabel();
        var tested = host.EmitCheck(op, slow);
        host.PushHostAddress(op);
        values.Push(op.C, op.Imm, Width(op.Size));
        Il.Emit(op.Size switch { 1 => OpCodes.Stind_I1, 2 => OpCodes.Stind_I2, 4 => OpCodes.Stind_I4, _ => OpCodes.Stind_I8 });
        EndAccess(op, tested, slow, nameof(EmitSupport.Store), FinishStore);
    }

    /// <summary>VLoad.</summary>
    public void LoadVector(in IrOp op)
    {
        var slow = Il.DefineLabel();
        var tested = host.EmitCheck(op, slow);
        values.BeginVectorStore(op.Dst);
        host.PushHostAddress(op);
        if (op.Size == 16)
        {
            if (!tested)
                KeepInLoop();
            Il.Emit(OpCodes.Unaligned, 1);
            Il.EmitType(OpCodes.Ldobj, VectorType);
        }
        else
            Il.EmitCall(EmitSupport.Method(op.Size == 4 ? nameof(EmitSupport.Load4) : nameof(EmitSupport.Load8)));
        values.EndVectorStore(op.Dst);
        EndAccess(op, tested, slow, nameof(EmitSupport.LoadVector), (in IrOp load, int leave, int resume) =>
        {
            var loaded = Il.DefineLabel();
            Il.EmitBranch(OpCodes.Brtrue, loaded);
            exits.Leave(leave);
            Il.MarkLabel(loaded);

            // Through the state's temporary cell: taking the address of a local would keep it out of registers everywhere.
            values.BeginVectorStore(load.Dst);
            VectorAddress(VSlot.Temp0);
            Il.EmitType(OpCodes.Ldobj, VectorType);
            values.EndVectorStore(load.Dst);
            Il.EmitBranch(OpCodes.Br, resume);
        });
    }

    /// <summary>VStore.</summary>
    public void StoreVector(in IrOp op)
    {
        var slow = Il.DefineLabel();
        var tested = host.EmitCheck(op, slow);
        host.PushHostAddress(op);
        values.PushVector(op.C);
        if (op.Size == 16)
        {
            Il.Emit(OpCodes.Unaligned, 1);
            Il.EmitType(OpCodes.Stobj, VectorType);
        }
        else
            Il.EmitCall(EmitSupport.Method(op.Size == 4 ? nameof(EmitSupport.Store4) : nameof(EmitSupport.Store8)));
        EndAccess(op, tested, slow, nameof(EmitSupport.StoreVector), FinishStore);
    }

    private void FinishLoad(in IrOp op, bool signed)
    {
        var width = Width(op.Size);
        if (signed && op.Sub == 8 && width == 4)
        {
            Il.Emit(OpCodes.Conv_I8);
            width = 8;
        }

        values.StoreDst(op.Dst, signed ? op.Sub : Math.Max((int)op.Size, 4), width);
        if (!signed)
            values.NoteExtended(op.Dst, op.Size);
    }

    // After an access: what happens when its test has failed. The code is left, or a method (state, address, size, ...) is called, and an end
    // looks at its result and goes back or leaves.
    private void EndAccess(in IrOp op, bool tested, int slow, string method, SlowPathEnd end)
    {
        if (!tested)
            return;
        if (!host.CallsSlowPath && !IsSlow)
        {
            exits.LeaveSlowly(slow);
            return;
        }

        var resume = Il.DefineLabel();
        Il.MarkLabel(resume);
        var (copy, leave) = (op, exits.LeaveSite());
        cold.Here(() =>
        {
            Il.MarkLabel(slow);
            host.EmitMiss();
            Il.Emit(OpCodes.Ldarg_0);
            LdLoc(Locals.Ea);
            Ldc4(copy.Size);
            PushRest(copy);
            Il.EmitCall(EmitSupport.Method(method));
            end(copy, leave, resume);
        });
    }

    // The other arguments of a slow path.
    private void PushRest(in IrOp op)
    {
        if (op.Op is IrOpcode.VLoad or IrOpcode.VStore)
            Ldc4((int)op.Attr);
        else
            Ldc4((int)op.Intent);
        if (op.Op == IrOpcode.VLoad)
            VectorAddress(VSlot.Temp0);
        else if (op.Op == IrOpcode.VStore)
            values.PushVector(op.C);
        else if (op.Op == IrOpcode.Store)
            values.Push(op.C, op.Imm, 8);
    }

    // The method has told whether it has stored.
    private void FinishStore(in IrOp op, int leave, int resume)
    {
        Il.EmitBranch(OpCodes.Brtrue, resume);
        exits.Leave(leave);
    }

    /// <summary>CheckLimit.</summary>
    public void CheckLimit(in IrOp op)
    {
        if (Plan.Is64 && !IsSlow)
        {
            CheckCanonical(op.A);
            return;
        }

        var fail = Il.DefineLabel();
        CallCheckLimit(op);
        Il.EmitBranch(OpCodes.Brfalse, fail);
        var leave = exits.LeaveSite();
        cold.Here(() =>
        {
            Il.MarkLabel(fail);
            exits.Leave(leave);
        });
    }

    // The lower half of the canonical addresses passes by one test. What is not canonical (bits 63:47 differ) leaves to the interpreter,
    // which raises the exception: a call here would cost registers in the whole region.
    private void CheckCanonical(ushort slot)
    {
        var upper = Il.DefineLabel();
        var slow = Il.DefineLabel();
        var done = Il.DefineLabel();
        values.Push(slot, 8);
        Ldc4(47);
        Il.Emit(OpCodes.Shr_Un);
        Il.EmitBranch(OpCodes.Brtrue, upper);
        Il.MarkLabel(done);
        cold.Here(() =>
        {
            Il.MarkLabel(upper);
            values.Push(slot, 8);
            Ldc4(16);
            Il.Emit(OpCodes.Shl);
            Ldc4(16);
            Il.Emit(OpCodes.Shr);
            values.Push(slot, 8);
            Il.EmitBranch(OpCodes.Beq, done);
            Il.EmitBranch(OpCodes.Br, slow);
        });
        exits.LeaveSlowly(slow);
    }

    private void CallCheckLimit(in IrOp op)
    {
        Il.Emit(OpCodes.Ldarg_0);
        Ldc4(op.Seg);
        values.Push(op.A, 8);
        Ldc(op.Imm);
        Il.EmitCall(typeof(SegmentLimits).GetMethod(nameof(SegmentLimits.Check))!);
    }

    // Before a load without a test: in a loop without tests nothing else keeps RyuJIT from taking it out of the loop, though another thread
    // may change the memory.
    private void KeepInLoop()
    {
        if (Plan.Checks!.IsInKnownLoop(Block))
            Il.Emit(OpCodes.Volatile);
    }
}
