using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.IlBackend.Tests.Systems;

/// <summary>syscall, sysret, sysenter and sysexit without a host (SDM Vol. 2).</summary>
public sealed unsafe class SystemCallTests
{
    private const ulong Kernel = 0x4000;

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void SyscallAndSysretGoThereAndBack(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a =>
        {
            a.mov(eax, 5);
            a.syscall();
            a.mov(rbx, rax);
            a.syscall();
            a.ud2();
        }, 3);
        machine.Assemble(a =>
        {
            a.mov(r8, rcx);
            a.mov(r9, r11);
            a.pushfq();
            a.pop(r10);
            a.inc(rax);
            a.sysretq();
        }, Kernel);
        SetUp(machine);
        CpuAccess.SetEflags(machine.State, 0x40AD7);
        machine.RunToException(ExceptionVector.InvalidOpcode, 0, SystemMachine.Code + 12);
        Assert.Equal((6UL, 7UL), (machine[Slot.Rbx], machine[Slot.Rax]));
        Assert.Equal((SystemMachine.Code + 12, 0x40AD7UL & ~0x10UL | (machine[9] & 0x10)), (machine[8], machine[9]));
        Assert.Equal(0UL, machine[10] & 0x40200);
        var s = machine.State;
        Assert.Equal((0x33, 0x2B, 0xFB, 0xF3), (s->Cs.Selector, s->Ss.Selector, s->Cs.Attributes & 0xFF, s->Ss.Attributes & 0xFF));
        Assert.True(CpuAccess.Mode(s).IsUser());
        Assert.NotEqual(0u, CpuAccess.GetEflags(s) & Eflags.IF);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void SyscallLoadsThePrivilegedSegments(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a => a.syscall(), 3);
        machine.Assemble(a => a.hlt(), Kernel);
        SetUp(machine);
        machine.RunToHalt();
        var s = machine.State;
        Assert.Equal((0x18, 0x20, 0, Kernel + 1), (s->Cs.Selector, s->Ss.Selector, CodeModes.PrivilegeLevel(s), machine[Slot.Rip]));
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void SysretLeadsToCompatibilityMode(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a => a.sysret());
        machine.Assemble(a =>
        {
            a.inc(eax);
            a.hlt();
        }, Kernel, 32);
        SetUp(machine);
        machine[Slot.Rcx] = 0xFFFF0000_00000000 | Kernel;
        machine[11] = 0x202;
        machine.RunToException(ExceptionVector.GeneralProtection, 0, Kernel + 1);
        var s = machine.State;
        Assert.Equal((0x23, 0x2B, GuestMode.Code32), (s->Cs.Selector, s->Ss.Selector, CpuAccess.Mode(s) & GuestMode.CodeMask));
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void SysretChecksItsTargetAndLevel(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a => a.sysretq());
        SetUp(machine);
        machine[Slot.Rcx] = 0x8000_00000000;
        machine.RunToException(ExceptionVector.GeneralProtection);
        using var user = new SystemMachine(engine, SystemMode.Long, a => a.sysretq(), 3);
        user.RunToException(ExceptionVector.GeneralProtection);
        using var legacy = new SystemMachine(engine, SystemMode.Protected, a => a.db(0x0F, 0x07));
        legacy.RunToException(ExceptionVector.InvalidOpcode);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void WithoutScesBitTheyAreUndefined(Engine engine)
    {
        foreach (var code in (Action<Assembler>[])[a => a.syscall(), a => a.sysretq()])
        {
            using var machine = new SystemMachine(engine, SystemMode.Long, code);
            machine.System.Efer &= ~Efer.SyscallEnable;
            machine.RunToException(ExceptionVector.InvalidOpcode);
        }
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void SysenterAndSysexitGoThereAndBack(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.sysenter();
            a.nop();
            a.inc(ebx);
            a.hlt();
        }, 3);
        machine.Assemble(a =>
        {
            a.mov(esi, esp);
            a.pushfd();
            a.pop(edi);
            a.mov(edx, (uint)SystemMachine.Code + 3);
            a.mov(ecx, 0x2F000);
            a.sti();
            a.sysexit();
        }, Kernel);
        machine.System.SysenterCs = 8;
        machine.System.SysenterEip = Kernel;
        machine.System.SysenterEsp = 0x2E000;
        CpuAccess.SetEflags(machine.State, 0x202);
        machine.RunToException(ExceptionVector.GeneralProtection, 0, SystemMachine.Code + 4);
        var s = machine.State;
        Assert.Equal((1UL, 0x2E000UL, 2UL, 0x2F000UL), (machine[Slot.Rbx], machine[Slot.Rsi], machine[Slot.Rdi], machine[Slot.Rsp]));
        Assert.Equal((0x1B, 0x23, true), (s->Cs.Selector, s->Ss.Selector, CpuAccess.Mode(s).IsUser()));
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void SysenterEntersLongMode(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a => a.sysenter(), 3);
        machine.Assemble(a =>
        {
            a.mov(rdx, 0x8000_00000000);
            a.sysexitq();
        }, Kernel);
        machine.System.SysenterCs = 0x18;
        machine.System.SysenterEip = Kernel;
        machine.RunToException(ExceptionVector.GeneralProtection, 0, Kernel + 10);
        Assert.True(CpuAccess.Mode(machine.State).Is64());
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void SysenterNeedsItsSegment(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a => a.sysenter(), 3);
        machine.RunToException(ExceptionVector.GeneralProtection);
        using var real = new SystemMachine(engine, SystemMode.Real, a => a.sysenter());
        real.System.SysenterCs = 8;
        real.RunToException(ExceptionVector.GeneralProtection);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void SwapgsExchangesBases(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a =>
        {
            a.mov(rax, __qword_ptr.gs[8]);
            a.swapgs();
            a.mov(rbx, __qword_ptr.gs[8]);
            a.hlt();
        });
        machine[Slot.GsBase] = 0x20000;
        machine.System.KernelGsBase = 0x21000;
        machine.Write(0x20008, BitConverter.GetBytes(1UL));
        machine.Write(0x21008, BitConverter.GetBytes(2UL));
        machine.RunToHalt();
        Assert.Equal((1UL, 2UL, 0x21000UL, 0x20000UL), (machine[Slot.Rax], machine[Slot.Rbx], machine[Slot.GsBase], machine.System.KernelGsBase));
        using var user = new SystemMachine(engine, SystemMode.Long, a => a.swapgs(), 3);
        user.RunToException(ExceptionVector.GeneralProtection);
        using var legacy = new SystemMachine(engine, SystemMode.Protected, a => a.db(0x0F, 0x01, 0xF8));
        legacy.RunToException(ExceptionVector.InvalidOpcode);
    }

    private static void SetUp(SystemMachine machine)
    {
        machine.System.Star = (0x23UL << 48) | (0x18UL << 32);
        machine.System.LongStar = Kernel;
        machine.System.SyscallMask = 0x40300;
    }
}
