using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Precompiled;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using ExitCause = DynaTrans.Frontend.Ir.ExitCause;

namespace DynaTrans.IlBackend.Tests.Precompiled;

/// <summary>Regions of one run that are put to use in another one: where the bytes are the same, and only there.</summary>
public sealed unsafe class PrecompiledTests
{
    internal const ulong Function = BareMachine.Code + 0x1FF0;

    [Fact]
    public void CodeOfAnotherRunIsUsedWithoutLifting()
    {
        using var image = Record();
        using var m = new BareMachine(Engine.Warm, precompiled: image.Open());
        Load(m);
        Assert.Equal(Expected(3), Run(m));
        var statistics = m.Translator!.Statistics;
        Assert.True(statistics.PrecompiledRegions > 0 && statistics.PrecompiledEntries > 0);
        Assert.Equal(0, statistics.Regions);
        Assert.True(m.Cache.Statistics.Blocks <= 2, $"{m.Cache.Statistics.Blocks} blocks");
    }

    [Fact]
    public void WhereAByteDiffersItIsNotUsed()
    {
        using var image = Record();
        var bytes = image.Image.Regions.Sum(region => region.Ranges.Sum(range => range.Bytes.Length));
        using var m = new BareMachine(Engine.Warm, precompiled: image.Open());
        Load(m, addend: 5);
        Assert.Equal(Expected(5), Run(m));
        Assert.True(m.Translator!.Statistics.PrecompiledDiffering > 0);
        Assert.True(m.Translator!.Statistics.PrecompiledBytes < bytes);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AStoreIntoABlockInsideEndsIt(bool byGuest)
    {
        using var image = Record();
        using var m = new BareMachine(Engine.Warm, precompiled: image.Open());
        Load(m);
        Assert.Equal(Expected(3), Run(m));
        Assert.True(m.Translator!.Statistics.PrecompiledRegions > 0);
        if (byGuest)
        {
            var a = new Assembler(64);
            a.mov(rdi, Function + 2);
            a.mov(__byte_ptr[rdi], 7);
            a.int3();
            m.Assemble(a, BareMachine.Code + 0x4000);
            m.State->Slots[Slot.Rip] = BareMachine.Code + 0x4000;
            Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        }
        else
            m.Space.Write(Function + 2, [7]);
        Assert.True(m.Translator!.Statistics.PrecompiledDropped > 0);
        Assert.Equal(Expected(7), Run(m));

        // And back: it is the same code again.
        m.Space.Write(Function + 2, [3]);
        Assert.Equal(Expected(3), Run(m));
    }

    [Fact]
    public void ItServesSeveralAddressSpacesAtOnce()
    {
        using var image = Record();
        var code = image.Open();
        using var first = new BareMachine(Engine.Warm, precompiled: code);
        using var second = new BareMachine(Engine.Warm, precompiled: code);
        Load(first);
        Load(second);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(Expected(3), Run(first));
            Assert.Equal(Expected(3), Run(second));
        }

        // What ends in one goes on in the other.
        first.Space.Write(Function + 2, [9]);
        Assert.Equal(Expected(9), Run(first));
        Assert.Equal(Expected(3), Run(second));
        Assert.Equal(0, second.Translator!.Statistics.PrecompiledDropped);
    }

    [Fact]
    public void OtherCodeMappedAtTheAddressIsSeen()
    {
        using var image = Record();
        using var m = new BareMachine(Engine.Warm, precompiled: image.Open());
        Load(m);
        Assert.Equal(Expected(3), Run(m));
        m.Space.Unmap(BareMachine.Code, 0x8000);
        m.Space.Map(BareMachine.Code, 0x8000, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
        Load(m, addend: 11);
        Assert.Equal(Expected(11), Run(m));
        m.Space.Unmap(BareMachine.Code, 0x8000);
        m.Space.Map(BareMachine.Code, 0x8000, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
        Load(m);
        var before = m.Translator!.Statistics.PrecompiledRegions;
        Assert.Equal(Expected(3), Run(m));
        Assert.True(m.Translator!.Statistics.PrecompiledRegions > before);
    }

    [Fact]
    public void CodeThatMayNotBeExecutedIsNotUsed()
    {
        using var image = Record();
        using var m = new BareMachine(Engine.Warm, precompiled: image.Open());
        Load(m);
        m.Space.Protect(BareMachine.Code + 0x2000, 0x1000, PagePermission.Read);
        m.State->Slots[Slot.Rip] = BareMachine.Code;
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        Assert.Equal(BareMachine.Code + 0x2000, m.State->Execution.FaultAddress);
    }

    [Fact]
    public void AFlushOnlyMakesItBeFoundAgain()
    {
        using var image = Record();
        using var m = new BareMachine(Engine.Warm, precompiled: image.Open());
        Load(m);
        Assert.Equal(Expected(3), Run(m));
        var before = m.Translator!.Statistics.PrecompiledRegions;
        m.Cache.SizeLimit = 0;
        m.State->Slots[Slot.Rip] = BareMachine.Code + 0x5000;
        m.Space.Write(BareMachine.Code + 0x5000, [0xCC]);
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        m.Cache.SizeLimit = 256 << 20;
        Assert.True(m.Cache.Statistics.Flushes > 0);
        Assert.Equal(Expected(3), Run(m));
        Assert.True(m.Translator.Statistics.PrecompiledRegions > before);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void RunsWithABudgetOrACountDoNotUseIt(bool counts)
    {
        using var image = Record();
        using var m = new BareMachine(Engine.Warm, countInstructions: counts, precompiled: image.Open());
        Load(m);
        var used = m.Translator!.Statistics;
        m.State->Slots[Slot.Rip] = BareMachine.Code;
        Assert.Equal(counts ? ExitCause.SoftwareInterrupt : ExitCause.Budget, m.Cpu.Run(counts ? ulong.MaxValue : 1000));
        Assert.Equal(0, used.PrecompiledRegions);
        if (counts)
            return;

        // What is in use already is not in the way of exact counts, nor they of it.
        Assert.Equal(Expected(3), Run(m));
        Assert.True(used.PrecompiledRegions > 0);
        m.State->Slots[Slot.Rip] = BareMachine.Code;
        var before = m.State->Execution.InstructionCount;
        Assert.Equal(ExitCause.Budget, m.Cpu.Run(1003));
        Assert.Equal(1003UL, m.State->Execution.InstructionCount - before);
    }

    [Fact]
    public void AccessesThatAreSlowTooOftenEndItAndAreRecorded()
    {
        using var image = Record();
        var recorder = new CodeRecorder();
        using (var m = new BareMachine(Engine.Warm, precompiled: image.Open(), recorder: recorder))
        {
            Load(m);

            // Data beside code: every store to it goes the slow way.
            var a = new Assembler(64);
            a.nop();
            a.int3();
            m.Space.Protect(BareMachine.Data, 0x1000, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
            m.Assemble(a, BareMachine.Data + 0x800);
            m.State->Slots[Slot.Rip] = BareMachine.Data + 0x800;
            Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
            for (var i = 0; i < 4; i++)
                Assert.Equal(Expected(3), Run(m));
            Assert.True(m.Translator!.Statistics.PrecompiledDropped > 0);
        }

        Assert.Contains(recorder.ToRecords().Single().Accesses, access => access.History != AccessHistory.Fast);
    }

    [Fact]
    public void WhatIsKnownOfAccessesIsCarriedOver()
    {
        var access = new RecordedAccess(0, BareMachine.Code + 0x10, AccessHistory.EdgePages, true);
        using var image = Record(accesses: [access]);
        using var m = new BareMachine(Engine.Warm, precompiled: image.Open());
        Load(m);
        Run(m);
        Assert.Equal(AccessHistory.EdgePages, m.Translator!.HistoryOf(0).History(BareMachine.Code + 0x10));
        Assert.True(m.Translator!.HistoryOf(0).IsLoopRefused(BareMachine.Code + 0x10));
    }

    [Fact]
    public void CodeOfAnotherFormOrContextIsRefused()
    {
        using var image = Record();
        using (var other = new BareMachine(Engine.Warm, is64: false, precompiled: image.Open()))
            Assert.False(other.Translator!.HasPrecompiled);

        // The numbers of the contexts are others.
        using var late = new BareMachine(Engine.Warm);
        Assert.Equal(0, late.Cache.Contexts.NumberOf(new CodeContext(GuestMode.Linux32)));
        Load(late);
        Assert.True(late.Translator!.Use(image.Open()));
        Assert.Equal(Expected(3), Run(late));
        Assert.Equal(0, late.Translator.Statistics.PrecompiledRegions);
    }

    [Fact]
    public void PagedCodeFollowsItsPages()
    {
        const ulong present = 1, writable = 2;
        var regions = new List<Region>();
        var translator = new Translator(Options());
        translator.Published = compiled => regions.Add(compiled.Region);
        TestImage image;
        using (var m = new PagedMachine(translator))
        {
            Prepare(m);
            Assert.Equal((ExitCause.Halt, 15000UL), m.RunAt(PagedMachine.Code + 0xFE0));
            image = new TestImage(m.Machine, translator, regions);
        }

        using (image)
        {
            var used = new Translator(Options() with { Precompiled = [image.Open()] });
            using var m = new PagedMachine(used);
            Prepare(m);
            Assert.Equal((ExitCause.Halt, 15000UL), m.RunAt(PagedMachine.Code + 0xFE0));
            Assert.Equal((1L, 0L), (used.Statistics.PrecompiledRegions, used.Statistics.Regions));

            // The second page becomes another one with the same bytes, then one with others, then the first ones again.
            for (var i = 0; i < 3; i++)
            {
                m.Map(PagedMachine.Code + 0x1000, 0x120000, present);
                m.Vcpu.Mmu!.FlushNonGlobal();
                Assert.Equal((ExitCause.Halt, 15000UL), m.RunAt(PagedMachine.Code + 0xFE0));
                Assert.Equal(2, used.Statistics.PrecompiledRegions);
                m.Map(PagedMachine.Code + 0x1000, 0x130000, present);
                m.Vcpu.Mmu!.FlushNonGlobal();
                Assert.Equal((ExitCause.Halt, 20000UL), m.RunAt(PagedMachine.Code + 0xFE0));
                m.Map(PagedMachine.Code + 0x1000, 0x108000, present);
                m.Vcpu.Mmu!.FlushNonGlobal();
                Assert.Equal((ExitCause.Halt, 15000UL), m.RunAt(PagedMachine.Code + 0xFE0));
                Assert.Equal(2, used.Statistics.PrecompiledRegions);
            }

            // A store to the physical page is seen, whatever the address.
            m.Map(PagedMachine.Data, 0x108000, present | writable);
            m.Vcpu.Mmu!.FlushNonGlobal();
            m.Write(0x108000, Paged(4).AsSpan(0x20));
            Assert.Equal((ExitCause.Halt, 20000UL), m.RunAt(PagedMachine.Code + 0xFE0));
            Assert.Null(used.Statistics.FirstFailure);
        }

        static TranslatorOptions Options() => new(Threshold: 20, Background: false, Access: AccessForm.Lookaside);

        // A loop that lies in two pages.
        static byte[] Paged(byte addend)
        {
            var a = new Assembler(64);
            var loop = a.CreateLabel();
            a.mov(ecx, 5000);
            a.Label(ref loop);
            for (var i = 0; i < 20; i++)
                a.nop(eax);
            a.add(rax, (sbyte)addend);
            a.dec(ecx);
            a.jnz(loop);
            a.hlt();
            using var stream = new MemoryStream();
            a.Assemble(new StreamCodeWriter(stream), PagedMachine.Code + 0xFE0);
            return stream.ToArray();
        }

        static void Prepare(PagedMachine m)
        {
            m.Map(PagedMachine.Code, 0x100000, present);
            m.Map(PagedMachine.Code + 0x1000, 0x108000, present);
            m.Map(PagedMachine.Data, 0x200000, present | writable);
            m.Write(0x100FE0, Paged(3).AsSpan(0, 0x20));
            m.Write(0x108000, Paged(3).AsSpan(0x20));
            m.Write(0x120000, Paged(3).AsSpan(0x20));
            m.Write(0x130000, Paged(4).AsSpan(0x20));
        }
    }

    [Fact]
    public void ThreadsUseItWhileTheCodeIsRewritten()
    {
        using var image = Record();
        using var m = new BareMachine(Engine.Warm, precompiled: image.Open());
        Load(m);
        using var second = m.NewCpu(true);
        second.State->Slots[Slot.Rsp] = BareMachine.Stack - 0x1000;
        var cause = ExitCause.Continue;
        var thread = new Thread(() =>
        {
            for (var i = 0; i < 20; i++)
            {
                second.State->Slots[Slot.Rip] = BareMachine.Code;
                cause = second.Run();
            }
        });
        thread.Start();
        for (var i = 0; i < 20; i++)
        {
            m.Space.Write(Function + 2, [(byte)(i % 3 + 3)]);
            m.State->Slots[Slot.Rip] = BareMachine.Code;
            Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        }

        thread.Join();
        Assert.Equal(ExitCause.SoftwareInterrupt, cause);
        m.Space.Write(Function + 2, [3]);
        Assert.Equal(Expected(3), Run(m));
    }

    /// <summary>An image of what the guest's regions are after a run.</summary>
    internal static TestImage Record(IReadOnlyList<RecordedAccess>? accesses = null)
    {
        using var m = new BareMachine(Engine.Warm);
        var regions = new List<Region>();
        m.Translator!.Published = compiled => regions.Add(compiled.Region);
        Load(m);
        for (var i = 0; i < 4; i++)
            Assert.Equal(Expected(3), Run(m));
        Assert.NotEmpty(regions);
        return new TestImage(m.Machine, m.Translator, regions, accesses);
    }

    /// <summary>A loop that calls a function in the next page but one, which crosses into the one behind, and stores what it returns.</summary>
    internal static void Load(BareMachine m, byte addend = 3)
    {
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.xor(eax, eax);
        a.mov(rbx, BareMachine.Data);
        a.mov(ecx, 500);
        a.Label(ref loop);
        a.call(Function);
        a.mov(__qword_ptr[rbx + 8], rax);
        a.dec(ecx);
        a.jnz(loop);
        a.int3();
        m.Assemble(a);
        var f = new Assembler(64);
        var odd = f.CreateLabel();
        f.add(rax, (sbyte)addend);
        f.test(cl, 1);
        f.jnz(odd);
        f.add(rax, 0x100);
        f.nop(eax);
        f.Label(ref odd);
        f.ret();
        m.Assemble(f, Function);
    }

    internal static ulong Expected(int addend) => (500UL * (ulong)addend) + (250UL * 0x100);

    internal static ulong Run(BareMachine m)
    {
        m.State->Slots[Slot.Rip] = BareMachine.Code;
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        return m.State->Slots[Slot.Rax];
    }
}
