using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;
using Iced.Intel;
using Xunit.Abstractions;
using static Iced.Intel.AssemblerRegisters;
using ExitCause = DynaTrans.Frontend.Ir.ExitCause;

namespace DynaTrans.IlBackend.Tests;

/// <summary>
/// Random loops of instructions that write, read, keep or half-change the flags, and parts of registers, with branches, calls and accesses that at
/// last fault: registers and flags are those of the interpreter, whatever the engine.
/// </summary>
public sealed unsafe class FlagsAcrossBlocksTests(ITestOutputHelper output)
{
    private const int Programs = 60;

    private static readonly AssemblerRegister32[] Wide = [eax, ebx, edx, esi];
    private static readonly AssemblerRegister8[] Low = [al, bl, dl, cl];
    private static readonly AssemblerRegister8[] High = [ah, bh, dh];

    [Theory]
    [InlineData(Engine.Jit, true)]
    [InlineData(Engine.Jit, false)]
    [InlineData(Engine.Warm, true)]
    [InlineData(Engine.Warm, false)]
    public void FaultAfterARandomLoopShowsTheSame(Engine engine, bool is64)
    {
        for (var seed = 1; seed <= Programs; seed++)
        {
            var expected = Run(Engine.Interpreter, is64, seed, out var text);
            var actual = Run(engine, is64, seed, out _);
            if (!expected.SequenceEqual(actual))
                output.WriteLine($"seed {seed}\n{text}");
            Assert.Equal(expected, actual);
        }
    }

    private static ulong[] Run(Engine engine, bool is64, int seed, out string text)
    {
        using var m = new BareMachine(engine, is64);
        var random = new Random(seed);
        var a = new Assembler(is64 ? 64 : 32);
        var loop = a.CreateLabel();
        var function = a.CreateLabel();
        a.mov(edi, (uint)BareMachine.Data);
        a.mov(ecx, (uint)random.Next());
        a.cmp(eax, random.Next(3));
        a.Label(ref loop);
        var inner = random.Next(4);
        for (var i = 0; i < inner; i++)
            Step(a, random, is64);
        var blocks = random.Next(1, 4);
        for (var b = 0; b < blocks; b++)
        {
            var skip = a.CreateLabel();
            for (var i = random.Next(4); i > 0; i--)
                Step(a, random, is64);
            if (random.Next(3) == 0)
                a.call(function);
            Jump(a, random, skip);
            for (var i = random.Next(3); i > 0; i--)
                Step(a, random, is64);
            a.Label(ref skip);
            a.nop();
        }

        // The access beyond the data faults; the loop has no other end.
        a.lea(edi, __[edi + random.Next(0x100, 0x400)]);
        for (var i = random.Next(3); i > 0; i--)
            Step(a, random, is64);
        a.mov(__dword_ptr[edi], eax);
        if (random.Next(2) == 0)
            Step(a, random, is64);
        a.jmp(loop);
        a.Label(ref function);
        for (var i = random.Next(3); i > 0; i--)
            Step(a, random, is64);
        a.ret();
        m.Assemble(a);
        for (ushort r = Slot.Rax; r <= Slot.Rsi; r++)
            if (r is not Slot.Rsp)
                m.State->Slots[r] = (uint)random.Next();
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        text = string.Join("\n", a.Instructions);
        var result = new ulong[19];
        for (var i = 0; i < 16; i++)
            result[i] = m.State->Slots[i];
        result[16] = CpuAccess.GetEflags(m.State);
        result[17] = m.State->Slots[Slot.Rip];

        // A page fault, or a quotient that did not fit.
        result[18] = (ulong)m.State->Execution.ExceptionVector;
        return result;
    }

    private static void Jump(Assembler a, Random random, Label to)
    {
        switch (random.Next(14))
        {
            case 0: a.je(to); break;
            case 1: a.jne(to); break;
            case 2: a.jb(to); break;
            case 3: a.ja(to); break;
            case 4: a.jl(to); break;
            case 5: a.jg(to); break;
            case 6: a.js(to); break;
            case 7: a.jo(to); break;
            case 8: a.jp(to); break;
            case 9: a.jno(to); break;
            case 10: a.jle(to); break;
            case 11: a.jge(to); break;
            case 12: a.jnp(to); break;
            default: a.jbe(to); break;
        }
    }

    private static void Step(Assembler a, Random random, bool is64)
    {
        var x = Wide[random.Next(Wide.Length)];
        var y = Wide[random.Next(Wide.Length)];
        var low = Low[random.Next(Low.Length)];
        var high = High[random.Next(High.Length)];
        var count = (byte)random.Next(40);
        switch (random.Next(44))
        {
            case 0: a.add(x, y); break;
            case 1: a.adc(x, y); break;
            case 2: a.sub(x, random.Next(1000)); break;
            case 3: a.sbb(x, y); break;
            case 4: a.cmp(x, y); break;
            case 5: a.test(x, y); break;
            case 6: a.inc(x); break;
            case 7: a.dec(x); break;
            case 8: a.shl(x, cl); break;
            case 9: a.shr(x, count); break;
            case 10: a.sar(x, cl); break;
            case 11: a.rol(x, count); break;
            case 12: a.ror(x, cl); break;
            case 13: a.bt(x, (byte)random.Next(32)); break;
            case 14: a.neg(x); break;
            case 15: a.setb(low); break;
            case 16: a.cmovl(x, y); break;
            case 17: a.add(low, high); break;
            case 18: a.xor(high, low); break;
            case 19: a.movzx(x, low); break;
            case 20: a.mov(high, low); break;
            case 21: a.cmp(low, (sbyte)random.Next(100)); break;
            case 22: a.imul(x, y); break;
            case 23: a.mul(x); break;
            case 24: a.shld(x, y, count); break;
            case 25: a.shrd(x, y, cl); break;
            case 26: a.add(__dword_ptr[edi], x); break;
            case 27: a.and(__dword_ptr[edi], x); break;
            case 28: a.mov(x, __dword_ptr[edi]); break;
            case 29: a.inc(__byte_ptr[edi]); break;
            case 30: a.shl(__word_ptr[edi], cl); break;
            case 31: a.adc(low, high); break;
            case 32: a.rcl(x, 1); break;
            case 33: a.cmc(); break;
            case 34: a.movsx(x, high); break;
            case 35: a.btr(x, y); break;
            case 36: a.or(__dword_ptr[edi], x); break;
            case 37: a.shr(low, count); break;
            case 38 when is64: a.sbb(rax, rdx); break;
            case 39 when is64: a.cmp(rbx, rdx); break;
            case 40:
                a.or(ecx, 1);
                a.xor(edx, edx);
                a.div(ecx);
                break;
            case 41:
                a.mov(esi, random.Next(-9, 9) | 1);
                a.cdq();
                a.idiv(esi);
                break;
            case 42: a.imul(x); break;
            case 43: a.cmova(x, y); break;
            default: a.lahf(); break;
        }
    }
}
