using System.Diagnostics;
using DynaTrans.Cli.Tests.Tools;

namespace DynaTrans.Cli.Tests;

/// <summary>
/// Guests that use up what they share with the process that runs them (descriptors, memory descriptors, threads), and one that looks for that
/// process by number: the guest gets an error, nothing else ends. Needs gcc.
/// </summary>
public sealed class SharedResourceTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("dynatrans-shared-").FullName;

    [SkippableTheory]
    [InlineData("-m64", "descriptors", "^all but \\d, error 24$")]
    [InlineData("-m32", "descriptors", "^all but \\d, error 24$")]
    [InlineData("-m64", "many", "^8 lack descriptors$")]
    [InlineData("-m32", "many", "^8 lack descriptors$")]
    [InlineData("-m64", "memory", "^error 23$")]
    [InlineData("-m64", "threads", "^error (0|11)$")]
    [InlineData("-m64", "orphan", "^0 found$")]
    [InlineData("-m32", "orphan", "^0 found$")]
    public void TheHostAndOtherGuestsGoOn(string architecture, string what, string expected)
    {
        var guest = Path.Join(_directory, "guest");
        var compiler = Run("gcc", architecture, "-O1", "-static", Path.Join(AppContext.BaseDirectory, "Guests/isolation.c"), "-o", guest, "-lpthread");
        Skip.If(compiler is not (0, _, _), $"no gcc for {architecture}");
        var result = Run(
            "/bin/sh", "-c", "ulimit -n 300; exec \"$@\"", "sh", "dotnet", ShippedCommand.Library, "run", guest, what);
        Assert.NotNull(result);
        Assert.Equal((0, ""), (result.Value.Status, result.Value.Error));
        Assert.Matches(expected, result.Value.Output.TrimEnd());
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static (int Status, string Output, string Error)? Run(string program, params string[] arguments)
    {
        var info = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using var process = Process.Start(info)!;
            var error = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output, error.Result);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
