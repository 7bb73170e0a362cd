using System.Buffers.Binary;
using BenchmarkDotNet.Attributes;
using DynaTrans.IlBackend.Emission;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Benchmarks;

/// <summary>Memory accesses of translated code by each form of access. Times are per round of the loop.</summary>
public class AccessFormBenchmarks
{
    // Bytes between the links of a chain of pointers: a cache line.
    private const int Line = 64;

    private readonly Dictionary<string, Guest> _guests = [];

    /// <summary>The form.</summary>
    [Params(AccessForm.Window, AccessForm.Lookaside)]
    public AccessForm Form { get; set; }

    /// <summary>Frees the guests.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (var guest in _guests.Values)
            guest.Dispose();
        _guests.Clear();
    }

    /// <summary>A load, an increment and a store, through 64 KiB.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void Stream() => RunLoop(nameof(Stream), null, a => a.mov(rbx, Guest.Data), a =>
    {
        a.mov(eax, __dword_ptr[rbx + (rdx * 4)]);
        a.inc(eax);
        a.mov(__dword_ptr[rbx + (rdx * 4)], eax);
        a.inc(edx);
        a.and(edx, 0x3FFF);
    });

    /// <summary>Four stores to and four loads from a stack frame.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void StackFrame() => RunLoop(nameof(StackFrame), null, _ => { }, a =>
    {
        for (var i = 0; i < 4; i++)
            a.mov(__qword_ptr[rsp + (i * 8)], rcx);
        for (var i = 0; i < 4; i++)
            a.add(rax, __qword_ptr[rsp + (i * 8)]);
    });

    /// <summary>A load whose address depends on the load before, in 4 KiB.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void DependentLoad() => RunLoop(
        nameof(DependentLoad), Chain(4 << 10), a => a.mov(rsi, Guest.LargeData), a => a.mov(rsi, __qword_ptr[rsi]));

    /// <summary>The same in 256 KiB.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.Rounds)]
    public void DependentLoadFarApart() => RunLoop(
        nameof(DependentLoadFarApart), Chain(Guest.LargeSize), a => a.mov(rsi, Guest.LargeData), a => a.mov(rsi, __qword_ptr[rsi]));

    // Pointers that lead through all lines of some memory in a random order.
    private static byte[] Chain(int size)
    {
        var order = Enumerable.Range(1, (size / Line) - 1).ToArray();
        new Random(1).Shuffle(order);
        var bytes = new byte[size];
        var at = 0;
        foreach (var next in order.Append(0))
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at * Line), Guest.LargeData + (ulong)(next * Line));
            at = next;
        }

        return bytes;
    }

    private void RunLoop(string name, byte[]? data, Action<Assembler> prepare, Action<Assembler> body)
    {
        if (!_guests.TryGetValue(name, out var guest))
        {
            _guests[name] = guest = new Guest(Executor.Translator, a => Snippets.Loop(a, prepare, body), access: Form);
            guest.Write(Guest.LargeData, data);
            guest.WarmUp();
        }

        guest.Run();
    }
}
