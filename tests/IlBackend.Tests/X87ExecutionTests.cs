using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Helpers.X87;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using ExitCause = DynaTrans.Frontend.Ir.ExitCause;

namespace DynaTrans.IlBackend.Tests;

/// <summary>
/// What a comparison of single instructions does not show of the x87: when exceptions arrive, what the environment tells, real mode.
/// </summary>
public sealed unsafe class X87ExecutionTests
{
    private const uint Data = (uint)BareMachine.Data;

    public static TheoryData<Engine> Engines => [Engine.Interpreter, Engine.Jit];

    [Theory]
    [MemberData(nameof(Engines))]
    public void EnvironmentTellsTheAddressOfTheLastInstruction(Engine engine)
    {
        using var m = new BareMachine(engine, is64: false);
        var a = new Assembler(32);
        a.nop();
        a.fldz();
        a.fld(__dword_ptr[Data]);
        a.fnstcw(__word_ptr[Data + 0x100]);
        a.fnstenv(__[Data + 0x20]);
        a.fnstsw(ax);
        a.hlt();
        m.Assemble(a);
        m.Cpu.Run();
        Assert.Equal(BareMachine.Code + 3, Read(m, Data + 0x20 + 12, 4));
        Assert.Equal(0x105u << 16, Read(m, Data + 0x20 + 16, 4));
        Assert.Equal(Data, Read(m, Data + 0x20 + 20, 4));
        // ST(0) and ST(1) are zeros in physical registers 6 and 7.
        Assert.Equal(0xFFFF5FFF, Read(m, Data + 0x20 + 8, 4));
        Assert.Equal(6u << 11, m.State->Slots[Slot.Rax] & 0xFFFF);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void UnmaskedExceptionArrivesAtTheNextWaitingInstruction(Engine engine)
    {
        using var m = new BareMachine(engine, is64: false);
        var a = new Assembler(32);
        a.mov(__word_ptr[Data], 0x37B);
        a.fldcw(__word_ptr[Data]);
        a.fld1();
        a.fldz();
        a.fdivp(st1, st0);
        a.fnstsw(ax);
        a.mov(ebx, 7);
        a.fld(__dword_ptr[0x10]);
        a.hlt();
        m.Assemble(a);
        // The pending exception comes before the page fault of the operand.
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        Assert.Equal(ExceptionVector.FloatingPoint, m.State->Execution.ExceptionVector);
        Assert.Equal(7u, m.State->Slots[Slot.Rbx]);
        Assert.Equal(X87Bits.ZE | X87Bits.ES | X87Bits.Busy | 6u << 11, m.State->Slots[Slot.Rax] & 0xFFFF);
        Assert.Equal(0xC0, m.State->FpuValid);

        // The handler clears it, and the instruction runs.
        X87Environment.ClearExceptions(&m.State->X87);
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        Assert.Equal(ExceptionVector.PageFault, m.State->Execution.ExceptionVector);
        Assert.Equal(0x10u, m.State->Execution.FaultAddress);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void UnmaskingASetFlagMakesItPending(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        a.mov(__dword_ptr[BareMachine.Data], 0x037B037F);
        a.fld1();
        a.fldz();
        a.fdivp(st1, st0);
        a.fldcw(__word_ptr[BareMachine.Data + 2]);
        a.mov(ebx, 1);
        a.wait();
        a.mov(ebx, 2);
        m.Assemble(a);
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        Assert.Equal(ExceptionVector.FloatingPoint, m.State->Execution.ExceptionVector);
        Assert.Equal(1u, m.State->Slots[Slot.Rbx]);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void TaskSwitchedFlagRaisesDeviceNotAvailable(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        a.wait();
        a.mov(ebx, 1);
        a.fninit();
        m.Assemble(a);
        m.State->X87.Guard = X87State.GuardInstructions;
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        Assert.Equal(ExceptionVector.DeviceNotAvailable, m.State->Execution.ExceptionVector);
        Assert.Equal(1u, m.State->Slots[Slot.Rbx]);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void FaultingStoreNeitherPopsNorSetsStatus(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        a.fldpi();
        a.mov(rbx, BareMachine.Data + 0x8000 - 4);
        a.fstp(__qword_ptr[rbx]);
        m.Assemble(a);
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        Assert.Equal(ExceptionVector.PageFault, m.State->Execution.ExceptionVector);
        Assert.Equal(7 << 11, m.State->Fsw);
        Assert.Equal(0x80, m.State->FpuValid);
        Assert.Equal(0u, Read(m, BareMachine.Data + 0x8000 - 4, 4));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void RealModeEnvironmentHoldsLinearAddresses(Engine engine)
    {
        using var m = new BareMachine(engine, is64: false);
        var a = new Assembler(16);
        a.fld(__dword_ptr[0x14]);
        a.fnstenv(__[0x40]);
        a.hlt();
        m.Assemble(a);
        CodeModes.Start(m.State, GuestMode.Code16 | GuestMode.Real);
        m.State->Slots[Slot.Rip] = 0x4000;
        Segment(m, 1, 0xC00);
        Segment(m, 3, 0x2000);
        m.Cpu.Run();
        Assert.Equal(0x0000u, Read(m, Data + 0x40 + 6, 2));
        Assert.Equal(0x1106u, Read(m, Data + 0x40 + 8, 2));
        Assert.Equal(0x0014u, Read(m, Data + 0x40 + 10, 2));
        Assert.Equal(0x2000u, Read(m, Data + 0x40 + 12, 2));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void FxsaveRestoresEverything(Engine engine)
    {
        using var m = new BareMachine(engine);
        var a = new Assembler(64);
        a.fldpi();
        a.fld1();
        a.pcmpeqd(xmm9, xmm9);
        a.fxsave64(__[BareMachine.Data]);
        a.fninit();
        a.pxor(xmm9, xmm9);
        a.fxrstor64(__[BareMachine.Data]);
        a.faddp(st1, st0);
        a.fstp(__qword_ptr[BareMachine.Data + 0x400]);
        a.movdqu(__xmmword_ptr[BareMachine.Data + 0x410], xmm9);
        a.hlt();
        m.Assemble(a);
        m.Cpu.Run();
        Assert.Equal(Math.PI + 1, BitConverter.UInt64BitsToDouble(Read(m, BareMachine.Data + 0x400, 8)));
        Assert.Equal(ulong.MaxValue, Read(m, BareMachine.Data + 0x418, 8));
    }

    private static void Segment(BareMachine m, int number, ushort selector)
    {
        m.State->Slots[Slot.EsBase + number] = (ulong)selector << 4;
        DynaTrans.Runtime.State.SegmentRegister* register = &m.State->Es + number;
        register->Selector = selector;
        register->Limit = 0xFFFF;
    }

    private static ulong Read(BareMachine m, ulong address, int size)
    {
        Span<byte> bytes = stackalloc byte[8];
        bytes.Clear();
        Assert.Equal(size, m.Space.Read(address, bytes[..size]));
        return BitConverter.ToUInt64(bytes);
    }
}
