using System.Text;
using DynaTrans.Pc.Consoles;

namespace DynaTrans.Pc.Tests.Consoles;

/// <summary>Which keys are the guest's and which are not.</summary>
public sealed class EscapeKeysTests
{
    [Theory]
    [InlineData("plain text", "plain text", "")]
    [InlineData("a\u0001xb", "ab", "x")]
    [InlineData("\u0001X", "", "x")]
    [InlineData("\u0001h\u0001b", "", "hb")]
    [InlineData("\u0001\u0001c", "\u0001c", "")]
    [InlineData("\u0001\u0001\u0001x", "\u0001", "x")]
    [InlineData("\u0001zq", "q", "")]
    public void OnlyCommandsBehindCtrlAAreKept(string typed, string sent, string commands)
    {
        // All at once, and byte by byte as a terminal gives them.
        Assert.Equal((sent, commands), Filter([Encoding.Latin1.GetBytes(typed)]));
        Assert.Equal((sent, commands), Filter(Encoding.Latin1.GetBytes(typed).Select(b => new[] { b })));
    }

    private static (string Sent, string Commands) Filter(IEnumerable<byte[]> pieces)
    {
        var commands = new StringBuilder();
        var sent = new StringBuilder();
        var keys = new EscapeKeys(key => commands.Append(key));
        foreach (var piece in pieces)
            sent.Append(Encoding.Latin1.GetString(piece, 0, keys.Filter(piece)));
        return (sent.ToString(), commands.ToString());
    }
}
