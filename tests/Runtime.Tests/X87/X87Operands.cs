using DynaTrans.Runtime.Helpers.X87;
using DynaTrans.Runtime.SoftFloat;

namespace DynaTrans.Runtime.Tests.X87;

/// <summary>Random operands that favour the edges: every class of encoding, neighbouring exponents, halfway cases.</summary>
internal sealed class X87Operands(int seed)
{
    private readonly Random random = new(seed);

    /// <summary>A uniformly random integer below the bound.</summary>
    public int Next(int bound) => random.Next(bound);

    /// <summary>64 random bits.</summary>
    public ulong Bits() => (ulong)random.NextInt64(long.MinValue, long.MaxValue);

    /// <summary>A significand with interesting low bits, integer bit set.</summary>
    public ulong Significand()
    {
        ulong value = random.Next(10) switch
        {
            0 => 0,
            1 => ulong.MaxValue,
            2 => Bits() & ulong.MaxValue << random.Next(64),
            3 => Bits() | ulong.MaxValue >> random.Next(64),
            4 => (Bits() & ulong.MaxValue << 40) | 1ul << 39,
            5 => (Bits() & ulong.MaxValue << 11) | 1ul << 10,
            6 => 1ul << random.Next(64),
            7 => ulong.MaxValue << random.Next(64),
            _ => Bits(),
        };
        return value | Float80.IntegerBit;
    }

    /// <summary>Any encoding.</summary>
    public Float80 Extended()
    {
        uint sign = (uint)random.Next(2) << 15;
        switch (random.Next(24))
        {
            case 0:
                return new(0, sign);
            case 14:
                return new(Float80.IntegerBit, sign | (uint)(0x3FFF + random.Next(-70, 70)));
            case 1:
                return new(Significand() >> random.Next(1, 64), sign);
            case 2:
                return new(Significand(), sign);
            case 3:
                return new(Float80.IntegerBit, sign | 0x7FFF);
            case 4:
                return new(Significand() | Float80.QuietBit, sign | 0x7FFF);
            case 5:
                return new((Significand() & ~Float80.QuietBit) | 1ul << random.Next(62), sign | 0x7FFF);
            case 6:
                return new(Bits() & ~Float80.IntegerBit, sign | (uint)random.Next(1, 0x8000));
            case 7:
                return new(Significand(), sign | (uint)random.Next(1, 70));
            case 8:
                return new(Significand(), sign | (uint)random.Next(0x7FFF - 70, 0x7FFF));
            case 9:
                return new(Significand(), sign | (uint)random.Next(1, 0x7FFF));
            case 10:
                return new(Significand(), sign | (uint)(0x3FFF + random.Next(-1100, 1100)));
            case 11:
                return new(Significand(), sign | (uint)(0x3FFF + (random.Next(2) == 0 ? 1022 : -1023) + random.Next(-54, 4)));
            case 12:
                return new(Significand(), sign | (uint)(0x3FFF + (random.Next(2) == 0 ? 127 : -127) + random.Next(-25, 4)));
            case 13:
                return Float80Convert.FromInteger((long)Bits() >> random.Next(64));
            case 15:
                return new(Significand(), sign | (uint)(0x3FFF + random.Next(12, 67)));
            default:
                return new(Significand(), sign | (uint)(0x3FFF + random.Next(-70, 70)));
        }
    }

    /// <summary>A second operand, half of the time close to the first.</summary>
    public Float80 Near(Float80 other)
    {
        if (random.Next(2) == 0)
            return Extended();
        uint exponent = (uint)Math.Clamp(other.Exponent + random.Next(-67, 68), 1, 0x7FFE);
        ulong significand = random.Next(8) == 0 ? 0 : random.Next(4) == 0 ? other.Significand + (ulong)random.Next(-2, 3) : Significand();
        return new(significand | Float80.IntegerBit, (uint)random.Next(2) << 15 | (random.Next(3) == 0 ? (uint)other.Exponent : exponent));
    }

    /// <summary>Bits of a single.</summary>
    public uint Single()
    {
        uint sign = (uint)random.Next(2) << 31;
        uint fraction = (uint)(Significand() >> random.Next(41)) & 0x7FFFFF;
        return sign | fraction | random.Next(8) switch
        {
            0 => 0u,
            1 => 0x7F800000,
            2 => (uint)random.Next(1, 4) << 23,
            3 => (uint)random.Next(252, 255) << 23,
            _ => (uint)random.Next(1, 255) << 23,
        };
    }

    /// <summary>Bits of a double.</summary>
    public ulong Double()
    {
        ulong sign = (ulong)random.Next(2) << 63;
        ulong fraction = (Significand() >> random.Next(12)) & 0xFFFFFFFFFFFFF;
        if (random.Next(8) == 0)
            fraction = 0;
        return sign | fraction | random.Next(8) switch
        {
            0 => 0ul,
            1 => 0x7FFul << 52,
            2 => (ulong)random.Next(1, 4) << 52,
            3 => (ulong)random.Next(2044, 2047) << 52,
            _ => (ulong)random.Next(900, 1150) << 52,
        };
    }
}
