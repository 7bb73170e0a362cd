using DynaTrans.Runtime.Segmentation;

namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// struct user_desc (asm/ldt.h). Flags from bit 0: seg_32bit, contents (2 bits), read_exec_only, limit_in_pages, seg_not_present, useable, lm.
/// </summary>
internal readonly record struct UserDescriptor(int Entry, uint Base, uint Limit, uint Flags)
{
    private const uint AllFlags = 0xFF, ReadOnlyAndNotPresent = 0x28;

    /// <summary>seg_32bit.</summary>
    public bool Is32Bit => (Flags & 1) != 0;

    /// <summary>Kind of segment: data, data that expands down, code, conforming code.</summary>
    public uint Contents => Flags >> 1 & 3;

    /// <summary>seg_not_present.</summary>
    public bool IsNotPresent => (Flags >> 5 & 1) != 0;

    /// <summary>What empties an entry (LDT_empty).</summary>
    public bool IsEmpty => Base == 0 && Limit == 0 && (Flags & AllFlags) == ReadOnlyAndNotPresent;

    /// <summary>All zero (LDT_zero): empties an entry of set_thread_area.</summary>
    public bool IsZero => Base == 0 && Limit == 0 && (Flags & AllFlags) == 0;

    /// <summary>The descriptor: ring 3, accessed, never 64-bit code.</summary>
    public ulong Encode()
    {
        var type = (Contents << 2) | ((Flags >> 3 & 1 ^ 1) << 1) | 1;
        var attributes = type | 0x10 | 0x60 | ((Flags >> 5 & 1 ^ 1) << 7) | ((Flags >> 6 & 1) << 12) | ((Flags & 1) << 14) | ((Flags >> 4 & 1) << 15);
        return (Limit & 0xFFFF) | ((ulong)(Base & 0xFFFFFF) << 16) | ((ulong)attributes << 40) | ((ulong)(Limit & 0xF0000) << 32)
            | ((ulong)(Base >> 24) << 56);
    }

    /// <summary>What get_thread_area tells about a descriptor.</summary>
    public static UserDescriptor Decode(int entry, ulong bits)
    {
        var descriptor = new SegmentDescriptor(bits);
        var a = (uint)descriptor.Attributes;
        var flags = (a >> 14 & 1) | ((a >> 2 & 3) << 1) | ((a >> 1 & 1 ^ 1) << 3) | ((a >> 15 & 1) << 4) | ((a >> 7 & 1 ^ 1) << 5)
            | ((a >> 12 & 1) << 6) | ((a >> 13 & 1) << 7);
        return new UserDescriptor(entry, descriptor.Base, descriptor.LimitField, flags);
    }
}
