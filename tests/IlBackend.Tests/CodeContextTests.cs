using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.IlBackend.Tests;

/// <summary>Guests that go back and forth between code segments and modes: no translation takes another's place, and none is looked for twice.</summary>
public sealed unsafe class CodeContextTests
{
    private const ulong First = 0x10000;
    private const ulong Second = 0x20000;
    private const PagePermission All = PagePermission.Read | PagePermission.Write | PagePermission.Execute;

    // Look-ups that a run may need to find everything once.
    private const int Warming = 400;

    public static TheoryData<Engine> Engines => [Engine.Interpreter, Engine.Jit, Engine.Warm, Engine.Background];

    // The same offsets in both segments are the starts of blocks, targets of near and indirect jumps, functions and return points.
    [Theory]
    [MemberData(nameof(Engines))]
    public void SegmentsWithTheSameOffsetsDoNotMix(Engine engine)
    {
        const int Rounds = 100_000;
        using var m = RealMode(engine);
        Segment(m, First, Second, 1, 5, isLast: false);
        Segment(m, Second, First, 3, 7, isLast: true);
        m.State->Slots[Slot.Rcx] = Rounds;
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        uint ebx = 0;
        for (var i = 0; i < Rounds; i++)
            ebx = Pass(Pass(ebx, 1, 5), 3, 7);
        Assert.Equal(ebx, (uint)m.State->Slots[Slot.Rbx]);
        Assert.Equal(0UL, m.State->Slots[Slot.Rcx]);
        Assert.Equal(Second, m.State->Slots[Slot.CsBase]);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void FarTransfersFillCachesOnce(Engine engine)
    {
        using var m = RealMode(engine);
        Segment(m, First, Second, 1, 5, isLast: false);
        Segment(m, Second, First, 3, 7, isLast: true);
        AssertCachesAreFilledOnce(m, ExitCause.SoftwareInterrupt, rounds: 1_000_000);
    }

    // ldmxcsr with an exception unmasked: code is lifted otherwise.
    [Theory]
    [MemberData(nameof(Engines))]
    public void ModeChangesFillCachesOnce(Engine engine)
    {
        using var m = new BareMachine(engine);
        m.Space.Write(BareMachine.Data, [0x80, 0x1F, 0, 0, 0x80, 0x1D, 0, 0]);
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.Label(ref loop);
        a.ldmxcsr(__dword_ptr[BareMachine.Data]);
        a.add(rbx, 1);
        a.ldmxcsr(__dword_ptr[BareMachine.Data + 4]);
        a.dec(ecx);
        a.jne(loop);
        a.int3();
        m.Assemble(a);
        AssertCachesAreFilledOnce(m, ExitCause.SoftwareInterrupt, rounds: 1_000_000);
        Assert.Equal(1_000_000UL, m.State->Slots[Slot.Rbx]);
    }

    // The host switches modes between two runs: the same bytes are other instructions.
    [Theory]
    [MemberData(nameof(Engines))]
    public void BytesAreDecodedAnewInAnotherMode(Engine engine)
    {
        using var m = new BareMachine(engine);
        m.Space.Map(First, 0x8000, All);

        // inc eax; dec eax; add ebx, eax; int3: in 64-bit code a REX prefix, twice, before the addition.
        m.Space.Write(First, [0x40, 0x48, 0x01, 0xC3, 0xCC]);
        var s = m.State;
        for (var i = 0; i < 10_000; i++)
        {
            s->Mode = (ushort)(i % 2 == 0 ? GuestMode.Linux64 : GuestMode.Linux32);
            s->Slots[Slot.Rip] = First;
            s->Slots[Slot.Rax] = 0x1_0000_0001;
            s->Slots[Slot.Rbx] = 0;
            Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
            Assert.Equal(i % 2 == 0 ? 0x1_0000_0001UL : 1, s->Slots[Slot.Rbx]);
        }

        Assert.InRange(m.Cache.Statistics.Blocks, 2, 4);
    }

    // Address spaces that the guest switches between have translations of their own, and find them again.
    [Theory]
    [MemberData(nameof(Engines))]
    public void AddressSpacesAreKeptApart(Engine engine)
    {
        using var m = new BareMachine(engine);
        m.Space.Map(First, 0x8000, All);
        m.Space.Write(First, [0xFF, 0xC0, 0xCC]);
        for (var i = 0; i < 1000; i++)
        {
            m.State->Execution.AddressSpaceGeneration = (uint)(i % 4);
            m.State->Slots[Slot.Rip] = First;
            Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        }

        Assert.Equal(1000UL, m.State->Slots[Slot.Rax]);
        Assert.Equal(4, m.Cache.Contexts.Count);
        Assert.Equal(4, m.Cache.Statistics.Blocks);
    }

    // A target that is not canonical looks, with the context in its upper bits, like a line of the entry cache.
    [Theory]
    [MemberData(nameof(Engines))]
    public void TargetThatIsNotCanonicalMatchesNothing(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        var (loop, target) = (a.CreateLabel(), a.CreateLabel());
        a.Label(ref loop);
        a.call(rdx);
        a.dec(ecx);
        a.jne(loop);
        a.xor(rdx, rsi);
        a.mov(ecx, 1);
        a.jmp(loop);
        a.nop();
        a.Label(ref target);
        a.inc(rbx);
        a.ret();
        m.Assemble(a);
        ReadOnlySpan<byte> code = [0x48, 0xFF, 0xC3, 0xC3];
        var bytes = new byte[64];
        m.Space.Read(BareMachine.Code, bytes);
        var at = BareMachine.Code + (ulong)bytes.AsSpan().IndexOf(code);

        // The same code in contexts 0 and 1: each leaves its lines.
        for (var generation = 0u; generation < 2; generation++)
        {
            m.State->Execution.AddressSpaceGeneration = generation;
            m.State->Slots[Slot.Rip] = BareMachine.Code;
            m.State->Slots[Slot.Rcx] = 20_000;
            m.State->Slots[Slot.Rdx] = at;
            m.State->Slots[Slot.Rsi] = 1UL << EntryCacheLine.ContextShift;
            m.State->Slots[Slot.Rbx] = 0;
            Assert.Equal(ExitCause.Exception, m.Cpu.Run());
            Assert.Equal(ExceptionVector.GeneralProtection, m.State->Execution.ExceptionVector);
            Assert.Equal(BareMachine.Code, m.State->Slots[Slot.Rip]);
            Assert.Equal(20_000UL, m.State->Slots[Slot.Rbx]);
        }
    }

    // More contexts than there are numbers: the cache begins anew.
    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Warm)]
    public void MoreContextsThanNumbers(Engine engine)
    {
        const int Count = 2 * CodeContexts.None + 10;
        using var m = new BareMachine(engine, sizeLimit: 1L << 30);
        m.Space.Map(First, 0x8000, All);
        m.Space.Write(First, [0xFF, 0xC0, 0xCC]);
        for (var i = 0; i < Count; i++)
        {
            m.State->Execution.AddressSpaceGeneration = (uint)i;
            m.State->Slots[Slot.Rip] = First;
            Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        }

        Assert.Equal((ulong)Count, m.State->Slots[Slot.Rax]);
        Assert.InRange(m.Cache.Statistics.Flushes, 2, 1000);
        Assert.InRange(m.Cache.Contexts.Count, 1, CodeContexts.None);
    }

    private static void AssertCachesAreFilledOnce(BareMachine m, ExitCause cause, int rounds)
    {
        m.State->Slots[Slot.Rcx] = (ulong)rounds;
        Assert.Equal(cause, m.Cpu.Run());
        Assert.Equal(0UL, m.State->Slots[Slot.Rcx]);
        var statistics = m.Cache.Statistics;
        Assert.InRange(statistics.Blocks, 1, Warming);
        Assert.InRange(statistics.JumpCacheMisses, 1, Warming);
        Assert.InRange(statistics.EntryCacheFills, 0, Warming);
    }

    private static uint Pass(uint ebx, uint added, uint factor) => (((ebx + added) * factor) ^ factor) + factor;

    private static BareMachine RealMode(Engine engine)
    {
        var m = new BareMachine(engine, is64: false);
        m.Space.Map(0, 0x40000, All);
        var s = m.State;
        s->Mode = (ushort)(GuestMode.Code16 | GuestMode.Real);
        for (var i = 0; i < 6; i++)
            CpuAccess.Segment(s, i)->Limit = 0xFFFF;
        s->Cs.Selector = (ushort)(First >> 4);
        s->Slots[Slot.CsBase] = First;
        s->Slots[Slot.Rip] = 0;
        s->Slots[Slot.Rsp] = 0x8000;
        s->Slots[Slot.SsBase] = 0x30000;
        return m;
    }

    // ebx = Pass(ebx): an addition, a function's multiplication, and a block behind an indirect jump; then to the other segment.
    private static void Segment(BareMachine m, ulong at, ulong other, int added, int factor, bool isLast)
    {
        var a = new Assembler(16);
        var function = a.CreateLabel();
        a.add(ebx, added);
        a.call(function);
        a.mov(ax, 0x80);
        a.jmp(ax);
        a.Label(ref function);
        a.imul(ebx, ebx, factor);
        a.ret();
        Write(m, a, at);
        a = new Assembler(16);
        var (end, behind) = (a.CreateLabel(), a.CreateLabel());
        a.xor(ebx, factor);
        a.add(ebx, factor);
        if (isLast)
        {
            a.dec(ecx);
            a.je(end);
        }
        else
        {
            a.nop();
            a.jmp(behind);
            a.Label(ref behind);
        }

        a.db(0xEA, 0, 0, (byte)(other >> 4), (byte)(other >> 12));
        a.Label(ref end);
        a.nop();
        a.int3();
        Write(m, a, at + 0x80);
    }

    private static void Write(BareMachine m, Assembler a, ulong at)
    {
        using var stream = new MemoryStream();
        a.Assemble(new StreamCodeWriter(stream), at & 0xFFFF);
        Assert.InRange(stream.Length, 1, 0x80);
        m.Space.Write(at, stream.ToArray());
    }
}
