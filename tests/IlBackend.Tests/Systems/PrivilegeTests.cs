using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.IlBackend.Tests.Systems;

/// <summary>Who may use ports, IF, counters and the tables (SDM Vol. 1, 19.5; Vol. 2, CLI, STI, POPF, RDTSC, SGDT).</summary>
public sealed unsafe class PrivilegeTests
{
    private const uint IopL3 = 0x3000;

    [Theory]
    [InlineData(Engine.Interpreter, 0x3F8, 1, true)]
    [InlineData(Engine.Jit, 0x3F8, 1, true)]
    [InlineData(Engine.Interpreter, 0x3F7, 1, false)]
    [InlineData(Engine.Jit, 0x3F7, 2, false)]
    [InlineData(Engine.Interpreter, 0x3F8, 4, false)]
    [InlineData(Engine.Jit, 0x3F9, 2, true)]
    [InlineData(Engine.Jit, 0x1234, 1, false)]
    public void PermissionBitmapAllowsPorts(Engine engine, int port, int size, bool allowed)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            if (size == 1)
                a.@in(al, dx);
            else if (size == 2)
                a.@in(ax, dx);
            else
                a.@out(dx, eax);
            a.ud2();
        }, 3);
        machine[Slot.Rdx] = (ulong)port;
        AllowPorts(machine, 0x3F8, 0x3F9, 0x3FA);
        if (allowed)
            machine.RunToException(ExceptionVector.InvalidOpcode, 0, SystemMachine.Code + (size == 2 ? 2u : 1u));
        else
            machine.RunToException(ExceptionVector.GeneralProtection);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void IopLAllowsAllPorts(Engine engine)
    {
        foreach (var (level, flags, allowed) in ((int, uint, bool)[])[(3, IopL3, true), (3, 0x2000, false), (2, 0x2000, true), (1, 0x1000, true), (1, 0, false)])
        {
            using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
            {
                a.@in(al, dx);
                a.cli();
                a.sti();
                a.ud2();
            }, level);
            CpuAccess.SetEflags(machine.State, flags | 2);
            machine[Slot.Rdx] = 0x5000;
            if (allowed)
                machine.RunToException(ExceptionVector.InvalidOpcode, 0, SystemMachine.Code + 3);
            else
                machine.RunToException(ExceptionVector.GeneralProtection);
        }
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void StringsToPortsAreCheckedToo(Engine engine)
    {
        foreach (var code in (Action<Assembler>[])[a => a.outsb(), a => a.rep.insd(), a => a.cli(), a => a.sti()])
        {
            using var machine = new SystemMachine(engine, SystemMode.Protected, code, 3);
            machine.RunToException(ExceptionVector.GeneralProtection);
        }
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void A286TaskHasNoBitmap(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a => a.@in(al, 0x80), 3);
        AllowPorts(machine, 0x80);
        machine.System.Tr.Attributes = 0x83;
        machine.RunToException(ExceptionVector.GeneralProtection);
    }

    [Theory]
    [InlineData(Engine.Interpreter, 0, 0x0u, 0x257FD7u)]
    [InlineData(Engine.Jit, 0, 0x0u, 0x257FD7u)]
    [InlineData(Engine.Interpreter, 3, 0x0u, 0x244DD7u)]
    [InlineData(Engine.Jit, 3, 0x0u, 0x244DD7u)]
    [InlineData(Engine.Interpreter, 3, 0x3000u, 0x247FD7u)]
    [InlineData(Engine.Jit, 1, 0x1000u, 0x245FD7u)]
    public void PopfChangesWhatTheLevelMay(Engine engine, int level, uint before, uint expected)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.popfd();
            a.ud2();
        }, level);
        machine[Slot.Rsp] -= 4;
        machine.Write(machine[Slot.Rsp], BitConverter.GetBytes(0xFFFFFEFF));
        CpuAccess.SetEflags(machine.State, before | 2);
        machine.RunToException(ExceptionVector.InvalidOpcode, 0, SystemMachine.Code + 1);
        Assert.Equal(expected & ~0x10100u, CpuAccess.GetEflags(machine.State));
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void VirtualModeNeedsIopL3ForFlags(Engine engine)
    {
        foreach (var (code, flags, allowed) in ((Action<Assembler>, uint, bool)[])[
            (a => { a.pushf(); a.ud2(); }, 0x2000, false), (a => { a.popf(); a.ud2(); }, 0x2000, false), (a => { a.cli(); a.ud2(); }, 0x2000, false),
            (a => { a.pushf(); a.ud2(); }, IopL3, true), (a => { a.popf(); a.ud2(); }, IopL3, true), (a => { a.sti(); a.ud2(); }, IopL3, true),
            (a => { a.@in(al, dx); a.ud2(); }, IopL3, false), (a => a.hlt(), IopL3, false), (a => a.mov(eax, cr0), IopL3, false)])
        {
            using var machine = MakeVirtual(engine, code, flags);
            if (allowed)
                machine.RunToException(ExceptionVector.InvalidOpcode, 0, SystemMachine.Code + 1);
            else
                machine.RunToException(ExceptionVector.GeneralProtection);
            Assert.True(CpuAccess.Mode(machine.State).IsVirtual8086());
        }
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void ProtectedInstructionsAreUndefinedInVirtualMode(Engine engine)
    {
        foreach (var code in (Action<Assembler>[])[a => a.lldt(ax), a => a.ltr(ax), a => a.sldt(ax), a => a.str(ax), a => a.lar(ax, bx), a => a.verr(ax)])
        {
            using var machine = MakeVirtual(engine, code, IopL3);
            machine.RunToException(ExceptionVector.InvalidOpcode);
        }
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void StiLetsOneInstructionPassBeforeAnInterruptThatWaits(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.nop();
            a.sti();
            a.inc(eax);
            a.inc(eax);
            a.hlt();
        });
        var s = machine.State;
        s->Execution.InterruptPending = 1;
        CpuAccess.SetEflags(s, 2);
        Assert.Equal(ExitCause.Requested, machine.Cpu.Run());
        Assert.Equal((SystemMachine.Code + 2, 0UL, (byte)1), (machine[Slot.Rip], machine[Slot.Rax], s->System.InterruptShadow));
        s->Execution.InterruptPending = 0;
        machine.RunToHalt();
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void PopfExitsForAnInterruptThatWaits(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.push(0x202);
            a.popfd();
            a.inc(eax);
            a.hlt();
        });
        machine.State->Execution.InterruptPending = 1;
        Assert.Equal(ExitCause.Requested, machine.Cpu.Run());
        Assert.Equal(0UL, machine[Slot.Rax]);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void LoadOfTheStackSegmentShadowsInterrupts(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.mov(ss, ax);
            a.hlt();
        });
        machine[Slot.Rax] = SystemMachine.DataSegment;
        machine.RunToHalt();
        Assert.Equal(FlagWrites.StackShadow, machine.System.InterruptShadow);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void TimeStampAndTablesCanBeKeptFromUserCode(Engine engine)
    {
        foreach (var (code, bit, bytes) in ((Action<Assembler>, ulong, uint)[])[
            (a => { a.rdtsc(); a.ud2(); }, Cr4.TimeStampDisable, 2), (a => { a.rdtscp(); a.ud2(); }, Cr4.TimeStampDisable, 3),
            (a => { a.sgdt(__[0x20000]); a.ud2(); }, Cr4.UserInstructionPrevention, 7), (a => { a.smsw(eax); a.ud2(); }, Cr4.UserInstructionPrevention, 3),
            (a => { a.str(eax); a.ud2(); }, Cr4.UserInstructionPrevention, 3), (a => { a.sldt(eax); a.ud2(); }, Cr4.UserInstructionPrevention, 3)])
        {
            using var machine = new SystemMachine(engine, SystemMode.Protected, code, 3);
            machine.System.Cr4 |= bit;
            machine.RunToException(ExceptionVector.GeneralProtection);
            machine.System.Cr4 &= ~bit;
            machine.RunToException(ExceptionVector.InvalidOpcode, 0, SystemMachine.Code + bytes);
        }

        using var counters = new SystemMachine(engine, SystemMode.Protected, a => a.rdpmc());
        counters.RunToException(ExceptionVector.GeneralProtection);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void BasesNeedTheirBitOfCr4(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a =>
        {
            a.wrfsbase(rax);
            a.rdfsbase(rbx);
            a.ud2();
        }, 3);
        machine.RunToException(ExceptionVector.InvalidOpcode);
        machine.System.Cr4 |= Cr4.FsGsBase;
        machine[Slot.Rax] = 0x7000;
        machine.RunToException(ExceptionVector.InvalidOpcode, 0, SystemMachine.Code + 10);
        Assert.Equal(0x7000UL, machine[Slot.Rbx]);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void AlignmentIsCheckedAtRing3WithAm(Engine engine)
    {
        foreach (var (level, bits, faults) in ((int, ulong, bool)[])[(3, Cr0.AlignmentMask, true), (3, 0, false), (0, Cr0.AlignmentMask, false)])
        {
            using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
            {
                a.mov(eax, __[0x20001]);
                a.ud2();
            }, level);
            machine.System.Cr0 |= bits;
            CpuAccess.SetEflags(machine.State, Eflags.AC | 2);
            if (faults)
                machine.RunToException(ExceptionVector.AlignmentCheck);
            else
                machine.RunToException(ExceptionVector.InvalidOpcode, 0, SystemMachine.Code + 5);
        }
    }

    private static SystemMachine MakeVirtual(Engine engine, Action<Assembler> code, uint flags)
    {
        var machine = new SystemMachine(engine, SystemMode.Protected, a => { }, 3);
        machine.Assemble(code, SystemMachine.Code, 16);
        var s = machine.State;
        CpuAccess.SetEflags(s, flags | Eflags.VM | 2);
        CodeModes.Update(s);
        for (var i = 0; i < 6; i++)
            SegmentLoads.LoadReal(s, i, 0);
        machine[Slot.Rsp] = 0x8000;
        return machine;
    }

    private static void AllowPorts(SystemMachine machine, params int[] ports)
    {
        var map = new byte[0x2001];
        Array.Fill(map, (byte)0xFF);
        foreach (var port in ports)
            map[port / 8] &= (byte)~(1 << (port % 8));
        machine.Write(SystemMachine.Tss + 0x68, map);
        machine.System.Tr.Limit = 0x68 + 0x2000;
    }
}
