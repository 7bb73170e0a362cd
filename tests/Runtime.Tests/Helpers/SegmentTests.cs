using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Interrupts;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Tests.Helpers;

public sealed unsafe class SegmentTests
{
    private const string MovGsEax = "8EE8 65A110000000 CC";
    private const ushort TlsSelector = (12 << 3) | 3;
    private const ulong TlsDescriptor = 0x00DFF3020000FFFF;

    [Fact]
    public void TlsSelectorGivesItsBase()
    {
        using var machine = Linux32(MovGsEax);
        machine.Space.Write(TestMachine.Data + 16, BitConverter.GetBytes(0xCAFEF00D));
        machine.Table->Entries[TlsSelector >> 3] = TlsDescriptor;
        machine[Slot.Rax] = TlsSelector;
        Assert.Equal(ExitCause.SoftwareInterrupt, machine.Vcpu.Run(10));
        Assert.Equal((TestMachine.Data, 0xCAFEF00DUL, TlsSelector), (machine[Slot.GsBase], machine[Slot.Rax], machine.State->Gs.Selector));
    }

    [Theory]
    [InlineData(0x1B, 0x18)]
    [InlineData(0x37, 0x34)]
    [InlineData(0x1234, 0x1234)]
    public void SelectorWithoutDescriptorRaisesGpWithIt(int selector, uint error)
    {
        using var machine = Linux32(MovGsEax);
        machine[Slot.Rax] = (ulong)selector;
        machine.RunToException(ExceptionVector.GeneralProtection);
        Assert.Equal((error, TestMachine.Code), (machine.State->Execution.ExceptionError, machine[Slot.Rip]));
    }

    [Theory]
    [InlineData("8ED0 CC", 0, 0)]
    [InlineData("8ED0 CC", 0x23, 0x20)]
    [InlineData("8ED0 CC", TlsSelector & ~3, TlsSelector & ~3u)]
    public void StackSegmentMustBeWritableDataOfTheSameLevel(string code, int selector, uint error)
    {
        using var machine = Linux32(code);
        machine.Table->Entries[TlsSelector >> 3] = TlsDescriptor;
        machine[Slot.Rax] = (ulong)selector;
        machine.RunToException(ExceptionVector.GeneralProtection);
        Assert.Equal(error, machine.State->Execution.ExceptionError);
    }

    [Fact]
    public void TrapFlagSetByPopfTrapsAfterTheNextInstruction()
    {
        // pushf; or [esp], 100h; popf; nop; nop
        using var machine = Linux32("9C 810C2400010000 9D 9090 CC");
        machine.RunToException(ExceptionVector.Debug);
        Assert.Equal(TestMachine.Code + 10, machine[Slot.Rip]);
    }

    [Fact]
    public void IntoIsATrap()
    {
        // mov al, 7F; inc al; into
        using var machine = Linux32("B07F FEC0 CE CC");
        machine.RunToException(ExceptionVector.Overflow);
        Assert.Equal((TestMachine.Code + 5, 3UL), (machine[Slot.Rip], machine.State->Execution.InstructionCount));
    }

    [Fact]
    public void UserCodeMayNotChangeInterruptFlag()
    {
        // push 0; popf; pushf; pop eax
        using var machine = Linux32("6A00 9D 9C 58 CC");
        Assert.Equal(ExitCause.SoftwareInterrupt, machine.Vcpu.Run(10));
        Assert.Equal(Eflags.IF | 2UL, machine[Slot.Rax]);
    }

    [Fact]
    public void RealModeInterruptGoesThroughTheTable()
    {
        using var machine = new TestMachine("CC", GuestMode.Real);
        machine.Space.Map(0, 0x1000, DynaTrans.Runtime.Memory.PagePermission.Read | DynaTrans.Runtime.Memory.PagePermission.Write);
        machine.Space.Write(0x21 * 4, [0x34, 0x12, 0x00, 0x20]);
        var s = machine.State;
        s->Ss.Limit = s->Cs.Limit = 0xFFFF;
        s->Ss.Selector = 0x2000;
        machine[Slot.SsBase] = 0x20000;
        s->Cs.Selector = 0x1000;
        machine[Slot.CsBase] = 0x10000;
        machine[Slot.Rip] = 0x77;
        machine[Slot.Rsp] = 0x100;
        Assert.True(RealModeInterrupts.Deliver(s, 0x21));
        Assert.Equal((0x1234UL, 0x2000, 0x20000UL, 0xFAUL), (machine[Slot.Rip], s->Cs.Selector, machine[Slot.CsBase], machine[Slot.Rsp]));
        Assert.Equal(0u, CpuAccess.GetEflags(s) & Eflags.IF);
        Assert.Equal([0x77, 0, 0, 0x10, 2, 2], machine.Bytes(0x200FA, 6));

        // No room for three words below SP 1: not even a double fault can be delivered.
        machine[Slot.Rsp] = 1;
        Assert.False(RealModeInterrupts.Deliver(s, 0x21));
    }

    private static TestMachine Linux32(string code)
    {
        var machine = new TestMachine(code, GuestMode.Linux32);
        machine.UseLinuxTable();
        return machine;
    }
}
