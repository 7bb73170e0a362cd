using System.Runtime.CompilerServices;
using static DynaTrans.Runtime.SoftFloat.X87Bits;

namespace DynaTrans.Runtime.SoftFloat;

/// <summary>
/// Conversions of <see cref="Float80"/> from and to the memory formats of the x87: single, double, 16-, 32- and 64-bit integers and
/// packed decimals.
/// </summary>
/// <remarks>
/// The "to" conversions return the bit pattern and, in <c>flags</c>, the status bits raised. A pattern must not be stored when the
/// flags contain an unmasked exception other than PE.
/// </remarks>
public static class Float80Convert
{
    private const long DecimalLimit = 999_999_999_999_999_999;

    /// <summary>Widens a single exactly; signalling NaNs stay signalling.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80 FromSingle(uint bits)
    {
        uint exponent = bits >> 23 & 0xFF;
        if (exponent - 1 < 0xFE)
            return new(Float80.IntegerBit | (ulong)(bits & 0x7FFFFF) << 40, (bits >> 16 & Float80.SignBit) + exponent + (16383 - 127));
        return FromSpecial(bits >> 16 & Float80.SignBit, exponent != 0, (ulong)(bits & 0x7FFFFF) << 40, 16383 - 126);
    }

    /// <summary>Widens a double exactly; signalling NaNs stay signalling.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80 FromDouble(ulong bits)
    {
        uint exponent = (uint)(bits >> 52) & 0x7FF;
        if (exponent - 1 < 0x7FE)
            return new(Float80.IntegerBit | bits << 11, ((uint)(bits >> 48) & Float80.SignBit) + exponent + (16383 - 1023));
        return FromSpecial((uint)(bits >> 48) & Float80.SignBit, exponent != 0, bits << 12 >> 1, 16383 - 1022);
    }

    /// <summary>True for a denormal single.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsDenormalSingle(uint bits) => (bits & 0x7F800000) == 0 && (bits & 0x7FFFFF) != 0;

    /// <summary>True for a denormal double.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsDenormalDouble(ulong bits) => (bits & 0x7FF0000000000000) == 0 && (bits & 0xFFFFFFFFFFFFF) != 0;

    /// <summary>Converts a signed integer, always exact.</summary>
    public static Float80 FromInteger(long value)
    {
        if (value == 0)
            return default;
        ulong magnitude = value < 0 ? 0 - (ulong)value : (ulong)value;
        int lead = (int)ulong.LeadingZeroCount(magnitude);
        return new(magnitude << lead, (value < 0 ? Float80.SignBit : 0) | (uint)(Float80.Bias + 63 - lead));
    }

    /// <summary>Rounds to a single.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint ToSingle(Float80 value, uint control, out uint flags)
    {
        int exponent = value.Exponent - (16383 - 127);
        if ((uint)(exponent - 1) < 0xFD && (long)value.Significand < 0)
        {
            // A carry out of the fraction correctly enters the exponent.
            ulong rounded = Float80Rounding.RoundAt(value.Significand, 0, 24, value.Sign, control, out flags);
            if (rounded == 0)
                return value.Sign << 16 | (uint)(exponent + 1) << 23;
            return value.Sign << 16 | (uint)exponent << 23 | (uint)(rounded >> 40) & 0x7FFFFF;
        }
        return (uint)ToNarrowSpecial(value, control, 24, 8, out flags);
    }

    /// <summary>Rounds to a double.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong ToDouble(Float80 value, uint control, out uint flags)
    {
        int exponent = value.Exponent - (16383 - 1023);
        if ((uint)(exponent - 1) < 0x7FD && (long)value.Significand < 0)
        {
            ulong kept = (ulong)value.Sign << 48 | (ulong)(uint)exponent << 52 | value.Significand << 1 >> 12;
            ulong rest = value.Significand & 0x7FF;
            uint inexact = rest != 0 ? 1u : 0u;
            uint up = (control & RoundingMask) switch
            {
                RoundNearest => rest > 0x400 - (kept & 1) ? 1u : 0u,
                RoundDown => value.Sign != 0 ? inexact : 0u,
                RoundUp => value.Sign == 0 ? inexact : 0u,
                _ => 0u,
            };
            // A carry out of the fraction correctly enters the exponent.
            flags = inexact * PE | up * C1;
            return kept + up;
        }
        return ToNarrowSpecial(value, control, 53, 11, out flags);
    }

    /// <summary>Rounds to a signed integer of 16, 32 or 64 bits; out of range gives IE and the integer indefinite.</summary>
    /// <param name="value">The value.</param>
    /// <param name="bits">Width: 16, 32 or 64.</param>
    /// <param name="control">Control word.</param>
    /// <param name="flags">Status bits raised.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long ToInteger(Float80 value, int bits, uint control, out uint flags)
    {
        int shift = Float80.Bias + 63 - value.Exponent;
        ulong magnitude;
        if ((uint)(shift - 1) < 63 && (long)value.Significand < 0)
        {
            magnitude = value.Significand >> shift;
            ulong rest = value.Significand << (64 - shift);
            flags = 0;
            if (rest != 0)
            {
                flags = PE;
                bool up = (control & RoundingMask) switch
                {
                    RoundNearest => rest > Float80.IntegerBit - (magnitude & 1),
                    RoundDown => value.Sign != 0,
                    RoundUp => value.Sign == 0,
                    _ => false,
                };
                if (up)
                {
                    flags = PE | C1;
                    magnitude++;
                }
            }
        }
        else
        {
            if (!ToMagnitudeSpecial(value, control, out magnitude, out flags))
                return long.MinValue >> (64 - bits);
        }
        ulong limit = 1ul << (bits - 1);
        if (magnitude >= limit && (magnitude > limit || value.Sign == 0))
        {
            flags = IE;
            return long.MinValue >> (64 - bits);
        }
        return value.Sign != 0 ? 0 - (long)magnitude : (long)magnitude;
    }

    /// <summary>Truncates to a signed integer (FISTTP).</summary>
    public static long Truncate(Float80 value, int bits, uint control, out uint flags) =>
        ToInteger(value, bits, control | RoundZero, out flags);

    /// <summary>Converts an 18-digit packed decimal (FBLD); digits above nine count what they weigh.</summary>
    /// <param name="digits">The 16 low digits.</param>
    /// <param name="top">Two more digits in the low byte, sign in bit 15.</param>
    public static Float80 FromDecimal(ulong digits, ushort top)
    {
        ulong value = 0;
        for (int shift = 4; shift >= 0; shift -= 4)
            value = value * 10 + ((ulong)top >> shift & 15);
        for (int shift = 60; shift >= 0; shift -= 4)
            value = value * 10 + (digits >> shift & 15);
        uint sign = top & Float80.SignBit;
        if (value == 0)
            return new(0, sign);
        int lead = (int)ulong.LeadingZeroCount(value);
        return new(value << lead, sign | (uint)(Float80.Bias + 63 - lead));
    }

    /// <summary>Rounds to an 18-digit packed decimal (FBSTP); out of range gives IE and the decimal indefinite.</summary>
    public static (ulong Digits, ushort Top) ToDecimal(Float80 value, uint control, out uint flags)
    {
        long integer = ToInteger(value, 64, control, out flags);
        if ((flags & IE) != 0 || integer > DecimalLimit || integer < -DecimalLimit)
        {
            flags = IE;
            return (0xC000000000000000, 0xFFFF);
        }
        ulong rest = (ulong)Math.Abs(integer);
        ulong digits = 0;
        for (int shift = 0; shift < 64; shift += 4)
        {
            digits |= rest % 10 << shift;
            rest /= 10;
        }
        return (digits, (ushort)(value.Sign | rest % 10 | rest / 10 << 4));
    }

    private static Float80 FromSpecial(uint sign, bool maximum, ulong fraction, int denormalExponent)
    {
        if (maximum)
            return new(Float80.IntegerBit | fraction, sign | Float80.MaxExponent);
        if (fraction == 0)
            return new(0, sign);
        int lead = (int)ulong.LeadingZeroCount(fraction);
        return new(fraction << lead, sign | (uint)(denormalExponent - lead));
    }

    /// <summary>Magnitude of a value that is not an ordinary number of 64 bits or less.</summary>
    private static bool ToMagnitudeSpecial(Float80 value, uint control, out ulong magnitude, out uint flags)
    {
        magnitude = 0;
        flags = IE;
        int shift = Float80.Bias + 63 - value.Exponent;
        if (value.IsUnsupported || shift < 0)
            return false;
        flags = 0;
        ulong high = value.Significand, low = 0;
        if (shift == 0)
        {
            magnitude = high;
            return true;
        }
        Float80Rounding.ShiftRightSticky(ref high, ref low, shift);
        if (low != 0)
        {
            flags = PE;
            bool up = (control & RoundingMask) switch
            {
                RoundNearest => low > Float80.IntegerBit - (high & 1),
                RoundDown => value.Sign != 0,
                RoundUp => value.Sign == 0,
                _ => false,
            };
            if (up)
            {
                flags = PE | C1;
                high++;
            }
        }
        magnitude = high;
        return true;
    }

    /// <summary>Everything that is not a normal number well within the range of the narrow format.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ulong ToNarrowSpecial(Float80 value, uint control, int bits, int exponentBits, out uint flags)
    {
        int fractionBits = bits - 1;
        int maximum = (1 << exponentBits) - 1;
        ulong sign = (ulong)(value.Sign >> 15) << (fractionBits + exponentBits);
        ulong infinity = (ulong)maximum << fractionBits;
        flags = 0;
        if (Float80Math.NanOrUnsupported(value, out Float80Result nan))
        {
            flags = nan.Flags;
            sign = (ulong)(uint)(nan.SignExponent >> 15) << (fractionBits + exponentBits);
            return sign | infinity | nan.Significand << 1 >> (64 - fractionBits);
        }
        if (value.IsInfinity)
            return sign | infinity;
        if (value.IsZero)
            return sign;

        int exponent = Float80Math.Normalise(ref value) - Float80.Bias + (maximum >> 1);
        ulong rounded = Float80Rounding.RoundAt(value.Significand, 0, bits, value.Sign, control, out flags);
        int roundedExponent = exponent;
        if (rounded == 0)
        {
            rounded = Float80.IntegerBit;
            roundedExponent++;
        }
        if (roundedExponent >= maximum)
        {
            bool toInfinity = (control & RoundingMask) switch
            {
                RoundNearest => true,
                RoundDown => value.Sign != 0,
                RoundUp => value.Sign == 0,
                _ => false,
            };
            flags = (control & OE) == 0 ? OE : toInfinity ? OE | PE | C1 : OE | PE;
            return toInfinity ? sign | infinity : sign | infinity - 1;
        }
        if (roundedExponent > 0)
            return sign | (ulong)roundedExponent << fractionBits | rounded << 1 >> (64 - fractionBits);
        if ((control & UE) == 0)
        {
            flags = UE;
            return 0;
        }
        ulong high = value.Significand, low = 0;
        Float80Rounding.ShiftRightSticky(ref high, ref low, 1 - exponent);
        high = Float80Rounding.RoundAt(high, low, bits, value.Sign, control, out flags);
        if ((flags & PE) != 0)
            flags |= UE;
        // The integer bit of a number rounded up to the smallest normal one becomes the exponent 1.
        return sign | high >> (64 - bits);
    }
}
