using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;

namespace DynaTrans.Frontend.Tests.Decoding;

/// <summary>What decides between #UD, a fault of the fetch and #GP. The values are those of a CPU at the end of a page.</summary>
public sealed unsafe class InstructionLengthTests
{
    private const GuestMode Code64 = GuestMode.Linux64, Code32 = GuestMode.Linux32;

    // Undefined with all its bytes, or at once.
    [Theory]
    [InlineData(Code64, "06")]
    [InlineData(Code64, "60")]
    [InlineData(Code64, "CE")]
    [InlineData(Code64, "D6")]
    [InlineData(Code64, "0F04")]
    [InlineData(Code64, "0F0A")]
    [InlineData(Code32, "0F24")]
    [InlineData(Code32, "0F36")]
    [InlineData(Code64, "0F7A")]
    [InlineData(Code32, "0FA6")]
    [InlineData(Code64, "FFF8")]
    [InlineData(Code64, "FEF8")]
    [InlineData(Code64, "0F20C8")]
    [InlineData(Code64, "C6C800")]
    [InlineData(Code64, "82C000")]
    [InlineData(Code64, "9A000000000000")]
    [InlineData(Code32, "F08BC0")]
    [InlineData(Code64, "F0FF3D00000000")]
    [InlineData(Code64, "0F3AFFC000")]
    [InlineData(Code64, "0F71C000")]
    [InlineData(Code64, "666666666666666666666666660F0A")]
    public void UndefinedAtItsLength(GuestMode mode, string bytes) => Assert.Equal((FetchOutcome.Undefined, bytes.Length / 2), Examine(mode, bytes, 0));

    // The next byte is fetched before anything is decided.
    [Theory]
    [InlineData(Code64, "0F")]
    [InlineData(Code64, "66")]
    [InlineData(Code64, "0F38FF")]
    [InlineData(Code64, "0F3AFFC0")]
    [InlineData(Code64, "C6C8")]
    [InlineData(Code64, "C7C8000000")]
    [InlineData(Code64, "9A0000")]
    [InlineData(Code64, "EA")]
    [InlineData(Code64, "82C0")]
    [InlineData(Code32, "0F71C0")]
    [InlineData(Code64, "F0FF3D000000")]
    [InlineData(Code32, "67F0FF3E00")]
    [InlineData(Code64, "F6C0")]
    [InlineData(Code64, "48B800000000000000")]
    [InlineData(Code64, "A000000000000000")]
    [InlineData(Code64, "66E8000000")]
    [InlineData(Code64, "8B0425000000")]
    [InlineData(Code64, "6666666666666666666666666666")]
    public void OneMoreByteIsFetched(GuestMode mode, string bytes) => Assert.Equal((FetchOutcome.NeedsMore, bytes.Length / 2), Examine(mode, bytes, 0));

    // The sixteenth byte is never fetched, so it does not matter whether it could be.
    [Theory]
    [InlineData(Code64, "666666666666666666666666666666", 0)]
    [InlineData(Code64, "666666666666666666666666666666", 20)]
    [InlineData(Code32, "2E2E2E2E2E2E2E2E2E2E2E2EC70000", 0)]
    [InlineData(Code64, "404040404040404040404040408D80", 0)]
    [InlineData(Code64, "F0F0F0F0F0F0F0F0F0F0F0F0F0F0D9", 0)]
    [InlineData(Code64, "66666666666666666666666648B800", 1)]
    public void LongerThanFifteenBytes(GuestMode mode, string bytes, int more) => Assert.Equal((FetchOutcome.TooLong, 15), Examine(mode, bytes, more));

    [Theory]
    [InlineData("0F0A", ExceptionVector.InvalidOpcode)]
    [InlineData("666666666666666666666666666666", ExceptionVector.GeneralProtection)]
    [InlineData("666666666666666666666666660F0A", ExceptionVector.InvalidOpcode)]
    [InlineData("2E2E2E2E2E2E2E2E2E2E2E2E8D8000", ExceptionVector.GeneralProtection)]
    public void TheLifterRaisesIt(string text, int vector)
    {
        var bytes = Convert.FromHexString(text);
        var block = new IrBlock();
        fixed (byte* p = bytes)
            Assert.True(new Lifter().Lift(block, p, bytes.Length, 0x1000, Code64));
        Assert.Equal(1, block.InstructionCount);
        Assert.Equal((IrOpcode.Raise, vector), (block.Ops[^1].Op, block.Ops[^1].Sub));
        Assert.Equal(0x1000UL + (uint)bytes.Length, block.Next);
    }

    private static (FetchOutcome Outcome, int Length) Examine(GuestMode mode, string text, int more)
    {
        byte[] bytes = [.. Convert.FromHexString(text), .. new byte[more]];
        fixed (byte* p = bytes)
            return (InstructionLength.Examine(p, bytes.Length, mode, out var length), length);
    }
}
