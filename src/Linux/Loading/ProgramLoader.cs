using System.Text;
using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Processes;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Loading;

/// <summary>A program that has been put into a new address space and is ready to run.</summary>
/// <param name="Memory">Its memory.</param>
/// <param name="Is32">True for i386.</param>
/// <param name="Entry">Where it starts: the interpreter's entry point if it has one.</param>
/// <param name="StackPointer">The stack pointer to start with.</param>
/// <param name="File">The program's file; its mappings hold references, and whoever keeps it takes one of his own.</param>
/// <param name="Path">Host path of the program, resolved.</param>
/// <param name="Name">Last part of the path it was started by.</param>
/// <param name="Arguments">The arguments, changed for scripts.</param>
/// <param name="AuxiliaryVector">As written to the stack.</param>
/// <param name="Personality">Personality bits that the program's headers ask for.</param>
internal sealed record LoadedProgram(
    ProcessMemory Memory, bool Is32, ulong Entry, ulong StackPointer, OpenFile File, string Path, string Name, IReadOnlyList<string> Arguments,
    byte[] AuxiliaryVector, uint Personality);

/// <summary>Loads programs: ELF files with their interpreters, and scripts (execve(2)).</summary>
internal sealed class ProgramLoader(LinuxKernel kernel)
{
    private const int ORdonlyCloexec = 0x80000, ScriptDepth = 5, WorkingDirectory = -100;

    // Room below the arguments that the stack has from the beginning (the kernel's stack_expand), and the most that arguments may take.
    private const ulong FirstStack = 128 << 10, MostArguments = 56UL << 20;
    private const uint ReadImpliesExecute = 0x0040_0000;

    // The instructions on the FS and GS bases may be used (HWCAP2_FSGSBASE).
    private const ulong FsgsbaseWorks = 2;

    /// <summary>Loads a program.</summary>
    /// <param name="process">Whose working directory, credentials and limits count.</param>
    /// <param name="directory">Guest directory descriptor that a relative path starts at.</param>
    /// <param name="path">The path as given, one char per byte.</param>
    /// <param name="arguments">Arguments, the program's name first.</param>
    /// <param name="environment">Environment.</param>
    /// <exception cref="LoadException">It cannot be loaded.</exception>
    public LoadedProgram Load(
        GuestProcess process, int directory, string path, IReadOnlyList<string> arguments, IReadOnlyList<string> environment)
    {
        var original = path;
        Span<byte> buffer = stackalloc byte[ElfFile.HeadSize];
        for (var depth = 0; depth < ScriptDepth; depth++)
        {
            var file = Open(process, directory, path, string.Empty);
            try
            {
                var read = HostCalls.ReadAt(file.HostFd, buffer, 0);
                if (read < 0)
                    throw new LoadException(Errno.Message((int)-read), (int)-read);
                var head = buffer[..(int)read];
                if (read == 0)
                    throw new LoadException("empty file", Errno.ENOEXEC);
                if (read < 2 || head[0] != '#' || head[1] != '!')
                    return LoadElf(process, file, head, original, arguments, environment);
                (path, arguments) = ReadScript(head, path, arguments);
                directory = WorkingDirectory;
            }
            finally
            {
                file.Release();
            }
        }

        throw new LoadException("too many levels of script interpreters", Errno.ELOOP);
    }

    private LoadedProgram LoadElf(
        GuestProcess process, OpenFile file, ReadOnlySpan<byte> head, string original, IReadOnlyList<string> arguments,
        IReadOnlyList<string> environment)
    {
        var elf = ElfFile.Read(file, head);
        var wanted = kernel.Layout ?? (!elf.Is32 && SanitizerRuntime.IsUsedBy(elf) ? AddressLayout.Native : AddressLayout.Compact);
        var memory = CreateMemory(new GuestProgram(file.HostFd, elf.Is32, wanted));
        OpenFile? interpreterFile = null;
        try
        {
            memory.AddressLimit = process.Limits[ResourceLimits.AddressSpace].Soft;
            memory.DataLimit = process.Limits[ResourceLimits.Data].Soft;
            var old = elf.Is32 && elf.NeedsExecutableStack;
            var stackLimit = process.Limits[ResourceLimits.Stack].Soft;
            var layout = ProgramLayout.Of(memory, wanted, stackLimit);
            memory.MapEnd = layout.MapEnd;
            MapStack(memory, layout.StackTop, elf.NeedsExecutableStack);
            if (old)
                memory.HeapProtection |= PagePermission.Execute;
            var bias = ElfMapper.Map(memory, elf, layout.ProgramBase, old, file.Path ?? string.Empty);
            memory.StartBreak(elf.HighestAddress + bias);
            var entry = elf.Entry + bias;
            ulong interpreterBias = 0;
            if (elf.Interpreter is { } interpreter)
            {
                interpreterFile = Open(process, WorkingDirectory, interpreter, $"interpreter {HostCalls.ToText(interpreter)} ");
                Span<byte> start = stackalloc byte[ElfFile.HeadSize];
                var read = HostCalls.ReadAt(interpreterFile.HostFd, start, 0);
                var loader = ReadInterpreter(interpreterFile, start[..(int)Math.Max(read, 0)], interpreter, elf.Is32);
                interpreterBias = ElfMapper.Map(memory, loader, 0, old, interpreterFile.Path ?? string.Empty);
                entry = loader.Entry + interpreterBias;
            }

            if (elf.Is32)
                entry = (uint)entry;
            var builder = new StackBuilder(memory.User, elf.Is32, layout.StackTop, layout.StackTop - Math.Clamp(stackLimit, FirstStack, MostArguments));
            var sp = BuildStack(builder, process, elf, bias, interpreterBias, original, arguments, environment);

            // The arguments have made the stack as large as they are; from here on its limit counts.
            memory.StackLimit = stackLimit;
            memory.BringIn(Math.Max(sp - FirstStack, layout.StackTop - Math.Min(stackLimit, layout.StackTop)), 1);
            var name = original[(original.LastIndexOf('/') + 1)..];
            return new LoadedProgram(
                memory, elf.Is32, entry, sp, file, file.Path ?? original, name.Length > 15 ? name[..15] : name, arguments, builder.AuxiliaryBytes,
                old ? ReadImpliesExecute : 0);
        }
        catch
        {
            memory.RemoveUser();
            throw;
        }
        finally
        {
            interpreterFile?.Release();
        }
    }

    private ProcessMemory CreateMemory(GuestProgram program)
    {
        var is32 = program.Is32;
        var translator = kernel.TranslatorFactory(program);
        try
        {
            try
            {
                return Make();
            }
            catch (OutOfMemoryException) when (!is32 && kernel.TryShrinkWindow())
            {
                return Make();
            }
        }
        catch (OutOfMemoryException e)
        {
            translator?.Dispose();
            throw new LoadException($"{e.Message} (see ulimit -v, ulimit -d, vm.overcommit_memory)", Errno.ENOMEM);
        }

        ProcessMemory Make()
        {
            var memory = new ProcessMemory(is32, translator, kernel.WindowBits)
            {
                Commit = kernel.Commit, Objects = kernel.Objects, Ending = kernel.MemoryEnding, Meter = kernel.Meter,
                Program = program,
            };
            kernel.Meter?.Add(memory);
            return memory;
        }
    }

    private static ElfFile ReadInterpreter(OpenFile file, ReadOnlySpan<byte> head, string name, bool is32)
    {
        try
        {
            var elf = ElfFile.Read(file, head);
            if (elf.Is32 != is32)
                throw new LoadException(elf.Is32 ? "is for i386, the program for x86-64" : "is for x86-64, the program for i386", Errno.ELIBBAD);
            return elf;
        }
        catch (LoadException e)
        {
            throw new LoadException($"interpreter {HostCalls.ToText(name)}: {e.Message}", Errno.ELIBBAD);
        }
    }

    // A stack that grows to its limit. It begins with a page, and the arguments make it grow.
    private static void MapStack(ProcessMemory memory, ulong top, bool executable)
    {
        const ulong Size = AddressSpace.PageSize;
        var protection = PagePermission.Read | PagePermission.Write | (executable ? PagePermission.Execute : PagePermission.None);
        var flags = MapFlags.Private | MapFlags.Anonymous | MapFlags.Fixed | MapFlags.NoReserve | MapFlags.GrowsDown;
        var result = memory.Map(top - Size, Size, protection, flags, null, 0, "[stack]");
        if (result < 0)
            throw new LoadException("no memory for the stack", (int)-result);
    }

    private ulong BuildStack(
        StackBuilder builder, GuestProcess process, ElfFile elf, ulong bias, ulong interpreterBias, string name,
        IReadOnlyList<string> arguments, IReadOnlyList<string> environment)
    {
        builder.PushBytes(new byte[elf.Is32 ? 4 : 8]);
        var executable = builder.PushString(name);
        var variables = PushAll(builder, environment);
        var values = PushAll(builder, arguments);
        var platform = builder.PushString(elf.Is32 ? "i686" : "x86_64");
        builder.Align(16);
        Span<byte> random = stackalloc byte[16];
        HostCalls.Random(random);
        var randomAddress = builder.PushBytes(random);
        builder.Align(16);
        var features = Processor.Leaf(1, 0, !elf.Is32).Edx;
        var ids = process.Credentials;
        builder.Auxiliary(16, features); // AT_HWCAP
        builder.Auxiliary(6, AddressSpace.PageSize); // AT_PAGESZ
        builder.Auxiliary(17, 100); // AT_CLKTCK
        builder.Auxiliary(3, elf.HeadersAddress == 0 ? 0 : elf.HeadersAddress + bias); // AT_PHDR
        builder.Auxiliary(4, (ulong)elf.HeaderSize); // AT_PHENT
        builder.Auxiliary(5, (ulong)elf.HeaderCount); // AT_PHNUM
        builder.Auxiliary(7, interpreterBias); // AT_BASE
        builder.Auxiliary(8, 0); // AT_FLAGS
        builder.Auxiliary(9, elf.Entry + bias); // AT_ENTRY
        builder.Auxiliary(11, ids.User); // AT_UID
        builder.Auxiliary(12, ids.EffectiveUser); // AT_EUID
        builder.Auxiliary(13, ids.Group); // AT_GID
        builder.Auxiliary(14, ids.EffectiveGroup); // AT_EGID
        builder.Auxiliary(23, 0); // AT_SECURE
        builder.Auxiliary(25, randomAddress); // AT_RANDOM
        builder.Auxiliary(26, FsgsbaseWorks); // AT_HWCAP2
        builder.Auxiliary(51, 2048); // AT_MINSIGSTKSZ
        builder.Auxiliary(31, executable); // AT_EXECFN
        builder.Auxiliary(15, platform); // AT_PLATFORM
        return builder.Finish(values, variables);
    }

    private static ulong[] PushAll(StackBuilder builder, IReadOnlyList<string> strings)
    {
        var addresses = new ulong[strings.Count];
        for (var i = strings.Count - 1; i >= 0; i--)
            addresses[i] = builder.PushString(strings[i]);
        return addresses;
    }

    private unsafe OpenFile Open(GuestProcess process, int directory, string path, string what)
    {
        const int Execute = 1, ModeType = 0xF000, ModeDirectory = 0x4000, ModeRegular = 0x8000, ModeOffset = 24, AtEmptyPath = 0x1000;
        const int NonBlocking = 0x800;
        var error = PathResolver.Open(
            new Asker(process, process.Pid), directory, path, ORdonlyCloexec | NonBlocking, 0, 0, null, out var opened);
        if (error < 0)
            throw new LoadException(error == -Errno.ENOENT ? $"{what}not found" : $"{what}{Lower(Errno.Message((int)-error))}", (int)-error);
        var file = opened!;
        if (HostDescriptors.IsReserved(file.HostFd))
        {
            file.Release();
            throw new LoadException($"{what}{Lower(Errno.Message(Errno.ENFILE))}", Errno.ENFILE);
        }

        var stat = stackalloc byte[144];
        HostCalls.Call(HostSys.Fstat, file.HostFd, (nint)stat);
        var mode = *(uint*)(stat + ModeOffset);
        var failure = (mode & ModeType) switch
        {
            _ when file.Tag != null => "not executable",
            ModeDirectory => "is a directory",
            ModeRegular => null,
            _ => "not a regular file",
        };
        fixed (byte* empty = "\0"u8)
        {
            if (failure == null
                && ((mode & 0x49) == 0 || HostCalls.Call(HostSys.Faccessat2, file.HostFd, (nint)empty, Execute, AtEmptyPath) == -Errno.EACCES))
                failure = "not executable";
        }

        if (failure != null)
        {
            file.Release();
            throw new LoadException(what + failure, Errno.EACCES);
        }

        file.Path = HostFiles.PathOf(file.HostFd) ?? path;
        return file;
    }

    private static string Lower(string text) => text.Length == 0 ? text : char.ToLowerInvariant(text[0]) + text[1..];

    // "#!interpreter [argument]": the interpreter gets its argument as one string, then the script's path.
    private static (string Path, IReadOnlyList<string> Arguments) ReadScript(
        ReadOnlySpan<byte> head, string path, IReadOnlyList<string> arguments)
    {
        var line = Encoding.Latin1.GetString(head[2..]);
        var end = line.IndexOf('\n');
        if (end < 0 && head.Length == ElfFile.HeadSize && line.AsSpan().Trim([' ', '\t']).IndexOfAny(' ', '\t') < 0)
            throw new LoadException("the first line of the script is too long", Errno.ENOEXEC);
        line = (end < 0 ? line : line[..end]).Trim(' ', '\t');
        var zero = line.IndexOf('\0');
        if (zero >= 0)
            line = line[..zero];
        if (line.Length == 0)
            throw new LoadException("the script names no interpreter", Errno.ENOEXEC);
        var split = line.IndexOfAny([' ', '\t']);
        var interpreter = split < 0 ? line : line[..split];
        List<string> changed = [interpreter];
        if (split >= 0)
            changed.Add(line[(split + 1)..].TrimStart(' ', '\t'));
        changed.Add(path);
        changed.AddRange(arguments.Skip(1));
        return (interpreter, changed);
    }
}
