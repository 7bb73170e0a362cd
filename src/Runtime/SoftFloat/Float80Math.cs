using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using static DynaTrans.Runtime.SoftFloat.X87Bits;

namespace DynaTrans.Runtime.SoftFloat;

/// <summary>
/// Addition, subtraction, multiplication, division and square root on <see cref="Float80"/>, exact to the bit as an x87 computes them
/// under a given control word. Normal operands are handled first, everything else in the methods whose names end in Special.
/// </summary>
/// <remarks>
/// An exception that the control word leaves unmasked changes the result as the SDM (Vol. 1, 8.5) says: after IE, DE and ZE the
/// value is meaningless and must not be stored, after OE and UE the exponent is wrapped.
/// </remarks>
public static class Float80Math
{
    /// <summary>16 times the root of m + 1/2 for m = 64 to 255.</summary>
    private static ReadOnlySpan<byte> RootTable =>
    [
        128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 142, 143, 144, 144, 145, 146, 147, 148, 149, 150,
        151, 151, 152, 153, 154, 155, 156, 156, 157, 158, 159, 160, 160, 161, 162, 163, 164, 164, 165, 166, 167, 167, 168, 169,
        170, 170, 171, 172, 173, 173, 174, 175, 176, 176, 177, 178, 179, 179, 180, 181, 181, 182, 183, 183, 184, 185, 186, 186,
        187, 188, 188, 189, 190, 190, 191, 192, 192, 193, 194, 194, 195, 196, 196, 197, 198, 198, 199, 200, 200, 201, 201, 202,
        203, 203, 204, 205, 205, 206, 206, 207, 208, 208, 209, 210, 210, 211, 211, 212, 213, 213, 214, 214, 215, 216, 216, 217,
        217, 218, 219, 219, 220, 220, 221, 221, 222, 223, 223, 224, 224, 225, 225, 226, 227, 227, 228, 228, 229, 229, 230, 230,
        231, 232, 232, 233, 233, 234, 234, 235, 235, 236, 237, 237, 238, 238, 239, 239, 240, 240, 241, 241, 242, 242, 243, 243,
        244, 244, 245, 246, 246, 247, 247, 248, 248, 249, 249, 250, 250, 251, 251, 252, 252, 253, 253, 254, 254, 255, 255, 255,
    ];

    /// <summary>a + b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80Result Add(Float80 a, Float80 b, uint control) =>
        a.IsNormal && b.IsNormal
            ? AddNormal(a.Significand, a.SignExponent, b.Significand, b.SignExponent, control)
            : AddSpecial(a, b, 0, control);

    /// <summary>a - b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80Result Subtract(Float80 a, Float80 b, uint control) =>
        a.IsNormal && b.IsNormal
            ? AddNormal(a.Significand, a.SignExponent, b.Significand, b.SignExponent ^ Float80.SignBit, control)
            : AddSpecial(a, b, Float80.SignBit, control);

    /// <summary>a × b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80Result Multiply(Float80 a, Float80 b, uint control) =>
        a.IsNormal && b.IsNormal
            ? MultiplyFinite((uint)(a.SignExponent ^ b.SignExponent) & Float80.SignBit, a.Exponent + b.Exponent, a.Significand,
                b.Significand, control)
            : MultiplySpecial(a, b, control);

    /// <summary>a ÷ b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80Result Divide(Float80 a, Float80 b, uint control) =>
        a.IsNormal && b.IsNormal
            ? DivideFinite((uint)(a.SignExponent ^ b.SignExponent) & Float80.SignBit, a.Exponent - b.Exponent, a.Significand,
                b.Significand, control)
            : DivideSpecial(a, b, control);

    /// <summary>Square root.</summary>
    public static Float80Result SquareRoot(Float80 a, uint control)
    {
        if (a.IsNormal && a.Sign == 0)
            return SquareRootFinite(a.Exponent, a.Significand, control);
        if (NanOrUnsupported(a, out Float80Result special))
            return special;
        if (a.IsZero)
            return new(a, 0);
        if (a.Sign != 0)
            return Invalid;
        if (a.IsInfinity)
            return new(a, 0);
        if ((control & DE) == 0)
            return new(a, DE);
        int exponent = Normalise(ref a);
        return SquareRootFinite(exponent, a.Significand, control).With(DE);
    }

    /// <summary>The masked response to an invalid operation.</summary>
    internal static Float80Result Invalid => new(Float80.Indefinite, IE);

    /// <summary>
    /// Handles operands with which no operation computes: encodings that are not supported, and NaNs (SDM Vol. 1, table 4-7: a quiet NaN
    /// wins over a signalling one, of two of a kind the larger significand, of equal ones the positive).
    /// </summary>
    /// <returns>True when <paramref name="result"/> is the outcome.</returns>
    internal static bool NanOrUnsupported(Float80 a, Float80 b, out Float80Result result)
    {
        if (a.IsUnsupported || b.IsUnsupported)
        {
            result = Invalid;
            return true;
        }
        if (!a.IsNaN && !b.IsNaN)
        {
            result = default;
            return false;
        }
        uint flags = a.IsSignalingNaN || b.IsSignalingNaN ? IE : 0;
        Float80 chosen;
        if (!b.IsNaN)
            chosen = a;
        else if (!a.IsNaN)
            chosen = b;
        else if (a.IsSignalingNaN != b.IsSignalingNaN)
            chosen = a.IsSignalingNaN ? b : a;
        else if (a.Significand != b.Significand)
            chosen = a.Significand > b.Significand ? a : b;
        else
            chosen = a.SignExponent < b.SignExponent ? a : b;
        result = new(chosen.Quieted, flags);
        return true;
    }

    /// <summary>The same for one operand.</summary>
    internal static bool NanOrUnsupported(Float80 a, out Float80Result result)
    {
        if (a.IsUnsupported)
        {
            result = Invalid;
            return true;
        }
        if (a.IsNaN)
        {
            result = new(a.Quieted, a.IsSignalingNaN ? IE : 0);
            return true;
        }
        result = default;
        return false;
    }

    /// <summary>Moves the leading one of a non-zero finite number to bit 63.</summary>
    /// <returns>The biased exponent that goes with it, zero or below for denormals.</returns>
    internal static int Normalise(ref Float80 a)
    {
        if (a.Exponent != 0)
            return a.Exponent;
        int shift = (int)ulong.LeadingZeroCount(a.Significand);
        a.Significand <<= shift;
        return 1 - shift;
    }

    /// <summary>Quotient of a 128-bit by a 64-bit number; <paramref name="high"/> must be below <paramref name="divisor"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static (ulong Quotient, ulong Remainder) DivideWide(ulong high, ulong low, ulong divisor)
    {
        if (X86Base.X64.IsSupported)
        {
#pragma warning disable SYSLIB5004 // DivRem is marked as preview; its meaning is that of the machine instruction.
            return X86Base.X64.DivRem(low, high, divisor);
#pragma warning restore SYSLIB5004
        }
        (UInt128 quotient, UInt128 remainder) = UInt128.DivRem(new UInt128(high, low), divisor);
        return ((ulong)quotient, (ulong)remainder);
    }

    private static Float80Result AddNormal(ulong aSig, uint aSe, ulong bSig, uint bSe, uint control)
    {
        if ((aSe & 0x7FFF) < (bSe & 0x7FFF))
        {
            (aSig, bSig) = (bSig, aSig);
            (aSe, bSe) = (bSe, aSe);
        }
        return AddFinite(aSe & Float80.SignBit, (int)(aSe & 0x7FFF), aSig, bSe & Float80.SignBit, (int)(bSe & 0x7FFF), bSig, control);
    }

    /// <summary>Adds two normalised numbers, the first of which has the greater or the same exponent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float80Result AddFinite(
        uint aSign, int aExponent, ulong aSig, uint bSign, int bExponent, ulong bSig, uint control)
    {
        int shift = aExponent - bExponent;
        ulong high, low;
        if (shift < 64)
        {
            high = bSig >> shift;
            low = bSig << 1 << (63 - shift);
        }
        else
        {
            high = 0;
            low = shift == 64 ? bSig : shift == 65 ? bSig >> 1 | bSig & 1 : 1;
        }

        if (aSign == bSign)
        {
            high += aSig;
            int carry = high < aSig ? 1 : 0;
            low = low >> carry | low & (uint)carry | high << 63 & (ulong)-(long)carry;
            high = high >> carry | (ulong)carry << 63;
            return Float80Rounding.Round(aSign, aExponent + carry, high, low, control);
        }

        // A difference with a far smaller number loses at most one leading bit, so a sticky bit at the bottom of low is enough.
        if (shift == 0 && aSig < high)
        {
            high -= aSig;
            aSign = bSign;
        }
        else
        {
            ulong borrow = low != 0 ? 1u : 0u;
            low = 0 - low;
            high = aSig - high - borrow;
        }
        if (high == 0)
        {
            if (low == 0)
                return new(0, (control & RoundingMask) == RoundDown ? Float80.SignBit : 0);
            high = low;
            low = 0;
            aExponent -= 64;
        }
        int lead = (int)ulong.LeadingZeroCount(high);
        high = high << lead | low >> 1 >> (63 - lead);
        low <<= lead;
        aExponent -= lead;
        return Float80Rounding.Round(aSign, aExponent, high, low, control);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Float80Result AddSpecial(Float80 a, Float80 b, uint flipB, uint control)
    {
        if (NanOrUnsupported(a, b, out Float80Result special))
            return special;
        uint bSign = b.Sign ^ flipB;
        if (a.IsInfinity && b.IsInfinity && a.Sign != bSign)
            return Invalid;
        uint flags = a.IsDenormal || b.IsDenormal ? DE : 0;
        if ((flags & ~control) != 0)
            return new(a, flags);
        if (a.IsInfinity)
            return new(a, flags);
        if (b.IsInfinity)
            return new(b.Significand, Float80.MaxExponent | bSign, flags);
        if (a.IsZero && b.IsZero)
        {
            uint sign = a.Sign == bSign ? bSign : (control & RoundingMask) == RoundDown ? Float80.SignBit : 0;
            return new(0, sign);
        }
        int aExponent = a.IsZero ? 0 : Normalise(ref a);
        int bExponent = b.IsZero ? 0 : Normalise(ref b);
        if (a.IsZero)
            return Float80Rounding.Round(bSign, bExponent, b.Significand, 0, control).With(flags);
        if (b.IsZero)
            return Float80Rounding.Round(a.Sign, aExponent, a.Significand, 0, control).With(flags);
        Float80Result sum = aExponent >= bExponent
            ? AddFinite(a.Sign, aExponent, a.Significand, bSign, bExponent, b.Significand, control)
            : AddFinite(bSign, bExponent, b.Significand, a.Sign, aExponent, a.Significand, control);
        return sum.With(flags);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float80Result MultiplyFinite(uint sign, int exponents, ulong aSig, ulong bSig, uint control)
    {
        ulong high = Math.BigMul(aSig, bSig, out ulong low);
        int lead = (int)(~high >> 63);
        high = high << lead | low >> 1 >> (63 - lead);
        low <<= lead;
        return Float80Rounding.Round(sign, exponents - (Float80.Bias - 1) - lead, high, low, control);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Float80Result MultiplySpecial(Float80 a, Float80 b, uint control)
    {
        if (NanOrUnsupported(a, b, out Float80Result special))
            return special;
        uint sign = a.Sign ^ b.Sign;
        if ((a.IsInfinity && b.IsZero) || (a.IsZero && b.IsInfinity))
            return Invalid;
        uint flags = a.IsDenormal || b.IsDenormal ? DE : 0;
        if ((flags & ~control) != 0)
            return new(a, flags);
        if (a.IsInfinity || b.IsInfinity)
            return new(Float80.IntegerBit, sign | Float80.MaxExponent, flags);
        if (a.IsZero || b.IsZero)
            return new(0, sign, flags);
        int exponents = Normalise(ref a) + Normalise(ref b);
        return MultiplyFinite(sign, exponents, a.Significand, b.Significand, control).With(flags);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float80Result DivideFinite(uint sign, int exponents, ulong aSig, ulong bSig, uint control)
    {
        int shift = aSig >= bSig ? 1 : 0;
        (ulong quotient, ulong remainder) = DivideWide(aSig >> shift, aSig << 63 & (ulong)-(long)shift, bSig);
        // Only where the rest lies relative to one half matters; exactly one half cannot occur.
        ulong low = (remainder > bSig - remainder ? 1ul : 0) << 63 | (remainder != 0 ? 1ul : 0);
        return Float80Rounding.Round(sign, exponents + Float80.Bias - 1 + shift, quotient, low, control);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Float80Result DivideSpecial(Float80 a, Float80 b, uint control)
    {
        if (NanOrUnsupported(a, b, out Float80Result special))
            return special;
        uint sign = a.Sign ^ b.Sign;
        if ((a.IsInfinity && b.IsInfinity) || (a.IsZero && b.IsZero))
            return Invalid;
        if (b.IsZero && !a.IsInfinity)
            return new(Float80.IntegerBit, sign | Float80.MaxExponent, ZE);
        uint flags = a.IsDenormal || b.IsDenormal ? DE : 0;
        if ((flags & ~control) != 0)
            return new(a, flags);
        if (a.IsInfinity)
            return new(Float80.IntegerBit, sign | Float80.MaxExponent, flags);
        if (a.IsZero || b.IsInfinity)
            return new(0, sign, flags);
        int exponents = Normalise(ref a) - Normalise(ref b);
        return DivideFinite(sign, exponents, a.Significand, b.Significand, control).With(flags);
    }

    private static Float80Result SquareRootFinite(int biasedExponent, ulong significand, uint control)
    {
        int exponent = biasedExponent - Float80.Bias;
        // The radicand is scaled into [2^126, 2^128), its root is then the significand.
        bool odd = (exponent & 1) != 0;
        ulong high = odd ? significand : significand >> 1;
        ulong low = odd ? 0 : significand << 63;

        // The table gives 8 good bits, each Newton step doubles them. Integers only: the host's MXCSR belongs to the guest.
        ulong estimate = (ulong)RootTable[(int)(high >> 56) - 64] << 24;
        estimate = (estimate + high / estimate) >> 1;
        estimate = (estimate + high / estimate) >> 1;
        ulong root = estimate > uint.MaxValue ? ulong.MaxValue : estimate << 32;
        if (root <= high)
            root = ulong.MaxValue;
        if (high != ulong.MaxValue)
        {
            ulong quotient = DivideWide(high, low, root).Quotient;
            root = (root >> 1) + (quotient >> 1) + (root & quotient & 1);
        }
        UInt128 radicand = new(high, low);
        UInt128 square = Math.BigMul(root, root);
        while (square > radicand)
        {
            root--;
            square -= ((UInt128)root << 1) + 1;
        }
        UInt128 rest = radicand - square;
        while (rest > (UInt128)root << 1)
        {
            rest -= ((UInt128)root << 1) + 1;
            root++;
        }
        ulong tail = rest == 0 ? 0 : rest > root ? ulong.MaxValue : 1;
        return Float80Rounding.Round(0, (exponent >> 1) + Float80.Bias, root, tail, control);
    }
}
