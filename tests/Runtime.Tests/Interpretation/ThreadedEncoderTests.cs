using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Frontend.Passes;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Interpretation;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Tests.Interpretation;

/// <summary>What IR ops become one op of the interpreter, and that none is lost.</summary>
public sealed unsafe class ThreadedEncoderTests
{
    private const ulong Start = 0x5555_5555_0000;

    [Theory]
    [InlineData("55 C3", 2)] // push rbp; ret
    [InlineData("5B C3", 2)] // pop rbx; ret
    [InlineData("5C C3", 2)] // pop rsp; ret
    [InlineData("6A 05 C2 10 00", 2)] // push 5; ret 16
    [InlineData("E8 00 00 00 00", 1)] // call, its return address beyond 32 bits
    [InlineData("39 D8 74 02", 1)] // cmp eax, ebx; je
    [InlineData("85 C0 78 02", 1)] // test eax, eax; js
    [InlineData("48 B8 00 01 55 55 55 55 00 00 C3", 2)] // mov rax, 0x555555550100; ret
    [InlineData("C7 44 24 08 00 00 00 00 C3", 2)] // mov dword [rsp + 8], 0; ret
    [InlineData("48 8B 04 CD 00 00 40 00 C3", 2)] // mov rax, [rcx * 8 + 0x400000]; ret
    [InlineData("64 48 8B 04 25 28 00 00 00 64 48 8B 0C 25 30 00 00 00 C3", 2)] // two loads by fs, together; ret
    public void SequencesBecomeOneOp(string code, int expected)
    {
        foreach (var table in (HandlerTable[])[HandlerTable.Windowed, HandlerTable.Paged])
        {
            var block = Lifted(code);
            var ops = new ThreadedEncoder(table).Encode(block);
            Assert.Equal(expected, ops.Length);
            Assert.Equal(block.Count, CountOf(table, ops));
        }
    }

    // Whatever the bytes are.
    [Fact]
    public void EveryIrOpIsCovered()
    {
        const int Seed = 4711;
        var random = new Random(Seed);
        var encoder = new ThreadedEncoder(HandlerTable.Windowed);
        var bytes = new byte[64];
        for (var i = 0; i < 3000; i++)
        {
            random.NextBytes(bytes);
            if (Lift(bytes, i % 2 == 0 ? GuestMode.Linux64 : GuestMode.Linux32) is { } block)
                Assert.Equal(block.Count, CountOf(HandlerTable.Windowed, encoder.Encode(block)));
        }
    }

    private static int CountOf(HandlerTable table, ReadOnlySpan<ThreadedOp> ops)
    {
        var memory = new byte[sizeof(ThreadedBlock) + ((ops.Length + 1) * sizeof(ThreadedOp))];
        fixed (byte* p = memory)
        {
            var block = (ThreadedBlock*)p;
            ops.CopyTo(new Span<ThreadedOp>(ThreadedBlock.Ops(block), ops.Length));
            var (first, count) = ThreadedEncoder.IrOpsOf(table, block, ThreadedBlock.Ops(block) + ops.Length - 1);
            return first + count;
        }
    }

    private static IrBlock Lifted(string code) => Lift(Convert.FromHexString(code.Replace(" ", "", StringComparison.Ordinal)), GuestMode.Linux64)!;

    private static IrBlock? Lift(byte[] code, GuestMode mode)
    {
        HelperFamilies.Register();
        var block = new IrBlock();
        fixed (byte* p = code)
            if (!new Lifter().Lift(block, p, code.Length, Start & (mode == GuestMode.Linux64 ? ulong.MaxValue : uint.MaxValue), mode, IrBlock.MaxInstructions))
                return null;
        DeadFlags.Run(block);
        DispatchSelector.Prepare(block.Ops);
        return block;
    }
}
