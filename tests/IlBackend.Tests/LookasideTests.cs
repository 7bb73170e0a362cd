using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using ExitCause = DynaTrans.Frontend.Ir.ExitCause;

namespace DynaTrans.IlBackend.Tests;

/// <summary>Accesses by the lookaside table give what the interpreter gives, and the table never grants more than the pages do.</summary>
public sealed unsafe class LookasideTests
{
    private const ulong ReadOnly = BareMachine.Data + 0x3000;

    // Pages whose places in the table are the same.
    private const ulong TableSpan = 1UL << (TranslationLookaside.CountBits + TranslationLookaside.PageBits);

    public static TheoryData<Engine> Engines => [Engine.Lookaside, Engine.WarmLookaside];

    [Theory]
    [InlineData(Engine.Lookaside, true)]
    [InlineData(Engine.Lookaside, false)]
    [InlineData(Engine.WarmLookaside, true)]
    [InlineData(Engine.WarmLookaside, false)]
    public void AccessesOfAllSizesAcrossAPageEdge(Engine engine, bool is64)
    {
        using var expected = WalkOverEdge(Engine.Interpreter, is64);
        using var actual = WalkOverEdge(engine, is64);
        for (ushort i = 0; i < 16; i++)
            Assert.True(expected.State->Slots[i] == actual.State->Slots[i], Slot.Name(i));
        Assert.Equal(Memory(expected), Memory(actual));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void RealModeCodeWithSegments(Engine engine)
    {
        using var expected = RunRealMode(Engine.Interpreter);
        using var actual = RunRealMode(engine);
        Assert.Equal(expected.State->Slots[Slot.Rax], actual.State->Slots[Slot.Rax]);
        Assert.Equal(Memory(expected), Memory(actual));
        Assert.NotEqual(0UL, actual.State->Slots[Slot.Rax]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(16)]
    public void AStoreIntoAReadOnlyPageFaultsWhereItDoes(int size)
    {
        using var expected = StoreUpTo(Engine.Interpreter, size);
        foreach (var engine in (Engine[])[Engine.Lookaside, Engine.WarmLookaside])
        {
            using var actual = StoreUpTo(engine, size);
            Assert.Equal(expected.State->Execution.FaultAddress, actual.State->Execution.FaultAddress);
            Assert.Equal(expected.State->Execution.ExceptionError, actual.State->Execution.ExceptionError);
            Assert.Equal(expected.State->Slots[Slot.Rip], actual.State->Slots[Slot.Rip]);
            Assert.Equal(expected.State->Slots[Slot.Rbx], actual.State->Slots[Slot.Rbx]);
            Assert.Equal(Memory(expected), Memory(actual));
        }
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void AMisalignedOperandThatMustBeAlignedFaults(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.mov(rbx, BareMachine.Data);
        a.mov(ecx, 100);
        a.Label(ref loop);
        a.movaps(xmm0, __xmmword_ptr[rbx]);
        a.movaps(__xmmword_ptr[rbx + 0x1000], xmm0);
        a.add(rbx, 16);
        a.dec(ecx);
        a.jnz(loop);
        a.inc(rbx);
        a.mov(ecx, 100);
        a.jmp(loop);
        m.Assemble(a);
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        Assert.Equal(ExceptionVector.GeneralProtection, m.State->Execution.ExceptionVector);
        Assert.Equal(BareMachine.Data + 1601, m.State->Slots[Slot.Rbx]);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void AChangeOfPermissionsIsSeenByTheNextRun(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = Counter();
        m.Assemble(a);
        Assert.Equal(ExitCause.SoftwareInterrupt, Run(m));
        Assert.Equal(1000u, Word(m, BareMachine.Data));

        m.Space.Protect(BareMachine.Data, 0x1000, PagePermission.Read);
        Assert.Equal(ExitCause.Exception, Run(m));
        Assert.Equal((BareMachine.Data, 7u), (m.State->Execution.FaultAddress, m.State->Execution.ExceptionError));
        Assert.Equal(1001UL, m.State->Slots[Slot.Rax]);

        m.Space.Unmap(BareMachine.Data, 0x1000);
        Assert.Equal(ExitCause.Exception, Run(m));
        Assert.Equal((BareMachine.Data, 4u), (m.State->Execution.FaultAddress, m.State->Execution.ExceptionError));

        m.Space.Map(BareMachine.Data, 0x1000, PagePermission.Read | PagePermission.Write);
        Assert.Equal(ExitCause.SoftwareInterrupt, Run(m));
        Assert.Equal(1000u, Word(m, BareMachine.Data));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void ARightTakenAwayByAnotherThreadStopsARunningLoop(Engine engine)
    {
        using var m = new BareMachine(engine);
        using var other = m.NewCpu(true);
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.mov(rbx, BareMachine.Data);
        a.Label(ref loop);
        a.inc(__dword_ptr[rbx]);
        a.jmp(loop);
        m.Assemble(a);
        var cause = ExitCause.Continue;
        var thread = new Thread(() => cause = m.Cpu.Run());
        thread.Start();
        while (Word(m, BareMachine.Data) < 100_000)
            Thread.Yield();
        m.Space.Protect(BareMachine.Data, 0x1000, PagePermission.Read);
        Assert.True(thread.Join(TimeSpan.FromSeconds(60)));
        Assert.Equal(ExitCause.Exception, cause);
        Assert.Equal((BareMachine.Data, 7u), (m.State->Execution.FaultAddress, m.State->Execution.ExceptionError));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void PagesWithOnePlaceInTheTableAreKeptApart(Engine engine)
    {
        using var m = new BareMachine(engine);
        m.Space.Map(BareMachine.Data + TableSpan, 0x1000, PagePermission.Read | PagePermission.Write);
        m.Space.Map(BareMachine.Data + (2 * TableSpan), 0x1000, PagePermission.Read);
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.mov(rbx, BareMachine.Data);
        a.mov(ecx, 1000);
        a.Label(ref loop);
        a.inc(__dword_ptr[rbx]);
        a.add(__dword_ptr[rbx + (long)TableSpan], 2);
        a.add(eax, __dword_ptr[rbx + (long)(2 * TableSpan)]);
        a.dec(ecx);
        a.jnz(loop);
        a.mov(__dword_ptr[rbx + (long)(2 * TableSpan)], eax);
        a.int3();
        m.Assemble(a);
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        Assert.Equal((BareMachine.Data + (2 * TableSpan), 7u), (m.State->Execution.FaultAddress, m.State->Execution.ExceptionError));
        Assert.Equal(1000u, Word(m, BareMachine.Data));
        Assert.Equal(2000u, Word(m, BareMachine.Data + TableSpan));
        Assert.Equal(0u, Word(m, BareMachine.Data + (2 * TableSpan)));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void MemoryBeyondTheMainWindowIsReached(Engine engine)
    {
        const ulong Far = 0x7F00_0000_0000;
        using var m = new BareMachine(engine);
        m.Space.Map(Far, 0x1000, PagePermission.Read | PagePermission.Write);
        m.Assemble(Counter());
        m.State->Slots[Slot.Rbx] = Far;
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        Assert.Equal(1000u, Word(m, Far));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void AStoreIntoAPageThatGetsCodeIsNoticed(Engine engine)
    {
        // The loop stores into a page long before the function in it is called for the first time, and changes it then.
        const ulong Function = BareMachine.Code + 0x2000;
        using var m = new BareMachine(engine);
        var f = new Assembler(64);
        f.mov(eax, 0);
        f.ret();
        m.Assemble(f, Function);
        var a = new Assembler(64);
        var (loop, skip) = (a.CreateLabel(), a.CreateLabel());
        a.mov(rbx, Function);
        a.xor(esi, esi);
        a.mov(ecx, 400);
        a.Label(ref loop);
        a.mov(__dword_ptr[rbx + 1], ecx);
        a.cmp(ecx, 200);
        a.ja(skip);
        a.call(Function);
        a.add(rsi, rax);
        a.Label(ref skip);
        a.dec(ecx);
        a.jnz(loop);
        a.int3();
        m.Assemble(a);
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        Assert.Equal(200UL * 201 / 2, m.State->Slots[Slot.Rsi]);
    }

    private static BareMachine WalkOverEdge(Engine engine, bool is64)
    {
        var m = new BareMachine(engine, is64);
        var random = new byte[0x4000];
        new Random(7).NextBytes(random);
        m.Space.Write(BareMachine.Data, random);
        var a = new Assembler(is64 ? 64 : 32);
        var loop = a.CreateLabel();
        AssemblerMemoryOperand At(int offset) => is64 ? __[rbx + offset] : __[ebx + offset];
        a.mov(ebx, (uint)BareMachine.Data + 0xFC0);
        a.mov(ecx, 0x80);
        a.Label(ref loop);
        a.mov(al, __byte_ptr[At(0)]);
        a.mov(__byte_ptr[At(0x2000)], al);
        a.add(ax, __word_ptr[At(1)]);
        a.mov(__word_ptr[At(0x2040)], ax);
        a.movsx(edx, __word_ptr[At(2)]);
        a.xor(edx, __dword_ptr[At(3)]);
        a.mov(__dword_ptr[At(0x2080)], edx);
        if (is64)
        {
            a.add(r8, __qword_ptr[At(5)]);
            a.mov(__qword_ptr[At(0x20C0)], r8);
        }

        a.movups(xmm0, __xmmword_ptr[At(7)]);
        a.movups(__xmmword_ptr[At(0x2100)], xmm0);
        a.movq(xmm1, __qword_ptr[At(8)]);
        a.movq(__qword_ptr[At(0x2140)], xmm1);
        a.movd(xmm2, __dword_ptr[At(9)]);
        a.movd(__dword_ptr[At(0x2180)], xmm2);
        a.fld(__qword_ptr[At(10)]);
        a.fld(__qword_ptr[At(18)]);
        a.fxch(st0, st1);
        a.fstp(__qword_ptr[At(0x21C0)]);
        a.fstp(__qword_ptr[At(0x2200)]);
        if (is64)
        {
            a.push(rax);
            a.pop(rdx);
        }
        else
        {
            a.push(eax);
            a.pop(edx);
        }

        a.add(esi, edx);
        a.inc(ebx);
        a.dec(ecx);
        a.jnz(loop);
        a.int3();
        m.Assemble(a);
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        return m;
    }

    private static BareMachine StoreUpTo(Engine engine, int size)
    {
        var m = new BareMachine(engine);
        m.Space.Protect(ReadOnly, 0x1000, PagePermission.Read);
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.mov(rbx, ReadOnly - 0x200);
        a.mov(rax, 0x1122334455667788);
        a.movq(xmm0, rax);
        a.Label(ref loop);
        switch (size)
        {
            case 1: a.mov(__byte_ptr[rbx], al); break;
            case 2: a.mov(__word_ptr[rbx], ax); break;
            case 4: a.mov(__dword_ptr[rbx], eax); break;
            case 8: a.mov(__qword_ptr[rbx], rax); break;
            default: a.movups(__xmmword_ptr[rbx], xmm0); break;
        }

        a.add(rax, 3);
        a.add(rbx, 1);
        a.jmp(loop);
        m.Assemble(a);
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        return m;
    }

    private static BareMachine RunRealMode(Engine engine)
    {
        var m = new BareMachine(engine, is64: false);
        var random = new byte[0x2000];
        new Random(3).NextBytes(random);
        m.Space.Write(BareMachine.Data, random);
        var a = new Assembler(16);
        var loop = a.CreateLabel();
        a.mov(bx, 0xFF0);
        a.mov(cx, 0x40);
        a.Label(ref loop);
        a.mov(dx, __word_ptr[bx]);
        a.add(ax, dx);
        a.mov(__word_ptr[bx + 0x3000], ax);
        a.push(ax);
        a.pop(dx);
        a.add(eax, __dword_ptr[bx + 3]);
        a.inc(bx);
        a.dec(cx);
        a.jnz(loop);
        a.int3();
        using var stream = new MemoryStream();
        a.Assemble(new StreamCodeWriter(stream), 0);
        m.Space.Write(BareMachine.Code, stream.ToArray());
        m.State->Mode = (ushort)(GuestMode.Code16 | GuestMode.Real);
        m.State->Slots[Slot.Rip] = 0;
        m.State->Slots[Slot.CsBase] = BareMachine.Code;
        m.State->Slots[Slot.DsBase] = BareMachine.Data;
        m.State->Slots[Slot.SsBase] = BareMachine.Stack - 0x8000;
        m.State->Slots[Slot.Rsp] = 0x7000;
        foreach (var segment in (nint[])[(nint)(&m.State->Cs), (nint)(&m.State->Ds), (nint)(&m.State->Ss)])
            ((SegmentRegister*)segment)->Limit = 0xFFFF;
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        return m;
    }

    // 1000 times: inc dword [rbx].
    private static Assembler Counter()
    {
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.mov(ecx, 1000);
        a.Label(ref loop);
        a.mov(eax, __dword_ptr[rbx]);
        a.inc(eax);
        a.mov(__dword_ptr[rbx], eax);
        a.dec(ecx);
        a.jnz(loop);
        a.int3();
        return a;
    }

    private static ExitCause Run(BareMachine m)
    {
        m.State->Slots[Slot.Rip] = BareMachine.Code;
        m.State->Slots[Slot.Rbx] = BareMachine.Data;
        return m.Cpu.Run();
    }

    private static uint Word(BareMachine m, ulong address) => Volatile.Read(ref *(uint*)m.Space.HostAt(address));

    private static byte[] Memory(BareMachine m)
    {
        var bytes = new byte[0x8000];
        m.Space.Read(BareMachine.Data, bytes);
        return bytes;
    }
}
