using DynaTrans.Linux.Loading;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Linux.Memory;

/// <summary>The memory of a process: address space, block cache and mappings. Shared by threads and between vfork and execve.</summary>
public sealed partial class ProcessMemory
{
    /// <summary>log2 of the window of an x86-64 guest: what is usual, and the least that a program has room in.</summary>
    public const int UsualWindowBits = 39, LeastWindowBits = 28;

    private static readonly ulong s_hostMemory = (ulong)GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    private int _users = 1;

    /// <summary>Makes an empty address space.</summary>
    /// <param name="is32Bit">True for an i386 guest: 4 GiB.</param>
    /// <param name="translator">Makes host code of hot blocks; null interprets everything. It is disposed with the memory.</param>
    /// <param name="windowBits">log2 of the window of an x86-64 guest.</param>
    /// <exception cref="OutOfMemoryException">The host has no room for it.</exception>
    public ProcessMemory(bool is32Bit, ITranslator? translator, int windowBits = UsualWindowBits)
    {
        Machine = new Machine(new AddressSpace(is32Bit ? 32 : windowBits, is32Bit) { PagesMissing = BringIn }, translator);
        MapEnd = is32Bit ? 0xF7FF_E000 : Space.WindowSize - (64UL << 20);
        TaskSize = is32Bit ? 0xFFFF_E000UL : 0x7FFF_FFFF_F000;
    }

    /// <summary>Address space and translations, for vCPUs.</summary>
    internal Machine Machine { get; }

    /// <summary>The address space.</summary>
    public AddressSpace Space => Machine.Memory;

    /// <summary>The translations of its code.</summary>
    public BlockCache Cache => Machine.Cache;

    /// <summary>The local descriptor table.</summary>
    public LocalDescriptors LocalDescriptors { get; } = new();

    /// <summary>The program that it was made for.</summary>
    public required GuestProgram Program { get; init; }

    /// <summary>Checked access for system calls.</summary>
    public UserMemory User => new(Space);

    /// <summary>Where mmap's search begins, from above.</summary>
    public ulong MapEnd { get; set; }

    /// <summary>End of the addresses that a program may name (the kernel's TASK_SIZE).</summary>
    public ulong TaskSize { get; }

    /// <summary>End of the addresses that can be mapped: less than <see cref="TaskSize"/> where the host has room for one window only.</summary>
    public ulong End => Space.HasSeveralWindows ? TaskSize : Math.Min(TaskSize, Space.WindowSize);

    /// <summary>
    /// Bytes in memory, about: what is mapped, counted more closely when that is more than the host has.
    /// </summary>
    public ulong ResidentLength
    {
        get
        {
            var mapped = Space.MappedPages * AddressSpace.PageSize;
            return mapped <= s_hostMemory ? mapped : ResidentPages.Of(this) * AddressSpace.PageSize;
        }
    }

    /// <summary>Most bytes that mappings may have together (RLIMIT_AS).</summary>
    public ulong AddressLimit { get; set; } = ulong.MaxValue;

    /// <summary>Most bytes of private writable memory (RLIMIT_DATA).</summary>
    public ulong DataLimit { get; set; } = ulong.MaxValue;

    /// <summary>Most bytes of a stack that grows (RLIMIT_STACK).</summary>
    public ulong StackLimit { get; set; } = ulong.MaxValue;

    /// <summary>Most bytes that may be locked, as of the last call that locked some (RLIMIT_MEMLOCK; no limit with CAP_IPC_LOCK).</summary>
    internal ulong LockLimit { get; set; } = ulong.MaxValue;

    /// <summary>What mlockall asked for mappings to come.</summary>
    public AreaTraits LockFuture { get; set; }

    /// <summary>The bound on memory of all guests, or null.</summary>
    public CommitLimit? Commit { get; init; }

    /// <summary>The files and shared memory that are mapped, those of all processes of a kernel.</summary>
    public MemoryObjects Objects { get; init; } = new();

    /// <summary>Bytes of all mappings together.</summary>
    public ulong TotalLength
    {
        get
        {
            lock (Space.Lock)
                return List.TotalLength;
        }
    }

    /// <summary>Bytes that are locked in memory.</summary>
    public ulong LockedLength
    {
        get
        {
            lock (Space.Lock)
                return List.LengthOf(static area => area.IsLocked);
        }
    }

    /// <summary>Guest address of the page of <see cref="Signals.SigreturnPage"/>, or 0. Under the lock of <see cref="Space"/>.</summary>
    internal ulong SigreturnPage { get; set; }

    /// <summary>The mappings. Under the address space's lock.</summary>
    internal AreaList List { get; } = new();

    /// <summary>A copy of the list of mappings, in address order (/proc/self/maps).</summary>
    public MemoryArea[] Areas()
    {
        lock (Space.Lock)
            return List.ToArray();
    }

    /// <summary>The area that holds an address, or null.</summary>
    public MemoryArea? FindArea(ulong address)
    {
        lock (Space.Lock)
            return List.Find(address);
    }

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
            Commit?.Give(List.LengthOf(static area => area.Committed));
            List.Clear();
        }

        Machine.Dispose();
        LocalDescriptors.Dispose();
    }

    /// <summary>Measures the resident memory, or null.</summary>
    public GuestMemoryMeter? Meter { get; init; }

    /// <summary>Called before the memory is given back.</summary>
    public Action<ProcessMemory>? Ending { get; init; }
}
