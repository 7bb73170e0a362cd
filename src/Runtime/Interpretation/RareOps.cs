using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>IR ops too rare for a case of their own in the interpreter's loop.</summary>
internal static unsafe class RareOps
{
    /// <summary>Executes an op whose result goes to its destination slot and which records no flags.</summary>
    public static void Execute(ulong* r, IrOp* op)
    {
        var bits = op->Size * 8;
        var mask = ulong.MaxValue >> (64 - bits);
        var a = r[op->A] & mask;
        var b = (r[op->B] + (ulong)op->Imm) & mask;
        r[op->Dst] = mask & op->Op switch
        {
            IrOpcode.Adc => a + b + r[op->C],
            IrOpcode.Sbb => a - b - r[op->C],
            IrOpcode.Neg => 0 - b,
            IrOpcode.Not => ~b,
            IrOpcode.Rol => Rotate(a, (int)b & (bits - 1), bits),
            IrOpcode.Ror => Rotate(a, -(int)b & (bits - 1), bits),
            IrOpcode.Mul => a * b,
            IrOpcode.Bswap => BinaryPrimitives.ReverseEndianness(b) >> (64 - bits),
            _ => ByHostExtension(op, a, b),
        };
    }

    // What the host has newer instructions for. Code compiled ahead of time that asks for those is refused on a host that has them: so these
    // are a method of their own, and the one above is ready.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ulong ByHostExtension(IrOp* op, ulong a, ulong b)
    {
        var bits = op->Size * 8;
        return op->Op switch
        {
            IrOpcode.MulHighU => bits == 64 ? Math.BigMul(a, b, out _) : a * b >> bits,
            IrOpcode.MulHighS => bits == 64
                ? (ulong)Math.BigMul((long)a, (long)b, out _)
                : (ulong)(SignExtend(a, op->Size) * SignExtend(b, op->Size)) >> bits,
            IrOpcode.PopCount => (ulong)BitOperations.PopCount(b),
            IrOpcode.LeadingZeros => (ulong)(BitOperations.LeadingZeroCount(b) - (64 - bits)),
            IrOpcode.TrailingZeros => b == 0 ? (ulong)bits : (ulong)BitOperations.TrailingZeroCount(b),
            _ => throw new InvalidOperationException($"the interpreter does not know IR op {op->Op}"),
        };
    }

    /// <summary>adc and sbb with flags.</summary>
    public static void CarryFlags(ulong* r, IrOp* op, FlagsKind kind)
    {
        var mask = ulong.MaxValue >> (64 - (op->Size * 8));
        var carry = r[op->C];
        var b = (r[op->B] + (ulong)op->Imm) & mask;
        var res = (kind == FlagsKind.Adc ? r[op->A] + b + carry : r[op->A] - b - carry) & mask;
        r[Slot.FlagsOp] = (ulong)(((int)kind * 4) + op->SizeLog2);
        r[Slot.FlagsRes] = res;
        r[Slot.FlagsSrc] = b;
        r[Slot.FlagsAux] = carry;
        r[op->Dst] = res;
    }

    /// <summary>neg with flags.</summary>
    public static void NegFlags(ulong* r, IrOp* op)
    {
        var mask = ulong.MaxValue >> (64 - (op->Size * 8));
        var b = (r[op->B] + (ulong)op->Imm) & mask;
        r[Slot.FlagsOp] = (ulong)(((int)FlagsKind.Sub * 4) + op->SizeLog2);
        r[Slot.FlagsRes] = (0 - b) & mask;
        r[Slot.FlagsSrc] = b;
        r[Slot.FlagsAux] = 0;
        r[op->Dst] = (0 - b) & mask;
    }

    /// <summary>The relation of a Compare op.</summary>
    public static bool Compare(ulong* r, IrOp* op)
    {
        var a = SignExtend(r[op->A], op->Size);
        var b = SignExtend(r[op->B] + (ulong)op->Imm, op->Size);
        return (Relation)op->Sub switch
        {
            Relation.Equal => a == b,
            Relation.NotEqual => a != b,
            Relation.BelowU => (ulong)a < (ulong)b,
            Relation.BelowEqualU => (ulong)a <= (ulong)b,
            Relation.LessS => a < b,
            _ => a <= b,
        };
    }

    /// <summary>Writes the flags record of a SetFlags or SetFlagsIf op.</summary>
    public static void SetFlags(ulong* r, IrOp* op)
    {
        var kind = (FlagsKind)op->Sub;
        r[Slot.FlagsOp] = (ulong)(((int)kind * 4) + op->SizeLog2);
        r[Slot.FlagsRes] = r[op->A];
        r[Slot.FlagsSrc] = r[op->B] + (ulong)op->Imm;
        r[Slot.FlagsAux] = kind is FlagsKind.Adc or FlagsKind.Sbb ? r[op->C] : 0;
    }

    /// <summary>Sign-extends the low <paramref name="size"/> bytes.</summary>
    public static long SignExtend(ulong value, int size) => (long)(value << (64 - (size * 8))) >> (64 - (size * 8));

    private static ulong Rotate(ulong value, int left, int bits) =>
        left == 0 ? value : bits == 64 ? BitOperations.RotateLeft(value, left) : (value << left) | (value >> (bits - left));
}
