using System.Buffers.Binary;

namespace DynaTrans.Pc.Boot;

/// <summary>
/// The filter that XZ puts before LZMA for x86 code ("BCJ", filter 04h): targets of calls and jumps were made absolute, so that they repeat. Made
/// relative again, over a whole block at once. Which bytes count as an instruction is the packer's guess, followed here step by step.
/// </summary>
internal static class X86CodeFilter
{
    private const int InstructionLength = 5;
    private const byte CallOrJump = 0xE8, AnyOfBoth = 0xFE;

    // Of opcodes seen in the last three bytes (a bit for each): how many bytes back from the top of the operand the byte is that decides about it,
    // and whether there can be an instruction at all.
    private static ReadOnlySpan<byte> DecidingByte => [0, 1, 2, 2, 3, 3, 3, 3];

    private const int PossibleMasks = 0b0001_0111;

    /// <summary>Undoes the filter in place.</summary>
    public static void Undo(Span<byte> code)
    {
        var last = -1L - InstructionLength;
        var mask = 0;
        for (var i = 0; i < code.Length - (InstructionLength - 1); i++)
        {
            if ((code[i] & AnyOfBoth) != CallOrJump)
                continue;
            var distance = i - last;
            last = i;
            mask = distance > 3 ? 0 : (mask << ((int)distance - 1)) & 7;
            if (mask != 0 && ((PossibleMasks >> mask & 1) == 0 || IsSignByte(code[i + 4 - DecidingByte[mask]])))
            {
                mask = (mask << 1) | 1;
                continue;
            }

            if (!IsSignByte(code[i + 4]))
            {
                mask = (mask << 1) | 1;
                continue;
            }

            var operand = code.Slice(i + 1, 4);
            BinaryPrimitives.WriteUInt32LittleEndian(operand, Relative(BinaryPrimitives.ReadUInt32LittleEndian(operand), (uint)i + InstructionLength, mask));

            // The operand is no code; the mask stays as it would with the opcodes before it.
            i += InstructionLength - 1;
        }
    }

    private static uint Relative(uint absolute, uint next, int mask)
    {
        while (true)
        {
            var target = absolute - next;
            if (mask != 0)
            {
                var bits = DecidingByte[mask] * 8;
                if (IsSignByte((byte)(target >> (24 - bits))))
                {
                    absolute = target ^ ((1u << (32 - bits)) - 1);
                    continue;
                }
            }

            // Targets have 25 bits, sign included.
            return (target & 0x01FF_FFFF) | (0u - (target & 0x0100_0000));
        }
    }

    private static bool IsSignByte(byte b) => b is 0 or 0xFF;
}
