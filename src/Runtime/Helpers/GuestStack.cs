using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>
/// Pushes and pops of several values, with the limit checks of modes that have them. When a method gives false an exception or a restart
/// is pending and no register has changed.
/// </summary>
internal static unsafe class GuestStack
{
    /// <summary>Pushes values of <paramref name="size"/> bytes, the first one at the highest address, and lowers the stack pointer.</summary>
    public static bool TryPush(CpuState* s, int size, ReadOnlySpan<ulong> values)
    {
        var top = StackPointer(s);
        if (!TryStore(s, top, size, values))
            return false;
        SetStackPointer(s, top - (ulong)(values.Length * size));
        return true;
    }

    /// <summary>
    /// Stores values below <paramref name="top"/>, the first one at the highest address, in this order; what was stored before a fault
    /// stays, as on the hardware. The stack pointer stays too.
    /// </summary>
    public static bool TryStore(CpuState* s, ulong top, int size, ReadOnlySpan<ulong> values)
    {
        for (var i = 0; i < values.Length; i++)
            if (!TryStore(s, top - (ulong)((i + 1) * size), size, values[i]))
                return false;
        return true;
    }

    /// <summary>Stores one value at an offset in the stack segment.</summary>
    public static bool TryStore(CpuState* s, ulong offset, int size, ulong value)
    {
        offset &= Mask(s);
        return InLimit(s, offset, size) && GuestMemory.TryWrite(s, Linear(s, offset), size, value, AccessIntent.Stack);
    }

    /// <summary>Checks that a value could be stored at an offset in the stack segment.</summary>
    public static bool CheckStore(CpuState* s, ulong offset, int size)
    {
        offset &= Mask(s);
        return InLimit(s, offset, size) && GuestMemory.CheckWrite(s, Linear(s, offset), size, AccessIntent.Stack);
    }

    /// <summary>Reads one value at an offset in the stack segment.</summary>
    public static bool TryLoad(CpuState* s, ulong offset, int size, out ulong value)
    {
        value = 0;
        offset &= Mask(s);
        return InLimit(s, offset, size) && GuestMemory.TryRead(s, Linear(s, offset), size, out value, AccessIntent.Stack);
    }

    /// <summary>The stack pointer at the width of the stack segment.</summary>
    public static ulong StackPointer(CpuState* s) => s->Slots[Slot.Rsp] & Mask(s);

    /// <summary>Writes the stack pointer; a 16-bit one leaves the upper bits.</summary>
    public static void SetStackPointer(CpuState* s, ulong value)
    {
        var mask = Mask(s);
        s->Slots[Slot.Rsp] = mask == 0xFFFF ? (s->Slots[Slot.Rsp] & ~mask) | (value & mask) : value & mask;
    }

    private static ulong Mask(CpuState* s) => CpuAccess.Mode(s).StackBytes() switch { 2 => 0xFFFF, 4 => uint.MaxValue, _ => ulong.MaxValue };

    private static bool InLimit(CpuState* s, ulong offset, int size) =>
        (CpuAccess.Mode(s) & GuestMode.Flat) != 0 || SegmentLimits.Check(s, Slot.SsBase, offset, (ulong)size);

    private static ulong Linear(CpuState* s, ulong offset)
    {
        var mode = CpuAccess.Mode(s);
        if (mode.Is64())
            return offset;
        return (mode & GuestMode.Flat) != 0 ? (uint)offset : (uint)(offset + s->Slots[Slot.SsBase]);
    }
}
