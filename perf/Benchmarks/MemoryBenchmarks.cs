using BenchmarkDotNet.Attributes;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Benchmarks;

/// <summary>Guest memory.</summary>
public class MemoryBenchmarks : ExecutionBenchmarks
{
    private const ulong LastPage = Guest.Data + 0xF000;

    /// <summary>Four loads and four stores of 8 bytes that hit.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void LoadsAndStores() => RunLoop(nameof(LoadsAndStores), a => a.mov(rsi, Guest.Data), a =>
    {
        for (var i = 0; i < 4; i++)
        {
            a.mov(rax, __qword_ptr[rsi + (i * 64)]);
            a.add(rax, rcx);
            a.mov(__qword_ptr[rsi + 0x2000 + (i * 64)], rax);
        }
    });

    /// <summary>A load whose address depends on the load before.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void DependentLoad() => RunLoop(
        nameof(DependentLoad),
        a =>
        {
            a.mov(rsi, Guest.Data);
            a.mov(__qword_ptr[rsi], rsi);
        },
        a => a.mov(rsi, __qword_ptr[rsi]));

    /// <summary>Two pushes and two pops.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void PushAndPop() => RunLoop(nameof(PushAndPop), _ => { }, a =>
    {
        a.push(rax);
        a.push(rcx);
        a.pop(rbx);
        a.pop(rdx);
    });

    /// <summary>A store and a load across the boundary of two pages.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void AcrossPages() => RunLoop(nameof(AcrossPages), a => a.mov(rsi, Guest.Data + 0xFFC), a =>
    {
        a.mov(__qword_ptr[rsi], rcx);
        a.add(rax, __qword_ptr[rsi]);
    });

    /// <summary>A store and a load in the last page of a mapping, which the fast bit does not cover.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void LastPageOfMapping() => RunLoop(nameof(LastPageOfMapping), a => a.mov(rsi, LastPage), a =>
    {
        a.mov(__qword_ptr[rsi], rcx);
        a.add(rax, __qword_ptr[rsi]);
    });

    /// <summary>A store into a page that holds translated code: the slow path.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void StoreBesideCode() =>
        RunLoop(nameof(StoreBesideCode), a => a.mov(rsi, Guest.Code + 0xE00), a => a.mov(__qword_ptr[rsi], rcx));

    /// <summary><c>rep movsb</c> and <c>rep stosb</c> of 512 bytes.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void RepeatedStrings() => RunLoop(nameof(RepeatedStrings), _ => { }, a =>
    {
        a.mov(ebx, ecx);
        a.mov(rsi, Guest.Data);
        a.mov(rdi, Guest.Data + 0x1000);
        a.mov(ecx, 512);
        a.rep.movsb();
        a.mov(ecx, 512);
        a.rep.stosb();
        a.mov(ecx, ebx);
    });
}
