using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Translation;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.IlBackend.Tests;

/// <summary>Guests that rewrite their own code must see the new code at once: the next instruction, the running block, a loop.</summary>
public sealed unsafe class SelfModifyingCodeTests
{
    public static TheoryData<Engine> Engines => [Engine.Interpreter, Engine.Jit, Engine.Warm, Engine.Background, Engine.Lookaside, Engine.WarmLookaside];

    [Theory]
    [MemberData(nameof(Engines))]
    public void NextInstructionIsSeenAtOnce(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        var patched = a.CreateLabel();
        a.mov(rbx, BareMachine.Code);
        a.xor(eax, eax);
        a.mov(ecx, 200);
        var loop = a.CreateLabel();
        a.Label(ref loop);
        a.lea(rdi, __[patched]);
        a.mov(__byte_ptr[rdi + 1], cl);
        a.Label(ref patched);
        a.db(0xB2, 0x00); // mov dl, imm8
        a.movzx(edx, dl);
        a.add(eax, edx);
        a.dec(ecx);
        a.jnz(loop);
        a.int3();
        m.Assemble(a);
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        Assert.Equal((ulong)(200 * 201 / 2), m.State->Slots[Slot.Rax]);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void RewrittenFunctionIsCalledNew(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        var function = BareMachine.Code + 0x1000;
        a.xor(ebx, ebx);
        a.mov(ecx, 500);
        var loop = a.CreateLabel();
        a.Label(ref loop);
        a.mov(rdi, function);
        a.mov(__dword_ptr[rdi + 1], ecx);
        a.call(function);
        a.add(rbx, rax);
        a.call(function);
        a.add(rbx, rax);
        a.dec(ecx);
        a.jnz(loop);
        a.int3();
        m.Assemble(a);
        var f = new Assembler(64);
        f.mov(eax, 0);
        f.ret();
        m.Assemble(f, function);
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        Assert.Equal(500UL * 501, m.State->Slots[Slot.Rbx]);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void DataBesideCodeIsCheap(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        a.mov(rbx, BareMachine.Code + 0x800);
        a.mov(ecx, 5000);
        var loop = a.CreateLabel();
        a.Label(ref loop);
        a.add(__dword_ptr[rbx], ecx);
        a.dec(ecx);
        a.jnz(loop);
        a.int3();
        m.Assemble(a);
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        var value = new byte[4];
        m.Space.Read(BareMachine.Code + 0x800, value);
        Assert.Equal(5000 * 5001 / 2, BitConverter.ToInt32(value));
        Assert.Equal(0, m.Cache.Statistics.Invalidations);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void HostWritesAreSeen(Engine engine)
    {
        using var m = new BareMachine(engine);
        for (var i = 0; i < 60; i++)
        {
            var a = new Assembler(64);
            a.mov(eax, i);
            a.int3();
            m.Assemble(a);
            m.State->Slots[Slot.Rip] = BareMachine.Code;
            Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
            Assert.Equal((ulong)i, m.State->Slots[Slot.Rax]);
        }
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void CacheStaysWithinItsLimit(Engine engine)
    {
        // A guest that writes a new function at a new place again and again.
        using var m = new BareMachine(engine, sizeLimit: 2 << 20);
        m.Space.Map(0x1000000, 0x1000000, Runtime.Memory.PagePermission.Read | Runtime.Memory.PagePermission.Write | Runtime.Memory.PagePermission.Execute);
        var count = engine == Engine.Jit ? 3000 : 20000;
        var a = new Assembler(64);
        a.mov(rdi, 0x1000000);
        a.xor(ebx, ebx);
        a.mov(ecx, count);
        var loop = a.CreateLabel();
        a.Label(ref loop);
        a.mov(__byte_ptr[rdi], 0xB8);
        a.mov(__dword_ptr[rdi + 1], ecx);
        a.mov(__byte_ptr[rdi + 5], 0xC3);
        a.call(rdi);
        a.add(rbx, rax);
        a.add(rdi, 64);
        a.dec(ecx);
        a.jnz(loop);
        a.int3();
        m.Assemble(a);
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        Assert.Equal((ulong)count * (ulong)(count + 1) / 2, m.State->Slots[Slot.Rbx]);
        Assert.True(m.Cache.Size <= 4 << 20, $"{m.Cache.Size} bytes");
        if (engine != Engine.Jit)
            Assert.True(m.Cache.Statistics.Flushes > 0);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void CodeWrittenByAnotherThreadIsSeenAfterSynchronising(Engine engine)
    {
        // The second vCPU spins on a flag, then runs what the first one wrote.
        using var m = new BareMachine(engine);
        using var second = m.NewCpu(true);
        var function = BareMachine.Code + 0x2000;
        var spin = new Assembler(64);
        var again = spin.CreateLabel();
        spin.mov(r12, BareMachine.Data);
        spin.mov(esi, 1);
        spin.xor(ebp, ebp);
        spin.Label(ref again);
        spin.cmp(__dword_ptr[r12], esi);
        spin.jne(again);
        spin.cpuid();
        spin.call(function);
        spin.add(ebp, eax);
        spin.mov(__dword_ptr[r12 + 4], esi);
        spin.inc(esi);
        spin.cmp(esi, 300);
        spin.jne(again);
        spin.int3();
        m.Assemble(spin, BareMachine.Code + 0x1000);
        var first = new Assembler(64);
        var loop = first.CreateLabel();
        var ack = first.CreateLabel();
        first.mov(rbx, BareMachine.Data);
        first.mov(rdi, function);
        first.mov(esi, 1);
        first.Label(ref loop);
        first.mov(__byte_ptr[rdi], 0xB8);
        first.mov(__dword_ptr[rdi + 1], esi);
        first.mov(__byte_ptr[rdi + 5], 0xC3);
        first.mov(__dword_ptr[rbx], esi);
        first.Label(ref ack);
        first.cmp(__dword_ptr[rbx + 4], esi);
        first.jne(ack);
        first.inc(esi);
        first.cmp(esi, 300);
        first.jne(loop);
        first.int3();
        m.Assemble(first);
        second.State->Slots[Slot.Rip] = BareMachine.Code + 0x1000;
        second.State->Slots[Slot.Rsp] = BareMachine.Stack - 0x1000;
        var thread = new Thread(() => second.Run());
        thread.Start();
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        Assert.True(thread.Join(20000));
        Assert.Equal(299UL * 300 / 2, second.State->Slots[Slot.Rbp]);
    }
}
