using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Paging;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Tests;

/// <summary>Lock-step verification: it finds a wrong translation, and finds nothing where there is nothing to find.</summary>
public sealed unsafe class LockStepTests
{
    private const ulong Code = 0x1000;
    private const ulong Data = 0x3000;

    // mov eax, 5; add eax, 3; mov [3ffch], eax; int 80h
    private static readonly byte[] Program = [0xB8, 5, 0, 0, 0, 0x83, 0xC0, 3, 0xA3, 0xFC, 0x3F, 0, 0, 0xCD, 0x80];

    [Fact]
    public void AWrongTranslationIsFound()
    {
        var difference = Assert.Throws<LockStepException>(() => Run(Program, wrong: true, out _));
        Assert.Contains(difference.Items, item => item is { Name: "rax", Interpreted: "0x8", Translated: "0x9" });
        Assert.Contains(difference.Items, item => item is { Name: "memory at 0x3ffc", Interpreted: "08", Translated: "09" });
        Assert.Contains("add eax, 3", difference.Report);
        Assert.Contains("rax = mov.4 5", difference.Report);
    }

    [Fact]
    public void ARightTranslationIsNot()
    {
        Assert.Equal(ExitCause.SoftwareInterrupt, Run(Program, wrong: false, out var statistics));
        Assert.Equal(1, statistics.BlocksCompared);
    }

    [Fact]
    public void CodeThatRewritesItselfIsNoDifference()
    {
        // mov byte [1008h], 7: the operand of the next instruction, mov al, 1; int 80h
        byte[] code = [0xC6, 0x05, 0x08, 0x10, 0, 0, 7, 0xB0, 1, 0xCD, 0x80];
        Assert.Equal(ExitCause.SoftwareInterrupt, Run(code, wrong: false, out _, out var rax));
        Assert.Equal(7UL, rax);
    }

    [Fact]
    public void FaultsAreNoDifference()
    {
        // inc dword [3000h]; push for ever at an address that is not mapped
        byte[] code = [0xFF, 0x05, 0, 0x30, 0, 0, 0x50, 0xEB, 0xFD];
        Assert.Equal(ExitCause.Exception, Run(code, wrong: false, out _));
    }

    // add ecx, 3000h; mov byte [ecx], 7; int 80h
    [Fact]
    public void AStoreToAnotherPlaceIsFoundAtBoth()
    {
        byte[] code = [0x81, 0xC1, 0, 0x30, 0, 0, 0xC6, 0x01, 7, 0xCD, 0x80];
        var difference = Assert.Throws<LockStepException>(() => Run(code, wrong: true, out _));
        Assert.Contains(difference.Items, item => item is { Name: "memory at 0x3000", Interpreted: "07", Translated: "00" });
        Assert.Contains(difference.Items, item => item is { Name: "memory at 0x3001", Interpreted: "00", Translated: "07" });
    }

    // A repetition ends early when somebody wants the vCPU to stop; the two runs of its block do not see that at the same element.
    [Fact]
    public void RequestsOfOtherThreadsAreNoDifference()
    {
        const int Count = 0x8_0000;

        // mov ecx, COUNT; mov edi, 100000h; rep stosb; int 80h
        byte[] code = [0xB9, .. BitConverter.GetBytes(Count), 0xBF, 0, 0, 0x10, 0, 0xF3, 0xAA, 0xCD, 0x80];
        using var translator = new Translator(new TranslatorOptions(Background: false, Verify: true));
        using var machine = Create(translator, code);
        machine.Memory.Map(0x10_0000, Count, PagePermission.Read | PagePermission.Write);
        var vcpu = Start(machine);
        var isOver = false;
        var asking = new Thread(() =>
        {
            while (!Volatile.Read(ref isOver))
            {
                vcpu.RequestExit();
                Thread.Yield();
            }
        });
        asking.Start();
        var cause = ExitCause.Requested;
        try
        {
            while (cause == ExitCause.Requested)
                cause = vcpu.Run();
        }
        finally
        {
            Volatile.Write(ref isOver, true);
            asking.Join();
        }

        Assert.Equal((ExitCause.SoftwareInterrupt, 0UL), (cause, vcpu.State->Slots[Slot.Rcx]));

        // The last request may have been seen, or not.
        vcpu.RequestExit();
        Assert.Equal(ExitCause.Requested, vcpu.Run());
    }

    [Fact]
    public void WithABudgetBlocksAreComparedToo()
    {
        using var translator = new Translator(new TranslatorOptions(Background: false, Verify: true));
        using var machine = Create(translator, Program);
        Assert.Equal(ExitCause.SoftwareInterrupt, Start(machine).Run(1000));
        Assert.Equal(1, machine.Cache.Statistics.BlocksCompared);

        // Not more than it: then it is the interpreter that executes the rest.
        var rest = Start(machine);
        Assert.Equal(ExitCause.Budget, rest.Run(2));
        Assert.Equal((8UL, 2UL), (rest.State->Slots[Slot.Rax], rest.State->Execution.InstructionCount));
    }

    // mov ax, C000h; mov ds, ax; mov byte [0], 5; mov al, [1]; hlt
    [Fact]
    public void ADeviceInMemorySeesAnAccessOnce()
    {
        byte[] code = [0xB8, 0x00, 0xC0, 0x8E, 0xD8, 0xC6, 0x06, 0, 0, 5, 0xA0, 1, 0, 0xF4];
        var device = new Device();
        using var translator = new Translator(new TranslatorOptions(Background: false, Verify: true, Access: AccessForm.Lookaside));
        using var machine = Machine.CreateSystem(translator, null, device);
        machine.Memory.Map(0, 0x1_0000, PagePermission.Protection);
        machine.Memory.Write(Code, code);
        var vcpu = machine.AddSystemVcpu();
        vcpu.State->Slots[Slot.Rip] = Code;
        Assert.Equal(ExitCause.Halt, vcpu.Run());
        Assert.Equal(["write c0000: 5", "read c0001"], device.Accesses);
        Assert.Equal(0x42, (byte)vcpu.State->Slots[Slot.Rax]);
    }

    private static ExitCause Run(byte[] code, bool wrong, out CacheStatistics statistics) => Run(code, wrong, out statistics, out _);

    private static ExitCause Run(byte[] code, bool wrong, out CacheStatistics statistics, out ulong rax)
    {
        using var translator = new Translator(new TranslatorOptions(Background: false, Verify: true));
        using var machine = Create(wrong ? new WrongTranslator(translator) : translator, code);
        var vcpu = Start(machine);
        var cause = vcpu.Run();
        statistics = machine.Cache.Statistics;
        rax = vcpu.State->Slots[Slot.Rax];
        return cause;
    }

    private static Machine Create(ITranslator translator, byte[] code)
    {
        var machine = Machine.Create(GuestMode.Linux32, translator);
        machine.Memory.Map(Code, AddressSpace.PageSize, PagePermission.Protection);
        machine.Memory.Map(Data, AddressSpace.PageSize, PagePermission.Read | PagePermission.Write);
        machine.Memory.Write(Code, code);
        return machine;
    }

    private static Vcpu Start(Machine machine)
    {
        var vcpu = machine.AddVcpu(GuestMode.Linux32);
        vcpu.State->Slots[Slot.Rip] = Code;
        return vcpu;
    }

    /// <summary>Answers at all addresses.</summary>
    private sealed class Device : IMemoryBus
    {
        public List<string> Accesses { get; } = [];

        public ulong Read(ulong physical, int size)
        {
            Accesses.Add($"read {physical:x}");
            return 0x42;
        }

        public void Write(ulong physical, int size, ulong value) => Accesses.Add($"write {physical:x}: {value:x}");
    }

    /// <summary>Translates the first constant of a block as one more: "mov eax, 5" as "mov eax, 6".</summary>
    private sealed class WrongTranslator(ITranslator inner) : ITranslator
    {
        public int Threshold => inner.Threshold;

        public bool Verifies => inner.Verifies;

        public bool WantsFlush => inner.WantsFlush;

        public void Request(BlockCache cache, Block* block, Mmu? mmu) => inner.Request(cache, block, mmu);

        public RegionLinks* CompileAlone(BlockCache cache, Block* block)
        {
            ref var first = ref Block.Ops(block)[0];
            first.Imm++;
            var code = inner.CompileAlone(cache, block);
            first.Imm--;
            return code;
        }

        public void NoteSlowAccess(BlockCache cache, FaultSite* site) => inner.NoteSlowAccess(cache, site);

        public void NoteHotEntry(BlockCache cache, ulong rip, ushort context, ulong top)
        {
        }

        public void Invalidate(Block* block) => inner.Invalidate(block);

        public void Flush() => inner.Flush();

        public void Dispose() => inner.Dispose();
    }
}
