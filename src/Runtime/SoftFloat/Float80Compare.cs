using System.Runtime.CompilerServices;
using static DynaTrans.Runtime.SoftFloat.X87Bits;

namespace DynaTrans.Runtime.SoftFloat;

/// <summary>Comparison and classification of <see cref="Float80"/> values.</summary>
public static class Float80Compare
{
    /// <summary>Condition codes of "greater".</summary>
    public const uint Greater = 0;

    /// <summary>Condition codes of "less".</summary>
    public const uint Less = C0;

    /// <summary>Condition codes of "equal".</summary>
    public const uint Equal = C3;

    /// <summary>Condition codes of "unordered".</summary>
    public const uint Unordered = C3 | C2 | C0;

    /// <summary>Compares two values.</summary>
    /// <param name="a">Left operand.</param>
    /// <param name="b">Right operand.</param>
    /// <param name="quiet">True for the FUCOM family, which raises IE for signalling NaNs only.</param>
    /// <returns>Condition codes C3, C2, C0 and the exceptions raised.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Compare(Float80 a, Float80 b, bool quiet)
    {
        if (!a.IsNormal || !b.IsNormal)
            return CompareSpecial(a, b, quiet);
        return CompareOrdered(a, b);
    }

    /// <summary>FXAM: class in C3, C2, C0 and sign in C1, for a register that is not empty.</summary>
    public static uint Examine(Float80 value)
    {
        uint sign = value.Sign != 0 ? C1 : 0;
        if (value.IsUnsupported)
            return sign;
        if (value.IsZero)
            return sign | C3;
        if (value.Exponent == 0)
            return sign | C3 | C2;
        if (value.IsNaN)
            return sign | C0;
        return value.IsInfinity ? sign | C2 | C0 : sign | C2;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static uint CompareSpecial(Float80 a, Float80 b, bool quiet)
    {
        if (a.IsUnsupported || b.IsUnsupported)
            return Unordered | IE;
        if (a.IsNaN || b.IsNaN)
            return !quiet || a.IsSignalingNaN || b.IsSignalingNaN ? Unordered | IE : Unordered;
        uint flags = a.IsDenormal || b.IsDenormal ? DE : 0;
        if (a.IsZero && b.IsZero)
            return Equal;
        return flags | CompareOrdered(a.WithoutPseudoDenormal, b.WithoutPseudoDenormal);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint CompareOrdered(Float80 a, Float80 b)
    {
        if (((a.SignExponent ^ b.SignExponent) & Float80.SignBit) != 0)
            return a.Sign != 0 ? Less : Greater;
        if (a.Significand == b.Significand && a.SignExponent == b.SignExponent)
            return Equal;
        bool smaller = a.SignExponent == b.SignExponent ? a.Significand < b.Significand : a.SignExponent < b.SignExponent;
        return smaller != (a.Sign != 0) ? Less : Greater;
    }
}
