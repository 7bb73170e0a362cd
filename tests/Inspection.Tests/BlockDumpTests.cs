using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Inspection.Html;
using DynaTrans.Inspection.Text;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Inspection.Tests;

/// <summary>What a dump says about fixed code.</summary>
public sealed class BlockDumpTests : IDisposable
{
    // mov rax, [rdi+rsi*8+16]; add rax, 5; cmp eax, ecx; mov [rsp-8], al; jl 0x401000; ret
    private const string Loop = "48 8B 44 F7 10 48 83 C0 05 39 C8 88 44 24 F8 7C EF C3";

    private readonly AddressSpace _memory = new(32);

    [Fact]
    public void StagesOfALoop()
    {
        var dump = Dump(Loop, GuestMode.Linux64);
        Assert.Equal("guest_401000", dump.Name);
        Assert.Equal([0x401000UL, 0x401011UL], dump.Blocks.Select(block => block.Start));
        var add = dump.Blocks[0].Instructions[1];
        Assert.Equal("add rax, 5", add.Text);
        Assert.Equal([0x48, 0x83, 0xC0, 0x05], add.Bytes);
        Assert.Equal([new DumpedOp("rax = add.8 rax, 5 !f", "rax = add.8 rax, 5")], add.Ops);
        Assert.Equal(["ldloc rax; ldc.i8 5; add; stloc rax"], IlOf(dump, add.Rip));
        Assert.StartsWith("ldloc rax; conv.i4; ldloc rcx; conv.i4; blt L", IlOf(dump, 0x40100F)[0], StringComparison.Ordinal);
    }

    [Fact]
    public void RemovedOpIsShown()
    {
        // cmp eax, ecx; test edx, edx; ret
        var dump = Dump("39 C8 85 D2 C3", GuestMode.Linux32);
        Assert.Equal([new DumpedOp("_ = sub.4 rax, rcx !f", null)], dump.Blocks[0].Instructions[0].Ops);
        Assert.Contains("_ = sub.4 rax, rcx !f [removed]", Text(dump), StringComparison.Ordinal);
    }

    [Fact]
    public void FollowsOnlyInsideTheRange()
    {
        Write(Loop);
        Assert.Single(BlockDump.Lift(_memory, 0x401000, GuestMode.Linux64).Blocks);
        Assert.Throws<ArgumentException>(() => BlockDump.Lift(_memory, 0x700000, GuestMode.Linux64));
    }

    [SkippableFact]
    public void HostCodeIsAlignedWithTheGuest()
    {
        // RyuJIT takes methods that are not optimised into one of the two methods that are compared and not into the other.
        Skip.If(typeof(EmitSupport).Assembly.GetCustomAttribute<DebuggableAttribute>() is { IsJITOptimizerDisabled: true }, "a build without optimisation");
        Skip.IfNot(RuntimeInformation.ProcessArchitecture == Architecture.X64, "host code is listed on x86-64 only");
        Skip.If(Environment.GetEnvironmentVariable("DOTNET_EnableDiagnostics") == "0", "the runtime's diagnostics are switched off");
        var dump = Dump(Loop, GuestMode.Linux64);
        Assert.True(dump.HostIsAligned);

        // The compare and the branch of the guest are a compare and a branch of the host, both where the branch is.
        Assert.All(
            dump.Blocks.SelectMany(block => block.Instructions),
            i => Assert.Equal(i.Rip != 0x401009, dump.Host.Any(h => h.Rip == i.Rip && !h.OutOfLine)));
        var branch = dump.Host.Where(h => h.Rip == 0x40100F).ToList();
        Assert.StartsWith("cmp ", branch[0].Text, StringComparison.Ordinal);
        Assert.StartsWith("j", branch[1].Text, StringComparison.Ordinal);
        Assert.Contains(dump.Host, h => h.OutOfLine && h.Text.EndsWith("; EmitSupport.Load", StringComparison.Ordinal));
    }

    [Fact]
    public void PageHoldsEverythingItNeeds()
    {
        var to = new StringWriter();
        DumpHtml.Write(to, "a <program>", [Dump(Loop, GuestMode.Linux64)]);
        var html = to.ToString();
        Assert.Contains("a &lt;program&gt;", html, StringComparison.Ordinal);
        Assert.Contains("data-k=\"40100f\"", html, StringComparison.Ordinal);
        Assert.DoesNotContain("src=", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<link", html, StringComparison.Ordinal);
    }

    public void Dispose() => _memory.Dispose();

    private static List<string> IlOf(BlockDump dump, ulong rip) =>
        [.. dump.Il.Where(s => s.Rip == rip && !s.OutOfLine).Select(s => s.Text)];

    private static string Text(BlockDump dump)
    {
        var to = new StringWriter();
        DumpText.Write(to, dump);
        return to.ToString();
    }

    private BlockDump Dump(string bytes, GuestMode mode)
    {
        Write(bytes);
        var region = BlockDump.Lift(_memory, 0x401000, mode, 0x401000, 0x402000);
        var slow = region.Blocks.SelectMany(block => block.Addresses).Take(1).ToDictionary(rip => rip, _ => AccessHistory.Slow);
        return BlockDump.Create([new DumpInput(region, _memory.Read) { Histories = slow }])[0];
    }

    private void Write(string bytes)
    {
        _memory.Map(0x401000, AddressSpace.PageSize, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
        _memory.Write(0x401000, Convert.FromHexString(bytes.Replace(" ", "")));
    }
}
