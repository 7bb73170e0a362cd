using DynaTrans.IlBackend.Regions;
using Xunit.Abstractions;

namespace DynaTrans.IlBackend.Tests;

/// <summary>Every target has its place, and few share one.</summary>
public sealed class JumpTableTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(64)]
    [InlineData(256)]
    [InlineData(600)]
    public void EveryTargetHasItsPlace(int count)
    {
        var seed = count;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var address = 0x5555_5555_0000UL;
        var targets = Enumerable.Range(0, count).Select(_ => Block(address += (ulong)random.Next(1, 80))).ToList();
        var table = new JumpTable(targets);
        Assert.Equal(0, table.Size & (table.Size - 1));
        Assert.InRange(table.Size, 8, 1024);
        foreach (var target in targets)
            Assert.Contains(target, table.At(table.PlaceOf(target.Start)));
        Assert.Equal(count, Enumerable.Range(0, table.Size).Sum(place => table.At(place).Count));
        var sharing = Enumerable.Range(0, table.Size).Sum(place => Math.Max(0, table.At(place).Count - 1));
        Assert.True(sharing <= count / 3, $"{sharing} of {count} share a place");
    }

    [Fact]
    public void AddressesThatAreAlikeInTheirLowHalfShareAPlace()
    {
        RegionBlock[] targets = [Block(0x1_0000_1234), Block(0x2_0000_1234), Block(0x1234)];
        var table = new JumpTable(targets);
        Assert.Equal(targets, table.At(table.PlaceOf(0x1234)));
    }

    private static RegionBlock Block(ulong start) => new(0, start, start + 1, 0, false, [], [start]);
}
