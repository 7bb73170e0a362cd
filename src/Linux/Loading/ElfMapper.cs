using DynaTrans.Linux.Memory;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Loading;

/// <summary>Puts the segments of an ELF file into an address space.</summary>
internal static unsafe class ElfMapper
{
    private const ulong PageMask = AddressSpace.PageSize - 1;

    /// <summary>Maps all segments.</summary>
    /// <param name="memory">Where to.</param>
    /// <param name="elf">What.</param>
    /// <param name="wanted">Where a relocatable file should begin; 0: where mmap finds room.</param>
    /// <param name="readImpliesExecute">Old programs: what can be read can be executed.</param>
    /// <param name="name">Name for /proc/self/maps.</param>
    /// <returns>What to add to the file's addresses.</returns>
    /// <exception cref="LoadException">No room, or an address that cannot be had.</exception>
    public static ulong Map(ProcessMemory memory, ElfFile elf, ulong wanted, bool readImpliesExecute, string name)
    {
        var span = elf.HighestAddress - elf.LowestAddress;
        ulong bias = 0;
        if (elf.IsRelocatable)
        {
            // The whole span is reserved first, so that the segments fit behind one another.
            var flags = MapFlags.Private | MapFlags.Anonymous | MapFlags.NoReserve;
            var place = memory.Map(wanted, span, PagePermission.None, flags, null, 0);
            Check(place);
            memory.Unmap((ulong)place, span);
            bias = (ulong)place - elf.LowestAddress;
        }

        foreach (var segment in elf.Segments)
            MapSegment(memory, elf, segment, bias, readImpliesExecute, name);
        return bias;
    }

    private static void MapSegment(
        ProcessMemory memory, ElfFile elf, in ElfSegment segment, ulong bias, bool readImpliesExecute, string name)
    {
        var protection = segment.Protection;
        if (readImpliesExecute && (protection & PagePermission.Read) != 0)
            protection |= PagePermission.Execute;
        var start = (segment.Address + bias) & ~PageMask;
        var fileEnd = segment.Address + bias + segment.FileSize;
        var memoryEnd = segment.End + bias;
        var filePages = segment.FileSize == 0 ? start : ProcessMemory.RoundUp(fileEnd);
        if (filePages > start)
        {
            var offset = segment.Offset & ~PageMask;
            Check(memory.Map(start, filePages - start, protection, MapFlags.Private | MapFlags.Fixed, elf.File, offset, name));
        }

        var end = ProcessMemory.RoundUp(memoryEnd);
        if (end > filePages)
            Check(memory.Map(filePages, end - filePages, protection, MapFlags.Private | MapFlags.Fixed | MapFlags.Anonymous, null, 0));

        // Behind the file's bytes the last page is zero, if the program can write there at all.
        if ((protection & PagePermission.Write) != 0 && memoryEnd > fileEnd && segment.FileSize != 0 && (fileEnd & PageMask) != 0)
            new Span<byte>(memory.Space.HostAt(fileEnd), (int)(AddressSpace.PageSize - (fileEnd & PageMask))).Clear();
    }

    private static void Check(long result)
    {
        if (result >= 0)
            return;
        throw (int)-result switch
        {
            Errno.ENOMEM => new LoadException("does not fit into memory", Errno.ENOMEM),
            Errno.EEXIST or Errno.EPERM => new LoadException("a segment is at an address that cannot be used", Errno.ENOEXEC),
            var e => new LoadException($"cannot be mapped: {Errno.Message(e)}", e),
        };
    }
}
