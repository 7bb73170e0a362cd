using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.IlBackend.Tests.Systems;

/// <summary>rdmsr, wrmsr, cpuid and what the models have (SDM Vol. 4; Vol. 2, CPUID).</summary>
public sealed unsafe class ModelRegisterTests
{
    private const ulong Uncanonical = 0x0000_8000_00000000;

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void ValuesAreReadBack(Engine engine)
    {
        foreach (var (number, value) in ((uint, ulong)[])[
            (0x174, 0x10), (0x175, 0xFFFF8000_00001000), (0x176, 0xFFFFFFFF_80000000), (0x1A0, 1), (0x277, 0x0407010600070106), (0x200, 0x7FC0000006), (0x201, 0x7FC0000800),
            (0x20F, 0x7F00000800), (0x250, 0x0606060606060606), (0x26F, 0x0505050505050505), (0x2FF, 0xC06), (0xC0000081, 0x0023001000000000), (0xC0000082, 0xFFFFFFFF_81000000),
            (0xC0000083, 0xFFFFFFFF_81000000), (0xC0000084, 0x47700), (0xC0000100, 0x7FFF_FFFFF000), (0xC0000101, 0xFFFF8880_00000000), (0xC0000102, 0x1000), (0xC0000103, 7),
            (0x3B, 0x123456789)])
        {
            using var machine = Make(engine, number, value);
            machine.RunToHalt();
            Assert.Equal((value, number), ((machine[Slot.Rdx] << 32) | machine[Slot.Rax], (uint)machine[Slot.Rcx]));
        }
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void WrongValuesRaiseGeneralProtection(Engine engine)
    {
        foreach (var (number, value) in ((uint, ulong)[])[
            (0x175, Uncanonical), (0x176, Uncanonical), (0xC0000082, Uncanonical), (0xC0000083, Uncanonical), (0xC0000100, Uncanonical), (0xC0000101, Uncanonical),
            (0xC0000102, Uncanonical), (0xC0000080, 0x2000), (0xC0000080, 0x400), (0xC0000084, 1UL << 32), (0xC0000103, 1UL << 32), (0x277, 2), (0x277, 8), (0x200, 7), (0x200, 0x80_00000006),
            (0x201, 0x400), (0x250, 2), (0x2FF, 0x1000), (0x2FF, 3), (0xFE, 0), (0x1A0, 1 << 3), (0x8B, 1), (0x12345, 0), (0x210, 0), (0x6E0, 0), (0x1B, 0xFEE00900)])
        {
            using var machine = Make(engine, number, value);
            machine.RunToException(ExceptionVector.GeneralProtection);
        }
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void UnknownNumbersRaiseGeneralProtection(Engine engine)
    {
        foreach (var (number, model) in ((uint, CpuModel)[])[
            (0x12345, CpuModel.Max), (0xC001_0015, CpuModel.Max), (0x10, CpuModel.I486), (0x277, CpuModel.Pentium), (0x174, CpuModel.Pentium), (0xC0000080, CpuModel.Pentium3),
            (0x3B, CpuModel.Qemu64), (0xC0000103, CpuModel.Qemu64)])
        {
            using var machine = new SystemMachine(engine, SystemMode.Protected, a => a.rdmsr(), model: model);
            machine[Slot.Rcx] = number;
            machine.RunToException(model == CpuModel.I486 ? ExceptionVector.InvalidOpcode : ExceptionVector.GeneralProtection);
        }
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void TimeStampsComeFromTheMachinesClock(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a =>
        {
            a.rdtsc();
            a.mov(esi, eax);
            a.mov(ecx, 0x10);
            a.mov(eax, 5000);
            a.xor(edx, edx);
            a.wrmsr();
            a.rdtsc();
            a.mov(edi, eax);
            a.mov(ecx, 0x3B);
            a.rdmsr();
            a.mov(ebx, eax);
            a.rdtscp();
            a.hlt();
        });
        machine.Cpu.TimeStampSource = new Clock();
        machine.System.TscAux = 9;
        machine.RunToHalt();
        Assert.Equal((1000UL, 5000UL, 4000UL, 5000UL, 9UL), (machine[Slot.Rsi], machine[Slot.Rdi], machine[Slot.Rbx], machine[Slot.Rax], machine[Slot.Rcx]));
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void TheLocalApicIsReportedWhereThereIsOne(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.mov(eax, 1);
            a.cpuid();
            a.mov(esi, edx);
            a.mov(edi, ecx);
            a.mov(ecx, 0x1B);
            a.mov(eax, 0xFEC00000);
            a.xor(edx, edx);
            a.wrmsr();
            a.mov(eax, 1);
            a.cpuid();
            a.hlt();
        });
        var apic = new LocalApic();
        machine.Cpu.LocalApic = apic;
        machine.System.ApicBase = 0xFEE00900;
        machine.RunToHalt();
        Assert.Equal((1u, 1u, 0u, 0u), (Bit(machine[Slot.Rsi], 9), Bit(machine[Slot.Rdi], 24), Bit(machine[Slot.Rdx], 9), Bit(machine[Slot.Rcx], 24)));
        Assert.Equal(0xFEC00100UL, apic.Base);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void Cr8IsTheTaskPriority(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a =>
        {
            a.mov(cr8, rax);
            a.mov(rbx, cr8);
            a.mov(cr8, rcx);
        });
        machine.Cpu.Interrupts = new Pins();
        (machine[Slot.Rax], machine[Slot.Rcx]) = (9, 16);
        machine.RunToException(ExceptionVector.GeneralProtection, 0, SystemMachine.Code + 8);
        Assert.Equal(9UL, machine[Slot.Rbx]);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void InstructionsThatAModelLacksAreUndefined(Engine engine)
    {
        foreach (var (model, code, exists) in ((CpuModel, Action<Assembler>, bool)[])[
            (CpuModel.I486, a => a.cmovb(eax, ebx), false), (CpuModel.I486, a => a.rdtsc(), false), (CpuModel.I486, a => a.cmpxchg(ebx, eax), true),
            (CpuModel.I486, a => a.cpuid(), true), (CpuModel.I486, a => a.fld1(), true), (CpuModel.I486, a => a.nop(eax), false), (CpuModel.I486, a => a.invlpg(__[0]), true),
            (CpuModel.Pentium, a => a.rdtsc(), true), (CpuModel.Pentium, a => a.cmpxchg8b(__[0x20000]), true), (CpuModel.Pentium, a => a.cmovb(eax, ebx), false),
            (CpuModel.Pentium, a => a.paddb(mm0, mm1), false), (CpuModel.Pentium3, a => a.cmovb(eax, ebx), true), (CpuModel.Pentium3, a => a.fcomi(st0, st1), true),
            (CpuModel.Pentium3, a => a.addps(xmm0, xmm1), true), (CpuModel.Pentium3, a => a.addpd(xmm0, xmm1), false), (CpuModel.Pentium3, a => a.nop(eax), true),
            (CpuModel.Qemu64, a => a.addpd(xmm0, xmm1), true), (CpuModel.Qemu64, a => a.pshufb(xmm0, xmm1), false), (CpuModel.Qemu64, a => a.popcnt(eax, ebx), false),
            (CpuModel.Max, a => a.popcnt(eax, ebx), true), (CpuModel.Max, a => a.clac(), true), (CpuModel.Qemu64, a => a.clac(), false)])
        {
            using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
            {
                code(a);
                a.hlt();
            }, model: model);
            if (exists)
                machine.RunToHalt();
            else
                machine.RunToException(ExceptionVector.InvalidOpcode);
        }
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void BitScansIgnoreThePrefixThatAModelDoesNotKnow(Engine engine)
    {
        foreach (var (model, expected) in ((CpuModel, ulong)[])[(CpuModel.Qemu64, 31), (CpuModel.Max, 0)])
        {
            using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
            {
                a.lzcnt(eax, ebx);
                a.hlt();
            }, model: model);
            machine[Slot.Rbx] = 0x80000000;
            machine.RunToHalt();
            Assert.Equal(expected, machine[Slot.Rax]);
        }
    }

    [Fact]
    public void CpuidTellsWhatTheModelsAre()
    {
        foreach (var (model, leaves, family) in ((CpuModel, uint, uint)[])[
            (CpuModel.I486, 1, 4), (CpuModel.Pentium, 1, 5), (CpuModel.Pentium3, 2, 6), (CpuModel.Qemu64, 0x16, 6), (CpuModel.Max, 0x16, 6)])
        {
            Assert.Equal(leaves, Processor.Leaf(0, 0, false, model).Eax);
            Assert.Equal(family, Processor.Leaf(1, 0, false, model).Eax >> 8 & 15);
            Assert.Equal(model.Has("lm") ? 0x80000008u : 0u, model.HighestExtendedLeaf);
        }

        // A descriptor FF would send software to leaf 4.
        Assert.Equal((0x03020101u, 0u, 0u, 0x0C040882u), Processor.Leaf(2, 0, false, CpuModel.Pentium3));
        Assert.Equal((1u, 1u, 1_000_000_000u), Three(Processor.Leaf(0x15, 0, true, CpuModel.Max)));
        Assert.Equal(0x3027u, Processor.Leaf(0x80000008, 0, true, CpuModel.Max).Eax);
        Assert.Equal(0u, Processor.Leaf(1, 0, true, CpuModel.Max).Ecx >> 31);

        static (uint, uint, uint) Three((uint Eax, uint Ebx, uint Ecx, uint Edx) leaf) => (leaf.Eax, leaf.Ebx, leaf.Ecx);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void StacAndClacAreUndefinedOutsideRing0(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a =>
        {
            a.stac();
            a.pushfq();
            a.clac();
            a.pushfq();
            a.pop(rax);
            a.pop(rbx);
            a.hlt();
        });
        machine.RunToHalt();
        Assert.Equal((0UL, (ulong)Eflags.AC), (machine[Slot.Rax] & Eflags.AC, machine[Slot.Rbx] & Eflags.AC));
        using var user = new SystemMachine(engine, SystemMode.Long, a => a.stac(), 3);
        user.RunToException(ExceptionVector.InvalidOpcode);
    }

    private static uint Bit(ulong value, int bit) => (uint)(value >> bit & 1);

    private static SystemMachine Make(Engine engine, uint number, ulong value)
    {
        var machine = new SystemMachine(engine, SystemMode.Long, a =>
        {
            a.wrmsr();
            a.xor(eax, eax);
            a.xor(edx, edx);
            a.rdmsr();
            a.hlt();
        });
        (machine[Slot.Rcx], machine[Slot.Rax], machine[Slot.Rdx]) = (number, (uint)value, value >> 32);
        return machine;
    }

    private sealed class Clock : ITimeStampSource
    {
        public ulong Now => 1000;
    }

    private sealed class LocalApic : ILocalApic
    {
        public ulong Base { get; private set; }

        public ulong TimeStampDeadline { get; set; }

        public void BaseChanged(ulong value) => Base = value;
    }

    private sealed class Pins : IInterruptController
    {
        public bool IsInterruptRequested => false;

        public bool IsNmiRequested => false;

        public byte TaskPriority { get; set; }

        public byte AcknowledgeInterrupt() => 0;

        public void AcknowledgeNmi()
        {
        }
    }
}
