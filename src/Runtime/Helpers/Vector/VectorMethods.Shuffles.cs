using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using DynaTrans.Frontend.Ir;
using V = System.Runtime.Intrinsics.Vector128<byte>;

// Immediates come as parameters: constant in translated code once inlined, variable in the interpreter, where the intrinsics still work.
#pragma warning disable CA1857

namespace DynaTrans.Runtime.Helpers.Vector;

/// <content>Packing, interleaving, shuffling, element access, widening, blending.</content>
public static unsafe partial class VectorMethods
{
    internal static void RegisterShuffles()
    {
        Set(VecOp.PackSsWb, VecKind.Binary, (delegate*<V, V, V>)&PackSsWb);
        Set(VecOp.PackSsDw, VecKind.Binary, (delegate*<V, V, V>)&PackSsDw);
        Set(VecOp.PackUsWb, VecKind.Binary, (delegate*<V, V, V>)&PackUsWb);
        Set(VecOp.PackUsDw, VecKind.Binary, (delegate*<V, V, V>)&PackUsDw);
        Set(VecOp.PUnpckLBw, VecKind.Binary, (delegate*<V, V, V>)&PUnpckLBw);
        Set(VecOp.PUnpckLWd, VecKind.Binary, (delegate*<V, V, V>)&PUnpckLWd);
        Set(VecOp.PUnpckLDq, VecKind.Binary, (delegate*<V, V, V>)&PUnpckLDq);
        Set(VecOp.PUnpckLQdq, VecKind.Binary, (delegate*<V, V, V>)&PUnpckLQdq);
        Set(VecOp.PUnpckHBw, VecKind.Binary, (delegate*<V, V, V>)&PUnpckHBw);
        Set(VecOp.PUnpckHWd, VecKind.Binary, (delegate*<V, V, V>)&PUnpckHWd);
        Set(VecOp.PUnpckHDq, VecKind.Binary, (delegate*<V, V, V>)&PUnpckHDq);
        Set(VecOp.PUnpckHQdq, VecKind.Binary, (delegate*<V, V, V>)&PUnpckHQdq);
        Set(VecOp.PShufB, VecKind.Binary, (delegate*<V, V, V>)&PShufB);
        Set(VecOp.PShufD, VecKind.UnaryImm, (delegate*<V, byte, V>)&PShufD);
        Set(VecOp.PShufLw, VecKind.UnaryImm, (delegate*<V, byte, V>)&PShufLw);
        Set(VecOp.PShufHw, VecKind.UnaryImm, (delegate*<V, byte, V>)&PShufHw);
        Set(VecOp.ShufPs, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&ShufPs);
        Set(VecOp.ShufPd, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&ShufPd);
        Set(VecOp.PAlignR, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&PAlignR);
        Set(VecOp.MovSlDup, VecKind.Unary, (delegate*<V, V>)&MovSlDup);
        Set(VecOp.MovShDup, VecKind.Unary, (delegate*<V, V>)&MovShDup);
        Set(VecOp.MovDDup, VecKind.Unary, (delegate*<V, V>)&MovDDup);
        Set(VecOp.PInsrB, VecKind.FromIntImm, (delegate*<V, ulong, byte, V>)&PInsrB);
        Set(VecOp.PInsrW, VecKind.FromIntImm, (delegate*<V, ulong, byte, V>)&PInsrW);
        Set(VecOp.PInsrD, VecKind.FromIntImm, (delegate*<V, ulong, byte, V>)&PInsrD);
        Set(VecOp.PInsrQ, VecKind.FromIntImm, (delegate*<V, ulong, byte, V>)&PInsrQ);
        Set(VecOp.PExtrB, VecKind.ToIntImm, (delegate*<V, byte, ulong>)&PExtrB);
        Set(VecOp.PExtrW, VecKind.ToIntImm, (delegate*<V, byte, ulong>)&PExtrW);
        Set(VecOp.PExtrD, VecKind.ToIntImm, (delegate*<V, byte, ulong>)&PExtrD);
        Set(VecOp.PExtrQ, VecKind.ToIntImm, (delegate*<V, byte, ulong>)&PExtrQ);
        Set(VecOp.InsertPs, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&InsertPs);
        Set(VecOp.BlendPs, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&BlendPs);
        Set(VecOp.BlendPd, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&BlendPd);
        Set(VecOp.PBlendW, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&PBlendW);
        Set(VecOp.PMovSxBw, VecKind.Unary, (delegate*<V, V>)&PMovSxBw);
        Set(VecOp.PMovSxBd, VecKind.Unary, (delegate*<V, V>)&PMovSxBd);
        Set(VecOp.PMovSxBq, VecKind.Unary, (delegate*<V, V>)&PMovSxBq);
        Set(VecOp.PMovSxWd, VecKind.Unary, (delegate*<V, V>)&PMovSxWd);
        Set(VecOp.PMovSxWq, VecKind.Unary, (delegate*<V, V>)&PMovSxWq);
        Set(VecOp.PMovSxDq, VecKind.Unary, (delegate*<V, V>)&PMovSxDq);
        Set(VecOp.PMovZxBw, VecKind.Unary, (delegate*<V, V>)&PMovZxBw);
        Set(VecOp.PMovZxBd, VecKind.Unary, (delegate*<V, V>)&PMovZxBd);
        Set(VecOp.PMovZxBq, VecKind.Unary, (delegate*<V, V>)&PMovZxBq);
        Set(VecOp.PMovZxWd, VecKind.Unary, (delegate*<V, V>)&PMovZxWd);
        Set(VecOp.PMovZxWq, VecKind.Unary, (delegate*<V, V>)&PMovZxWq);
        Set(VecOp.PMovZxDq, VecKind.Unary, (delegate*<V, V>)&PMovZxDq);
    }

    /// <summary>packsswb.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PackSsWb(V a, V b) => Sse2.PackSignedSaturate(a.AsInt16(), b.AsInt16()).AsByte();

    /// <summary>packssdw.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PackSsDw(V a, V b) => Sse2.PackSignedSaturate(a.AsInt32(), b.AsInt32()).AsByte();

    /// <summary>packuswb.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PackUsWb(V a, V b) => Sse2.PackUnsignedSaturate(a.AsInt16(), b.AsInt16());

    /// <summary>packusdw.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PackUsDw(V a, V b) => Sse41.PackUnsignedSaturate(a.AsInt32(), b.AsInt32()).AsByte();

    /// <summary>punpcklbw.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PUnpckLBw(V a, V b) => Sse2.UnpackLow(a, b).AsByte();

    /// <summary>punpcklwd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PUnpckLWd(V a, V b) => Sse2.UnpackLow(a.AsUInt16(), b.AsUInt16()).AsByte();

    /// <summary>punpckldq, unpcklps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PUnpckLDq(V a, V b) => Sse2.UnpackLow(a.AsUInt32(), b.AsUInt32()).AsByte();

    /// <summary>punpcklqdq, unpcklpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PUnpckLQdq(V a, V b) => Sse2.UnpackLow(a.AsUInt64(), b.AsUInt64()).AsByte();

    /// <summary>punpckhbw.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PUnpckHBw(V a, V b) => Sse2.UnpackHigh(a, b).AsByte();

    /// <summary>punpckhwd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PUnpckHWd(V a, V b) => Sse2.UnpackHigh(a.AsUInt16(), b.AsUInt16()).AsByte();

    /// <summary>punpckhdq, unpckhps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PUnpckHDq(V a, V b) => Sse2.UnpackHigh(a.AsUInt32(), b.AsUInt32()).AsByte();

    /// <summary>punpckhqdq, unpckhpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PUnpckHQdq(V a, V b) => Sse2.UnpackHigh(a.AsUInt64(), b.AsUInt64()).AsByte();

    /// <summary>pshufb.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PShufB(V a, V b) => Ssse3.Shuffle(a, b);

    /// <summary>pshufd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PShufD(V b, byte imm) => Sse2.Shuffle(b.AsInt32(), imm).AsByte();

    /// <summary>pshuflw, and pshufw of MMX.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PShufLw(V b, byte imm) => Sse2.ShuffleLow(b.AsInt16(), imm).AsByte();

    /// <summary>pshufhw.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PShufHw(V b, byte imm) => Sse2.ShuffleHigh(b.AsInt16(), imm).AsByte();

    /// <summary>shufps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ShufPs(V a, V b, byte imm) => Sse.Shuffle(a.AsSingle(), b.AsSingle(), imm).AsByte();

    /// <summary>shufpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ShufPd(V a, V b, byte imm) => Sse2.Shuffle(a.AsDouble(), b.AsDouble(), imm).AsByte();

    /// <summary>palignr.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PAlignR(V a, V b, byte imm) => Ssse3.AlignRight(a, b, imm);

    /// <summary>movsldup.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MovSlDup(V b) => Sse3.MoveLowAndDuplicate(b.AsSingle()).AsByte();

    /// <summary>movshdup.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MovShDup(V b) => Sse3.MoveHighAndDuplicate(b.AsSingle()).AsByte();

    /// <summary>movddup.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V MovDDup(V b) => Sse3.MoveAndDuplicate(b.AsDouble()).AsByte();

    /// <summary>pinsrb.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PInsrB(V a, ulong b, byte imm) => Sse41.Insert(a, (byte)b, (byte)(imm & 15));

    /// <summary>pinsrw.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PInsrW(V a, ulong b, byte imm) => Sse2.Insert(a.AsUInt16(), (ushort)b, (byte)(imm & 7)).AsByte();

    /// <summary>pinsrd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PInsrD(V a, ulong b, byte imm) => Sse41.Insert(a.AsUInt32(), (uint)b, (byte)(imm & 3)).AsByte();

    /// <summary>pinsrq.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PInsrQ(V a, ulong b, byte imm) => Sse41.X64.Insert(a.AsUInt64(), b, (byte)(imm & 1)).AsByte();

    /// <summary>pextrb.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong PExtrB(V b, byte imm) => Sse41.Extract(b, (byte)(imm & 15));

    /// <summary>pextrw.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong PExtrW(V b, byte imm) => Sse2.Extract(b.AsUInt16(), (byte)(imm & 7));

    /// <summary>pextrd, extractps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong PExtrD(V b, byte imm) => Sse41.Extract(b.AsUInt32(), (byte)(imm & 3));

    /// <summary>pextrq.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong PExtrQ(V b, byte imm) => Sse41.X64.Extract(b.AsUInt64(), (byte)(imm & 1));

    /// <summary>insertps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V InsertPs(V a, V b, byte imm) => Sse41.Insert(a.AsSingle(), b.AsSingle(), imm).AsByte();

    /// <summary>blendps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V BlendPs(V a, V b, byte imm) => Sse41.Blend(a.AsSingle(), b.AsSingle(), imm).AsByte();

    /// <summary>blendpd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V BlendPd(V a, V b, byte imm) => Sse41.Blend(a.AsDouble(), b.AsDouble(), imm).AsByte();

    /// <summary>pblendw.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PBlendW(V a, V b, byte imm) => Sse41.Blend(a.AsUInt16(), b.AsUInt16(), imm).AsByte();

    /// <summary>pmovsxbw.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PMovSxBw(V b) => Sse41.ConvertToVector128Int16(b.AsSByte()).AsByte();

    /// <summary>pmovsxbd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PMovSxBd(V b) => Sse41.ConvertToVector128Int32(b.AsSByte()).AsByte();

    /// <summary>pmovsxbq.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PMovSxBq(V b) => Sse41.ConvertToVector128Int64(b.AsSByte()).AsByte();

    /// <summary>pmovsxwd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PMovSxWd(V b) => Sse41.ConvertToVector128Int32(b.AsInt16()).AsByte();

    /// <summary>pmovsxwq.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PMovSxWq(V b) => Sse41.ConvertToVector128Int64(b.AsInt16()).AsByte();

    /// <summary>pmovsxdq.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PMovSxDq(V b) => Sse41.ConvertToVector128Int64(b.AsInt32()).AsByte();

    /// <summary>pmovzxbw.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PMovZxBw(V b) => Sse41.ConvertToVector128Int16(b).AsByte();

    /// <summary>pmovzxbd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PMovZxBd(V b) => Sse41.ConvertToVector128Int32(b).AsByte();

    /// <summary>pmovzxbq.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PMovZxBq(V b) => Sse41.ConvertToVector128Int64(b).AsByte();

    /// <summary>pmovzxwd.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PMovZxWd(V b) => Sse41.ConvertToVector128Int32(b.AsUInt16()).AsByte();

    /// <summary>pmovzxwq.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PMovZxWq(V b) => Sse41.ConvertToVector128Int64(b.AsUInt16()).AsByte();

    /// <summary>pmovzxdq.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PMovZxDq(V b) => Sse41.ConvertToVector128Int64(b.AsUInt32()).AsByte();
}
