using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Segmentation;

namespace DynaTrans.Runtime.Tests.Helpers;

public sealed unsafe class AtomicsTests
{
    private const int Rounds = 20_000;

    // rcx rounds of an increment of [rsi], each by another instruction.
    [Theory]
    [InlineData("F0480106 FFC9 75F8 CC", 1)]
    [InlineData("F048FF06 FFC9 75F8 CC", 1)]
    [InlineData("488B06 488D5801 F0480FB11E 75F2 FFC9 75EE CC", 1)]
    public void TwoThreadsLoseNothing(string code, int step)
    {
        using var machine = new TestMachine(code, GuestMode.Linux64);
        using var second = machine.Machine.AddVcpu(GuestMode.Linux64);
        second.State->Slots[Slot.Rip] = TestMachine.Code;
        foreach (var vcpu in new[] { machine.Vcpu, second })
        {
            vcpu.State->Slots[Slot.Rcx] = Rounds;
            vcpu.State->Slots[Slot.Rax] = 1;
            vcpu.State->Slots[Slot.Rsi] = TestMachine.Data + 3;
        }

        var thread = new Thread(() => second.Run());
        thread.Start();
        machine.Vcpu.Run();
        thread.Join();
        Assert.Equal((ulong)(2 * Rounds * step), BitConverter.ToUInt64(machine.Bytes(TestMachine.Data + 3, 8)));
    }

    [Fact]
    public void SixteenByteExchangeIsAtomic()
    {
        // A loop that adds 1 to both halves of [rsi] at once: rdx:rax is loaded, rcx:rbx is one more in each half.
        const string Code = "488B06 488B5608 488D5801 488D4A01 F0480FC70E 75EA FFCF 75E6 CC";
        using var machine = new TestMachine(Code, GuestMode.Linux64);
        using var second = machine.Machine.AddVcpu(GuestMode.Linux64);
        second.State->Slots[Slot.Rip] = TestMachine.Code;
        foreach (var vcpu in new[] { machine.Vcpu, second })
        {
            vcpu.State->Slots[Slot.Rdi] = Rounds;
            vcpu.State->Slots[Slot.Rsi] = TestMachine.Data + 16;
        }

        var thread = new Thread(() => second.Run());
        thread.Start();
        machine.Vcpu.Run();
        thread.Join();
        Assert.Equal(2UL * Rounds, BitConverter.ToUInt64(machine.Bytes(TestMachine.Data + 16, 8)));
        Assert.Equal(2UL * Rounds, BitConverter.ToUInt64(machine.Bytes(TestMachine.Data + 24, 8)));
    }

    [Fact]
    public void SixteenByteExchangeOfUnalignedOperandRaisesGp()
    {
        using var machine = new TestMachine("480FC70E CC", GuestMode.Linux64);
        machine[Slot.Rsi] = TestMachine.Data + 8;
        machine.RunToException(ExceptionVector.GeneralProtection);
    }

    [Fact]
    public void ReadOnlyPageFaultsEvenWhenNothingWouldChange()
    {
        using var machine = new TestMachine("F00FB10E CC", GuestMode.Linux32);
        machine.Space.Protect(TestMachine.Data, AddressSpace.PageSize, PagePermission.Read);
        machine[Slot.Rsi] = TestMachine.Data;
        machine[Slot.Rax] = 5;
        machine.RunToException(ExceptionVector.PageFault);
        Assert.Equal((7u, TestMachine.Data, 5UL), (machine.State->Execution.ExceptionError, machine.State->Execution.FaultAddress, machine[Slot.Rax]));
    }

    [Fact]
    public void LockedStoreIntoCodeIsSeen()
    {
        // xchg [rsi], eax replaces the four bytes behind it, which have been executed once already.
        using var machine = new TestMachine("8706 90909090 CC", GuestMode.Linux32);
        machine[Slot.Rsi] = TestMachine.Data;
        Assert.Equal(ExitCause.SoftwareInterrupt, machine.Vcpu.Run(10));
        machine[Slot.Rip] = TestMachine.Code;
        machine[Slot.Rsi] = TestMachine.Code + 2;
        machine[Slot.Rax] = 0x43434343;
        machine[Slot.Rbx] = 0;
        Assert.Equal(ExitCause.SoftwareInterrupt, machine.Vcpu.Run(10));
        Assert.Equal((4UL, 0x90909090UL), (machine[Slot.Rbx], machine[Slot.Rax]));
    }

    [Fact]
    public void AccumulatorIsAnOperandLikeAnyOther()
    {
        using var machine = new TestMachine("F00106 CC", GuestMode.Linux32);
        machine[Slot.Rsi] = TestMachine.Data + 4094;
        machine[Slot.Rax] = 0x12345678;
        Assert.Equal(ExitCause.SoftwareInterrupt, machine.Vcpu.Run(10));
        Assert.Equal(0x12345678u, BitConverter.ToUInt32(machine.Bytes(TestMachine.Data + 4094, 4)));
    }
}
