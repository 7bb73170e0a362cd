using System.Diagnostics;

namespace DynaTrans.Cli.Tests.Tools;

/// <summary>Runs any command of the host.</summary>
internal static class Command
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>Whether all of these are found by PATH.</summary>
    internal static bool Exist(params string[] commands) =>
        commands.All(command => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Join(folder, command))));

    /// <summary>Runs a command to its end, for five minutes at most.</summary>
    /// <param name="environment">What it has instead of the tests' environment; null: the same.</param>
    /// <param name="folder">Its working directory; null: the same.</param>
    internal static Cli.Result Run(IReadOnlyDictionary<string, string>? environment, string? folder, string command, params string[] arguments)
    {
        var info = new ProcessStartInfo(command, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder ?? "",
        };
        if (environment != null)
        {
            info.Environment.Clear();
            foreach (var (name, value) in environment)
                info.Environment[name] = value;
        }

        using var process = Process.Start(info)!;
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (process.WaitForExit(Patience))
            return new Cli.Result(process.ExitCode, output.Result, error.Result);
        process.Kill(entireProcessTree: true);
        return new Cli.Result(-1, output.Result, error.Result);
    }

    /// <summary>Runs a command that must succeed, and returns what it wrote.</summary>
    internal static string Output(string command, params string[] arguments)
    {
        var result = Run(null, null, command, arguments);
        Assert.True(result.Status == 0, $"{command} {string.Join(' ', arguments)}: status {result.Status}\n{result.Output}{result.Error}");
        return result.Output;
    }
}
