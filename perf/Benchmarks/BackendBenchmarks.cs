using BenchmarkDotNet.Attributes;
using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Memory;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Benchmarks;

/// <summary>From IR to host code: a region of one loop. Times are per guest instruction.</summary>
public unsafe class BackendBenchmarks
{
    private Guest _guest = null!;
    private Region _region = null!;
    private EmitOptions _options;

    /// <summary>Runs the guest once so that its blocks are there.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _guest = new Guest(Executor.Translator, a =>
        {
            a.mov(ecx, 3);
            a.mov(rsi, Guest.Data);
            a.mov(rdi, Guest.Data);
            Snippets.Mixed(a);
        });
        _guest.Run();
        var memory = _guest.Cache.Memory;

        // The loop begins after the three instructions that set it up.
        var loop = Guest.Code + (ulong)Guest.Assemble(a =>
        {
            a.mov(ecx, 3);
            a.mov(rsi, Guest.Data);
            a.mov(rdi, Guest.Data);
        }).Length;
        lock (memory.Lock)
            _region = RegionBuilder.Single(_guest.Cache.Find(loop, 0));
        _options = new EmitOptions(WindowPages: memory.WindowSize / AddressSpace.PageSize);
    }

    /// <summary>Frees the guest.</summary>
    [GlobalCleanup]
    public void Cleanup() => _guest.Dispose();

    /// <summary>Writing the IL.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.MixedInstructions)]
    public void EmitIl() =>
        RegionEmitter.Emit(new DynamicMethodSink("measured"), _region, _guest.Translator.HistoryOf(_region.Context), _options);

    /// <summary>Writing the IL and compiling it by RyuJIT.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.MixedInstructions)]
    public void Compile() => CompiledRegion.TryCompile(_region, _guest.Translator.HistoryOf(_region.Context), _options, out _)!.Release();
}
