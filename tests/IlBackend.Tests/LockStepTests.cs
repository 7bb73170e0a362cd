using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Compilation;
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

    private static ExitCause Run(byte[] code, bool wrong, out CacheStatistics statistics) => Run(code, wrong, out statistics, out _);

    private static ExitCause Run(byte[] code, bool wrong, out CacheStatistics statistics, out ulong rax)
    {
        using var translator = new Translator(new TranslatorOptions(Background: false, Verify: true));
        using var machine = Machine.Create(GuestMode.Linux32, wrong ? new WrongTranslator(translator) : translator);
        var space = machine.Memory;
        space.Map(Code, AddressSpace.PageSize, PagePermission.Protection);
        space.Map(Data, AddressSpace.PageSize, PagePermission.Read | PagePermission.Write);
        space.Write(Code, code);
        var vcpu = machine.AddVcpu(GuestMode.Linux32);
        vcpu.State->Slots[Slot.Rip] = Code;
        var cause = vcpu.Run();
        statistics = machine.Cache.Statistics;
        rax = vcpu.State->Slots[Slot.Rax];
        return cause;
    }

    /// <summary>Translates "mov eax, 5" as "mov eax, 6".</summary>
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
