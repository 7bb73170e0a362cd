using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;

namespace DynaTrans.Runtime.Tests.Helpers;

/// <summary>cpuid says what the lifter can do, and nothing else.</summary>
public sealed unsafe class ProcessorTests
{
    private const string Cpuid = "0FA2 CC";

    // Leaf, register (0 EAX .. 3 EDX as RAX RCX RDX RBX slots), bit, an instruction of the feature on [rsi] or registers.
    [Theory]
    [InlineData(1u, Slot.Rdx, 0, "D9E8")]
    [InlineData(1u, Slot.Rdx, 4, "0F31")]
    [InlineData(1u, Slot.Rdx, 8, "0FC70E")]
    [InlineData(1u, Slot.Rdx, 15, "0F44C1")]
    [InlineData(1u, Slot.Rdx, 19, "0FAE3E")]
    [InlineData(1u, Slot.Rdx, 23, "0FFCC1")]
    [InlineData(1u, Slot.Rdx, 24, "0FAE06")]
    [InlineData(1u, Slot.Rdx, 25, "0F58C1")]
    [InlineData(1u, Slot.Rdx, 26, "660F58C1")]
    [InlineData(1u, Slot.Rcx, 0, "F20FD0C1")]
    [InlineData(1u, Slot.Rcx, 1, "660F3A44C100")]
    [InlineData(1u, Slot.Rcx, 9, "660F3800C1")]
    [InlineData(1u, Slot.Rcx, 13, "480FC70E")]
    [InlineData(1u, Slot.Rcx, 19, "660F3A14C000")]
    [InlineData(1u, Slot.Rcx, 20, "F20F38F1C1")]
    [InlineData(1u, Slot.Rcx, 22, "0F38F006")]
    [InlineData(1u, Slot.Rcx, 23, "F30FB8C1")]
    [InlineData(1u, Slot.Rcx, 25, "660F38DCC1")]
    [InlineData(1u, Slot.Rcx, 12, "C4E2F198C1")]
    [InlineData(1u, Slot.Rcx, 27, "0F01D0")]
    [InlineData(1u, Slot.Rcx, 28, "C5F058C1")]
    [InlineData(1u, Slot.Rcx, 29, "C4E27913C1")]
    [InlineData(1u, Slot.Rcx, 30, "0FC7F0")]
    [InlineData(7u, Slot.Rbx, 0, "F3480FAEC0")]
    [InlineData(7u, Slot.Rbx, 3, "C4E270F2C1")]
    [InlineData(7u, Slot.Rbx, 5, "C5F5FEC1")]
    [InlineData(7u, Slot.Rbx, 8, "C4E273F5C1")]
    [InlineData(7u, Slot.Rbx, 11, "C7F80000")]
    [InlineData(7u, Slot.Rbx, 18, "0FC7F8")]
    [InlineData(7u, Slot.Rbx, 19, "66480F38F6C1")]
    [InlineData(7u, Slot.Rbx, 23, "660FAE3E")]
    [InlineData(7u, Slot.Rbx, 24, "660FAE36")]
    [InlineData(7u, Slot.Rbx, 29, "0F38C8C1")]
    [InlineData(7u, Slot.Rcx, 22, "F30FC7F8")]
    [InlineData(0x80000001u, Slot.Rcx, 0, "9F")]
    [InlineData(0x80000001u, Slot.Rcx, 5, "F30FBDC1")]
    [InlineData(0x80000001u, Slot.Rcx, 6, "F20F79C1")]
    [InlineData(0x80000001u, Slot.Rcx, 8, "0F0D0E")]
    [InlineData(0x80000001u, Slot.Rdx, 11, "0F05")]
    [InlineData(0x80000001u, Slot.Rdx, 27, "0F01F9")]
    [InlineData(0x80000001u, Slot.Rdx, 31, "0F0FC19E")]
    public void FeatureBitMeansThatTheInstructionRuns(uint leaf, ushort register, int bit, string instruction)
    {
        using var asking = new TestMachine(Cpuid, GuestMode.Linux64);
        asking[Slot.Rax] = leaf;
        Assert.Equal(ExitCause.SoftwareInterrupt, asking.Vcpu.Run(10));
        var advertised = (asking[register] >> bit & 1) != 0;

        using var machine = new TestMachine(instruction + "CC", GuestMode.Linux64);
        machine[Slot.Rsi] = TestMachine.Data;
        var cause = machine.Vcpu.Run(1);
        var runs = cause != ExitCause.Exception;
        if (!runs)
            Assert.Equal(ExceptionVector.InvalidOpcode, machine.State->ExceptionVector);
        Assert.Equal(runs, advertised);
    }

    [Fact]
    public void LeavesAreFinite()
    {
        using var machine = new TestMachine(Cpuid, GuestMode.Linux64);
        for (var subleaf = 0u; ; subleaf++)
        {
            Assert.True(subleaf < 8);
            machine[Slot.Rip] = TestMachine.Code;
            machine[Slot.Rax] = 4;
            machine[Slot.Rcx] = subleaf;
            Assert.Equal(ExitCause.SoftwareInterrupt, machine.Vcpu.Run(10));
            if ((machine[Slot.Rax] & 31) == 0)
                break;
        }
    }
}
