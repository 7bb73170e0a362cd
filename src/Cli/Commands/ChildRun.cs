using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;

namespace DynaTrans.Cli.Commands;

/// <summary>What a measured process did.</summary>
/// <param name="Seconds">Wall time from start to end.</param>
/// <param name="Status">Exit status.</param>
/// <param name="OutputHash">Hash of what it wrote to standard output.</param>
/// <param name="Counters">Counters, when it was one of ours.</param>
internal sealed record Measurement(double Seconds, int Status, string OutputHash, RunCounters? Counters);

/// <summary>Runs a program in a child process: by ourselves, by the host, or by another emulator.</summary>
internal static class ChildRun
{
    /// <summary>Runs a guest by a child process of this program.</summary>
    public static Measurement Self(string engine, string? root, IReadOnlyList<string> guest)
    {
        var counters = Path.GetTempFileName();
        try
        {
            var command = new List<string>(SelfCommand()) { "run", "--engine", engine, "--stats-file", counters };
            if (root != null)
                command.AddRange(["--root", root]);
            command.AddRange(guest);
            var measured = Run(command);
            var json = File.ReadAllText(counters);
            return json.Length == 0 ? measured : measured with { Counters = JsonSerializer.Deserialize(json, CounterContext.Default.RunCounters) };
        }
        finally
        {
            File.Delete(counters);
        }
    }

    /// <summary>Runs a command line with empty standard input; its standard output is read and hashed, its errors are dropped.</summary>
    public static Measurement Run(IReadOnlyList<string> command)
    {
        var info = new ProcessStartInfo(command[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in command.Skip(1))
            info.ArgumentList.Add(argument);
        var start = Stopwatch.GetTimestamp();
        using var process = Process.Start(info) ?? throw new InvalidOperationException($"{command[0]} did not start");
        process.StandardInput.Close();
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginErrorReadLine();
        var hash = Convert.ToHexString(SHA256.HashData(process.StandardOutput.BaseStream));
        process.WaitForExit();
        return new Measurement(Stopwatch.GetElapsedTime(start).TotalSeconds, process.ExitCode, hash, null);
    }

    /// <summary>The path of a program in PATH, or null.</summary>
    public static string? FindTool(string name)
    {
        foreach (var directory in (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(':'))
            if (directory.StartsWith('/') && File.Exists(Path.Join(directory, name)))
                return Path.Join(directory, name);
        return null;
    }

    // As we were started ourselves: by our own executable, or by `dotnet dynatrans.dll`.
    private static string[] SelfCommand()
    {
        var process = Environment.ProcessPath ?? throw new InvalidOperationException("the path of this program is unknown");
        return Path.GetFileNameWithoutExtension(process) == "dotnet" ? [process, typeof(ChildRun).Assembly.Location] : [process];
    }
}
