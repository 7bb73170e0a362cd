using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using DynaTrans.Runtime.Host;
using V = System.Runtime.Intrinsics.Vector128<byte>;

namespace DynaTrans.Runtime.Helpers.Vector;

/// <summary>
/// Packed addition and multiplication whose first operand is surely the first: of two NaNs it wins (SDM Vol. 1, 4.8.3.5). .NET takes both
/// for commutative, and a compiler that makes code without VEX encodings swaps their operands when the second is in the register of the
/// result; whatever is compiled ahead of time is such code. So they are machine code of our own where a compiler does not surely encode three
/// operands: in the interpreter, and in translated code on hosts without AVX.
/// </summary>
internal static unsafe class PackedArithmetic
{
    private const int Stride = 16;

    // Each: movups xmm0, [rsi]; movups xmm1, [rdx]; OP xmm0, xmm1; movups [rdi], xmm0; ret.
    private static readonly nint Code = NativeCode.Publish(
        "guest vector code",
        [
            0x0F, 0x10, 0x06, 0x0F, 0x10, 0x0A, 0x0F, 0x58, 0xC1, 0x0F, 0x11, 0x07, 0xC3, 0xCC, 0xCC, 0xCC, // addps
            0x0F, 0x10, 0x06, 0x0F, 0x10, 0x0A, 0x0F, 0x59, 0xC1, 0x0F, 0x11, 0x07, 0xC3, 0xCC, 0xCC, 0xCC, // mulps
            0x0F, 0x10, 0x06, 0x0F, 0x10, 0x0A, 0x66, 0x0F, 0x58, 0xC1, 0x0F, 0x11, 0x07, 0xC3, 0xCC, 0xCC, // addpd
            0x0F, 0x10, 0x06, 0x0F, 0x10, 0x0A, 0x66, 0x0F, 0x59, 0xC1, 0x0F, 0x11, 0x07, 0xC3, 0xCC, 0xCC, // mulpd
        ]);

    /// <summary>True when RyuJIT encodes three operands here, and so never swaps two to save a move.</summary>
    public static bool IsExactInTranslatedCode { get; } = Avx.IsSupported;

    /// <summary>addps: *target = *a + *b.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void AddPs(V* target, V* a, V* b) => Call(0, target, a, b);

    /// <summary>mulps: *target = *a * *b.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void MulPs(V* target, V* a, V* b) => Call(1, target, a, b);

    /// <summary>addpd: *target = *a + *b.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void AddPd(V* target, V* a, V* b) => Call(2, target, a, b);

    /// <summary>mulpd: *target = *a * *b.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void MulPd(V* target, V* a, V* b) => Call(3, target, a, b);

    /// <summary>addps of values.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static V AddPs(V a, V b)
    {
        AddPs(&a, &a, &b);
        return a;
    }

    /// <summary>mulps of values.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static V MulPs(V a, V b)
    {
        MulPs(&a, &a, &b);
        return a;
    }

    /// <summary>addpd of values.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static V AddPd(V a, V b)
    {
        AddPd(&a, &a, &b);
        return a;
    }

    /// <summary>mulpd of values.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static V MulPd(V a, V b)
    {
        MulPd(&a, &a, &b);
        return a;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Call(int index, V* target, V* a, V* b) =>
        ((delegate* unmanaged[SuppressGCTransition]<V*, V*, V*, void>)(Code + (index * Stride)))(target, a, b);
}
