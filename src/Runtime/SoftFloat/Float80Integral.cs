using static DynaTrans.Runtime.SoftFloat.X87Bits;

namespace DynaTrans.Runtime.SoftFloat;

/// <summary>FRNDINT, FSCALE and FXTRACT on <see cref="Float80"/> values.</summary>
public static class Float80Integral
{
    /// <summary>Rounds to an integral value in the direction of the control word; precision control has no say (SDM Vol. 2, FRNDINT).</summary>
    public static Float80Result RoundToIntegral(Float80 value, uint control)
    {
        if (Float80Math.NanOrUnsupported(value, out Float80Result special))
            return special;
        if (value.IsInfinity || value.IsZero)
            return new(value, 0);
        uint flags = value.IsDenormal ? DE : 0;
        if ((flags & ~control) != 0)
            return new(value, flags);
        int fractionBits = Float80.Bias + 63 - value.Exponent;
        if (fractionBits <= 0)
            return new(value, 0);
        ulong high = value.Significand, low = 0;
        Float80Rounding.ShiftRightSticky(ref high, ref low, fractionBits);
        if (low == 0)
            return new(value, flags);
        flags |= PE;
        bool up = (control & RoundingMask) switch
        {
            RoundNearest => low > Float80.IntegerBit - (high & 1),
            RoundDown => value.Sign != 0,
            RoundUp => value.Sign == 0,
            _ => false,
        };
        if (up)
        {
            high++;
            flags |= C1;
        }
        if (high == 0)
            return new(0, value.Sign, flags);
        int lead = (int)ulong.LeadingZeroCount(high);
        return new(high << lead, value.Sign | (uint)(Float80.Bias + 63 - lead), flags);
    }

    /// <summary>value × 2^trunc(scale).</summary>
    public static Float80Result Scale(Float80 value, Float80 scale, uint control)
    {
        if (Float80Math.NanOrUnsupported(value, scale, out Float80Result special))
            return special;
        if (scale.IsInfinity && (scale.Sign == 0 ? value.IsZero : value.IsInfinity))
            return Float80Math.Invalid;
        uint flags = value.IsDenormal || scale.IsDenormal ? DE : 0;
        if ((flags & ~control) != 0)
            return new(value, flags);
        if (scale.IsInfinity)
            return scale.Sign == 0
                ? new(Float80.IntegerBit, value.Sign | Float80.MaxExponent, flags)
                : new(0, value.Sign, flags);
        // Scaling by zero copies: no underflow even for a denormal with UE not masked.
        if (value.IsZero || value.IsInfinity || scale.IsZero)
            return new(value.WithoutPseudoDenormal, flags);
        int exponent = Float80Math.Normalise(ref value);
        // Beyond 2^16 the outcome does not depend on how far.
        int distance = 0;
        int unbiased = scale.Exponent - Float80.Bias;
        if (unbiased >= 0)
            distance = unbiased > 16 ? 0x20000 : (int)(scale.Significand >> (63 - unbiased));
        exponent += scale.Sign != 0 ? -distance : distance;
        return Float80Rounding.Round(value.Sign, exponent, value.Significand, 0, control | PrecisionExtended).With(flags);
    }

    /// <summary>Splits into an unbiased exponent and a significand in [1, 2).</summary>
    /// <returns>
    /// The exponent as a number, with the flags of the instruction, and the significand with the sign of <paramref name="value"/>.
    /// </returns>
    public static (Float80Result Exponent, Float80 Significand) Extract(Float80 value, uint control)
    {
        if (Float80Math.NanOrUnsupported(value, out Float80Result special))
            return (special, special.Value);
        if (value.IsInfinity)
            return (new(Float80.IntegerBit, Float80.MaxExponent), value);
        if (value.IsZero)
            return (new(Float80.IntegerBit, Float80.SignBit | Float80.MaxExponent, ZE), value);
        uint flags = value.IsDenormal ? DE : 0;
        if ((flags & ~control) != 0)
            return (new(value, flags), value);
        uint sign = value.Sign;
        int exponent = Float80Math.Normalise(ref value) - Float80.Bias;
        return (new(Float80Convert.FromInteger(exponent), flags), new(value.Significand, sign | Float80.Bias));
    }
}
