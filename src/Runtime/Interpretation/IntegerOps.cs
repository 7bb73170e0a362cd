using System.Numerics;
using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>
/// The interpreter's integer ops, one body for all sizes: <typeparamref name="T"/> is byte, ushort, uint or ulong. <c>r</c> is the slot
/// file; operands are a = slot[A] and b = slot[B] + Imm. An F in the name: the flags record is written too.
/// </summary>
internal static unsafe class IntegerOps
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    [MethodImpl(Inline)]
    public static T A<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T> => T.CreateTruncating(r[op->A]);

    [MethodImpl(Inline)]
    public static T B<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T> => T.CreateTruncating(r[op->B] + (ulong)op->Imm);

    [MethodImpl(Inline)]
    public static void Set<T>(ulong* r, IrOp* op, T value)
        where T : unmanaged, IBinaryInteger<T> => r[op->Dst] = ulong.CreateTruncating(value);

    [MethodImpl(Inline)]
    public static void Record<T>(ulong* r, FlagsKind kind, T res, T src)
        where T : unmanaged, IBinaryInteger<T>
    {
        r[Slot.FlagsOp] = (ulong)(((int)kind * 4) + BitOperations.TrailingZeroCount(sizeof(T)));
        r[Slot.FlagsRes] = ulong.CreateTruncating(res);
        r[Slot.FlagsSrc] = ulong.CreateTruncating(src);
    }

    [MethodImpl(Inline)]
    public static void Add<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T> => Set(r, op, A<T>(r, op) + B<T>(r, op));

    [MethodImpl(Inline)]
    public static void AddF<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T>
    {
        var b = B<T>(r, op);
        var res = A<T>(r, op) + b;
        Record(r, FlagsKind.Add, res, b);
        Set(r, op, res);
    }

    [MethodImpl(Inline)]
    public static void Sub<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T> => Set(r, op, A<T>(r, op) - B<T>(r, op));

    [MethodImpl(Inline)]
    public static void SubF<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T>
    {
        var b = B<T>(r, op);
        var res = A<T>(r, op) - b;
        Record(r, FlagsKind.Sub, res, b);
        Set(r, op, res);
    }

    [MethodImpl(Inline)]
    public static void And<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T> => Set(r, op, A<T>(r, op) & B<T>(r, op));

    [MethodImpl(Inline)]
    public static void Or<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T> => Set(r, op, A<T>(r, op) | B<T>(r, op));

    [MethodImpl(Inline)]
    public static void Xor<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T> => Set(r, op, A<T>(r, op) ^ B<T>(r, op));

    [MethodImpl(Inline)]
    public static void LogicF<T>(ulong* r, IrOp* op, T res)
        where T : unmanaged, IBinaryInteger<T>
    {
        Record(r, FlagsKind.Logic, res, T.Zero);
        Set(r, op, res);
    }

    [MethodImpl(Inline)]
    public static void StepF<T>(ulong* r, IrOp* op, FlagsKind kind, T delta)
        where T : unmanaged, IBinaryInteger<T>
    {
        var carry = InterpreterFlags.Carry(r);
        var res = A<T>(r, op) + delta;
        Record(r, kind, res, T.CreateTruncating(carry));
        Set(r, op, res);
    }

    // Counts: masked to 5 bits (6 for 64-bit operands); a narrow operand can be shifted out altogether, so shift in 64 bits.
    [MethodImpl(Inline)]
    public static int Count<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T> => (int)(r[op->B] + (ulong)op->Imm) & (sizeof(T) == 8 ? 63 : 31);

    [MethodImpl(Inline)]
    public static void Shl<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T> => Set(r, op, T.CreateTruncating(r[op->A] << Count<T>(r, op)));

    [MethodImpl(Inline)]
    public static void ShlF<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T>
    {
        var count = Count<T>(r, op);
        var a = r[op->A];
        var res = T.CreateTruncating(a << count);
        if (count != 0)
            Record(r, FlagsKind.Shl, res, T.CreateTruncating(a << (count - 1)));
        Set(r, op, res);
    }

    [MethodImpl(Inline)]
    public static void Shr<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T> => r[op->Dst] = ulong.CreateTruncating(A<T>(r, op)) >> Count<T>(r, op);

    [MethodImpl(Inline)]
    public static void ShrF<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T>
    {
        var count = Count<T>(r, op);
        var a = ulong.CreateTruncating(A<T>(r, op));
        var res = T.CreateTruncating(a >> count);
        if (count != 0)
            Record(r, FlagsKind.Shr, res, T.CreateTruncating(a >> (count - 1)));
        Set(r, op, res);
    }

    [MethodImpl(Inline)]
    public static void Sar<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T> => Set(r, op, T.CreateTruncating(Signed(A<T>(r, op)) >> Count<T>(r, op)));

    [MethodImpl(Inline)]
    public static void SarF<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T>
    {
        var count = Count<T>(r, op);
        var a = Signed(A<T>(r, op));
        var res = T.CreateTruncating(a >> count);
        if (count != 0)
            Record(r, FlagsKind.Sar, res, T.CreateTruncating(a >> (count - 1)));
        Set(r, op, res);
    }

    [MethodImpl(Inline)]
    public static long Signed<T>(T value)
        where T : unmanaged, IBinaryInteger<T> => sizeof(T) switch
        {
            1 => sbyte.CreateTruncating(value),
            2 => short.CreateTruncating(value),
            4 => int.CreateTruncating(value),
            _ => long.CreateTruncating(value),
        };

    // Compare-and-branch: records the flags of a - b (a and b) and returns the relation.
    [MethodImpl(Inline)]
    public static bool CmpE<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T>
    {
        SubF<T>(r, op);
        return r[Slot.FlagsRes] == 0;
    }

    [MethodImpl(Inline)]
    public static bool CmpB<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T>
    {
        T a = A<T>(r, op), b = B<T>(r, op);
        Record(r, FlagsKind.Sub, a - b, b);
        return a < b;
    }

    [MethodImpl(Inline)]
    public static bool CmpBe<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T>
    {
        T a = A<T>(r, op), b = B<T>(r, op);
        Record(r, FlagsKind.Sub, a - b, b);
        return a <= b;
    }

    [MethodImpl(Inline)]
    public static bool CmpL<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T>
    {
        T a = A<T>(r, op), b = B<T>(r, op);
        Record(r, FlagsKind.Sub, a - b, b);
        return Signed(a) < Signed(b);
    }

    [MethodImpl(Inline)]
    public static bool CmpLe<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T>
    {
        T a = A<T>(r, op), b = B<T>(r, op);
        Record(r, FlagsKind.Sub, a - b, b);
        return Signed(a) <= Signed(b);
    }

    [MethodImpl(Inline)]
    public static bool TestE<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T>
    {
        var res = A<T>(r, op) & B<T>(r, op);
        Record(r, FlagsKind.Logic, res, T.Zero);
        return res == T.Zero;
    }

    [MethodImpl(Inline)]
    public static bool TestS<T>(ulong* r, IrOp* op)
        where T : unmanaged, IBinaryInteger<T>
    {
        var res = A<T>(r, op) & B<T>(r, op);
        Record(r, FlagsKind.Logic, res, T.Zero);
        return Signed(res) < 0;
    }
}
