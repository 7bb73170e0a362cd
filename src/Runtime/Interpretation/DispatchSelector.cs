using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Helpers.Vector;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>Makes the IR ops of a block ready for the interpreter: chooses each op's dispatch code.</summary>
internal static unsafe class DispatchSelector
{
    /// <summary>Sets the dispatch codes of the ops of a block.</summary>
    public static void Prepare(Span<IrOp> block)
    {
        fixed (IrOp* ops = block)
        {
            for (var i = 0; i < block.Length; i++)
                ops[i].Dispatch = (ushort)Select(ops + i);
        }
    }

    private static DispatchCode Select(IrOp* op)
    {
        var size = op->SizeLog2;
        return op->Op switch
        {
            IrOpcode.Nop => DispatchCode.Nop,
            IrOpcode.Mov => DispatchCode.MovB + size,
            IrOpcode.SignExtend => DispatchCode.SignExtend,
            IrOpcode.Insert => DispatchCode.InsertB + size,
            IrOpcode.InsertHigh => DispatchCode.InsertHigh,
            IrOpcode.ExtractHigh => DispatchCode.ExtractHigh,
            IrOpcode.Add => WithFlags(op, DispatchCode.AddB, size),
            IrOpcode.Sub => WithFlags(op, DispatchCode.SubB, size),
            IrOpcode.And => WithFlags(op, DispatchCode.AndB, size),
            IrOpcode.Or => WithFlags(op, DispatchCode.OrB, size),
            IrOpcode.Xor => WithFlags(op, DispatchCode.XorB, size),
            IrOpcode.Inc => WithFlags(op, DispatchCode.IncB, size),
            IrOpcode.Dec => WithFlags(op, DispatchCode.DecB, size),
            IrOpcode.Shl => WithFlags(op, DispatchCode.ShlB, size),
            IrOpcode.Shr => WithFlags(op, DispatchCode.ShrB, size),
            IrOpcode.Sar => WithFlags(op, DispatchCode.SarB, size),
            IrOpcode.Adc when op->WritesFlags => DispatchCode.AdcF,
            IrOpcode.Sbb when op->WritesFlags => DispatchCode.SbbF,
            IrOpcode.Neg when op->WritesFlags => DispatchCode.NegF,
            IrOpcode.Select => DispatchCode.Select,
            IrOpcode.Compare => DispatchCode.Compare,
            IrOpcode.GetCondition => DispatchCode.GetCondition,
            IrOpcode.GetFlags => DispatchCode.GetFlags,
            IrOpcode.SetFlags => DispatchCode.SetFlags,
            IrOpcode.SetFlagsIf => DispatchCode.SetFlagsIf,
            IrOpcode.RotateFlags => DispatchCode.RotateFlags,
            IrOpcode.SetCarry => DispatchCode.SetCarry,
            IrOpcode.ProductFlags => DispatchCode.ProductFlags,
            IrOpcode.Lea => op->Form == AddressForm.Flat64 && op->Size == 8 ? DispatchCode.LeaFlat64 : DispatchCode.Lea,
            IrOpcode.LinearAddress => DispatchCode.LinearAddress,
            IrOpcode.CheckLimit => DispatchCode.CheckLimit,
            IrOpcode.Load => ByForm(op, DispatchCode.LoadFlat32B, DispatchCode.LoadFlat64B, DispatchCode.LoadB) + size,
            IrOpcode.LoadSigned => DispatchCode.LoadSigned,
            IrOpcode.Store => ByForm(op, DispatchCode.StoreFlat32B, DispatchCode.StoreFlat64B, DispatchCode.StoreB) + size,
            IrOpcode.VLoad => DispatchCode.VLoadD + (size - 2),
            IrOpcode.VStore => DispatchCode.VStoreD + (size - 2),
            IrOpcode.VMov => DispatchCode.VMov,
            IrOpcode.VMovMmx => DispatchCode.VMovMmx,
            IrOpcode.VBinary or IrOpcode.VUnary or IrOpcode.VToInt or IrOpcode.VFromInt => OfKind(VectorTable.Kind((VecOp)op->Sub)),
            IrOpcode.Call => OfHelper((HelperId)op->Sub),
            IrOpcode.Jump => DispatchCode.Jump,
            IrOpcode.JumpCondition => DispatchCode.JumpCondition,
            IrOpcode.JumpIf => DispatchCode.JumpIf,
            IrOpcode.JumpIndirect => DispatchCode.JumpIndirect,
            IrOpcode.Exit => DispatchCode.Exit,
            IrOpcode.Raise => DispatchCode.Raise,
            _ => DispatchCode.Other,
        };
    }

    private static DispatchCode WithFlags(IrOp* op, DispatchCode code, int size) => code + size + (op->WritesFlags ? 4 : 0);

    private static DispatchCode ByForm(IrOp* op, DispatchCode flat32, DispatchCode flat64, DispatchCode other) => op->Form switch
    {
        AddressForm.Flat32 => flat32,
        AddressForm.Flat64 => flat64,
        _ => other,
    };

    private static DispatchCode OfHelper(HelperId id)
    {
        HelperTable.MakeReady(id);
        return DispatchCode.Call;
    }

    private static DispatchCode OfKind(VecKind kind) => kind switch
    {
        VecKind.Binary => DispatchCode.VBinary,
        VecKind.BinaryImm => DispatchCode.VBinaryImm,
        VecKind.Unary => DispatchCode.VUnary,
        VecKind.UnaryImm => DispatchCode.VUnaryImm,
        VecKind.ToInt => DispatchCode.VToInt,
        VecKind.ToIntImm => DispatchCode.VToIntImm,
        VecKind.BinaryToInt => DispatchCode.VBinaryToInt,
        VecKind.FromInt => DispatchCode.VFromInt,
        VecKind.FromIntImm => DispatchCode.VFromIntImm,
        _ => throw new InvalidOperationException($"no dispatch code for vector kind {kind}"),
    };
}
