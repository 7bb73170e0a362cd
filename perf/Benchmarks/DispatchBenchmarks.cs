using BenchmarkDotNet.Attributes;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Benchmarks;

/// <summary>Going from block to block.</summary>
public class DispatchBenchmarks : ExecutionBenchmarks
{
    private const int Targets = 4;

    /// <summary>Four jumps to blocks of the same region.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void JumpsWithinRegion() => RunLoop(nameof(JumpsWithinRegion), _ => { }, FourJumps);

    /// <summary>The same four jumps, each block compiled by itself: through entry cells.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void ChainedBlocks() => RunLoop(nameof(ChainedBlocks), _ => { }, FourJumps, alone: true);

    /// <summary>One indirect jump to one of four targets in turn.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void IndirectJump() => RunLoop(nameof(IndirectJump), _ => { }, JumpByAddress);

    /// <summary>The same, each block compiled by itself: through the cache of entries.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void IndirectJumpBetweenBlocks() => RunLoop(nameof(IndirectJumpBetweenBlocks), _ => { }, JumpByAddress, alone: true);

    /// <summary>One call and its return.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void CallAndReturn() => RunLoop(nameof(CallAndReturn), _ => { }, a =>
    {
        var function = a.CreateLabel();
        var after = a.CreateLabel();
        a.call(function);
        a.jmp(after);
        a.Label(ref function);
        a.add(eax, 1);
        a.ret();
        a.Label(ref after);
        a.add(ebx, eax);
    });

    private static void FourJumps(Assembler a)
    {
        for (var i = 0; i < 4; i++)
        {
            var next = a.CreateLabel();
            a.add(eax, 1);
            a.jmp(next);
            a.int3();
            a.Label(ref next);
        }

        a.add(ebx, eax);
    }

    // The targets are 16 bytes apart.
    private static void JumpByAddress(Assembler a)
    {
        var first = a.CreateLabel();
        var after = a.CreateLabel();
        a.lea(rdx, __[first]);
        a.mov(eax, ecx);
        a.and(eax, Targets - 1);
        a.shl(eax, 4);
        a.add(rdx, rax);
        a.jmp(rdx);
        a.Label(ref first);
        for (var i = 0; i < Targets; i++)
        {
            // lea is 7 bytes, jmp 2.
            a.lea(rbx, __[rbx + 0x100000 + i]);
            a.jmp(after);
            a.nop(7);
        }

        a.Label(ref after);
        a.add(esi, ebx);
    }
}
