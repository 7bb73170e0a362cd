namespace DynaTrans.Frontend.Ir;

/// <summary>Which operands of an op are integer slots; what liveness, verification and register allocation go by.</summary>
public static class IrOperands
{
    /// <summary>True when <see cref="IrOp.A"/> is read as an integer slot.</summary>
    public static bool ReadsA(in IrOp op) => op.HasAddress || op.Op switch
    {
        IrOpcode.Nop or IrOpcode.Mov or IrOpcode.SignExtend or IrOpcode.ExtractHigh or IrOpcode.Neg or IrOpcode.Not or IrOpcode.Bswap
            or IrOpcode.PopCount or IrOpcode.LeadingZeros or IrOpcode.TrailingZeros or IrOpcode.GetCondition or IrOpcode.GetFlags or IrOpcode.SetCarry
            or IrOpcode.VMov or IrOpcode.VMovMmx or IrOpcode.VBinary or IrOpcode.VUnary or IrOpcode.VToInt or IrOpcode.VFromInt
            or IrOpcode.Jump or IrOpcode.JumpCondition or IrOpcode.Exit => false,
        _ => true,
    };

    /// <summary>True when <see cref="IrOp.B"/> is read as an integer slot.</summary>
    public static bool ReadsB(in IrOp op) => op.HasAddress || op.Op switch
    {
        IrOpcode.Nop or IrOpcode.Inc or IrOpcode.Dec or IrOpcode.GetCondition or IrOpcode.GetFlags or IrOpcode.CheckLimit
            or IrOpcode.VMov or IrOpcode.VMovMmx or IrOpcode.VBinary or IrOpcode.VUnary or IrOpcode.VToInt
            or IrOpcode.Jump or IrOpcode.JumpCondition or IrOpcode.JumpIf or IrOpcode.JumpIndirect or IrOpcode.Exit or IrOpcode.Raise => false,
        _ => true,
    };

    /// <summary>True when <see cref="IrOp.C"/> is read as an integer slot.</summary>
    public static bool ReadsC(in IrOp op) => op.Op is IrOpcode.Adc or IrOpcode.Sbb or IrOpcode.Select or IrOpcode.SetFlags or IrOpcode.SetFlagsIf
        or IrOpcode.Store or IrOpcode.Call;

    /// <summary>True when the op writes the integer slot <see cref="IrOp.Dst"/>.</summary>
    public static bool WritesInteger(in IrOp op) => op.Op switch
    {
        IrOpcode.Nop or (>= IrOpcode.SetFlags and <= IrOpcode.ProductFlags) or IrOpcode.CheckLimit or IrOpcode.Store or IrOpcode.VLoad or IrOpcode.VStore
            or IrOpcode.VMov or IrOpcode.VMovMmx or IrOpcode.VBinary or IrOpcode.VUnary or IrOpcode.VFromInt => false,
        >= IrOpcode.Jump => false,
        _ => true,
    };

    /// <summary>True when the op writes the vector cell <see cref="IrOp.Dst"/>.</summary>
    public static bool WritesVector(in IrOp op) => op.Op is IrOpcode.VLoad or IrOpcode.VMov or IrOpcode.VMovMmx or IrOpcode.VBinary
        or IrOpcode.VUnary or IrOpcode.VFromInt;

    /// <summary>True when <see cref="IrOp.A"/> is read as a vector cell.</summary>
    public static bool ReadsVectorA(in IrOp op) => op.Op is IrOpcode.VBinary or IrOpcode.VToInt or IrOpcode.VFromInt;

    /// <summary>True when <see cref="IrOp.B"/> is read as a vector cell.</summary>
    public static bool ReadsVectorB(in IrOp op) => op.Op is IrOpcode.VMov or IrOpcode.VMovMmx or IrOpcode.VBinary or IrOpcode.VUnary or IrOpcode.VToInt;
}
