using DynaTrans.Cli.Commands;
using DynaTrans.Cli.Guests;

namespace DynaTrans.Cli.Tests;

/// <summary><c>dynatrans run</c> and its options, on the guest that comes with the project.</summary>
public sealed class RunTests
{
    private const string Expected = """
        primes below 200000  00004640
        crc-32 of the sieve  13abea3d
        fibonacci, summed    0000452f
        median of the sorted 7f88db03

        """;

    [Theory]
    [InlineData("demo-i386", "auto")]
    [InlineData("demo-i386", "interp")]
    [InlineData("demo-i386", "jit")]
    [InlineData("demo-x86_64", "auto")]
    [InlineData("demo-x86_64", "interp")]
    [InlineData("demo-x86_64", "jit")]
    public void EveryEngineGivesTheSame(string name, string engine)
    {
        using var guest = new DemoGuest(name);
        var result = Cli.Run("run", "--engine", engine, guest.Path);
        Assert.Equal(new Cli.Result(0, Expected, ""), result);
    }

    [Theory]
    [InlineData("demo-i386")]
    [InlineData("demo-x86_64")]
    public void VerifyFindsNoDifference(string name)
    {
        using var guest = new DemoGuest(name);
        var result = Cli.Run("run", "--verify", guest.Path);
        Assert.Equal(0, result.Status);
        Assert.Equal(Expected, result.Output);
        Assert.Contains("without a difference", result.Error);
    }

    [Fact]
    public void StatsCountInstructionsAlikeInBothExecutors()
    {
        using var guest = new DemoGuest("demo-i386");
        string[] lines = [.. new[] { "interp", "jit", "auto" }.Select(engine =>
            Cli.Run("run", "--stats", "--engine", engine, guest.Path).Error.Split('\n').First(l => l.Contains("instructions  ")).Split(',')[0])];
        Assert.Equal(lines[0], lines[1]);
        Assert.Equal(lines[0], lines[2]);
    }

    [Fact]
    public void StraceNamesTheCalls()
    {
        using var guest = new DemoGuest("demo-x86_64");
        var result = Cli.Run("run", "--strace", guest.Path);
        Assert.Equal(Expected, result.Output);
        Assert.Contains("write(", result.Error);
        Assert.Contains("exit(", result.Error);
    }

    [Fact]
    public void ArgumentsBehindTheProgramAreTheGuests()
    {
        using var guest = new DemoGuest("demo-i386");
        Assert.Equal(0, Cli.Run("run", guest.Path, "1", "--engine", "x", "--", "--help").Status);
        Assert.Equal(0, Cli.Run("run", "--engine=interp", "--", guest.Path, "--strace").Status);
    }

    [Fact]
    public void GuestArgumentsAreSplitAtTheProgram()
    {
        var verb = RunCommand.Create().Command;
        var (own, guest) = GuestArguments.Split(verb, ["run", "--strace", "--root", "/r", "--env", "A=1", "prog", "--root", "x"]);
        Assert.Equal(["run", "--strace", "--root", "/r", "--env", "A=1"], own);
        Assert.Equal("prog", guest.Program);
        Assert.Equal(["--root", "x"], guest.Arguments);
        Assert.Null(GuestArguments.Split(verb, ["run", "--root"]).Guest.Program);
        Assert.Equal("-x", GuestArguments.Split(verb, ["run", "--", "-x"]).Guest.Program);
    }

    [Fact]
    public void BenchMeasuresTheGuest()
    {
        using var guest = new DemoGuest("demo-i386");
        var result = Cli.Run("bench", "--runs", "1", "--markdown", guest.Path, "1");
        Assert.True(result.Status == 0, result.Error);
        Assert.Contains("| interpreter", result.Output);
        Assert.Contains("| translator", result.Output);
    }

    [Fact]
    public void DemoWorks()
    {
        var result = Cli.Run("demo");
        Assert.True(result.Status == 0, result.Error);
        Assert.Contains("primes below 200000", result.Output);
        Assert.Contains("translator", result.Output);
    }
}
