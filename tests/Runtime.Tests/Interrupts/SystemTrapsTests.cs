using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;
using static DynaTrans.Runtime.Tests.Interrupts.SystemMachine;

namespace DynaTrans.Runtime.Tests.Interrupts;

/// <summary>Which event is taken when: INTR, NMI, shadows, hlt, single steps, FERR# (SDM Vol. 3, 6.6 to 6.9).</summary>
public sealed unsafe class SystemTrapsTests
{
    private const uint Flags = Eflags.IF | 2;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void InterruptStopsALoop(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Long);
        m.Write("48 FF C0 EB FB");
        using var timer = new Timer(_ => m.Cpu.RequestExit(), null, 5, 5);
        m.Polled = () =>
        {
            if (m[Slot.Rax] > 1 && m.Requested.Count == 0)
                m.Requested.Enqueue(0x30);
        };
        Assert.Equal(ExitCause.Halt, m.Run(ulong.MaxValue));
        Assert.Equal(0x30, m.EnteredVector);
        Assert.Contains(m.Read(m[Slot.Rsp], 8), new[] { Code, Code + 3 });
    }

    // With IF clear the vCPU looks once and runs on; the iret that sets IF makes it look again, at its target.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void InterruptWaitsForTheReturnThatAllowsIt(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Long);
        m.Write("48 FF C9 75 FB 48 CF");
        m.Write("48 FF C2 EB FB", UserCode);
        ReadOnlySpan<ulong> frame = [UserCode, UserCode64 | 3, Flags, Stack3, Data3 | 3];
        for (var i = 0; i < 5; i++)
            m.Write64(Stack0 - 40 + ((ulong)i * 8), frame[i]);
        m[Slot.Rsp] = Stack0 - 40;
        m[Slot.Rcx] = 20_000;
        CpuAccess.SetEflags(m.State, 2);
        m.Requested.Enqueue(0x30);
        m.Cpu.RequestExit();
        m.RunToHandler(0x30);
        Assert.Equal(UserCode, m.Read(m[Slot.Rsp], 8));
        Assert.Equal((0UL, 0UL), (m[Slot.Rcx], m[Slot.Rdx]));
        Assert.InRange(m.Polls, 2, 5);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ShadowLastsForOneInstruction(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Long);
        m.Write("48 FF C0 48 FF C0");
        m.State->System.InterruptShadow = 1;
        m.Requested.Enqueue(0x30);
        m.Cpu.RequestExit();
        m.RunToHandler(0x30);
        Assert.Equal((1UL, Code + 3), (m[Slot.Rax], m.Read(m[Slot.Rsp], 8)));
        Assert.Equal(0, m.State->System.InterruptShadow);
    }

    // What the instruction in the shadow raises comes first; the interrupt after the handler's iret.
    [Fact]
    public void ExceptionInTheShadowComesFirst()
    {
        using var m = new SystemMachine(false, SystemMode.Long);
        m.Write("0F 0B");
        m.State->System.InterruptShadow = 1;
        m.Requested.Enqueue(0x30);
        m.Cpu.RequestExit();
        m.Write("90 48 83 04 24 02 48 CF", Handler(ExceptionVector.InvalidOpcode));
        m.RunToHandler(0x30);
        Assert.Equal(Code + 2, m.Read(m[Slot.Rsp], 8));
    }

    // The end of a budget between the shadow's instruction and the one before it loses nothing.
    [Fact]
    public void BudgetEndsInTheShadow()
    {
        using var m = new SystemMachine(false, SystemMode.Long);
        m.Write("90 48 FF C0 48 FF C0");
        Assert.Equal(ExitCause.Budget, m.Run(1));
        m.State->System.InterruptShadow = 1;
        m.Requested.Enqueue(0x30);
        m.Cpu.RequestExit();
        Assert.Equal(ExitCause.Budget, m.Run(0));
        m.RunToHandler(0x30);
    }

    [Fact]
    public void NmiComesFirstAndBlocksNmisUntilIret()
    {
        using var m = new SystemMachine(false, SystemMode.Long);
        m.Write("EB FE");
        m.NmiCount = 2;
        m.Requested.Enqueue(0x30);
        m.Cpu.RequestExit();
        m.Write("48 FF C3 48 FF C1 48 83 F9 02 74 02 48 CF F4", Handler(ExceptionVector.NonMaskable));
        Assert.Equal(ExitCause.Halt, m.Run());
        Assert.Equal((2UL, 0, 1, true), (m[Slot.Rbx], m.NmiCount, m.Requested.Count, m.State->System.IsNmiBlocked));
        Assert.Equal(Stack0 - 40, m[Slot.Rsp]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void HaltSleepsUntilAnInterrupt(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Long);
        m.Write("F4 48 FF C0 F4");
        m.Write("48 CF", Handler(0x30));
        var waits = 0;
        m.Waited = () =>
        {
            if (++waits <= 3)
                return true;
            if (waits == 4)
                m.Requested.Enqueue(0x30);
            return waits == 4;
        };
        Assert.Equal(ExitCause.Halt, m.Run());
        Assert.Equal((1UL, 5, true, Code + 5), (m[Slot.Rax], waits, m.State->System.IsHalted, m[Slot.Rip]));
    }

    // INTR does not wake a vCPU with IF clear; an NMI does.
    [Fact]
    public void OnlyNmiWakesWithInterruptsOff()
    {
        using var m = new SystemMachine(false, SystemMode.Long);
        m.Write("F4");
        CpuAccess.SetEflags(m.State, 2);
        m.Requested.Enqueue(0x30);
        Assert.Equal(ExitCause.Halt, m.Run());
        Assert.Equal((Code + 1, true), (m[Slot.Rip], m.State->System.IsHalted));
        m.NmiCount = 1;
        Assert.True(m.Traps.Resume(m.Cpu));
        m.RunToHandler(ExceptionVector.NonMaskable);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SingleStepReportsItself(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Long);
        m.Write("90 90");
        CpuAccess.SetEflags(m.State, Flags | Eflags.TF);
        m.State->System.Dr7 = 0x2400;
        m.RunToHandler(ExceptionVector.Debug);
        Assert.Equal([Code + 1, Code64, Flags | Eflags.TF], m.Frame(m[Slot.Rsp], 8, 3));
        Assert.Equal((0xFFFF4FF0UL, 0x400UL, 0u), (m.State->System.Dr6, m.State->System.Dr7, CpuAccess.GetEflags(m.State) & Eflags.TF));
    }

    // A halted processor would not report it any more.
    [Fact]
    public void SingleStepOfHaltWakes()
    {
        using var m = new SystemMachine(false, SystemMode.Long);
        m.Write("F4");
        CpuAccess.SetEflags(m.State, Flags | Eflags.TF);
        m.RunToHandler(ExceptionVector.Debug);
        Assert.Equal(Code + 1, m.Read(m[Slot.Rsp], 8));
    }

    // The trap of the instruction before comes before the interrupt, which the handler's gate then holds back.
    [Fact]
    public void DebugTrapComesBeforeAnInterrupt()
    {
        using var m = new SystemMachine(false, SystemMode.Long);
        m.Write("90 90");
        m.SetGate(ExceptionVector.Debug, TrapGate, Code64, Handler(ExceptionVector.Debug));
        CpuAccess.SetEflags(m.State, Flags | Eflags.TF);
        m.State->System.InterruptShadow = 1;
        m.Requested.Enqueue(0x30);
        m.Cpu.RequestExit();
        m.RunToHandler(0x30);
        Assert.Equal(Handler(ExceptionVector.Debug), m.Read(m[Slot.Rsp], 8));
        Assert.Equal(Code + 1, m.Read(Stack0 - 40, 8));
    }

    // Software interrupts and the privilege of their gate: int3, into and int n need one of ring 3, int1 none.
    [Theory]
    [InlineData("F1", false, ExceptionVector.Debug, 1)]
    [InlineData("CC", false, ExceptionVector.GeneralProtection, 0)]
    [InlineData("CD 01", false, ExceptionVector.GeneralProtection, 0)]
    [InlineData("CC", true, ExceptionVector.Breakpoint, 1)]
    [InlineData("2E CD 03", true, ExceptionVector.Breakpoint, 3)]
    [InlineData("CE", false, ExceptionVector.GeneralProtection, 0)]
    [InlineData("CE", true, ExceptionVector.Overflow, 1)]
    public void SoftwareInterruptsAskTheirGate(string code, bool allowed, int vector, int length)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = new SystemMachine(translated, SystemMode.Protected);
            m.Write(code, UserCode);
            m.EnterLevel(3);
            CpuAccess.SetEflags(m.State, Flags | Eflags.OF);
            foreach (var v in (ReadOnlySpan<int>)[1, 3, 4])
                m.SetGate(v, InterruptGate | (allowed ? 0x60 : 0), Code0, Handler(v));
            m.RunToHandler(vector);
            var hasError = vector == ExceptionVector.GeneralProtection;
            Assert.Equal(UserCode + (ulong)length, m.Read(m[Slot.Rsp] + (hasError ? 4UL : 0), 4));
        }
    }

    // CR0.NE clear: the error goes by FERR# and the interrupt controller, and the instruction waits for it.
    [Fact]
    public void FloatingPointErrorGoesByItsPin()
    {
        using var m = new SystemMachine(false, SystemMode.Protected);
        m.State->System.Cr0 &= ~0x20UL;

        // fldcw with #Z unmasked; fld1; fldz; fdivp; wait.
        m.Write16(Data, 0x37B);
        m.Write("D9 2D 00 00 03 00 D9 E8 D9 EE DE F9 9B");
        m.Waited = () =>
        {
            m.Requested.Enqueue(0x75);
            return true;
        };
        m.Polled = () => m.Waited = m.FloatingPointErrors.Count > 1 ? null : m.Waited;
        m.RunToHandler(0x75);
        Assert.Equal(Code + 12, m.Read(m[Slot.Rsp], 4));
        Assert.Equal([true, false], m.FloatingPointErrors);
    }
}
