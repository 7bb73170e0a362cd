using Xunit;

namespace DynaTrans.Devices.Tests;

public sealed class SharedInterruptTests
{
    [Fact]
    public void TheFirstAssertsAndTheLastReleases()
    {
        var changes = new List<bool>();
        var shared = new SharedInterrupt(changes.Add);
        var a = shared.AddSource();
        var b = shared.AddSource();
        a.Set(true);
        b.Set(true);
        Assert.Equal([true], changes);
        a.Set(false);
        Assert.True(shared.Level);
        b.Set(false);
        Assert.False(shared.Level);
        Assert.Equal([true, false], changes);
    }

    // Sources get their levels back one by one from state records; nobody is told of that.
    [Fact]
    public void LevelsMayBeRestored()
    {
        var changes = new List<bool>();
        var shared = new SharedInterrupt(changes.Add);
        var a = shared.AddSource();
        var b = shared.AddSource();
        a.Restore(true);
        b.Set(true);
        b.Set(false);
        Assert.Empty(changes);
        a.Set(false);
        Assert.Equal([false], changes);
    }
}
