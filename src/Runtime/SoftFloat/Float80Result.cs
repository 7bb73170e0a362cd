using System.Runtime.CompilerServices;

namespace DynaTrans.Runtime.SoftFloat;

/// <summary>
/// What an operation on <see cref="Float80"/> gives: the value and the status bits it raises (exceptions and C1), packed in two
/// registers so that returning it costs nothing.
/// </summary>
public readonly struct Float80Result
{
    private readonly ulong tail;

    /// <summary>Makes a result.</summary>
    /// <param name="significand">Significand.</param>
    /// <param name="signExponent">Sign and exponent; bits above 15 must be clear.</param>
    /// <param name="flags">Status word bits raised.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Float80Result(ulong significand, uint signExponent, uint flags = 0)
    {
        Significand = significand;
        tail = signExponent | (ulong)flags << 32;
    }

    /// <summary>Makes a result out of a value.</summary>
    public Float80Result(Float80 value, uint flags)
        : this(value.Significand, value.SignExponent, flags)
    {
    }

    /// <summary>Significand of the result.</summary>
    public readonly ulong Significand;

    /// <summary>Sign and exponent of the result.</summary>
    public ushort SignExponent => (ushort)tail;

    /// <summary>Status word bits raised: exceptions and C1.</summary>
    public uint Flags => (uint)(tail >> 32);

    /// <summary>The value.</summary>
    public Float80 Value => new(Significand, SignExponent);

    /// <summary>The same result with more status bits.</summary>
    public Float80Result With(uint moreFlags) => new(Significand, SignExponent, Flags | moreFlags);
}
