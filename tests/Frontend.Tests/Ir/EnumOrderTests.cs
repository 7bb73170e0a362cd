using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using Iced.Intel;

namespace DynaTrans.Frontend.Tests.Ir;

/// <summary>
/// Where code compares enum members by order or computes with their values, the order is held here: a member put in the wrong place, or added
/// without a decision about each range, fails a test.
/// </summary>
public sealed class EnumOrderTests
{
    [Fact]
    public void ValueOpcodesStandTogether() => AssertRange(
        IrOpcode.Mov,
        IrOpcode.GetFlags,
        [
            IrOpcode.Mov, IrOpcode.SignExtend, IrOpcode.Insert, IrOpcode.InsertHigh, IrOpcode.ExtractHigh, IrOpcode.Add,
            IrOpcode.Adc, IrOpcode.Sub, IrOpcode.Sbb, IrOpcode.And, IrOpcode.Or, IrOpcode.Xor, IrOpcode.Inc, IrOpcode.Dec,
            IrOpcode.Neg, IrOpcode.Not, IrOpcode.Shl, IrOpcode.Shr, IrOpcode.Sar, IrOpcode.Rol, IrOpcode.Ror, IrOpcode.Mul,
            IrOpcode.MulHighU, IrOpcode.MulHighS, IrOpcode.Bswap, IrOpcode.PopCount, IrOpcode.LeadingZeros,
            IrOpcode.TrailingZeros, IrOpcode.Select, IrOpcode.Compare, IrOpcode.GetCondition, IrOpcode.GetFlags,
        ]);

    [Fact]
    public void OpcodesThatMaySetFlagsStandTogether()
    {
        AssertRange(
            IrOpcode.Add,
            IrOpcode.Neg,
            [
                IrOpcode.Add, IrOpcode.Adc, IrOpcode.Sub, IrOpcode.Sbb, IrOpcode.And, IrOpcode.Or, IrOpcode.Xor, IrOpcode.Inc,
                IrOpcode.Dec, IrOpcode.Neg,
            ]);
        AssertRange(IrOpcode.Shl, IrOpcode.Sar, [IrOpcode.Shl, IrOpcode.Shr, IrOpcode.Sar]);
    }

    [Fact]
    public void OpcodesThatWriteTheRecordByNatureStandTogether() => AssertRange(
        IrOpcode.SetFlags,
        IrOpcode.ProductFlags,
        [IrOpcode.SetFlags, IrOpcode.SetFlagsIf, IrOpcode.RotateFlags, IrOpcode.SetCarry, IrOpcode.ProductFlags]);

    [Fact]
    public void VectorOpcodesStandTogether() => AssertRange(
        IrOpcode.VMov,
        IrOpcode.VFromInt,
        [IrOpcode.VMov, IrOpcode.VMovMmx, IrOpcode.VBinary, IrOpcode.VUnary, IrOpcode.VToInt, IrOpcode.VFromInt]);

    [Fact]
    public void OpcodesThatEndABlockAreTheLast() => AssertRange(
        IrOpcode.Jump,
        Enum.GetValues<IrOpcode>().Max(),
        [IrOpcode.Jump, IrOpcode.JumpCondition, IrOpcode.JumpIf, IrOpcode.JumpIndirect, IrOpcode.Exit, IrOpcode.Raise]);

    // The encoding of SDM Vol. 2, App. B: bit 0 negates, and what compares signed numbers comes last.
    [Fact]
    public void ConditionsAreInTheOrderOfTheirEncoding() => AssertRange(
        (Condition)0,
        (Condition)15,
        [
            Condition.O, Condition.No, Condition.B, Condition.Ae, Condition.E, Condition.Ne, Condition.Be, Condition.A,
            Condition.S, Condition.Ns, Condition.P, Condition.Np, Condition.L, Condition.Ge, Condition.Le, Condition.G,
        ]);

    // A record's code is kind * 4 + log2(size); below 4 the record is explicit.
    [Fact]
    public void FlagsKindsFitIntoTheCodeOfARecord()
    {
        Assert.Equal(0, (int)FlagsKind.Explicit);
        Assert.Equal(FlagsKind.Mul, Enum.GetValues<FlagsKind>().Max());
    }

    [Fact]
    public void CodeSizesCountFromZero()
    {
        Assert.Equal([16, 32, 64], new[] { GuestMode.Code16, GuestMode.Code32, GuestMode.Code64 }.Select(mode => mode.Bitness()));
        Assert.Equal([0, 1, 2], new[] { GuestMode.Code16, GuestMode.Code32, GuestMode.Code64 }.Select(mode => (int)mode));
        Assert.Equal(GuestMode.CodeMask, GuestMode.Code32 | GuestMode.Code64);
        var bits = new[] { GuestMode.Stack32, GuestMode.Flat, GuestMode.Real, GuestMode.User, GuestMode.SseUnmasked, GuestMode.AlignmentChecked };
        Assert.All(bits, bit => Assert.True(System.Numerics.BitOperations.IsPow2((int)bit) && (bit & GuestMode.CodeMask) == 0));
        Assert.Equal(bits.Length, bits.Distinct().Count());
    }

    [Fact]
    public void CountsFollowTheLastMember()
    {
        Assert.Equal(HelperId.Count, Enum.GetValues<HelperId>().Max());
        Assert.Equal(VecOp.Count, Enum.GetValues<VecOp>().Max());
        Assert.Equal(ExitCauses.Count, Enum.GetValues<ExitCause>().Length);
        Assert.Equal(ExitCauses.Count - 1, (int)Enum.GetValues<ExitCause>().Max());
    }

    // The lifter numbers registers by their distance from the first.
    [Fact]
    public void RegistersOfTheDecoderAreInEncodingOrder()
    {
        foreach (var (first, names) in new[]
        {
            (Register.AX, "AX CX DX BX SP BP SI DI R8W R9W R10W R11W R12W R13W R14W R15W"),
            (Register.EAX, "EAX ECX EDX EBX ESP EBP ESI EDI R8D R9D R10D R11D R12D R13D R14D R15D"),
            (Register.RAX, "RAX RCX RDX RBX RSP RBP RSI RDI R8 R9 R10 R11 R12 R13 R14 R15"),
            (Register.AL, "AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8L R9L R10L R11L R12L R13L R14L R15L"),
            (Register.ES, "ES CS SS DS FS GS"),
            (Register.ST0, "ST0 ST1 ST2 ST3 ST4 ST5 ST6 ST7"),
            (Register.MM0, "MM0 MM1 MM2 MM3 MM4 MM5 MM6 MM7"),
            (Register.XMM0, string.Join(' ', Enumerable.Range(0, 16).Select(i => $"XMM{i}"))),
        })
            Assert.Equal(names.Split(' '), names.Split(' ').Select((_, i) => (first + i).ToString()));
        Assert.True(Registers.IsHighByte(Register.AH) && Registers.IsHighByte(Register.BH) && !Registers.IsHighByte(Register.BL) && !Registers.IsHighByte(Register.SPL));
    }

    [Fact]
    public void StringOperandsOfTheDecoderStandTogether() => AssertRange(
        OpKind.MemorySegSI,
        OpKind.MemoryESRDI,
        [
            OpKind.MemorySegSI, OpKind.MemorySegESI, OpKind.MemorySegRSI, OpKind.MemorySegDI, OpKind.MemorySegEDI, OpKind.MemorySegRDI,
            OpKind.MemoryESDI, OpKind.MemoryESEDI, OpKind.MemoryESRDI,
        ]);

    // Bases of segments by the number of the segment register, general registers by their number.
    [Fact]
    public void SlotsAreInEncodingOrder()
    {
        Assert.Equal(
            [Slot.EsBase, Slot.CsBase, Slot.SsBase, Slot.DsBase, Slot.FsBase, Slot.GsBase], Enumerable.Range(0, 6).Select(i => (ushort)(Slot.EsBase + i)));
        Assert.Equal(
            [Slot.Rax, Slot.Rcx, Slot.Rdx, Slot.Rbx, Slot.Rsp, Slot.Rbp, Slot.Rsi, Slot.Rdi, Slot.R8], Enumerable.Range(0, 9).Select(i => (ushort)i));
        Assert.Equal(15, Slot.R15);
        Assert.True(Slot.Zero > Slot.R15 && Slot.TempCount <= 64);
    }

    private static void AssertRange<T>(T first, T last, T[] expected)
        where T : struct, Enum =>
        Assert.Equal(expected, Enum.GetValues<T>().Where(member => member.CompareTo(first) >= 0 && member.CompareTo(last) <= 0));
}
