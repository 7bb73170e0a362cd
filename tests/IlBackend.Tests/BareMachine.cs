using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Precompiled;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;
using Iced.Intel;

namespace DynaTrans.IlBackend.Tests;

/// <summary>The executors a test runs with.</summary>
public enum Engine
{
    /// <summary>Interpreter only.</summary>
    Interpreter,

    /// <summary>Everything translated before it runs.</summary>
    Jit,

    /// <summary>Translated after a few entries, on the running thread.</summary>
    Warm,

    /// <summary>Translated after a few entries, on a background thread.</summary>
    Background,

    /// <summary>As <see cref="Jit"/>, with accesses by the lookaside table.</summary>
    Lookaside,

    /// <summary>As <see cref="Warm"/>, with accesses by the lookaside table.</summary>
    WarmLookaside,
}

/// <summary>Bare code in an address space: code at 0x10000 (RWX), data at 0x20000 (RW), stack below 0x40000.</summary>
internal sealed unsafe class BareMachine : IDisposable
{
    public const ulong Code = 0x10000;
    public const ulong Data = 0x20000;
    public const ulong Stack = 0x40000;

    private readonly Machine _machine;
    private readonly Translator? _translator;

    public BareMachine(Engine engine, bool is64 = true, long sizeLimit = 256L << 20, Func<Region, nint>? heatCounter = null, int maxWeight = RegionBuilder.MaxWeight,
        bool countInstructions = false, PrecompiledCode? precompiled = null, CodeRecorder? recorder = null)
    {
        IReadOnlyList<PrecompiledCode> code = precompiled == null ? [] : [precompiled];
        _translator = engine switch
        {
            Engine.Interpreter => null,
            Engine.Jit => new Translator(new TranslatorOptions(0, false, countInstructions)),
            Engine.Lookaside => new Translator(new TranslatorOptions(0, false, countInstructions, Access: AccessForm.Lookaside)),
            Engine.WarmLookaside => new Translator(
                new TranslatorOptions(10, false, countInstructions, MaxWeight: maxWeight, HeatCounter: heatCounter, Access: AccessForm.Lookaside)),
            Engine.Warm => new Translator(
                new TranslatorOptions(10, false, countInstructions, MaxWeight: maxWeight, HeatCounter: heatCounter, Precompiled: code, Recorder: recorder)),
            _ => new Translator(new TranslatorOptions(10, CountInstructions: countInstructions, MaxWeight: maxWeight, HeatCounter: heatCounter)),
        };
        _machine = Machine.Create(is64 ? GuestMode.Linux64 : GuestMode.Linux32, _translator);
        Cache.SizeLimit = sizeLimit;
        Space.Map(Code, 0x8000, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
        Space.Map(Data, 0x8000, PagePermission.Read | PagePermission.Write);
        Space.Map(0x38000, 0x8000, PagePermission.Read | PagePermission.Write);
        Cpu = NewCpu(is64);
    }

    public Machine Machine => _machine;

    public AddressSpace Space => _machine.Memory;

    public BlockCache Cache => _machine.Cache;

    public Vcpu Cpu { get; }

    public CpuState* State => Cpu.State;

    public Translator? Translator => _translator;

    /// <summary>The test makes regions fail.</summary>
    public bool ExpectsFailure { get; init; }

    public Vcpu NewCpu(bool is64)
    {
        var cpu = _machine.AddVcpu(is64 ? GuestMode.Linux64 : GuestMode.Linux32);
        cpu.State->Slots[Slot.Rip] = Code;
        cpu.State->Slots[Slot.Rsp] = Stack - 0x100;
        return cpu;
    }

    public void Assemble(Assembler a, ulong at = Code)
    {
        using var stream = new MemoryStream();
        a.Assemble(new StreamCodeWriter(stream), at);
        Assert.Equal((int)stream.Length, Space.Write(at, stream.ToArray()));
    }

    public void Dispose()
    {
        _machine.Dispose();

        // An error in the translator loses a region, which is then interpreted: a test must not pass because of that.
        Assert.Null(ExpectsFailure ? null : _translator?.Statistics.FirstFailure);
    }
}
