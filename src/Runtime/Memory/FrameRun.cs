namespace DynaTrans.Runtime.Memory;

/// <summary>A run of pages of an address space that are frames of a <see cref="MemoryObject"/>.</summary>
/// <param name="space">The address space.</param>
/// <param name="start">First guest address.</param>
/// <param name="end">First guest address behind it.</param>
/// <param name="source">The object.</param>
/// <param name="offset">Offset of <paramref name="start"/> in the object, in bytes; a multiple of the page size.</param>
/// <param name="isShared">A store changes the frame. False: the page becomes one of its own then (copy on write).</param>
internal sealed class FrameRun(AddressSpace space, ulong start, ulong end, MemoryObject source, ulong offset, bool isShared)
{
    public AddressSpace Space => space;

    public ulong Start => start;

    public ulong End => end;

    public MemoryObject Source => source;

    public bool IsShared => isShared;

    /// <summary>Offset in the object of a guest address of the run.</summary>
    public ulong OffsetOf(ulong address) => offset + (address - start);

    /// <summary>True when a frame, by its number in the object, is in the run.</summary>
    public bool Holds(ulong frame) => frame >= offset / AddressSpace.PageSize && frame - (offset / AddressSpace.PageSize) < (end - start) / AddressSpace.PageSize;

    /// <summary>Guest address of a frame of the run.</summary>
    public ulong AddressOf(ulong frame) => start + ((frame * AddressSpace.PageSize) - offset);

    /// <summary>The part between two addresses, in the same address space.</summary>
    public FrameRun Slice(ulong from, ulong to) => new(space, from, to, source, OffsetOf(from), isShared);
}
