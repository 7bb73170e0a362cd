using System.Runtime.CompilerServices;
using static DynaTrans.Runtime.SoftFloat.X87Bits;

namespace DynaTrans.Runtime.SoftFloat;

/// <summary>Rounding, overflow and underflow of results that go to an x87 register (SDM Vol. 1, 4.8.4, 8.1.5, 8.5.4-8.5.6).</summary>
internal static class Float80Rounding
{
    private const ulong Half = 1ul << 63;

    /// <summary>
    /// Rounds a normalised 128-bit significand to the precision and in the direction that the control word asks for.
    /// </summary>
    /// <param name="sign">0 or 0x8000.</param>
    /// <param name="exponent">Biased exponent of the value with the integer bit at bit 63 of <paramref name="high"/>; any range.</param>
    /// <param name="high">Upper significand, bit 63 set.</param>
    /// <param name="low">Lower significand; the lowest bit may be sticky.</param>
    /// <param name="control">Control word.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Float80Result Round(uint sign, int exponent, ulong high, ulong low, uint control)
    {
        if ((control & (RoundingMask | PrecisionMask)) == PrecisionExtended && (uint)(exponent - 1) < 0x7FFD)
        {
            // Without branches: which way a result rounds cannot be predicted.
            uint up = low > Half - (high & 1) ? 1u : 0u;
            uint inexact = low != 0 ? 1u : 0u;
            high += up;
            if (high == 0)
            {
                high = Float80.IntegerBit;
                exponent++;
            }
            return new(high, sign | (uint)exponent, inexact * PE | up * C1);
        }
        return RoundSlow(sign, exponent, high, low, control);
    }

    /// <summary>Number of significand bits that the precision control asks for.</summary>
    internal static int PrecisionBits(uint control) => (control & PrecisionMask) switch
    {
        0x000 => 24,
        0x200 => 53,
        _ => 64,
    };

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Float80Result RoundSlow(uint sign, int exponent, ulong high, ulong low, uint control)
    {
        int bits = PrecisionBits(control);
        ulong rounded = RoundAt(high, low, bits, sign, control, out uint flags);
        int roundedExponent = exponent;
        if (rounded == 0)
        {
            rounded = Float80.IntegerBit;
            roundedExponent++;
        }

        if (roundedExponent >= Float80.MaxExponent)
            return Overflow(sign, roundedExponent, rounded, flags, bits, control);
        if (roundedExponent > 0)
            return new(rounded, sign | (uint)roundedExponent, flags);
        if ((control & UE) == 0)
            return UnderflowUnmasked(sign, roundedExponent, rounded, flags);

        ShiftRightSticky(ref high, ref low, 1 - exponent);
        high = RoundAt(high, low, bits, sign, control, out flags);
        if ((flags & PE) != 0)
            flags |= UE;
        return new(high, sign | (uint)(high >> 63), flags);
    }

    /// <summary>Rounds at the given number of bits from the top; returns 0 when the carry leaves the top.</summary>
    /// <param name="high">Upper significand.</param>
    /// <param name="low">Lower significand, sticky.</param>
    /// <param name="bits">Bits to keep, 1 to 64.</param>
    /// <param name="sign">0 or 0x8000.</param>
    /// <param name="control">Control word, for the direction.</param>
    /// <param name="flags">PE when inexact, with C1 when rounded away from zero.</param>
    internal static ulong RoundAt(ulong high, ulong low, int bits, uint sign, uint control, out uint flags)
    {
        if (bits < 64)
        {
            low = high << bits | (low != 0 ? 1u : 0u);
            high >>= 64 - bits;
        }
        flags = 0;
        if (low != 0)
        {
            flags = PE;
            bool up = (control & RoundingMask) switch
            {
                RoundNearest => low > Half - (high & 1),
                RoundDown => sign != 0,
                RoundUp => sign == 0,
                _ => false,
            };
            if (up)
            {
                flags = PE | C1;
                high++;
            }
        }
        return high << (64 - bits);
    }

    /// <summary>Shifts a 128-bit significand right and keeps what is lost as a sticky lowest bit.</summary>
    internal static void ShiftRightSticky(ref ulong high, ref ulong low, int count)
    {
        if (count == 0)
            return;
        if (count < 64)
        {
            ulong lost = low << (64 - count);
            low = high << (64 - count) | low >> count | (lost != 0 ? 1u : 0u);
            high >>= count;
        }
        else if (count < 128)
        {
            ulong lost = low | (count == 64 ? 0 : high << (128 - count));
            low = high >> (count - 64) | (lost != 0 ? 1u : 0u);
            high = 0;
        }
        else
        {
            low = (high | low) != 0 ? 1u : 0u;
            high = 0;
        }
    }

    private static Float80Result Overflow(uint sign, int exponent, ulong rounded, uint flags, int bits, uint control)
    {
        if ((control & OE) == 0)
        {
            // FSCALE can exceed even the wrapped range.
            exponent -= Float80.ExponentWrap;
            return exponent >= Float80.MaxExponent
                ? new(Float80.IntegerBit, sign | Float80.MaxExponent, OE | PE | C1)
                : new(rounded, sign | (uint)exponent, OE | flags);
        }
        bool toInfinity = (control & RoundingMask) switch
        {
            RoundNearest => true,
            RoundDown => sign != 0,
            RoundUp => sign == 0,
            _ => false,
        };
        return toInfinity
            ? new(Float80.IntegerBit, sign | Float80.MaxExponent, OE | PE | C1)
            : new(ulong.MaxValue << (64 - bits), sign | (Float80.MaxExponent - 1), OE | PE);
    }

    private static Float80Result UnderflowUnmasked(uint sign, int exponent, ulong rounded, uint flags)
    {
        exponent += Float80.ExponentWrap;
        return exponent <= 0
            ? new(0, sign, UE | PE)
            : new(rounded, sign | (uint)exponent, UE | flags);
    }
}
