using DynaTrans.Runtime.Interpretation;

namespace DynaTrans.Runtime.Tests.Interpretation;

/// <summary>The order of the dispatch codes, which the selector computes with.</summary>
public sealed class DispatchCodeTests
{
    private static readonly HashSet<string> s_names = [.. Enum.GetNames<DispatchCode>()];

    // Base + log2(size), and 4 more for the code that records flags.
    [Fact]
    public void SizesAndFlagsStandInOrder()
    {
        var groups = 0;
        foreach (var name in s_names.Where(n => n.EndsWith('B') && s_names.Contains(n[..^1] + "W")))
        {
            groups++;
            var stem = name[..^1];
            var first = Enum.Parse<DispatchCode>(name);
            Assert.Equal(stem + "W", (first + 1).ToString());
            if (stem == "Insert")
                continue;
            Assert.Equal(stem + "D", (first + 2).ToString());
            Assert.Equal(stem + "Q", (first + 3).ToString());
            if (s_names.Contains(stem + "FB"))
                Assert.Equal(stem + "FB", (first + 4).ToString());
        }

        Assert.Equal(28, groups);
        foreach (var stem in new[] { "VLoad", "VStore" })
            Assert.Equal(["D", "Q", "X"], Enumerable.Range(0, 3).Select(i => (Enum.Parse<DispatchCode>(stem + "D") + i).ToString()[stem.Length..]));
    }

    // The interpreter hands this range over to VectorOps.
    [Fact]
    public void VectorCodesStandTogether() => Assert.Equal(
        [
            DispatchCode.VMov, DispatchCode.VMovMmx, DispatchCode.VBinary, DispatchCode.VBinaryImm, DispatchCode.VUnary,
            DispatchCode.VUnaryImm, DispatchCode.VToInt, DispatchCode.VToIntImm, DispatchCode.VBinaryToInt,
            DispatchCode.VFromInt, DispatchCode.VFromIntImm,
        ],
        Enum.GetValues<DispatchCode>().Where(code => code is >= DispatchCode.VMov and <= DispatchCode.VFromIntImm));
}
