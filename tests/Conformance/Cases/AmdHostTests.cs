using DynaTrans.Conformance.Native;
using Iced.Intel;
using Xunit;

namespace DynaTrans.Conformance.Cases;

/// <summary>The rules for AMD hosts change only what they are about; run on any host.</summary>
public class AmdHostTests
{
    [Theory]
    [InlineData(64, "66E878563412", "40E878563412")]
    [InlineData(64, "66450F8138030000", "40450F8138030000")]
    [InlineData(64, "66C3", "40C3")]
    [InlineData(64, "6542FF13", "6542FF13")]
    [InlineData(32, "66E90400", "66E90400")]
    [InlineData(32, "67F3E0AA", "673EE0AA")]
    [InlineData(64, "67F366E148", "674040E148")]
    [InlineData(64, "F34190", "F34090")]
    [InlineData(64, "F390", "F390")]
    [InlineData(64, "66476324D9", "66478B24D9")]
    [InlineData(64, "4763C1", "4763C1")]
    [InlineData(64, "6601C8", "6601C8")]
    [InlineData(64, "F3A6", "F3A6")]
    public void TheHostIsGivenAnEquivalentEncoding(int bitness, string bytes, string expected) =>
        Assert.Equal(expected, Convert.ToHexString(AmdHost.EquivalentBytes(Decode(bitness, bytes))));

    [Theory]
    [InlineData("F00F20C0", true)]
    [InlineData("F00F2200", true)]
    [InlineData("F00F0028", true)]
    [InlineData("0F20C0", false)]
    [InlineData("F00F00E8", false)]
    [InlineData("F00F0020", false)]
    [InlineData("F00FA3C0", false)]
    public void OnlyTheseAreDefinedBeyondTheModel(string bytes, bool defined) => Assert.Equal(defined, AmdHost.Defines(Convert.FromHexString(bytes)));

    [Fact]
    public void AnotherVectorIsADifferenceWithoutACompetingFault()
    {
        var encoding = Decode(64, "DD18");
        CaseData start = new(), host = new(), here = new();
        (host.State.Vector, here.State.Vector, here.State.Rip) = (14, -1, TestMemory.CodeStart + 2);
        Assert.False(AmdHost.TakesAnotherFault(encoding, start, host, here));
        here.State.Fsw = 0x80;
        Assert.True(AmdHost.TakesAnotherFault(encoding, start, host, here));
        here.Data[17] = 1;
        Assert.False(AmdHost.TakesAnotherFault(encoding, start, host, here));
    }

    private static Encoding Decode(int bitness, string text)
    {
        var bytes = Convert.FromHexString(text);
        var decoder = Decoder.Create(bitness, new ByteArrayCodeReader(bytes));
        decoder.IP = TestMemory.CodeStart;
        decoder.Decode(out var instruction);
        return new Encoding(bytes, instruction, TestMemory.CodeStart);
    }
}
