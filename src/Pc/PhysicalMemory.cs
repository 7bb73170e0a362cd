using DynaTrans.Devices;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Pc;

/// <summary>What a range of the memory map is, with the numbers that ACPI 6.5, table 15.4 gives them (INT 15h, E820).</summary>
public enum MemoryKind
{
    /// <summary>RAM that the guest may use.</summary>
    Usable = 1,

    /// <summary>Not for the guest.</summary>
    Reserved = 2,

    /// <summary>ACPI tables; RAM once they have been read.</summary>
    AcpiTables = 3,

    /// <summary>ACPI's own, to be kept.</summary>
    AcpiStorage = 4,
}

/// <summary>A range of guest-physical addresses.</summary>
/// <param name="Start">First address.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Kind">What it is.</param>
public readonly record struct MemoryRange(ulong Start, ulong Length, MemoryKind Kind)
{
    /// <summary>The address behind the range.</summary>
    public ulong End => Start + Length;
}

/// <summary>
/// The RAM of a PC by guest-physical address: 0 to 640 KiB, 1 MiB to 3 GiB at most, the rest from 4 GiB on. Between them are devices and ROM.
/// Used on the machine's thread, or before the machine runs.
/// </summary>
public sealed class PhysicalMemory : IDmaMemory
{
    /// <summary>log2 of the addresses that a machine has.</summary>
    public const int AddressBits = 39;

    /// <summary>The end of conventional memory, and where RAM goes on.</summary>
    public const ulong LowEnd = 0xA0000, HighStart = 0x10_0000;

    /// <summary>The last KiB of conventional memory is the BIOS's (extended BIOS data area).</summary>
    public const ulong ExtendedBiosData = 0x9FC00;

    /// <summary>Where RAM stops below 4 GiB for the devices, and goes on.</summary>
    public const ulong HoleStart = 3UL << 30, HoleEnd = 4UL << 30;

    /// <summary>Least and most RAM in bytes.</summary>
    public const long Smallest = 1 << 20, Largest = (1L << AddressBits) - (1L << 30);

    private const ulong RomStart = 0xE0000;

    private readonly AddressSpace _space;
    private readonly List<MemoryRange> _ram = [];
    private readonly List<MemoryRange> _reserved = [];

    /// <summary>Puts RAM into an address space that has nothing yet.</summary>
    /// <param name="space">Guest-physical addresses, <see cref="AddressBits"/> of them.</param>
    /// <param name="size">Bytes of RAM, a multiple of the page size; what the devices below 1 MiB lie over counts.</param>
    public PhysicalMemory(AddressSpace space, long size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, Smallest);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, Largest);
        _space = space;
        Size = size;
        AddRam(0, LowEnd);
        AddRam(HighStart, Math.Min((ulong)size, HoleStart) - HighStart);
        if ((ulong)size > HoleStart)
            AddRam(HoleEnd, (ulong)size - HoleStart);
        Reserve(ExtendedBiosData, LowEnd - ExtendedBiosData, MemoryKind.Reserved);
        Reserve(RomStart, HighStart - RomStart, MemoryKind.Reserved);
    }

    /// <summary>Bytes of RAM as the user counts them.</summary>
    public long Size { get; }

    /// <summary>The RAM, by address.</summary>
    public IReadOnlyList<MemoryRange> Ram => _ram;

    /// <summary>The end of the RAM below 4 GiB.</summary>
    public ulong LowTop => Math.Min((ulong)Size, HoleStart);

    /// <summary>Keeps a range out of what the memory map calls usable.</summary>
    public void Reserve(ulong start, ulong length, MemoryKind kind) => _reserved.Add(new MemoryRange(start, length, kind));

    /// <summary>The memory map that the guest is told, by address, without overlaps.</summary>
    public List<MemoryRange> Map()
    {
        var map = new List<MemoryRange>(_reserved);
        foreach (var ram in _ram)
        {
            var start = ram.Start;
            foreach (var taken in _reserved.OrderBy(r => r.Start))
            {
                if (taken.Start >= ram.End || taken.End <= start)
                    continue;
                if (taken.Start > start)
                    map.Add(new MemoryRange(start, taken.Start - start, MemoryKind.Usable));
                start = Math.Min(taken.End, ram.End);
            }

            if (start < ram.End)
                map.Add(new MemoryRange(start, ram.End - start, MemoryKind.Usable));
        }

        map.Sort((a, b) => a.Start.CompareTo(b.Start));
        return map;
    }

    /// <summary>True when all bytes of a range are RAM.</summary>
    public bool IsRam(ulong start, ulong length)
    {
        foreach (var ram in _ram)
            if (start >= ram.Start && start < ram.End && length <= ram.End - start)
                return true;
        return false;
    }

    /// <summary>Copies RAM or ROM.</summary>
    /// <returns>False when some of it is neither; nothing is copied then.</returns>
    public bool TryRead(ulong physical, Span<byte> to)
    {
        if (!_space.CanMap(physical, (ulong)to.Length) || !_space.Allows(physical, (ulong)to.Length, PagePermission.Read))
            return false;
        return _space.Read(physical, to) == to.Length;
    }

    /// <summary>Changes RAM, as a device or a boot loader does: translations of it are dropped.</summary>
    /// <returns>False when some of it is no RAM; nothing is changed then.</returns>
    public bool TryWrite(ulong physical, ReadOnlySpan<byte> from)
    {
        if (!IsRam(physical, (ulong)from.Length))
            return false;
        _space.PrepareWrite(physical, (ulong)from.Length);
        return _space.Write(physical, from) == from.Length;
    }

    /// <summary>Puts ROM where no RAM is.</summary>
    /// <param name="physical">Its first address, a multiple of the page size.</param>
    /// <param name="contents">Its bytes, whole pages.</param>
    public void MapRom(ulong physical, ReadOnlySpan<byte> contents)
    {
        var length = (ulong)contents.Length;
        if (physical % AddressSpace.PageSize != 0 || length % AddressSpace.PageSize != 0 || _ram.Exists(r => physical < r.End && r.Start < physical + length))
            throw new ArgumentException($"no ROM of {length} bytes can be at {physical:x}", nameof(physical));
        _space.Map(physical, length, PagePermission.Read | PagePermission.Write);
        _space.Write(physical, contents);
        _space.Protect(physical, length, PagePermission.Read | PagePermission.Execute);
    }

    private void AddRam(ulong start, ulong length)
    {
        if (length == 0)
            return;
        _space.Map(start, length, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
        _ram.Add(new MemoryRange(start, length, MemoryKind.Usable));
    }
}
