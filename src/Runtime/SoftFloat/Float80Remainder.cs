using static DynaTrans.Runtime.SoftFloat.X87Bits;

namespace DynaTrans.Runtime.SoftFloat;

/// <summary>FPREM and FPREM1 on <see cref="Float80"/> values.</summary>
public static class Float80Remainder
{
    /// <summary>
    /// One step of the exact remainder. Below 64 bits of difference in magnitude the remainder is complete and the low three bits of
    /// the quotient are in C0, C3, C1; otherwise C2 is set and the dividend has been reduced by 32 to 63 bits.
    /// </summary>
    /// <param name="a">Dividend.</param>
    /// <param name="b">Divisor.</param>
    /// <param name="nearest">True for FPREM1, whose quotient is rounded to nearest; false for FPREM, which truncates.</param>
    /// <param name="control">Control word.</param>
    /// <param name="hasCodes">True when the flags hold all four condition codes; otherwise C0 and C3 keep their values.</param>
    /// <returns>The remainder; flags hold the exceptions and the condition codes.</returns>
    public static Float80Result Remainder(Float80 a, Float80 b, bool nearest, uint control, out bool hasCodes)
    {
        hasCodes = false;
        if (Float80Math.NanOrUnsupported(a, b, out Float80Result special))
            return special;
        if (a.IsInfinity || b.IsZero)
            return Float80Math.Invalid;
        uint flags = a.IsDenormal || b.IsDenormal ? DE : 0;
        if ((flags & ~control) != 0)
            return new(a, flags);
        hasCodes = true;
        // An infinite divisor leaves the dividend as it is: no underflow even for a denormal with UE not masked.
        if (a.IsZero || b.IsInfinity)
            return new(a.WithoutPseudoDenormal, flags);
        int aExponent = Float80Math.Normalise(ref a);
        int bExponent = Float80Math.Normalise(ref b);
        int difference = aExponent - bExponent;
        uint sign = a.Sign;

        if (difference < -1 || (difference < 0 && !nearest))
            return Finish(sign, aExponent, a.Significand, control, flags);

        if (difference >= 64)
        {
            int step = difference & 0x1F | 0x20;
            ulong partial = Reduce(a.Significand, b.Significand, step, out _);
            return Finish(sign, aExponent - step, partial, control, flags | C2);
        }

        if (difference < 0)
        {
            // The dividend is in [1/4, 1) of the divisor: only the rounding of the quotient is left to decide.
            if (a.Significand <= b.Significand)
                return Finish(sign, aExponent, a.Significand, control, flags);
            ulong complement = b.Significand - (a.Significand - b.Significand);
            return Finish(sign ^ Float80.SignBit, aExponent, complement, control, flags | QuotientCodes(1));
        }

        ulong rest = Reduce(a.Significand, b.Significand, difference, out ulong quotient);
        if (nearest)
        {
            ulong other = b.Significand - rest;
            if (rest > other || (rest == other && (quotient & 1) != 0))
            {
                rest = other;
                quotient++;
                sign ^= Float80.SignBit;
            }
        }
        return Finish(sign, bExponent, rest, control, flags | QuotientCodes(quotient));
    }

    /// <summary>(a × 2^shift) mod b and the low 64 bits of the quotient, for normalised significands and a shift of 0 to 63.</summary>
    private static ulong Reduce(ulong a, ulong b, int shift, out ulong quotient)
    {
        ulong leading = 0;
        if (a >= b)
        {
            a -= b;
            leading = 1;
        }
        if (shift == 0)
        {
            quotient = leading;
            return a;
        }
        (quotient, ulong rest) = Float80Math.DivideWide(a >> (64 - shift), a << shift, b);
        quotient += leading << shift;
        return rest;
    }

    private static uint QuotientCodes(ulong quotient) =>
        (uint)((quotient & 4) != 0 ? C0 : 0) | (uint)((quotient & 2) != 0 ? C3 : 0) | (uint)((quotient & 1) != 0 ? C1 : 0);

    /// <summary>Normalises a remainder, which is always exact, and packs it.</summary>
    private static Float80Result Finish(uint sign, int exponent, ulong magnitude, uint control, uint flags)
    {
        if (magnitude == 0)
            return new(0, sign, flags);
        int lead = (int)ulong.LeadingZeroCount(magnitude);
        return Float80Rounding.Round(sign, exponent - lead, magnitude << lead, 0, control | PrecisionExtended).With(flags);
    }
}
