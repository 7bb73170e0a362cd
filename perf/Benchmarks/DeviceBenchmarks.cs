using BenchmarkDotNet.Attributes;
using DynaTrans.Devices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using ExitCause = DynaTrans.Frontend.Ir.ExitCause;

namespace DynaTrans.Benchmarks;

/// <summary>Loops of a system that reach devices: a port, and a register in memory. Times are per round: one access and the loop's two instructions.</summary>
public unsafe class DeviceBenchmarks
{
    private const int Rounds = 10_000;
    private const uint Code = 0x1000, Register = 0x200000;
    private const int WarmUpRuns = 20;

    private Machine? _machine;
    private Vcpu? _vcpu;

    /// <summary>Who executes.</summary>
    [Params(Executor.Interpreter, Executor.Translator)]
    public Executor Executor { get; set; }

    /// <summary>Prepares <see cref="PortRead"/>.</summary>
    [GlobalSetup(Target = nameof(PortRead))]
    public void PreparePort() => Prepare(a =>
    {
        a.mov(dx, 0x61);
        a.@in(al, dx);
    });

    /// <summary>Prepares <see cref="MemoryRead"/>.</summary>
    [GlobalSetup(Target = nameof(MemoryRead))]
    public void PrepareMemory() => Prepare(a => a.mov(eax, __dword_ptr[Register]));

    /// <summary>Port 61h, whose bits follow the timer.</summary>
    [Benchmark(OperationsPerInvoke = Rounds)]
    public void PortRead() => Run();

    /// <summary>A register of a device in memory.</summary>
    [Benchmark(OperationsPerInvoke = Rounds)]
    public void MemoryRead() => Run();

    /// <summary>Frees the machine.</summary>
    [GlobalCleanup]
    public void Cleanup() => _machine!.Dispose();

    private void Prepare(Action<Assembler> body)
    {
        var ports = new PortBus();
        var clock = new HostClock();
        var timer = new Intel8254(clock, new InterruptLine(_ => { }));
        ports.Map(0x61, 1, new SystemControlPortB(timer, clock));
        var bus = new MemoryBus();
        bus.Map(Register, AddressSpace.PageSize, new Scratch());
        var translator = Executor == Executor.Translator
            ? new Translator(new TranslatorOptions(Threshold: 50, Background: false, Access: AccessForm.Lookaside))
            : null;
        _machine = Machine.CreateSystem(translator, ports, bus);
        _machine.Memory.Map(0, 0x100000, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
        var assembler = new Assembler(32);
        var loop = assembler.CreateLabel();
        assembler.mov(ecx, Rounds);
        assembler.Label(ref loop);
        body(assembler);
        assembler.dec(ecx);
        assembler.jnz(loop);
        assembler.hlt();
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), Code);
        _machine.Memory.Write(Code, stream.ToArray());
        _vcpu = _machine.AddSystemVcpu();
        _vcpu.State->System.Cr0 = Cr0.ProtectionEnable;
        CodeModes.Start(_vcpu.State, GuestMode.Code32 | GuestMode.Stack32 | GuestMode.Flat);
        CodeModes.Update(_vcpu.State);
        for (var i = 0; i < WarmUpRuns; i++)
            Run();
    }

    private void Run()
    {
        _vcpu!.State->Slots[Slot.Rip] = Code;
        var cause = _vcpu.Run();
        if (cause != ExitCause.Halt)
            throw new InvalidOperationException($"the loop ended with {cause}");
    }

    private sealed class Scratch : IMemoryDevice
    {
        private ulong _value;

        public ulong Read(ulong offset, int size) => _value + offset;

        public void Write(ulong offset, int size, ulong value) => _value = value;
    }
}
