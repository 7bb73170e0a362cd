using System.Numerics;
using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>
/// The interpreter's integer ops, one body for all sizes and for both forms of an op: <c>T</c> is byte, ushort, uint or ulong. <c>r</c> is the
/// slot file; of the operands a and b only the bits of the size count. An F in the name: the flags record is written too. Values are
/// ulongs; the operators of <c>T</c> itself would be static interface calls, which no ahead-of-time compiler inlines.
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
    public static void Set<T>(ulong* r, nuint dst, ulong value)
        where T : unmanaged => r[dst] = Cut<T>(value);

    [MethodImpl(Inline)]
    public static void Record<T>(ulong* r, FlagsKind kind, ulong res, ulong src)
        where T : unmanaged
    {
        r[Slot.FlagsOp] = (ulong)(((int)kind * 4) + BitOperations.TrailingZeroCount(sizeof(T)));
        r[Slot.FlagsRes] = Cut<T>(res);
        r[Slot.FlagsSrc] = Cut<T>(src);
    }

    [MethodImpl(Inline)]
    public static void AddF<T>(ulong* r, nuint dst, ulong a, ulong b)
        where T : unmanaged
    {
        Record<T>(r, FlagsKind.Add, a + b, b);
        Set<T>(r, dst, a + b);
    }

    [MethodImpl(Inline)]
    public static void SubF<T>(ulong* r, nuint dst, ulong a, ulong b)
        where T : unmanaged
    {
        Record<T>(r, FlagsKind.Sub, a - b, b);
        Set<T>(r, dst, a - b);
    }

    [MethodImpl(Inline)]
    public static void LogicF<T>(ulong* r, nuint dst, ulong res)
        where T : unmanaged
    {
        Record<T>(r, FlagsKind.Logic, res, 0);
        Set<T>(r, dst, res);
    }

    [MethodImpl(Inline)]
    public static void StepF<T>(ulong* r, nuint dst, ulong a, FlagsKind kind, ulong delta)
        where T : unmanaged
    {
        var carry = InterpreterFlags.Carry(r);
        Record<T>(r, kind, a + delta, carry);
        Set<T>(r, dst, a + delta);
    }

    // Counts: masked to 5 bits (6 for 64-bit operands); a narrow operand can be shifted out altogether, so shift in 64 bits.
    [MethodImpl(Inline)]
    public static int Count<T>(ulong b)
        where T : unmanaged => (int)b & (sizeof(T) == 8 ? 63 : 31);

    [MethodImpl(Inline)]
    public static void Shl<T>(ulong* r, nuint dst, ulong a, ulong b)
        where T : unmanaged => Set<T>(r, dst, a << Count<T>(b));

    [MethodImpl(Inline)]
    public static void ShlF<T>(ulong* r, nuint dst, ulong a, ulong b)
        where T : unmanaged
    {
        var count = Count<T>(b);
        var res = a << count;
        if (count != 0)
            Record<T>(r, FlagsKind.Shl, res, a << (count - 1));
        Set<T>(r, dst, res);
    }

    [MethodImpl(Inline)]
    public static void Shr<T>(ulong* r, nuint dst, ulong a, ulong b)
        where T : unmanaged => r[dst] = Cut<T>(a) >> Count<T>(b);

    [MethodImpl(Inline)]
    public static void ShrF<T>(ulong* r, nuint dst, ulong a, ulong b)
        where T : unmanaged
    {
        var count = Count<T>(b);
        a = Cut<T>(a);
        if (count != 0)
            Record<T>(r, FlagsKind.Shr, a >> count, a >> (count - 1));
        r[dst] = a >> count;
    }

    [MethodImpl(Inline)]
    public static void Sar<T>(ulong* r, nuint dst, ulong a, ulong b)
        where T : unmanaged => Set<T>(r, dst, (ulong)(Signed<T>(a) >> Count<T>(b)));

    [MethodImpl(Inline)]
    public static void SarF<T>(ulong* r, nuint dst, ulong a, ulong b)
        where T : unmanaged
    {
        var count = Count<T>(b);
        var value = Signed<T>(a);
        if (count != 0)
            Record<T>(r, FlagsKind.Sar, (ulong)(value >> count), (ulong)(value >> (count - 1)));
        Set<T>(r, dst, (ulong)(value >> count));
    }

    /// <summary>The value as a signed number of the size.</summary>
    [MethodImpl(Inline)]
    public static long Signed<T>(ulong value)
        where T : unmanaged => sizeof(T) switch
        {
            1 => (sbyte)value,
            2 => (short)value,
            4 => (int)value,
            _ => (long)value,
        };
}
