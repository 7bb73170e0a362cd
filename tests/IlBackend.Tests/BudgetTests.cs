using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.IlBackend.Tests;

/// <summary>Runs with an instruction budget stop after exactly so many instructions, in hot regions too.</summary>
public sealed unsafe class BudgetTests
{
    private const ulong Table = BareMachine.Data + 0x1000;
    private const int TableSize = 8;

    // Address that is not mapped, behind the data.
    private const ulong Unmapped = BareMachine.Data + 0x9000;

    public static TheoryData<string, Engine> Cases
    {
        get
        {
            var cases = new TheoryData<string, Engine>();
            foreach (var name in Programs.Keys)
                foreach (var engine in (Engine[])[Engine.Jit, Engine.Warm, Engine.Background])
                    cases.Add(name, engine);
            return cases;
        }
    }

    private static readonly Dictionary<string, Action<Assembler>> Programs = new()
    {
        ["integer"] = Integer,
        ["memory"] = Memory,
        ["calls"] = Calls,
        ["indirect"] = Indirect,
        ["strings"] = Strings,
        ["faults"] = Faults,
        ["modes"] = Modes,
        ["straight"] = Straight,
    };

    // One run of so many instructions, from the start.
    [Theory]
    [MemberData(nameof(Cases))]
    public void StopsAfterExactlySoMany(string program, Engine engine)
    {
        var random = new Random(11);
        using var expected = Machine(program, Engine.Interpreter);
        using var m = Machine(program, engine);
        var total = Warm(m, expected);
        for (var i = 0; i < 60; i++)
        {
            var budget = i < 20 ? (ulong)i + 1 : (ulong)random.NextInt64(1, (long)total);
            Restart(expected);
            Restart(m);
            RunBoth(expected, m, budget, $"{program}, {engine}, seed 11, budget {budget}");
        }

        AssertRegionsWereUsed(m, program, engine);
    }

    // Many runs one after the other, small and large, some of them without a budget.
    [Theory]
    [MemberData(nameof(Cases))]
    public void SlicesAddUp(string program, Engine engine)
    {
        var random = new Random(12);
        using var expected = Machine(program, Engine.Interpreter);
        using var m = Machine(program, engine);
        Warm(m, expected);
        for (var round = 0; round < 3; round++)
        {
            Restart(expected);
            Restart(m);
            for (var i = 0; ; i++)
            {
                var budget = (ulong)random.NextInt64(1, random.Next(5) switch { 0 => 5, 1 => 60, 2 => 1000, 3 => 10_000, _ => 300_000 });
                if (RunBoth(expected, m, budget, $"{program}, {engine}, seed 12, round {round}, slice {i}") == ExitCause.SoftwareInterrupt)
                    break;
            }
        }
    }

    // Without a budget the code does not count; each kind of run finds code of its own kind.
    [Theory]
    [InlineData(Engine.Warm)]
    [InlineData(Engine.Background)]
    public void RunsWithAndWithoutBudgetDoNotMix(Engine engine)
    {
        using var expected = Machine("calls", Engine.Interpreter);
        using var m = Machine("calls", engine);
        var total = Warm(m, expected);
        var random = new Random(13);
        for (var i = 0; i < 20; i++)
        {
            var budget = (ulong)random.NextInt64(1, (long)total);
            Restart(expected);
            Restart(m);
            RunBoth(expected, m, budget, $"seed 13, budget {budget}");
            Assert.Equal(ExitCause.SoftwareInterrupt, expected.Cpu.Run());
            Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
            Assert.Equal(expected.State->Slots[Slot.Rax], m.State->Slots[Slot.Rax]);
        }

        Assert.Equal(2, m.Cache.Contexts.Count);
    }

    // An exit request stops a run with a budget early; the rest of the budget is not lost.
    [Fact]
    public void RequestStopsARunWithABudget()
    {
        using var m = new BareMachine(Engine.Warm);
        m.Space.Write(BareMachine.Code, [0xFF, 0xC0, 0xEB, 0xFC]);
        m.Cpu.Run(1_000_000);
        Restart(m);
        using var timer = new Timer(_ => m.Cpu.RequestExit(), null, 50, Timeout.Infinite);
        Assert.Equal(ExitCause.Requested, m.Cpu.Run(ulong.MaxValue / 2));
        var done = m.State->Execution.InstructionCount;
        Assert.Equal((done + 1) / 2, m.State->Slots[Slot.Rax]);
        Assert.Equal(ExitCause.Budget, m.Cpu.Run(1001));
        Assert.Equal(done + 1001, m.State->Execution.InstructionCount);
    }

    private static ExitCause RunBoth(BareMachine expected, BareMachine m, ulong budget, string what)
    {
        var (end, limit) = (expected.State->Execution.InstructionCount + budget, budget);
        while (true)
        {
            var cause = expected.Cpu.Run(limit);
            var actual = m.Cpu.Run(limit);
            Compare(expected, m, what);
            Assert.True(cause == actual, $"{cause} and {actual}: {what}");
            if (cause != ExitCause.Exception)
            {
                if (cause == ExitCause.Budget)
                    Assert.Equal(end, m.State->Execution.InstructionCount);
                return cause;
            }

            // What a host does: the store is skipped, and the run goes on.
            foreach (var machine in (BareMachine[])[expected, m])
                machine.State->Slots[Slot.Rip] += 3;
            limit = end - expected.State->Execution.InstructionCount;
            if (limit == 0)
                return ExitCause.Budget;
        }
    }

    private static void Compare(BareMachine expected, BareMachine m, string what)
    {
        CpuState* a = expected.State, b = m.State;
        Assert.True(a->Execution.InstructionCount == b->Execution.InstructionCount,
            $"{b->Execution.InstructionCount} instructions, {a->Execution.InstructionCount} expected: {what}");
        for (ushort i = 0; i < 16; i++)
            Assert.True(a->Slots[i] == b->Slots[i], $"{Slot.Name(i)} is {b->Slots[i]:x}, {a->Slots[i]:x} expected: {what}");
        Assert.True(a->Slots[Slot.Rip] == b->Slots[Slot.Rip], $"rip is {b->Slots[Slot.Rip]:x}, {a->Slots[Slot.Rip]:x} expected: {what}");
        Assert.True(CpuAccess.GetEflags(a) == CpuAccess.GetEflags(b), $"flags: {what}");
        var (x, y) = (new byte[0x3000], new byte[0x3000]);
        expected.Space.Read(BareMachine.Data, x);
        m.Space.Read(BareMachine.Data, y);
        Assert.True(x.AsSpan().SequenceEqual(y), $"memory: {what}");
    }

    private static BareMachine Machine(string program, Engine engine)
    {
        var m = new BareMachine(engine);
        var a = new Assembler(64);
        Programs[program](a);
        m.Assemble(a);
        return m;
    }

    // Runs both to the end, which makes regions, and gives the number of instructions.
    private static ulong Warm(BareMachine m, BareMachine expected)
    {
        RunBoth(expected, m, ulong.MaxValue / 4, "warming");
        return expected.State->Execution.InstructionCount;
    }

    private static void Restart(BareMachine m)
    {
        var s = m.State;
        for (ushort i = 0; i < 16; i++)
            s->Slots[i] = 0;
        s->Slots[Slot.Rsp] = BareMachine.Stack - 0x100;
        s->Slots[Slot.Rip] = BareMachine.Code;
        s->Execution.InstructionCount = 0;
        CpuAccess.SetEflags(s, 0x202);
        m.Space.Write(BareMachine.Data, new byte[0x3000]);
    }

    private static void AssertRegionsWereUsed(BareMachine m, string program, Engine engine)
    {
        if (engine != Engine.Jit)
            Assert.True(m.Translator!.Statistics.Regions > 0, $"{program}, {engine}");
    }

    private static void Integer(Assembler a)
    {
        var (loop, odd, next) = (a.CreateLabel(), a.CreateLabel(), a.CreateLabel());
        a.mov(ecx, 100_000);
        a.mov(eax, 1);
        a.Label(ref loop);
        a.imul(eax, eax, 1664525);
        a.add(eax, 1013904223);
        a.test(eax, 0x10000);
        a.jne(odd);
        a.xor(ebx, eax);
        a.rol(ebx, 3);
        a.jmp(next);
        a.Label(ref odd);
        a.adc(ebx, ecx);
        a.Label(ref next);
        a.dec(ecx);
        a.jne(loop);
        a.int3();
    }

    private static void Memory(Assembler a)
    {
        var (outer, inner) = (a.CreateLabel(), a.CreateLabel());
        a.mov(edx, 200);
        a.Label(ref outer);
        a.mov(rsi, (long)BareMachine.Data);
        a.mov(ecx, 256);
        a.Label(ref inner);
        a.mov(eax, __dword_ptr[rsi]);
        a.add(eax, edx);
        a.xor(eax, ecx);
        a.mov(__dword_ptr[rsi], eax);
        a.add(__dword_ptr[rsi + 4], eax);
        a.add(rsi, 8);
        a.dec(ecx);
        a.jne(inner);
        a.dec(edx);
        a.jne(outer);
        a.int3();
    }

    private static void Calls(Assembler a)
    {
        var (fib, small, start) = (a.CreateLabel(), a.CreateLabel(), a.CreateLabel());
        a.jmp(start);
        a.Label(ref fib);
        a.cmp(edi, 2);
        a.jb(small);
        a.push(rdi);
        a.dec(edi);
        a.call(fib);
        a.pop(rdi);
        a.push(rax);
        a.sub(edi, 2);
        a.call(fib);
        a.pop(rdx);
        a.add(rax, rdx);
        a.ret();
        a.Label(ref small);
        a.mov(eax, edi);
        a.ret();
        a.Label(ref start);
        a.mov(edi, 19);
        a.call(fib);
        a.int3();
    }

    // A jump table, and calls through a register.
    private static void Indirect(Assembler a)
    {
        var (loop, join, function) = (a.CreateLabel(), a.CreateLabel(), a.CreateLabel());
        var targets = Enumerable.Range(0, TableSize).Select(_ => a.CreateLabel()).ToArray();
        for (var i = 0; i < TableSize; i++)
        {
            a.lea(rax, __[targets[i]]);
            a.mov(__qword_ptr[Table + (ulong)(8 * i)], rax);
        }

        a.lea(r8, __[function]);
        a.mov(ecx, 40_000);
        a.mov(ebx, 7);
        a.Label(ref loop);
        a.imul(ebx, ebx, 1664525);
        a.add(ebx, 1013904223);
        a.mov(edx, ebx);
        a.shr(edx, 29);
        a.jmp(__qword_ptr[rdx * 8 + (int)Table]);
        for (var i = 0; i < TableSize; i++)
        {
            a.Label(ref targets[i]);
            a.add(r9, i + 1);
            if (i % 3 == 0)
                a.call(r8);
            if (i % 2 == 0)
                a.rol(r9, (byte)(i + 1));
            a.jmp(join);
        }

        a.Label(ref join);
        a.dec(ecx);
        a.jne(loop);
        a.int3();
        a.Label(ref function);
        a.lea(r10, __[r10 + r9]);
        a.ret();
    }

    private static void Strings(Assembler a)
    {
        var loop = a.CreateLabel();
        a.mov(edx, 3000);
        a.Label(ref loop);
        a.mov(edi, (int)BareMachine.Data + 0xF00);
        a.mov(ecx, edx);
        a.and(ecx, 0x1FF);
        a.mov(eax, edx);
        a.rep.stosb();
        a.mov(esi, (int)BareMachine.Data + 0xF00);
        a.mov(edi, (int)BareMachine.Data + 0x1F80);
        a.mov(ecx, 0x90);
        a.rep.movsd();
        a.mov(edi, (int)BareMachine.Data + 0xF00);
        a.mov(ecx, 0x180);
        a.inc(al);
        a.repne.scasb();
        a.adc(ebx, ecx);
        a.dec(edx);
        a.jne(loop);
        a.int3();
    }

    // Every 64th store is to memory that is not mapped; it has 3 bytes.
    private static void Faults(Assembler a)
    {
        var loop = a.CreateLabel();
        a.mov(ecx, 10_000);
        a.mov(r8, Unmapped);
        a.mov(r9, BareMachine.Data + 0x10);
        a.Label(ref loop);
        a.inc(eax);
        a.mov(rdi, r9);
        a.test(ecx, 63);
        a.cmove(rdi, r8);
        a.mov(__qword_ptr[rdi], rax);
        a.add(rbx, rax);
        a.dec(ecx);
        a.jne(loop);
        a.int3();
    }

    private static void Modes(Assembler a)
    {
        var (loop, inner) = (a.CreateLabel(), a.CreateLabel());
        a.mov(__dword_ptr[BareMachine.Data], 0x1F80);
        a.mov(__dword_ptr[BareMachine.Data + 4], 0x1D80);
        a.mov(ecx, 3000);
        a.Label(ref loop);
        a.ldmxcsr(__dword_ptr[BareMachine.Data]);
        a.mov(edx, 10);
        a.Label(ref inner);
        a.add(eax, edx);
        a.dec(edx);
        a.jne(inner);
        a.ldmxcsr(__dword_ptr[BareMachine.Data + 4]);
        a.inc(ebx);
        a.dec(ecx);
        a.jne(loop);
        a.int3();
    }

    // Longer from one jump back to the next than what a region lets pass without a test.
    private static void Straight(Assembler a)
    {
        var loop = a.CreateLabel();
        a.mov(ecx, 1000);
        a.Label(ref loop);
        for (var i = 0; i < 700; i++)
        {
            a.add(eax, i);
            if (i % 50 != 49)
                continue;
            var skip = a.CreateLabel();
            a.test(eax, 1 << (i / 50));
            a.je(skip);
            a.xor(ebx, eax);
            a.Label(ref skip);
        }

        a.nop();
        a.dec(ecx);
        a.jne(loop);
        a.int3();
    }
}
