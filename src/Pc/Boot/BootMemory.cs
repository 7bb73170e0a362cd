using System.Buffers.Binary;

namespace DynaTrans.Pc.Boot;

/// <summary>
/// RAM as a boot loader sees it: who loads something claims its place, so that nothing lies over something else, and what may lie anywhere finds
/// a free one.
/// </summary>
/// <param name="memory">The machine's memory.</param>
internal sealed class BootMemory(PhysicalMemory memory)
{
    private readonly List<(ulong Start, ulong End, string What)> _claims = [(0, FirstFree, "the real-mode tables")];

    // Interrupt vectors and BIOS data are below; real-mode code of old kernels expects them.
    private const ulong FirstFree = 0x1000;

    /// <summary>The machine's memory.</summary>
    public PhysicalMemory Memory { get; } = memory;

    /// <summary>Claims a range.</summary>
    /// <param name="start">First address.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="what">What will be there, for messages: "the kernel".</param>
    /// <exception cref="BootException">It is no RAM, or something else is there.</exception>
    public void Claim(ulong start, ulong length, string what)
    {
        if (!Memory.IsRam(start, length))
            throw new BootException(
                $"{what} does not fit into memory: it needs {start:x} to {start + length - 1:x}, and there are {Memory.Size >> 20} MiB (-m), without a0000 to fffff");
        foreach (var claim in _claims)
            if (start < claim.End && claim.Start < start + length)
                throw new BootException($"{what} ({start:x} to {start + length - 1:x}) would lie over {claim.What}");
        _claims.Add((start, start + length, what));
    }

    /// <summary>Claims the place of a segment and loads it.</summary>
    /// <exception cref="BootException">See <see cref="Claim"/>.</exception>
    public void Load(KernelSegment segment, string what)
    {
        // Linkers put the file's headers in front of what is linked at 1 MiB. No RAM is there, and nobody misses them.
        if (segment.Physical is >= PhysicalMemory.LowEnd and < PhysicalMemory.HighStart)
        {
            var outside = Math.Min(PhysicalMemory.HighStart - segment.Physical, segment.MemorySize);
            if (outside <= segment.Dispensable)
                segment = segment.Without(outside);
            if (segment.MemorySize == 0)
                return;
        }

        Claim(segment.Physical, segment.MemorySize, what);
        Memory.TryWrite(segment.Physical, segment.Bytes.Span);
    }

    /// <summary>Loads all segments of a kernel; segments of one kernel may touch each other.</summary>
    /// <exception cref="BootException">See <see cref="Claim"/>.</exception>
    public void Load(IReadOnlyList<KernelSegment> segments, string what)
    {
        foreach (var segment in segments)
            Load(segment, what);
    }

    /// <summary>Puts bytes into the lowest free place.</summary>
    /// <returns>Where they are.</returns>
    /// <exception cref="BootException">There is no room.</exception>
    public uint PlaceLow(ReadOnlySpan<byte> bytes, int alignment, string what)
    {
        var at = Aligned(FirstFree, alignment);
        for (var moved = true; moved;)
        {
            moved = false;
            foreach (var claim in _claims)
            {
                if (at >= claim.End || claim.Start >= at + (ulong)bytes.Length)
                    continue;
                at = Aligned(claim.End, alignment);
                moved = true;
            }

            // The last KiB of conventional memory is the BIOS's.
            if (at + (ulong)bytes.Length > PhysicalMemory.ExtendedBiosData && at < PhysicalMemory.HighStart)
            {
                at = PhysicalMemory.HighStart;
                moved = true;
            }
        }

        Claim(at, (ulong)bytes.Length, what);
        Memory.TryWrite(at, bytes);
        return (uint)at;
    }

    /// <summary>Puts bytes as high as possible.</summary>
    /// <param name="bytes">The bytes, at least one.</param>
    /// <param name="highest">The last address that may be used.</param>
    /// <param name="what">What it is, for messages.</param>
    /// <returns>Where they are, a multiple of the page size.</returns>
    /// <exception cref="BootException">There is no room.</exception>
    public uint PlaceHigh(ReadOnlySpan<byte> bytes, ulong highest, string what)
    {
        const ulong Page = 4096;
        var length = (ulong)bytes.Length;
        var end = Math.Min(Memory.LowTop, highest == ulong.MaxValue ? highest : highest + 1);
        foreach (var range in Memory.Map().Where(range => range.Kind != MemoryKind.Usable).OrderByDescending(range => range.Start))
            if (range.Start < end && range.End > end - Math.Min(length, end))
                end = Math.Min(end, range.Start);
        while (end >= PhysicalMemory.HighStart + length)
        {
            var at = (end - length) & ~(Page - 1);
            var blocking = _claims.Find(claim => at < claim.End && claim.Start < at + length);
            if (at < PhysicalMemory.HighStart)
                break;
            if (blocking.What == null)
            {
                Claim(at, length, what);
                Memory.TryWrite(at, bytes);
                return (uint)at;
            }

            end = blocking.Start;
        }

        throw new BootException($"{what} ({length} bytes) does not fit into memory beside the kernel, {Memory.Size >> 20} MiB (-m)");
    }

    /// <summary>A text with a zero behind it, in low memory.</summary>
    /// <exception cref="BootException">There is no room.</exception>
    public uint PlaceText(string text, string what)
    {
        var bytes = System.Text.Encoding.UTF8.GetBytes(text + "\0");
        return PlaceLow(bytes, 1, what);
    }

    /// <summary>
    /// A descriptor table in low memory as the protocols want it: 10h flat code, 18h flat data, 20h a task state segment; 32 bits, privilege level 0.
    /// </summary>
    /// <returns>Its address; its limit is <see cref="GdtLimit"/>.</returns>
    public uint PlaceGdt()
    {
        Span<byte> table = stackalloc byte[GdtLimit + 1];
        BinaryPrimitives.WriteUInt64LittleEndian(table[ProtectedModeEntry.CodeSelector..], ProtectedModeEntry.Code.Bits);
        BinaryPrimitives.WriteUInt64LittleEndian(table[ProtectedModeEntry.DataSelector..], ProtectedModeEntry.Data.Bits);
        BinaryPrimitives.WriteUInt64LittleEndian(table[ProtectedModeEntry.TaskSelector..], ProtectedModeEntry.Task.Bits);
        return PlaceLow(table, 8, "the descriptor table");
    }

    /// <summary>The limit of the table of <see cref="PlaceGdt"/>.</summary>
    public const ushort GdtLimit = 0x27;

    private static ulong Aligned(ulong address, int alignment) => (address + (ulong)alignment - 1) & ~((ulong)alignment - 1);
}
