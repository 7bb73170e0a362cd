using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;
using static DynaTrans.Runtime.Tests.Interrupts.SystemMachine;

namespace DynaTrans.Runtime.Tests.Interrupts;

/// <summary>Interrupts, exceptions and iret in protected mode, and in real mode (SDM Vol. 2, INT n and IRET; Vol. 3, 6.12 and 20.1.4).</summary>
public sealed unsafe class ProtectedInterruptTests
{
    private const uint Flags = Eflags.IF | 2;

    [Theory]
    [InlineData(InterruptGate, 4, false)]
    [InlineData(TrapGate, 4, true)]
    [InlineData(InterruptGate16, 2, false)]
    [InlineData(TrapGate16, 2, true)]
    public void GateOfTheSameLevel(int type, int size, bool keepsIf)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = new SystemMachine(translated, SystemMode.Protected);
            m.SetGate(0x80, type, Code0, 0x9000);
            m.Write("F4", 0x9000);
            m.Write("CD 80");
            Assert.Equal(ExitCause.Halt, m.Run());
            Assert.Equal((0x9001UL, Stack0 - (ulong)(3 * size)), (m[Slot.Rip], m[Slot.Rsp]));
            Assert.Equal([(Code + 2) & (size == 2 ? 0xFFFFu : uint.MaxValue), Code0, Flags], m.Frame(m[Slot.Rsp], size, 3));
            Assert.Equal(keepsIf ? Eflags.IF : 0, CpuAccess.GetEflags(m.State) & Eflags.IF);
        }
    }

    // To rings 0 to 2: the stack is the TSS's.
    [Theory]
    [InlineData(Code0, Data0, Stack0)]
    [InlineData(Code1, Data1 | 1, Stack1)]
    [InlineData(Code2, Data2 | 2, Stack2)]
    public void GateOfAnInnerLevelSwitchesStacks(ushort code, ushort stack, ulong top)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = new SystemMachine(translated, SystemMode.Protected);

            // At rings 1 and 2 hlt raises #GP, whose frame on ring 0's stack tells where it was.
            m.SetGate(0x80, InterruptGate | 0x60, code, Handler(0x80));
            m.Write("CD 80", UserCode);
            m.EnterLevel(3);
            Assert.Equal(ExitCause.Halt, m.Run());
            Assert.Equal([UserCode + 2, Code3 | 3, Flags, Stack3, Data3 | 3], m.Frame(top - 20, 4, 5));
            if (code == Code0)
                Assert.Equal((0x80, top - 20, stack), (m.EnteredVector, m[Slot.Rsp], m.State->Ss.Selector));
        }
    }

    // #GP in ring 3 for hlt: an error code, RF in the image, flags back by iret.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void FaultAndReturn(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Protected);
        m.SetGate(ExceptionVector.GeneralProtection, InterruptGate, Code0, Data);
        m.Write("58 FF 04 24 CF", Data);
        m.Write("F4 0F 0B", UserCode);
        m.EnterLevel(3);
        m.RunToHandler(ExceptionVector.InvalidOpcode);
        Assert.Equal(0UL, m[Slot.Rax]);
        Assert.Equal([UserCode + 1, Code3 | 3, Flags | Eflags.RF, Stack3, Data3 | 3], m.Frame(m[Slot.Rsp], 4, 5));
        Assert.Equal([Code3 | 3, Flags | Eflags.RF], m.Frame(Stack0 - 16, 4, 2));
    }

    // The stack of the TSS: what can be wrong with it, and the exception with the selector and its error code.
    [Theory]
    [InlineData(0, ExceptionVector.InvalidTask, 0)]
    [InlineData(Data0 | 1, ExceptionVector.InvalidTask, Data0)]
    [InlineData(Data1, ExceptionVector.InvalidTask, Data1)]
    [InlineData(Code0, ExceptionVector.InvalidTask, Code0)]
    [InlineData(0x1008, ExceptionVector.InvalidTask, 0x1008)]
    [InlineData(Absent, ExceptionVector.StackFault, Absent)]
    public void BadStackOfTheTask(ushort stack, int vector, uint error)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = new SystemMachine(translated, SystemMode.Protected);
            m.SetGate(0x80, InterruptGate | 0x60, Code0, Handler(0x80));

            // The exception is delivered at the present level, which is 3: a handler in conforming code.
            m.SetDescriptor(Free, 0x00CF9E000000FFFF);
            m.SetGate(vector, InterruptGate, Free, Handler(vector));
            m.SetGate(ExceptionVector.GeneralProtection, InterruptGate, Free, Handler(ExceptionVector.GeneralProtection));
            m.Write32(Tss + 8, stack);
            m.Write("EB FE", Handler(vector));
            m.Write("CD 80", UserCode);
            m.EnterLevel(3);
            Assert.Equal(ExitCause.Budget, m.Run(1000));
            Assert.Equal(Handler(vector), m[Slot.Rip]);
            Assert.Equal(Stack3 - 16, m[Slot.Rsp]);
            Assert.Equal([error, UserCode, Code3 | 3, Flags | Eflags.RF], m.Frame(m[Slot.Rsp], 4, 4));
            Assert.Equal(Free | 3, m.State->Cs.Selector);
        }
    }

    // A stack with too little room: #SS with its selector, and nothing of the frame.
    [Fact]
    public void StackOfTheTaskWithoutRoom()
    {
        using var m = new SystemMachine(false, SystemMode.Protected);
        m.SetGate(0x80, InterruptGate | 0x60, Code0, Handler(0x80));
        m.SetDescriptor(0x90, 0x00009E000000FFFF | (0x40UL << 48) | (0xFUL << 48) | (0x8UL << 52));
        m.SetGate(ExceptionVector.StackFault, InterruptGate, 0x90, Handler(ExceptionVector.StackFault));
        m.SetDescriptor(Free, 0x0040930000000000 | 0x1FFF);
        m.Write32(Tss + 8, Free);
        m.Write32(Tss + 4, 0x2008);
        m.Write64(0x2000 - 8, 0x1122334455667788);
        m.Write("EB FE", Handler(ExceptionVector.StackFault));
        m.Write("CD 80", UserCode);
        m.EnterLevel(3);
        Assert.Equal(ExitCause.Budget, m.Run(1000));
        Assert.Equal(Handler(ExceptionVector.StackFault), m[Slot.Rip]);
        Assert.Equal([Free, UserCode], m.Frame(m[Slot.Rsp], 4, 2));
        Assert.Equal(0x1122334455667788UL, m.Read(0x2000 - 8, 8));
    }

    // Back to ring 3: data segments of ring 0 become null, and the stack pointer is the frame's.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ReturnToAnOuterLevelDropsInnerSegments(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Protected);
        m.Write("CF");
        m.Write("0F 0B", UserCode);
        m.Load(4, Data3 | 3);
        m.Load(5, Conforming0);
        ReadOnlySpan<uint> frame = [(uint)UserCode, Code3 | 3, Flags | Eflags.IopL, (uint)Stack3 - 7, Data3 | 3];
        for (var i = 0; i < 5; i++)
            m.Write32(Stack0 - 20 + ((ulong)i * 4), frame[i]);
        m[Slot.Rsp] = Stack0 - 20;
        m.RunToHandler(ExceptionVector.InvalidOpcode);
        var s = m.State;
        Assert.Equal((0, 0, Data3 | 3, Conforming0), (s->Ds.Selector, s->Es.Selector, s->Fs.Selector, s->Gs.Selector));
        Assert.Equal((0, 0), (s->Ds.Attributes, s->Es.Attributes));
        Assert.Equal([UserCode, Code3 | 3, Flags | Eflags.RF | Eflags.IopL, Stack3 - 7, Data3 | 3], m.Frame(m[Slot.Rsp], 4, 5));
    }

    // What iret lets a level change: IF needs IOPL, IOPL ring 0.
    [Theory]
    [InlineData(3, 0u, 0u)]
    [InlineData(3, Eflags.IopL, Eflags.IopL | Eflags.IF)]
    [InlineData(1, 0x1000u, 0x1000u | Eflags.IF)]
    [InlineData(2, 0x1000u, 0x1000u)]
    [InlineData(0, 0u, Eflags.IopL | Eflags.IF)]
    public void ReturnChangesTheFlagsOfItsLevel(int level, uint before, uint after)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = new SystemMachine(translated, SystemMode.Protected);
            m.Write("CF", UserCode);
            m.Write("0F 0B", UserCode + 0x100);
            if (level > 0)
                m.EnterLevel(level);
            m[Slot.Rip] = UserCode;
            var code = level switch { 0 => Code0, 1 => Code1 | 1, 2 => Code2 | 2, _ => Code3 | 3 };
            ReadOnlySpan<uint> frame = [(uint)UserCode + 0x100, (uint)code, 2 | Eflags.IF | Eflags.IopL | Eflags.CF];
            m[Slot.Rsp] -= 12;
            for (var i = 0; i < 3; i++)
                m.Write32(m[Slot.Rsp] + ((ulong)i * 4), frame[i]);
            CpuAccess.SetEflags(m.State, before | 2);
            m.RunToHandler(ExceptionVector.InvalidOpcode);
            Assert.Equal(after | Eflags.CF | Eflags.RF | 2, m.Read(m[Slot.Rsp] + 8, 4));
        }
    }

    // Real mode: three words, IF, TF and AC cleared, through IDTR wherever it points.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void RealModeGoesByItsTableRegister(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Real);
        m.Write("90 CD 21");
        m.Write32(0x500 + (0x21 * 4), (0x1200u << 16) | 0x210);
        m.State->System.Idtr.Base = 0x500;
        m.RunToHandler(0x21);
        Assert.Equal([3, Code >> 4, Flags], m.Frame(Stack0 - 6, 2, 3));
        Assert.Equal(0x7FFAUL, m[Slot.Rsp]);
    }

    // A vector beyond the limit raises #GP, without an error code.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void RealModeChecksTheLimit(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Real);
        m.Write("90 CD 21");
        m.State->System.Idtr.Limit = 0x83;
        m.RunToHandler(ExceptionVector.GeneralProtection);
        Assert.Equal([1, Code >> 4, Flags], m.Frame(Stack0 - 6, 2, 3));
    }

    // iret in real mode changes every flag that software may.
    [Theory]
    [InlineData("CF", 2, 0x7ED7u)]
    [InlineData("66 CF", 4, 0x247ED7u)]
    public void RealModeReturn(string code, int size, uint flags)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = new SystemMachine(translated, SystemMode.Real);
            m.Write(code);
            m.Write("F4", UserCode);
            m[Slot.Rsp] = 0x7FF0;
            var at = Stack0 - 0x10;
            foreach (var value in (ReadOnlySpan<uint>)[0x10, (uint)(UserCode >> 4) - 1, flags | 0x28])
            {
                m.Space.Write(at, BitConverter.GetBytes(value)[..size]);
                at += (ulong)size;
            }

            Assert.Equal(ExitCause.Halt, m.Run());
            Assert.Equal((0x11UL, (UserCode >> 4) - 1, 0x7FF0UL + (ulong)(3 * size)), (m[Slot.Rip], (ulong)m.State->Cs.Selector, m[Slot.Rsp]));
            Assert.Equal(flags, CpuAccess.GetEflags(m.State));
        }
    }
}
