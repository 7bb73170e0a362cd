using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Benchmarks;

/// <summary>Guest code that several benchmarks use.</summary>
internal static class Snippets
{
    /// <summary>Rounds of a measured loop.</summary>
    public const int Rounds = 20_000;

    /// <summary>Instructions of <see cref="Mixed"/> before the system call.</summary>
    public const int MixedInstructions = 40;

    /// <summary>A loop of <see cref="Rounds"/> rounds in ECX.</summary>
    public static void Loop(Assembler a, Action<Assembler> prepare, Action<Assembler> body)
    {
        var again = a.CreateLabel();
        prepare(a);
        a.mov(ecx, Rounds);
        a.Label(ref again);
        body(a);
        a.dec(ecx);
        a.jne(again);
        a.syscall();
    }

    /// <summary>
    /// A loop body as compilers write them: 8 times 5 instructions, of which two access memory and two write flags, but for the last group,
    /// which closes the loop.
    /// </summary>
    public static void Mixed(Assembler a)
    {
        var again = a.CreateLabel();
        a.Label(ref again);
        for (var i = 0; i < 7; i++)
        {
            a.mov(eax, __dword_ptr[rsi + (i * 8)]);
            a.lea(edx, __[rax + (rbx * 4) + i]);
            a.xor(eax, edx);
            a.mov(__dword_ptr[rdi + (i * 8)], eax);
            a.add(ebx, 3);
        }

        a.movzx(eax, __byte_ptr[rsi + 60]);
        a.shr(edx, 5);
        a.imul(eax, edx);
        a.dec(ecx);
        a.jne(again);
        a.syscall();
    }
}
