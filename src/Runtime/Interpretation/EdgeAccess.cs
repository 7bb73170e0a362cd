using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>The interpreter's integer accesses that found no fast bit: the last page of a mapping, pages with code, everything that faults.</summary>
internal static unsafe class EdgeAccess
{
    // The last page of a mapping has no fast bit: both ends of the access are tested here.
    private static bool Grants(CpuState* s, ulong ea, int size, PagePermission bit)
    {
        var last = ea + (uint)size - 1;
        return last >> 12 < s->Execution.WindowPages && ea <= last && (s->Execution.Permissions[ea >> 12] & s->Execution.Permissions[last >> 12] & (byte)bit) != 0;
    }

    public static StoreResult Store(CpuState* s, ulong ea, int size, ulong value)
    {
        if (!Grants(s, ea, size, PagePermission.PlainWrite))
            return GuestMemory.StoreSlow(s, ea, size, value);
        var p = s->Execution.MemoryBase + ea;
        switch (size)
        {
            case 1: *p = (byte)value; break;
            case 2: *(ushort*)p = (ushort)value; break;
            case 4: *(uint*)p = (uint)value; break;
            default: *(ulong*)p = value; break;
        }

        return StoreResult.Done;
    }

    public static ulong Load(CpuState* s, ulong ea, int size)
    {
        if (!Grants(s, ea, size, PagePermission.Read))
            return GuestMemory.LoadSlow(s, ea, size);
        var p = s->Execution.MemoryBase + ea;
        return size switch
        {
            1 => *p,
            2 => *(ushort*)p,
            4 => *(uint*)p,
            _ => *(ulong*)p,
        };
    }
}
