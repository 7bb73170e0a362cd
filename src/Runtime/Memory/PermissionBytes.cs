using System.Numerics;
using System.Runtime.CompilerServices;

namespace DynaTrans.Runtime.Memory;

/// <summary>Questions about many permission bytes at once: a guest may map hundreds of gigabytes of addresses.</summary>
internal static unsafe class PermissionBytes
{
    private const ulong EachByte = 0x0101010101010101;

    /// <summary>How many of the bytes have a flag.</summary>
    public static ulong Count(byte* bytes, ulong count, PagePermission flag)
    {
        ulong total = 0;
        var mask = EachByte * (byte)flag;
        for (; count >= 8; count -= 8, bytes += 8)
            total += (uint)BitOperations.PopCount(Unsafe.ReadUnaligned<ulong>(bytes) & mask);
        for (; count > 0; count--, bytes++)
            total += (*bytes & (byte)flag) != 0 ? 1u : 0;
        return total;
    }

    /// <summary>True when one of the bytes has a flag.</summary>
    public static bool Any(byte* bytes, ulong count, PagePermission flag)
    {
        var mask = EachByte * (byte)flag;
        for (; count >= 8; count -= 8, bytes += 8)
            if ((Unsafe.ReadUnaligned<ulong>(bytes) & mask) != 0)
                return true;
        for (; count > 0; count--, bytes++)
            if ((*bytes & (byte)flag) != 0)
                return true;
        return false;
    }

    /// <summary>Sets bytes; a long run of zeros gives its memory back to the host, and a very long run of anything else costs none.</summary>
    public static void Fill(byte* bytes, ulong count, byte value)
    {
        const ulong Page = AddressSpace.PageSize, Long = 64 * Page, VeryLong = 512 * Page;
        if (value == 0 && count >= Long)
        {
            var start = ((ulong)bytes + Page - 1) & ~(Page - 1);
            var end = ((ulong)bytes + count) & ~(Page - 1);
            HostMemory.MakeZero((byte*)start, (nuint)(end - start));
            Unsafe.InitBlockUnaligned(bytes, 0, (uint)(start - (ulong)bytes));
            Unsafe.InitBlockUnaligned((byte*)end, 0, (uint)((ulong)bytes + count - end));
            return;
        }

        if (count >= VeryLong)
        {
            var before = (0 - (ulong)bytes) & (Page - 1);
            Fill(bytes, before, value);
            bytes += before;
            count -= before;
            var done = (ulong)HostMemory.Fill(bytes, (nuint)(count & ~(Page - 1)), value);
            bytes += done;
            count -= done;
        }

        // (Unsafe.InitBlock is vector code that is compiled when it is first called.)
        var eight = value * 0x0101010101010101UL;
        for (; count >= 32; count -= 32, bytes += 32)
        {
            Unsafe.WriteUnaligned(bytes, eight);
            Unsafe.WriteUnaligned(bytes + 8, eight);
            Unsafe.WriteUnaligned(bytes + 16, eight);
            Unsafe.WriteUnaligned(bytes + 24, eight);
        }

        for (; count > 0; count--)
            *bytes++ = value;
    }
}
