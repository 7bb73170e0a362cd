using BenchmarkDotNet.Attributes;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Frontend.Passes;
using Iced.Intel;

namespace DynaTrans.Benchmarks;

/// <summary>From bytes to optimised IR. Times are per guest instruction.</summary>
public unsafe class FrontendBenchmarks
{
    private readonly byte[] _code = GC.AllocateUninitializedArray<byte>(4096, pinned: true);
    private readonly Lifter _lifter = new();
    private readonly IrBlock _block = new();
    private int _length;
    private IrOp[] _lifted = [];

    /// <summary>Assembles and lifts the block.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var bytes = Guest.Assemble(Snippets.Mixed);
        bytes.CopyTo(_code, 0);
        _length = bytes.Length;
        Lift();
        _lifted = _block.Ops.ToArray();
    }

    /// <summary>Iced alone.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.MixedInstructions)]
    public int Decode()
    {
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(_code, 0, _length), Guest.Code);
        var total = 0;
        for (var i = 0; i < Snippets.MixedInstructions; i++)
        {
            decoder.Decode(out var instruction);
            total += instruction.Length;
        }

        return total;
    }

    /// <summary>Decoding and lifting.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.MixedInstructions)]
    public bool Lift()
    {
        fixed (byte* code = _code)
            return _lifter.Lift(_block, code, _length, Guest.Code, GuestMode.Linux64);
    }

    /// <summary>The passes, on a copy of the lifted ops.</summary>
    [Benchmark(OperationsPerInvoke = Snippets.MixedInstructions)]
    public int Passes()
    {
        _block.Truncate(0);
        foreach (ref readonly var op in _lifted.AsSpan())
            _block.Append() = op;
        return DeadFlags.Run(_block);
    }
}
