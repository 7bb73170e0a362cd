namespace DynaTrans.Runtime.Memory;

/// <summary>The translated code that was made from one frame of a <see cref="MemoryObject"/>, by whatever addresses.</summary>
/// <param name="source">The object.</param>
/// <param name="frame">Number of the frame in it.</param>
internal sealed class FrameCode(MemoryObject source, ulong frame)
{
    private bool _isMarked;

    public MemoryObject Source => source;

    public ulong Frame => frame;

    /// <summary>
    /// Stores to the frame take the slow path wherever it is mapped shared, and nobody goes by what he knew before. Until then no code may be
    /// made from it.
    /// </summary>
    public bool IsMarked
    {
        get => Volatile.Read(ref _isMarked);
        set => Volatile.Write(ref _isMarked, value);
    }

    /// <summary>The pages that it is mapped to and that have code. Under the object's lock.</summary>
    public List<PageCode> Pages { get; } = [];
}

/// <summary>
/// The translated code that one address space has made from one of its pages. The page is a frame by itself, or one of a
/// <see cref="MemoryObject"/>. Under the address space's lock, except where noted.
/// </summary>
/// <param name="space">The address space.</param>
/// <param name="page">Number of the page.</param>
internal class PageCode(AddressSpace space, ulong page)
{
    private ulong _granules;

    public AddressSpace Space => space;

    public ulong Page => page;

    /// <summary>The frame's code, when the frame is one of an object.</summary>
    public FrameCode? Frame { get; set; }

    /// <summary>The granules that code was made from, and all of them while code is being made. Read by others without the lock.</summary>
    public ulong Granules
    {
        get => Volatile.Read(ref _granules);
        set => Volatile.Write(ref _granules, value);
    }

    /// <summary>False when the page has no code any more, or is another one.</summary>
    public bool IsCurrent { get; set; } = true;
}
