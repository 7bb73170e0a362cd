namespace DynaTrans.Runtime.Segmentation;

/// <summary>An 8-byte segment descriptor (SDM Vol. 3, 3.4.5).</summary>
/// <param name="Bits">Its bytes as a number.</param>
public readonly record struct SegmentDescriptor(ulong Bits)
{
    /// <summary>Data with base 0 and limit 4 GiB at ring 3, as Linux and most systems have it.</summary>
    public static SegmentDescriptor FlatData => new(0x00CFF3000000FFFF);

    /// <summary>The same for 16-bit stack pointers.</summary>
    public static SegmentDescriptor FlatData16 => new(0x008FF3000000FFFF);

    /// <summary>16-bit code with base 0 and limit 4 GiB at ring 3.</summary>
    public static SegmentDescriptor FlatCode16 => new(0x008FFB000000FFFF);

    /// <summary>32-bit code with base 0 and limit 4 GiB at ring 3.</summary>
    public static SegmentDescriptor FlatCode32 => new(0x00CFFB000000FFFF);

    /// <summary>64-bit code at ring 3.</summary>
    public static SegmentDescriptor FlatCode64 => new(0x00AFFB000000FFFF);

    /// <summary>Address of the first byte.</summary>
    public uint Base => (uint)((Bits >> 16 & 0xFFFFFF) | (Bits >> 32 & 0xFF000000));

    /// <summary>The limit field: bytes or, with G, pages.</summary>
    public uint LimitField => (uint)((Bits & 0xFFFF) | (Bits >> 32 & 0xF0000));

    /// <summary>Last valid offset (of an expand-down segment: last invalid one).</summary>
    public uint Limit => (Bits >> 55 & 1) != 0 ? (LimitField << 12) | 0xFFF : LimitField;

    /// <summary>Bits 55:40, as <see cref="State.SegmentRegister.Attributes"/> has them.</summary>
    public ushort Attributes => (ushort)(Bits >> 40);

    /// <summary>The type field.</summary>
    public int Type => (int)(Bits >> 40 & 0xF);

    /// <summary>Privilege level.</summary>
    public int Dpl => (int)(Bits >> 45 & 3);

    /// <summary>P.</summary>
    public bool IsPresent => (Bits >> 47 & 1) != 0;

    /// <summary>A gate, a task or a local table: no code and no data.</summary>
    public bool IsSystem => (Bits >> 44 & 1) == 0;

    /// <summary>Code.</summary>
    public bool IsCode => (Bits >> 43 & 3) == 3;

    /// <summary>Code that keeps the privilege level of its caller.</summary>
    public bool IsConforming => (Bits >> 42 & 7) == 7;

    /// <summary>Data, or code that may be read.</summary>
    public bool IsReadable => !IsSystem && (!IsCode || (Bits >> 41 & 1) != 0);

    /// <summary>Data that may be written.</summary>
    public bool IsWritable => !IsSystem && !IsCode && (Bits >> 41 & 1) != 0;

    /// <summary>L: 64-bit code.</summary>
    public bool IsLong => (Bits >> 53 & 1) != 0;

    /// <summary>D/B: 32-bit code or stack pointers.</summary>
    public bool IsBig => (Bits >> 54 & 1) != 0;

    /// <summary>A: was loaded before.</summary>
    public bool IsAccessed => (Bits >> 40 & 1) != 0;
}
