using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using DynaTrans.Frontend.Ir;
using V = System.Runtime.Intrinsics.Vector128<byte>;

// Immediates come as parameters: constant in translated code once inlined, variable in the interpreter, where the intrinsics still work.
#pragma warning disable CA1857

namespace DynaTrans.Runtime.Helpers.Vector;

/// <content>Packed shifts.</content>
public static unsafe partial class VectorMethods
{
    internal static void RegisterShifts()
    {
        Set(VecOp.PSllW, VecKind.Binary, (delegate*<V, V, V>)&PSllW);
        Set(VecOp.PSllWImm, VecKind.UnaryImm, (delegate*<V, byte, V>)&PSllWImm);
        Set(VecOp.PSllD, VecKind.Binary, (delegate*<V, V, V>)&PSllD);
        Set(VecOp.PSllDImm, VecKind.UnaryImm, (delegate*<V, byte, V>)&PSllDImm);
        Set(VecOp.PSllQ, VecKind.Binary, (delegate*<V, V, V>)&PSllQ);
        Set(VecOp.PSllQImm, VecKind.UnaryImm, (delegate*<V, byte, V>)&PSllQImm);
        Set(VecOp.PSrlW, VecKind.Binary, (delegate*<V, V, V>)&PSrlW);
        Set(VecOp.PSrlWImm, VecKind.UnaryImm, (delegate*<V, byte, V>)&PSrlWImm);
        Set(VecOp.PSrlD, VecKind.Binary, (delegate*<V, V, V>)&PSrlD);
        Set(VecOp.PSrlDImm, VecKind.UnaryImm, (delegate*<V, byte, V>)&PSrlDImm);
        Set(VecOp.PSrlQ, VecKind.Binary, (delegate*<V, V, V>)&PSrlQ);
        Set(VecOp.PSrlQImm, VecKind.UnaryImm, (delegate*<V, byte, V>)&PSrlQImm);
        Set(VecOp.PSraW, VecKind.Binary, (delegate*<V, V, V>)&PSraW);
        Set(VecOp.PSraWImm, VecKind.UnaryImm, (delegate*<V, byte, V>)&PSraWImm);
        Set(VecOp.PSraD, VecKind.Binary, (delegate*<V, V, V>)&PSraD);
        Set(VecOp.PSraDImm, VecKind.UnaryImm, (delegate*<V, byte, V>)&PSraDImm);
        Set(VecOp.PSllDq, VecKind.UnaryImm, (delegate*<V, byte, V>)&PSllDq);
        Set(VecOp.PSrlDq, VecKind.UnaryImm, (delegate*<V, byte, V>)&PSrlDq);
    }

    /// <summary>psllw by the count in bits 63:0 of b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSllW(V a, V b) => Sse2.ShiftLeftLogical(a.AsInt16(), b.AsInt16()).AsByte();

    /// <summary>psllw by a constant.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSllWImm(V b, byte imm) => Sse2.ShiftLeftLogical(b.AsInt16(), imm).AsByte();

    /// <summary>pslld by the count in bits 63:0 of b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSllD(V a, V b) => Sse2.ShiftLeftLogical(a.AsInt32(), b.AsInt32()).AsByte();

    /// <summary>pslld by a constant.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSllDImm(V b, byte imm) => Sse2.ShiftLeftLogical(b.AsInt32(), imm).AsByte();

    /// <summary>psllq by the count in bits 63:0 of b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSllQ(V a, V b) => Sse2.ShiftLeftLogical(a.AsInt64(), b.AsInt64()).AsByte();

    /// <summary>psllq by a constant.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSllQImm(V b, byte imm) => Sse2.ShiftLeftLogical(b.AsInt64(), imm).AsByte();

    /// <summary>psrlw by the count in bits 63:0 of b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSrlW(V a, V b) => Sse2.ShiftRightLogical(a.AsInt16(), b.AsInt16()).AsByte();

    /// <summary>psrlw by a constant.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSrlWImm(V b, byte imm) => Sse2.ShiftRightLogical(b.AsInt16(), imm).AsByte();

    /// <summary>psrld by the count in bits 63:0 of b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSrlD(V a, V b) => Sse2.ShiftRightLogical(a.AsInt32(), b.AsInt32()).AsByte();

    /// <summary>psrld by a constant.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSrlDImm(V b, byte imm) => Sse2.ShiftRightLogical(b.AsInt32(), imm).AsByte();

    /// <summary>psrlq by the count in bits 63:0 of b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSrlQ(V a, V b) => Sse2.ShiftRightLogical(a.AsInt64(), b.AsInt64()).AsByte();

    /// <summary>psrlq by a constant.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSrlQImm(V b, byte imm) => Sse2.ShiftRightLogical(b.AsInt64(), imm).AsByte();

    /// <summary>psraw by the count in bits 63:0 of b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSraW(V a, V b) => Sse2.ShiftRightArithmetic(a.AsInt16(), b.AsInt16()).AsByte();

    /// <summary>psraw by a constant.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSraWImm(V b, byte imm) => Sse2.ShiftRightArithmetic(b.AsInt16(), imm).AsByte();

    /// <summary>psrad by the count in bits 63:0 of b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSraD(V a, V b) => Sse2.ShiftRightArithmetic(a.AsInt32(), b.AsInt32()).AsByte();

    /// <summary>psrad by a constant.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSraDImm(V b, byte imm) => Sse2.ShiftRightArithmetic(b.AsInt32(), imm).AsByte();

    /// <summary>pslldq.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSllDq(V b, byte imm) => Sse2.ShiftLeftLogical128BitLane(b, imm);

    /// <summary>psrldq.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PSrlDq(V b, byte imm) => Sse2.ShiftRightLogical128BitLane(b, imm);
}
