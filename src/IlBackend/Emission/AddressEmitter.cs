using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.IlBackend.Emission;

/// <summary>Address operands. Has no state.</summary>
internal sealed class AddressEmitter(EmitContext context, ValueEmitter values) : EmitterPart(context)
{
    /// <summary>Width of offsets.</summary>
    public static int WidthOf(AddressForm form) => form is AddressForm.Flat64 or AddressForm.Segment64 ? 8 : 4;

    /// <summary>Pushes the offset of an address operand, of width <see cref="WidthOf"/>; 16-bit offsets are truncated.</summary>
    public void PushOffset(in IrOp op)
    {
        var width = WidthOf(op.Form);
        var pushed = false;
        if (op.A != Slot.Zero)
        {
            values.Push(op.A, width);
            pushed = true;
        }

        if (op.B != Slot.Zero)
        {
            values.Push(op.B, width);
            if (op.Scale != 0)
            {
                Ldc4(op.Scale);
                Il.Emit(OpCodes.Shl);
            }

            if (pushed)
                Il.Emit(OpCodes.Add);
            pushed = true;
        }

        if (!pushed)
            LdcWidth(op.Disp, width);
        else if (op.Disp != 0)
        {
            LdcWidth(op.Disp, width);
            Il.Emit(OpCodes.Add);
        }

        if (op.Form == AddressForm.Segment16)
            Il.Emit(OpCodes.Conv_U2);
    }

    /// <summary>Pushes the linear address as int64.</summary>
    public void PushLinear(in IrOp op)
    {
        PushOffset(op);
        switch (op.Form)
        {
            case AddressForm.Flat64:
                break;
            case AddressForm.Segment64:
                values.Push(op.Seg, 8);
                Il.Emit(OpCodes.Add);
                break;
            case AddressForm.Segment64Offset32:
                Il.Emit(OpCodes.Conv_U8);
                if (op.Seg == Slot.Zero)
                    break;
                values.Push(op.Seg, 8);
                Il.Emit(OpCodes.Add);
                break;
            case AddressForm.Flat32:
                Il.Emit(OpCodes.Conv_U8);
                break;
            default:
                if (op.Seg != Slot.Zero)
                {
                    values.Push(op.Seg, 4);
                    Il.Emit(OpCodes.Add);
                }

                Il.Emit(OpCodes.Conv_U8);
                break;
        }
    }
}
