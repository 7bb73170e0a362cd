using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using DynaTrans.Frontend.Ir;
using V = System.Runtime.Intrinsics.Vector128<byte>;

// Immediates come as parameters: constant in translated code once inlined, variable in the interpreter, where the intrinsics still work.
#pragma warning disable CA1857

namespace DynaTrans.Runtime.Helpers.Vector;

/// <content>Packed single and double precision arithmetic. Of two NaNs the first operand must win, but RyuJIT takes packed addition and
/// multiplication for commutative and swaps operands as suits it. It does not when the first is a blend of both (of which all comes from the
/// first) and it encodes three operands; the blends differ so that one is not shared by an addition and a multiplication, as a variable then
/// could be swapped. Where it does not encode three, <see cref="PackedArithmetic"/> serves.</content>
public static unsafe partial class VectorMethods
{
    internal static void RegisterPackedFloat()
    {
        Set(VecOp.AddPs, VecKind.Binary, (delegate*<V, V, V>)&PackedArithmetic.AddPs);
        Set(VecOp.SubPs, VecKind.Binary, (delegate*<V, V, V>)&SubPs);
        Set(VecOp.MulPs, VecKind.Binary, (delegate*<V, V, V>)&PackedArithmetic.MulPs);
        Set(VecOp.DivPs, VecKind.Binary, (delegate*<V, V, V>)&DivPs);
        Set(VecOp.MinPs, VecKind.Binary, (delegate*<V, V, V>)&MinPs);
        Set(VecOp.MaxPs, VecKind.Binary, (delegate*<V, V, V>)&MaxPs);
        Set(VecOp.SqrtPs, VecKind.Unary, (delegate*<V, V>)&SqrtPs);
        Set(VecOp.AddSubPs, VecKind.Binary, (delegate*<V, V, V>)&AddSubPs);
        Set(VecOp.HAddPs, VecKind.Binary, (delegate*<V, V, V>)&HAddPs);
        Set(VecOp.HSubPs, VecKind.Binary, (delegate*<V, V, V>)&HSubPs);
        Set(VecOp.DpPs, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&DpPs);
        Set(VecOp.CmpPs, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&CmpPs);
        Set(VecOp.RoundPs, VecKind.UnaryImm, (delegate*<V, byte, V>)&RoundPs);
        Set(VecOp.AddPd, VecKind.Binary, (delegate*<V, V, V>)&PackedArithmetic.AddPd);
        Set(VecOp.SubPd, VecKind.Binary, (delegate*<V, V, V>)&SubPd);
        Set(VecOp.MulPd, VecKind.Binary, (delegate*<V, V, V>)&PackedArithmetic.MulPd);
        Set(VecOp.DivPd, VecKind.Binary, (delegate*<V, V, V>)&DivPd);
        Set(VecOp.MinPd, VecKind.Binary, (delegate*<V, V, V>)&MinPd);
        Set(VecOp.MaxPd, VecKind.Binary, (delegate*<V, V, V>)&MaxPd);
        Set(VecOp.SqrtPd, VecKind.Unary, (delegate*<V, V>)&SqrtPd);
        Set(VecOp.AddSubPd, VecKind.Binary, (delegate*<V, V, V>)&AddSubPd);
        Set(VecOp.HAddPd, VecKind.Binary, (delegate*<V, V, V>)&HAddPd);
        Set(VecOp.HSubPd, VecKind.Binary, (delegate*<V, V, V>)&HSubPd);
        Set(VecOp.DpPd, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&DpPd);
        Set(VecOp.CmpPd, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&CmpPd);
        Set(VecOp.RoundPd, VecKind.UnaryImm, (delegate*<V, byte, V>)&RoundPd);
        Set(VecOp.RcpPs, VecKind.Unary, (delegate*<V, V>)&RcpPs);
        Set(VecOp.RsqrtPs, VecKind.Unary, (delegate*<V, V>)&RsqrtPs);
    }

    /// <summary>addps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddPs(V a, V b) =>
        Sse.Add(Sse41.Blend(a.AsSingle(), b.AsSingle(), 0), b.AsSingle()).AsByte();

    /// <summary>subps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SubPs(V a, V b) => Sse.Subtract(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>mulps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MulPs(V a, V b) =>
        Sse.Multiply(Sse41.Blend(b.AsSingle(), a.AsSingle(), 15), b.AsSingle()).AsByte();

    /// <summary>divps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V DivPs(V a, V b) => Sse.Divide(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>minps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MinPs(V a, V b) => Sse.Min(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>maxps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MaxPs(V a, V b) => Sse.Max(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>sqrtps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SqrtPs(V b) => Sse.Sqrt(b.AsSingle()).AsByte();

    /// <summary>addsubps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddSubPs(V a, V b) => Sse3.AddSubtract(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>haddps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V HAddPs(V a, V b) => Sse3.HorizontalAdd(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>hsubps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V HSubPs(V a, V b) => Sse3.HorizontalSubtract(a.AsSingle(), b.AsSingle()).AsByte();

    /// <summary>dpps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V DpPs(V a, V b, byte imm) => Sse41.DotProduct(a.AsSingle(), b.AsSingle(), imm).AsByte();

    /// <summary>cmpps, predicate in bits 2:0 of the immediate.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CmpPs(V a, V b, byte imm) => (imm & 7) switch
    {
        0 => Sse.CompareEqual(a.AsSingle(), b.AsSingle()).AsByte(),
        1 => Sse.CompareLessThan(a.AsSingle(), b.AsSingle()).AsByte(),
        2 => Sse.CompareLessThanOrEqual(a.AsSingle(), b.AsSingle()).AsByte(),
        3 => Sse.CompareUnordered(a.AsSingle(), b.AsSingle()).AsByte(),
        4 => Sse.CompareNotEqual(a.AsSingle(), b.AsSingle()).AsByte(),
        5 => Sse.CompareNotLessThan(a.AsSingle(), b.AsSingle()).AsByte(),
        6 => Sse.CompareNotLessThanOrEqual(a.AsSingle(), b.AsSingle()).AsByte(),
        _ => Sse.CompareOrdered(a.AsSingle(), b.AsSingle()).AsByte(),
    };

    /// <summary>roundps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V RoundPs(V b, byte imm) => (imm & 15) switch
    {
        0 => Sse41.RoundToNearestInteger(b.AsSingle()).AsByte(),
        1 => Sse41.RoundToNegativeInfinity(b.AsSingle()).AsByte(),
        2 => Sse41.RoundToPositiveInfinity(b.AsSingle()).AsByte(),
        3 => Sse41.RoundToZero(b.AsSingle()).AsByte(),
        4 or 5 or 6 or 7 => Sse41.RoundCurrentDirection(b.AsSingle()).AsByte(),
        _ => NativeRound.Single(b, imm),
    };

    /// <summary>addpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddPd(V a, V b) =>
        Sse2.Add(Sse41.Blend(a.AsDouble(), b.AsDouble(), 0), b.AsDouble()).AsByte();

    /// <summary>subpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SubPd(V a, V b) => Sse2.Subtract(a.AsDouble(), b.AsDouble()).AsByte();

    /// <summary>mulpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MulPd(V a, V b) =>
        Sse2.Multiply(Sse41.Blend(b.AsDouble(), a.AsDouble(), 3), b.AsDouble()).AsByte();

    /// <summary>divpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V DivPd(V a, V b) => Sse2.Divide(a.AsDouble(), b.AsDouble()).AsByte();

    /// <summary>minpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MinPd(V a, V b) => Sse2.Min(a.AsDouble(), b.AsDouble()).AsByte();

    /// <summary>maxpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MaxPd(V a, V b) => Sse2.Max(a.AsDouble(), b.AsDouble()).AsByte();

    /// <summary>sqrtpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SqrtPd(V b) => Sse2.Sqrt(b.AsDouble()).AsByte();

    /// <summary>addsubpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddSubPd(V a, V b) => Sse3.AddSubtract(a.AsDouble(), b.AsDouble()).AsByte();

    /// <summary>haddpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V HAddPd(V a, V b) => Sse3.HorizontalAdd(a.AsDouble(), b.AsDouble()).AsByte();

    /// <summary>hsubpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V HSubPd(V a, V b) => Sse3.HorizontalSubtract(a.AsDouble(), b.AsDouble()).AsByte();

    /// <summary>dppd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V DpPd(V a, V b, byte imm) => Sse41.DotProduct(a.AsDouble(), b.AsDouble(), imm).AsByte();

    /// <summary>cmppd, predicate in bits 2:0 of the immediate.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CmpPd(V a, V b, byte imm) => (imm & 7) switch
    {
        0 => Sse2.CompareEqual(a.AsDouble(), b.AsDouble()).AsByte(),
        1 => Sse2.CompareLessThan(a.AsDouble(), b.AsDouble()).AsByte(),
        2 => Sse2.CompareLessThanOrEqual(a.AsDouble(), b.AsDouble()).AsByte(),
        3 => Sse2.CompareUnordered(a.AsDouble(), b.AsDouble()).AsByte(),
        4 => Sse2.CompareNotEqual(a.AsDouble(), b.AsDouble()).AsByte(),
        5 => Sse2.CompareNotLessThan(a.AsDouble(), b.AsDouble()).AsByte(),
        6 => Sse2.CompareNotLessThanOrEqual(a.AsDouble(), b.AsDouble()).AsByte(),
        _ => Sse2.CompareOrdered(a.AsDouble(), b.AsDouble()).AsByte(),
    };

    /// <summary>roundpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V RoundPd(V b, byte imm) => (imm & 15) switch
    {
        0 => Sse41.RoundToNearestInteger(b.AsDouble()).AsByte(),
        1 => Sse41.RoundToNegativeInfinity(b.AsDouble()).AsByte(),
        2 => Sse41.RoundToPositiveInfinity(b.AsDouble()).AsByte(),
        3 => Sse41.RoundToZero(b.AsDouble()).AsByte(),
        4 or 5 or 6 or 7 => Sse41.RoundCurrentDirection(b.AsDouble()).AsByte(),
        _ => NativeRound.Double(b, imm),
    };

    /// <summary>rcpps: the approximation of the host.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V RcpPs(V b) => Sse.Reciprocal(b.AsSingle()).AsByte();

    /// <summary>rsqrtps: the approximation of the host.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V RsqrtPs(V b) => Sse.ReciprocalSqrt(b.AsSingle()).AsByte();
}
