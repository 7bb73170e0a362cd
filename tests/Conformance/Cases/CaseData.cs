using DynaTrans.Conformance.Native;

namespace DynaTrans.Conformance.Cases;

/// <summary>Registers and memory at one moment of a case: before it, or after it on one of the CPUs compared.</summary>
public sealed class CaseData
{
    /// <summary>Registers; after a case also how it ended.</summary>
    public MachineState State;

    /// <summary>Content of the data pages.</summary>
    public byte[] Data { get; } = new byte[TestMemory.DataSize];

    /// <summary>Content of the stack pages.</summary>
    public byte[] Stack { get; } = new byte[TestMemory.StackSize];

    /// <summary>Takes over the memory of another moment.</summary>
    public void CopyMemory(CaseData from)
    {
        from.Data.CopyTo(Data, 0);
        from.Stack.CopyTo(Stack, 0);
    }

    /// <summary>Bytes at <paramref name="address"/> if all of them lie in the data or in the stack pages, else an empty span.</summary>
    public Span<byte> At(ulong address, int size)
    {
        if (address >= TestMemory.Data && address + (ulong)size <= TestMemory.DataEnd)
            return Data.AsSpan((int)(address - TestMemory.Data), size);
        if (address >= TestMemory.Stack && address + (ulong)size <= TestMemory.Stack + TestMemory.StackSize)
            return Stack.AsSpan((int)(address - TestMemory.Stack), size);
        return [];
    }

    /// <summary>Writes as many low bytes of <paramref name="value"/> as <paramref name="size"/> says, if they lie in the pages.</summary>
    public void Put(ulong address, int size, ulong value)
    {
        var at = At(address, size);
        for (var i = 0; i < at.Length; i++) at[i] = (byte)(value >> (8 * i));
    }
}
