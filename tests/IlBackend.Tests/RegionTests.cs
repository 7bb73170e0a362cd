using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.IlBackend.Tests;

/// <summary>What happens inside regions and between them: jump tables, calls by pointer, recursion, growth, and leaving in the middle.</summary>
public sealed unsafe class RegionTests
{
    private const int Table = 0x100;

    public static TheoryData<Engine> Engines => [Engine.Interpreter, Engine.Jit, Engine.Warm, Engine.Background, Engine.Lookaside, Engine.WarmLookaside];

    [Theory]
    [MemberData(nameof(Engines))]
    public void JumpTableGoesRound(Engine engine)
    {
        using var m = new BareMachine(engine);
        LoadMachine(m, rounds: 200_000);
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        var (rax, rdx) = Expected(200_000, rewritten: int.MaxValue);
        Assert.Equal(rax, m.State->Slots[Slot.Rax]);
        Assert.Equal(rdx, m.State->Slots[Slot.Rdx]);
    }

    // A jump through a register goes in its later half to a block of its own region that it never went to before.
    [Theory]
    [InlineData(Engine.Jit)]
    [InlineData(Engine.Warm)]
    [InlineData(Engine.Background)]
    public void EveryInstructionIsCountedOnce(Engine engine)
    {
        const int Rounds = 2_000_000;
        using var expected = new BareMachine(Engine.Interpreter);
        using var m = new BareMachine(engine, countInstructions: true);
        var a = new Assembler(64);
        var (loop, first, second, join) = (a.CreateLabel(), a.CreateLabel(), a.CreateLabel(), a.CreateLabel());
        a.mov(ecx, Rounds);
        a.Label(ref loop);
        a.lea(rax, __[first]);
        a.lea(rdx, __[second]);
        a.test(ecx, 1);
        a.cmovne(rax, rdx);
        a.lea(rdx, __[join]);
        a.cmp(ecx, Rounds / 2);
        a.cmovb(rax, rdx);
        a.jmp(rax);
        a.Label(ref first);
        a.add(rbx, 1);
        a.jmp(join);
        a.Label(ref second);
        a.add(rbx, 2);
        a.Label(ref join);
        a.add(rbx, 4);
        a.dec(ecx);
        a.jne(loop);
        a.int3();
        foreach (var machine in (BareMachine[])[expected, m])
        {
            machine.Assemble(a);
            Assert.Equal(ExitCause.SoftwareInterrupt, machine.Cpu.Run());
        }

        Assert.Equal(expected.State->Slots[Slot.Rbx], m.State->Slots[Slot.Rbx]);
        Assert.Equal(expected.State->Execution.InstructionCount, m.State->Execution.InstructionCount);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void RewrittenTargetOfAJumpTableIsSeen(Engine engine)
    {
        using var m = new BareMachine(engine);
        LoadMachine(m, rounds: 100_000, patchAt: 50_000);
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        var (rax, rdx) = Expected(100_000, rewritten: 50_000);
        Assert.Equal(rax, m.State->Slots[Slot.Rax]);
        Assert.Equal(rdx, m.State->Slots[Slot.Rdx]);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void MutualRecursionUnwinds(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        var (even, odd, evenDone, oddDone, loop) = (a.CreateLabel(), a.CreateLabel(), a.CreateLabel(), a.CreateLabel(), a.CreateLabel());
        a.xor(ebx, ebx);
        a.mov(r12d, 3000);
        a.Label(ref loop);
        a.mov(edi, r12d);
        a.and(edi, 63);
        a.call(even);
        a.add(rbx, rax);
        a.dec(r12d);
        a.jnz(loop);
        a.int3();
        a.Label(ref even);
        a.mov(eax, 1);
        a.test(edi, edi);
        a.je(evenDone);
        a.push(rdi);
        a.dec(edi);
        a.call(odd);
        a.pop(rdi);
        a.Label(ref evenDone);
        a.ret();
        a.Label(ref odd);
        a.xor(eax, eax);
        a.test(edi, edi);
        a.je(oddDone);
        a.push(rdi);
        a.dec(edi);
        a.call(even);
        a.pop(rdi);
        a.Label(ref oddDone);
        a.ret();
        m.Assemble(a);
        var stack = m.State->Slots[Slot.Rsp];
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        Assert.Equal((ulong)Enumerable.Range(1, 3000).Count(i => (i & 63) % 2 == 0), m.State->Slots[Slot.Rbx]);
        Assert.Equal(stack, m.State->Slots[Slot.Rsp]);
    }

    // Entered from translated code often enough, a function becomes part of its callers; the sum stays what it is, and so does each register.
    [Theory]
    [MemberData(nameof(Engines))]
    public void FunctionsEnteredOftenGrowIntoTheirCallers(Engine engine)
    {
        const int Rounds = 400_000;
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        var (f, g, inner, loop) = (a.CreateLabel(), a.CreateLabel(), a.CreateLabel(), a.CreateLabel());
        a.xor(ebx, ebx);
        a.xor(r13d, r13d);
        a.mov(r12d, Rounds);
        a.Label(ref loop);
        a.mov(rcx, __qword_ptr[BareMachine.Data]);
        a.lea(rdi, __[f]);
        a.lea(rsi, __[g]);
        a.test(r12d, 3);
        a.cmove(rdi, rsi);
        a.call(rdi);
        a.add(rbx, rax);
        a.dec(r12d);
        a.jnz(loop);
        a.int3();
        a.Label(ref f);
        a.mov(eax, r12d);
        a.call(inner);
        a.ret();
        a.Label(ref g);
        a.lea(eax, __[r12 + 7]);
        a.call(inner);
        a.ret();
        a.Label(ref inner);
        a.push(r12);
        a.mov(r12d, eax);
        a.imul(r12d, r12d, 3);
        a.mov(eax, r12d);
        a.pop(r12);
        a.inc(r13);
        a.ret();
        m.Assemble(a);
        var stack = m.State->Slots[Slot.Rsp];
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        var sum = 0UL;
        for (var i = Rounds; i > 0; i--)
            sum += (uint)(((i & 3) == 0 ? i + 7 : i) * 3);
        Assert.Equal(sum, m.State->Slots[Slot.Rbx]);
        Assert.Equal((ulong)Rounds, m.State->Slots[Slot.R8 + 5]);
        Assert.Equal(stack, m.State->Slots[Slot.Rsp]);
    }

    // A ring of indirect jumps inside one region looks at the exit request.
    [Fact]
    public void RingOfIndirectJumpsCanBeStopped()
    {
        using var m = new BareMachine(Engine.Background);
        var a = new Assembler(64);
        var (x, y) = (a.CreateLabel(), a.CreateLabel());
        a.Label(ref x);
        a.inc(rbx);
        a.lea(rax, __[y]);
        a.jmp(rax);
        a.Label(ref y);
        a.dec(rcx);
        a.lea(rax, __[x]);
        a.jmp(rax);
        m.Assemble(a);

        // On a busy machine the guest may not have come far by the first time.
        do
        {
            var stopper = new Thread(() =>
            {
                Thread.Sleep(300);
                m.Cpu.RequestExit();
            });
            stopper.Start();
            Assert.Equal(ExitCause.Requested, m.Cpu.Run());
            stopper.Join();
            Assert.InRange(m.State->Slots[Slot.Rbx] + m.State->Slots[Slot.Rcx], 0UL, 1UL);
        }
        while (m.State->Slots[Slot.Rbx] <= 1000);
    }

    // Registers written on one way through the region only are right at an exit that both ways reach.
    [Theory]
    [MemberData(nameof(Engines))]
    public void ExitsStoreWhatWasWrittenOnEitherWay(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        var (skip, loop) = (a.CreateLabel(), a.CreateLabel());
        a.mov(ecx, 1001);
        a.Label(ref loop);
        a.test(ecx, 1);
        a.je(skip);
        a.add(r8, rcx);
        a.cvtsi2sd(xmm3, rcx);
        a.Label(ref skip);
        a.mov(__qword_ptr[BareMachine.Data + 8], rcx);
        a.dec(ecx);
        a.jnz(loop);
        a.mov(rsi, __qword_ptr[0x7FFF_F000]);
        m.Assemble(a);
        m.State->Slots[Slot.R8 + 1] = 0x1234;
        m.State->Slots[Slot.Rsi] = 0x77;
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        Assert.Equal(501UL * 501, m.State->Slots[Slot.R8]);
        Assert.Equal(0x1234UL, m.State->Slots[Slot.R8 + 1]);
        Assert.Equal(0x77UL, m.State->Slots[Slot.Rsi]);
        Assert.Equal(1.0, *(double*)CpuAccess.Vector(m.State, 3));
    }

    [Fact]
    public void SetsOfTargetsGrowAndKeepWhatTheyHave()
    {
        var blocks = new List<nint>();
        IndirectTargets* set = null;
        try
        {
            Assert.False(IndirectTargets.Contains(set, 5));
            for (var i = 1UL; i <= 1000; i++)
                set = IndirectTargets.With(set, i * 0x1001, Allocate);
            var kept = IndirectTargets.ToArray(set);
            Assert.InRange(kept.Length, 300, 512);
            Assert.All(kept, target => Assert.True(IndirectTargets.Contains(set, target)));
            Assert.False(IndirectTargets.Contains(set, 3));
            Assert.True((nint)set == (nint)IndirectTargets.With(set, 0, Allocate));
        }
        finally
        {
            blocks.ForEach(block => System.Runtime.InteropServices.NativeMemory.Free((void*)block));
        }

        nint Allocate(int size)
        {
            blocks.Add((nint)System.Runtime.InteropServices.NativeMemory.Alloc((nuint)size));
            return blocks[^1];
        }
    }

    // A machine with four operations reached by "jmp [table + 8 * op]"; in round patchAt it rewrites one of them.
    private static void LoadMachine(BareMachine m, int rounds, int patchAt = -1)
    {
        var a = new Assembler(64);
        var handlers = new[] { a.CreateLabel(), a.CreateLabel(), a.CreateLabel(), a.CreateLabel() };
        var (next, end, noPatch) = (a.CreateLabel(), a.CreateLabel(), a.CreateLabel());
        a.xor(eax, eax);
        a.xor(edx, edx);
        a.mov(ecx, rounds);
        a.mov(rbx, BareMachine.Data + Table);
        for (var i = 0; i < handlers.Length; i++)
        {
            a.lea(rsi, __[handlers[i]]);
            a.mov(__qword_ptr[rbx + (8 * i)], rsi);
        }

        a.Label(ref next);
        a.dec(ecx);
        a.je(end);
        a.cmp(ecx, patchAt);
        a.jne(noPatch);
        a.lea(rsi, __[handlers[1]]);
        a.mov(__byte_ptr[rsi + 2], 9); // the immediate of add edx, 5
        a.Label(ref noPatch);
        a.mov(esi, ecx);
        a.imul(esi, esi, 0x9E3779B1);
        a.shr(esi, 30);
        a.jmp(__qword_ptr[rbx + (rsi * 8)]);
        a.Label(ref handlers[0]);
        a.add(eax, ecx);
        a.jmp(next);
        a.Label(ref handlers[1]);
        a.db(0x83, 0xC2, 5); // add edx, 5
        a.jmp(next);
        a.Label(ref handlers[2]);
        a.xor(eax, edx);
        a.jmp(next);
        a.Label(ref handlers[3]);
        a.rol(eax, 3);
        a.jmp(next);
        a.Label(ref end);
        a.int3();
        m.Assemble(a);
    }

    private static (ulong Rax, ulong Rdx) Expected(int rounds, int rewritten)
    {
        var (eax, edx) = (0u, 0u);
        for (var ecx = (uint)rounds - 1; ecx > 0; ecx--)
            switch ((ecx * 0x9E3779B1) >> 30)
            {
                case 0: eax += ecx; break;
                case 1: edx += ecx <= rewritten && rewritten != int.MaxValue ? 9u : 5u; break;
                case 2: eax ^= edx; break;
                default: eax = System.Numerics.BitOperations.RotateLeft(eax, 3); break;
            }

        return (eax, edx);
    }
}
