using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Export;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.IlBackend.Tests.Export;

/// <summary>What a dump says about fixed code.</summary>
public sealed class BlockDumpTests
{
    [Fact]
    public void X()
    {
        using var memory = new AddressSpace(32);
        memory.Map(0x401000, 4096, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
        memory.Write(0x401000, Convert.FromHexString("488B44F7104883C00539C8884424F87CEFC3"));
        var region = BlockDump.Lift(memory, 0x401000, GuestMode.Linux64, 0x401000, 0x402000);
        using var w = new StreamWriter("/tmp/dump/out.txt");
        var d = BlockDump.Create(memory, [region]);
        DumpText.Write(w, d[0]);
        using var h = new StreamWriter("/tmp/dump/out.html");
        DumpHtml.Write(h, "test", d);
    }
}
