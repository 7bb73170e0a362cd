using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Segmentation;

/// <summary>What became of a look into a descriptor table.</summary>
internal enum LookupResult
{
    /// <summary>The descriptor is there.</summary>
    Found,

    /// <summary>The selector is beyond the table's end.</summary>
    Missing,

    /// <summary>The table could not be read: a page fault is pending.</summary>
    Fault,
}

/// <summary>Reads descriptors by selector, from the host's tables or the guest's.</summary>
internal static unsafe class DescriptorLookup
{
    private const int TableIndicator = 4;
    private const int AccessedByte = 5;

    /// <summary>True when any selector names a flat segment.</summary>
    public static bool IsFlat(CpuState* s) => s->Execution.Gdt == DescriptorTable.Flat;

    /// <summary>The descriptor of a selector that is not null.</summary>
    public static LookupResult Find(CpuState* s, ushort selector, out SegmentDescriptor descriptor)
    {
        descriptor = default;
        if (s->Execution.Gdt == null)
            return FindInGuest(s, selector, out descriptor);
        var table = (selector & TableIndicator) != 0 ? s->Execution.Ldt : s->Execution.Gdt;
        if (table == null || (selector | 7u) > Volatile.Read(ref table->Limit))
            return LookupResult.Missing;
        descriptor = new SegmentDescriptor(Volatile.Read(ref table->Entries[selector >> 3]));
        return LookupResult.Found;
    }

    /// <summary>The second half of a descriptor of 16 bytes in the guest's tables, whose first half was found.</summary>
    public static LookupResult FindUpper(CpuState* s, ushort selector, out ulong bits)
    {
        bits = 0;
        if (selector > ushort.MaxValue - 8)
            return LookupResult.Missing;
        var found = FindInGuest(s, (ushort)(selector + 8), out var upper);
        bits = upper.Bits;
        return found;
    }

    /// <summary>Sets the accessed bit of a descriptor that is loaded; false with a fault pending. Those of the host are set always.</summary>
    public static bool MarkAccessed(CpuState* s, ushort selector, SegmentDescriptor descriptor)
    {
        if (s->Execution.Gdt != null || descriptor.IsAccessed)
            return true;
        Place(s, selector, out var linear);
        return SystemMemory.TryWrite(s, linear + AccessedByte, 1, (descriptor.Bits >> 40 & 0xFF) | 1);
    }

    private static LookupResult FindInGuest(CpuState* s, ushort selector, out SegmentDescriptor descriptor)
    {
        descriptor = default;
        if (!Place(s, selector, out var linear))
            return LookupResult.Missing;
        if (!SystemMemory.TryRead(s, linear, sizeof(ulong), out var bits))
            return LookupResult.Fault;
        descriptor = new SegmentDescriptor(bits);
        return LookupResult.Found;
    }

    private static bool Place(CpuState* s, ushort selector, out ulong linear)
    {
        var isLocal = (selector & TableIndicator) != 0;
        var limit = isLocal ? s->Ldtr.Limit : s->Gdtr.Limit;
        linear = (isLocal ? s->LdtBase : s->Gdtr.Base) + (selector & ~7u);
        return (!isLocal || (s->Ldtr.Attributes & SegmentAttributes.Present) != 0) && (selector | 7u) <= limit;
    }
}
