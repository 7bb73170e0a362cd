using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Tests.Helpers;

namespace DynaTrans.Runtime.Tests.Execution;

/// <summary>EFLAGS.AC at ring 3 with CR0.AM: which accesses raise #AC. The values are those of a CPU.</summary>
public sealed unsafe class AlignmentCheckTests
{
    // RAX, RSI, RDI are the address, RSP an aligned one.
    [Theory]
    [InlineData("8A00", 1, false)]
    [InlineData("668B00", 1, true)]
    [InlineData("668B00", 2, false)]
    [InlineData("8B00", 2, true)]
    [InlineData("8900", 1, true)]
    [InlineData("8B00", 4, false)]
    [InlineData("488B00", 4, true)]
    [InlineData("488B00", 8, false)]
    [InlineData("FF00", 2, true)]
    [InlineData("F0FF00", 2, true)]
    [InlineData("8700", 1, true)]
    [InlineData("0FC708", 4, true)]
    [InlineData("0FC708", 8, false)]
    [InlineData("F30F1000", 2, true)]
    [InlineData("F20F1000", 4, true)]
    [InlineData("0F1000", 8, true)]
    [InlineData("0F1100", 1, true)]
    [InlineData("0F1000", 16, false)]
    [InlineData("660F383000", 4, true)]
    [InlineData("D900", 2, true)]
    [InlineData("DB28", 8, false)]
    [InlineData("DB28", 4, true)]
    [InlineData("D930", 2, true)]
    [InlineData("D930", 4, false)]
    [InlineData("66D930", 2, false)]
    [InlineData("D928", 1, true)]
    [InlineData("A4", 1, false)]
    [InlineData("A5", 2, true)]
    [InlineData("F3A4", 1, false)]
    [InlineData("F3A5", 2, true)]
    [InlineData("F3AB", 2, true)]
    [InlineData("FF30", 4, true)]
    [InlineData("0FA308", 2, true)]
    [InlineData("0FB108", 2, true)]
    [InlineData("0FAE38", 1, false)]
    [InlineData("8D4001", 1, false)]
    [InlineData("0F0100", 1, false)]
    [InlineData("660FF7C0", 8, true)]
    [InlineData("660FF7C0", 16, false)]
    public void SizesThatAreChecked(string code, int offset, bool raises)
    {
        using var machine = Make(code);
        machine[Slot.Rax] = machine[Slot.Rsi] = machine[Slot.Rdi] = TestMachine.Data + 0x100 + (uint)offset;
        Assert.Equal(raises ? ExceptionVector.AlignmentCheck : -1, Run(machine));
    }

    [Theory]
    [InlineData("50", 4)]
    [InlineData("58", 4)]
    [InlineData("E800000000", 2)]
    [InlineData("C3", 4)]
    public void TheStackIsChecked(string code, int offset)
    {
        using var machine = Make(code);
        machine[Slot.Rsp] = TestMachine.Data + 0x100 + (uint)offset;
        Assert.Equal(ExceptionVector.AlignmentCheck, Run(machine));
    }

    // The operand must be aligned for another reason, which comes first.
    [Theory]
    [InlineData("0F2800")]
    [InlineData("660F38DE00")]
    [InlineData("480FC708")]
    public void GeneralProtectionComesFirst(string code)
    {
        using var machine = Make(code);
        machine[Slot.Rax] = TestMachine.Data + 8;
        Assert.Equal(ExceptionVector.GeneralProtection, Run(machine));
    }

    // Set and cleared by popf; the fast accesses are back afterwards.
    [Fact]
    public void TheFlagIsFollowed()
    {
        // mov eax, [rsi]; pushfq; or dword [rsp], 40000h; popfq; mov eax, [rsi]
        using var machine = Make("8B06 9C 810C2400000400 9D 8B06");
        CpuAccess.SetEflags(machine.State, 2);
        machine[Slot.Rsi] = TestMachine.Data + 1;
        machine.RunToException(ExceptionVector.AlignmentCheck);
        Assert.Equal((TestMachine.Code + 11, 0u), (machine[Slot.Rip], machine.State->Execution.ExceptionError));
        CpuAccess.SetEflags(machine.State, 2);
        Assert.Equal(-1, Run(machine));
    }

    [Fact]
    public void WithoutTheMaskTheFlagDoesNothing()
    {
        using var machine = Make("8B00");
        machine.Vcpu.ChecksAlignment = false;
        machine[Slot.Rax] = TestMachine.Data + 1;
        Assert.Equal(-1, Run(machine));
    }

    private static TestMachine Make(string code)
    {
        var machine = new TestMachine(code + "CC", GuestMode.Linux64);
        CpuAccess.SetEflags(machine.State, Eflags.AC | 2);
        machine.Vcpu.ChecksAlignment = true;
        machine.State->Fcw = 0x37F;
        machine[Slot.Rcx] = 2;
        return machine;
    }

    private static int Run(TestMachine machine) => machine.Vcpu.Run(1000) == ExitCause.Exception ? machine.State->Execution.ExceptionVector : -1;
}
