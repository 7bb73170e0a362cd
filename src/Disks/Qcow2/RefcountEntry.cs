using System.Buffers.Binary;

namespace DynaTrans.Disks.Qcow2;

/// <summary>One entry of a refcount block, of 1 to 64 bits. Those of less than a byte begin with a byte's least significant bits.</summary>
internal static class RefcountEntry
{
    /// <summary>The greatest value of a width, given as a power of two.</summary>
    public static ulong Largest(int order) => order == 6 ? ulong.MaxValue : (1ul << (1 << order)) - 1;

    /// <summary>Reads one.</summary>
    public static ulong Get(ReadOnlySpan<byte> block, int index, int order)
    {
        switch (order)
        {
            case 3:
                return block[index];
            case 4:
                return BinaryPrimitives.ReadUInt16BigEndian(block[(index * 2)..]);
            case 5:
                return BinaryPrimitives.ReadUInt32BigEndian(block[(index * 4)..]);
            case 6:
                return BinaryPrimitives.ReadUInt64BigEndian(block[(index * 8)..]);
            default:
                var bit = index << order;
                return (uint)(block[bit >> 3] >> (bit & 7)) & Largest(order);
        }
    }

    /// <summary>Writes one.</summary>
    /// <returns>The first byte that changed, and how many.</returns>
    public static (int Start, int Count) Set(Span<byte> block, int index, int order, ulong value)
    {
        switch (order)
        {
            case 3:
                block[index] = (byte)value;
                return (index, 1);
            case 4:
                BinaryPrimitives.WriteUInt16BigEndian(block[(index * 2)..], (ushort)value);
                return (index * 2, 2);
            case 5:
                BinaryPrimitives.WriteUInt32BigEndian(block[(index * 4)..], (uint)value);
                return (index * 4, 4);
            case 6:
                BinaryPrimitives.WriteUInt64BigEndian(block[(index * 8)..], value);
                return (index * 8, 8);
            default:
                var bit = index << order;
                var mask = (int)Largest(order) << (bit & 7);
                block[bit >> 3] = (byte)((block[bit >> 3] & ~mask) | ((int)value << (bit & 7)));
                return (bit >> 3, 1);
        }
    }
}
