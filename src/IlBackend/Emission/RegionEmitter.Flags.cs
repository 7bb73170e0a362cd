using System.Reflection;
using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <content>The flags: what is described, copied and stored of them.</content>
public sealed unsafe partial class RegionEmitter
{
    private static readonly MethodInfo StatusMethod = typeof(FlagsRecord).GetMethod(
        nameof(FlagsRecord.Status), [typeof(ulong), typeof(ulong), typeof(ulong), typeof(ulong)])!;

    private static readonly MethodInfo StatusInState = EmitSupport.Method(nameof(EmitSupport.Status));

    private static readonly MethodInfo ApplyMethod = EmitSupport.Method(nameof(EmitSupport.ApplyFlags));

    /// <summary>Brings the record into the state.</summary>
    private void Materialise()
    {
        var form = _flags;
        _flags = FlagsForm.Memory;
        switch (form)
        {
            case { Base: FlagsBase.Dead } or { IsMemory: true }:
                break;
            case { IsPlain: true, IsInvolved: false }:
                StoreRecord(form);
                break;
            case { Base: FlagsBase.Either, IsInvolved: false }:
                var done = _il.DefineLabel();
                LoadSlotMemory(Slot.FlagsOp, 4);
                Ldc4((int)FlagsForm.Symbolic);
                _il.EmitBranch(OpCodes.Bne_Un, done);
                StoreRecord(form);
                _il.MarkLabel(done);
                break;
            case { Base: FlagsBase.Described, Layer: FlagsLayer.Inc or FlagsLayer.Dec } when FlagsTransfer.View(form, Condition.B) != null:
                var kind = form.Layer == FlagsLayer.Inc ? FlagsKind.Inc : FlagsKind.Dec;
                EmitCondition(Condition.B, form);
                _il.Emit(OpCodes.Conv_U8);
                StLoc(_slow);
                StoreRecord(
                    FlagsForm.Dead with { Base = FlagsBase.Described, Kind = kind, SizeLog2 = form.LayerSizeLog2, Left = form.A }, () => LdLoc(_slow));
                break;
            case { Base: FlagsBase.Memory, Layer: FlagsLayer.Inc or FlagsLayer.Dec } when !_options.Alone:
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
        var other = _il.DefineLabel();
        var done = _il.DefineLabel();
        LoadSlotMemory(Slot.FlagsOp, 4);
        Ldc4((int)step.Code);
        _il.EmitBranch(OpCodes.Bne_Un, other);
        FieldAddress(Slot.FlagsRes * 8);
        PushResult(step, 8);
        _il.Emit(OpCodes.Stind_I8);
        _il.MarkLabel(done);
        Cold(() =>
        {
            _il.MarkLabel(other);
            ApplyByCall(form);
            _il.EmitBranch(OpCodes.Br, done);
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

        var site = NewSite(0, form, 0);
        _il.Emit(OpCodes.Ldarg_0);
        _il.EmitFaultSite(site);
        _il.EmitCall(ApplyMethod);
    }

    /// <summary>The form after <see cref="StoreParts"/> and the registers have been stored: all that it names is in the state.</summary>
    private FlagsForm InState(FlagsForm form)
    {
        for (var part = 0; part < Slot.PartCount; part++)
            if (LivesInLocal(form.Part(part)))
                form = form.WithPart(part, FlagsOperand.In((ushort)(Slot.Part0 + part)));
        return form;
    }

    /// <summary>On a way out: stores those parts of the flags that no register holds.</summary>
    private void StoreParts(in FlagsForm form)
    {
        for (var part = 0; part < Slot.PartCount; part++)
            if (LivesInLocal(form.Part(part)))
                StorePart(part, form.Part(part).Slot);
    }

    private static bool LivesInLocal(FlagsOperand operand) => Slot.IsTemp(operand.Slot);

    private void StorePart(int part, ushort slot)
    {
        FieldAddress((Slot.Part0 + part) * 8);
        Push(slot, 8);
        _il.Emit(OpCodes.Stind_I8);
    }

    private void StoreRecord(FlagsForm form) => StoreRecord(form, () => PushSource(form, 8));

    private void StoreRecord(FlagsForm form, Action pushSource)
    {
        FieldAddress(Slot.FlagsOp * 8);
        Ldc(form.Code);
        _il.Emit(OpCodes.Stind_I8);
        FieldAddress(Slot.FlagsRes * 8);
        PushResult(form, 8);
        _il.Emit(OpCodes.Stind_I8);
        FieldAddress(Slot.FlagsSrc * 8);
        pushSource();
        _il.Emit(OpCodes.Stind_I8);
        if (!form.HasAux)
            return;
        FieldAddress(Slot.FlagsAux * 8);
        PushOperand(form.Aux, 1, 8);
        _il.Emit(OpCodes.Stind_I8);
    }

    /// <summary>Brings the flags into the form in which a block of the region finds them.</summary>
    private void Conform(in FlagsForm entry)
    {
        if (entry.Base == FlagsBase.Dead || entry == _flags)
            return;
        if (entry is { Base: FlagsBase.Either, Layer: FlagsLayer.None } && _flags == entry with { Base = FlagsBase.Described })
        {
            FieldAddress(Slot.FlagsOp * 8);
            Ldc((long)FlagsForm.Symbolic);
            _il.Emit(OpCodes.Stind_I8);
            return;
        }

        if (!entry.IsMemory && entry is not { Base: FlagsBase.Either, Layer: FlagsLayer.None })
            throw new InvalidOperationException("a block would find the flags in another form than was determined for it");
        Materialise();
    }

    // What an op leaves of the flags: copies of what it is about to overwrite, and of its own operands, where a description needs them.
    private void EmitCopies(in IrOp op, in FlagsStep step)
    {
        if (step.Collapses)
        {
            PushResult(_flags, PartWidth);
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
        Push(slot, imm, PartWidth);
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
                    PushShifted(op, width);
                else
                {
                    Push(op.A, width);
                    LdcWidth(op.Op == IrOpcode.Inc ? 1 : -1, width);
                    _il.Emit(OpCodes.Add);
                }

                ZeroExtend(op.Size, PartWidth);
                StLoc(PartLocal(part));
                break;
        }
    }

    private int PartWidth => _slotIsWide[Slot.Part0] ? 8 : 4;

    private int PartLocal(int part) => _slotLocal[Slot.Part0 + part];

    private void PushOperand(FlagsOperand operand, int size, int width) => PushZero(operand.Slot, (long)operand.Constant, size, width);

    /// <summary>Pushes the result of a described record, zero-extended.</summary>
    private void PushResult(in FlagsForm form, int width)
    {
        if (form.Result == FlagsResult.Direct)
        {
            PushOperand(form.Left, form.Size, width);
            return;
        }

        var own = Width(form.Size);
        Push(form.Left.Slot, (long)form.Left.Constant, own);
        Push(form.Source.Slot, (long)form.Source.Constant, own);
        var opcode = form.Result switch
        {
            FlagsResult.Sum => OpCodes.Add,
            FlagsResult.Difference => OpCodes.Sub,
            FlagsResult.And => OpCodes.And,
            FlagsResult.Or => OpCodes.Or,
            _ => OpCodes.Xor,
        };
        _il.Emit(opcode);
        if (form.HasAux && form.Result < FlagsResult.And)
        {
            Push(form.Aux.Slot, (long)form.Aux.Constant, own);
            _il.Emit(opcode);
        }

        ZeroExtend(form.Size, width);
    }

    /// <summary>Pushes the source of a described record, zero-extended.</summary>
    private void PushSource(in FlagsForm form, int width)
    {
        if (form.Result >= FlagsResult.And)
        {
            LdcWidth(0, width);
            return;
        }

        if (form.SourceShift == 0)
        {
            PushOperand(form.Source, form.Size, width);
            return;
        }

        var own = Width(form.Size);
        if (form.Kind == FlagsKind.Sar)
            PushSigned(form.Source.Slot, (long)form.Source.Constant, form.Size);
        else
            PushOperand(form.Source, form.Size, own);
        Ldc4(form.SourceShift);
        _il.Emit(form.Kind switch { FlagsKind.Shl => OpCodes.Shl, FlagsKind.Shr => OpCodes.Shr_Un, _ => OpCodes.Shr });
        ZeroExtend(form.Size, width);
    }

    // Code, result, source and aux of a described record.
    private void PushRecord(in FlagsForm form)
    {
        Ldc(form.Code);
        PushResult(form, 8);
        PushSource(form, 8);
        PushOperand(form.Aux, 1, 8);
    }

    private void PushStatus()
    {
        if (_flags is { IsPlain: true, Kind: FlagsKind.Explicit } form)
        {
            PushSource(form, 4);
            Ldc4((int)Eflags.Status);
            _il.Emit(OpCodes.And);
        }
        else if (_flags.IsPlain)
        {
            PushRecord(_flags);
            _il.EmitCall(StatusMethod);
        }
        else
        {
            _il.Emit(OpCodes.Ldarg_0);
            _il.EmitCall(StatusInState);
        }
    }

    // The record is in the state, and stays there.
    private void EmitSetFlagsIf(in IrOp op)
    {
        var same = _il.DefineLabel();
        Push(op.C, 8);
        _il.EmitBranch(OpCodes.Brfalse, same);
        FieldAddress(Slot.FlagsOp * 8);
        Ldc((op.Sub * 4) + op.SizeLog2);
        _il.Emit(OpCodes.Stind_I8);
        FieldAddress(Slot.FlagsRes * 8);
        Push(op.A, 8);
        _il.Emit(OpCodes.Stind_I8);
        FieldAddress(Slot.FlagsSrc * 8);
        PushB(op, 8);
        _il.Emit(OpCodes.Stind_I8);
        _il.MarkLabel(same);
    }
}
