using System.Collections.Concurrent;
using DynaTrans.Frontend.Decoding;

namespace DynaTrans.Frontend.Ir;

/// <summary>
/// What has been lifted in several address spaces of the host process: a program that is started again, or has forked, finds there what it would lift once more. Found
/// by RIP, mode and model, and used only where exactly the same bytes lie. Bounded: when it is full it begins anew. Thread-safe.
/// </summary>
public sealed class LiftedBlocks
{
    // Of different bytes at one RIP.
    private const int MaxVariants = 4;

    private readonly ConcurrentDictionary<(ulong Rip, GuestMode Mode, CpuModel Model), LiftedBlock> _blocks = [];
    private long _size;
    private int _users;

    /// <summary>The blocks of the host process.</summary>
    public static LiftedBlocks Shared { get; } = new();

    /// <summary>Bytes of memory that it may take, about.</summary>
    public long SizeLimit { get; init; } = 64 << 20;

    /// <summary>Blocks in it.</summary>
    public int Count => _blocks.Count;

    /// <summary>True while there are several address spaces: only then somebody else may want what one has lifted.</summary>
    public bool IsWanted => Volatile.Read(ref _users) > 1;

    /// <summary>One more address space may use it.</summary>
    public void AddUser() => Interlocked.Increment(ref _users);

    /// <summary>One less does.</summary>
    public void RemoveUser() => Interlocked.Decrement(ref _users);

    /// <summary>The block at a RIP that was made from the bytes that are there; null when there is none.</summary>
    public LiftedBlock? Find(ulong rip, GuestMode mode, CpuModel model, ReadOnlySpan<byte> code)
    {
        if (!_blocks.TryGetValue((rip, mode, model), out var block))
            return null;
        for (; block != null; block = block.Other)
            if (code.StartsWith(block.Code))
                return block;
        return null;
    }

    /// <summary>Enters a block.</summary>
    public void Add(LiftedBlock block, CpuModel model)
    {
        var key = (block.Block.Start, block.Block.Mode, model);
        var known = _blocks.GetValueOrDefault(key);
        var variants = 0;
        for (var other = known; other != null; other = other.Other)
            variants++;
        if (Volatile.Read(ref _size) > SizeLimit)
        {
            _blocks.Clear();
            Volatile.Write(ref _size, 0);
            known = null;
        }

        // Two that enter at the same time: one of them is forgotten.
        _blocks[key] = variants < MaxVariants ? block with { Other = known } : block;
        Interlocked.Add(ref _size, block.Size);
    }
}
