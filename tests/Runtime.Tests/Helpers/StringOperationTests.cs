using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Runtime.Tests.Helpers;

public sealed unsafe class StringOperationTests
{
    private const string RepMovsb = "F3A4 CC";
    private const string RepStosd = "F3AB CC";
    private const string RepneScasb = "F2AE CC";

    [Theory]
    [InlineData(GuestMode.Linux32)]
    [InlineData(GuestMode.Linux64)]
    public void CopyThatFaultsIsExactAndGoesOn(GuestMode mode)
    {
        const ulong Left = 100;
        using var machine = new TestMachine(RepMovsb, mode);
        var bytes = new byte[TestMachine.DataSize];
        new Random(1).NextBytes(bytes);
        machine.Space.Write(TestMachine.Data, bytes);
        machine[Slot.Rsi] = TestMachine.Data;
        machine[Slot.Rdi] = TestMachine.DataEnd - 6000;
        machine[Slot.Rcx] = 6000 + Left;
        machine.RunToException(ExceptionVector.PageFault);
        Assert.Equal((Left, TestMachine.DataEnd, TestMachine.Data + 6000, TestMachine.Code),
            (machine[Slot.Rcx], machine[Slot.Rdi], machine[Slot.Rsi], machine[Slot.Rip]));
        Assert.Equal((TestMachine.DataEnd, 6u, 0UL), (machine.State->Execution.FaultAddress, machine.State->Execution.ExceptionError, machine.State->Execution.InstructionCount));
        Assert.Equal(bytes[..6000], machine.Bytes(TestMachine.DataEnd - 6000, 6000));

        machine.Space.Map(TestMachine.DataEnd, AddressSpace.PageSize, PagePermission.Read | PagePermission.Write);
        Assert.Equal(ExitCause.SoftwareInterrupt, machine.Vcpu.Run(10));
        Assert.Equal((0UL, 2UL), (machine[Slot.Rcx], machine.State->Execution.InstructionCount));
        Assert.Equal(bytes[6000..(6000 + (int)Left)], machine.Bytes(TestMachine.DataEnd, (int)Left));
    }

    // A forward copy onto a range that begins behind its own source repeats the bytes between, whatever the element size.
    [Theory]
    [InlineData("F3A4 CC", 1, 1)]
    [InlineData("F3A4 CC", 1, 7)]
    [InlineData("F366A5 CC", 2, 1)]
    [InlineData("F3A5 CC", 4, 3)]
    [InlineData("F3A5 CC", 4, 4)]
    [InlineData("F3A5 CC", 4, 9)]
    public void OverlappingCopyGoesElementByElement(string code, int size, int distance)
    {
        foreach (var backwards in new[] { false, true })
        {
            using var machine = new TestMachine(code, GuestMode.Linux32);
            var memory = new byte[9000];
            new Random(distance).NextBytes(memory);
            machine.Space.Write(TestMachine.Data, memory);
            const int Count = 1000;
            var (from, to) = backwards ? (5000 + distance, 5000) : (100, 100 + distance);
            machine[Slot.Rsi] = TestMachine.Data + (ulong)from;
            machine[Slot.Rdi] = TestMachine.Data + (ulong)to;
            machine[Slot.Rcx] = Count;
            if (backwards)
                machine[Slot.Eflags] |= Eflags.DF;
            Assert.Equal(ExitCause.SoftwareInterrupt, machine.Vcpu.Run(10));
            for (var i = 0; i < Count; i++, from += backwards ? -size : size, to += backwards ? -size : size)
                memory.AsSpan(from, size).ToArray().CopyTo(memory, to);
            Assert.Equal(memory, machine.Bytes(TestMachine.Data, memory.Length));
        }
    }

    [Fact]
    public void FillOfTheNextInstructionIsSeen()
    {
        // rep stosd writes four "inc eax" over the bytes behind it; the block that held them was executed before.
        using var machine = new TestMachine(RepStosd + "CCCCCCCC", GuestMode.Linux32);
        machine[Slot.Rdi] = TestMachine.Data;
        machine[Slot.Rcx] = 1;
        Assert.Equal(ExitCause.SoftwareInterrupt, machine.Vcpu.Run(10));
        machine[Slot.Rip] = TestMachine.Code;
        machine[Slot.Rdi] = TestMachine.Code + 2;
        machine[Slot.Rcx] = 1;
        machine[Slot.Rax] = 0x40404040;
        Assert.Equal(ExitCause.SoftwareInterrupt, machine.Vcpu.Run(10));
        Assert.Equal((0x40404044UL, TestMachine.Code + 7), (machine[Slot.Rax], machine[Slot.Rip]));
    }

    [Fact]
    public void LongScanStopsOnRequest()
    {
        // Pages that are all one host page could not be told apart from the rest: 256 MiB of zeros are scanned for a 1.
        using var machine = new TestMachine(RepneScasb, GuestMode.Linux32);
        const ulong Size = 1UL << 28;
        machine.Space.Map(0x10000000, Size, PagePermission.Read);
        machine[Slot.Rdi] = 0x10000000;
        machine[Slot.Rcx] = Size;
        machine[Slot.Rax] = 1;
        machine.Vcpu.State->Slots[Slot.FlagsSrc] = Eflags.CF;
        using var timer = new Timer(_ => machine.Vcpu.RequestExit(), null, 1, Timeout.Infinite);
        var cause = machine.Vcpu.Run(1);
        if (cause == ExitCause.Requested)
        {
            Assert.Equal(TestMachine.Code, machine[Slot.Rip]);
            Assert.Equal(0x10000000 + Size, machine[Slot.Rdi] + machine[Slot.Rcx]);
            Assert.Equal(Eflags.CF, (uint)machine[Slot.FlagsSrc]);
            cause = machine.Vcpu.Run(1);
        }

        Assert.Equal(ExitCause.Budget, cause);
        Assert.Equal((0UL, 1UL, TestMachine.Code + 2), (machine[Slot.Rcx], machine.State->Execution.InstructionCount, machine[Slot.Rip]));
    }

    [Theory]
    [InlineData("F3A6 CC", 5000, 5000, 0)]
    [InlineData("F3A6 CC", 5000, 4700, 300)]
    [InlineData("F2AE CC", 5000, 4700, 0)]
    public void ComparisonsCrossPages(string code, int count, int done, int left)
    {
        using var machine = new TestMachine(code, GuestMode.Linux32);
        var scan = code.StartsWith("F2", StringComparison.Ordinal);
        var at = TestMachine.Data + 4000 + (ulong)done - 1;
        if (done != count)
            machine.Space.Write(at, [7]);
        machine[Slot.Rsi] = TestMachine.Data + 10;
        machine[Slot.Rdi] = TestMachine.Data + 4000;
        machine[Slot.Rcx] = (ulong)count;
        machine[Slot.Rax] = 7;
        Assert.Equal(ExitCause.SoftwareInterrupt, machine.Vcpu.Run(10));
        Assert.Equal((ulong)(scan ? count - done : left), machine[Slot.Rcx]);
        Assert.Equal(at + 1, machine[Slot.Rdi]);
    }
}
