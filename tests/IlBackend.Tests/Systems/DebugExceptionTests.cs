using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.IlBackend.Tests.Systems;

/// <summary>Breakpoints and single steps (SDM Vol. 3, 17.2 and 17.3).</summary>
public sealed unsafe class DebugExceptionTests
{
    private const ulong Dr6 = 0xFFFF0FF0;

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void WritesToABreakpointTrapAfterTheInstruction(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.mov(eax, 0x20004);
            a.mov(dr1, eax);
            a.mov(eax, 0x00D00004);
            a.mov(dr7, eax);
            a.mov(eax, __[0x20004]);
            a.mov(__dword_ptr[0x20000], 1);
            a.mov(__byte_ptr[0x20007], 2);
            a.hlt();
        });
        machine.RunToException(ExceptionVector.Debug, 0, SystemMachine.Code + 38);
        Assert.Equal((Dr6 | 2, (byte)2), (machine.System.Dr6, machine.Read(0x20007, 1)[0]));
        machine.RunToHalt();
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void ReadsTrapWhenTheBreakpointSaysSo(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a =>
        {
            a.mov(rax, __qword_ptr[rbx + (rcx * 8) + 0x10]);
            a.push(rax);
            a.hlt();
        });
        (machine[Slot.Rbx], machine[Slot.Rcx]) = (0x20000, 4);
        machine.System.DebugAddresses[0] = 0x20034;
        machine.System.DebugAddresses[2] = SystemMachine.Stack - 8;
        machine.System.Dr7 = 0x400 | (3UL << 16) | (2UL << 18) | (1UL << 24) | (2UL << 26) | 1 | (1 << 4);
        machine.RunToException(ExceptionVector.Debug, 0, SystemMachine.Code + 5);
        Assert.Equal(Dr6 | 1, machine.System.Dr6);
        machine.RunToException(ExceptionVector.Debug, 0, SystemMachine.Code + 6);
        Assert.Equal(Dr6 | 5, machine.System.Dr6);
        machine.RunToHalt();
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void InstructionsAreFaultsThatRfLetsPass(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.inc(eax);
            a.inc(eax);
            a.inc(eax);
            a.hlt();
        });
        var s = machine.State;
        machine.System.DebugAddresses[3] = SystemMachine.Code + 1;
        machine.System.Dr7 = 0x400 | (1 << 7);
        machine.RunToException(ExceptionVector.Debug, 0, SystemMachine.Code + 1);
        Assert.Equal((Dr6 | 8, 1UL), (machine.System.Dr6, machine[Slot.Rax]));
        machine.RunToException(ExceptionVector.Debug, 0, SystemMachine.Code + 1);
        CpuAccess.SetEflags(s, CpuAccess.GetEflags(s) | Eflags.RF);
        machine.RunToHalt();
        Assert.Equal((3UL, 0u), (machine[Slot.Rax], CpuAccess.GetEflags(s) & Eflags.RF));
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void ReturnFromInterruptSetsRf(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.push(0x10002);
            a.push(SystemMachine.Code32);
            a.push(0x2000);
            a.iretd();
        });
        machine.Assemble(a => a.hlt(), 0x2000);
        machine.System.DebugAddresses[0] = 0x2000;
        machine.System.Dr7 = 0x401;
        machine.RunToHalt();
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void EachElementOfARepetitionTraps(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.rep.stosb();
            a.hlt();
        });
        (machine[Slot.Rcx], machine[Slot.Rdi]) = (4, 0x20000);
        machine.System.DebugAddresses[0] = 0x20001;
        machine.System.Dr7 = 0x401 | (1 << 16);
        machine.RunToException(ExceptionVector.Debug, 0, SystemMachine.Code);
        Assert.Equal((2UL, 0x20002UL), (machine[Slot.Rcx], machine[Slot.Rdi]));
        machine.RunToHalt();
        Assert.Equal(0UL, machine[Slot.Rcx]);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void LoadOfTheStackSegmentHoldsTheTrapBack(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.mov(ss, __word_ptr[0x20000]);
            a.nop();
            a.hlt();
        });
        machine.Write(0x20000, [0x10, 0]);
        machine.System.DebugAddresses[0] = 0x20000;
        machine.System.Dr7 = 0x401 | (3 << 16);
        machine.RunToException(ExceptionVector.Debug, 0, SystemMachine.Code + 7);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void PortsNeedDebuggingExtensions(Engine engine)
    {
        foreach (var de in (bool[])[false, true])
        {
            using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
            {
                a.@out(0x81, ax);
                a.hlt();
            });
            machine.System.DebugAddresses[0] = 0x82;
            machine.System.Dr7 = 0x401 | (2 << 16);
            machine.System.Cr4 |= de ? Cr4.DebuggingExtensions : 0;
            if (de)
                machine.RunToException(ExceptionVector.Debug, 0, SystemMachine.Code + 3);
            machine.RunToHalt();
        }
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void SingleStepSaysSoInDr6(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.push(0x102);
            a.popfd();
            a.inc(eax);
            a.inc(eax);
            a.hlt();
        });
        machine.RunToException(ExceptionVector.Debug, 0, SystemMachine.Code + 7);
        Assert.Equal((Dr6 | 0x4000, 1UL), (machine.System.Dr6, machine[Slot.Rax]));
    }
}
