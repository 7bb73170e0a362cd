using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Segmentation;

/// <summary>What lar, lsl, verr and verw say about a selector. Whether the segment is present does not matter to them.</summary>
public static unsafe class SegmentQueries
{
    // System descriptors by type. lar: tasks, local tables, call and task gates; lsl: those with a limit. Long mode has fewer.
    private const int WithRights = 0b0001_1010_0011_1110, WithLimit = 0b0000_1010_0000_1110;
    private const int WithRightsLong = 0b0001_1010_0000_0100, WithLimitLong = 0b0000_1010_0000_0100;

    private const ulong Accessible = 1UL << 32;

    /// <summary>lar: rights, and bit 32 when the selector is accessible.</summary>
    public static ulong Rights(CpuState* s, ushort selector) =>
        TryFind(s, selector, s->IsLongMode ? WithRightsLong : WithRights, out var descriptor)
            ? Accessible | (descriptor.Bits >> 32 & 0x00FFFF00)
            : 0;

    /// <summary>lsl: limit, and bit 32 when the selector is accessible.</summary>
    public static ulong Limit(CpuState* s, ushort selector) =>
        TryFind(s, selector, s->IsLongMode ? WithLimitLong : WithLimit, out var descriptor) ? Accessible | descriptor.Limit : 0;

    /// <summary>verr and verw: 1 when code of this level may read or write in the segment.</summary>
    public static ulong Allows(CpuState* s, ushort selector, bool write) =>
        TryFind(s, selector, 0, out var descriptor) && (write ? descriptor.IsWritable : descriptor.IsReadable) ? 1UL : 0;

    private static bool TryFind(CpuState* s, ushort selector, int systemTypes, out SegmentDescriptor descriptor)
    {
        descriptor = SegmentDescriptor.FlatData;
        if (DescriptorLookup.IsFlat(s))
            return selector >> 3 != 0 && (selector & 4) == 0;
        if (SegmentLoads.IsNull(selector) || DescriptorLookup.Find(s, selector, out descriptor) != LookupResult.Found)
            return false;
        if (descriptor.IsSystem ? (systemTypes >> descriptor.Type & 1) == 0 : descriptor.IsConforming)
            return !descriptor.IsSystem;
        return Math.Max(selector & 3, CodeModes.PrivilegeLevel(s)) <= descriptor.Dpl;
    }
}
