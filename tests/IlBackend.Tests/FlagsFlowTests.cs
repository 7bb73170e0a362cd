using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Inspection.Text;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Tests;

/// <summary>What <see cref="FlagsFlow"/> finds out about fixed code.</summary>
public sealed class FlagsFlowTests : IDisposable
{
    private const ulong Code = 0x401000;

    private readonly AddressSpace _memory = new(32);

    [Fact]
    public void RecordOverwrittenInTheNextBlockIsDead()
    {
        // add eax, ecx; jecxz 401006; sub edx, eax; nop; 401006: cmp eax, edx; ret
        var (region, flow) = Analyse("01 C8 E3 02 29 C2 39 D0 C3");
        Assert.All(flow.Ops(region.Blocks[0]), op => Assert.False(op.WritesFlags));
        Assert.Equal(FlagsForm.Dead, flow.Entry(region.Find(0x401004)!));
        Assert.False(flow.IsLiveAfter(region.Blocks[0]));
    }

    [Fact]
    public void TestedAccessDoesNotShowTheRecord()
    {
        // add eax, ecx; mov edx, [esi]; cmp eax, edx; ret
        var (region, flow) = Analyse("01 C8 8B 16 39 D0 C3");
        Assert.True(flow.Ops(region.Blocks[0])[0].WritesFlags);
        var tested = new FlagsFlow(region, false, null, (block, op) => block.Ops[op].HasAddress);
        Assert.False(tested.Ops(region.Blocks[0])[0].WritesFlags);
    }

    [Fact]
    public void BlockWithOneWayInFindsTheCompareAsItIs()
    {
        // cmp eax, ecx; je 401006; jl 401008; inc edx; ... ret
        var (region, flow) = Analyse("39 C8 74 02 7C 02 42 90 C3");
        var entry = flow.Entry(region.Find(0x401004)!);
        Assert.True(entry.IsPlain);
        Assert.Equal((FlagsKind.Sub, FlagsResult.Difference), (entry.Kind, entry.Result));
        Assert.Equal((FlagsOperand.In(Slot.Rax), FlagsOperand.In(Slot.Rcx)), (entry.Left, entry.Source));
    }

    [Fact]
    public void LoopFindsItsOwnCompareOrTheRecordInTheState()
    {
        // 401000: mov eax, [esi]; add esi, 4; cmp esi, edi; jne 401000; ret
        var (region, flow) = Analyse("8B 06 83 C6 04 39 FE 75 F7 C3");
        var entry = flow.Entry(region.Blocks[0]);
        Assert.Equal((FlagsBase.Either, FlagsLayer.None), (entry.Base, entry.Layer));
        Assert.Equal((FlagsOperand.In(Slot.Rsi), FlagsOperand.In(Slot.Rdi)), (entry.Left, entry.Source));
    }

    [Fact]
    public void DifferentRecordsMeetInTheState()
    {
        // jecxz 401006; cmp eax, edx; jmp 40100A; 401006: test eax, eax; jmp 40100A; 40100A: mov eax, [esi]; ret
        var (region, flow) = Analyse("E3 04 39 D0 EB 04 85 C0 EB 00 8B 06 C3");
        Assert.Equal(FlagsBase.Either, flow.Entry(region.Find(0x40100A)!).Base);
        Assert.Equal(FlagsForm.Dead, flow.Entry(region.Blocks[0]));
    }

    [Theory]
    [InlineData("39 C8 8B 06 90", 0, 0)] // cmp eax, ecx; mov eax, [esi]: eax is kept only if the record is live afterwards
    [InlineData("D1 E8 90", 0, 2)] // shr eax, 1: the old eax
    [InlineData("D3 E0 90", 0, 16)] // shl eax, cl: the old eax; the count is still in ecx
    [InlineData("01 C0 90", 0, 2)] // add eax, eax
    [InlineData("FF C0 90", 0, 0)] // inc eax: nothing
    public void CopiesAtTheFirstOp(string bytes, int saves, int captures)
    {
        var (region, _) = Analyse(bytes);
        var step = FlagsTransfer.At(region.Blocks[0].Ops[0], FlagsForm.Memory, true);
        Assert.Equal((saves, captures), (step.Saves, step.Captures));
    }

    [Fact]
    public void OperandOfALiveRecordIsSavedBeforeItChanges()
    {
        // cmp eax, ecx; mov eax, edx
        var (region, _) = Analyse("39 C8 89 D0 90");
        var ops = region.Blocks[0].Ops;
        var form = FlagsTransfer.At(ops[0], FlagsForm.Memory, true).After;
        var live = FlagsTransfer.At(ops[1], form, true);
        Assert.Equal(1, live.Saves);
        Assert.Equal(FlagsOperand.In(Slot.Part0), live.After.Left);
        Assert.Equal(FlagsForm.Dead, FlagsTransfer.At(ops[1], form, false).After);
    }

    public void Dispose() => _memory.Dispose();

    private (Region Region, FlagsFlow Flow) Analyse(string bytes)
    {
        var code = Convert.FromHexString(bytes.Replace(" ", ""));
        _memory.Map(Code, AddressSpace.PageSize, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
        _memory.Write(Code, code);
        var region = BlockDump.Lift(_memory, Code, GuestMode.Linux32, Code, Code + (ulong)code.Length);
        return (region, new FlagsFlow(region, false));
    }
}
