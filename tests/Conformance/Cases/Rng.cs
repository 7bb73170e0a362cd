namespace DynaTrans.Conformance.Cases;

/// <summary>Small deterministic generator (SplitMix64), with the shapes of values that instructions are sensitive to.</summary>
public sealed class Rng(ulong seed)
{
    private ulong _state = seed;

    private static readonly uint[] s_singles =
    [
        0, 0x80000000, 1, 0x80000001, 0x007FFFFF, 0x807FFFFF, 0x00800000, 0x80800000, 0x3F800000, 0xBF800000, 0x3F7FFFFF, 0x3F800001,
        0x40000000, 0x3F000000, 0xBF000000, 0x3FC00000, 0x40200000, 0x4B000000, 0x4B000001, 0x4EFFFFFF, 0x4F000000, 0xCF000000, 0x5F000000,
        0xDF000000, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000, 0x7F800001, 0xFF812345, 0x7FC12345, 0x7FBFFFFF,
    ];

    private static readonly ulong[] s_doubles =
    [
        0, 0x8000000000000000, 1, 0x8000000000000001, 0x000FFFFFFFFFFFFF, 0x0010000000000000, 0x8010000000000000, 0x3FF0000000000000,
        0xBFF0000000000000, 0x3FEFFFFFFFFFFFFF, 0x3FF0000000000001, 0x4000000000000000, 0x3FE0000000000000, 0xBFE0000000000000,
        0x3FF8000000000000, 0x4004000000000000, 0x41DFFFFFFFC00000, 0x41E0000000000000, 0xC1E0000000000000, 0xC1E0000000200000,
        0x43E0000000000000, 0xC3E0000000000000, 0x4330000000000001, 0x36A0000000000000, 0x3690000000000000, 0x3810000000000000,
        0x380FFFFFFFFFFFFF, 0x47EFFFFFE0000000, 0x47EFFFFFF0000000, 0x7FEFFFFFFFFFFFFF, 0xFFEFFFFFFFFFFFFF, 0x7FF0000000000000,
        0xFFF0000000000000, 0x7FF8000000000000, 0xFFF8000000000000, 0x7FF0000000000001, 0xFFF0000012345678, 0x7FF8123456789ABC,
    ];

    private static readonly (ushort, ulong)[] s_extended =
    [
        (0, 0), (0x8000, 0), (0, 1), (0x8000, 0x7FFFFFFFFFFFFFFF), (0, 0x8000000000000000), (1, 0x8000000000000000),
        (0x3FFF, 0x8000000000000000), (0xBFFF, 0x8000000000000000), (0x3FFE, 0xFFFFFFFFFFFFFFFF), (0x3FFF, 0x8000000000000001),
        (0x4000, 0x8000000000000000), (0x3FFE, 0x8000000000000000), (0x3FFF, 0xC000000000000000), (0x4000, 0xC90FDAA22168C235),
        (0x3FFF, 0xC90FDAA22168C235), (0x3FFE, 0xB504F333F9DE6484), (0x403E, 0x8000000000000000), (0x403D, 0xFFFFFFFFFFFFFFFF),
        (0x401E, 0x8000000000000000), (0xC01E, 0x8000000000000000), (0x400E, 0x8000000000000000), (0xC00E, 0x8000000000000000),
        (0x7FFE, 0xFFFFFFFFFFFFFFFF), (0x7FFF, 0x8000000000000000), (0xFFFF, 0x8000000000000000), (0x7FFF, 0xC000000000000000),
        (0xFFFF, 0xC000000000000000), (0x7FFF, 0x8000000000000001), (0xFFFF, 0xA000000000000000), (0x7FFF, 0xC000000012345678),
        (0x7FFF, 0x0000000000000000), (0x7FFF, 0x4000000000000000), (0x3FFF, 0x0000000000000000), (0x3FFF, 0x7FFFFFFFFFFFFFFF),
        (0x43FE, 0xFFFFFFFFFFFFF800), (0x43FF, 0x8000000000000000), (0x3C01, 0x8000000000000000), (0x3BCC, 0x8000000000000000),
        (0x3F81, 0x8000000000000000), (0x3F6A, 0x8000000000000000), (0x407E, 0xFFFFFF0000000000), (0x407F, 0x8000000000000000),
    ];

    /// <summary>64 uniform bits.</summary>
    public ulong Next()
    {
        var z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>Uniform in [0, <paramref name="bound"/>).</summary>
    public int Below(int bound) => (int)((uint)(Next() >> 32) % (uint)bound);

    /// <summary>True once in <paramref name="n"/>.</summary>
    public bool OneIn(int n) => Below(n) == 0;

    /// <summary>Random bytes.</summary>
    public void Fill(Span<byte> bytes)
    {
        var words = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(bytes);
        for (var i = 0; i < words.Length; i++) words[i] = Next();
        for (var i = words.Length * 8; i < bytes.Length; i++) bytes[i] = (byte)Next();
    }

    /// <summary>An integer that is often an edge of some operand size: 0, 1, -1, sign boundaries, powers of two, small numbers.</summary>
    public ulong Integer()
    {
        switch (Below(10))
        {
            case 0: return 0;
            case 1: return ulong.MaxValue;
            case 2: return (1UL << Below(64)) - (ulong)Below(3) + 1;
            case 3: return (ulong)(long)(sbyte)Next();
            case 4: return (ulong)Below(70);
            case 5: return Lanes(8 << Below(3));
            default: return Next();
        }
    }

    /// <summary>A word whose lanes of <paramref name="bits"/> bits are each an edge or random.</summary>
    public ulong Lanes(int bits)
    {
        var mask = bits == 64 ? ulong.MaxValue : (1UL << bits) - 1;
        var value = 0UL;
        for (var shift = 0; shift < 64; shift += bits)
        {
            var lane = Below(8) switch
            {
                0 => 0UL,
                1 => mask,
                2 => mask >> 1,
                3 => (mask >> 1) + 1,
                4 => 1UL,
                _ => Next(),
            };
            value |= (lane & mask) << shift;
        }
        return value;
    }

    /// <summary>A binary32 pattern: edges, near-one magnitudes, anything.</summary>
    public uint Single() => Below(5) switch
    {
        0 or 1 => s_singles[Below(s_singles.Length)],
        2 => (uint)Next() & 0x807FFFFF | (uint)(Below(48) + 0x68) << 23,
        3 => BitConverter.SingleToUInt32Bits(Below(20001) - 10000) ^ (OneIn(4) ? 1u << Below(12) : 0),
        _ => (uint)Next(),
    };

    /// <summary>A binary64 pattern: edges, near-one magnitudes, anything.</summary>
    public ulong Double() => Below(6) switch
    {
        0 or 1 => s_doubles[Below(s_doubles.Length)],
        2 => Next() & 0x800FFFFFFFFFFFFF | (ulong)(Below(100) + 0x3CD) << 52,
        3 => BitConverter.DoubleToUInt64Bits((long)Next() >> Below(63)),
        4 => BitConverter.DoubleToUInt64Bits(BitConverter.UInt32BitsToSingle(Single())) ^ (OneIn(3) ? Next() >> 36 : 0),
        _ => Next(),
    };

    /// <summary>An 80-bit pattern: sign and exponent, significand.</summary>
    public (ushort Exponent, ulong Significand) Extended()
    {
        switch (Below(8))
        {
            case 0 or 1: return s_extended[Below(s_extended.Length)];
            case 2 or 3: return ((ushort)(Next() & 0x8000 | (uint)(0x3FFF - 40 + Below(80))), Next() | 1UL << 63);
            case 4: // an integer, or one plus a half
                var significand = (Next() | 1UL << 63) & ~((1UL << Below(64)) - 1);
                return ((ushort)(Next() & 0x8000 | (uint)(0x3FFF + Below(66))), significand | 1UL << 63);
            case 5: // exact in binary64 or binary32
                return ((ushort)(Next() & 0x8000 | (uint)(0x3FFF - 10 + Below(20))), (Next() & (OneIn(2) ? ~0x7FFUL : ~0xFFFFFFFFFFUL)) | 1UL << 63);
            case 6: return ((ushort)Next(), Next() | 1UL << 63);
            default: return ((ushort)Next(), Next());
        }
    }
}
