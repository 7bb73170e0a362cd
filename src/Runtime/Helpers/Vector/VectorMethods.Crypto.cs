using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using DynaTrans.Frontend.Ir;
using V = System.Runtime.Intrinsics.Vector128<byte>;

// Immediates come as parameters: constant in translated code once inlined, variable in the interpreter, where the intrinsics still work.
#pragma warning disable CA1857

namespace DynaTrans.Runtime.Helpers.Vector;

/// <content>AES, carry-less multiplication, and the mask result of the string comparisons.</content>
public static unsafe partial class VectorMethods
{
    internal static void RegisterCrypto()
    {
        Set(VecOp.AesEnc, VecKind.Binary, (delegate*<V, V, V>)&AesEnc);
        Set(VecOp.AesEncLast, VecKind.Binary, (delegate*<V, V, V>)&AesEncLast);
        Set(VecOp.AesDec, VecKind.Binary, (delegate*<V, V, V>)&AesDec);
        Set(VecOp.AesDecLast, VecKind.Binary, (delegate*<V, V, V>)&AesDecLast);
        Set(VecOp.AesImc, VecKind.Unary, (delegate*<V, V>)&AesImc);
        Set(VecOp.AesKeyGenAssist, VecKind.UnaryImm, (delegate*<V, byte, V>)&AesKeyGenAssist);
        Set(VecOp.PClMulQdq, VecKind.BinaryImm, (delegate*<V, V, byte, V>)&PClMulQdq);
        Set(VecOp.PcmpStrMask, VecKind.FromIntImm, (delegate*<V, ulong, byte, V>)&PcmpStrMask);
    }

    /// <summary>aesenc.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AesEnc(V a, V b) => Aes.Encrypt(a, b);

    /// <summary>aesenclast.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AesEncLast(V a, V b) => Aes.EncryptLast(a, b);

    /// <summary>aesdec.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AesDec(V a, V b) => Aes.Decrypt(a, b);

    /// <summary>aesdeclast.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AesDecLast(V a, V b) => Aes.DecryptLast(a, b);

    /// <summary>aesimc.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AesImc(V b) => Aes.InverseMixColumns(b);

    /// <summary>aeskeygenassist.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AesKeyGenAssist(V b, byte imm) => Aes.KeygenAssist(b, imm);

    /// <summary>pclmulqdq.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PClMulQdq(V a, V b, byte imm) => Pclmulqdq.CarrylessMultiply(a.AsUInt64(), b.AsUInt64(), imm).AsByte();

    /// <summary>Result of pcmpestrm and pcmpistrm from IntRes2 in bits 15:0 of b; a is not used.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PcmpStrMask(V a, ulong b, byte imm) => StringCompare.ExpandMask((uint)b, imm);
}
