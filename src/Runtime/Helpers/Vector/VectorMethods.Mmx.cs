using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using DynaTrans.Frontend.Ir;
using V = System.Runtime.Intrinsics.Vector128<byte>;

// Immediates come as parameters: constant in translated code once inlined, variable in the interpreter, where the intrinsics still work.
#pragma warning disable CA1857

namespace DynaTrans.Runtime.Helpers.Vector;

/// <content>MMX forms whose low 64 bits do not follow from the 128-bit form.</content>
public static unsafe partial class VectorMethods
{
    internal static void RegisterMmx()
    {
        Set(VecOp.PMovMskBMmx, VecKind.ToInt, (delegate*<V, ulong>)&PMovMskBMmx);
        Set(VecOp.PackSsWbMmx, VecKind.Binary, (delegate*<V, V, V>)&PackSsWbMmx);
        Set(VecOp.PackSsDwMmx, VecKind.Binary, (delegate*<V, V, V>)&PackSsDwMmx);
        Set(VecOp.PackUsWbMmx, VecKind.Binary, (delegate*<V, V, V>)&PackUsWbMmx);
        Set(VecOp.PHAddWMmx, VecKind.Binary, (delegate*<V, V, V>)&PHAddWMmx);
        Set(VecOp.PHAddDMmx, VecKind.Binary, (delegate*<V, V, V>)&PHAddDMmx);
        Set(VecOp.PHAddSwMmx, VecKind.Binary, (delegate*<V, V, V>)&PHAddSwMmx);
        Set(VecOp.PHSubWMmx, VecKind.Binary, (delegate*<V, V, V>)&PHSubWMmx);
        Set(VecOp.PHSubDMmx, VecKind.Binary, (delegate*<V, V, V>)&PHSubDMmx);
        Set(VecOp.PHSubSwMmx, VecKind.Binary, (delegate*<V, V, V>)&PHSubSwMmx);
        Set(VecOp.PUnpckHBwMmx, VecKind.Binary, (delegate*<V, V, V>)&PUnpckHBwMmx);
        Set(VecOp.PUnpckHWdMmx, VecKind.Binary, (delegate*<V, V, V>)&PUnpckHWdMmx);
        Set(VecOp.PUnpckHDqMmx, VecKind.Binary, (delegate*<V, V, V>)&PUnpckHDqMmx);
        Set(VecOp.PShufBMmx, VecKind.Binary, (delegate*<V, V, V>)&PShufBMmx);
        Set(VecOp.PAlignRMmx, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&PAlignRMmx);
        Set(VecOp.CvtPi2Ps, VecKind.Binary, (delegate*<V, V, V>)&CvtPi2Ps);
        Set(VecOp.CvtPs2Pi, VecKind.Unary, (delegate*<V, V>)&CvtPs2Pi);
        Set(VecOp.CvttPs2Pi, VecKind.Unary, (delegate*<V, V>)&CvttPs2Pi);
    }

    /// <summary>pmovmskb of an MMX register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong PMovMskBMmx(V b) => (uint)Sse2.MoveMask(b) & 0xFF;

    /// <summary>packsswb of MMX registers: the 128-bit form of both operands in one register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PackSsWbMmx(V a, V b) => PackSsWb(PUnpckLQdq(a, b), PUnpckLQdq(a, b));

    /// <summary>packssdw of MMX registers: the 128-bit form of both operands in one register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PackSsDwMmx(V a, V b) => PackSsDw(PUnpckLQdq(a, b), PUnpckLQdq(a, b));

    /// <summary>packuswb of MMX registers: the 128-bit form of both operands in one register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PackUsWbMmx(V a, V b) => PackUsWb(PUnpckLQdq(a, b), PUnpckLQdq(a, b));

    /// <summary>phaddw of MMX registers: the 128-bit form of both operands in one register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PHAddWMmx(V a, V b) => PHAddW(PUnpckLQdq(a, b), PUnpckLQdq(a, b));

    /// <summary>phaddd of MMX registers: the 128-bit form of both operands in one register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PHAddDMmx(V a, V b) => PHAddD(PUnpckLQdq(a, b), PUnpckLQdq(a, b));

    /// <summary>phaddsw of MMX registers: the 128-bit form of both operands in one register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PHAddSwMmx(V a, V b) => PHAddSw(PUnpckLQdq(a, b), PUnpckLQdq(a, b));

    /// <summary>phsubw of MMX registers: the 128-bit form of both operands in one register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PHSubWMmx(V a, V b) => PHSubW(PUnpckLQdq(a, b), PUnpckLQdq(a, b));

    /// <summary>phsubd of MMX registers: the 128-bit form of both operands in one register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PHSubDMmx(V a, V b) => PHSubD(PUnpckLQdq(a, b), PUnpckLQdq(a, b));

    /// <summary>phsubsw of MMX registers: the 128-bit form of both operands in one register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PHSubSwMmx(V a, V b) => PHSubSw(PUnpckLQdq(a, b), PUnpckLQdq(a, b));

    /// <summary>punpckhbw of MMX registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PUnpckHBwMmx(V a, V b) => PSrlDq(PUnpckLBw(a, b), 8);

    /// <summary>punpckhwd of MMX registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PUnpckHWdMmx(V a, V b) => PSrlDq(PUnpckLWd(a, b), 8);

    /// <summary>punpckhdq of MMX registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PUnpckHDqMmx(V a, V b) => PSrlDq(PUnpckLDq(a, b), 8);

    /// <summary>pshufb of MMX registers: selectors have 3 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PShufBMmx(V a, V b) => Ssse3.Shuffle(a, Sse2.And(b, Vector128.Create((byte)0x87)));

    /// <summary>palignr of MMX registers: a above b, 16 bytes, shifted right.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PAlignRMmx(V a, V b, byte imm) => Ssse3.AlignRight(V.Zero, PUnpckLQdq(b, a), imm);

    /// <summary>cvtpi2ps: two integers of b to the low half of a.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvtPi2Ps(V a, V b) =>
        Sse2.MoveScalar(a.AsDouble(), Sse2.ConvertToVector128Single(Sse2.MoveScalar(b.AsUInt64()).AsInt32()).AsDouble()).AsByte();

    /// <summary>cvtps2pi: the high half is cleared first so that it raises no flag.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvtPs2Pi(V b) =>
        Sse2.ConvertToVector128Int32(Sse2.MoveScalar(b.AsUInt64()).AsSingle()).AsByte();

    /// <summary>cvttps2pi.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CvttPs2Pi(V b) =>
        Sse2.ConvertToVector128Int32WithTruncation(Sse2.MoveScalar(b.AsUInt64()).AsSingle()).AsByte();
}
