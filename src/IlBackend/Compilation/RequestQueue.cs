using System.Numerics;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>
/// What a translator has been requested to compile, the most useful first. All under the memory's lock, and in constant time however many wait: requests
/// lie in buckets by heat. Heat goes on rising while a block waits; whoever notices enters the request again, in a higher bucket, and the first that is taken counts.
/// </summary>
internal sealed unsafe class RequestQueue
{
    // Two buckets for each doubling of the heat, from this on.
    private const int FirstLog2 = 4, BucketsOfKind = 32;

    // What is to grow has code already; what has none, and is interpreted meanwhile, comes first.
    private readonly List<nint>?[] _buckets = new List<nint>?[2 * BucketsOfKind];

    // Which buckets hold something.
    private ulong _filled;

    /// <summary>Number of requests, with those that were entered again.</summary>
    public int Count { get; private set; }

    /// <summary>The bucket of a block with so many entries: requests of one bucket are as good as each other.</summary>
    public static int BucketOf(int hotness)
    {
        var log2 = BitOperations.Log2((uint)Math.Max(1, hotness));
        var half = (hotness >> Math.Max(0, log2 - 1)) & 1;
        return Math.Clamp(((log2 - FirstLog2) * 2) + half, 0, BucketsOfKind - 1);
    }

    /// <summary>Enters a request.</summary>
    /// <param name="block">The block.</param>
    /// <param name="grow">It has code, which is to be recompiled with more around it.</param>
    public void Add(Block* block, bool grow)
    {
        var bucket = BucketOf(block->Hotness) + (grow ? 0 : BucketsOfKind);
        (_buckets[bucket] ??= []).Add((nint)block);
        _filled |= 1UL << bucket;
        Count++;
    }

    /// <summary>Takes out what is to be compiled next: of what is equally hot the latest, for that is what the guest is doing. False when nothing is requested.</summary>
    public bool TryTake(out Block* block, out bool grow)
    {
        block = null;
        grow = false;
        if (_filled == 0)
            return false;
        var bucket = BitOperations.Log2(_filled);
        var requests = _buckets[bucket]!;
        block = (Block*)requests[^1];
        grow = bucket < BucketsOfKind;
        requests.RemoveAt(requests.Count - 1);
        if (requests.Count == 0)
            _filled &= ~(1UL << bucket);
        Count--;
        return true;
    }

    /// <summary>Forgets all requests.</summary>
    public void Clear()
    {
        foreach (var bucket in _buckets)
            bucket?.Clear();
        _filled = 0;
        Count = 0;
    }
}
