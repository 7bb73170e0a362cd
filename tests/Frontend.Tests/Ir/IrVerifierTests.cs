using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Helpers;
using Xunit.Abstractions;

namespace DynaTrans.Frontend.Tests.Ir;

public sealed unsafe class IrVerifierTests(ITestOutputHelper output)
{
    private const int Seed = 20261;

    public static TheoryData<GuestMode> Modes => new(
        GuestMode.Linux32, GuestMode.Linux64, GuestMode.Linux64 | GuestMode.SseUnmasked, GuestMode.Real, GuestMode.Code16 | GuestMode.Flat | GuestMode.User);

    // Random bytes are mostly instructions: opcodes, prefixes and operands of every kind turn up.
    [Theory]
    [MemberData(nameof(Modes))]
    public void RandomCodeLiftsToValidIr(GuestMode mode)
    {
        output.WriteLine($"seed {Seed}");
        HelperFamilies.Register();
        var random = new Random(Seed);
        var lifter = new Lifter();
        var block = new IrBlock();
        var code = new byte[32];
        fixed (byte* p = code)
        {
            for (var i = 0; i < 40_000; i++)
            {
                random.NextBytes(code);
                if (i % 2 == 0)
                    code[0] = 0x0F;
                if (i % 6 == 0)
                    (code[0], code[1]) = ((byte)(random.Next(3) switch { 0 => 0x66, 1 => 0xF2, _ => 0xF3 }), 0x0F);
                if (!lifter.Lift(block, p, code.Length, 0x401000, mode))
                    continue;
                var violation = IrAssertions.FirstViolation(block);
                Assert.True(violation is null, $"{Convert.ToHexString(code)}: {violation}\n{IrPrinter.Block(block)}");
            }
        }
    }

    [Fact]
    public void TemporaryReadBeforeItsAssignmentIsFound()
    {
        var block = Lift.Hex("83C005 C3", GuestMode.Linux32);
        Assert.Null(IrVerifier.FirstViolation(block));
        block.Ops[0].A = Slot.Temp0 + 9;
        Assert.Contains("reads A", IrVerifier.FirstViolation(block));
    }

    [Fact]
    public void FaultAfterAChangeIsFound()
    {
        // add [ebx], eax with two ops turned round: the flags are recorded before the store.
        var block = Lift.Hex("0103 C3", GuestMode.Linux32);
        Assert.Null(IrVerifier.FirstViolation(block));
        var ops = block.Ops;
        (ops[2], ops[3]) = (ops[3], ops[2]);
        Assert.Contains("can fault after", IrVerifier.FirstViolation(block));
    }

    [Fact]
    public void BlockWithoutEndIsFound()
    {
        var block = Lift.Hex("83C005 C3", GuestMode.Linux32);
        block.Truncate(1);
        Assert.Contains("does not end", IrVerifier.FirstViolation(block));
    }

    [Fact]
    public void LockPrefixWhereItIsNotAllowedIsInvalid()
    {
        foreach (var bytes in new[] { "F003C3", "F08B03", "F0390B", "F00FA303", "F0F7E1", "F0FFE0", "F0 90" })
        {
            var block = Lift.Hex(bytes, GuestMode.Linux32);
            var end = block.Ops[^1];
            Assert.Equal((IrOpcode.Raise, (ushort)ExceptionVector.InvalidOpcode), (end.Op, end.Sub));
        }
    }

    [Fact]
    public void HelperThatChangesTheContextEndsItsBlock()
    {
        // ldmxcsr [ebx] with what follows it lifted into the same block.
        var block = Lift.Hex("0FAE13", GuestMode.Linux32);
        HelperFamilies.Register();
        Assert.Null(IrAssertions.FirstViolation(block));
        block.InstructionCount++;
        block.Ops[^1].Insn++;
        Assert.Contains("must be the last", IrAssertions.FirstViolation(block));
    }
}
