using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Privileged;

/// <summary>Who may use I/O ports and change EFLAGS.IF: IOPL, and the permission bitmap of a 32- or 64-bit TSS (SDM Vol. 1, 19.5).</summary>
public static unsafe class IoPermissions
{
    private const int BitmapField = 102, IopLShift = 12;

    /// <summary>True when code may access ports [port, port + size - 1], else the exception is pending.</summary>
    public static bool CheckPorts(CpuState* s, ushort port, int size)
    {
        if (!CpuAccess.Mode(s).IsVirtual8086() && CodeModes.PrivilegeLevel(s) <= Level(s))
            return true;
        ref readonly var task = ref s->System.Tr;

        // Types 9 and B: a TSS of 286 programs has no bitmap.
        if ((task.Attributes & 0x8D) != 0x89 || task.Limit < BitmapField + 1)
            return Refuse(s);
        if (!Read(s, BitmapField, out var bitmap))
            return false;

        // Two bytes are read always, for the bits may lie in two.
        var at = (uint)bitmap + ((uint)port >> 3);
        if (at + 1 > task.Limit)
            return Refuse(s);
        if (!Read(s, at, out var bits))
            return false;
        return (bits >> (port & 7) & ((1UL << size) - 1)) == 0 || Refuse(s);
    }

    /// <summary>True when code may use cli and sti, and pushf and popf in virtual-8086 mode, else #GP(0) is pending.</summary>
    public static bool CheckInterruptFlag(CpuState* s) => CodeModes.PrivilegeLevel(s) <= Level(s) || Refuse(s);

    /// <summary>IOPL.</summary>
    public static int Level(CpuState* s) => (int)(s->Slots[Slot.Eflags] >> IopLShift & 3);

    private static bool Read(CpuState* s, uint offset, out ulong value)
    {
        var linear = s->System.TrBase + offset;
        return GuestMemory.TryRead(s, s->IsLongMode ? linear : (uint)linear, 2, out value, AccessIntent.Supervisor);
    }

    private static bool Refuse(CpuState* s)
    {
        CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
        return false;
    }
}
