using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Memory;

/// <summary>The local descriptor table of a process (modify_ldt), which its threads share. It has no memory until it is written.</summary>
public sealed unsafe class LocalDescriptors : IDisposable
{
    // GDT_ENTRY_LDT: what sldt shows once there is a table.
    private const ushort Selector = 0x50;

    private readonly Lock _lock = new();
    private int _generation;

    /// <summary>Makes an empty table.</summary>
    public LocalDescriptors() => Table->Selector = Selector;

    /// <summary>The table, for vCPUs.</summary>
    public DescriptorTable* Table { get; } = DescriptorTable.Allocate(0);

    /// <summary>How often the table was written.</summary>
    public int Generation => Volatile.Read(ref _generation);

    /// <summary>Descriptors in the table: one more than the highest that was written.</summary>
    public int Count => (int)((Volatile.Read(ref Table->Limit) + 1) / sizeof(ulong));

    /// <summary>Writes a descriptor; 0 empties it. The table never gets shorter.</summary>
    public void Write(int entry, ulong descriptor)
    {
        lock (_lock)
        {
            DescriptorTable.Grow(Table, entry + 1);
            Volatile.Write(ref Table->Entries[entry], descriptor);
            Volatile.Write(ref _generation, _generation + 1);
        }
    }

    /// <summary>Copies the table's bytes out, as many as there are and fit.</summary>
    public int Read(Span<byte> to)
    {
        lock (_lock)
        {
            var length = Math.Min(Count * sizeof(ulong), to.Length);
            new ReadOnlySpan<byte>(Table->Entries, length).CopyTo(to);
            return length;
        }
    }

    /// <summary>Copies the table of another process into this one, which is new.</summary>
    public void CopyFrom(LocalDescriptors other)
    {
        lock (other._lock)
        {
            if (other.Count == 0)
                return;
            DescriptorTable.Grow(Table, other.Count);
            new ReadOnlySpan<ulong>(other.Table->Entries, other.Count).CopyTo(new Span<ulong>(Table->Entries, other.Count));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => DescriptorTable.Free(Table);
}
