using System.Text;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Interrupts;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Paging;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.State;

namespace DynaTrans.Pc.Tests.Systems;

/// <summary>How a <see cref="TestSystem"/> executes.</summary>
public enum SystemEngine
{
    /// <summary>The interpreter only.</summary>
    Interpreter,

    /// <summary>What is entered a few times is translated, on the running thread.</summary>
    Warm,

    /// <summary>Everything is translated before it runs.</summary>
    Translator,
}

/// <summary>
/// A CPU with RAM and nothing around it but a debug console (port E9), an exit port (F4) and the A20 gate (port 92): the core of a system judged without
/// a PC's chips. Nothing wakes a halted CPU.
/// </summary>
internal sealed unsafe class TestSystem : ITraps, ISystemHost, IInterruptController, IPortBus, IMemoryBus, ITimeStampSource, ILocalApic, IDisposable
{
    private const PagePermission Ram = PagePermission.Read | PagePermission.Write | PagePermission.Execute;
    private const ushort DebugPort = 0xE9, ExitPort = 0xF4, A20Port = 0x92;
    private const ulong A20 = 1 << 20, LowEnd = 0xA0000, HighStart = 0x100000;

    private readonly Machine _machine;
    private readonly SystemTraps _traps;
    private readonly StringBuilder _output = new();
    private byte _a20 = 2;

    /// <summary>Makes a machine whose CPU is as after RESET.</summary>
    /// <param name="engine">How it executes.</param>
    /// <param name="ramEnd">Where RAM ends; there is none from 640 KiB to 1 MiB.</param>
    public TestSystem(SystemEngine engine, ulong ramEnd)
    {
        var translator = engine switch
        {
            SystemEngine.Interpreter => null,
            SystemEngine.Warm => new Translator(new TranslatorOptions(20, false, Access: AccessForm.Lookaside)),
            _ => new Translator(new TranslatorOptions(0, false, Access: AccessForm.Lookaside)),
        };
        _machine = new Machine(new AddressSpace(Mmu.PhysicalBits, is32Bit: false), translator, isPaged: true)
        {
            Bus = this,
            MemoryBus = this,
            Model = CpuModel.Max,
        };
        Memory.Map(0, Math.Min(ramEnd, LowEnd), Ram);
        if (ramEnd > HighStart)
            Memory.Map(HighStart, ramEnd - HighStart, Ram);
        Cpu = _machine.AddSystemVcpu();
        Cpu.TimeStampSource = this;
        Cpu.Interrupts = this;
        Cpu.LocalApic = this;
        _traps = new SystemTraps(this);
        CpuReset.Apply(State);
    }

    public AddressSpace Memory => _machine.Memory;

    public Vcpu Cpu { get; }

    public CpuState* State => Cpu.State;

    /// <summary>What was written to the debug console.</summary>
    public string Output => _output.ToString();

    /// <summary>Exceptions, software interrupts and halts.</summary>
    public ulong Traps { get; private set; }

    /// <summary>Exceptions end the run instead of being delivered.</summary>
    public bool StopsAtExceptions { get; set; }

    /// <summary>Triple faults.</summary>
    public int Shutdowns { get; private set; }

    /// <summary>Accesses to what is no memory, and to ports.</summary>
    public long DeviceAccesses { get; private set; }

    public bool IsOver { get; set; }

    /// <summary><see cref="Interrupt"/> was called since the last <see cref="Begin"/>.</summary>
    public bool WasInterrupted { get; private set; }

    public IInterruptController Interrupts => this;

    public bool IsInterruptRequested => false;

    public bool IsNmiRequested => false;

    public byte TaskPriority { get; set; }

    ulong ILocalApic.TimeStampDeadline { get; set; }

    // The same for all executors.
    ulong ITimeStampSource.Now => 0x123456789;

    /// <summary>Puts a ROM at the top of 4 GiB and below 1 MiB.</summary>
    public void LoadRom(byte[] rom)
    {
        foreach (var end in (ulong[])[1UL << 32, HighStart])
        {
            var start = end - (ulong)rom.Length;
            Memory.Map(start, (ulong)rom.Length, PagePermission.Read | PagePermission.Write);
            Memory.Write(start, rom);
            Memory.Protect(start, (ulong)rom.Length, PagePermission.Read | PagePermission.Execute);
        }
    }

    /// <summary>Begins a new guest.</summary>
    public void Begin()
    {
        WasInterrupted = false;
        IsOver = false;
    }

    /// <summary>Runs until the guest ends the machine, halts, shuts it down, or has executed a number of instructions.</summary>
    public ExitCause Run(ulong instructions)
    {
        IsOver = WasInterrupted;
        return Cpu.Run(this, instructions);
    }

    public bool Deliver(Vcpu vcpu, ExitCause cause)
    {
        Traps++;
        return !(StopsAtExceptions && cause == ExitCause.Exception) && _traps.Deliver(vcpu, cause);
    }

    /// <summary>Ends a run, from any thread.</summary>
    public void Interrupt()
    {
        WasInterrupted = true;
        IsOver = true;
        Cpu.RequestExit();
    }

    public byte AcknowledgeInterrupt() => throw new InvalidOperationException("nothing was requested");

    public void AcknowledgeNmi() => throw new InvalidOperationException("nothing was requested");

    public void Poll(Vcpu vcpu)
    {
    }

    public bool Wait(Vcpu vcpu)
    {
        IsOver = true;
        return false;
    }

    public void Shutdown(Vcpu vcpu)
    {
        Shutdowns++;
        IsOver = true;
    }

    public void FloatingPointError(bool asserted)
    {
    }

    public uint Read(ushort port, int size)
    {
        DeviceAccesses++;
        return port == A20Port && size == 1 ? _a20 : uint.MaxValue >> (32 - (size * 8));
    }

    public void Write(ushort port, int size, uint value)
    {
        DeviceAccesses++;
        switch (port)
        {
            case DebugPort when _output.Length < 1 << 20:
                _output.Append((char)(byte)value);
                break;
            case ExitPort:
                IsOver = true;
                Cpu.RequestExit();
                break;
            case A20Port when size == 1:
                _a20 = (byte)(value & 2);
                Mmu.Of(State).AddressMask = _a20 != 0 ? ulong.MaxValue : ~A20;
                break;
        }
    }

    public ulong Read(ulong physical, int size)
    {
        DeviceAccesses++;
        return ulong.MaxValue >> (64 - (size * 8));
    }

    public void Write(ulong physical, int size, ulong value) => DeviceAccesses++;

    void ILocalApic.BaseChanged(ulong value)
    {
    }

    public void Dispose() => _machine.Dispose();
}
