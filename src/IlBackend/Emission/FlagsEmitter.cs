using System.Reflection;
using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// The flags: where they are now (<see cref="Form"/>), and what is described, copied and stored of them.
/// </summary>
internal sealed unsafe class FlagsEmitter(EmitContext context, ValueEmitter values, ConditionEmitter conditions, ColdPaths cold) : EmitterPart(context)
{
    private static readonly MethodInfo StatusMethod = typeof(FlagsRecord).GetMethod(
        nameof(FlagsRecord.Status), [typeof(ulong), typeof(ulong), typeof(ulong), typeof(ulong)])!;

    private static readonly MethodInfo StatusInState = EmitSupport.Method(nameof(EmitSupport.Status));

    /// <summary>Brings the record to what a site says.</summary>
    public static readonly MethodInfo ApplyMethod = EmitSupport.Method(nameof(EmitSupport.ApplyFlags));

    /// <summary>Where the flags are now.</summary>
    public FlagsForm Form { get; set; } = FlagsForm.Memory;

    /// <summary>Branches when the condition holds.</summary>
    public void BranchIf(Condition condition, int label)
    {
        if (Form is { Base: FlagsBase.Either, Layer: FlagsLayer.None })
        {
            BranchEither(condition, label);
            return;
        }

        if (FlagsTransfer.View(Form, condition) is not { } form)
        {
            conditions.PushFromState(condition);
            Il.EmitBranch(OpCodes.Brtrue, label);
            return;
        }

        if (conditions.TryPushComparison(condition, form, out var comparison))
        {
            Il.EmitBranch(ConditionEmitter.BranchOpcode(comparison), label);
            return;
        }

        if (ConditionEmitter.ConstantCondition(condition, form) is { } constant)
        {
            if (constant)
                Il.EmitBranch(OpCodes.Br, label);
            return;
        }

        conditions.PushGeneric(condition, form);
        Il.EmitBranch(OpCodes.Brtrue, label);
    }

    // A described record is tested where it is; the one in the state out of line.
    private void BranchEither(Condition condition, int label)
    {
        var (either, inState, done) = (Form, Il.DefineLabel(), Il.DefineLabel());
        LoadSlotMemory(Slot.FlagsOp, 4);
        Ldc4((int)FlagsForm.Symbolic);
        Il.EmitBranch(OpCodes.Bne_Un, inState);
        Form = either with { Base = FlagsBase.Described };
        BranchIf(condition, label);
        Form = either;
        Il.MarkLabel(done);
        cold.Here(() =>
        {
            Il.MarkLabel(inState);
            conditions.PushFromState(condition);
            Il.EmitBranch(OpCodes.Brtrue, label);
            Il.EmitBranch(OpCodes.Br, done);
        });
    }

    /// <summary>Brings the record into the state.</summary>
    public void Materialise()
    {
        var form = Form;
        Form = FlagsForm.Memory;
        switch (form)
        {
            case { Base: FlagsBase.Dead } or { IsMemory: true }:
                break;
            case { IsPlain: true, IsInvolved: false }:
                StoreRecord(form);
                break;
            case { Base: FlagsBase.Either, IsInvolved: false }:
                var done = Il.DefineLabel();
                LoadSlotMemory(Slot.FlagsOp, 4);
                Ldc4((int)FlagsForm.Symbolic);
                Il.EmitBranch(OpCodes.Bne_Un, done);
                StoreRecord(form);
                Il.MarkLabel(done);
                break;
            case { Base: FlagsBase.Described, Layer: FlagsLayer.Inc or FlagsLayer.Dec } when FlagsTransfer.View(form, Condition.B) != null:
                var kind = form.Layer == FlagsLayer.Inc ? FlagsKind.Inc : FlagsKind.Dec;
                conditions.Push(Condition.B, form);
                Il.Emit(OpCodes.Conv_U8);
                StLoc(Locals.Value);
                StoreRecord(
                    FlagsForm.Dead with { Base = FlagsBase.Described, Kind = kind, SizeLog2 = form.LayerSizeLog2, Left = form.A }, () => LdLoc(Locals.Value));
                break;
            case { Base: FlagsBase.Memory, Layer: FlagsLayer.Inc or FlagsLayer.Dec } when !Options.Alone:
                StoreStep(form);
                break;
            default:
                ApplyByCall(form);
                break;
        }
    }

    // inc or dec upon a record of which nothing is known. In a loop that is the one of the round before, which has the carry in its place.
    private void StoreStep(FlagsForm form)
    {
        var step = FlagsForm.Dead with
        {
            Base = FlagsBase.Described,
            Kind = form.Layer == FlagsLayer.Inc ? FlagsKind.Inc : FlagsKind.Dec,
            SizeLog2 = form.LayerSizeLog2,
            Left = form.A,
        };
        var other = Il.DefineLabel();
        var done = Il.DefineLabel();
        LoadSlotMemory(Slot.FlagsOp, 4);
        Ldc4((int)step.Code);
        Il.EmitBranch(OpCodes.Bne_Un, other);
        FieldAddress(Slot.FlagsRes * 8);
        conditions.PushResult(step, 8);
        Il.Emit(OpCodes.Stind_I8);
        Il.MarkLabel(done);
        cold.Here(() =>
        {
            Il.MarkLabel(other);
            ApplyByCall(form);
            Il.EmitBranch(OpCodes.Br, done);
        });
    }

    // The parts go to their own slots, so that no register has to be in the state.
    private void ApplyByCall(FlagsForm form)
    {
        for (var part = 0; part < Slot.PartCount; part++)
        {
            var operand = form.Part(part);
            if (operand.Slot == Slot.Zero)
                continue;
            StorePart(part, operand.Slot);
            form = form.WithPart(part, FlagsOperand.In((ushort)(Slot.Part0 + part)));
        }

        var site = Context.Links.NewSite(0, form, 0);
        Il.Emit(OpCodes.Ldarg_0);
        PushSite(site);
        Il.EmitCall(ApplyMethod);
    }

    /// <summary>The form after <see cref="StoreParts"/> and the registers have been stored: all that it names is in the state.</summary>
    public FlagsForm InState(FlagsForm form)
    {
        for (var part = 0; part < Slot.PartCount; part++)
            if (LivesInLocal(form.Part(part)))
                form = form.WithPart(part, FlagsOperand.In((ushort)(Slot.Part0 + part)));
        return form;
    }

    /// <summary>On an exit: stores those parts of the flags that no register holds.</summary>
    public void StoreParts(in FlagsForm form)
    {
        for (var part = 0; part < Slot.PartCount; part++)
            if (LivesInLocal(form.Part(part)))
                StorePart(part, form.Part(part).Slot);
    }

    private static bool LivesInLocal(FlagsOperand operand) => Slot.IsTemp(operand.Slot);

    private int PartLocal(int part) => Locals.Of((ushort)(Slot.Part0 + part));

    private void StorePart(int part, ushort slot)
    {
        FieldAddress((Slot.Part0 + part) * 8);
        values.Push(slot, 8);
        Il.Emit(OpCodes.Stind_I8);
    }

    private void StoreRecord(FlagsForm form) => StoreRecord(form, () => conditions.PushSource(form, 8));

    private void StoreRecord(FlagsForm form, Action pushSource)
    {
        FieldAddress(Slot.FlagsOp * 8);
        Ldc(form.Code);
        Il.Emit(OpCodes.Stind_I8);
        FieldAddress(Slot.FlagsRes * 8);
        conditions.PushResult(form, 8);
        Il.Emit(OpCodes.Stind_I8);

        // What a logical operation leaves follows from its result.
        if (form.Kind == FlagsKind.Logic)
            return;
        FieldAddress(Slot.FlagsSrc * 8);
        pushSource();
        Il.Emit(OpCodes.Stind_I8);
        if (!form.HasAux)
            return;
        FieldAddress(Slot.FlagsAux * 8);
        conditions.PushOperand(form.Aux, 1, 8);
        Il.Emit(OpCodes.Stind_I8);
    }

    /// <summary>Brings the flags into the form in which a block of the region finds them.</summary>
    public void Conform(in FlagsForm entry)
    {
        if (entry.Base == FlagsBase.Dead || entry == Form)
            return;
        if (entry is { Base: FlagsBase.Either, Layer: FlagsLayer.None } && Form == entry with { Base = FlagsBase.Described })
        {
            FieldAddress(Slot.FlagsOp * 8);
            Ldc((long)FlagsForm.Symbolic);
            Il.Emit(OpCodes.Stind_I8);
            return;
        }

        if (!entry.IsMemory && entry is not { Base: FlagsBase.Either, Layer: FlagsLayer.None })
            throw new InvalidOperationException("a block would find the flags in another form than was determined for it");
        Materialise();
    }

    /// <summary>True when the record has to be stored, by a few stores, before a block of the region that finds it in a form.</summary>
    public bool IsStoredFor(in FlagsForm entry) =>
        Form is { IsPlain: true, IsMemory: false, IsInvolved: false } && entry.Base != FlagsBase.Dead && entry != Form
        && !(entry is { Base: FlagsBase.Either, Layer: FlagsLayer.None } && Form == entry with { Base = FlagsBase.Described });

    /// <summary>
    /// Before an op: copies what it is about to overwrite, and its own operands, where a description of the flags needs them.
    /// </summary>
    public void Copy(in IrOp op, in FlagsStep step)
    {
        if (step.Collapses)
        {
            conditions.PushResult(Form, values.FlagsPartWidth);
            StLoc(PartLocal(0));
        }

        for (var part = 0; part < Slot.PartCount; part++)
        {
            if ((step.Saves >> part & 1) != 0)
                CopyToPart(part, op.Dst, 0);
            if ((step.Captures >> part & 1) != 0)
                Capture(op, part);
        }
    }

    private void CopyToPart(int part, ushort slot, long imm)
    {
        values.Push(slot, imm, values.FlagsPartWidth);
        StLoc(PartLocal(part));
    }

    private void Capture(in IrOp op, int part)
    {
        var isShift = op.Op is IrOpcode.Shl or IrOpcode.Shr or IrOpcode.Sar;
        switch (part)
        {
            case 1 when isShift:
            case 4:
                CopyToPart(part, op.A, 0);
                break;
            case 1 or 5:
                CopyToPart(part, op.B, op.Imm);
                break;
            case 2:
                CopyToPart(part, op.C, 0);
                break;
            default:
                var width = Width(op.Size);
                if (isShift)
                    values.PushShifted(op, width);
                else
                {
                    values.Push(op.A, width);
                    LdcWidth(op.Op == IrOpcode.Inc ? 1 : -1, width);
                    Il.Emit(OpCodes.Add);
                }

                values.ZeroExtend(op.Size, values.FlagsPartWidth);
                StLoc(PartLocal(part));
                break;
        }
    }

    /// <summary>Pushes the status flags.</summary>
    public void PushStatus()
    {
        if (Form is { IsPlain: true, Kind: FlagsKind.Explicit } form)
        {
            conditions.PushSource(form, 4);
            Ldc4((int)Eflags.Status);
            Il.Emit(OpCodes.And);
        }
        else if (Form.IsPlain)
        {
            conditions.PushRecord(Form);
            Il.EmitCall(StatusMethod);
        }
        else
        {
            Il.Emit(OpCodes.Ldarg_0);
            Il.EmitCall(StatusInState);
        }
    }

    /// <summary>SetFlagsIf.</summary>
    public void SetIf(in IrOp op)
    {
        // The record is in the state, and stays there.
        var same = Il.DefineLabel();
        values.Push(op.C, 8);
        Il.EmitBranch(OpCodes.Brfalse, same);
        FieldAddress(Slot.FlagsOp * 8);
        Ldc((op.Sub * 4) + op.SizeLog2);
        Il.Emit(OpCodes.Stind_I8);
        FieldAddress(Slot.FlagsRes * 8);
        values.Push(op.A, 8);
        Il.Emit(OpCodes.Stind_I8);
        FieldAddress(Slot.FlagsSrc * 8);
        values.PushB(op, 8);
        Il.Emit(OpCodes.Stind_I8);
        Il.MarkLabel(same);
    }
}
