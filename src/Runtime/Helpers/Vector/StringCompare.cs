using System.Numerics;
using System.Runtime.Intrinsics;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using V = System.Runtime.Intrinsics.Vector128<byte>;

namespace DynaTrans.Runtime.Helpers.Vector;

/// <summary>
/// pcmpestri, pcmpestrm, pcmpistri and pcmpistrm, for which .NET has no intrinsics: the pseudo-code of SDM Vol. 2, 4.1. Elements are
/// handled as bit masks, bit i for element i.
/// </summary>
internal static unsafe class StringCompare
{
    // Argument a of the helper: immediate in bits 7:0, cell of operand 1 in 15:8, cell of operand 2 in 23:16, then these.
    private const uint InMemory = 1 << 24;
    private const uint HasExplicitLengths = 1 << 25;
    private const uint Has64BitLengths = 1 << 26;

    public static void RegisterHelpers() => HelperTable.Add(
        HelperId.PcmpStr, &PcmpStr, typeof(StringCompare), nameof(PcmpStr), HelperEffects.ReadsState | HelperEffects.Vectors | HelperEffects.MayFault);

    /// <summary>
    /// The helper: <paramref name="a"/> as above, <paramref name="b"/> the linear address of operand 2 when it is in
    /// memory and <paramref name="c"/> its <see cref="AccessIntent"/>. Gives IntRes2
    /// in bits 15:0, the index in 20:16, and the status flags in 63:32.
    /// </summary>
    internal static ulong PcmpStr(CpuState* s, ulong a, ulong b, ulong c)
    {
        var imm = (uint)a & 0xFF;
        var first = *CpuAccess.Vector(s, (int)(a >> 8) & 0xFF);
        V second;
        if ((a & InMemory) == 0)
            second = *CpuAccess.Vector(s, (int)(a >> 16) & 0xFF);
        else if (!GuestMemory.TryRead(s, b, (byte*)&second, sizeof(V), (AccessIntent)c))
            return 0;

        var isWords = (imm & 1) != 0;
        var count = isWords ? 8 : 16;
        int firstLength, secondLength;
        if ((a & HasExplicitLengths) != 0)
        {
            var wide = (a & Has64BitLengths) != 0;
            firstLength = ExplicitLength(s->Slots[Slot.Rax], wide, count);
            secondLength = ExplicitLength(s->Slots[Slot.Rdx], wide, count);
        }
        else
        {
            firstLength = ImplicitLength(first, isWords);
            secondLength = ImplicitLength(second, isWords);
        }

        return Compare(first, second, firstLength, secondLength, imm);
    }

    /// <summary>The mask result: IntRes2 as bits, or expanded to elements when bit 6 of the immediate is set.</summary>
    internal static V ExpandMask(uint result, byte imm)
    {
        if ((imm & 0x40) == 0)
            return Vector128.CreateScalar(result & 0xFFFF).AsByte();
        V mask = default;
        for (var i = 0; i < 16; i++)
        {
            var element = (imm & 1) != 0 ? i >> 1 : i;
            ((byte*)&mask)[i] = (byte)-(int)(result >> element & 1);
        }

        return mask;
    }

    // The absolute value, saturated to the number of elements.
    private static int ExplicitLength(ulong value, bool wide, int count)
    {
        var length = wide ? (long)value : (int)value;
        return length <= -count || length >= count ? count : (int)Math.Abs(length);
    }

    private static int ImplicitLength(V v, bool isWords)
    {
        var zeros = isWords
            ? Vector128.Equals(v.AsUInt16(), Vector128<ushort>.Zero).ExtractMostSignificantBits()
            : Vector128.Equals(v, V.Zero).ExtractMostSignificantBits();
        return zeros == 0 ? isWords ? 8 : 16 : BitOperations.TrailingZeroCount(zeros);
    }

    private static ulong Compare(V first, V second, int firstLength, int secondLength, uint imm)
    {
        var count = (imm & 1) != 0 ? 8 : 16;
        var all = (1u << count) - 1;
        var secondValid = (1u << secondLength) - 1;
        var result = (imm >> 2 & 3) switch
        {
            0 => EqualAny(first, second, firstLength, imm) & secondValid,
            1 => Ranges(first, second, firstLength, imm) & secondValid,
            2 => EqualEach(first, second, (1u << firstLength) - 1, secondValid, imm) & all,
            _ => EqualOrdered(first, second, firstLength, secondValid, count, imm) & all,
        };
        if ((imm & 0x10) != 0)
            result ^= (imm & 0x20) != 0 ? secondValid : all;

        var index = result == 0 ? count : (imm & 0x40) != 0 ? BitOperations.Log2(result) : BitOperations.TrailingZeroCount(result);
        var flags = (result != 0 ? Eflags.CF : 0) | (secondLength < count ? Eflags.ZF : 0) | (firstLength < count ? Eflags.SF : 0)
            | ((result & 1) != 0 ? Eflags.OF : 0);
        return result | ((ulong)index << 16) | ((ulong)flags << 32);
    }

    private static int Element(V v, int i, uint imm) => (imm & 3) switch
    {
        0 => v.GetElement(i),
        1 => v.AsUInt16().GetElement(i),
        2 => v.AsSByte().GetElement(i),
        _ => v.AsInt16().GetElement(i),
    };

    private static uint EqualTo(V v, int value, uint imm) => (imm & 1) != 0
        ? Vector128.Equals(v.AsUInt16(), Vector128.Create((ushort)value)).ExtractMostSignificantBits()
        : Vector128.Equals(v, Vector128.Create((byte)value)).ExtractMostSignificantBits();

    private static uint EqualAny(V first, V second, int firstLength, uint imm)
    {
        uint result = 0;
        for (var i = 0; i < firstLength; i++)
            result |= EqualTo(second, Element(first, i, imm), imm);
        return result;
    }

    // Pairs (low, high) of operand 1; a pair with an invalid half matches nothing.
    private static uint Ranges(V first, V second, int firstLength, uint imm)
    {
        uint result = 0;
        var count = (imm & 1) != 0 ? 8 : 16;
        for (var j = 0; j < count; j++)
        {
            var value = Element(second, j, imm);
            for (var i = 0; i + 1 < firstLength; i += 2)
                if (value >= Element(first, i, imm) && value <= Element(first, i + 1, imm))
                    result |= 1u << j;
        }

        return result;
    }

    // Two valid elements compare; two invalid ones are equal, one is not.
    private static uint EqualEach(V first, V second, uint firstValid, uint secondValid, uint imm)
    {
        var equal = (imm & 1) != 0
            ? Vector128.Equals(first.AsUInt16(), second.AsUInt16()).ExtractMostSignificantBits()
            : Vector128.Equals(first, second).ExtractMostSignificantBits();
        return (equal & firstValid & secondValid) | ~(firstValid | secondValid);
    }

    // Bit j: operand 1 is a prefix of operand 2 from element j on, or runs out at the register's end.
    private static uint EqualOrdered(V first, V second, int firstLength, uint secondValid, int count, uint imm)
    {
        var result = uint.MaxValue;
        for (var k = 0; k < firstLength; k++)
        {
            var equal = EqualTo(second, Element(first, k, imm), imm) & secondValid;
            result &= (equal >> k) | ~((1u << (count - k)) - 1);
        }

        return result;
    }
}
