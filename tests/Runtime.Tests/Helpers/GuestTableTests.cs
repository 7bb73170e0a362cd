using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Tests.Helpers;

/// <summary>Segment loads and far transfers with descriptor tables in guest memory, as a system at ring 0 has them.</summary>
public sealed unsafe class GuestTableTests
{
    private const ulong Gdt = 0x30000, Ldt = 0x30800;
    private const ulong KernelCode = 0x00CF9B000000FFFF, KernelData = 0x00CF93000000FFFF, KernelCode64 = 0x00AF9B000000FFFF;
    private const ulong UserCode = 0x00CFFB000000FFFF, UserData = 0x00CFF3000000FFFF;

    // Selectors: 8 code, 10 data, 18 and 20 those of ring 3, 28 not accessed yet, 30 not present, 38 data at 22000 with 16 bytes.
    private static readonly ulong[] s_table =
        [0, KernelCode, KernelData, UserCode, UserData, 0x00CF92000000FFFF, 0x00CF13000000FFFF, 0x004092022000000F, KernelCode64];

    [Fact]
    public void LoadSetsAccessedBitInGuestMemory()
    {
        using var machine = Make("66B82800 8ED8 F4");
        Assert.Equal(ExitCause.Halt, machine.Vcpu.Run(10));
        Assert.Equal(0x93, machine.Bytes(Gdt + 0x28 + 5, 1)[0]);
        Assert.Equal(0x28, machine.State->Ds.Selector);
    }

    [Theory]
    [InlineData(0x30, ExceptionVector.SegmentNotPresent, 0x30)]
    [InlineData(0x48, ExceptionVector.GeneralProtection, 0x48)]
    [InlineData(0x13, ExceptionVector.GeneralProtection, 0x10)]
    [InlineData(0x14, ExceptionVector.GeneralProtection, 0x14)]
    public void BadSelectorsRaiseTheirException(int selector, int vector, uint error)
    {
        using var machine = Make("8ED8 F4");
        machine[Slot.Rax] = (ulong)selector;
        machine.RunToException(vector);
        Assert.Equal((error, TestMachine.Code), (machine.State->Execution.ExceptionError, machine[Slot.Rip]));
    }

    [Fact]
    public void TableThatIsNotMappedRaisesAPageFaultOfRing0()
    {
        using var machine = Make("8ED8 F4");
        machine.State->Gdtr.Base = 0x50000;
        machine[Slot.Rax] = 0x10;
        machine.RunToException(ExceptionVector.PageFault);
        Assert.Equal((0x50010UL, 0u), (machine.State->Execution.FaultAddress, machine.State->Execution.ExceptionError));
    }

    [Fact]
    public void LocalTableIsReadThroughItsRegister()
    {
        using var machine = Make("8ED8 A100000000 F4");
        machine.Space.Write(Ldt + 8, BitConverter.GetBytes(s_table[7]));
        machine.State->Ldtr = new SegmentRegister { Selector = 0x50, Attributes = 0x82, Limit = 15 };
        machine.State->LdtBase = Ldt;
        machine.Space.Write(0x22000, BitConverter.GetBytes(0x11223344));
        machine[Slot.Rax] = 0xC;
        Assert.Equal(ExitCause.Halt, machine.Vcpu.Run(10));
        Assert.Equal(0x11223344UL, machine[Slot.Rax]);
    }

    [Theory]
    [InlineData("A10C000000", false)]
    [InlineData("A10D000000", true)]
    [InlineData("2EA30C000000", true)]
    public void LimitsAndTypesAreChecked(string access, bool faults)
    {
        using var machine = Make($"8ED8 {access} F4");
        machine[Slot.Rax] = 0x38;
        Assert.Equal(faults ? ExitCause.Exception : ExitCause.Halt, machine.Vcpu.Run(10));
        if (faults)
            Assert.Equal((ExceptionVector.GeneralProtection, 0u), (machine.State->Execution.ExceptionVector, machine.State->Execution.ExceptionError));
    }

    [Fact]
    public void InterruptReturnLeavesToRing3()
    {
        // push ss, esp, flags, cs, eip; iretd; there: mov ax, cs; hlt, which user code may not use.
        using var machine = Make("6A23 6800300200 6802020000 6A1B 6814000100 CF 668CC8 F4");
        machine.RunToException(ExceptionVector.GeneralProtection);
        var s = machine.State;
        Assert.Equal((0x1B, 0x23, 0x23000UL, 0x1BUL), (s->Cs.Selector, s->Ss.Selector, machine[Slot.Rsp], machine[Slot.Rax] & 0xFFFF));
        Assert.Equal((0, 0), (s->Ds.Selector, s->Es.Selector));
        Assert.True(CpuAccess.Mode(s).IsUser());
    }

    [Fact]
    public void FarJumpEntersLongMode()
    {
        // jmp 40:code+7; inc rax; hlt
        using var machine = Make("EA070001004000 48FFC0 F4");
        machine.State->IsLongMode = true;
        machine[Slot.Rax] = uint.MaxValue;
        Assert.Equal(ExitCause.Halt, machine.Vcpu.Run(10));
        Assert.True(CpuAccess.Mode(machine.State).Is64());
        Assert.Equal(0x1_0000_0000UL, machine[Slot.Rax]);
    }

    private static TestMachine Make(string code)
    {
        var machine = new TestMachine(code, GuestMode.Code32 | GuestMode.Stack32 | GuestMode.Flat);
        machine.Space.Map(Gdt, AddressSpace.PageSize, PagePermission.Read | PagePermission.Write);
        for (var i = 0; i < s_table.Length; i++)
            machine.Space.Write(Gdt + (ulong)(8 * i), BitConverter.GetBytes(s_table[i]));
        var s = machine.State;
        s->Execution.Gdt = null;
        s->System.Cr0 = Cr0.ProtectionEnable;
        s->Gdtr = new TableRegister { Base = Gdt, Limit = (ushort)((8 * s_table.Length) - 1) };
        s->Cs.Selector = 8;
        s->Ss.Selector = s->Ds.Selector = s->Es.Selector = 0x10;
        foreach (var i in (ReadOnlySpan<int>)[0, 2, 3])
            CpuAccess.Segment(s, i)->Attributes = new SegmentDescriptor(KernelData).Attributes;
        s->Cs.Attributes = new SegmentDescriptor(KernelCode).Attributes;
        return machine;
    }
}
