using DynaTrans.Devices;
using DynaTrans.Frontend.Ir;
using DynaTrans.Pc.Boot;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Interrupts;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Privileged;

namespace DynaTrans.Pc;

/// <summary>
/// An emulated PC with one processor: memory, chips, a clock, and what it was started with. Made and run on one thread; <see cref="Quit"/> and
/// <see cref="SendBreak"/> may be called from any.
/// </summary>
public sealed unsafe class PcMachine : ISystemHost, ITimeStampSource, ILocalApic, IDisposable
{
    // CMOS byte 0F: other values say where a processor that was reset goes on, which is how software of the 286 left protected mode.
    private const byte PlainReset = 0;
    private const ulong A20 = 1 << 20;

    private readonly Machine _machine;
    private readonly Vcpu _vcpu;
    private readonly VirtualClock _clock;
    private readonly PcBoard _board;
    private readonly MachineQueue _queue;
    private readonly HostAlarm? _alarm;
    private readonly AutoResetEvent _awake = new(false);
    private readonly Lock _wakeGate = new();
    private readonly bool _hasRom;
    private MachineEnd? _end;
    private bool _isDisposed;
    private Action? _restart;
    private RealModeServices? _services;

    /// <summary>Makes a machine and loads what it starts with.</summary>
    /// <exception cref="BootException">A file is damaged or does not fit.</exception>
    /// <exception cref="OutOfMemoryException">The host has no room for the RAM.</exception>
    public PcMachine(PcOptions options)
    {
        var ports = new PortBus();
        var bus = new MemoryBus();
        _machine = new Machine(new AddressSpace(PhysicalMemory.AddressBits, is32Bit: false), options.TranslatorFactory?.Invoke(), isPaged: true)
        {
            Bus = ports,
            MemoryBus = bus,
            Model = options.Model,
        };
        try
        {
            Memory = new PhysicalMemory(_machine.Memory, options.Memory);
            _vcpu = _machine.AddSystemVcpu();
            _queue = new MachineQueue(Wake);
            _clock = options.CountsInstructions
                ? new InstructionClock(() => (long)_vcpu.State->Execution.InstructionCount)
                : new HostClock { Overdue = _vcpu.RequestExit };
            _board = new PcBoard(
                options, _clock, ports, bus, Memory, _queue, TimeOfTimeStamp,
                new BoardEvents(
                    () => End(EndCause.PowerOff), Reset, () => Restart(() => CpuReset.Init(_vcpu.State)), _vcpu.RequestExit, SetA20,
                    value => End(EndCause.DebugExit, value)));
            _vcpu.Interrupts = _board.Apic;
            _vcpu.TimeStampSource = this;
            if (options.Model.Has("apic"))
                _vcpu.LocalApic = this;
            else
                _board.Apic.TrySetBase(0);
            _hasRom = options.Rom != null;
            Load(options, ports);
            options.VcpuCreated?.Invoke(_vcpu);
            _clock.DeadlineChanged += DeadlineChanged;
            if (!options.CountsInstructions)
                _alarm = new HostAlarm(HostClock.SystemTime, Wake);
        }
        catch
        {
            _machine.Dispose();
            throw;
        }
    }

    /// <summary>The RAM.</summary>
    public PhysicalMemory Memory { get; }

    /// <summary>The processor, for its counters.</summary>
    public Vcpu Processor => _vcpu;

    /// <summary>How it has ended; null while it has not.</summary>
    public MachineEnd? Ended => _end;

    /// <inheritdoc/>
    public bool IsOver => _end != null;

    /// <inheritdoc/>
    public IInterruptController Interrupts => _board.Apic;

    ulong ITimeStampSource.Now => (ulong)_clock.Now;

    ulong ILocalApic.TimeStampDeadline
    {
        get => _board.Apic.Deadline;
        set => _board.Apic.Deadline = value;
    }

    /// <summary>Runs the machine until it ends.</summary>
    /// <returns>How it has ended.</returns>
    public MachineEnd Run()
    {
        foreach (var line in _board.Lines)
            line.Start();
        var traps = new SystemTraps(this);
        while (_end == null)
        {
            Poll(_vcpu);
            if (_clock is not InstructionClock counter)
            {
                _vcpu.Run(traps);
                continue;
            }

            // Time stands still between instructions: what is due is run when they have been executed.
            var budget = counter.InstructionsUntil(_clock.NextDeadline);
            if (_vcpu.Run(traps, budget == long.MaxValue ? ulong.MaxValue : (ulong)budget) == ExitCause.Budget)
                _vcpu.RequestExit();
        }

        return _end.Value;
    }

    /// <summary>Ends the machine as the user wishes.</summary>
    public void Quit() => _queue.Post(() => End(EndCause.Quit));

    /// <summary>Sends a break over the first serial line that is connected.</summary>
    public void SendBreak()
    {
        if (_board.Lines.Count > 0)
            _board.Lines[0].SendBreak();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _alarm?.Dispose();
        lock (_wakeGate)
            _isDisposed = true;
        _machine.Dispose();
        _awake.Dispose();
    }

    /// <inheritdoc/>
    public void Poll(Vcpu vcpu)
    {
        _queue.RunAll();
        _clock.RunDue();
        SetAlarm(_clock.NextDeadline);
        _services?.Serve(vcpu.State);
        if (_restart is not { } restart)
            return;
        _restart = null;
        restart();
    }

    /// <inheritdoc/>
    public bool Wait(Vcpu vcpu)
    {
        if ((vcpu.State->Slots[Slot.Eflags] & Eflags.IF) == 0)
        {
            End(EndCause.Halted);
            return false;
        }

        if (_clock is InstructionClock counter && _clock.NextDeadline != long.MaxValue)
            counter.SkipTo(_clock.NextDeadline);
        else
            _awake.WaitOne();
        return true;
    }

    /// <inheritdoc/>
    public void Shutdown(Vcpu vcpu) => End(EndCause.TripleFault);

    /// <inheritdoc/>
    public void FloatingPointError(bool asserted) => _board.FloatingPointError(asserted);

    void ILocalApic.BaseChanged(ulong value) => _board.Apic.TrySetBase(value);

    private void Load(PcOptions options, PortBus ports)
    {
        CpuReset.Apply(_vcpu.State);
        if (options.Rom is { } rom)
            RomImage.Load(Memory, rom);
        if (options.Kernel is not { } kernel)
            return;
        var entry = KernelLoader.Load(Memory, kernel, _board.SetUp());
        if (entry is RealModeEntry)
        {
            _services = new RealModeServices(Memory, ports, SetA20, _vcpu.RequestExit);
            _services.Install();
        }

        entry.Apply(_vcpu.State);

        // What was unpacked is larger than all the rest of the process.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive);
    }

    private void Reset(bool isWhole)
    {
        if (!isWhole && _hasRom && _board.Rtc[CmosMemory.ShutdownStatus] != PlainReset)
            Restart(() => CpuReset.Apply(_vcpu.State));
        else
            End(EndCause.Reset);
    }

    // The processor is in the middle of an instruction now.
    private void Restart(Action restart)
    {
        _restart = restart;
        _vcpu.RequestExit();
    }

    private void SetA20(bool isOpen) => _vcpu.Mmu!.AddressMask = isOpen ? ulong.MaxValue : ~A20;

    private void End(EndCause cause, int value = 0)
    {
        _end ??= new MachineEnd(cause, value);
        _vcpu.RequestExit();
    }

    // From any thread; one that reads from a console may outlive the machine.
    private void Wake()
    {
        lock (_wakeGate)
        {
            if (_isDisposed)
                return;
            _vcpu.RequestExit();
            _awake.Set();
        }
    }

    // A timer was armed by an access of the guest: the run must not go on beyond its deadline.
    private void DeadlineChanged(long deadline)
    {
        SetAlarm(deadline);
        if (_clock is not InstructionClock counter)
            return;
        var s = _vcpu.State;
        var left = s->Execution.InstructionLimit - Math.Min(s->Execution.InstructionLimit, s->Execution.InstructionCount);
        var budget = (ulong)counter.InstructionsUntil(deadline);
        if (budget >= left)
            return;
        s->Execution.InstructionLimit = s->Execution.InstructionCount + budget;
        _vcpu.RequestExit();
    }

    private void SetAlarm(long deadline)
    {
        if (_clock is HostClock clock)
            _alarm?.Set(clock.HostTimeOf(deadline));
    }

    // The counter ticks once a nanosecond, from what the guest has set it to.
    private long TimeOfTimeStamp(ulong value)
    {
        var time = value - _vcpu.State->System.TscOffset;
        return time > long.MaxValue ? long.MaxValue : (long)time;
    }
}
