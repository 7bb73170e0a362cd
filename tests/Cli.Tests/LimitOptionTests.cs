using System.Diagnostics;
using DynaTrans.Cli.Commands;
using DynaTrans.Cli.Guests;
using DynaTrans.Cli.Tests.Tools;

namespace DynaTrans.Cli.Tests;

/// <summary>Limits of a run, given by options or by the host; and DynaTrans as a guest of DynaTrans.</summary>
public sealed class LimitOptionTests
{
    [Theory]
    [InlineData("1", 1L)]
    [InlineData("4096B", 4096L)]
    [InlineData("3k", 3L << 10)]
    [InlineData("64M", 64L << 20)]
    [InlineData("64MiB", 64L << 20)]
    [InlineData("2G", 2L << 30)]
    [InlineData("7TB", 7L << 40)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("9223372036854775808", null)]
    [InlineData("9007199254740992K", null)]
    [InlineData("0", null)]
    [InlineData("", null)]
    [InlineData("M", null)]
    [InlineData("1.5G", null)]
    [InlineData("-1", null)]
    [InlineData("1Q", null)]
    [InlineData("1 M", null)]
    public void SizesAreRead(string text, long? bytes) => Assert.Equal(bytes, Quantities.ReadSize(text));

    [Theory]
    [InlineData("1", 1.0)]
    [InlineData("0.25", 0.25)]
    [InlineData(".5s", 0.5)]
    [InlineData("2m", 120.0)]
    [InlineData("1.5h", 5400.0)]
    [InlineData("1d", 86400.0)]
    [InlineData("0", null)]
    [InlineData("", null)]
    [InlineData(".", null)]
    [InlineData("1.2.3", null)]
    [InlineData("s", null)]
    [InlineData("1ms", null)]
    [InlineData("-1", null)]
    [InlineData("1e3", null)]
    [InlineData("99999999999999999999", null)]
    public void TimesAreRead(string text, double? seconds) => Assert.Equal(seconds, Quantities.ReadTime(text)?.TotalSeconds);

    [Theory]
    [InlineData("--memory", "lots", "--memory lots: a size is expected")]
    [InlineData("--memory=", "", "--memory")]
    [InlineData("--timeout", "soon", "--timeout soon: seconds are expected")]
    [InlineData("--timeout", "0", "--timeout 0: seconds are expected")]
    [InlineData("--instructions", "many", "--instructions many: a number is expected")]
    [InlineData("--instructions", "0", "--instructions 0: a number is expected")]
    public void ABadLimitIsOneLine(string option, string value, string message)
    {
        using var guest = new DemoGuest("demo-x86_64");
        string[] options = value.Length == 0 ? [option] : [option, value];
        Cli.AssertFails(ExitStatus.Usage, message, Cli.Run(["run", .. options, guest.Path]));
    }

    [Theory]
    [InlineData("auto")]
    [InlineData("interp")]
    public void TheTimeIsUp(string engine)
    {
        using var guest = new DemoGuest("demo-i386");
        var result = Cli.Run("run", "--engine", engine, "--timeout", "0.5", "/bin/sh", "-c", "while :; do :; done");
        Cli.AssertFails(ExitStatus.Timeout, "killed after 0.5 s (--timeout)", result);
        Assert.Equal(0, Cli.Run("run", "--timeout", "2m", guest.Path).Status);
    }

    [Theory]
    [InlineData("demo-i386", "5000")]
    [InlineData("demo-i386", "1000001")]
    [InlineData("demo-i386", "7654321")]
    public void AllEnginesStopAtTheSameInstruction(string name, string count)
    {
        using var guest = new DemoGuest(name);
        var places = new HashSet<string>();
        foreach (var engine in Engines.All)
        {
            var result = Cli.Run("run", "--engine", engine, "--instructions", count, guest.Path);
            Assert.Equal(ExitStatus.Timeout, result.Status);
            Assert.Contains($"stopped after {count} instructions", result.Error);
            places.Add(result.Error[result.Error.LastIndexOf("0x", StringComparison.Ordinal)..].Trim());
        }

        Assert.Single(places);
        Cli.AssertFails(ExitStatus.Usage, "--instructions cannot be used with --verify", Cli.Run("run", "--verify", "--instructions", count, guest.Path));
    }

    [Fact]
    public void AProgramThatDoesNotFitIsOneLine() => Cli.AssertFails(ExitStatus.CannotRun, "does not fit into memory", Cli.Run("run", "--memory", "4K", "/bin/true"));

    [Fact]
    public void StatsTellTheMemory()
    {
        using var guest = new DemoGuest("demo-i386");
        var result = Cli.Run("run", "--stats", "--memory", "1G", guest.Path);
        Assert.Equal(0, result.Status);
        Assert.Matches(@"dynatrans: guest memory +[0-9]+\.[0-9] MiB resident at the end, [0-9]+\.[0-9] MiB at the peak\n", result.Error);
        Assert.Matches(@"dynatrans: host process +[0-9]+\.[0-9] MiB resident at the end, [0-9]+\.[0-9] MiB at the peak\n", result.Error);
    }

    [Fact]
    public void UnknownCallsAreToldOnce()
    {
        // The C library may try calls that are not implemented at its start.
        var result = Cli.Run("run", "--strace", "--stats", "/bin/true");
        Assert.Equal(0, result.Status);
        var told = result.Error.Split('\n').Where(line => line.StartsWith("dynatrans: not implemented", StringComparison.Ordinal)).ToList();
        var logged = result.Error.Split('\n').Count(line => line.EndsWith("[not implemented]", StringComparison.Ordinal));
        Assert.Equal(logged > 0 ? 1 : 0, told.Count);
    }

    // What the host refuses is private writable memory (ulimit -d, as vm.overcommit_memory=2 does) or any address space (ulimit -v).
    [Theory]
    [InlineData("ulimit -d 8000000", "demo-x86_64")]
    [InlineData("ulimit -v 200000000", "demo-x86_64")]
    [InlineData("ulimit -v 200000000", "demo-i386")]
    public void ASmallerReservationServes(string limit, string name)
    {
        using var guest = new DemoGuest(name);
        var result = Shell($"{limit}; exec \"$0\" run \"$1\"", guest.Path);
        Assert.True(result is { Status: 0, Error: "" }, result.ToString());
        Assert.Contains("primes below 200000", result.Output);
    }

    [Theory]
    [InlineData("demo-x86_64")]
    [InlineData("demo-i386")]
    public void WithoutRoomThereIsOneLine(string name)
    {
        // So much that the .NET runtime starts, and no window fits.
        using var guest = new DemoGuest(name);
        var result = Shell("ulimit -d 300000; exec \"$0\" run \"$1\"", guest.Path);
        Cli.AssertFails(ExitStatus.CannotRun, "the host refused to reserve", result);
    }

    [Fact]
    [Trait("Duration", "long")]
    public void DynaTransRunsUnderDynaTrans()
    {
        using var guest = new DemoGuest("demo-x86_64");
        var result = Cli.Run("run", "--timeout", "170", ShippedCommand.Program, "run", guest.Path);
        Assert.True(result is { Status: 0, Error: "" }, result.ToString());
        Assert.Contains("median of the sorted 7f88db03", result.Output);
    }

    private static Cli.Result Shell(string script, string guest)
    {
        var info = new ProcessStartInfo("/bin/sh", ["-c", script, ShippedCommand.Program, guest]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(info)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new Cli.Result(process.ExitCode, output, error.Result);
    }
}
