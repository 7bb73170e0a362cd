using System.Numerics;
using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>
/// The interpreter's integer ops, one body for all sizes: <c>T</c> is byte, ushort, uint or ulong. <c>r</c> is the slot
/// file; operands are a = slot[A] and b = slot[B] + Imm. An F in the name: the flags record is written too. Values are ulongs, zero-extended
/// from the size; the operators of <c>T</c> itself would be static interface calls, which no ahead-of-time compiler inlines.
/// </summary>
internal static unsafe class IntegerOps
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    [MethodImpl(Inline)]
    public static ulong Cut<T>(ulong value)
        where T : unmanaged => sizeof(T) switch
        {
            1 => (byte)value,
            2 => (ushort)value,
            4 => (uint)value,
            _ => value,
        };

    public static ulong Cut(ulong value, int size) => size switch
    {
        1 => (byte)value,
        2 => (ushort)value,
        4 => (uint)value,
        _ => value,
    };

    [MethodImpl(Inline)]
    public static ulong A<T>(ulong* r, IrOp* op)
        where T : unmanaged => Cut<T>(r[op->A]);

    [MethodImpl(Inline)]
    public static ulong B<T>(ulong* r, IrOp* op)
        where T : unmanaged => Cut<T>(r[op->B] + (ulong)op->Imm);

    [MethodImpl(Inline)]
    public static void Set<T>(ulong* r, IrOp* op, ulong value)
        where T : unmanaged => r[op->Dst] = Cut<T>(value);

    [MethodImpl(Inline)]
    public static void Record<T>(ulong* r, FlagsKind kind, ulong res, ulong src)
        where T : unmanaged
    {
        r[Slot.FlagsOp] = (ulong)(((int)kind * 4) + BitOperations.TrailingZeroCount(sizeof(T)));
        r[Slot.FlagsRes] = Cut<T>(res);
        r[Slot.FlagsSrc] = Cut<T>(src);
    }

    [MethodImpl(Inline)]
    public static void Add<T>(ulong* r, IrOp* op)
        where T : unmanaged => Set<T>(r, op, A<T>(r, op) + B<T>(r, op));

    [MethodImpl(Inline)]
    public static void AddF<T>(ulong* r, IrOp* op)
        where T : unmanaged
    {
        var b = B<T>(r, op);
        var res = Cut<T>(A<T>(r, op) + b);
        Record<T>(r, FlagsKind.Add, res, b);
        Set<T>(r, op, res);
    }

    [MethodImpl(Inline)]
    public static void Sub<T>(ulong* r, IrOp* op)
        where T : unmanaged => Set<T>(r, op, A<T>(r, op) - B<T>(r, op));

    [MethodImpl(Inline)]
    public static void SubF<T>(ulong* r, IrOp* op)
        where T : unmanaged
    {
        var b = B<T>(r, op);
        var res = Cut<T>(A<T>(r, op) - b);
        Record<T>(r, FlagsKind.Sub, res, b);
        Set<T>(r, op, res);
    }

    [MethodImpl(Inline)]
    public static void And<T>(ulong* r, IrOp* op)
        where T : unmanaged => Set<T>(r, op, A<T>(r, op) & B<T>(r, op));

    [MethodImpl(Inline)]
    public static void Or<T>(ulong* r, IrOp* op)
        where T : unmanaged => Set<T>(r, op, A<T>(r, op) | B<T>(r, op));

    [MethodImpl(Inline)]
    public static void Xor<T>(ulong* r, IrOp* op)
        where T : unmanaged => Set<T>(r, op, A<T>(r, op) ^ B<T>(r, op));

    [MethodImpl(Inline)]
    public static void LogicF<T>(ulong* r, IrOp* op, ulong res)
        where T : unmanaged
    {
        Record<T>(r, FlagsKind.Logic, res, 0);
        Set<T>(r, op, res);
    }

    [MethodImpl(Inline)]
    public static void StepF<T>(ulong* r, IrOp* op, FlagsKind kind, ulong delta)
        where T : unmanaged
    {
        var carry = InterpreterFlags.Carry(r);
        var res = Cut<T>(A<T>(r, op) + delta);
        Record<T>(r, kind, res, carry);
        Set<T>(r, op, res);
    }

    // Counts: masked to 5 bits (6 for 64-bit operands); a narrow operand can be shifted out altogether, so shift in 64 bits.
    [MethodImpl(Inline)]
    public static int Count<T>(ulong* r, IrOp* op)
        where T : unmanaged => (int)(r[op->B] + (ulong)op->Imm) & (sizeof(T) == 8 ? 63 : 31);

    [MethodImpl(Inline)]
    public static void Shl<T>(ulong* r, IrOp* op)
        where T : unmanaged => Set<T>(r, op, r[op->A] << Count<T>(r, op));

    [MethodImpl(Inline)]
    public static void ShlF<T>(ulong* r, IrOp* op)
        where T : unmanaged
    {
        var count = Count<T>(r, op);
        var a = r[op->A];
        var res = Cut<T>(a << count);
        if (count != 0)
            Record<T>(r, FlagsKind.Shl, res, a << (count - 1));
        Set<T>(r, op, res);
    }

    [MethodImpl(Inline)]
    public static void Shr<T>(ulong* r, IrOp* op)
        where T : unmanaged => r[op->Dst] = A<T>(r, op) >> Count<T>(r, op);

    [MethodImpl(Inline)]
    public static void ShrF<T>(ulong* r, IrOp* op)
        where T : unmanaged
    {
        var count = Count<T>(r, op);
        var a = A<T>(r, op);
        var res = a >> count;
        if (count != 0)
            Record<T>(r, FlagsKind.Shr, res, a >> (count - 1));
        Set<T>(r, op, res);
    }

    [MethodImpl(Inline)]
    public static void Sar<T>(ulong* r, IrOp* op)
        where T : unmanaged => Set<T>(r, op, (ulong)(Signed<T>(r[op->A]) >> Count<T>(r, op)));

    [MethodImpl(Inline)]
    public static void SarF<T>(ulong* r, IrOp* op)
        where T : unmanaged
    {
        var count = Count<T>(r, op);
        var a = Signed<T>(r[op->A]);
        var res = (ulong)(a >> count);
        if (count != 0)
            Record<T>(r, FlagsKind.Sar, res, (ulong)(a >> (count - 1)));
        Set<T>(r, op, res);
    }

    [MethodImpl(Inline)]
    public static long Signed<T>(ulong value)
        where T : unmanaged => sizeof(T) switch
        {
            1 => (sbyte)value,
            2 => (short)value,
            4 => (int)value,
            _ => (long)value,
        };

    // Compare-and-branch: records the flags of a - b (a and b) and returns the relation.
    [MethodImpl(Inline)]
    public static bool CmpE<T>(ulong* r, IrOp* op)
        where T : unmanaged
    {
        SubF<T>(r, op);
        return r[Slot.FlagsRes] == 0;
    }

    [MethodImpl(Inline)]
    public static bool CmpB<T>(ulong* r, IrOp* op)
        where T : unmanaged
    {
        ulong a = A<T>(r, op), b = B<T>(r, op);
        Record<T>(r, FlagsKind.Sub, a - b, b);
        return a < b;
    }

    [MethodImpl(Inline)]
    public static bool CmpBe<T>(ulong* r, IrOp* op)
        where T : unmanaged
    {
        ulong a = A<T>(r, op), b = B<T>(r, op);
        Record<T>(r, FlagsKind.Sub, a - b, b);
        return a <= b;
    }

    [MethodImpl(Inline)]
    public static bool CmpL<T>(ulong* r, IrOp* op)
        where T : unmanaged
    {
        ulong a = A<T>(r, op), b = B<T>(r, op);
        Record<T>(r, FlagsKind.Sub, a - b, b);
        return Signed<T>(a) < Signed<T>(b);
    }

    [MethodImpl(Inline)]
    public static bool CmpLe<T>(ulong* r, IrOp* op)
        where T : unmanaged
    {
        ulong a = A<T>(r, op), b = B<T>(r, op);
        Record<T>(r, FlagsKind.Sub, a - b, b);
        return Signed<T>(a) <= Signed<T>(b);
    }

    [MethodImpl(Inline)]
    public static bool TestE<T>(ulong* r, IrOp* op)
        where T : unmanaged
    {
        var res = A<T>(r, op) & B<T>(r, op);
        Record<T>(r, FlagsKind.Logic, res, 0);
        return res == 0;
    }

    [MethodImpl(Inline)]
    public static bool TestS<T>(ulong* r, IrOp* op)
        where T : unmanaged
    {
        var res = A<T>(r, op) & B<T>(r, op);
        Record<T>(r, FlagsKind.Logic, res, 0);
        return Signed<T>(res) < 0;
    }
}
