using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Helpers.X87;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using ExitCause = DynaTrans.Frontend.Ir.ExitCause;

namespace DynaTrans.IlBackend.Tests;

/// <summary>
/// x87 code in regions, where registers are constant addresses while the stack is what was expected: random loops against the interpreter,
/// which are warm long before they end, and the ways off the expected path.
/// </summary>
public sealed unsafe class X87RegionTests
{
    private const uint Data = (uint)BareMachine.Data;
    private const uint ControlWords = Data + 0x4000;
    private const int Rounds = 60;

    private static readonly ushort[] Controls = [0x37F, 0x37F, 0x27F, 0x07F, 0x77F, 0xB7F, 0xF7F, 0x37B, 0x35E];

    private static readonly ulong[] Doubles =
    [
        0, 0x8000000000000000, 0x3FF0000000000000, 0xC008000000000000, 0x7FF0000000000000, 0xFFF0000000000000, 0x7FF8000000000001,
        0x7FF0000000000001, 1, 0x800FFFFFFFFFFFFF, 0x7FEFFFFFFFFFFFFF, 0x3CB0000000000000, 0x0010000000000000, 0x4340000000000001,
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void RandomLoopsDoAsInTheInterpreter(int seed)
    {
        var random = new Random(seed);
        var translated = 0;
        for (var i = 0; i < 40; i++)
        {
            var program = random.Next();
            var expected = RunRandom(Engine.Interpreter, program, out _);
            var actual = RunRandom(Engine.Warm, program, out var regions);
            Assert.True(expected == actual, $"seed {seed}, program {program}:\n{expected}\n{actual}");
            translated += regions > 0 ? 1 : 0;
        }

        // Some end early, by an unmasked exception.
        Assert.True(translated > 20, $"{translated} loops were translated");
    }

    [Fact]
    public void StackThatIsNotAsBeforeIsFollowed()
    {
        // Each round leaves one more value until the stack overflows: no round finds what the one before found.
        static string Run(Engine engine)
        {
            using var m = Machine(engine);
            var a = new Assembler(32);
            var again = a.CreateLabel();
            a.mov(ecx, 100);
            a.Label(ref again);
            a.fld1();
            a.fld(st0);
            a.faddp(st1, st0);
            a.dec(ecx);
            a.jne(again);
            a.hlt();
            m.Assemble(a);
            m.Cpu.Run();
            return Describe(m);
        }

        Assert.Equal(Run(Engine.Interpreter), Run(Engine.Warm));
    }

    [Fact]
    public void FaultOfALoadLeavesTheStackAlone()
    {
        static string Run(Engine engine)
        {
            using var m = Machine(engine);
            var a = new Assembler(32);
            var again = a.CreateLabel();
            a.mov(esi, Data + 0x8000 - (8 * 50));
            a.Label(ref again);
            a.fld1();
            a.fadd(__qword_ptr[esi]);
            a.fld(__qword_ptr[esi]);
            a.fxch(st0, st1);
            a.faddp(st1, st0);
            a.fstp(st0);
            a.add(esi, 8);
            a.jmp(again);
            m.Assemble(a);
            Assert.Equal(ExitCause.Exception, m.Cpu.Run());
            Assert.Equal(ExceptionVector.PageFault, m.State->Execution.ExceptionVector);
            Assert.Equal(Data + 0x8000, m.State->Execution.FaultAddress);
            return Describe(m);
        }

        Assert.Equal(Run(Engine.Interpreter), Run(Engine.Warm));
    }

    [Fact]
    public void UnmaskingInTheLoopIsNoticed()
    {
        // Division by zero is masked in all rounds but the last.
        static string Run(Engine engine)
        {
            using var m = Machine(engine);
            var a = new Assembler(32);
            var again = a.CreateLabel();
            var masked = a.CreateLabel();
            a.mov(ecx, 100);
            a.Label(ref again);
            a.cmp(ecx, 1);
            a.jne(masked);
            a.fnclex();
            a.mov(__word_ptr[Data], 0x37B);
            a.fldcw(__word_ptr[Data]);
            a.Label(ref masked);
            a.fld1();
            a.fldz();
            a.fdivp(st1, st0);
            a.fstp(st0);
            a.dec(ecx);
            a.jne(again);
            a.hlt();
            m.Assemble(a);
            m.Cpu.Run();
            Assert.Equal(ExceptionVector.FloatingPoint, m.State->Execution.ExceptionVector);
            return Describe(m);
        }

        Assert.Equal(Run(Engine.Interpreter), Run(Engine.Warm));
    }

    private static BareMachine Machine(Engine engine)
    {
        var m = new BareMachine(engine, is64: false);
        for (var i = 0; i < Controls.Length; i++)
            m.Space.Write(ControlWords + ((ulong)i * 2), BitConverter.GetBytes(Controls[i]));
        return m;
    }

    private static string RunRandom(Engine engine, int program, out long regions)
    {
        using var m = Machine(engine);
        var random = new Random(program);
        var values = new byte[0x2000];
        random.NextBytes(values);
        for (var i = 0; i < values.Length; i += 8)
        {
            var value = random.Next(3) switch
            {
                0 => Doubles[random.Next(Doubles.Length)],
                1 => BitConverter.DoubleToUInt64Bits((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-40, 40))),
                _ => 0ul,
            };
            if (value != 0)
                BitConverter.TryWriteBytes(values.AsSpan(i), value);
        }

        m.Space.Write(Data, values);
        m.Assemble(Write(random));
        var cause = m.Cpu.Run();
        regions = m.Translator?.Statistics.Regions ?? 0;
        var memory = new byte[0x3000];
        m.Space.Read(Data, memory);
        return $"{cause} {Describe(m)} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(memory))}";
    }

    // A loop over the values; most bodies leave the stack as they found it.
    private static Assembler Write(Random random)
    {
        var a = new Assembler(32);
        var again = a.CreateLabel();
        a.fninit();
        a.fldcw(__word_ptr[ControlWords + (random.Next(4) == 0 ? random.Next(Controls.Length) : 0) * 2]);
        a.mov(esi, Data);
        a.mov(edi, Data + 0x2000);
        a.mov(ecx, Rounds);
        a.Label(ref again);
        var depth = 0;
        var length = random.Next(4, 40);
        for (var i = 0; i < length; i++)
            depth = Instruction(a, random, depth);
        while (depth > 0 && random.Next(30) != 0)
        {
            a.fstp(__dword_ptr[edi + (depth * 4)]);
            depth--;
        }

        a.fnstsw(ax);
        a.add(ebp, eax);
        a.add(esi, 8);
        a.dec(ecx);
        a.jne(again);
        a.fnstenv(__[edi + 0x100]);
        a.hlt();
        return a;
    }

    // Now and then without regard to what is on the stack.
    private static int Instruction(Assembler a, Random random, int depth)
    {
        var careless = random.Next(200) == 0;
        var i = random.Next(careless ? 8 : Math.Max(depth, 1));
        var register = new AssemblerRegisterST[] { st0, st1, st2, st3, st4, st5, st6, st7 }[i];
        var offset = random.Next(64) * 8;
        var kind = random.Next(26);
        var needs = kind < 8 ? 0 : 1;
        if (!careless && (depth < needs || (depth >= 7 && kind < 8)))
            return depth;
        switch (kind)
        {
            case 0 or 1: a.fld(__qword_ptr[esi + offset]); return depth + 1;
            case 2: a.fld(__dword_ptr[esi + offset]); return depth + 1;
            case 3: a.fld1(); return depth + 1;
            case 4: a.fldz(); return depth + 1;
            case 5: a.fldpi(); return depth + 1;
            case 6: a.fild(__dword_ptr[esi + offset]); return depth + 1;
            case 7:
                if (depth == 0 && !careless)
                    return depth;
                a.fld(register);
                return depth + 1;
            case 8: a.fadd(st0, register); return depth;
            case 9: a.fmul(register, st0); return depth;
            case 10: a.fsub(st0, register); return depth;
            case 11: a.fsubr(register, st0); return depth;
            case 12: a.fdiv(st0, register); return depth;
            case 13: a.faddp(register, st0); return depth - 1;
            case 14: a.fmulp(register, st0); return depth - 1;
            case 15: a.fadd(__qword_ptr[esi + offset]); return depth;
            case 16: a.fmul(__dword_ptr[esi + offset]); return depth;
            case 17: a.fdivr(__qword_ptr[esi + offset]); return depth;
            case 18: a.fxch(st0, register); return depth;
            case 19: a.fst(register); return depth;
            case 20: a.fstp(register); return depth - 1;
            case 21:
                a.fst(__qword_ptr[edi + offset]);
                return depth;
            case 22: a.fstp(__qword_ptr[edi + offset]); return depth - 1;
            case 23:
                if (random.Next(2) == 0)
                    a.fabs();
                else
                    a.fchs();
                return depth;
            case 24: a.fcomi(st0, register); a.setb(bl); return depth;
            default:
                switch (random.Next(4))
                {
                    case 0: a.fsqrt(); break;
                    case 1: a.fistp(__dword_ptr[edi + offset]); return depth - 1;
                    case 2: a.fldcw(__word_ptr[ControlWords + (random.Next(7) * 2)]); break;
                    default: a.fnstsw(__word_ptr[edi + 0x400]); break;
                }

                return depth;
        }
    }

    private static string Describe(BareMachine m)
    {
        var s = m.State;
        var registers = string.Join(
            ' ', Enumerable.Range(0, 8).Select(i => $"{((ushort*)&s->X87)[(i * 8) + 4]:x4}{((ulong*)&s->X87)[i * 2]:x16}"));
        return $"rip {s->Slots[Slot.Rip]:x} eax {s->Slots[Slot.Rax]:x} ebp {s->Slots[Slot.Rbp]:x} ecx {s->Slots[Slot.Rcx]:x} "
            + $"esi {s->Slots[Slot.Rsi]:x} ebx {s->Slots[Slot.Rbx]:x} vector {s->Execution.ExceptionVector} fcw {s->Fcw:x} fsw {s->Fsw:x} valid {s->FpuValid:x} "
            + $"last {s->X87.Last:x} fdp {s->X87.Fdp:x} {registers}";
    }
}
