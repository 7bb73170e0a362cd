using System.Globalization;
using System.Text;
using System.Text.Json;
using DynaTrans.Cli.Bare;
using DynaTrans.Cli.Commands;

namespace DynaTrans.Cli.Tests;

/// <summary>The JSON protocol of <c>dynatrans exec</c>, in both executors.</summary>
public sealed class ExecTests
{
    public static TheoryData<string> BothEngines => new(Engines.Interpreter, Engines.Translator);

    [Theory]
    [MemberData(nameof(BothEngines))]
    public void RealModeRunsToHlt(string engine)
    {
        // mov ax, 1234h; add ax, bx; hlt
        var result = Single(engine, """
            {"id": 7, "mode": "real", "memory": [{"at": "0x10000", "hex": "b8341201d8f4"}],
             "registers": {"cs": "0x1000", "ip": 0, "bx": 2}, "dump": [{"at": 65536, "size": 3}]}
            """);
        Assert.Equal(7, result.GetProperty("id").GetInt32());
        Assert.Equal("hlt", result.GetProperty("stop").GetString());
        Assert.Equal(3, result.GetProperty("instructions").GetInt32());
        Assert.Equal(0x1236UL, Register(result, "rax"));
        Assert.Equal(6UL, Register(result, "rip"));
        Assert.Equal("b83412", result.GetProperty("memory")[0].GetProperty("hex").GetString());
    }

    [Theory]
    [MemberData(nameof(BothEngines))]
    public void RealModeInterruptsGoThroughTheVectorTable(string engine)
    {
        // The handler of int 21h at 2000:0010 sets bl and returns; behind the int comes hlt.
        var result = Single(engine, """
            {"id": 1, "mode": "real", "memory": [{"at": 132, "hex": "10000020"}, {"at": "0x20010", "hex": "b30acf"}, {"at": "0x10000", "hex": "cd21f4"}],
             "registers": {"cs": 4096, "ip": 0, "ss": 256, "sp": 256, "flags": 1}}
            """);
        Assert.Equal("hlt", result.GetProperty("stop").GetString());
        Assert.Equal(10UL, Register(result, "rbx"));
        Assert.Equal(256UL, Register(result, "rsp"));
        Assert.Equal(3UL, Register(result, "rflags"));
        Assert.Equal(4, result.GetProperty("instructions").GetInt32());
    }

    [Theory]
    [MemberData(nameof(BothEngines))]
    public void ExceptionsOfRealModeAreDelivered(string engine)
    {
        // div bl with bl = 0; the handler of vector 0 is a hlt at 3000:0000.
        var result = Single(engine, """
            {"id": 1, "mode": "real", "memory": [{"at": 0, "hex": "00000030"}, {"at": "0x30000", "hex": "f4"}, {"at": "0x10000", "hex": "f6f3"}],
             "registers": {"cs": 4096, "ip": 0, "ss": 256, "sp": 256}, "dump": [{"at": "0x10fa", "size": 4}]}
            """);
        Assert.Equal("hlt", result.GetProperty("stop").GetString());
        Assert.Equal(0x3000UL, Register(result, "cs"));
        Assert.Equal("00000010", result.GetProperty("memory")[0].GetProperty("hex").GetString());
    }

    [Theory]
    [MemberData(nameof(BothEngines))]
    public void InterruptsMayPushOverCodeThatRan(string engine)
    {
        // The stack of the interrupt lies over the code that was just executed.
        var result = Single(engine, """
            {"id": 1, "mode": "real", "memory": [{"at": 132, "hex": "00000020"}, {"at": "0x20000", "hex": "f4"}, {"at": "0x10000", "hex": "4040404040404040cd21"}],
             "registers": {"cs": 4096, "ip": 0, "ss": 4096, "sp": 8}, "dump": [{"at": "0x10002", "size": 2}]}
            """);
        Assert.Equal("hlt", result.GetProperty("stop").GetString());
        Assert.Equal("0a00", result.GetProperty("memory")[0].GetProperty("hex").GetString());
    }

    [Theory]
    [MemberData(nameof(BothEngines))]
    public void Protected16HasA16BitStackPointer(string engine)
    {
        // push ax; int 80h
        var result = Single(engine, """
            {"id": 1, "mode": "protected16", "memory": [{"at": 4096, "hex": "50cd80"}, {"at": 0, "size": 16}],
             "registers": {"ip": 4096, "eax": "0x12345678", "esp": "0xabcd0004"}, "dump": [{"at": 2, "size": 2}]}
            """);
        Assert.Equal("interrupt", result.GetProperty("stop").GetString());
        Assert.Equal(0x80, result.GetProperty("interrupt").GetInt32());
        Assert.Equal(0xabcd0002UL, Register(result, "rsp"));
        Assert.Equal("7856", result.GetProperty("memory")[0].GetProperty("hex").GetString());
    }

    [Theory]
    [MemberData(nameof(BothEngines))]
    public void Protected32StopsAtThePageFault(string engine)
    {
        // inc eax; mov [5000h], eax
        var result = Single(engine, """
            {"id": "x", "mode": "protected32", "memory": [{"at": 4096, "hex": "40a300500000"}], "registers": {"eip": 4096, "eax": 1}}
            """);
        Assert.Equal("exception", result.GetProperty("stop").GetString());
        var exception = result.GetProperty("exception");
        Assert.Equal(14, exception.GetProperty("vector").GetInt32());
        Assert.Equal(6, exception.GetProperty("error").GetInt32());
        Assert.Equal(0x5000, exception.GetProperty("address").GetInt32());
        Assert.Equal(2UL, Register(result, "rax"));
        Assert.Equal(4097UL, Register(result, "rip"));
        Assert.Equal(1, result.GetProperty("instructions").GetInt32());
    }

    [Theory]
    [InlineData("interp", 3, "exception")]
    [InlineData("jit", 3, "exception")]
    [InlineData("interp", 0, "hlt")]
    [InlineData("jit", 0, "hlt")]
    public void HltNeedsRing0(string engine, int ring, string stop)
    {
        var result = Single(engine, $$"""
            {"id": 1, "mode": "long64", "ring": {{ring}}, "memory": [{"at": 4096, "hex": "f4"}], "registers": {"rip": 4096} }
            """);
        Assert.Equal(stop, result.GetProperty("stop").GetString());
        if (ring == 3)
            Assert.Equal(13, result.GetProperty("exception").GetProperty("vector").GetInt32());
    }

    [Theory]
    [MemberData(nameof(BothEngines))]
    public void Long64ReachesTheWholeAddressSpace(string engine)
    {
        // mov [rax], rcx across two pages in the upper half; syscall
        var result = Single(engine, """
            {"id": 1, "mode": "long64", "memory": [{"at": "0x7fffffffe000", "hex": "4889080f05"}, {"at": "0xffff800000000ffc", "size": 8}],
             "registers": {"rip": "0x7fffffffe000", "rax": "0xffff800000000ffc", "rcx": "0x1122334455667788"},
             "dump": [{"at": "0xffff800000000ffc", "size": 8}]}
            """);
        Assert.Equal("syscall", result.GetProperty("stop").GetString());
        Assert.Equal("8877665544332211", result.GetProperty("memory")[0].GetProperty("hex").GetString());
        Assert.Equal("0xffff800000000ffc", "0x" + result.GetProperty("memory")[0].GetProperty("at").GetUInt64().ToString("x", CultureInfo.InvariantCulture));
    }

    [Theory]
    [MemberData(nameof(BothEngines))]
    public void FloatingPointRegistersComeAndGo(string engine)
    {
        // faddp; addss xmm0, xmm1; gs mov eax, [0]
        var result = Single(engine, """
            {"id": 1, "mode": "long64", "memory": [{"at": 4096, "hex": "dec1f30f58c165488b042500000000"}, {"at": 8192, "hex": "0102030405060708"}],
             "instructions": 3, "registers": {"rip": 4096, "gs_base": 8192, "st0": "3fff8000000000000000", "st1": "4000c000000000000000",
             "xmm0": "0000000000000000000000003fc00000", "xmm1": "000000000000000000000000bf000000"} }
            """);
        Assert.Equal("instructions", result.GetProperty("stop").GetString());
        Assert.Equal("40018000000000000000", result.GetProperty("registers").GetProperty("st0").GetString());
        Assert.Equal("0000000000000000000000003f800000", result.GetProperty("registers").GetProperty("xmm0").GetString());
        Assert.Equal(0x0807060504030201UL, Register(result, "rax"));
        Assert.Equal(0x0800UL, Register(result, "fsw"));
        Assert.Equal(0x1F80UL, Register(result, "mxcsr"));
    }

    [Theory]
    [MemberData(nameof(BothEngines))]
    public void NothingOfACaseIsLeftForTheNext(string engine)
    {
        const string First = """{"id": 1, "mode": "protected32", "memory": [{"at": 4096, "hex": "b8010000008903"}, {"at": 12288, "size": 4}], "registers": {"eip": 4096, "ebx": 12288, "xmm3": "000000000000000000000000000000ff"}, "instructions": 2}""";
        const string Second = """{"id": 2, "mode": "protected32", "memory": [{"at": 4096, "hex": "b8020000008903"}], "registers": {"eip": 4096, "ebx": 12288}, "instructions": 2}""";
        var results = Run(engine, $"{First}\n\n{Second}\n", out var errors);
        Assert.Equal(0, errors);
        Assert.Equal(2, results.Count);
        Assert.Equal("instructions", results[0].GetProperty("stop").GetString());
        Assert.Equal("exception", results[1].GetProperty("stop").GetString());
        Assert.Equal(2UL, Register(results[1], "rax"));
        Assert.Equal(new string('0', 32), results[1].GetProperty("registers").GetProperty("xmm3").GetString());
    }

    [Theory]
    [MemberData(nameof(BothEngines))]
    public void ManyCasesWithManyTinyRegions(string engine)
    {
        const int Cases = 1000;
        var input = new StringBuilder();
        for (var i = 0; i < Cases; i++)
        {
            // mov al, i; add al, bl; hlt, a region a byte
            byte[] code = [0xB0, (byte)i, 0x00, 0xD8, 0xF4];
            var at = 0x1000 + (i * 7 % 5000);
            var regions = string.Join(",", code.Select((b, n) => $$"""{"at": {{at + n}}, "hex": "{{b:x2}}"}"""));
            input.AppendLine(CultureInfo.InvariantCulture, $$"""{"id": {{i}}, "mode": "real", "memory": [{{regions}}], "registers": {"ip": {{at}}, "ebx": {{i % 100}}} }""");
        }

        var results = Run(engine, input.ToString(), out var errors);
        Assert.Equal(0, errors);
        for (var i = 0; i < Cases; i++)
        {
            Assert.Equal("hlt", results[i].GetProperty("stop").GetString());
            Assert.Equal((ulong)(byte)(i + (i % 100)), Register(results[i], "rax"));
        }
    }

    [Theory]
    [InlineData("nonsense", "not JSON")]
    [InlineData("[]", "a case is a JSON object")]
    [InlineData("""{"id": 1}""", "\"mode\" is missing")]
    [InlineData("""{"id": 1, "mode": "protected64"}""", "\"mode\" must be")]
    [InlineData("""{"id": 1, "mode": "real", "foo": 1}""", "unknown field \"foo\"")]
    [InlineData("""{"id": 1, "mode": "real", "ring": 3}""", "ring 0")]
    [InlineData("""{"id": 1, "mode": "real", "mode": "real"}""", "not JSON")]
    [InlineData("""{"id": 1, "mode": "long64", "registers": {"zax": 1}}""", "unknown register \"zax\"")]
    [InlineData("""{"id": 1, "mode": "long64", "registers": {"xmm16": "00"}}""", "unknown register")]
    [InlineData("""{"id": 1, "mode": "long64", "registers": {"st0": "00"}}""", "20 hexadecimal digits")]
    [InlineData("""{"id": 1, "mode": "long64", "registers": {"rax": -1}}""", "unsigned number")]
    [InlineData("""{"id": 1, "mode": "long64", "registers": {"rax": 1.5}}""", "unsigned number")]
    [InlineData("""{"id": 1, "mode": "long64", "registers": {"rax": "0x1g"}}""", "unsigned number")]
    [InlineData("""{"id": 1, "mode": "long64", "registers": {"eax": "0x100000000"}}""", "must not be above")]
    [InlineData("""{"id": 1, "mode": "long64", "registers": {"rax": 1, "eax": 1}}""", "given twice")]
    [InlineData("""{"id": 1, "mode": "protected32", "registers": {"rax": "0x100000000"}}""", "must not be above")]
    [InlineData("""{"id": 1, "mode": "long64", "registers": {"mxcsr": "0x10000"}}""", "must not be above")]
    [InlineData("""{"id": 1, "mode": "long64", "memory": [{"at": 0}]}""", "either \"size\" or \"hex\"")]
    [InlineData("""{"id": 1, "mode": "long64", "memory": [{"at": 0, "size": 1, "hex": "00"}]}""", "either \"size\" or \"hex\"")]
    [InlineData("""{"id": 1, "mode": "long64", "memory": [{"at": 0, "hex": "0"}]}""", "two a byte")]
    [InlineData("""{"id": 1, "mode": "long64", "memory": [{"at": 0, "size": "0xffffffffffffffff"}]}""", "not a range of addresses")]
    [InlineData("""{"id": 1, "mode": "long64", "memory": [{"at": "0x7ffffffffff8", "size": 16}]}""", "not a range of addresses")]
    [InlineData("""{"id": 1, "mode": "protected32", "memory": [{"at": "0xfffffff8", "size": 16}]}""", "not a range of addresses")]
    [InlineData("""{"id": 1, "mode": "long64", "dump": [{"at": 0, "size": 4}]}""", "not all of it is in \"memory\"")]
    [InlineData("""{"id": 1, "mode": "long64", "dump": [{"at": 0, "size": 4, "hex": "00"}]}""", "unknown field \"hex\"")]
    public void MalformedCasesGiveAnError(string line, string expected)
    {
        var results = Run("interp", $"{line}\n{{\"id\": 2, \"mode\": \"real\", \"instructions\": 0}}\n", out var errors);
        Assert.Equal(1, errors);
        Assert.Contains(expected, results[0].GetProperty("error").GetString());
        Assert.Equal("instructions", results[1].GetProperty("stop").GetString());
    }

    [Fact]
    public void TheCommandReportsMalformedLinesByItsStatus()
    {
        var result = Cli.RunWith("{\"id\": \"a\", \"mode\": \"real\", \"instructions\": 0}\nbad\n", "exec");
        Assert.Equal(1, result.Status);
        Assert.Empty(result.Error);
        Assert.Equal(2, result.Output.Count(c => c == '\n'));
        Assert.Equal(0, Cli.RunWith("", "exec", "--engine", "jit").Status);
    }

    [Theory]
    [MemberData(nameof(BothEngines))]
    public void EveryCaseFindsItsOwnMemory(string engine)
    {
        // The second case has the same regions and other code: inc byte [2000h]; the third again that of the first.
        var cases = new[] { "88042500200000f4", "fe042500200000f4", "88042500200000f4" }.Select((code, i) => $$"""
            {"id": {{i}}, "mode": "long64", "report": "changes", "memory": [{"at": 4096, "hex": "{{code}}"}, {"at": 8192, "size": 16, "fill": 5, "access": "rw"}], "registers": {"rip": 4096, "rax": 9, "rsp": 8200} }
            """.ReplaceLineEndings(" "));
        var results = Run(engine, string.Join('\n', cases), out var errors);
        Assert.Equal(0, errors);
        Assert.Equal(["09", "06", "09"], results.Select(r => Assert.Single(r.GetProperty("changes").EnumerateArray()).GetProperty("hex").GetString()!));
        Assert.All(results, r => Assert.Equal(8192, r.GetProperty("changes")[0].GetProperty("at").GetInt32()));
    }

    [Theory]
    [InlineData("r", "880425 00200000", 14, 7)]
    [InlineData("rx", "880425 00200000", 14, 7)]
    [InlineData("rw", "ff2425 08200000", 14, 21)]
    public void AccessRightsAreThoseOfTheCase(string access, string code, int vector, int error)
    {
        // A store to the page, or a jump to it.
        var result = Single(Engines.Interpreter, $$"""
            {"id": 1, "mode": "long64", "memory": [{"at": 4096, "hex": "{{code.Replace(" ", "", StringComparison.Ordinal)}}"}, {"at": 8192, "size": 16, "access": "{{access}}"},
             {"at": 8200, "hex": "0020000000000000"}], "registers": {"rip": 4096} }
            """);
        Assert.Equal(vector, result.GetProperty("exception").GetProperty("vector").GetInt32());
        Assert.Equal(error, result.GetProperty("exception").GetProperty("error").GetInt32());
        Assert.Equal(8192, result.GetProperty("exception").GetProperty("address").GetInt32());
    }

    [Fact]
    public void OnlyTheSelectorsOfALinuxProcess()
    {
        // mov ds, eax; hlt
        const string Case = """{"id": 1, "mode": "protected32", "selectors": "NAME", "memory": [{"at": 4096, "hex": "8ed8f4"}], "registers": {"rip": 4096, "rax": 64}}""";
        var result = Single(Engines.Interpreter, Case.Replace("NAME", "linux", StringComparison.Ordinal));
        Assert.Equal((13, 64), (result.GetProperty("exception").GetProperty("vector").GetInt32(), result.GetProperty("exception").GetProperty("error").GetInt32()));
        result = Single(Engines.Interpreter, Case.Replace("NAME", "any", StringComparison.Ordinal));
        Assert.Equal(64, result.GetProperty("registers").GetProperty("ds").GetInt32());
    }

    [Fact]
    public void ChangesInAllOfRealModesMemoryAreReported()
    {
        // mov byte [bx], 7; hlt, with ds = FFFF: at 10FFEFh.
        var result = Single(Engines.Interpreter, """
            {"id": 1, "mode": "real", "report": "changes", "memory": [{"at": 4096, "hex": "c60707f4"}],
             "registers": {"cs": 256, "ip": 0, "ds": 65535, "bx": 65535}}
            """);
        var change = Assert.Single(result.GetProperty("changes").EnumerateArray());
        Assert.Equal((0x10FFEF, "07"), (change.GetProperty("at").GetInt32(), change.GetProperty("hex").GetString()));
    }

    [Fact]
    public void RegionsDoNotCountInstructions()
    {
        // mov ecx, 100; loop on itself; hlt
        const string Line = """{"id": 1, "mode": "long64", "instructions": 3, "memory": [{"at": 4096, "hex": "b964000000e2fef4"}], "registers": {"rip": 4096}}""" + "\n";
        var result = Cli.RunWith(string.Concat(Enumerable.Repeat(Line, 6)), "exec", "--engine", Engines.Regions);
        Assert.Equal(0, result.Status);
        var results = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement).ToList();
        Assert.Equal(6, results.Count);
        Assert.All(results, r => Assert.Equal((false, 0), (r.TryGetProperty("instructions", out _), r.GetProperty("registers").GetProperty("rcx").GetInt32())));
    }

    private static ulong Register(JsonElement result, string name) => result.GetProperty("registers").GetProperty(name).GetUInt64();

    private static JsonElement Single(string engine, string json)
    {
        var results = Run(engine, json.ReplaceLineEndings(" "), out var errors);
        Assert.True(errors == 0, results[0].ToString());
        return Assert.Single(results);
    }

    private static List<JsonElement> Run(string engine, string input, out int errors)
    {
        using var session = new ExecSession(() => Engines.Make(engine));
        using var output = new MemoryStream();
        session.Run(new MemoryStream(Encoding.UTF8.GetBytes(input)), output);
        errors = session.Errors;
        return [.. Encoding.UTF8.GetString(output.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)];
    }
}
