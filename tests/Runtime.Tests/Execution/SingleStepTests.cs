using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Tests.Helpers;

namespace DynaTrans.Runtime.Tests.Execution;

/// <summary>EFLAGS.TF: where a CPU traps. Offsets are those of RIP at each #DB; the code ends with INT3.</summary>
public sealed unsafe class SingleStepTests
{
    [Theory]
    [InlineData("90 90 90", "1 2 3")]
    [InlineData("F3A4 90", "0 0 2 3")]
    [InlineData("F3AD 90", "0 0 2 3")]
    [InlineData("66F3AB", "0 0 3")]
    [InlineData("F2AE 90", "0 0 2 3")]
    [InlineData("F3A6", "0 0 2")]
    [InlineData("8CD0 8ED0 90 90", "2 5 6")]
    [InlineData("8CD0 8ED0 8ED0 90", "2 7")]
    [InlineData("8CD0 8ED8 90", "2 4 5")]
    [InlineData("E2FE", "0 0 2")]
    public void ATrapFollowsEachStep(string code, string traps)
    {
        using var machine = Make(code, GuestMode.Linux64);
        Assert.Equal(traps, string.Join(' ', Traps(machine)));
    }

    [Theory]
    [InlineData("16 16 17 17 90", "1 2 5")]
    [InlineData("16 17 50", "1 3")]
    public void PopOfSsPutsTheTrapOff(string code, string traps)
    {
        using var machine = Make(code, GuestMode.Linux32);
        machine.State->Ss.Selector = 0x2B;
        Assert.Equal(traps, string.Join(' ', Traps(machine)));
    }

    // popfq with TF set: the next instruction is the first one that is followed by a trap.
    [Fact]
    public void PopfTrapsOneInstructionLater()
    {
        using var machine = Make("9C 810C2400010000 9D 90 90", GuestMode.Linux64);
        CpuAccess.SetEflags(machine.State, Eflags.IF | 2);
        Assert.Equal("10 11", string.Join(' ', Traps(machine)));
    }

    // A repetition that stops for a trap shows the registers and flags of the elements done.
    [Fact]
    public void TheStateBetweenElementsIsThatOfTheElementsDone()
    {
        using var machine = Make("F3A6", GuestMode.Linux64);
        machine.Space.Write(TestMachine.Data, [1, 2, 3, 4]);
        machine.Space.Write(TestMachine.Data + 0x800, [1, 2, 9, 4]);
        machine[Slot.Rcx] = 4;
        machine.RunToException(ExceptionVector.Debug);
        Assert.Equal((3UL, TestMachine.Data + 1, TestMachine.Code), (machine[Slot.Rcx], machine[Slot.Rsi], machine[Slot.Rip]));
        machine.RunToException(ExceptionVector.Debug);
        Assert.NotEqual(0u, CpuAccess.GetEflags(machine.State) & Eflags.ZF);
        machine.RunToException(ExceptionVector.Debug);
        Assert.Equal((1UL, TestMachine.Code + 2), (machine[Slot.Rcx], machine[Slot.Rip]));
        Assert.Equal(Eflags.CF, CpuAccess.GetEflags(machine.State) & (Eflags.ZF | Eflags.CF));
    }

    private static TestMachine Make(string code, GuestMode mode)
    {
        var machine = new TestMachine(code + "CC", mode);
        CpuAccess.SetEflags(machine.State, Eflags.TF | Eflags.IF | 2);
        machine[Slot.Rcx] = 3;
        machine[Slot.Rax] = 1;
        machine[Slot.Rsi] = TestMachine.Data;
        machine[Slot.Rdi] = TestMachine.Data + 0x800;
        machine.UseLinuxTable();
        machine.State->Ss.Selector = 0x2B;
        return machine;
    }

    private static List<ulong> Traps(TestMachine machine)
    {
        var traps = new List<ulong>();
        while (machine.Vcpu.Run(100) == ExitCause.Exception)
        {
            Assert.Equal(ExceptionVector.Debug, machine.State->Execution.ExceptionVector);
            traps.Add(machine[Slot.Rip] - TestMachine.Code);
        }

        return traps;
    }
}
