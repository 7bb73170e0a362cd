using BenchmarkDotNet.Attributes;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Benchmarks;

/// <summary>Families of instructions without much else; a round is 12 instructions, two of them the loop's.</summary>
public class InstructionBenchmarks : ExecutionBenchmarks
{
    /// <summary>Integer: moves, additions, logic, shifts, a multiplication.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void Integer() => RunLoop(nameof(Integer), _ => { }, a =>
    {
        a.mov(eax, ecx);
        a.add(ebx, eax);
        a.lea(edx, __[rbx + (rax * 2) + 7]);
        a.xor(esi, edx);
        a.shr(edx, 3);
        a.imul(eax, esi);
        a.movzx(edi, al);
        a.sub(edx, edi);
        a.rol(esi, 7);
        a.or(eax, edx);
    });

    /// <summary>SSE2: packed integers and scalar doubles.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void Vector() => RunLoop(
        nameof(Vector),
        a =>
        {
            a.mov(eax, 3);
            a.cvtsi2sd(xmm0, eax);
            a.movapd(xmm1, xmm0);
            a.pxor(xmm4, xmm4);
        },
        a =>
        {
            a.addsd(xmm0, xmm1);
            a.mulsd(xmm0, xmm1);
            a.subsd(xmm0, xmm1);
            a.movd(xmm3, ecx);
            a.pshufd(xmm3, xmm3, 0);
            a.paddd(xmm4, xmm3);
            a.pxor(xmm4, xmm3);
            a.punpcklwd(xmm3, xmm4);
            a.sqrtsd(xmm2, xmm1);
            a.minsd(xmm0, xmm2);
        });

    /// <summary>x87: a load from memory, a sum, a product and a store.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void X87() => RunLoop(
        nameof(X87),
        a =>
        {
            a.mov(rsi, Guest.Data);
            a.mov(rax, BitConverter.DoubleToInt64Bits(1.25));
            a.mov(__qword_ptr[rsi], rax);
            a.fninit();
        },
        a =>
        {
            a.fld(__qword_ptr[rsi]);
            a.fld(st0);
            a.fmul(__qword_ptr[rsi]);
            a.fld1();
            a.faddp(st1, st0);
            a.fxch(st0, st1);
            a.fsubp(st1, st0);
            a.fchs();
            a.fabs();
            a.fstp(__qword_ptr[rsi + 8]);
        });
}
