using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using ExitCause = DynaTrans.Frontend.Ir.ExitCause;

namespace DynaTrans.IlBackend.Tests;

/// <summary>Accesses that share tests fault, wrap around and rewrite code exactly as those with tests of their own.</summary>
public sealed unsafe class SharedCheckTests
{
    private const ulong ReadOnly = BareMachine.Data + 0x3000;
    private const int Seeds = 150;

    public static TheoryData<Engine, bool> Engines => new()
    {
        { Engine.Jit, false }, { Engine.Jit, true }, { Engine.Warm, false }, { Engine.Warm, true }, { Engine.Background, true },
        { Engine.Lookaside, true }, { Engine.WarmLookaside, false }, { Engine.WarmLookaside, true },
    };

    [Theory]
    [MemberData(nameof(Engines))]
    public void RandomAccessesAroundPageEdgesAgreeWithTheInterpreter(Engine engine, bool is64)
    {
        ulong rounds = 0;
        for (var seed = 1; seed <= Seeds; seed++)
        {
            using var expected = Prepare(Engine.Interpreter, is64, seed);
            using var actual = Prepare(engine, is64, seed);
            var cause = expected.Cpu.Run();
            Assert.True(cause == actual.Cpu.Run(), $"cause, seed {seed}");
            for (ushort i = 0; i < 16; i++)
                Assert.True(expected.State->Slots[i] == actual.State->Slots[i], $"{Slot.Name(i)}, seed {seed}");
            Assert.True(expected.State->Slots[Slot.Rip] == actual.State->Slots[Slot.Rip], $"rip, seed {seed}");
            Assert.True(CpuAccess.GetEflags(expected.State) == CpuAccess.GetEflags(actual.State), $"flags, seed {seed}");
            Assert.True(expected.State->Execution.ExceptionVector == actual.State->Execution.ExceptionVector, $"exception, seed {seed}");
            if (cause == ExitCause.Exception)
                Assert.True(
                    (expected.State->Execution.FaultAddress, expected.State->Execution.ExceptionError) == (actual.State->Execution.FaultAddress, actual.State->Execution.ExceptionError),
                    $"fault, seed {seed}");
            Assert.True(Memory(expected).SequenceEqual(Memory(actual)), $"memory, seed {seed}");
            rounds += expected.State->Slots[Slot.Rsi];
        }

        // Most must come round often enough to be compiled.
        Assert.True(rounds > 40 * Seeds, $"{rounds} rounds");
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    [InlineData(Engine.Warm)]
    public void PushesIntoTheGuardPageFaultAtTheRightOne(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.mov(ecx, 1000);
        a.Label(ref loop);
        a.push(rax);
        a.push(rcx);
        a.sub(rsp, 0x28);
        a.mov(__qword_ptr[rsp + 8], rcx);
        a.mov(__qword_ptr[rsp], rax);
        a.dec(ecx);
        a.jnz(loop);
        a.int3();
        m.Assemble(a);

        // 0x28 bytes are left when the frames have come down: the second push of the last frame goes below the mapping.
        m.State->Slots[Slot.Rsp] = 0x38000 + (56 * 500) + 8;
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        Assert.Equal(ExceptionVector.PageFault, m.State->Execution.ExceptionVector);
        Assert.Equal(0x38000UL - 8, m.State->Execution.FaultAddress);
        Assert.Equal(0x38000UL, m.State->Slots[Slot.Rsp]);
        Assert.Equal(500UL, m.State->Slots[Slot.Rcx]);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    [InlineData(Engine.Warm)]
    public void AddressesThatWrapAroundAreTwoPlaces(Engine engine)
    {
        using var m = new BareMachine(engine, is64: false);
        m.Space.Map(0, 0x2000, PagePermission.Read | PagePermission.Write);
        m.Space.Map(0xFFFF_E000, 0x2000, PagePermission.Read | PagePermission.Write);
        m.Space.Write(0xFFFF_FFF0, [1]);
        m.Space.Write(0x10, [2]);
        var a = new Assembler(32);
        var loop = a.CreateLabel();
        a.mov(ecx, 100);
        a.mov(ebx, 0xFFFF_FFF0);
        a.Label(ref loop);
        a.movzx(eax, __byte_ptr[ebx]);
        a.add(esi, eax);
        a.movzx(eax, __byte_ptr[ebx + 0x20]);
        a.add(esi, eax);
        a.mov(__dword_ptr[ebx + 0x40], esi);
        a.mov(__dword_ptr[ebx + 0xE], esi);
        a.dec(ecx);
        a.jnz(loop);
        a.int3();
        m.Assemble(a);
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        Assert.Equal(300UL, m.State->Slots[Slot.Rsi]);
        var bytes = new byte[4];
        m.Space.Read(0x30, bytes);
        Assert.Equal([0x2C, 1, 0, 0], bytes);
        m.Space.Read(0, bytes.AsSpan(0, 2));
        Assert.Equal([0, 0], bytes[..2]);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    [InlineData(Engine.Warm)]
    [InlineData(Engine.Background)]
    public void StoresThatReachCodeBesideDataAreSeen(Engine engine)
    {
        using var m = new BareMachine(engine);
        var function = BareMachine.Code + 0x3000;
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.mov(rbx, function - 0x800);
        a.mov(ecx, 300);
        a.Label(ref loop);
        a.mov(__dword_ptr[rbx], ecx);
        a.mov(__dword_ptr[rbx + 0x801], ecx);
        a.mov(__dword_ptr[rbx + 8], ecx);
        a.mov(rdx, function);
        a.call(rdx);
        a.add(rsi, rax);
        a.dec(ecx);
        a.jnz(loop);
        a.int3();
        m.Assemble(a);
        var f = new Assembler(64);
        f.mov(eax, 0);
        f.ret();
        m.Assemble(f, function);
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        Assert.Equal(300UL * 301 / 2, m.State->Slots[Slot.Rsi]);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    [InlineData(Engine.Warm)]
    public void PermissionsTakenAwayReachARunningLoop(Engine engine)
    {
        using var m = new BareMachine(engine);
        using var other = m.NewCpu(true);
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.mov(rbx, BareMachine.Data);
        a.Label(ref loop);
        a.mov(rax, __qword_ptr[rbx]);
        a.mov(__qword_ptr[rbx + 8], rcx);
        a.inc(rcx);
        a.jmp(loop);
        m.Assemble(a);
        using var timer = new Timer(_ => m.Space.Protect(BareMachine.Data, 0x1000, PagePermission.Read), null, 100, Timeout.Infinite);
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        Assert.Equal(BareMachine.Data + 8, m.State->Execution.FaultAddress);
        var last = new byte[8];
        m.Space.Read(BareMachine.Data + 8, last);
        Assert.Equal(m.State->Slots[Slot.Rcx], BitConverter.ToUInt64(last) + 1);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    [InlineData(Engine.Warm)]
    public void ALoopWhoseTestFailsGoesOnWithoutIt(Engine engine)
    {
        using var m = new BareMachine(engine);
        m.Space.Write(0x3FFF8, [5]);
        var a = new Assembler(64);
        var (outer, loop) = (a.CreateLabel(), a.CreateLabel());
        a.mov(edx, 200);
        a.mov(rbx, 0x3FFF8);
        a.Label(ref outer);
        a.mov(ecx, 20);
        a.Label(ref loop);
        a.movzx(eax, __byte_ptr[rbx]);
        a.add(esi, eax);
        a.dec(ecx);
        a.jnz(loop);
        a.dec(edx);
        a.jnz(outer);
        a.int3();
        m.Assemble(a);
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        Assert.Equal(20_000UL, m.State->Slots[Slot.Rsi]);
        Assert.True(m.Translator == null || m.Translator.Statistics.Recompiled is > 0 and < 5);
    }

    private static BareMachine Prepare(Engine engine, bool is64, int seed)
    {
        var m = new BareMachine(engine, is64);
        m.Space.Protect(ReadOnly, 0x1000, PagePermission.Read);
        m.Space.Unmap(0x3A000, 0x1000);
        m.Assemble(Program(is64, new Random(seed)));
        return m;
    }

    // A loop with a branch inside; its pointers walk about slowly, now and then over an edge.
    private static Assembler Program(bool is64, Random random)
    {
        var a = new Assembler(is64 ? 64 : 32);
        ulong[] starts = [BareMachine.Data + 0x1800, BareMachine.Data + 0x2700, BareMachine.Data + 0x1E00, BareMachine.Data + 0x5F00, BareMachine.Data + 0x7700, 0x3C200];
        Set(a, is64, 6, 0);
        foreach (var pointer in (int[])[0, 1, 3])
            Set(a, is64, pointer, starts[random.Next(starts.Length)] + (ulong)random.Next(0x100));
        Set(a, is64, 4, 0x3C000 + (ulong)random.Next(0x200));
        Set(a, is64, 7, 80);
        var loop = a.CreateLabel();
        a.Label(ref loop);
        Some(a, is64, random);
        var (other, join) = (a.CreateLabel(), a.CreateLabel());
        a.test(esi, random.Next(2) == 0 ? 1 : 4);
        a.je(other);
        Some(a, is64, random);
        a.jmp(join);
        a.Label(ref other);
        Some(a, is64, random);
        a.Label(ref join);
        Some(a, is64, random);
        a.inc(esi);
        a.dec(edi);
        a.jnz(loop);
        a.int3();
        return a;
    }

    private static void Some(Assembler a, bool is64, Random random)
    {
        for (var i = random.Next(1, 8); i > 0; i--)
            One(a, is64, random);
    }

    private static void One(Assembler a, bool is64, Random random)
    {
        AssemblerRegister64[] wide = [rax, rcx, rbx];
        AssemblerRegister32[] narrow = [eax, ecx, ebx];
        var (p, q) = (random.Next(3), random.Next(3));
        var disp = random.Next(12) == 0 ? random.Next(-4200, 4200) : random.Next(-64, 64);
        var at = is64 ? __[wide[p] + disp] : __[narrow[p] + disp];
        switch (random.Next(16))
        {
            case 0 or 1 or 2:
                a.mov(edx, __dword_ptr[at]);
                break;
            case 3 or 4:
                a.mov(__dword_ptr[at], esi);
                break;
            case 5:
                a.add(__byte_ptr[at], dl);
                break;
            case 6 when is64:
                a.add(wide[p], random.Next(-16, 24));
                break;
            case 6 or 7:
                a.add(narrow[p], random.Next(-16, 24));
                break;
            case 8 when is64:
                a.lea(rbp, __[wide[p] + disp]);
                a.movups(__xmmword_ptr[rbp + 8], xmm0);
                break;
            case 8:
                a.lea(ebp, __[narrow[p] + disp]);
                a.movups(xmm1, __xmmword_ptr[ebp + 8]);
                break;
            case 9 when is64:
                a.push(rdx);
                a.push(rsi);
                a.mov(__dword_ptr[rsp + 4], edx);
                a.add(rsp, random.Next(3) == 0 ? 8 : 16);
                break;
            case 9:
                a.push(edx);
                a.push(esi);
                a.mov(__dword_ptr[esp + 4], edx);
                a.pop(edx);
                a.pop(edx);
                break;
            case 10 when is64:
                a.mov(edx, __dword_ptr[wide[p] + rsi * 4 + disp]);
                a.mov(__dword_ptr[wide[p] + rsi * 4 + 4], esi);
                break;
            case 10:
                a.mov(edx, __dword_ptr[narrow[p] + esi * 4 + disp]);
                a.mov(__word_ptr[narrow[p] + esi * 4 + 4], dx);
                break;
            case 11 when is64:
                a.mov(rbp, wide[q]);
                a.sub(rbp, 8);
                a.mov(rdx, __qword_ptr[rbp]);
                break;
            case 11:
                a.mov(ebp, narrow[q]);
                a.dec(ebp);
                a.mov(edx, __dword_ptr[ebp]);
                break;
            case 12:
                a.mov(__dword_ptr[(long)BareMachine.Data + 0x1FF0 + random.Next(32)], edx);
                a.mov(edx, __dword_ptr[(long)ReadOnly + random.Next(0x1100)]);
                break;
            case 13:
                a.and(edx, 0xF);
                a.add(narrow[p], edx);
                break;
            case 14:
                a.movaps(xmm0, __xmmword_ptr[(long)BareMachine.Data + 0x100]);
                a.paddd(xmm0, xmm1);
                break;
            default:
                a.xor(edx, esi);
                break;
        }
    }

    private static void Set(Assembler a, bool is64, int register, ulong value)
    {
        AssemblerRegister64[] wide = [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi];
        AssemblerRegister32[] narrow = [eax, ecx, edx, ebx, esp, ebp, esi, edi];
        if (is64)
            a.mov(wide[register], value);
        else
            a.mov(narrow[register], (uint)value);
    }

    private static byte[] Memory(BareMachine m)
    {
        var all = new byte[0x10000];
        m.Space.Read(BareMachine.Data, all.AsSpan(0, 0x8000));
        m.Space.Read(0x38000, all.AsSpan(0x8000, 0x2000));
        m.Space.Read(0x3B000, all.AsSpan(0xA000, 0x5000));
        return all;
    }
}
