using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Passes;

namespace DynaTrans.Frontend.Tests.Passes;

/// <summary>Which flags records <see cref="DeadFlags"/> may take away.</summary>
public sealed class DeadFlagsTests
{
    [Theory]
    [InlineData("01 D8 29 C8 90", 1)] // add, sub: overwritten
    [InlineData("01 D8 8B 0E 29 C8 90", 0)] // a load between may fault and show the flags
    [InlineData("01 D8 0F 94 C1 29 C8 90", 0)] // sete reads
    [InlineData("01 D8 11 CA 29 C8 90", 1)] // adc reads those of add, sub overwrites those of adc
    [InlineData("01 D8 FF C1 90", 0)] // inc keeps CF
    [InlineData("01 D8 FF C1 29 C8 90", 2)] // unless its own are dead: then it reads nothing
    [InlineData("01 D8 D3 E2 90", 0)] // a shift by cl may change nothing
    [InlineData("01 D8 C1 E2 03 90", 1)] // a shift by 3 writes all
    [InlineData("01 D8 C1 E2 00 90", 0)] // a shift by 0 writes nothing
    [InlineData("39 D8 85 C9 90", 1)] // cmp without a reader vanishes whole
    public void RecordsRemoved(string bytes, int expected)
    {
        var block = Lift.Hex(bytes, GuestMode.Linux64);
        Assert.Equal(expected, DeadFlags.Run(block));
        Assert.DoesNotContain(block.Ops.ToArray(), op => op.Op == IrOpcode.Nop);
        Assert.Equal(0, DeadFlags.Run(block));
    }

    [Fact]
    public void DeadCompareLeavesNoOp()
    {
        var block = Lift.Hex("39 D8 85 C9 90", GuestMode.Linux64);
        DeadFlags.Run(block);
        Assert.Equal([IrOpcode.And, IrOpcode.Jump], block.Ops.ToArray().Select(op => op.Op));
    }

    [Fact]
    public void WhatServedADeadRecordOnlyGoesWithIt()
    {
        // ror eax, 6; bt ecx, edx; xor eax, ecx; ret: the flags of the rotate and the bit test are overwritten.
        var block = Lift.Hex("C1C806 0FA3D1 31C8 C3", GuestMode.Linux32);
        DeadFlags.Run(block);
        Assert.Equal([IrOpcode.Ror, IrOpcode.Xor], block.Ops[..2].ToArray().Select(o => o.Op));
        Assert.Null(IrVerifier.FirstViolation(block));
    }
}
