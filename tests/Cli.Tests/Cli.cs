using System.Diagnostics;
using System.Text;
using DynaTrans.Cli.Tests.Tools;

namespace DynaTrans.Cli.Tests;

/// <summary>Runs <c>dynatrans</c> as a user does: in a process of its own.</summary>
internal static class Cli
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>What a process left.</summary>
    /// <param name="Status">Exit status; -1 when it had to be killed.</param>
    internal sealed record Result(int Status, string Output, string Error);

    /// <summary>Runs a command line.</summary>
    internal static Result Run(params string[] arguments) => RunFor(Patience, null, arguments);

    /// <summary>Runs a command line with something on standard input.</summary>
    internal static Result RunWith(string input, params string[] arguments) => RunFor(Patience, input, arguments);

    /// <summary>Runs a command line for so long at most.</summary>
    internal static Result RunFor(TimeSpan patience, string? input, params string[] arguments)
    {
        var info = new ProcessStartInfo("dotnet") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        info.ArgumentList.Add(ShippedCommand.Library);
        foreach (var argument in arguments)
            info.ArgumentList.Add(argument);
        using var process = Process.Start(info)!;
        var output = new StringBuilder();
        var error = new StringBuilder();
        process.OutputDataReceived += (_, e) => Append(output, e.Data);
        process.ErrorDataReceived += (_, e) => Append(error, e.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (input != null)
            process.StandardInput.Write(input);
        process.StandardInput.Close();
        if (!process.WaitForExit(patience))
        {
            process.Kill();
            process.WaitForExit();
            return new Result(-1, output.ToString(), error.ToString());
        }

        process.WaitForExit();
        return new Result(process.ExitCode, output.ToString(), error.ToString());
    }

    /// <summary>Asserts that a command line failed with a status and one line on standard error.</summary>
    internal static void AssertFails(int status, string expected, Result result)
    {
        Assert.True(result.Status == status, $"status {result.Status}, {status} expected: {result.Error}");
        Assert.Empty(result.Output);
        Assert.Equal(1, result.Error.Count(c => c == '\n'));
        Assert.StartsWith("dynatrans: ", result.Error);
        Assert.Contains(expected, result.Error);
    }

    private static void Append(StringBuilder to, string? line)
    {
        if (line != null)
            lock (to)
                to.Append(line).Append('\n');
    }
}
