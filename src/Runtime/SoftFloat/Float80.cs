using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace DynaTrans.Runtime.SoftFloat;

/// <summary>
/// A double-extended value: explicit 64-bit significand, 15-bit exponent biased by 16383, sign.
/// The arithmetic on it is in <see cref="Float80Math"/> and its neighbours.
/// </summary>
/// <remarks>
/// In memory it takes 16 bytes, of which the first ten are the architectural image. Fast paths copy it field by field
/// (<see cref="Read"/>, <see cref="Write"/>): a 16-byte load just after the stores of the two fields stalls the host.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct Float80(ulong significand, uint signExponent) : IEquatable<Float80>
{
    /// <summary>The explicit integer bit of a significand.</summary>
    public const ulong IntegerBit = 1ul << 63;

    /// <summary>The bit that makes a NaN quiet.</summary>
    public const ulong QuietBit = 1ul << 62;

    /// <summary>Exponent bias.</summary>
    public const int Bias = 16383;

    /// <summary>The exponent of infinities and NaNs.</summary>
    public const uint MaxExponent = 0x7FFF;

    /// <summary>The sign bit within <see cref="SignExponent"/>.</summary>
    public const uint SignBit = 0x8000;

    /// <summary>What an overflow or underflow response that is not masked adds to or takes from the exponent (SDM Vol. 1, 8.5.4, 8.5.5).</summary>
    public const int ExponentWrap = 24576;

    /// <summary>Significand, the integer bit included.</summary>
    public ulong Significand = significand;

    /// <summary>Sign in bit 15, biased exponent in bits 14..0.</summary>
    public ushort SignExponent = (ushort)signExponent;

    /// <summary>The real indefinite QNaN, the masked response to an invalid operation.</summary>
    public static Float80 Indefinite => new(0xC000000000000000, 0xFFFF);

    /// <summary>Loads the two fields.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Float80 Read(Float80* source) => new(source->Significand, source->SignExponent);

    /// <summary>Stores the two fields.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Write(Float80* target, Float80 value)
    {
        target->Significand = value.Significand;
        target->SignExponent = value.SignExponent;
    }

    /// <summary>Biased exponent.</summary>
    public readonly int Exponent => SignExponent & 0x7FFF;

    /// <summary>Sign bit in place: 0 or 0x8000.</summary>
    public readonly uint Sign => SignExponent & SignBit;

    /// <summary>True for a normalised finite number.</summary>
    public readonly bool IsNormal
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (uint)(Exponent - 1) < 0x7FFE && (long)Significand < 0;
    }

    /// <summary>True for a zero of either sign.</summary>
    public readonly bool IsZero => Significand == 0 && Exponent == 0;

    /// <summary>True for a denormal or pseudo-denormal.</summary>
    public readonly bool IsDenormal => Exponent == 0 && Significand != 0;

    /// <summary>True for an infinity.</summary>
    public readonly bool IsInfinity => Exponent == MaxExponent && Significand == IntegerBit;

    /// <summary>True for a quiet or signalling NaN with its integer bit set.</summary>
    public readonly bool IsNaN => Exponent == MaxExponent && Significand > IntegerBit;

    /// <summary>True for a signalling NaN.</summary>
    public readonly bool IsSignalingNaN => IsNaN && (Significand & QuietBit) == 0;

    /// <summary>True for encodings no operation accepts: unnormals, pseudo-infinities, pseudo-NaNs (SDM Vol. 1, 8.2.2).</summary>
    public readonly bool IsUnsupported => Exponent != 0 && (long)Significand >= 0;

    /// <summary>This value with a quieted NaN payload.</summary>
    public readonly Float80 Quieted => new(Significand | QuietBit, SignExponent);

    /// <summary>This value, a pseudo-denormal as the normal number that it equals.</summary>
    internal readonly Float80 WithoutPseudoDenormal =>
        Exponent == 0 && (long)Significand < 0 ? new(Significand, SignExponent | 1u) : this;

    /// <inheritdoc/>
    public readonly bool Equals(Float80 other) => Significand == other.Significand && SignExponent == other.SignExponent;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is Float80 other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() => HashCode.Combine(Significand, SignExponent);

    /// <summary>Bit pattern equality.</summary>
    public static bool operator ==(Float80 left, Float80 right) => left.Equals(right);

    /// <summary>Bit pattern inequality.</summary>
    public static bool operator !=(Float80 left, Float80 right) => !left.Equals(right);

    /// <summary>Sign and exponent, then significand, in hexadecimal.</summary>
    public override readonly string ToString() => $"{SignExponent:X4}:{Significand:X16}";
}
