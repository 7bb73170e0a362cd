using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using DynaTrans.Frontend.Ir;
using V = System.Runtime.Intrinsics.Vector128<byte>;

namespace DynaTrans.Runtime.Helpers.Vector;

/// <content>Conversions between integers and floating point, rounding and out-of-range results as the host CPU makes them.</content>
public static unsafe partial class VectorMethods
{
    internal static void RegisterConversions()
    {
        Set(VecOp.CvtDq2Ps, VecKind.Unary, (delegate*<V, V>)&CvtDq2Ps);
        Set(VecOp.CvtPs2Dq, VecKind.Unary, (delegate*<V, V>)&CvtPs2Dq);
        Set(VecOp.CvttPs2Dq, VecKind.Unary, (delegate*<V, V>)&CvttPs2Dq);
        Set(VecOp.CvtDq2Pd, VecKind.Unary, (delegate*<V, V>)&CvtDq2Pd);
        Set(VecOp.CvtPd2Dq, VecKind.Unary, (delegate*<V, V>)&CvtPd2Dq);
        Set(VecOp.CvttPd2Dq, VecKind.Unary, (delegate*<V, V>)&CvttPd2Dq);
        Set(VecOp.CvtPs2Pd, VecKind.Unary, (delegate*<V, V>)&CvtPs2Pd);
        Set(VecOp.CvtPd2Ps, VecKind.Unary, (delegate*<V, V>)&CvtPd2Ps);
        Set(VecOp.CvtSs2Sd, VecKind.Binary, (delegate*<V, V, V>)&CvtSs2Sd);
        Set(VecOp.CvtSd2Ss, VecKind.Binary, (delegate*<V, V, V>)&CvtSd2Ss);
        Set(VecOp.CvtSi2Ss32, VecKind.FromInt, (delegate*<V, ulong, V>)&CvtSi2Ss32);
        Set(VecOp.CvtSi2Ss64, VecKind.FromInt, (delegate*<V, ulong, V>)&CvtSi2Ss64);
        Set(VecOp.CvtSi2Sd32, VecKind.FromInt, (delegate*<V, ulong, V>)&CvtSi2Sd32);
        Set(VecOp.CvtSi2Sd64, VecKind.FromInt, (delegate*<V, ulong, V>)&CvtSi2Sd64);
        Set(VecOp.CvtSs2Si32, VecKind.ToInt, (delegate*<V, ulong>)&CvtSs2Si32);
        Set(VecOp.CvtSs2Si64, VecKind.ToInt, (delegate*<V, ulong>)&CvtSs2Si64);
        Set(VecOp.CvttSs2Si32, VecKind.ToInt, (delegate*<V, ulong>)&CvttSs2Si32);
        Set(VecOp.CvttSs2Si64, VecKind.ToInt, (delegate*<V, ulong>)&CvttSs2Si64);
        Set(VecOp.CvtSd2Si32, VecKind.ToInt, (delegate*<V, ulong>)&CvtSd2Si32);
        Set(VecOp.CvtSd2Si64, VecKind.ToInt, (delegate*<V, ulong>)&CvtSd2Si64);
        Set(VecOp.CvttSd2Si32, VecKind.ToInt, (delegate*<V, ulong>)&CvttSd2Si32);
        Set(VecOp.CvttSd2Si64, VecKind.ToInt, (delegate*<V, ulong>)&CvttSd2Si64);
    }

    /// <summary>cvtdq2ps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvtDq2Ps(V b) => Sse2.ConvertToVector128Single(b.AsInt32()).AsByte();

    /// <summary>cvtps2dq.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvtPs2Dq(V b) => Sse2.ConvertToVector128Int32(b.AsSingle()).AsByte();

    /// <summary>cvttps2dq.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvttPs2Dq(V b) => Sse2.ConvertToVector128Int32WithTruncation(b.AsSingle()).AsByte();

    /// <summary>cvtdq2pd, cvtpi2pd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvtDq2Pd(V b) => Sse2.ConvertToVector128Double(b.AsInt32()).AsByte();

    /// <summary>cvtpd2dq, cvtpd2pi.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvtPd2Dq(V b) => Sse2.ConvertToVector128Int32(b.AsDouble()).AsByte();

    /// <summary>cvttpd2dq, cvttpd2pi.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvttPd2Dq(V b) => Sse2.ConvertToVector128Int32WithTruncation(b.AsDouble()).AsByte();

    /// <summary>cvtps2pd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvtPs2Pd(V b) => Sse2.ConvertToVector128Double(b.AsSingle()).AsByte();

    /// <summary>cvtpd2ps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvtPd2Ps(V b) => Sse2.ConvertToVector128Single(b.AsDouble()).AsByte();

    /// <summary>cvtss2sd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvtSs2Sd(V a, V b) =>
        Sse2.ConvertScalarToVector128Double(a.AsDouble(), b.AsSingle()).AsByte();

    /// <summary>cvtsd2ss.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvtSd2Ss(V a, V b) =>
        Sse2.ConvertScalarToVector128Single(a.AsSingle(), b.AsDouble()).AsByte();

    /// <summary>cvtsi2ss from 32 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvtSi2Ss32(V a, ulong b) => Sse.ConvertScalarToVector128Single(a.AsSingle(), (int)b).AsByte();

    /// <summary>cvtsi2ss from 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvtSi2Ss64(V a, ulong b) =>
        Sse.X64.ConvertScalarToVector128Single(a.AsSingle(), (long)b).AsByte();

    /// <summary>cvtsi2sd from 32 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvtSi2Sd32(V a, ulong b) => Sse2.ConvertScalarToVector128Double(a.AsDouble(), (int)b).AsByte();

    /// <summary>cvtsi2sd from 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvtSi2Sd64(V a, ulong b) =>
        Sse2.X64.ConvertScalarToVector128Double(a.AsDouble(), (long)b).AsByte();

    /// <summary>cvtss2si to 32 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong CvtSs2Si32(V b) => (uint)Sse.ConvertToInt32(b.AsSingle());

    /// <summary>cvtss2si to 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong CvtSs2Si64(V b) => (ulong)Sse.X64.ConvertToInt64(b.AsSingle());

    /// <summary>cvttss2si to 32 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong CvttSs2Si32(V b) => (uint)Sse.ConvertToInt32WithTruncation(b.AsSingle());

    /// <summary>cvttss2si to 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong CvttSs2Si64(V b) => (ulong)Sse.X64.ConvertToInt64WithTruncation(b.AsSingle());

    /// <summary>cvtsd2si to 32 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong CvtSd2Si32(V b) => (uint)Sse2.ConvertToInt32(b.AsDouble());

    /// <summary>cvtsd2si to 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong CvtSd2Si64(V b) => (ulong)Sse2.X64.ConvertToInt64(b.AsDouble());

    /// <summary>cvttsd2si to 32 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong CvttSd2Si32(V b) => (uint)Sse2.ConvertToInt32WithTruncation(b.AsDouble());

    /// <summary>cvttsd2si to 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong CvttSd2Si64(V b) => (ulong)Sse2.X64.ConvertToInt64WithTruncation(b.AsDouble());
}
