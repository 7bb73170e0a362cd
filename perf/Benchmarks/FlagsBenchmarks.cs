using BenchmarkDotNet.Attributes;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Benchmarks;

/// <summary>Flags: records that are never read, conditions read from a record, and all flags made at once.</summary>
public class FlagsBenchmarks : ExecutionBenchmarks
{
    /// <summary>Six instructions that write flags which nobody reads.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void DeadRecords() => RunLoop(nameof(DeadRecords), _ => { }, a =>
    {
        a.add(eax, ecx);
        a.xor(ebx, eax);
        a.sub(edx, ebx);
        a.shl(edx, 3);
        a.and(esi, edx);
        a.add(edi, esi);
    });

    /// <summary>Four conditions, each read right after its compare.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void FusedConditions() => RunLoop(nameof(FusedConditions), _ => { }, a =>
    {
        a.cmp(eax, ecx);
        a.cmovb(eax, ecx);
        a.cmp(ebx, ecx);
        a.setg(dl);
        a.test(ecx, 5);
        a.cmove(ebx, ecx);
        a.add(esi, ecx);
        a.adc(edi, 0);
    });

    /// <summary>All status flags made from the record: <c>lahf</c>, <c>seto</c> after an addition.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void MaterialisedByLahf() => RunLoop(nameof(MaterialisedByLahf), _ => { }, a =>
    {
        a.add(ebx, ecx);
        a.lahf();
        a.add(edx, eax);
    });

    /// <summary><c>pushfq</c> and <c>popfq</c>.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void PushAndPopFlags() => RunLoop(nameof(PushAndPopFlags), _ => { }, a =>
    {
        a.sub(ebx, ecx);
        a.pushfq();
        a.popfq();
    });
}

/// <summary>Evaluation of a flags record whose kind is known at run time only. Times are per record.</summary>
public class FlagsRecordBenchmarks
{
    private const int Records = 1024;

    private readonly (ulong Op, ulong Res, ulong Src, ulong Aux)[] _records = new (ulong, ulong, ulong, ulong)[Records];

    /// <summary>Makes records of all kinds.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        var kinds = Enum.GetValues<FlagsKind>();
        for (var i = 0; i < Records; i++)
            _records[i] = (
                FlagsRecord.Code(kinds[random.Next(kinds.Length)], 2), (uint)random.NextInt64(), (uint)random.NextInt64(), (ulong)random.Next(2));
    }

    /// <summary>All six flags.</summary>
    [Benchmark(OperationsPerInvoke = Records)]
    public uint Status()
    {
        var total = 0u;
        foreach (var (op, res, src, aux) in _records)
            total += FlagsRecord.Status(op, res, src, aux);
        return total;
    }

    /// <summary>One condition: less.</summary>
    [Benchmark(OperationsPerInvoke = Records)]
    public int Holds()
    {
        var total = 0;
        foreach (var (op, res, src, aux) in _records)
            total += FlagsRecord.Holds(Condition.L, op, res, src, aux) ? 1 : 0;
        return total;
    }
}
