using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Linux.Memory;

/// <summary>The memory of a process: address space, block cache and mappings. Shared by threads and between vfork and execve.</summary>
public sealed partial class ProcessMemory
{
    /// <summary>log2 of the window of an x86-64 guest: what is usual, and the least that a program has room in.</summary>
    public const int UsualWindowBits = 39, LeastWindowBits = 28;

    private int _users = 1;

    /// <summary>Makes an empty address space.</summary>
    /// <param name="is32Bit">True for an i386 guest: 4 GiB.</param>
    /// <param name="translator">Makes host code of hot blocks; null interprets everything. It is disposed with the memory.</param>
    /// <param name="windowBits">log2 of the window of an x86-64 guest.</param>
    /// <exception cref="OutOfMemoryException">The host has no room for it.</exception>
    public ProcessMemory(bool is32Bit, ITranslator? translator, int windowBits = UsualWindowBits)
    {
        Space = new AddressSpace(is32Bit ? 32 : windowBits, is32Bit);
        try
        {
            Cache = new BlockCache(Space, translator);
        }
        catch (OutOfMemoryException)
        {
            Space.Dispose();
            throw;
        }

        MapEnd = is32Bit ? 0xF7FF_E000 : Space.WindowSize - (64UL << 20);
    }

    /// <summary>The address space.</summary>
    public AddressSpace Space { get; }

    /// <summary>The translations of its code.</summary>
    public BlockCache Cache { get; }

    /// <summary>Checked access for system calls.</summary>
    public UserMemory User => new(Space);

    /// <summary>Guest address of the page of <see cref="Signals.SigreturnPage"/>, or 0. Under the lock of <see cref="Space"/>.</summary>
    internal ulong SigreturnPage { get; set; }

    /// <summary>One more process uses this memory.</summary>
    public void AddUser() => Interlocked.Increment(ref _users);

    /// <summary>One process less; the last gives the memory back.</summary>
    public void RemoveUser()
    {
        if (Interlocked.Decrement(ref _users) != 0)
            return;
        Ending?.Invoke(this);
        Meter?.Remove(this);
        lock (Space.Lock)
        {
            foreach (var area in _areas)
            {
                if (area.Committed)
                    Commit?.Give(area.Length);
                area.File?.Release();
            }

            _areas.Clear();
            TotalLength = 0;
        }

        Cache.Dispose();
        Space.Dispose();
    }

    /// <summary>Measures the resident memory, or null.</summary>
    public GuestMemoryMeter? Meter { get; init; }

    /// <summary>Called before the memory is given back.</summary>
    public Action<ProcessMemory>? Ending { get; init; }
}
