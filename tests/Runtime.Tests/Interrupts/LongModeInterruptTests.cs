using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;
using static DynaTrans.Runtime.Tests.Interrupts.SystemMachine;

namespace DynaTrans.Runtime.Tests.Interrupts;

/// <summary>Interrupts, exceptions and iret in long mode (SDM Vol. 3, 6.14).</summary>
public sealed unsafe class LongModeInterruptTests
{
    private const uint Flags = Eflags.IF | 2;

    // The frame of a handler of the same level: an aligned stack, SS:RSP always.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SoftwareInterruptPushesAnAlignedFrame(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Long);
        m.Write("90 CD 80 F4");
        m[Slot.Rsp] = Stack0 - 3;
        m.RunToHandler(0x80);
        Assert.Equal(Stack0 - 16 - 40, m[Slot.Rsp]);
        Assert.Equal([Code + 3, Code64, Flags, Stack0 - 3, Data0], m.Frame(m[Slot.Rsp], 8, 5));
        Assert.Equal(Code64, m.State->Cs.Selector);
        Assert.Equal(Data0, m.State->Ss.Selector);
        Assert.Equal(0u, CpuAccess.GetEflags(m.State) & Eflags.IF);
    }

    // From ring 3: RSP0, SS null, and the error code below. RF is set in the image of a fault.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void PageFaultOfUserCodeEntersRing0(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Long);
        m.Write("48 A3 F0 FF 08 00 00 00 00 00", UserCode);
        m.EnterLevel(3);
        m.RunToHandler(ExceptionVector.PageFault);
        Assert.Equal(Stack0 - 48, m[Slot.Rsp]);
        Assert.Equal([6, UserCode, UserCode64 | 3, Flags | Eflags.RF, Stack3, Data3 | 3], m.Frame(m[Slot.Rsp], 8, 6));
        Assert.Equal(0, m.State->Ss.Selector);
        Assert.Equal(0x8FFF0UL, m.State->System.Cr2);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void InterruptStackIsUsedAtAnyLevel(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Long);
        m.SetGate(0x40, TrapGate, Code64, Handler(0x40), stackIndex: 1);
        m.Write("CD 40");
        m.RunToHandler(0x40);
        Assert.Equal(Ist1 - 40, m[Slot.Rsp]);
        Assert.Equal([Code + 2, Code64, Flags, Stack0, Data0], m.Frame(m[Slot.Rsp], 8, 5));
        Assert.Equal(Eflags.IF, CpuAccess.GetEflags(m.State) & Eflags.IF);
        Assert.Equal(Data0, m.State->Ss.Selector);
    }

    // int n in user code needs a gate of ring 3; its failure points at the instruction, without EXT.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void GateOfRing0IsNotForUserCode(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Long);
        m.Write("90 CD 80", UserCode);
        m.EnterLevel(3);
        m.RunToHandler(ExceptionVector.GeneralProtection);
        Assert.Equal([(0x80 * 8) + 2, UserCode + 1, UserCode64 | 3, Flags | Eflags.RF, Stack3, Data3 | 3], m.Frame(m[Slot.Rsp], 8, 6));
    }

    // What an entry of the table can be wrong about: the exception of int 0x21, and its error code.
    [Theory]
    [InlineData(0x0E, Code64, ExceptionVector.SegmentNotPresent, (0x21 * 8) + 2)]
    [InlineData(0x8C, Code64, ExceptionVector.GeneralProtection, (0x21 * 8) + 2)]
    [InlineData(0x86, Code64, ExceptionVector.GeneralProtection, (0x21 * 8) + 2)]
    [InlineData(0x85, Code64, ExceptionVector.GeneralProtection, (0x21 * 8) + 2)]
    [InlineData(0x9E, Code64, ExceptionVector.GeneralProtection, (0x21 * 8) + 2)]
    [InlineData(0x8E, 0, ExceptionVector.GeneralProtection, 0)]
    [InlineData(0x8E, Data0, ExceptionVector.GeneralProtection, Data0)]
    [InlineData(0x8E, Code0, ExceptionVector.GeneralProtection, Code0)]
    [InlineData(0x8E, UserCode64, ExceptionVector.GeneralProtection, UserCode64)]
    [InlineData(0x8E, 0x1008, ExceptionVector.GeneralProtection, 0x1008)]
    [InlineData(0x8E, Free, ExceptionVector.SegmentNotPresent, Free)]
    public void BadGatesRaiseTheirException(int type, ushort selector, int vector, uint error)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = new SystemMachine(translated, SystemMode.Long);
            m.SetDescriptor(Free, 0x00AF1B000000FFFF);
            m.SetGate(0x21, type, selector, Handler(0x21));
            m.Write("CD 21");
            m.RunToHandler(vector);
            Assert.Equal([error, Code, Code64, Flags | Eflags.RF, Stack0, Data0], m.Frame(m[Slot.Rsp], 8, 6));
        }
    }

    // The same of an external interrupt: EXT is set.
    [Fact]
    public void ExceptionInTheDeliveryOfAnInterruptHasExt()
    {
        using var m = new SystemMachine(false, SystemMode.Long);
        m.SetGate(0x30, 0x0E, Code64, Handler(0x30));
        m.Write("EB FE");
        m.Requested.Enqueue(0x30);
        m.Cpu.RequestExit();
        m.RunToHandler(ExceptionVector.SegmentNotPresent);
        Assert.Equal((0x30 * 8) + 3UL, m.Read(m[Slot.Rsp], 8));
    }

    [Fact]
    public void HandlerThatIsNotCanonicalRaisesGeneralProtection()
    {
        using var m = new SystemMachine(false, SystemMode.Long);
        m.SetGate(0x21, InterruptGate, Code64, 0x0000800000000000);
        m.Write("CD 21");
        m.RunToHandler(ExceptionVector.GeneralProtection);
        Assert.Equal([0, Code], m.Frame(m[Slot.Rsp], 8, 2));
    }

    [Theory]
    [InlineData(0x0000800000000000UL, ExceptionVector.StackFault)]
    [InlineData(End + 0x2000, ExceptionVector.PageFault)]
    public void BadStackOfTheTaskRaisesAnException(ulong stack, int vector)
    {
        using var m = new SystemMachine(false, SystemMode.Long);
        m.SetGate(vector, InterruptGate, Code64, Handler(vector), stackIndex: 1);
        m.SetGate(0x80, InterruptGate | 0x60, Code64, Handler(0x80));
        m.Write64(Tss + 4, stack);
        m.Write("CD 80", UserCode);
        m.EnterLevel(3);
        m.RunToHandler(vector);
        Assert.Equal([vector == ExceptionVector.PageFault ? 2UL : 0, UserCode], m.Frame(m[Slot.Rsp], 8, 2));
        if (vector == ExceptionVector.PageFault)
            Assert.Equal(stack - 40, m.State->System.Cr2);
    }

    // A task register whose limit ends before the stack pointer.
    [Fact]
    public void ShortTaskSegmentRaisesInvalidTask()
    {
        using var m = new SystemMachine(false, SystemMode.Long);
        m.SetGate(0x80, InterruptGate, Code64, Handler(0x80), stackIndex: 7);
        m.State->System.Tr.Limit = 0x5A;
        m.Write("CD 80");
        m.RunToHandler(ExceptionVector.InvalidTask);
        Assert.Equal([Task1, Code], m.Frame(m[Slot.Rsp], 8, 2));
    }

    // #NP in the delivery of #GP: both contributory. The frame of #DF has an error code of 0.
    [Fact]
    public void ContributoryExceptionsMakeADoubleFault()
    {
        using var m = new SystemMachine(false, SystemMode.Long);
        m.SetGate(ExceptionVector.GeneralProtection, 0x0E, Code64, 0);
        m.Write("CD 80", UserCode);
        m.EnterLevel(3);
        m.RunToHandler(ExceptionVector.DoubleFault);
        Assert.Equal([0, UserCode, UserCode64 | 3], m.Frame(m[Slot.Rsp], 8, 3));
    }

    [Fact]
    public void FaultInADoubleFaultShutsDown()
    {
        using var m = new SystemMachine(false, SystemMode.Long);
        m.State->System.Idtr.Limit = 0;
        m.Write("CD 80");
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Run());
        Assert.Equal((1, Code), (m.Shutdowns, m[Slot.Rip]));
    }

    // There and back, with every flag that the frame may give.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ReturnToUserCodeRestoresAll(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Long);
        m.SetGate(0x80, InterruptGate | 0x60, Code64, Data);
        m.Write("48 FF C0 48 CF", Data);
        m.Write("CD 80 CD 80 0F 0B", UserCode);
        m.EnterLevel(3);
        m[Slot.Rsp] = Stack3 - 5;
        CpuAccess.SetEflags(m.State, Flags | Eflags.DF | Eflags.CF | Eflags.Id);
        m.RunToHandler(ExceptionVector.InvalidOpcode);
        Assert.Equal(2UL, m[Slot.Rax]);
        Assert.Equal([UserCode + 4, UserCode64 | 3, Flags | Eflags.DF | Eflags.CF | Eflags.Id | Eflags.RF, Stack3 - 5, Data3 | 3], m.Frame(m[Slot.Rsp], 8, 5));
    }

    // From a 32-bit program, and back to it: the upper halves of its registers are zero.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void CompatibilityModeGoesThroughTheSameGates(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Long);
        m.SetGate(0x80, InterruptGate | 0x60, Code64, Data);
        m.Write("48 B8 88 77 66 55 44 33 22 11 48 CF", Data);
        m.Write("CD 80 40 CC", UserCode);
        m.SetGate(3, InterruptGate | 0x60, Code64, Handler(3));
        m.EnterLevel(3);
        m.Load(1, Code3 | 3);
        Segmentation.CodeModes.Update(m.State);
        m.RunToHandler(3);
        Assert.Equal(0x55667789UL, m[Slot.Rax]);
        Assert.Equal([UserCode + 4, Code3 | 3, Flags, Stack3, Data3 | 3], m.Frame(m[Slot.Rsp], 8, 5));
    }

    // A return that cannot be made changes nothing.
    [Theory]
    [InlineData(0, Data3 | 3, ExceptionVector.GeneralProtection, 0)]
    [InlineData(UserCode64 | 3, 0, ExceptionVector.GeneralProtection, 0)]
    [InlineData(UserCode64 | 3, Data0, ExceptionVector.GeneralProtection, Data0)]
    [InlineData(UserCode64 | 3, Absent | 3, ExceptionVector.GeneralProtection, Absent)]
    [InlineData(Code64 | 3, Data3 | 3, ExceptionVector.GeneralProtection, Code64)]
    [InlineData(Data0, Data3 | 3, ExceptionVector.GeneralProtection, Data0)]
    public void BadReturnsRaiseTheirException(ushort code, ushort stack, int vector, uint error)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = new SystemMachine(translated, SystemMode.Long);
            m.Write("48 CF");
            ReadOnlySpan<ulong> frame = [UserCode, code, Flags, Stack3, stack];
            for (var i = 0; i < 5; i++)
                m.Write64(Stack0 - 40 + ((ulong)i * 8), frame[i]);
            m[Slot.Rsp] = Stack0 - 40;
            m.RunToHandler(vector);
            Assert.Equal([error, Code, Code64, Flags | Eflags.RF, Stack0 - 40, Data0], m.Frame(m[Slot.Rsp], 8, 6));
        }
    }

    [Fact]
    public void NestedTaskHasNoReturnInLongMode()
    {
        using var m = new SystemMachine(false, SystemMode.Long);
        m.Write("48 CF");
        m[Slot.Rsp] = Stack0 - 40;
        CpuAccess.SetEflags(m.State, Flags | Eflags.NT);
        m.RunToHandler(ExceptionVector.GeneralProtection);
        Assert.Equal([0, Code, Code64, Flags | Eflags.NT | Eflags.RF], m.Frame(m[Slot.Rsp], 8, 4));
        Assert.Equal(0u, CpuAccess.GetEflags(m.State) & Eflags.NT);
    }
}
