using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using DynaTrans.Frontend.Ir;
using V = System.Runtime.Intrinsics.Vector128<byte>;

// Immediates come as parameters: constant in translated code once inlined, variable in the interpreter, where the intrinsics still work.
#pragma warning disable CA1857

namespace DynaTrans.Runtime.Helpers.Vector;

/// <content>Scalar single and double precision arithmetic; bits above the element come from a.</content>
public static unsafe partial class VectorMethods
{
    internal static void RegisterScalarFloat()
    {
        Set(VecOp.AddSs, VecKind.Binary, (delegate*<V, V, V>)&AddSs);
        Set(VecOp.SubSs, VecKind.Binary, (delegate*<V, V, V>)&SubSs);
        Set(VecOp.MulSs, VecKind.Binary, (delegate*<V, V, V>)&MulSs);
        Set(VecOp.DivSs, VecKind.Binary, (delegate*<V, V, V>)&DivSs);
        Set(VecOp.MinSs, VecKind.Binary, (delegate*<V, V, V>)&MinSs);
        Set(VecOp.MaxSs, VecKind.Binary, (delegate*<V, V, V>)&MaxSs);
        Set(VecOp.SqrtSs, VecKind.Binary, (delegate*<V, V, V>)&SqrtSs);
        Set(VecOp.CmpSs, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&CmpSs);
        Set(VecOp.RoundSs, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&RoundSs);
        Set(VecOp.ComiSs, VecKind.BinaryToInt, (delegate*<V, V, ulong>)&ComiSs);
        Set(VecOp.UcomiSs, VecKind.BinaryToInt, (delegate*<V, V, ulong>)&UcomiSs);
        Set(VecOp.AddSd, VecKind.Binary, (delegate*<V, V, V>)&AddSd);
        Set(VecOp.SubSd, VecKind.Binary, (delegate*<V, V, V>)&SubSd);
        Set(VecOp.MulSd, VecKind.Binary, (delegate*<V, V, V>)&MulSd);
        Set(VecOp.DivSd, VecKind.Binary, (delegate*<V, V, V>)&DivSd);
        Set(VecOp.MinSd, VecKind.Binary, (delegate*<V, V, V>)&MinSd);
        Set(VecOp.MaxSd, VecKind.Binary, (delegate*<V, V, V>)&MaxSd);
        Set(VecOp.SqrtSd, VecKind.Binary, (delegate*<V, V, V>)&SqrtSd);
        Set(VecOp.CmpSd, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&CmpSd);
        Set(VecOp.RoundSd, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&RoundSd);
        Set(VecOp.ComiSd, VecKind.BinaryToInt, (delegate*<V, V, ulong>)&ComiSd);
        Set(VecOp.UcomiSd, VecKind.BinaryToInt, (delegate*<V, V, ulong>)&UcomiSd);
        Set(VecOp.RcpSs, VecKind.Binary, (delegate*<V, V, V>)&RcpSs);
        Set(VecOp.RsqrtSs, VecKind.Binary, (delegate*<V, V, V>)&RsqrtSs);
    }

    /// <summary>addss.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddSs(V a, V b) => Sse.AddScalar(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>subss.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SubSs(V a, V b) => Sse.SubtractScalar(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>mulss.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MulSs(V a, V b) => Sse.MultiplyScalar(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>divss.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V DivSs(V a, V b) => Sse.DivideScalar(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>minss.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MinSs(V a, V b) => Sse.MinScalar(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>maxss.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MaxSs(V a, V b) => Sse.MaxScalar(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>sqrtss.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SqrtSs(V a, V b) => Sse.SqrtScalar(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>cmpss, predicate in bits 2:0 of the immediate.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CmpSs(V a, V b, byte imm) => (imm & 7) switch
    {
        0 => Sse.CompareScalarEqual(a.AsSingle(), b.AsSingle()).AsByte(),
        1 => Sse.CompareScalarLessThan(a.AsSingle(), b.AsSingle()).AsByte(),
        2 => Sse.CompareScalarLessThanOrEqual(a.AsSingle(), b.AsSingle()).AsByte(),
        3 => Sse.CompareScalarUnordered(a.AsSingle(), b.AsSingle()).AsByte(),
        4 => Sse.CompareScalarNotEqual(a.AsSingle(), b.AsSingle()).AsByte(),
        5 => Sse.CompareScalarNotLessThan(a.AsSingle(), b.AsSingle()).AsByte(),
        6 => Sse.CompareScalarNotLessThanOrEqual(a.AsSingle(), b.AsSingle()).AsByte(),
        _ => Sse.CompareScalarOrdered(a.AsSingle(), b.AsSingle()).AsByte(),
    };

    /// <summary>roundss.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V RoundSs(V a, V b, byte imm) => (imm & 15) switch
    {
        0 => Sse41.RoundToNearestIntegerScalar(a.AsSingle(), b.AsSingle()).AsByte(),
        1 => Sse41.RoundToNegativeInfinityScalar(a.AsSingle(), b.AsSingle()).AsByte(),
        2 => Sse41.RoundToPositiveInfinityScalar(a.AsSingle(), b.AsSingle()).AsByte(),
        3 => Sse41.RoundToZeroScalar(a.AsSingle(), b.AsSingle()).AsByte(),
        4 or 5 or 6 or 7 => Sse41.RoundCurrentDirectionScalar(a.AsSingle(), b.AsSingle()).AsByte(),
        9 => MoveSs(a, Vector128.CreateScalarUnsafe(MathF.Floor(b.AsSingle().ToScalar())).AsByte()),
        10 => MoveSs(a, Vector128.CreateScalarUnsafe(MathF.Ceiling(b.AsSingle().ToScalar())).AsByte()),
        11 => MoveSs(a, Vector128.CreateScalarUnsafe(MathF.Truncate(b.AsSingle().ToScalar())).AsByte()),
        _ => MoveSs(a, NativeRound.Single(Sse2.ShiftRightLogical128BitLane(Sse2.ShiftLeftLogical128BitLane(b, 12), 12), imm)),
    };

    /// <summary>comiss: ZF, PF and CF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong ComiSs(V a, V b) =>
        ComparisonFlags(Sse.CompareScalarOrderedGreaterThanOrEqual(a.AsSingle(), b.AsSingle()), Sse.CompareScalarOrderedLessThanOrEqual(a.AsSingle(), b.AsSingle()));

    /// <summary>ucomiss: ZF, PF and CF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong UcomiSs(V a, V b) =>
        ComparisonFlags(Sse.CompareScalarUnorderedGreaterThanOrEqual(a.AsSingle(), b.AsSingle()), Sse.CompareScalarUnorderedLessThanOrEqual(a.AsSingle(), b.AsSingle()));

    /// <summary>addsd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddSd(V a, V b) => Sse2.AddScalar(a.AsDouble(), b.AsDouble()).AsByte();

    /// <summary>subsd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SubSd(V a, V b) => Sse2.SubtractScalar(a.AsDouble(), b.AsDouble()).AsByte();

    /// <summary>mulsd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MulSd(V a, V b) => Sse2.MultiplyScalar(a.AsDouble(), b.AsDouble()).AsByte();

    /// <summary>divsd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V DivSd(V a, V b) => Sse2.DivideScalar(a.AsDouble(), b.AsDouble()).AsByte();

    /// <summary>minsd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MinSd(V a, V b) => Sse2.MinScalar(a.AsDouble(), b.AsDouble()).AsByte();

    /// <summary>maxsd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MaxSd(V a, V b) => Sse2.MaxScalar(a.AsDouble(), b.AsDouble()).AsByte();

    /// <summary>sqrtsd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SqrtSd(V a, V b) => Sse2.SqrtScalar(a.AsDouble(), b.AsDouble()).AsByte();

    /// <summary>cmpsd, predicate in bits 2:0 of the immediate.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CmpSd(V a, V b, byte imm) => (imm & 7) switch
    {
        0 => Sse2.CompareScalarEqual(a.AsDouble(), b.AsDouble()).AsByte(),
        1 => Sse2.CompareScalarLessThan(a.AsDouble(), b.AsDouble()).AsByte(),
        2 => Sse2.CompareScalarLessThanOrEqual(a.AsDouble(), b.AsDouble()).AsByte(),
        3 => Sse2.CompareScalarUnordered(a.AsDouble(), b.AsDouble()).AsByte(),
        4 => Sse2.CompareScalarNotEqual(a.AsDouble(), b.AsDouble()).AsByte(),
        5 => Sse2.CompareScalarNotLessThan(a.AsDouble(), b.AsDouble()).AsByte(),
        6 => Sse2.CompareScalarNotLessThanOrEqual(a.AsDouble(), b.AsDouble()).AsByte(),
        _ => Sse2.CompareScalarOrdered(a.AsDouble(), b.AsDouble()).AsByte(),
    };

    /// <summary>roundsd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V RoundSd(V a, V b, byte imm) => (imm & 15) switch
    {
        0 => Sse41.RoundToNearestIntegerScalar(a.AsDouble(), b.AsDouble()).AsByte(),
        1 => Sse41.RoundToNegativeInfinityScalar(a.AsDouble(), b.AsDouble()).AsByte(),
        2 => Sse41.RoundToPositiveInfinityScalar(a.AsDouble(), b.AsDouble()).AsByte(),
        3 => Sse41.RoundToZeroScalar(a.AsDouble(), b.AsDouble()).AsByte(),
        4 or 5 or 6 or 7 => Sse41.RoundCurrentDirectionScalar(a.AsDouble(), b.AsDouble()).AsByte(),
        9 => MoveSd(a, Vector128.CreateScalarUnsafe(Math.Floor(b.AsDouble().ToScalar())).AsByte()),
        10 => MoveSd(a, Vector128.CreateScalarUnsafe(Math.Ceiling(b.AsDouble().ToScalar())).AsByte()),
        11 => MoveSd(a, Vector128.CreateScalarUnsafe(Math.Truncate(b.AsDouble().ToScalar())).AsByte()),
        _ => MoveSd(a, NativeRound.Double(Sse2.MoveScalar(b.AsUInt64()).AsByte(), imm)),
    };

    /// <summary>comisd: ZF, PF and CF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong ComiSd(V a, V b) =>
        ComparisonFlags(Sse2.CompareScalarOrderedGreaterThanOrEqual(a.AsDouble(), b.AsDouble()), Sse2.CompareScalarOrderedLessThanOrEqual(a.AsDouble(), b.AsDouble()));

    /// <summary>ucomisd: ZF, PF and CF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong UcomiSd(V a, V b) =>
        ComparisonFlags(Sse2.CompareScalarUnorderedGreaterThanOrEqual(a.AsDouble(), b.AsDouble()), Sse2.CompareScalarUnorderedLessThanOrEqual(a.AsDouble(), b.AsDouble()));

    /// <summary>rcpss.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V RcpSs(V a, V b) => Sse.ReciprocalScalar(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>rsqrtss.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V RsqrtSs(V a, V b) => Sse.ReciprocalSqrtScalar(a.AsSingle(), b.AsSingle()).AsByte();

    // 0x45 (ZF PF CF) is unordered, 0 above, 1 (CF) below, 0x40 (ZF) equal. Bit arithmetic, because RyuJIT makes branches of conditionals.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong ComparisonFlags(bool aboveOrEqual, bool belowOrEqual) =>
        (byte)(0x40010045u >> ((Unsafe.BitCast<bool, byte>(aboveOrEqual) * 8) + (Unsafe.BitCast<bool, byte>(belowOrEqual) * 16)));
}
