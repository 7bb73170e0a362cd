using DynaTrans.Frontend.Ir;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// What the emitter knows about the flags record at a point of the code. Known: kind and size are fixed, the result is in the local
/// fres, the source in fsrc or a constant, the carry in faux (adc, sbb only). Unknown: all of the record is in its locals, fop included.
/// </summary>
internal readonly record struct PendingFlags(
    bool Known, FlagsKind Kind, byte SizeLog2, bool SourceIsConstant, ulong SourceConstant, ushort Left, ushort Source)
{
    /// <summary>Nothing is known.</summary>
    public static readonly PendingFlags Unknown = new(false, default, 0, false, 0, Slot.Void, Slot.Void);

    /// <summary>Value of the record's op.</summary>
    public int Code => ((int)Kind * 4) + SizeLog2;

    /// <summary>Size of the operation in bytes.</summary>
    public int Size => 1 << SizeLog2;

    /// <summary>The left operand of a sub is still in slot <see cref="Left"/>.</summary>
    public bool HasLeft => Left != Slot.Void;

    /// <summary>The right operand is a constant or still in slot <see cref="Source"/>.</summary>
    public bool HasSource => SourceIsConstant || Source != Slot.Void;

    /// <summary>The same after <paramref name="slot"/> was written.</summary>
    public PendingFlags AfterWrite(ushort slot) => this with
    {
        Left = Left == slot ? Slot.Void : Left,
        Source = Source == slot ? Slot.Void : Source,
    };
}
