using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>
/// The interpreter's accesses that found no fast bit: the last page of a mapping, pages with code, windows beyond the main one, everything
/// that faults.
/// </summary>
internal static unsafe class EdgeAccess
{
    /// <summary>
    /// Where in the host an access may be made: both its ends are tested, for the last page of a mapping has no fast bit. Null: the slow path
    /// decides. The window is noted with the op, for translations to come.
    /// </summary>
    public static byte* Find(CpuState* s, Block* block, IrOp* op, ulong ea, int size, PagePermission bit)
    {
        var last = ea + (uint)size - 1;
        if (last < ea)
            return null;
        if (last >> 12 < s->Execution.WindowPages)
            return (s->Execution.Permissions[ea >> 12] & s->Execution.Permissions[last >> 12] & (byte)bit) != 0 ? s->Execution.MemoryBase + ea : null;
        var index = ea >> AddressSpace.WindowSpanBits;
        if (s->Execution.Windows == 0 || index is 0 or >= AddressSpace.WindowCount / 2)
            return null;
        Block.NoteWindow(block, op, (int)index);

        // The permissions of a window go on behind its end, all zero. Its host address is there before they are.
        var window = (WindowEntry*)s->Execution.Windows + index;
        var permissions = (byte*)Volatile.Read(ref window->Permissions);
        return (permissions[ea >> 12] & permissions[last >> 12] & (byte)bit) != 0 ? (byte*)(window->Host + (nint)ea) : null;
    }

    public static StoreResult Store(CpuState* s, Block* block, IrOp* op, ulong ea, ulong value)
    {
        var p = Find(s, block, op, ea, op->Size, PagePermission.PlainWrite);
        if (p == null)
            return GuestMemory.StoreSlow(s, ea, op->Size, value);
        switch (op->Size)
        {
            case 1: *p = (byte)value; break;
            case 2: *(ushort*)p = (ushort)value; break;
            case 4: *(uint*)p = (uint)value; break;
            default: *(ulong*)p = value; break;
        }

        return StoreResult.Done;
    }

    public static ulong Load(CpuState* s, Block* block, IrOp* op, ulong ea)
    {
        var p = Find(s, block, op, ea, op->Size, PagePermission.Read);
        if (p == null)
            return GuestMemory.LoadSlow(s, ea, op->Size);
        return op->Size switch
        {
            1 => *p,
            2 => *(ushort*)p,
            4 => *(uint*)p,
            _ => *(ulong*)p,
        };
    }
}
