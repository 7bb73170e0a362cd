using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Runtime.Tests.Execution;

public sealed unsafe class MachineTests
{
    private const ulong Code = 0x1000;
    private const GuestMode Ring0 = GuestMode.Code32 | GuestMode.Stack32 | GuestMode.Flat;

    [Fact]
    public void RunsCodeToItsHalt()
    {
        using var machine = Machine.Create(Ring0);
        var vcpu = Load(machine, [0x01, 0xD8, 0xF4]); // add eax, ebx; hlt
        vcpu.State->Slots[Slot.Rax] = 40;
        vcpu.State->Slots[Slot.Rbx] = 2;
        Assert.Equal(ExitCause.Halt, vcpu.Run());
        Assert.Equal(42UL, vcpu.State->Slots[Slot.Rax]);
    }

    [Fact]
    public void PortsAreThoseOfTheBus()
    {
        var bus = new Bus();
        using var machine = new Machine(new AddressSpace(32)) { Bus = bus };
        var vcpu = Load(machine, [0xE4, 0x60, 0xE6, 0x80, 0xF4]); // in al, 60h; out 80h, al; hlt
        Assert.Equal(ExitCause.Halt, vcpu.Run());
        Assert.Equal([(0x80, 1, 0x65u)], bus.Written);
    }

    [Fact]
    public void StopsWhenItsTimeIsOver()
    {
        using var machine = Machine.Create(Ring0);
        var vcpu = Load(machine, [0xEB, 0xFE]); // jmp to itself
        machine.StopAfter(TimeSpan.FromMilliseconds(20));
        Assert.Equal(ExitCause.Requested, vcpu.Run());
        Assert.True(machine.IsOver);
    }

    [Fact]
    public void TrapsAreDeliveredWithoutLeavingRun()
    {
        using var machine = Machine.Create(Ring0);
        var vcpu = Load(machine, [0xCD, 0x21, 0xEB, 0xFC]); // int 21h, again and again
        var traps = new Counter { End = 1000 };
        Assert.Equal(ExitCause.SoftwareInterrupt, vcpu.Run(traps));
        Assert.Equal((1000, 1000L, 1999UL), (traps.Count, vcpu.Exits[(int)ExitCause.SoftwareInterrupt], vcpu.State->Execution.InstructionCount));
        Assert.Equal(0x21, (byte)vcpu.State->Execution.ExitDetail);
    }

    [Fact]
    public void ABudgetHoldsOverTrapsAndPaysForThem()
    {
        using var machine = Machine.Create(Ring0);
        var vcpu = Load(machine, [0xCD, 0x21, 0xEB, 0xFC]);
        var traps = new Counter { End = int.MaxValue, Charge = 1 };
        Assert.Equal(ExitCause.Budget, vcpu.Run(traps, 30));
        Assert.Equal((20UL, 10), (vcpu.State->Execution.InstructionCount, traps.Count - 1));
    }

    [Fact]
    public void AFlushDoesNotWaitForAVcpuInATrap()
    {
        using var machine = Machine.Create(Ring0);
        var blocked = Load(machine, [0xCD, 0x21, 0xF4]);
        var other = machine.AddVcpu(Ring0);
        other.State->Slots[Slot.Rip] = Code + 2;
        using var traps = new Gate();
        var thread = new Thread(() => blocked.Run(traps));
        thread.Start();
        traps.Entered.Wait();
        Assert.False(blocked.IsInGuest);
        machine.Cache.SizeLimit = 0;
        Assert.Equal(ExitCause.Halt, other.Run());
        Assert.Equal(1, machine.Cache.Statistics.Flushes);
        traps.MayGoOn.Set();
        thread.Join();
        Assert.Equal(ExitCause.Halt, traps.Last);
    }

    private static Vcpu Load(Machine machine, byte[] code)
    {
        machine.Memory.Map(Code, AddressSpace.PageSize, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
        machine.Memory.Write(Code, code);
        var vcpu = machine.AddVcpu(Ring0);
        vcpu.State->Slots[Slot.Rip] = Code;
        return vcpu;
    }

    private sealed class Bus : IPortBus
    {
        public List<(int Port, int Size, uint Value)> Written { get; } = [];

        public uint Read(ushort port, int size) => port + 5u;

        public void Write(ushort port, int size, uint value) => Written.Add((port, size, value));
    }

    private sealed class Counter : ITraps
    {
        public int End { get; init; }

        public ulong Charge { get; init; }

        public int Count { get; private set; }

        public bool Deliver(Vcpu vcpu, ExitCause cause)
        {
            vcpu.Charge(Charge);
            return ++Count < End && cause == ExitCause.SoftwareInterrupt;
        }
    }

    private sealed class Gate : ITraps, IDisposable
    {
        public ManualResetEventSlim Entered { get; } = new();

        public ManualResetEventSlim MayGoOn { get; } = new();

        public ExitCause Last { get; private set; }

        public bool Deliver(Vcpu vcpu, ExitCause cause)
        {
            Last = cause;
            Entered.Set();
            MayGoOn.Wait();
            return cause == ExitCause.SoftwareInterrupt;
        }

        public void Dispose()
        {
            Entered.Dispose();
            MayGoOn.Dispose();
        }
    }
}
