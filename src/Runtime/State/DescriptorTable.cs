using System.Runtime.InteropServices;

namespace DynaTrans.Runtime.State;

/// <summary>
/// A descriptor table that the host provides, in unmanaged memory: the GDT of one vCPU or an LDT that the vCPUs of a process share. Where
/// a state has none, the guest's own tables in guest memory count.
/// </summary>
public unsafe struct DescriptorTable
{
    /// <summary>Descriptors that a table can hold.</summary>
    public const int MaxEntries = 8192;

    /// <summary>The descriptors. They may change while vCPUs run, one word at a time.</summary>
    public ulong* Entries;

    /// <summary>Last valid byte offset; below 7 the table is empty.</summary>
    public uint Limit;

    /// <summary>What sldt shows for a local table.</summary>
    public ushort Selector;

    /// <summary>
    /// A table for code without an operating system, which says nothing: every selector can be loaded and names a flat segment that fits.
    /// </summary>
    public static DescriptorTable* Flat { get; } = Allocate(0);

    /// <summary>A table in zeroed memory. <see cref="Free"/> gives it back.</summary>
    public static DescriptorTable* Allocate(int entries)
    {
        var table = (DescriptorTable*)NativeMemory.AllocZeroed((nuint)sizeof(DescriptorTable));
        if (entries > 0)
            Grow(table, entries, entries);
        return table;
    }

    /// <summary>
    /// Makes the table hold <paramref name="entries"/> descriptors. Readers need no lock: the first call decides how much memory there is.
    /// </summary>
    /// <param name="table">The table.</param>
    /// <param name="entries">Descriptors that it is to hold at least.</param>
    /// <param name="capacity">How many it may ever hold.</param>
    public static void Grow(DescriptorTable* table, int entries, int capacity = MaxEntries)
    {
        if (table->Entries == null)
            table->Entries = (ulong*)NativeMemory.AllocZeroed((nuint)capacity, sizeof(ulong));
        Volatile.Write(ref table->Limit, Math.Max(table->Limit, ((uint)entries * sizeof(ulong)) - 1));
    }

    /// <summary>Frees a table. Null is passed over.</summary>
    public static void Free(DescriptorTable* table)
    {
        if (table == null)
            return;
        NativeMemory.Free(table->Entries);
        NativeMemory.Free(table);
    }
}
