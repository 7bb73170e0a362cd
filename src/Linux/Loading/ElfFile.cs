using System.Buffers.Binary;
using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Loading;

/// <summary>A loadable part of an ELF file.</summary>
/// <param name="Address">Virtual address as the file says.</param>
/// <param name="MemorySize">Bytes in memory.</param>
/// <param name="Offset">Offset in the file.</param>
/// <param name="FileSize">Bytes from the file, at most <paramref name="MemorySize"/>.</param>
/// <param name="Protection">Read, write, execute.</param>
public readonly record struct ElfSegment(ulong Address, ulong MemorySize, ulong Offset, ulong FileSize, PagePermission Protection)
{
    /// <summary>The address behind the segment.</summary>
    public ulong End => Address + MemorySize;
}

/// <summary>
/// The headers of an ELF executable or shared object for i386 or x86-64 (System V ABI, gabi 4+ ch. 4 and 5). Everything in it is checked:
/// a value of this type can be loaded as far as the headers tell.
/// </summary>
public sealed class ElfFile
{
    /// <summary>Bytes of the file that tell what it is (the kernel's BINPRM_BUF_SIZE).</summary>
    public const int HeadSize = 256;

    private const int MaxProgramHeaders = 65536;
    private const uint PtLoad = 1, PtDynamic = 2, PtInterp = 3, PtGnuStack = 0x6474E551;
    private const ushort EtExec = 2, EtDyn = 3, EmI386 = 3, EmX64 = 62;

    private ElfFile(OpenFile file, bool is32)
    {
        File = file;
        Is32 = is32;
    }

    /// <summary>The file; the caller's reference.</summary>
    public OpenFile File { get; }

    /// <summary>True for i386.</summary>
    public bool Is32 { get; }

    /// <summary>True when it may be loaded anywhere (ET_DYN).</summary>
    public bool IsRelocatable { get; private set; }

    /// <summary>Entry point as the file says.</summary>
    public ulong Entry { get; private set; }

    /// <summary>Virtual address of the program headers, or 0 when no segment holds them.</summary>
    public ulong HeadersAddress { get; private set; }

    /// <summary>Number of program headers.</summary>
    public int HeaderCount { get; private set; }

    /// <summary>Bytes of a program header.</summary>
    public int HeaderSize => Is32 ? 32 : 56;

    private (ulong Offset, ulong Size) Dynamic { get; set; }

    /// <summary>PT_LOAD, by ascending address, without overlaps; at least one.</summary>
    public ElfSegment[] Segments { get; private set; } = [];

    /// <summary>PT_INTERP, one char per byte, or null.</summary>
    public string? Interpreter { get; private set; }

    /// <summary>True when PT_GNU_STACK is missing or asks for an executable stack.</summary>
    public bool NeedsExecutableStack { get; private set; }

    /// <summary>Lowest address, rounded down to a page.</summary>
    public ulong LowestAddress => Segments[0].Address & ~(ulong)(AddressSpace.PageSize - 1);

    /// <summary>Highest address, rounded up to a page.</summary>
    public ulong HighestAddress => (Segments[^1].End + AddressSpace.PageSize - 1) & ~(ulong)(AddressSpace.PageSize - 1);

    /// <summary>Reads and checks the headers.</summary>
    /// <param name="file">The file, open for reading.</param>
    /// <param name="head">The first <see cref="HeadSize"/> bytes, or fewer when the file is shorter.</param>
    /// <exception cref="LoadException">It is not something that can be run.</exception>
    public static ElfFile Read(OpenFile file, ReadOnlySpan<byte> head)
    {
        if (head.Length < 4 || BinaryPrimitives.ReadUInt32LittleEndian(head) != 0x464C457F)
            throw new LoadException("not an ELF file", Errno.ENOEXEC);
        if (head.Length < 52 || (head[4] != 1 && head.Length < 64))
            throw new LoadException("truncated ELF header", Errno.ENOEXEC);
        if (head[4] is not (1 or 2) || head[5] is not (1 or 2) || head[6] != 1)
            throw new LoadException("damaged ELF header: unknown class, byte order or version", Errno.ENOEXEC);
        var machine = head[5] == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(head[18..]) : BinaryPrimitives.ReadUInt16BigEndian(head[18..]);
        if (head[5] != 1 || (head[4] == 1 ? machine != EmI386 : machine != EmX64))
            throw new LoadException($"wrong architecture: {MachineName(machine, head[4] == 1)}", Errno.ENOEXEC);
        var elf = new ElfFile(file, head[4] == 1);
        elf.ReadHeaders(head);
        return elf;
    }

    /// <summary>Reads the dynamic section.</summary>
    /// <param name="startsBeforeLibraries">The program has initialisers that run before those of its libraries (DT_PREINIT_ARRAY).</param>
    /// <returns>Where in the file the names of the dynamic symbols and libraries are (DT_STRTAB); zeros when it does not say.</returns>
    public (long Offset, ulong Size) ReadDynamic(out bool startsBeforeLibraries)
    {
        const ulong End = 0, StringTable = 5, StringSize = 10, InitialisersBeforeLibraries = 32, MostBytes = 1 << 16;
        startsBeforeLibraries = false;
        var word = Is32 ? 4 : 8;
        var (at, bytes) = Dynamic;
        if (bytes is 0 or > MostBytes || at >= long.MaxValue / 2)
            return default;
        var entries = new byte[bytes];
        if (HostCalls.ReadAt(File.HostFd, entries, (long)at) != entries.Length)
            return default;
        ulong address = 0, size = 0;
        for (var i = 0; i + (2 * word) <= entries.Length; i += 2 * word)
        {
            var tag = Word(entries, i);
            if (tag == End)
                break;
            if (tag == StringTable)
                address = Word(entries, i + word);
            else if (tag == StringSize)
                size = Word(entries, i + word);
            else if (tag == InitialisersBeforeLibraries)
                startsBeforeLibraries = true;
        }

        foreach (var segment in Segments)
            if (address >= segment.Address && address - segment.Address < segment.FileSize && size <= segment.FileSize - (address - segment.Address))
                return ((long)(segment.Offset + (address - segment.Address)), size);
        return default;
    }

    private void ReadHeaders(ReadOnlySpan<byte> head)
    {
        var type = BinaryPrimitives.ReadUInt16LittleEndian(head[16..]);
        if (type is not (EtExec or EtDyn))
            throw new LoadException(type == 1 ? "an object file, not a program" : $"not a program: ELF type {type}", Errno.ENOEXEC);
        IsRelocatable = type == EtDyn;
        Entry = Word(head, 24);
        var at = Word(head, Is32 ? 28 : 32);
        var size = BinaryPrimitives.ReadUInt16LittleEndian(head[(Is32 ? 42 : 54)..]);
        HeaderCount = BinaryPrimitives.ReadUInt16LittleEndian(head[(Is32 ? 44 : 56)..]);
        if (size != HeaderSize || HeaderCount == 0 || HeaderCount * HeaderSize > MaxProgramHeaders)
            throw new LoadException("damaged ELF header: no usable program headers", Errno.ENOEXEC);
        var table = new byte[HeaderCount * HeaderSize];
        if (at > long.MaxValue / 2 || HostCalls.ReadAt(File.HostFd, table, (long)at) != table.Length)
            throw new LoadException("truncated: the program headers are behind the end of the file", Errno.ENOEXEC);
        NeedsExecutableStack = true;
        var segments = new List<ElfSegment>();
        for (var i = 0; i < HeaderCount; i++)
            ReadHeader(table.AsSpan(i * HeaderSize, HeaderSize), segments);
        if (segments.Count == 0)
            throw new LoadException("no loadable segment", Errno.ENOEXEC);
        for (var i = 1; i < segments.Count; i++)
            if (segments[i].Address < segments[i - 1].End)
                throw new LoadException("damaged program headers: segments overlap or are not sorted", Errno.ENOEXEC);
        Segments = segments.ToArray();
        foreach (var segment in segments)
            if (at >= segment.Offset && at - segment.Offset < segment.FileSize)
                HeadersAddress = segment.Address + (at - segment.Offset);
    }

    private void ReadHeader(ReadOnlySpan<byte> header, List<ElfSegment> segments)
    {
        var type = BinaryPrimitives.ReadUInt32LittleEndian(header);
        var flags = BinaryPrimitives.ReadUInt32LittleEndian(header[(Is32 ? 24 : 4)..]);
        var offset = Word(header, Is32 ? 4 : 8);
        var address = Word(header, Is32 ? 8 : 16);
        var fileSize = Word(header, Is32 ? 16 : 32);
        var memorySize = Word(header, Is32 ? 20 : 40);
        switch (type)
        {
            case PtGnuStack:
                NeedsExecutableStack = (flags & 1) != 0;
                break;
            case PtDynamic:
                Dynamic = (offset, fileSize);
                break;
            case PtInterp:
                ReadInterpreter(offset, fileSize);
                break;
            case PtLoad when memorySize != 0:
                const ulong Most = 1UL << 47;
                if (fileSize > memorySize || address >= Most || memorySize >= Most - address || offset >= long.MaxValue / 2 || fileSize >= Most)
                    throw new LoadException("damaged program headers: a segment's size or address is out of range", Errno.ENOEXEC);
                if (((address - offset) & (AddressSpace.PageSize - 1)) != 0)
                    throw new LoadException("damaged program headers: a segment's offset does not fit its address", Errno.ENOEXEC);
                segments.Add(new ElfSegment(address, memorySize, offset, fileSize, Protection(flags)));
                break;
        }
    }

    private void ReadInterpreter(ulong offset, ulong size)
    {
        if (size is < 2 or > 4096 || offset >= long.MaxValue / 2)
            throw new LoadException("damaged program headers: bad interpreter name", Errno.ENOEXEC);
        var name = new byte[size];
        if (HostCalls.ReadAt(File.HostFd, name, (long)offset) != name.Length || name[^1] != 0)
            throw new LoadException("damaged program headers: bad interpreter name", Errno.ENOEXEC);
        Interpreter = System.Text.Encoding.Latin1.GetString(name, 0, Array.IndexOf(name, (byte)0));
    }

    // Flags PF_X 1, PF_W 2, PF_R 4. The processor has no pages that can be written or executed but not read.
    private static PagePermission Protection(uint flags) =>
        ((flags & 7) != 0 ? PagePermission.Read : PagePermission.None)
        | ((flags & 2) != 0 ? PagePermission.Write : PagePermission.None)
        | ((flags & 1) != 0 ? PagePermission.Execute : PagePermission.None);

    private ulong Word(ReadOnlySpan<byte> from, int at) =>
        Is32 ? BinaryPrimitives.ReadUInt32LittleEndian(from[at..]) : BinaryPrimitives.ReadUInt64LittleEndian(from[at..]);

    private static string MachineName(int machine, bool is32) => machine switch
    {
        EmX64 when is32 => "x86-64 with 32-bit addresses (x32)",
        EmX64 or EmI386 => "x86 with a damaged class or byte order",
        2 or 18 or 43 => "sparc",
        4 => "m68k",
        8 => "mips",
        15 => "hppa",
        20 => "powerpc",
        21 => "powerpc64",
        22 => "s390",
        40 => "arm",
        42 => "sh",
        50 => "ia64",
        183 => "aarch64",
        243 => "riscv",
        247 => "bpf",
        258 => "loongarch",
        _ => $"ELF machine {machine}",
    };
}
