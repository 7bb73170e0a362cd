using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Translation;

/// <summary>Where the flags record is at a point of translated code, layers aside.</summary>
public enum FlagsBase : byte
{
    /// <summary>Nobody can see it any more.</summary>
    Dead,

    /// <summary>In the state's four slots.</summary>
    Memory,

    /// <summary>In the state's slots, or, when its op there is <see cref="FlagsForm.Symbolic"/>, described.</summary>
    Either,

    /// <summary>Described: the state's slots hold anything.</summary>
    Described,
}

/// <summary>How the result of a described record follows from its operands.</summary>
public enum FlagsResult : byte
{
    /// <summary>It is operand <see cref="FlagsForm.Left"/>.</summary>
    Direct,

    /// <summary>Left + source (+ aux when the kind is adc).</summary>
    Sum,

    /// <summary>Left - source (- aux when the kind is sbb).</summary>
    Difference,

    /// <summary>Left and source; the record's source is 0.</summary>
    And,

    /// <summary>Left or source; the record's source is 0.</summary>
    Or,

    /// <summary>Left xor source; the record's source is 0.</summary>
    Xor,

    /// <summary>The high half of the signed product left * source; kind mul.</summary>
    Product,
}

/// <summary>A later instruction that changed some of the flags only.</summary>
public enum FlagsLayer : byte
{
    /// <summary>None.</summary>
    None,

    /// <summary>inc with result A: all but CF.</summary>
    Inc,

    /// <summary>dec with result A: all but CF.</summary>
    Dec,

    /// <summary>shl of B by count C with result A: all, unless the masked count is 0.</summary>
    Shl,

    /// <summary>shr of B by count C with result A: all, unless the masked count is 0.</summary>
    Shr,

    /// <summary>sar of B by count C with result A: all, unless the masked count is 0.</summary>
    Sar,

    /// <summary>rol with result A: CF and OF, unless the count C is 0.</summary>
    RotateLeft,

    /// <summary>ror with result A: CF and OF, unless the count C is 0.</summary>
    RotateRight,

    /// <summary>CF becomes A (0 or 1).</summary>
    Carry,
}

/// <summary>A value of a described flags record: a constant (slot <see cref="Slot.Zero"/>) or a slot, of which the operation's size counts.</summary>
/// <param name="Slot">The slot.</param>
/// <param name="Constant">The constant; 0 with a slot.</param>
public readonly unsafe record struct FlagsOperand(ushort Slot, ulong Constant)
{
    /// <summary>A constant.</summary>
    public static FlagsOperand Of(ulong constant) => new(Frontend.Ir.Slot.Zero, constant);

    /// <summary>A slot's value.</summary>
    public static FlagsOperand In(ushort slot) => new(slot, 0);

    internal readonly ulong Read(CpuState* s) => Slot == Frontend.Ir.Slot.Zero ? Constant : s->Slots[Slot];
}

/// <summary>
/// Where the flags are at a point of translated code: a flags record, described by where its parts are, and possibly a layer, a later
/// change of some of the flags. Nothing is computed for flags until somebody looks: the description stays beside the code (in a fault site)
/// and is applied to the state when translated code is left.
/// </summary>
public readonly unsafe record struct FlagsForm
{
    /// <summary>The value of the state's flags op that says: the record is the described one. No record has it.</summary>
    public const ulong Symbolic = 0xFF;

    /// <summary>The record cannot be seen.</summary>
    public static readonly FlagsForm Dead = new();

    /// <summary>The record is in the state.</summary>
    public static readonly FlagsForm Memory = new() { Base = FlagsBase.Memory };

    /// <summary>Makes the dead form.</summary>
    public FlagsForm()
    {
        Left = Source = Aux = A = B = C = FlagsOperand.Of(0);
    }

    /// <summary>Where the record is.</summary>
    public FlagsBase Base { get; init; }

    /// <summary>Kind of a described record.</summary>
    public FlagsKind Kind { get; init; }

    /// <summary>log2 of its size in bytes.</summary>
    public byte SizeLog2 { get; init; }

    /// <summary>How its result follows.</summary>
    public FlagsResult Result { get; init; }

    /// <summary>With kinds shl, shr and sar: the source is <see cref="Source"/> shifted so by this count.</summary>
    public byte SourceShift { get; init; }

    /// <summary>The change on top.</summary>
    public FlagsLayer Layer { get; init; }

    /// <summary>log2 of the size of the change in bytes.</summary>
    public byte LayerSizeLog2 { get; init; }

    /// <summary>Left operand, or the result.</summary>
    public FlagsOperand Left { get; init; }

    /// <summary>Second operand.</summary>
    public FlagsOperand Source { get; init; }

    /// <summary>Carry that went in.</summary>
    public FlagsOperand Aux { get; init; }

    /// <summary>First operand of the layer.</summary>
    public FlagsOperand A { get; init; }

    /// <summary>Second operand of the layer.</summary>
    public FlagsOperand B { get; init; }

    /// <summary>Third operand of the layer.</summary>
    public FlagsOperand C { get; init; }

    /// <summary>True when the record is described and nothing is on top of it.</summary>
    public bool IsPlain => Base == FlagsBase.Described && Layer == FlagsLayer.None;

    /// <summary>True when the record is in the state and nothing is on top of it.</summary>
    public bool IsMemory => Base == FlagsBase.Memory && Layer == FlagsLayer.None;

    /// <summary>True when it takes more than a few stores to bring the record into the state.</summary>
    public bool IsInvolved => Layer != FlagsLayer.None || Result == FlagsResult.Product;

    /// <summary>Size of the described record in bytes.</summary>
    public int Size => 1 << SizeLog2;

    /// <summary>Value of the record's op.</summary>
    public long Code => ((int)Kind * 4) + SizeLog2;

    /// <summary>True for adc and sbb, the kinds with an aux.</summary>
    public bool HasAux => Kind is FlagsKind.Adc or FlagsKind.Sbb;

    /// <inheritdoc/>
    public bool Equals(FlagsForm other) =>
        Base == other.Base && Kind == other.Kind && SizeLog2 == other.SizeLog2 && Result == other.Result && SourceShift == other.SourceShift
        && Layer == other.Layer && LayerSizeLog2 == other.LayerSizeLog2 && Left.Equals(other.Left) && Source.Equals(other.Source)
        && Aux.Equals(other.Aux) && A.Equals(other.A) && B.Equals(other.B) && C.Equals(other.C);

    /// <inheritdoc/>
    public override int GetHashCode() =>
        HashCode.Combine((int)Base | (int)Kind << 8 | (int)Result << 16 | (int)Layer << 24, SizeLog2, SourceShift, Left, Source, A, B, C);

    /// <summary>A part: 0 left, 1 source, 2 aux, 3 to 5 those of the layer.</summary>
    public FlagsOperand Part(int part) => part switch { 0 => Left, 1 => Source, 2 => Aux, 3 => A, 4 => B, _ => C };

    /// <summary>The same with another part.</summary>
    public FlagsForm WithPart(int part, FlagsOperand value) => part switch
    {
        0 => this with { Left = value },
        1 => this with { Source = value },
        2 => this with { Aux = value },
        3 => this with { A = value },
        4 => this with { B = value },
        _ => this with { C = value },
    };

    /// <summary>True when a part is the value of <paramref name="slot"/>.</summary>
    public bool Names(ushort slot) => Left.Slot == slot || Source.Slot == slot || Aux.Slot == slot || A.Slot == slot || B.Slot == slot || C.Slot == slot;

    /// <summary>Brings the state's flags record to what the form says. The slots that it names must be in the state.</summary>
    public void Apply(CpuState* s)
    {
        if (Base == FlagsBase.Described || (Base == FlagsBase.Either && s->Slots[Slot.FlagsOp] == Symbolic))
            WriteRecord(s);
        var mask = MaskOf(LayerSizeLog2);
        switch (Layer)
        {
            case FlagsLayer.None:
                break;
            case FlagsLayer.Inc or FlagsLayer.Dec:
                var carry = FlagsRecord.Carry(s->Slots[Slot.FlagsOp], s->Slots[Slot.FlagsRes], s->Slots[Slot.FlagsSrc], s->Slots[Slot.FlagsAux]);
                Write(s, Layer == FlagsLayer.Inc ? FlagsKind.Inc : FlagsKind.Dec, LayerSizeLog2, A.Read(s) & mask, carry ? 1u : 0);
                break;
            case FlagsLayer.Shl or FlagsLayer.Shr or FlagsLayer.Sar:
                var kind = Layer switch { FlagsLayer.Shl => FlagsKind.Shl, FlagsLayer.Shr => FlagsKind.Shr, _ => FlagsKind.Sar };
                var count = (int)C.Read(s) & (LayerSizeLog2 == 3 ? 63 : 31);
                if (count != 0)
                    Write(s, kind, LayerSizeLog2, A.Read(s) & mask, Shifted(kind, LayerSizeLog2, B.Read(s), count - 1));
                break;
            case FlagsLayer.Carry:
                FlagsRecord.ReplaceCarry(s, A.Read(s));
                break;
            default:
                if (C.Read(s) != 0)
                    FlagsRecord.Rotate(s, Layer == FlagsLayer.RotateLeft, LayerSizeLog2, A.Read(s));
                break;
        }
    }

    private void WriteRecord(CpuState* s)
    {
        if (Result == FlagsResult.Product)
        {
            FlagsRecord.SetProduct(s, SizeLog2, Left.Read(s), Source.Read(s));
            return;
        }

        var mask = MaskOf(SizeLog2);
        var left = Left.Read(s);
        var source = Source.Read(s);
        var aux = HasAux ? Aux.Read(s) : 0;
        var result = Result switch
        {
            FlagsResult.Sum => left + source + aux,
            FlagsResult.Difference => left - source - aux,
            FlagsResult.And => left & source,
            FlagsResult.Or => left | source,
            FlagsResult.Xor => left ^ source,
            _ => left,
        };
        if (Result >= FlagsResult.And)
            source = 0;
        source = Kind is FlagsKind.Shl or FlagsKind.Shr or FlagsKind.Sar ? Shifted(Kind, SizeLog2, source, SourceShift) : source & mask;
        Write(s, Kind, SizeLog2, result & mask, source);
        s->Slots[Slot.FlagsAux] = aux;
    }

    private static void Write(CpuState* s, FlagsKind kind, int sizeLog2, ulong result, ulong source)
    {
        s->Slots[Slot.FlagsOp] = FlagsRecord.Code(kind, sizeLog2);
        s->Slots[Slot.FlagsRes] = result;
        s->Slots[Slot.FlagsSrc] = source;
    }

    private static ulong Shifted(FlagsKind kind, int sizeLog2, ulong value, int count)
    {
        var mask = MaskOf(sizeLog2);
        var bits = 8 << sizeLog2;
        return kind switch
        {
            FlagsKind.Shl => value << count & mask,
            FlagsKind.Shr => (value & mask) >> count,
            _ => (ulong)((long)(value << (64 - bits)) >> (64 - bits) >> count) & mask,
        };
    }

    private static ulong MaskOf(int sizeLog2) => ulong.MaxValue >> (64 - (8 << sizeLog2));
}
