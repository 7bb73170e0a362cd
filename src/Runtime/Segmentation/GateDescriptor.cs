namespace DynaTrans.Runtime.Segmentation;

/// <summary>A gate in a descriptor table or the interrupt descriptor table (SDM Vol. 3, 5.8.3, 6.11, 6.14.1 and 7.2.5).</summary>
/// <param name="Low">Its first 8 bytes.</param>
/// <param name="High">The other 8 of a gate of long mode.</param>
internal readonly record struct GateDescriptor(ulong Low, ulong High = 0)
{
    /// <summary>Type of a 16-bit call gate; with bit 3 set a 32-bit or 64-bit one.</summary>
    public const int Call = 4;

    /// <summary>Type of a task gate.</summary>
    public const int Task = 5;

    /// <summary>Type of a 16-bit interrupt gate; with bit 3 set a 32-bit or 64-bit one.</summary>
    public const int Interrupt = 6;

    /// <summary>Type of a 16-bit trap gate; with bit 3 set a 32-bit or 64-bit one.</summary>
    public const int Trap = 7;

    /// <summary>The bit of <see cref="Type"/> that makes a gate a 32-bit one.</summary>
    public const int Wide = 8;

    /// <summary>Bits 44:40: type and S, which is 0 for a gate.</summary>
    public int Type => (int)(Low >> 40 & 0x1F);

    /// <summary>Privilege level that may use the gate.</summary>
    public int Dpl => (int)(Low >> 45 & 3);

    /// <summary>P.</summary>
    public bool IsPresent => (Low >> 47 & 1) != 0;

    /// <summary>Selector of the code segment or the task.</summary>
    public ushort Selector => (ushort)(Low >> 16);

    /// <summary>Bytes of a stack slot: 2, or 4 for a 32-bit gate.</summary>
    public int Size => (Type & Wide) != 0 ? 4 : 2;

    /// <summary>Offset in the code segment, of a gate that is not of long mode.</summary>
    public uint Offset => (uint)(Low & 0xFFFF) | ((Type & Wide) != 0 ? (uint)(Low >> 32 & 0xFFFF0000) : 0);

    /// <summary>Offset in the code segment of a gate of long mode.</summary>
    public ulong LongOffset => (Low & 0xFFFF) | (Low >> 32 & 0xFFFF0000) | (High << 32);

    /// <summary>Which stack of the interrupt stack table, 1 to 7; 0 for none.</summary>
    public int StackIndex => (int)(Low >> 32 & 7);

    /// <summary>Parameters that a call gate copies.</summary>
    public int ParameterCount => (int)(Low >> 32 & 31);
}
