using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using DynaTrans.Frontend.Ir;
using V = System.Runtime.Intrinsics.Vector128<byte>;

namespace DynaTrans.Runtime.Helpers.Vector;

/// <content>Bitwise logic, register moves, sign masks.</content>
public static unsafe partial class VectorMethods
{
    internal static void RegisterMoves()
    {
        Set(VecOp.And, VecKind.Binary, (delegate*<V, V, V>)&And);
        Set(VecOp.AndNot, VecKind.Binary, (delegate*<V, V, V>)&AndNot);
        Set(VecOp.Or, VecKind.Binary, (delegate*<V, V, V>)&Or);
        Set(VecOp.Xor, VecKind.Binary, (delegate*<V, V, V>)&Xor);
        Set(VecOp.MoveSs, VecKind.Binary, (delegate*<V, V, V>)&MoveSs);
        Set(VecOp.MoveSd, VecKind.Binary, (delegate*<V, V, V>)&MoveSd);
        Set(VecOp.MoveQ, VecKind.Unary, (delegate*<V, V>)&MoveQ);
        Set(VecOp.MoveHighToLow, VecKind.Binary, (delegate*<V, V, V>)&MoveHighToLow);
        Set(VecOp.FromD, VecKind.FromInt, (delegate*<V, ulong, V>)&FromD);
        Set(VecOp.FromQ, VecKind.FromInt, (delegate*<V, ulong, V>)&FromQ);
        Set(VecOp.Zero, VecKind.FromInt, (delegate*<V, ulong, V>)&Zero);
        Set(VecOp.Ones, VecKind.FromInt, (delegate*<V, ulong, V>)&Ones);
        Set(VecOp.ToD, VecKind.ToInt, (delegate*<V, ulong>)&ToD);
        Set(VecOp.ToQ, VecKind.ToInt, (delegate*<V, ulong>)&ToQ);
        Set(VecOp.MovMskPs, VecKind.ToInt, (delegate*<V, ulong>)&MovMskPs);
        Set(VecOp.MovMskPd, VecKind.ToInt, (delegate*<V, ulong>)&MovMskPd);
        Set(VecOp.PMovMskB, VecKind.ToInt, (delegate*<V, ulong>)&PMovMskB);
        Set(VecOp.PTest, VecKind.BinaryToInt, (delegate*<V, V, ulong>)&PTest);
        Set(VecOp.AndSignB, VecKind.Binary, (delegate*<V, V, V>)&AndSignB);
        Set(VecOp.AndSignD, VecKind.Binary, (delegate*<V, V, V>)&AndSignD);
        Set(VecOp.AndSignQ, VecKind.Binary, (delegate*<V, V, V>)&AndSignQ);
    }

    /// <summary>pand, andps, andpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V And(V a, V b) => Sse2.And(a, b);

    /// <summary>pandn, andnps, andnpd: not a, and b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AndNot(V a, V b) => Sse2.AndNot(a, b);

    /// <summary>por, orps, orpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Or(V a, V b) => Sse2.Or(a, b);

    /// <summary>pxor, xorps, xorpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Xor(V a, V b) => Sse2.Xor(a, b);

    /// <summary>movss between registers: bits 31:0 of b, the rest of a.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MoveSs(V a, V b) => Sse.MoveScalar(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>movsd between registers: bits 63:0 of b, the rest of a.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MoveSd(V a, V b) => Sse2.MoveScalar(a.AsDouble(), b.AsDouble()).AsByte();

    /// <summary>movq between registers: bits 63:0 of b, zeros above.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MoveQ(V b) => Sse2.MoveScalar(b.AsUInt64()).AsByte();

    /// <summary>movhlps: high half of b below the high half of a.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MoveHighToLow(V a, V b) => Sse.MoveHighToLow(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>movd from an integer: bits 31:0 of b, zeros above; a is not used.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V FromD(V a, ulong b) => Sse2.ConvertScalarToVector128UInt32((uint)b).AsByte();

    /// <summary>movq from an integer; a is not used.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V FromQ(V a, ulong b) => Sse2.X64.ConvertScalarToVector128UInt64(b).AsByte();

    /// <summary>A register xored with, subtracted from or found greater than itself; the operands are not used.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Zero(V a, ulong b) => s_zero;

    /// <summary>A register compared equal to itself; the operands are not used.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Ones(V a, ulong b) => s_ones;

    /// <summary>movd to an integer: bits 31:0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong ToD(V b) => b.AsUInt32().ToScalar();

    /// <summary>movq to an integer: bits 63:0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong ToQ(V b) => b.AsUInt64().ToScalar();

    /// <summary>movmskps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong MovMskPs(V b) => (uint)Sse.MoveMask(b.AsSingle());

    /// <summary>movmskpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong MovMskPd(V b) => (uint)Sse2.MoveMask(b.AsDouble());

    /// <summary>pmovmskb.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong PMovMskB(V b) => (uint)Sse2.MoveMask(b);

    /// <summary>ptest: ZF and CF at their EFLAGS positions.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong PTest(V a, V b) =>
        (Sse41.TestZ(a, b) ? Eflags.ZF : 0) | (Sse41.TestC(a, b) ? Eflags.CF : 0);

    /// <summary>a where the byte of b is negative, else 0: a step of pblendvb.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AndSignB(V a, V b) =>
        Sse2.And(a, Sse2.CompareGreaterThan(Vector128<sbyte>.Zero, b.AsSByte()).AsByte());

    /// <summary>a where the doubleword of b is negative, else 0: a step of blendvps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AndSignD(V a, V b) => Sse2.And(a, Sse2.ShiftRightArithmetic(b.AsInt32(), 31).AsByte());

    /// <summary>a where the quadword of b is negative, else 0: a step of blendvpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AndSignQ(V a, V b) =>
        Sse2.And(a, Sse2.Shuffle(Sse2.ShiftRightArithmetic(b.AsInt32(), 31), 0xF5).AsByte());

    // Not constants to the compiler, which folds floating-point arithmetic with constants without regard to MXCSR. They are never written.
    private static V s_zero = V.Zero;
    private static V s_ones = V.AllBitsSet;
}
