using System.Buffers.Binary;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using ExitCause = DynaTrans.Frontend.Ir.ExitCause;

namespace DynaTrans.IlBackend.Tests;

/// <summary>64-bit code whose linear addresses are translated: data, code and devices behind the same addresses at different times.</summary>
public sealed unsafe class PagingTests
{
    private const ulong Code = PagedMachine.Code, Data = PagedMachine.Data, Present = 1, Writable = 2, Accessed = 0x20, Dirty = 0x40;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void CodeAndDataFollowTheirPages(bool translated)
    {
        using var m = new PagedMachine(translated);
        m.Map(Code, 0x100000, Present);
        m.Map(Data, 0x200000, Present | Writable);
        m.Write(0x100000, Loop(1));
        m.Write(0x101000, Loop(3));
        Assert.Equal((ExitCause.Halt, 5000UL), m.RunAt(Code));
        Assert.Equal(5000UL, m.Word(0x200000));

        // Other data behind the address; forgotten only when it is invalidated.
        m.Map(Data, 0x201000, Present | Writable);
        m.RunAt(Code);
        Assert.Equal(0UL, m.Word(0x201000));
        m.Vcpu.Mmu!.FlushPage(Data);
        m.RunAt(Code);
        Assert.Equal((5000UL, 10000UL), (m.Word(0x201000), m.Word(0x200000)));

        // Other code, and back.
        for (var i = 0; i < 4; i++)
        {
            m.Map(Code, i % 2 == 0 ? 0x101000UL : 0x100000, Present);
            m.Vcpu.Mmu!.FlushNonGlobal();
            Assert.Equal((ExitCause.Halt, i % 2 == 0 ? 15000UL : 5000), m.RunAt(Code));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AccessedAndDirtyBitsAndFaults(bool translated)
    {
        using var m = new PagedMachine(translated);
        m.Map(Code, 0x100000, Present);
        m.Map(Data, 0x200000, Present | Writable);
        m.Write(0x100000, [0x48, 0x8B, 0x03, 0xF4]);     // mov rax, [rbx]; hlt
        m.RunAt(Code);
        Assert.Equal(Accessed, m.Entry(Data) & (Accessed | Dirty));
        m.Write(0x100000, [0x48, 0x89, 0x03, 0xF4]);     // mov [rbx], rax; hlt
        m.RunAt(Code);
        Assert.Equal(Accessed | Dirty, m.Entry(Data) & (Accessed | Dirty));
        m.Map(Data, 0x200000, Present);
        m.Vcpu.Mmu!.FlushAll();
        m.Vcpu.State->System.Cr0 |= 1 << 16;
        Assert.Equal(ExitCause.Exception, m.RunAt(Code).Cause);
        Assert.Equal((ExceptionVector.PageFault, 3U, Data), (m.Vcpu.State->Execution.ExceptionVector, m.Vcpu.State->Execution.ExceptionError, m.Vcpu.State->Execution.FaultAddress));
        m.Map(Code, 0x100000, 0);
        m.Vcpu.Mmu.FlushAll();
        Assert.Equal(ExitCause.Exception, m.RunAt(Code).Cause);
        Assert.Equal((0U, Code), (m.Vcpu.State->Execution.ExceptionError, m.Vcpu.State->Execution.FaultAddress));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void StoresThroughAnAliasDropCode(bool translated)
    {
        using var m = new PagedMachine(translated);
        m.Map(Code, 0x100000, Present);
        m.Map(Data, 0x100000, Present | Writable);
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.mov(ecx, 5000);
        a.Label(ref loop);
        a.add(rax, 1);
        a.mov(__byte_ptr[rbx + 7], cl);     // the immediate of the add
        a.dec(ecx);
        a.jnz(loop);
        a.hlt();
        m.Write(0x100000, Assemble(a));
        Assert.Equal(5UL, m.Word(0x100000 + 6) & 0xFF);
        ulong expected = 1;
        for (var i = 5000; i > 1; i--)
            expected += (byte)i;
        Assert.Equal((ExitCause.Halt, expected), m.RunAt(Code));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AccessesAndInstructionsAcrossPages(bool translated)
    {
        using var m = new PagedMachine(translated);
        m.Map(Code, 0x100000, Present);
        m.Map(Code + 0x1000, 0x108000, Present);
        m.Map(Data, 0x200000, Present | Writable);
        m.Map(Data + 0x1000, 0x300000, Present | Writable);
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.mov(ecx, 5000);
        a.Label(ref loop);
        a.add(__qword_ptr[rbx + 0xFFC], 7);
        for (var i = 0; i < 20; i++)
            a.add(rax, 0x01020304);
        a.dec(ecx);
        a.jnz(loop);
        a.hlt();
        var bytes = Assemble(a);
        const int split = 64;
        m.Write(0x101000 - split, bytes.AsSpan(0, split));
        m.Write(0x108000, bytes.AsSpan(split));
        Assert.Equal((ExitCause.Halt, 5000UL * 20 * 0x01020304), m.RunAt(Code + 0x1000 - split));
        Assert.Equal((5000U * 7, 0U), ((uint)m.Word(0x200FFC), (uint)m.Word(0x300000)));

        // The second page becomes another one: its code does not do what that of the first one did.
        m.Map(Code + 0x1000, 0x109000, Present);
        m.Write(0x109000, bytes.AsSpan(split));
        m.Write(0x109000 + (ulong)(bytes.Length - split) - 1, [0xCC]);
        m.Vcpu.Mmu!.FlushPage(Code + 0x1000);
        Assert.Equal(ExitCause.SoftwareInterrupt, m.RunAt(Code + 0x1000 - split).Cause);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SseIsTurnedOffAndOn(bool translated)
    {
        const ulong osFxsr = 0x200;
        using var m = new PagedMachine(translated);
        m.Map(Code, 0x100000, Present);
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.mov(ecx, 100);
        a.Label(ref loop);
        a.mov(cr4, rsi);
        a.inc(rax);
        a.xorps(xmm0, xmm0);
        a.dec(ecx);
        a.jnz(loop);
        a.hlt();
        m.Write(0x100000, Assemble(a));
        for (var i = 0; i < 5; i++)
        {
            m.Vcpu.State->Slots[Slot.Rsi] = 0x20 | osFxsr;
            Assert.Equal((ExitCause.Halt, 100UL), m.RunAt(Code));
            m.Vcpu.State->Slots[Slot.Rsi] = 0x20;
            Assert.Equal((ExitCause.Exception, 1UL), m.RunAt(Code));
            Assert.Equal(ExceptionVector.InvalidOpcode, m.Vcpu.State->Execution.ExceptionVector);
        }
    }

    private static byte[] Loop(int step)
    {
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.mov(ecx, 5000);
        a.Label(ref loop);
        a.add(rax, step);
        a.inc(__qword_ptr[rbx]);
        a.dec(ecx);
        a.jnz(loop);
        a.hlt();
        return Assemble(a);
    }

    private static byte[] Assemble(Assembler a)
    {
        using var stream = new MemoryStream();
        a.Assemble(new StreamCodeWriter(stream), 0);
        return stream.ToArray();
    }
}
