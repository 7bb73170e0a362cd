using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>Maps Iced's registers to slots.</summary>
public static class Registers
{
    private static readonly byte[] SlotOf = BuildSlots();

    /// <summary>The slot of a general register of any width.</summary>
    public static ushort Gpr(Register register) => SlotOf[(int)register];

    /// <summary>True for AH, CH, DH, BH.</summary>
    public static bool IsHighByte(Register register) => register is >= Register.AH and <= Register.BH;

    /// <summary>The cell of an XMM register.</summary>
    public static ushort Xmm(Register register) => (ushort)(VSlot.Xmm0 + (register - Register.XMM0));

    /// <summary>The cell of an MMX register.</summary>
    public static ushort Mm(Register register) => (ushort)(VSlot.Mm0 + (register - Register.MM0));

    /// <summary>The slot of a segment register's base.</summary>
    public static ushort SegmentBase(Register register) => (ushort)(Slot.EsBase + (register - Register.ES));

    private static byte[] BuildSlots()
    {
        var table = new byte[256];
        for (var i = 0; i < 16; i++)
        {
            table[(int)Register.AX + i] = (byte)i;
            table[(int)Register.EAX + i] = (byte)i;
            table[(int)Register.RAX + i] = (byte)i;
        }

        for (var i = 0; i < 4; i++)
        {
            table[(int)Register.AL + i] = (byte)i;
            table[(int)Register.AH + i] = (byte)i;
        }

        // In Iced's order the byte registers are AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8L..R15L.
        for (var i = 4; i < 16; i++)
            table[(int)Register.SPL + i - 4] = (byte)i;
        return table;
    }
}
