using DynaTrans.Conformance.Running;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Conformance.Vectors;

/// <summary>Runs real-mode vectors in one executor: 64 KiB more than a megabyte of RAM, zero except for what the vector puts there.</summary>
internal sealed unsafe class RealModeRunner : IDisposable
{
    private const int MemorySize = 0x110000;
    private const uint ArithmeticAndControl = 0xFD5;
    private const int MaxEvents = 4;
    private const ulong Budget = 70_000;
    private const int Cx = 1, Sp = 4, Si = 6, Di = 7, Es = 8, Cs = 9, Ss = 10, Ip = 12, FlagsIndex = 13;

    private readonly AddressSpace _space;
    private readonly BlockCache _cache;
    private readonly Vcpu _vcpu;

    private RealModeRunner(ITranslator? translator)
    {
        _space = new AddressSpace(32);
        _space.Map(0, MemorySize, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
        _cache = new BlockCache(_space, translator);
        _vcpu = new Vcpu(_cache);
    }

    /// <summary>A runner for the executor that <paramref name="engine"/> names.</summary>
    internal static RealModeRunner Make(string engine) => new(ExecutorSet.MakeTranslator(engine)?.Invoke());

    /// <summary>Runs a vector to its HLT. Returns the first difference from the captured state, or null.</summary>
    internal string? Run(RealModeVector vector, ushort flagsMask, bool movedOn)
    {
        SetState(vector);
        var s = _vcpu.State;
        for (var events = 0; ; events++)
        {
            var cause = _vcpu.Run(Budget);
            if (cause == ExitCause.Halt) break;
            if (cause is not (ExitCause.Exception or ExitCause.SoftwareInterrupt) || events == MaxEvents)
            {
                Clear(vector, null);
                return $"stopped with {cause} at {s->Slots[Slot.Rip]:x}";
            }
            var number = cause == ExitCause.Exception ? Differences286.On286(s->ExceptionVector) : (int)s->ExitDetail;
            if (!RealModeInterrupts.Deliver(s, number)) return Clear(vector, null) ?? $"shutdown at {s->Slots[Slot.Rip]:x}";
        }
        var difference = Registers(vector, flagsMask, movedOn) ?? Memory(vector, flagsMask);
        var stray = Clear(vector, vector.FinalMemory);
        return difference ?? stray;
    }

    /// <summary>Runs a vector that must raise an exception before it changes anything. Returns what was wrong, or null.</summary>
    internal string? RunExpectingException(RealModeVector vector, int expected)
    {
        SetState(vector);
        var cause = _vcpu.Run(1);
        var s = _vcpu.State;
        var difference = expected == Differences286.Completes
            ? cause == ExitCause.Budget ? null : $"stopped with {cause}"
            : cause != ExitCause.Exception || s->ExceptionVector != expected
            ? $"exception {expected} expected, stopped with {cause} {s->ExceptionVector}"
            : Registers(vector with { Final = vector.Initial }, (ushort)ArithmeticAndControl, false);
        return Clear(vector, null) ?? difference;
    }

    public void Dispose()
    {
        _vcpu.Dispose();
        _cache.Dispose();
        _space.Dispose();
        ExecutorSet.Check(_cache.Translator);
    }

    private void SetState(RealModeVector vector)
    {
        foreach (var (address, value) in vector.InitialMemory) _space.Write((ulong)address, [value]);
        var s = _vcpu.State;
        for (var i = 0; i < 8; i++) s->Slots[i] = vector.Initial[i];
        for (var i = 0; i < 4; i++) SetSegment(i, vector.Initial[Es + i]);
        SetSegment(4, 0);
        SetSegment(5, 0);
        s->Slots[Slot.Rip] = vector.Initial[Ip];
        CpuAccess.SetEflags(s, vector.Initial[FlagsIndex] & ArithmeticAndControl | 2);
        s->Mode = (ushort)(GuestMode.Code16 | GuestMode.Real);
        s->Fcw = 0x37F;
        s->Fsw = 0;
        s->FpuValid = 0;
    }

    private void SetSegment(int index, ushort selector)
    {
        var s = _vcpu.State;
        var segment = CpuAccess.Segment(s, index);
        segment->Selector = selector;
        segment->Limit = 0xFFFF;
        s->Slots[Slot.EsBase + index] = (ulong)selector << 4;
    }

    private string? Registers(RealModeVector vector, ushort flagsMask, bool movedOn)
    {
        var s = _vcpu.State;
        for (var i = 0; i < RealModeVector.RegisterNames.Length; i++)
        {
            var (actual, mask) = i switch
            {
                < Es => ((ushort)s->Slots[i], movedOn && i is Cx or Si or Di ? (ushort)0 : (ushort)0xFFFF),
                < Ip => (CpuAccess.Segment(s, i - Es)->Selector, (ushort)0xFFFF),
                Ip => ((ushort)s->Slots[Slot.Rip], (ushort)0xFFFF),
                _ => ((ushort)CpuAccess.GetEflags(s), (ushort)(flagsMask & ArithmeticAndControl)),
            };
            if (((actual ^ vector.Final[i]) & mask) != 0)
                return $"{RealModeVector.RegisterNames[i]}: hardware {vector.Final[i] & mask:x}, here {actual & mask:x}";
        }
        return null;
    }

    private string? Memory(RealModeVector vector, ushort flagsMask)
    {
        var ram = new ReadOnlySpan<byte>(_space.Base, MemorySize);
        var final = vector.FinalMemory.ToDictionary(p => p.Address, p => p.Value);
        foreach (var (address, value) in vector.InitialMemory) final.TryAdd(address, value);
        var flags = vector.ExceptionVector < 0 ? -1 : (vector.Initial[Ss] << 4) + (ushort)(vector.Initial[Sp] - 2);
        foreach (var (address, value) in final)
        {
            // The pushed FLAGS hold undefined bits too. (The address in the file is that of the bus cycle, even where the stack is odd.)
            var mask = (byte)(address == flags ? flagsMask & ArithmeticAndControl : address == flags + 1 ? (flagsMask & ArithmeticAndControl) >> 8 : 0xFF);
            if (((ram[address] ^ value) & mask) != 0) return $"memory at {address:x}: hardware {value & mask:x}, here {ram[address] & mask:x}";
        }
        return null;
    }

    // Zeroes the memory for the next vector; a byte that is set outside the vector's lists is a stray write.
    private string? Clear(RealModeVector vector, (int Address, byte Value)[]? final)
    {
        foreach (var (address, _) in vector.InitialMemory) _space.Write((ulong)address, [0]);
        foreach (var (address, _) in final ?? []) _space.Write((ulong)address, [0]);
        string? stray = null;
        var ram = new ReadOnlySpan<byte>(_space.Base, MemorySize);
        for (var at = ram.IndexOfAnyExcept((byte)0); at >= 0; at = ram.IndexOfAnyExcept((byte)0))
        {
            stray ??= $"stray write at {at:x}: {ram[at]:x}";
            _space.Write((ulong)at, [0]);
        }
        return final is null ? null : stray;
    }
}
