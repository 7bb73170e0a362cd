using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;
using Iced.Intel;
using ExitCause = DynaTrans.Frontend.Ir.ExitCause;

namespace DynaTrans.Benchmarks;

/// <summary>64-bit guest code in an address space of its own, that ends with <c>syscall</c>.</summary>
internal sealed unsafe class Guest : IDisposable
{
    /// <summary>Address of the code; its pages may be written.</summary>
    public const ulong Code = 0x10000;

    /// <summary>Address of 64 KiB of data.</summary>
    public const ulong Data = 0x100000;

    /// <summary>Address of data that is more than the first-level cache holds.</summary>
    public const ulong LargeData = 0x400000;

    /// <summary>Bytes of it.</summary>
    public const int LargeSize = 256 << 10;

    private const ulong StackTop = 0x200000;

    // Entries of a block before it is compiled.
    private const int Threshold = 50;

    // Enough for every block of a snippet to get hot, and for the regions to settle.
    private const int WarmUpRuns = 20;

    private readonly Machine _machine;
    private readonly Translator? _translator;
    private readonly Vcpu _cpu;

    /// <summary>Assembles a snippet.</summary>
    /// <param name="executor">Who runs it.</param>
    /// <param name="write">Writes the code; the last instruction is <c>syscall</c>.</param>
    /// <param name="alone">Each block is compiled by itself.</param>
    /// <param name="access">How translated code finds guest memory.</param>
    public Guest(Executor executor, Action<Assembler> write, bool alone = false, AccessForm access = AccessForm.Window)
    {
        if (executor == Executor.Translator)
            _translator = new Translator(new TranslatorOptions(Threshold, Background: false, MaxWeight: alone ? 1 : RegionBuilder.MaxWeight, Access: access));
        _machine = Machine.Create(GuestMode.Linux64, _translator);
        var memory = _machine.Memory;
        memory.Map(Code, 0x10000, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
        memory.Map(Data, 0x10000, PagePermission.Read | PagePermission.Write);
        memory.Map(LargeData, LargeSize, PagePermission.Read | PagePermission.Write);
        memory.Map(StackTop - 0x10000, 0x10000, PagePermission.Read | PagePermission.Write);
        memory.Write(Code, Assemble(write));
        _cpu = _machine.AddVcpu(GuestMode.Linux64);
    }

    /// <summary>The blocks made so far.</summary>
    public BlockCache Cache => _machine.Cache;

    /// <summary>Gives histories to regions that are compiled for the measurement only.</summary>
    public Translator Translator => _translator!;

    /// <summary>The bytes of a snippet.</summary>
    public static byte[] Assemble(Action<Assembler> write)
    {
        var assembler = new Assembler(64);
        write(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), Code);
        return stream.ToArray();
    }

    /// <summary>Writes data.</summary>
    public void Write(ulong address, ReadOnlySpan<byte> bytes) => _machine.Memory.Write(address, bytes);

    /// <summary>Runs until everything that gets compiled is compiled.</summary>
    public Guest WarmUp()
    {
        for (var i = 0; i < WarmUpRuns; i++)
            Run();
        return this;
    }

    /// <summary>Runs the snippet once, from its first instruction to the system call.</summary>
    public void Run()
    {
        _cpu.State->Slots[Slot.Rip] = Code;
        _cpu.State->Slots[Slot.Rsp] = StackTop - 0x1000;
        var cause = _cpu.Run();
        if (cause != ExitCause.Syscall)
            throw new InvalidOperationException($"the snippet ended with {cause}");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _machine.Dispose();
    }
}
