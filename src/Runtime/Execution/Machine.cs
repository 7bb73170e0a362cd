using DynaTrans.Frontend.Decoding;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Paging;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Execution;

/// <summary>The I/O ports of a machine. Called on the thread of the vCPU that makes the access.</summary>
public interface IPortBus
{
    /// <summary>Reads 1, 2 or 4 bytes.</summary>
    uint Read(ushort port, int size);

    /// <summary>Writes 1, 2 or 4 bytes.</summary>
    void Write(ushort port, int size, uint value);
}

/// <summary>
/// Memory, the vCPUs that share it and its translations, a clock and a port bus: what every host builds, the Linux process VM, <c>exec</c>, tests
/// and embedders. What traps mean is the host's (<see cref="ITraps"/>).
/// <example>
/// 32-bit code that adds two numbers and halts:
/// <code>
/// var mode = GuestMode.Code32 | GuestMode.Stack32 | GuestMode.Flat;
/// using var machine = Machine.Create(mode);
/// machine.Memory.Map(0x1000, AddressSpace.PageSize, PagePermission.Read | PagePermission.Execute);
/// machine.Memory.Write(0x1000, [0x01, 0xD8, 0xF4]);   // add eax, ebx; hlt
/// var vcpu = machine.AddVcpu(mode);
/// vcpu.State->Slots[Slot.Rip] = 0x1000;
/// vcpu.State->Slots[Slot.Rax] = 40;
/// vcpu.State->Slots[Slot.Rbx] = 2;
/// var cause = vcpu.Run();                             // ExitCause.Halt; eax is 42
/// </code>
/// </example>
/// </summary>
public sealed unsafe class Machine : IDisposable
{
    // Address bits of a machine of 64-bit code.
    private const int WideAddressBits = 39;

    private readonly Lock _lock = new();
    private ITimer? _deadline;
    private bool _isOver;

    /// <summary>Makes a machine without vCPUs.</summary>
    /// <param name="memory">Its address space, which is disposed of with the machine.</param>
    /// <param name="translator">Makes host code of hot blocks; null interprets everything. It is disposed of with the machine.</param>
    /// <exception cref="OutOfMemoryException">The host has no room for it; the address space is disposed of.</exception>
    /// <param name="isPaged">The addresses of its memory are guest-physical: vCPUs translate linear ones (<see cref="AddSystemVcpu"/>).</param>
    public Machine(AddressSpace memory, ITranslator? translator = null, bool isPaged = false)
    {
        Memory = memory;
        try
        {
            Cache = new BlockCache(memory, translator) { IsPaged = isPaged };
        }
        catch (OutOfMemoryException)
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>The memory.</summary>
    public AddressSpace Memory { get; }

    /// <summary>The translations of the code in it.</summary>
    public BlockCache Cache { get; }

    /// <summary>The clock that <see cref="StopAfter"/> goes by.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>The CPU that vCPUs to come are.</summary>
    public CpuModel Model { get; init; } = CpuModel.Process;

    /// <summary>The port bus of vCPUs to come; without one reads give ones and writes are ignored.</summary>
    public IPortBus? Bus { get; init; }

    /// <summary>What answers at guest-physical addresses that are no memory; without it reads give ones and writes are ignored.</summary>
    public IMemoryBus? MemoryBus { get; init; }

    /// <summary>The time of <see cref="StopAfter"/> is over.</summary>
    public bool IsOver => Volatile.Read(ref _isOver);

    /// <summary>A machine with an address space that suits code of a mode.</summary>
    public static Machine Create(GuestMode mode, ITranslator? translator = null) =>
        new(new AddressSpace(mode.Is64() ? WideAddressBits : 32), translator);

    /// <summary>A machine whose address space is guest-physical, without memory in it yet.</summary>
    /// <param name="translator">Makes host code of hot blocks; null interprets everything.</param>
    /// <param name="bus">The port bus, or null.</param>
    /// <param name="memoryBus">What answers at addresses that are no memory, or null.</param>
    /// <param name="model">The model of its vCPU; null: <see cref="CpuModel.Max"/>.</param>
    public static Machine CreateSystem(ITranslator? translator, IPortBus? bus, IMemoryBus? memoryBus, CpuModel? model = null) =>
        new(new AddressSpace(Mmu.PhysicalBits, is32Bit: false), translator, isPaged: true)
        {
            Bus = bus,
            MemoryBus = memoryBus,
            Model = model ?? CpuModel.Max,
        };

    /// <summary>
    /// Adds a vCPU with flat segments (in real mode, at 0) that any selector names; a host with descriptor tables gives them to its state.
    /// It may be disposed of before the machine.
    /// </summary>
    public Vcpu AddVcpu(GuestMode mode)
    {
        if (Cache.IsPaged)
            throw new InvalidOperationException("a machine with guest-physical memory has system vCPUs");
        return Connect(new Vcpu(Cache), mode);
    }

    /// <summary>
    /// Adds a vCPU for an operating system: its descriptor tables are in guest memory, and linear addresses are translated. It is in real mode; who starts it resets
    /// it or sets its registers. One a machine.
    /// </summary>
    public Vcpu AddSystemVcpu()
    {
        if (!Cache.IsPaged || Vcpus().Length != 0)
            throw new InvalidOperationException("a system vCPU is the only one of a machine with guest-physical memory");
        var vcpu = new Vcpu(Cache, isPaged: true) { MemoryBus = MemoryBus };
        vcpu.State->Execution.Gdt = null;
        return Connect(vcpu, GuestMode.Code16 | GuestMode.Real);
    }

    private Vcpu Connect(Vcpu vcpu, GuestMode mode)
    {
        vcpu.Bus = Bus;
        vcpu.Model = Model;
        if (Bus != null)
        {
            vcpu.State->Execution.PortReader = &ReadPort;
            vcpu.State->Execution.PortWriter = &WritePort;
        }

        CodeModes.Start(vcpu.State, mode);
        return vcpu;
    }

    /// <summary>
    /// Sets <see cref="IsOver"/> after a time and makes every vCPU stop with <see cref="Frontend.Ir.ExitCause.Requested"/> then; null: never.
    /// Begins anew with each call.
    /// </summary>
    public void StopAfter(TimeSpan? limit)
    {
        lock (_lock)
        {
            _isOver = false;
            _deadline ??= Clock.CreateTimer(static machine => ((Machine)machine!).Stop(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _deadline.Change(limit ?? Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _deadline?.Dispose();
        foreach (var vcpu in Vcpus())
            vcpu.Dispose();
        Cache.Dispose();
        Memory.Dispose();
    }

    private void Stop()
    {
        Volatile.Write(ref _isOver, true);
        foreach (var vcpu in Vcpus())
            vcpu.RequestExit();
    }

    private Vcpu[] Vcpus()
    {
        lock (Memory.Lock)
            return [.. Cache.Vcpus];
    }

    private static uint ReadPort(CpuState* s, ushort port, int size) => Vcpu.Of(s).Bus!.Read(port, size);

    private static void WritePort(CpuState* s, ushort port, int size, uint value) => Vcpu.Of(s).Bus!.Write(port, size, value);
}
