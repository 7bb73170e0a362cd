using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using ExitCause = DynaTrans.Frontend.Ir.ExitCause;

namespace DynaTrans.IlBackend.Tests;

/// <summary>At a fault, a trap or a stop the state is exactly that of the instruction boundary.</summary>
public sealed unsafe class PreciseStateTests
{
    public static TheoryData<Engine> Engines => [Engine.Interpreter, Engine.Jit, Engine.Warm, Engine.Background, Engine.Lookaside, Engine.WarmLookaside];

    [Theory]
    [MemberData(nameof(Engines))]
    public void FaultInTheMiddleOfABlockHasExactRegistersAndFlags(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.mov(rbx, BareMachine.Data);
        a.mov(ecx, 0x8000 / 8);
        a.Label(ref loop);
        a.add(r8, 3);
        a.sub(r9d, 5);
        a.mov(rax, __qword_ptr[rbx]);
        a.lea(rbx, __[rbx + 8]);
        a.add(r10, rax);
        a.dec(ecx);
        a.jmp(loop);
        m.Assemble(a);
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        Assert.Equal(ExceptionVector.PageFault, m.State->Execution.ExceptionVector);
        Assert.Equal(BareMachine.Data + 0x8000, m.State->Execution.FaultAddress);
        Assert.Equal(BareMachine.Data + 0x8000, m.State->Slots[Slot.Rbx]);
        const ulong Rounds = (0x8000 / 8) + 1;
        Assert.Equal(3 * Rounds, m.State->Slots[Slot.R8]);
        Assert.Equal(unchecked((uint)-(long)(5 * Rounds)), m.State->Slots[Slot.R8 + 1]);
        Assert.Equal(Eflags.SF | Eflags.AF, CpuAccess.GetEflags(m.State) & (Eflags.SF | Eflags.ZF | Eflags.CF | Eflags.OF | Eflags.AF));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void PageCrossingStoreThatFaultsChangesNothing(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        a.mov(rbx, BareMachine.Data + 0x8000 - 4);
        a.mov(rax, 0x1122334455667788);
        a.mov(__qword_ptr[rbx], rax);
        m.Assemble(a);
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        Assert.Equal(BareMachine.Data + 0x8000, m.State->Execution.FaultAddress);
        var bytes = new byte[4];
        m.Space.Read(BareMachine.Data + 0x8000 - 4, bytes);
        Assert.All(bytes, b => Assert.Equal(0, b));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void ExitRequestStopsATightLoop(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.Label(ref loop);
        a.inc(rax);
        a.jmp(loop);
        m.Assemble(a);
        using var timer = new Timer(_ => m.Cpu.RequestExit(), null, 100, Timeout.Infinite);
        Assert.Equal(ExitCause.Requested, m.Cpu.Run());
        Assert.Equal(BareMachine.Code, m.State->Slots[Slot.Rip]);
        Assert.NotEqual(0UL, m.State->Slots[Slot.Rax]);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void RecursionComesBackExactly(Engine engine)
    {
        using var m = new BareMachine(engine, is64: false);
        var a = new Assembler(32);
        var fib = a.CreateLabel();
        var small = a.CreateLabel();
        a.mov(eax, 18);
        a.call(fib);
        a.int3();
        a.Label(ref fib);
        a.cmp(eax, 2);
        a.jb(small);
        a.push(ebx);
        a.push(eax);
        a.dec(eax);
        a.call(fib);
        a.mov(ebx, eax);
        a.pop(eax);
        a.sub(eax, 2);
        a.call(fib);
        a.add(eax, ebx);
        a.pop(ebx);
        a.Label(ref small);
        a.ret();
        m.Assemble(a);
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        Assert.Equal(2584UL, m.State->Slots[Slot.Rax]);
        Assert.Equal(BareMachine.Stack - 0x100, m.State->Slots[Slot.Rsp]);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void InstructionBudgetIsExact(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.Label(ref loop);
        a.inc(rax);
        a.inc(rbx);
        a.inc(rcx);
        a.jmp(loop);
        m.Assemble(a);
        Assert.Equal(ExitCause.Budget, m.Cpu.Run(42));
        Assert.Equal(42UL, m.State->Execution.InstructionCount);
        Assert.Equal(11UL, m.State->Slots[Slot.Rax]);
        Assert.Equal(11UL, m.State->Slots[Slot.Rbx]);
        Assert.Equal(10UL, m.State->Slots[Slot.Rcx]);
    }
}
