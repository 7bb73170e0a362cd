using DynaTrans.Conformance.Cases;
using DynaTrans.Conformance.Native;

namespace DynaTrans.Conformance.Running;

/// <summary>Runs cases on the host CPU. The caller holds the oracle's gate.</summary>
public sealed class NativeRunner(NativeCpu cpu)
{
    private bool _is32;
    private ulong _next;

    /// <summary>Places the instruction's bytes, all other code bytes being INT3.</summary>
    public void Load(Encoding encoding)
    {
        cpu.WriteCode(encoding.Address, AmdHost.IsHost ? AmdHost.EquivalentBytes(encoding) : encoding.Bytes, encoding.Is32);
        _is32 = encoding.Is32;
        _next = encoding.Address + (ulong)encoding.Bytes.Length;
    }

    /// <summary>Runs the loaded instruction on <paramref name="start"/> and writes the end to <paramref name="end"/>, as an <see cref="IBatchRunner"/> does.</summary>
    public void Run(CaseData start, CaseData end)
    {
        var data = NativeCpu.Memory(TestMemory.Data, TestMemory.DataSize);
        var stack = NativeCpu.Memory(TestMemory.Stack, TestMemory.StackSize);
        start.Data.CopyTo(data);
        start.Stack.CopyTo(stack);
        cpu.Input = start.State;
        cpu.Run(_is32, _next);
        end.State = cpu.Output;
        data.CopyTo(end.Data);
        stack.CopyTo(end.Stack);
    }
}
