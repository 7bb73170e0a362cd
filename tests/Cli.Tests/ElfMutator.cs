using System.Buffers.Binary;

namespace DynaTrans.Cli.Tests;

/// <summary>
/// Makes corrupt ELF files of good ones. Only the headers are changed and the end is cut off: the code makes harmless system calls, which
/// random code would not.
/// </summary>
internal static class ElfMutator
{
    private const int HeaderBytes = 256;
    private const uint PtInterp = 3;

    private static readonly ulong[] EdgeValues =
    [
        0, 1, 2, 0xFF, 0xFFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_F000, 0xFFFF_FFFF, 0x1_0000_0000,
        0x7FFF_FFFF_F000, 0x8000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_F000, ulong.MaxValue,
    ];

    /// <summary>A mutated copy.</summary>
    /// <param name="original">A good file.</param>
    /// <param name="random">The source of all choices.</param>
    /// <param name="what">What was done, for messages.</param>
    public static byte[] Mutate(byte[] original, Random random, out string what)
    {
        var bytes = original.ToArray();
        var done = new List<string>();
        for (var n = random.Next(1, 4); n > 0; n--)
            done.Add(MutateOnce(ref bytes, random));
        what = string.Join(", ", done);
        return bytes;
    }

    private static string MutateOnce(ref byte[] bytes, Random random)
    {
        if (bytes.Length < HeaderBytes)
            return "nothing";
        switch (random.Next(5))
        {
            case 0:
            case 1:
                return SetField(bytes, random);
            case 2:
                return FlipBit(bytes, random);
            case 3:
                return ChangeProgramHeader(bytes, random);
            default:
                bytes = bytes[..random.Next(bytes.Length)];
                return $"cut to {bytes.Length}";
        }
    }

    private static string SetField(byte[] bytes, Random random)
    {
        var size = 1 << random.Next(1, 4);
        var at = random.Next(16, HeaderBytes - 8) & -size;
        var value = EdgeValues[random.Next(EdgeValues.Length)];
        Span<byte> field = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(field, value);
        field[..size].CopyTo(bytes.AsSpan(at));
        return $"{size} bytes at {at} = {value:x}";
    }

    private static string FlipBit(byte[] bytes, Random random)
    {
        var at = random.Next(HeaderBytes);
        bytes[at] ^= (byte)(1 << random.Next(8));
        return $"bit at {at}";
    }

    // Another type of segment: among them PT_INTERP, with whatever is there as the path.
    private static string ChangeProgramHeader(byte[] bytes, Random random)
    {
        var is64 = bytes[4] == 2;
        var at = is64 ? 64 + (56 * random.Next(3)) : 52 + (32 * random.Next(3));
        var type = random.Next(2) == 0 ? PtInterp : (uint)random.Next(8);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), type);
        return $"segment type at {at} = {type}";
    }
}
