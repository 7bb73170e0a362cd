using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Memory;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Loading;

/// <summary>
/// A program's file in an address space of its own, where the loader puts it, to be looked at without being run: no interpreter, no
/// libraries, no stack, nothing relocated.
/// </summary>
public sealed class ProgramImage : IDisposable
{
    private const int ReadOnlyCloseOnExec = 0x80000;

    private readonly ProcessMemory _memory;

    private ProgramImage(ProcessMemory memory, ElfFile elf, ulong bias, IReadOnlyList<ElfSymbol> symbols)
    {
        _memory = memory;
        (Is32, Bias, Entry) = (elf.Is32, bias, elf.Entry + bias);
        Symbols = symbols;
    }

    /// <summary>The memory.</summary>
    public AddressSpace Memory => _memory.Space;

    /// <summary>True for i386.</summary>
    public bool Is32 { get; }

    /// <summary>What was added to the file's addresses: 0 unless it is position-independent.</summary>
    public ulong Bias { get; }

    /// <summary>The program's entry point in memory.</summary>
    public ulong Entry { get; }

    /// <summary>Functions that the file names, by address as the file says (without <see cref="Bias"/>).</summary>
    public IReadOnlyList<ElfSymbol> Symbols { get; }

    /// <summary>Loads a file.</summary>
    /// <param name="path">Host path.</param>
    /// <exception cref="LoadException">It cannot be loaded.</exception>
    public static ProgramImage Load(string path)
    {
        var fd = HostCalls.OpenAt(PathResolver.AtWorkingDirectory, HostCalls.FromText(path), ReadOnlyCloseOnExec);
        if (fd < 0)
            throw new LoadException(fd == -Errno.ENOENT ? "not found" : Errno.Message(-fd), -fd);
        var file = new OpenFile(fd) { Path = HostCalls.FromText(path) };
        ProcessMemory? memory = null;
        try
        {
            var head = new byte[ElfFile.HeadSize];
            var read = HostCalls.ReadAt(fd, head, 0);
            if (read <= 0)
                throw new LoadException(read == 0 ? "empty file" : Errno.Message((int)-read), read == 0 ? Errno.ENOEXEC : (int)-read);
            var elf = ElfFile.Read(file, head.AsSpan(0, (int)read));
            memory = new ProcessMemory(elf.Is32, null) { Program = new GuestProgram(fd, elf.Is32, AddressLayout.Compact) };
            var bias = ElfMapper.Map(memory, elf, elf.Is32 ? ProgramLayout.ProgramBase32 : ProgramLayout.ProgramBase64, false, file.Path);
            return new ProgramImage(memory, elf, bias, ElfSymbols.Read(elf, head));
        }
        catch
        {
            memory?.RemoveUser();
            throw;
        }
        finally
        {
            file.Release();
        }
    }

    /// <summary>The function that an address in memory belongs to, as "name" or "name+0x10", or null.</summary>
    public string? NameOf(ulong address)
    {
        var wanted = address - Bias;
        ElfSymbol? found = null;
        foreach (var symbol in Symbols)
        {
            if (symbol.Address > wanted)
                break;
            if (wanted == symbol.Address || wanted - symbol.Address < symbol.Size)
                found = symbol;
        }

        return found is not { } s ? null : s.Address == wanted ? s.Name : $"{s.Name}+0x{wanted - s.Address:x}";
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.RemoveUser();
}
